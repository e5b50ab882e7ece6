/* The correlation runtime: rule hits with their times in, correlation hits out, in bounded memory.
 * Owns windows, groups and their eviction; knows neither YAML nor where events come from.
 *
 * What the specification leaves open is decided in docs/modules/correlate.md: sliding windows in
 * event time, both edges included; a hit on every event whose window satisfies the condition
 * (`repeated` marks those within one timespan of the first); late events count. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "detect/correlation.h"
#include "detect/view.h"

struct hm_correlate_item {
    const char *id;
    uint64_t version; /* id and version unchanged: state survives a swap of rule sets */
    const struct hm_correlation *correlation;
};
struct hm_correlate_set { /* borrowed: outlives the correlator */
    size_t rules;         /* correlation i is "rule" rules + i for chains */
    size_t count;
    const struct hm_correlate_item *items;
    const struct hm_names *names; /* of the field ids; needed for chains only */
};
struct hm_correlate_options { /* 0: the default of limits.h */
    size_t groups_max, bytes_max;
    uint64_t lateness_ms; /* how far out of order events may come; 0: one timespan */
};
struct hm_correlation_hit {
    size_t correlation; /* index in the set */
    uint64_t time_ms, token;
    double value;  /* count, sum, average, percentile, or number of different rules */
    bool at_least; /* the window was over a limit: the true value may be larger */
    bool repeated; /* this group was told of within the last timespan */
    size_t group_count;
    const char *const *group_names;
    const struct hm_slice *group; /* p == NULL: the event had no such field */
    size_t token_count;           /* events of the window, oldest first, the newest 64 */
    const uint64_t *tokens;
};
typedef void (*hm_correlation_hit_fn)(void *ctx, const struct hm_correlation_hit *hit);

struct hm_correlate_counts { /* of one correlation */
    uint64_t events;         /* took part */
    uint64_t hits, repeated;
    uint64_t late;      /* came too late to count */
    uint64_t jumps;     /* groups begun anew because the clock went back */
    uint64_t evicted;   /* groups forgotten although their window was open: a possible miss */
    uint64_t truncated; /* windows over a limit: values became "at least" */
    uint64_t no_value;  /* events without the (numeric) field to aggregate */
    uint64_t dropped;   /* out of memory or pending limit: not counted at all */
    size_t groups, bytes;
};

struct hm_correlator;
/* A correlation that cannot run is told to problem() (index, reason) and never fires.
 * Owns:    *ret_c is the caller's; hm_correlator_free().
 * Errors:  -ENOMEM. Threads: one at a time per correlator. */
int hm_correlator_new(const struct hm_correlate_set *set, const struct hm_correlate_options *o,
                      void (*problem)(void *ctx, size_t i, const struct hm_error *err), void *ctx,
                      struct hm_correlator **ret_c) HM_CHECK;
void hm_correlator_free(struct hm_correlator *c);
/* One event: all rules it hit at once, its time, and a token that names it in evidence.
 * hit() is called inside, inner correlations of a chain first. */
void hm_correlator_event(struct hm_correlator *c, const struct hm_view *v, const uint32_t *rules,
                         size_t rule_count, uint64_t time_ms, uint64_t token,
                         hm_correlation_hit_fn hit, void *ctx);
/* True when some correlation refers to the rule and does not say `generate`: its own hits are not
 * to be told. */
bool hm_correlator_mutes(const struct hm_correlator *c, uint32_t rule);
/* Does any correlation refer to the rule? */
bool hm_correlator_feeds(const struct hm_correlator *c, uint32_t rule);
void hm_correlator_counts(const struct hm_correlator *c, size_t i,
                          struct hm_correlate_counts *ret_n);
/* Take over the state of every correlation whose id and version are unchanged. Call before the
 * first event; old keeps nothing of what was moved. Returns how many were moved. */
size_t hm_correlator_adopt(struct hm_correlator *c, struct hm_correlator *old);
/* State for a restart. load: -EBADMSG malformed (nothing is kept); correlations that are gone or
 * changed are left out. */
void hm_correlator_save(const struct hm_correlator *c, struct hm_buf *out);
int hm_correlator_load(struct hm_correlator *c, struct hm_slice in) HM_CHECK;
