/* Ceilings of the uplink, each with its reason. */
#pragma once

/* Batches on the way and not yet acknowledged, a lane: 64 of about 20 KiB fill any line. */
#define HM_UPLINK_WINDOW 64
/* Output that waits for the line; a batch is at most 1 MiB. */
#define HM_UPLINK_OUT_MAX   (4 * 1024 * 1024)
#define HM_UPLINK_OUT_FULL  (512 * 1024) /* no further batch is read while so much waits */
#define HM_UPLINK_IN_MAX    (HM_FRAME_MAX + 128 * 1024)
#define HM_UPLINK_CONNECT_S 15 /* resolve, connect, handshake, welcome: each */
#define HM_UPLINK_PING_S    30
#define HM_UPLINK_SILENT_S  90 /* three pings unanswered: the line is dead */
/* Back-off: a random time below first · 2^n, so that a fleet does not come back in one second. */
#define HM_UPLINK_BACKOFF_FIRST_MS 500
#define HM_UPLINK_BACKOFF_MAX_MS   (60 * 1000)
/* Refused for what we are: somebody must act first. */
#define HM_UPLINK_REFUSED_MS (120 * 1000)
#define HM_UPLINK_POLL_MS    250 /* looks at the journal even if the engine says nothing */
#define HM_UPLINK_ADDRS_MAX  8
#define HM_UPLINK_PEM_MAX    (16 * 1024)
