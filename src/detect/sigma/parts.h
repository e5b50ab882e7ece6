/* What the parts of a collection share. For sigma/ only. */
#pragma once
#include "detect/sigma/document.h"
#include "detect/sigma/pipeline_parts.h"

#define HM_SLOT_NONE UINT32_MAX
struct hm_applied { /* a filter that a rule has to pass */
    struct hm_document *filter;
    bool suppress; /* what it matches is dropped; else what it does not match */
    struct hm_applied *next;
};
struct hm_slot { /* one document on its way */
    struct hm_document doc;
    struct hm_applied *filters;
    size_t tracked_count; /* fields that correlations name, renamed with the rule's own */
    struct hm_tracked *tracked;
    uint32_t out;    /* its index among the rules or correlations; NONE: refused */
    bool busy, done; /* correlations: cycles are found with it */
    bool used, loud; /* referred to by a correlation; by one that generates */
};

struct hm_sigma_collection {
    struct hm_sigma_options options;
    size_t pipeline_count;
    const struct hm_pipeline **pipelines; /* by priority */
    struct hm_arena *arena, *work, *yaml; /* results; documents; one file */
    size_t doc_count, doc_cap;
    struct hm_slot *docs;
    struct hm_map *ids, *names; /* hash of the text → index in docs */
    size_t rule_count, rule_cap;
    struct hm_sigma_entry *rules;
    size_t filter_count;
    size_t correlation_count, correlation_cap;
    struct hm_sigma_correlation *correlations;
    size_t regex_count, regex_cap;
    struct hm_pattern *regexes; /* copies that own the compiled expressions */
};
struct hm_finish {
    struct hm_sigma_collection *c;
    hm_sigma_problem_fn *problem;
    void *ctx;
};

int hm_collection_grow(void **array, size_t *cap, size_t count, size_t size) HM_CHECK;
int hm_collection_own(void *ctx, struct hm_pattern *p) HM_CHECK;
int hm_collection_report(const char *path, int r, struct hm_error *err,
                         hm_sigma_problem_fn *problem, void *ctx) HM_CHECK;
/* By id or name. NULL: not in the collection. */
struct hm_slot *hm_collection_find(struct hm_sigma_collection *c, const char *name);

/* build.c: what a hit tells, copied to where it lives on. */
int hm_build_info(struct hm_arena *a, const struct hm_document *d, struct hm_rule *ret) HM_CHECK;

int hm_finish_filters(struct hm_finish *f) HM_CHECK; /* filter.c */
/* resolve.c: what correlations group by is known to the rules before pipelines run. */
int hm_finish_tracking(struct hm_finish *f) HM_CHECK;
int hm_finish_rules(struct hm_finish *f) HM_CHECK;        /* build.c */
int hm_finish_correlations(struct hm_finish *f) HM_CHECK; /* resolve.c */
