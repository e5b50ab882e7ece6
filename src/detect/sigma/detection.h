/* A rule's searches between text and syntax tree: fields with their modifiers applied to their
 * values. This is what pipelines, filters and placeholders work on. */
#pragma once
#include "detect/sigma/value.h"

struct hm_values {     /* what one value of the rule became: alternatives */
    size_t count, cap; /* cap: room in items, 0 = they are not ours to grow */
    struct hm_sigma_value *items;
};
struct hm_item { /* one "Field|modifier|modifier: value(s)" */
    struct hm_place place;
    const char *field; /* NULL: keywords */
    enum hm_ast_op op;
    enum hm_ast_part part;
    bool all, negate, cased;
    size_t count;
    struct hm_values *values;
};

enum hm_detection_kind { HM_DETECTION_AND, HM_DETECTION_OR, HM_DETECTION_ITEM };
struct hm_detection {
    enum hm_detection_kind kind;
    struct hm_place place;
    size_t count;
    struct hm_detection **kids;
    struct hm_item item;
};

struct hm_search {
    const char *name;
    struct hm_place place;
    struct hm_detection *detection; /* NULL: pipelines dropped all of it */
    const struct hm_ast *ast;       /* made once, shared by all that name it */
};
struct hm_condition {
    struct hm_place place;
    const char *text;
};
struct hm_added { /* a pipeline's condition: joined to the rule's with AND */
    size_t search;
    bool negated;
};
struct hm_body { /* the detection section */
    size_t search_count;
    struct hm_search *searches;
    size_t condition_count;
    struct hm_condition *conditions;
    size_t added_count;
    struct hm_added *added;
    const char *timeframe; /* deprecated, "" = none */
    size_t placeholder_count;
    const char **placeholders; /* names, by the index in their units */
};

/* The detection section of a rule, or the filter section of a filter. Copies what it keeps.
 * Errors: -EINVAL with place; -E2BIG over limits.h; -ENOMEM. */
int hm_body_read(struct hm_lang *l, const struct hm_yaml *section, struct hm_body *ret_b) HM_CHECK;

/* One search: a map, a list of maps, keywords. */
int hm_detection_read(struct hm_lang *l, struct hm_body *b, const struct hm_yaml *y,
                      struct hm_detection **ret) HM_CHECK;
/* Copy all that pipelines change, so that the original can be used for another rule. */
int hm_body_copy(struct hm_lang *l, const struct hm_body *b, struct hm_body *ret_b) HM_CHECK;

/* modifier.c: one item. body collects the placeholders. */
int hm_item_read(struct hm_lang *l, struct hm_body *body, const struct hm_yaml *key,
                 const struct hm_yaml *value, struct hm_item *ret_i) HM_CHECK;

struct hm_tree { /* syntax trees are made in it */
    struct hm_lang *l;
    struct hm_names *names;
    size_t nodes;
    int (*own)(void *ctx, struct hm_pattern *p); /* takes over what a pattern has on the heap */
    void *ctx;
};
/* tree.c */
struct hm_ast *hm_tree_node(struct hm_tree *t, enum hm_ast_kind kind, struct hm_place place,
                            size_t room);
/* *ret is NULL when pipelines dropped the whole search: terms that name it fall away. */
int hm_tree_search(struct hm_tree *t, struct hm_search *s, const struct hm_ast **ret) HM_CHECK;
/* expression.c: one condition over the body's searches. *ret: NULL when all of it fell away. */
int hm_tree_condition(struct hm_tree *t, struct hm_body *b, const struct hm_condition *c,
                      const struct hm_ast **ret) HM_CHECK;
/* A boolean expression over other names (correlations): leaf() makes the node of one name. */
int hm_tree_expression(struct hm_tree *t, const struct hm_condition *c,
                       int (*leaf)(void *ctx, struct hm_slice name, struct hm_place place,
                                   const struct hm_ast **ret),
                       void *ctx, const struct hm_ast **ret) HM_CHECK;
/* Do the name and a pattern of "1 of x*" (or "them") go together? */
bool hm_search_selected(struct hm_slice pattern, const char *name);

/* --- placeholder.c --- */
struct hm_placeholders;
/* Replace every placeholder in the body's values by what the lists say: alternatives.
 * Errors: -EINVAL with place and the placeholder's name when no list has it; -E2BIG; -ENOMEM. */
int hm_body_expand(struct hm_lang *l, struct hm_body *b, const struct hm_placeholders *p) HM_CHECK;
/* In one item, those that wanted() wants and the lists know; the others are left. */
int hm_item_expand(struct hm_lang *l, const struct hm_body *b, struct hm_item *it,
                   const struct hm_placeholders *p, bool (*wanted)(void *ctx, const char *name),
                   void *ctx) HM_CHECK;
