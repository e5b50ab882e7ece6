/* Ceilings of the signer, each with its reason. */
#pragma once

/* Certificates of endpoints; there is no renewal yet, revocation ends one early. */
#define HM_SIGNER_ENDPOINT_DAYS (10 * 365)
/* A time statement may not promise the future: an endpoint's expiry checks lean on it. */
#define HM_SIGNER_TIME_SLACK_MS (5 * 1000)
/* An order may not be issued far from now, or its life span means nothing. */
#define HM_SIGNER_ISSUE_SLACK_MS (60 * 1000)
