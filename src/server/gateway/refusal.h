/* Refused peers: a table of reasons, each counted, logged once and then by the minute. */
#pragma once
#include <stdint.h>

enum hm_refusal {
    HM_REFUSAL_HANDSHAKE,  /* not TLS 1.3, no common parameter, closed in the middle */
    HM_REFUSAL_NO_CERT,    /* agent protocol without a client certificate */
    HM_REFUSAL_WRONG_CA,   /* certificate of somebody else, or expired */
    HM_REFUSAL_RESUMPTION, /* asked to resume a session */
    HM_REFUSAL_PROTOCOL,   /* no or unknown ALPN */
    HM_REFUSAL_MALFORMED,  /* bytes that are no message, or not now */
    HM_REFUSAL_OVERSIZED,  /* frame over the maximum */
    HM_REFUSAL_SLOW,       /* took too long to say something */
    HM_REFUSAL_IDENTITY,   /* claims to be another endpoint */
    HM_REFUSAL_ADMISSION,  /* core said no: revoked, unknown, version */
    HM_REFUSAL_ENROLMENT,  /* core said no: token */
    HM_REFUSAL_BATCH,      /* batch that is not what it says */
    HM_REFUSAL_MEMORY,     /* over a ceiling of memory or sessions */
    HM_REFUSAL_COUNT
};
struct hm_refusals {
    struct {
        uint64_t count, logged, logged_ns;
    } by[HM_REFUSAL_COUNT];
};
void hm_refusal_note(struct hm_refusals *r, enum hm_refusal why, const char *peer,
                     const char *detail);
/* Say what was counted since the last line of each kind. */
void hm_refusal_flush(struct hm_refusals *r);
