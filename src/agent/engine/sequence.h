/* Rule hits over time on this endpoint: the engine's correlator (detect/correlate), and the events
 * that fed it lately, kept so that an alert can show them. Refuses to know how alerts look. */
#pragma once
#include "base/error.h"
#include "detect/ruleset.h"

struct hm_sequence;
struct hm_sequence_hit {
    const struct hm_rule *rule;    /* of the correlation */
    const struct hm_slice *events; /* what led to it, oldest first, canonical; not the last one */
    size_t event_count;
};
struct hm_sequence_counts {
    uint64_t hits, repeated, late, evicted, truncated;
};

/* rules outlives it, or is swapped. NULL: out of memory. */
struct hm_sequence *hm_sequence_new(const struct hm_ruleset *rules);
void hm_sequence_free(struct hm_sequence *s);
/* Another rule set: what did not change goes on where it was. Errors: -ENOMEM, the old one stays.
 */
int hm_sequence_swap(struct hm_sequence *s, const struct hm_ruleset *rules) HM_CHECK;
/* The event hit these rules. Calls hit() for each correlation that now has something new to tell:
 * not for material of others, nor again within a timespan for the same group. */
void hm_sequence_event(struct hm_sequence *s, const struct hm_event *e, const uint32_t *rules,
                       size_t count, void (*hit)(void *ctx, const struct hm_sequence_hit *h),
                       void *ctx);
struct hm_sequence_counts hm_sequence_counts(const struct hm_sequence *s);
