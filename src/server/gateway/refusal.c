/* Owns the counters of refused peers and how often they are said. */
#include "server/gateway/refusal.h"

#include "server/gateway/limits.h"

#include "base/clock.h"
#include "base/log.h"

static const char *const names[HM_REFUSAL_COUNT] = {
    [HM_REFUSAL_HANDSHAKE] = "handshake failed",
    [HM_REFUSAL_NO_CERT] = "no client certificate",
    [HM_REFUSAL_WRONG_CA] = "certificate not of our CA",
    [HM_REFUSAL_RESUMPTION] = "session resumption attempted",
    [HM_REFUSAL_PROTOCOL] = "unknown protocol",
    [HM_REFUSAL_MALFORMED] = "malformed message",
    [HM_REFUSAL_OVERSIZED] = "oversized frame",
    [HM_REFUSAL_SLOW] = "too slow",
    [HM_REFUSAL_IDENTITY] = "claims another endpoint's id",
    [HM_REFUSAL_ADMISSION] = "not admitted",
    [HM_REFUSAL_ENROLMENT] = "not enrolled",
    [HM_REFUSAL_BATCH] = "malformed batch",
    [HM_REFUSAL_MEMORY] = "over a ceiling",
};

void hm_refusal_note(struct hm_refusals *r, enum hm_refusal why, const char *peer,
                     const char *detail)
{
    uint64_t now = hm_clock_mono_ns();

    r->by[why].count++;
    if (r->by[why].logged &&
        now - r->by[why].logged_ns < HM_GATEWAY_LOG_EVERY_S * UINT64_C(1000000000))
        return;
    r->by[why].logged = r->by[why].count;
    r->by[why].logged_ns = now;
    hm_warn("refused %s: %s%s%s (%llu of this kind)", peer, names[why], detail ? ": " : "",
            detail ? detail : "", (unsigned long long)r->by[why].count);
}

void hm_refusal_flush(struct hm_refusals *r)
{
    for (int i = 0; i < HM_REFUSAL_COUNT; i++)
        if (r->by[i].count > r->by[i].logged) {
            hm_info("refused since start: %s %llu", names[i], (unsigned long long)r->by[i].count);
            r->by[i].logged = r->by[i].count;
        }
}
