/* The inside of a correlator, shared by its files: the plan (who feeds whom), one run per
 * correlation, the hits of one event that wait for their turn. */
#pragma once
#include "detect/correlate/correlate.h"
#include "detect/correlate/group.h"

struct hm_cfeed {
    uint32_t run, ref;
};
struct hm_crun { /* one correlation at work */
    const struct hm_correlation *c;
    bool dormant;        /* refused: told to problem(), never fires */
    uint64_t span, late; /* ms */
    size_t entries_max;
    uint64_t all;       /* temporal: a bit per ref */
    uint64_t wanted;    /* ordered with a condition: refs not beneath a "not" */
    int16_t **inherits; /* per ref that is a correlation: group entry → inner group entry, or -1 */
    struct hm_cgroups groups;
    struct hm_tally scan; /* scratch for late events */
    struct hm_correlate_counts n;
};
struct hm_cpending {
    uint32_t run, ref;
    bool chained, taken;
    struct hm_key *inner; /* chained: the inner group's key */
};
struct hm_correlator {
    struct hm_correlate_set set;
    uint64_t secret[2];
    uint64_t stamp; /* events so far */
    struct hm_crun *runs;
    uint32_t *order;      /* runs, inner before outer */
    uint32_t *feed_start; /* per rule and correlation: its feeds begin here */
    struct hm_cfeed *feeds;
    uint8_t *muted; /* per rule: referenced, and nobody says generate */
    struct hm_cpending pending[HM_CORRELATE_PENDING_MAX];
    size_t pending_count;
    struct hm_key *inner_keys; /* HM_CORRELATE_PENDING_MAX, only with chains */
    struct hm_key key;
    char scratch[HM_CORRELATE_KEY_BYTES];
    uint8_t key_words[HM_CORRELATE_GROUP_BY_MAX * sizeof(uint64_t)];
    struct hm_entry entries[HM_CORRELATE_LIST_MAX];
    struct hm_slice values[HM_CORRELATE_GROUP_BY_MAX];
    uint64_t tokens[HM_CORRELATE_EVIDENCE_MAX];
};
struct hm_verdict {
    bool fires;
    double value;
    size_t from, to; /* entries of the window that satisfied it */
};

/* plan.c */
/* Rules and correlations in one row: correlations follow the rules. */
static inline size_t hm_correlate_slot(const struct hm_correlate_set *set,
                                       const struct hm_correlation_ref *ref)
{
    return ref->is_correlation ? set->rules + ref->rule : ref->rule;
}
int hm_correlate_plan(struct hm_correlator *c,
                      void (*problem)(void *ctx, size_t i, const struct hm_error *err), void *ctx);
static inline bool hm_correlate_temporal(const struct hm_correlation *c)
{
    return c->kind == HM_CORRELATION_TEMPORAL || c->kind == HM_CORRELATION_TEMPORAL_ORDERED;
}
/* No percentile given: the condition is on the share of the event's value, in percent. */
static inline bool hm_correlate_share(const struct hm_correlation *c)
{
    return c->kind == HM_CORRELATION_VALUE_PERCENTILE && !(c->percentile >= 0);
}
/* feed.c: put n entries of one event (same time and token) in the group, then judge. */
struct hm_verdict hm_correlate_feed(struct hm_crun *r, struct hm_cgroup *g,
                                    const struct hm_entry *e, size_t n, uint64_t stamp);
/* judge.c. Entries [at, at + n) are the event's. */
struct hm_verdict hm_correlate_judge(struct hm_crun *r, struct hm_cgroup *g,
                                     const struct hm_entry *e, size_t n);
struct hm_verdict hm_correlate_judge_late(struct hm_crun *r, struct hm_cgroup *g,
                                          const struct hm_entry *e, size_t n);
bool hm_correlate_bounds(const struct hm_correlation *c, double value);
/* steps.c: temporal kinds */
void hm_correlate_step(struct hm_crun *r, struct hm_cgroup *g, const struct hm_entry *e);
void hm_correlate_step_late(struct hm_crun *r, struct hm_cgroup *g, const struct hm_entry *e);
struct hm_verdict hm_correlate_judge_steps(struct hm_crun *r, struct hm_cgroup *g,
                                           const struct hm_entry *e);
struct hm_verdict hm_correlate_judge_steps_late(struct hm_crun *r, struct hm_cgroup *g,
                                                const struct hm_entry *e);
