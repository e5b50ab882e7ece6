/* A correlation as the specification has it (and the deprecated aggregations, which are read as
 * one): parsed here as plain data, run by correlate.c with bounded memory. */
#pragma once
#include "detect/ast.h"

enum hm_correlation_kind {
    HM_CORRELATION_EVENT_COUNT,
    HM_CORRELATION_VALUE_COUNT,
    HM_CORRELATION_TEMPORAL,
    HM_CORRELATION_TEMPORAL_ORDERED,
    HM_CORRELATION_VALUE_SUM,
    HM_CORRELATION_VALUE_AVG,
    HM_CORRELATION_VALUE_PERCENTILE,
};
enum hm_bound_op {
    HM_BOUND_LT,
    HM_BOUND_LTE,
    HM_BOUND_GT,
    HM_BOUND_GTE,
    HM_BOUND_EQ,
    HM_BOUND_NEQ
};
struct hm_bound {
    enum hm_bound_op op;
    double value;
};
#define HM_CORRELATION_BOUNDS_MAX 4 /* all have to hold: "gte: 10" and "lt: 100" */

/* The place of one referenced rule (or correlation: a chain) and how its events name the group. */
struct hm_correlation_ref {
    uint32_t rule; /* index among the rules, or (is_correlation) among the correlations */
    bool is_correlation;
    /* Per group-by entry, the field's id in this rule's events (aliases). A correlation that is
     * referred to has the fields that it groups by itself, under those names. */
    const uint32_t *group;
    const uint32_t *value_fields; /* value_*: ids for this rule's events, value_field_count */
};
struct hm_correlation {
    enum hm_correlation_kind kind;
    uint64_t timespan_ms;
    size_t group_count;
    const char **group_names; /* as the rule wrote them: aliases or fields */
    size_t ref_count;
    struct hm_correlation_ref *refs; /* temporal_ordered: in this order */
    size_t value_field_count;        /* value_*: 1; value_count may count tuples of several */
    /* Always there unless `condition` is: a temporal one without is "gte: number of rules". */
    size_t bound_count;
    struct hm_bound bounds[HM_CORRELATION_BOUNDS_MAX];
    double percentile; /* VALUE_PERCENTILE, 0..100; NAN: none given, shares (correlate.md) */
    bool generate;     /* the referenced rules raise their own hits too */
    /* temporal: the extended condition over rule names ("a and not b"), or NULL: all of them.
     * A TEST node's `field` is an index in refs. */
    const struct hm_ast *condition;
    struct hm_place place;
};
