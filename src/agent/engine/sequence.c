/* See sequence.h. Times are the kernel's boot clock: no change of the wall clock moves a window. */
#include "agent/engine/sequence.h"
#include "agent/engine/limits.h"
#include "base/log.h"
#include "detect/correlate/correlate.h"
#include "detect/correlate/limits.h"
#include "detect/view/reading.h"
#include <stdlib.h>

struct kept { /* an event in the ring of bytes */
    uint64_t token, at;
    size_t len;
};
struct hm_sequence {
    const struct hm_ruleset *rules;
    struct hm_correlator *correlator; /* NULL: the set has no correlations */
    uint64_t tokens;                  /* given so far */
    struct hm_buf one;
    uint8_t *bytes;   /* HM_SEQUENCE_BYTES, written round and round */
    uint64_t written; /* in all */
    struct kept kept[HM_SEQUENCE_EVENTS];
    struct hm_slice evidence[HM_CORRELATE_EVIDENCE_MAX];
    /* the event under way */
    void (*hit)(void *ctx, const struct hm_sequence_hit *h);
    void *ctx;
};

static void refused(void *ctx, size_t i, const struct hm_error *err)
{
    const struct hm_ruleset *rules = ctx;
    bool silent;
    hm_warn("correlation %s: %s", hm_ruleset_correlation(rules, i, &silent)->id, err->text);
}

static int make(const struct hm_ruleset *rules, struct hm_correlator **ret_c)
{
    static const struct hm_correlate_options o = {.groups_max = HM_SEQUENCE_GROUPS,
                                                  .bytes_max = HM_SEQUENCE_STATE_BYTES};
    struct hm_correlate_set set;
    *ret_c = NULL;
    if (!rules || hm_ruleset_correlation_count(rules) == 0)
        return 0;
    set = hm_ruleset_correlations(rules);
    return hm_correlator_new(&set, &o, refused, (void *)rules, ret_c);
}

struct hm_sequence *hm_sequence_new(const struct hm_ruleset *rules)
{
    struct hm_sequence *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->rules = rules;
    s->one = HM_BUF(HM_EVENT_MAX_BYTES);
    s->bytes = malloc(HM_SEQUENCE_BYTES);
    if (!s->bytes || make(rules, &s->correlator) < 0) {
        hm_sequence_free(s);
        return NULL;
    }
    return s;
}

void hm_sequence_free(struct hm_sequence *s)
{
    if (!s)
        return;
    hm_correlator_free(s->correlator);
    hm_buf_done(&s->one);
    free(s->bytes);
    free(s);
}

int hm_sequence_swap(struct hm_sequence *s, const struct hm_ruleset *rules)
{
    struct hm_correlator *c;
    int r = make(rules, &c);
    if (r < 0)
        return r;
    if (c && s->correlator)
        hm_correlator_adopt(c, s->correlator);
    hm_correlator_free(s->correlator);
    s->correlator = c;
    s->rules = rules;
    return 0;
}

/* --- what fed it ----------------------------------------------------------------------------- */
/* Never split over the end of the ring: what does not fit there begins at its start again. */
static void keep(struct hm_sequence *s, uint64_t token, const struct hm_event *e)
{
    hm_buf_clear(&s->one);
    hm_event_encode(e, &s->one);
    if (s->one.error || s->one.len > HM_SEQUENCE_EVENT_BYTES)
        return;
    size_t at = s->written % HM_SEQUENCE_BYTES;
    if (at + s->one.len > HM_SEQUENCE_BYTES) {
        s->written += HM_SEQUENCE_BYTES - at;
        at = 0;
    }
    memcpy(s->bytes + at, s->one.data, s->one.len);
    s->kept[token % HM_SEQUENCE_EVENTS] = (struct kept){token, s->written, s->one.len};
    s->written += s->one.len;
}

static bool recall(const struct hm_sequence *s, uint64_t token, struct hm_slice *ret_event)
{
    const struct kept *k = &s->kept[token % HM_SEQUENCE_EVENTS];
    if (k->token != token || k->len == 0 || s->written - k->at > HM_SEQUENCE_BYTES)
        return false;
    *ret_event = hm_slice(s->bytes + k->at % HM_SEQUENCE_BYTES, k->len);
    return true;
}

static void on_hit(void *ctx, const struct hm_correlation_hit *h)
{
    struct hm_sequence *s = ctx;
    bool silent;
    const struct hm_rule *rule = hm_ruleset_correlation(s->rules, h->correlation, &silent);
    size_t n = 0;
    if (silent || h->repeated)
        return;
    for (size_t i = 0; i < h->token_count; i++)
        if (h->tokens[i] != h->token && recall(s, h->tokens[i], &s->evidence[n]))
            n++;
    struct hm_sequence_hit hit = {rule, s->evidence, n};
    s->hit(s->ctx, &hit);
}

static size_t feeding(const struct hm_sequence *s, const uint32_t *rules, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += hm_correlator_feeds(s->correlator, rules[i]);
    return n;
}

void hm_sequence_event(struct hm_sequence *s, const struct hm_event *e, const uint32_t *rules,
                       size_t count, void (*hit)(void *ctx, const struct hm_sequence_hit *h),
                       void *ctx)
{
    struct hm_reading r;
    if (!s->correlator || !feeding(s, rules, count) || !hm_ruleset_read(s->rules, e, &r))
        return;
    s->hit = hit;
    s->ctx = ctx;
    uint64_t token = ++s->tokens;
    hm_correlator_event(s->correlator, &r.view, rules, count,
                        hm_event_u64(e, HM_F_BOOT_NS) / 1000000, token, on_hit, s);
    keep(s, token, e);
}

struct hm_sequence_counts hm_sequence_counts(const struct hm_sequence *s)
{
    struct hm_sequence_counts n = {0};
    size_t count = s->correlator ? hm_ruleset_correlation_count(s->rules) : 0;
    for (size_t i = 0; i < count; i++) {
        struct hm_correlate_counts c;
        hm_correlator_counts(s->correlator, i, &c);
        n.hits += c.hits;
        n.repeated += c.repeated;
        n.late += c.late;
        n.evicted += c.evicted + c.dropped;
        n.truncated += c.truncated;
    }
    return n;
}
