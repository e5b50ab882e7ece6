/* The compiled form of a rule: a tree of tests over field offsets. Immutable, in the rule set's
 * arena. Made by sigma/, read by match.c; whatever rule language comes next compiles to this too.
 */
#pragma once
#include "detect/pattern.h"
#include "event/event.h"

enum hm_compare {
    HM_COMPARE_MATCH,
    HM_COMPARE_LT,
    HM_COMPARE_LTE,
    HM_COMPARE_GT,
    HM_COMPARE_GTE,
    HM_COMPARE_EXISTS
};

struct hm_test { /* field <compare> any (or all) of the patterns */
    enum hm_field field;
    enum hm_compare compare;
    bool all;
    bool negate;     /* neq; exists: false */
    uint64_t number; /* LT .. GTE */
    size_t count;
    struct hm_pattern *patterns;
};

enum hm_node_kind { HM_NODE_AND, HM_NODE_OR, HM_NODE_NOT, HM_NODE_TEST, HM_NODE_KEYWORDS };
struct hm_node {
    enum hm_node_kind kind;
    size_t count; /* AND, OR: n; NOT: 1 */
    struct hm_node **kids;
    struct hm_test test; /* TEST; KEYWORDS uses its patterns on every text field */
};

/* --- match.c --- */
bool hm_node_match(const struct hm_node *n, const struct hm_event *e);
/* --- values.c: how a field reads as text --- */
/* Text of a field for comparison; small forms are written to buf (at least 64 bytes). */
struct hm_slice hm_value_text(const struct hm_event *e, enum hm_field f, char *buf);
/* Fields that hold an enumeration: number of a word such as "socket", or -1. For bit sets
 * (*ret_bits) the number is the bit's mask. */
int64_t hm_value_word(enum hm_field f, struct hm_slice word, bool *ret_bits);
