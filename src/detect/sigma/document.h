/* One YAML document as read, before anything it refers to is known: a rule, a correlation or a
 * filter. Owns its texts (in the arena it was read into). */
#pragma once
#include "detect/sigma/collection.h"
#include "detect/sigma/detection.h"

enum hm_document_kind { HM_DOCUMENT_RULE, HM_DOCUMENT_CORRELATION, HM_DOCUMENT_FILTER };

struct hm_reference { /* a rule's id or name, as somebody wrote it */
    const char *name;
    struct hm_place place;
};
struct hm_alias {
    const char *alias;
    struct hm_reference rule;
    const char *field;
};
struct hm_correlation_text {
    enum hm_correlation_kind kind;
    uint64_t timespan_ms;
    size_t rule_count, group_count, alias_count, value_field_count, bound_count;
    struct hm_reference *rules;
    const char **group_names, **value_fields;
    struct hm_alias *aliases;
    struct hm_bound bounds[HM_CORRELATION_BOUNDS_MAX];
    double percentile;
    bool generate, extended;
    struct hm_condition condition; /* extended */
};
struct hm_filter_text {
    bool any; /* every rule of the log source */
    size_t rule_count;
    struct hm_reference *rules;
};

struct hm_document {
    enum hm_document_kind kind;
    struct hm_place place;
    struct hm_rule info;
    const char *name, *status;
    struct hm_sigma_source source;
    size_t field_count;
    const char **fields;
    struct hm_body body;             /* RULE, FILTER */
    struct hm_correlation_text corr; /* CORRELATION */
    struct hm_filter_text filter;    /* FILTER */
    const char *owner; /* RULE made of an aggregation: it exists only for this correlation's id */
};

/* Errors: -EINVAL, -E2BIG with place; -ENOMEM. */
int hm_document_read(struct hm_lang *l, const struct hm_yaml *y, const char *path, uint64_t version,
                     struct hm_document *ret_d) HM_CHECK;
/* correlation.c: the correlation section of a document. */
int hm_correlation_read(struct hm_lang *l, const struct hm_yaml *doc,
                        struct hm_correlation_text *ret_c) HM_CHECK;
/* "90m" → milliseconds. */
int hm_timespan_read(struct hm_lang *l, const char *text, struct hm_place place,
                     uint64_t *ret_ms) HM_CHECK;
/* A list of texts (or one text). */
int hm_references_read(struct hm_lang *l, const struct hm_yaml *y, struct hm_reference **ret,
                       size_t *ret_count) HM_CHECK;
/* aggregation.c: a rule whose condition goes on behind a '|' is a correlation over rules without
 * it. ret[0..*ret_count) are documents for the collection; a rule without '|' is left alone (0).
 * Source: the deprecated aggregation expressions of Sigma 1.0. */
#define HM_AGGREGATION_DOCUMENTS 12
int hm_aggregation_split(struct hm_lang *l, const struct hm_document *d,
                         struct hm_document ret[HM_AGGREGATION_DOCUMENTS],
                         size_t *ret_count) HM_CHECK;
