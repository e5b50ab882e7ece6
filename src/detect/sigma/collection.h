/* A set of Sigma documents (rules, correlations, filters) read together: what they refer to is
 * resolved, pipelines and placeholder lists are applied, and each rule is a syntax tree over one
 * table of field names. Text to trees: knows no event, no matcher and no SQL. */
#pragma once
#include "detect/ast.h"
#include "detect/correlation.h"
#include "detect/ruleset.h"

struct hm_pipeline;     /* pipeline.h */
struct hm_placeholders; /* placeholder.h */

struct hm_sigma_source { /* "" = not given */
    const char *product, *category, *service, *definition;
};
struct hm_sigma_entry {             /* one rule */
    struct hm_rule info;            /* a rule without id gets "name:…" or "hash:…" */
    const char *name, *status;      /* "" = not given */
    struct hm_sigma_source source;  /* after pipelines */
    const struct hm_ast *condition; /* several conditions: OR of them (Condition section) */
    size_t field_count;
    const char **fields; /* the rule's "fields": worth showing to an analyst */
    struct hm_place place;
    /* Only a correlation's material: no correlation that refers to it says "generate", so that it
     * raises no hit of its own (correlation specification, Generate). */
    bool silent;
};
struct hm_sigma_correlation {
    struct hm_rule info;
    const char *name, *status;
    struct hm_correlation correlation;
    bool silent;
};

struct hm_sigma_options { /* borrowed until the collection is freed */
    struct hm_names *names;
    const struct hm_pipeline *const *pipelines; /* NULL-terminated, or NULL */
    const struct hm_placeholders *placeholders; /* or NULL: none are known */
};
typedef void hm_sigma_problem_fn(void *ctx, const struct hm_rule_problem *p);

struct hm_sigma_collection;
/* Owns: trees, texts and compiled expressions live until hm_sigma_collection_free. */
int hm_sigma_collection_new(const struct hm_sigma_options *o,
                            struct hm_sigma_collection **ret_c) HM_CHECK;
void hm_sigma_collection_free(struct hm_sigma_collection *c);
/* Read every document of one file's text (which may go away afterwards).
 * Errors: a refused document goes to problem() and the others load; -ENOMEM ends all. */
int hm_sigma_collection_add(struct hm_sigma_collection *c, const char *path, struct hm_slice text,
                            hm_sigma_problem_fn *problem, void *ctx) HM_CHECK;
/* Once, after the last file: filters, correlations (references, cycles), pipelines, placeholders.
 * Refused documents go to problem(); what is counted afterwards is whole. */
int hm_sigma_collection_finish(struct hm_sigma_collection *c, hm_sigma_problem_fn *problem,
                               void *ctx) HM_CHECK;

/* Valid after finish. Rules keep the order in which they were added. A correlation stands after
 * the correlations that it refers to. */
size_t hm_sigma_rule_count(const struct hm_sigma_collection *c);
const struct hm_sigma_entry *hm_sigma_rule_at(const struct hm_sigma_collection *c, size_t i);
size_t hm_sigma_filter_count(const struct hm_sigma_collection *c);
size_t hm_sigma_correlation_count(const struct hm_sigma_collection *c);
const struct hm_sigma_correlation *hm_sigma_correlation_at(const struct hm_sigma_collection *c,
                                                           size_t i);
