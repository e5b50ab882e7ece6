/* Inside of struct hm_pipeline, shared by the pipeline_*.c files only. */
#pragma once
#include "detect/sigma/document.h"
#include "detect/sigma/pipeline.h"
#include "detect/sigma/placeholder.h"

struct hm_rx; /* pipeline_regex.c: an expression over plain text */
int hm_rx_new(const struct hm_yaml *y, struct hm_rx **ret_x, struct hm_error *err) HM_CHECK;
void hm_rx_free(struct hm_rx *x);
/* from: has to match at the beginning (Python's match), else anywhere. */
bool hm_rx_match(const struct hm_rx *x, const char *text, bool from);
/* Every match replaced; "\1" in the replacement is a group. The result is in the arena. */
int hm_rx_replace(const struct hm_rx *x, const char *text, const char *with, struct hm_arena *a,
                  const char **ret) HM_CHECK;

enum hm_step_kind {
    HM_STEP_FIELD_MAPPING,
    HM_STEP_FIELD_PREFIX_MAPPING,
    HM_STEP_FIELD_PREFIX,
    HM_STEP_FIELD_SUFFIX,
    HM_STEP_DROP_ITEM,
    HM_STEP_ADD_CONDITION,
    HM_STEP_CHANGE_LOGSOURCE,
    HM_STEP_REPLACE_STRING,
    HM_STEP_MAP_STRING,
    HM_STEP_SET_VALUE,
    HM_STEP_CASE,
    HM_STEP_VALUE_PLACEHOLDERS,
    HM_STEP_WILDCARD_PLACEHOLDERS,
    HM_STEP_SET_STATE,
    HM_STEP_SET_ATTRIBUTE,
    HM_STEP_ADD_FIELD,
    HM_STEP_REMOVE_FIELD,
    HM_STEP_RULE_FAILURE,
    HM_STEP_ITEM_FAILURE,
};
enum hm_test_kind { /* conditions of a step */
                    HM_TEST_LOGSOURCE,
                    HM_TEST_CONTAINS_ITEM,
                    HM_TEST_CONTAINS_FIELD,
                    HM_TEST_IS_RULE,
                    HM_TEST_IS_CORRELATION,
                    HM_TEST_ATTRIBUTE,
                    HM_TEST_TAG,
                    HM_TEST_STATE,
                    HM_TEST_APPLIED,
                    HM_TEST_MATCH_STRING,
                    HM_TEST_MATCH_VALUE,
                    HM_TEST_WILDCARD,
                    HM_TEST_NULL,
                    HM_TEST_INCLUDE_FIELDS,
                    HM_TEST_EXCLUDE_FIELDS,
};
struct hm_test_step {
    enum hm_test_kind kind;
    const struct hm_yaml *y;
    size_t rx_count;
    struct hm_rx **rx;
};
struct hm_tests {
    bool any, negate;
    size_t count;
    struct hm_test_step *items;
};
struct hm_step {
    enum hm_step_kind kind;
    const char *id; /* "" = none */
    const struct hm_yaml *y;
    struct hm_place place;
    struct hm_tests rule, item, field;
    struct hm_rx *rx; /* replace_string */
};
struct hm_pipeline {
    struct hm_arena *arena; /* the YAML tree lives here too */
    const char *name;
    int64_t priority;
    struct hm_placeholders *vars;
    size_t count;
    struct hm_step *steps;
    size_t source_count;
    struct hm_source *sources;
};

/* --- one rule on its way through the pipelines --- */
struct hm_tracked {     /* a field name outside the searches that mappings apply to as well */
    const char *name;   /* as the correlation wrote it */
    const char *mapped; /* as it is called now */
};
struct hm_state {
    const char *key, *value;
};
struct hm_run {
    struct hm_lang *l;
    struct hm_document *d;
    const struct hm_pipeline *p;
    size_t tracked_count;
    struct hm_tracked *tracked;
    size_t state_count;
    struct hm_state *states;
    size_t applied_count;
    const char **applied; /* ids of steps that did something */
};
/* Errors: -EINVAL when the pipeline refuses the rule (rule_failure …); -ENOMEM. */
int hm_run_pipeline(struct hm_run *r, const struct hm_pipeline *p) HM_CHECK;
int hm_run_state(struct hm_run *r, const char *key, const char *value) HM_CHECK;

/* pipeline_tests.c */
int hm_tests_parse(struct hm_arena *a, const struct hm_yaml *step, const char *what,
                   struct hm_tests *ret_t, struct hm_error *err) HM_CHECK;
void hm_tests_done(struct hm_tests *t);
bool hm_tests_rule(const struct hm_run *r, const struct hm_tests *t);
bool hm_tests_item(const struct hm_run *r, const struct hm_tests *t, const struct hm_item *it);
bool hm_tests_field(const struct hm_run *r, const struct hm_tests *t, const char *field);

/* pipeline_fields.c: one item's field renamed; *d may become an OR of several. */
int hm_step_rename(struct hm_run *r, const struct hm_step *s, struct hm_detection **d) HM_CHECK;
int hm_step_rename_text(struct hm_run *r, const struct hm_step *s, const char *name,
                        const char **ret) HM_CHECK;
/* pipeline_values.c: one item's values changed. */
int hm_step_values(struct hm_run *r, const struct hm_step *s, struct hm_item *it) HM_CHECK;
/* Text with its wildcards as '*' and '?'; escaped: so that parsing it again gives the same. */
const char *hm_text_string(struct hm_arena *a, struct hm_text t, bool escaped);

/* sources.c */
int hm_sources_parse(struct hm_pipeline *p, const struct hm_yaml *list,
                     struct hm_error *err) HM_CHECK;
