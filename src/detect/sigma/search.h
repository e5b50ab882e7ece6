/* One named search of a rule's detection (a map, a list of maps, or keywords) → a node. */
#pragma once
#include "detect/node.h"
#include "detect/sigma/yaml.h"

struct hm_sigma {           /* what the parts of the compiler share while one rule is compiled */
    struct hm_arena *arena; /* of the rule set: compiled things live here */
    struct hm_error *err;
    int (*own_regex)(void *ctx, struct hm_pattern *p); /* the rule set frees it later */
    void *ctx;
};
int hm_sigma_search(struct hm_sigma *s, const struct hm_yaml *search,
                    struct hm_node **ret_n) HM_CHECK;
/* The condition's text over the searches of `detection`. */
int hm_sigma_condition(struct hm_sigma *s, const struct hm_yaml *detection,
                       struct hm_node **ret_n) HM_CHECK;
/* A node with room for n kids. NULL: out of memory. */
struct hm_node *hm_sigma_node(struct hm_sigma *s, enum hm_node_kind kind, size_t n);
