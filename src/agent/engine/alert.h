/* From a match to a finding/alert event with its evidence. Owns alert ids, the quiet time of a
 * (rule, tree) and the shape of evidence; refuses to know how rules match. */
#pragma once
#include "agent/engine/enrich.h"
#include "agent/engine/sink.h"
#include "detect/ruleset.h"

struct hm_alert_origin { /* bound into the alert's id */
    uint8_t endpoint[16];
    uint64_t epoch, boot;
};
struct hm_alert_counts {
    uint64_t raised, repeated; /* repeated: the same rule and tree within the quiet time */
};
struct hm_alerts;

struct hm_alerts *hm_alerts_new(void); /* NULL: out of memory */
void hm_alerts_free(struct hm_alerts *a);
/* What led to an alert of a correlation; its own windows decide what is a repetition. */
struct hm_alert_before {
    const struct hm_slice *events; /* canonical, oldest first */
    size_t count;
};
/* The rule matched e, which process p did (NULL: nobody knows). Puts the alert in the sink's alert
 * lane unless it would repeat one. before: NULL but for correlations. e is not changed. */
void hm_alerts_raise(struct hm_alerts *a, struct hm_sink *sink,
                     const struct hm_alert_origin *origin, struct hm_table *table,
                     const struct hm_users *users, const struct hm_rule *rule,
                     const struct hm_event *e, struct hm_process *p,
                     const struct hm_alert_before *before);
struct hm_alert_counts hm_alert_counts(const struct hm_alerts *a);
