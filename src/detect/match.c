/* Owns the evaluation of a compiled rule on one event. No allocation, no string compare of names:
 * fields are read by offset. Recursion is bounded by HM_CONDITION_MAX_DEPTH at compile time. */
#include "detect/node.h"

static bool one_pattern(const struct hm_test *t, const struct hm_pattern *p,
                        const struct hm_event *e, struct hm_slice text)
{
    enum hm_type type = hm_fields[t->field].type;
    switch (p->kind) {
    case HM_PATTERN_NULL:
        return !hm_event_has(e, t->field);
    case HM_PATTERN_EMPTY:
        return text.len == 0;
    case HM_PATTERN_CIDR:
        return type == HM_TYPE_IP && hm_event_has(e, t->field) &&
               hm_pattern_match_ip(p, e->v[t->field].bytes);
    default:
        break;
    }
    if (!hm_event_has(e, t->field))
        return false;
    if (type == HM_TYPE_U64 && p->is_number)
        return e->v[t->field].u64 == p->number;
    return hm_pattern_match(p, text);
}

static bool numeric(const struct hm_test *t, const struct hm_event *e)
{
    if (!hm_event_has(e, t->field))
        return false;
    uint64_t v = e->v[t->field].u64;
    switch (t->compare) {
    case HM_COMPARE_LT:
        return v < t->number;
    case HM_COMPARE_LTE:
        return v <= t->number;
    case HM_COMPARE_GT:
        return v > t->number;
    default:
        return v >= t->number;
    }
}

static bool any_bit(const struct hm_test *t, const struct hm_event *e)
{
    return (hm_event_u64(e, t->field) & t->number) != 0;
}

static bool patterns(const struct hm_test *t, const struct hm_event *e)
{
    char buf[64];
    struct hm_slice text = hm_value_text(e, t->field, buf);
    for (size_t i = 0; i < t->count; i++)
        if (one_pattern(t, &t->patterns[i], e, text) != t->all)
            return !t->all;
    return t->all;
}

static bool test(const struct hm_test *t, const struct hm_event *e)
{
    bool hit;
    if (t->compare == HM_COMPARE_EXISTS)
        hit = hm_event_has(e, t->field);
    else if (t->compare != HM_COMPARE_MATCH)
        hit = numeric(t, e);
    else if (t->number) /* a set of bits */
        hit = any_bit(t, e);
    else
        hit = patterns(t, e);
    return hit != t->negate;
}

static bool keyword(const struct hm_pattern *p, const struct hm_event *e)
{
    for (int f = 0; f < HM_FIELD_COUNT; f++)
        if (hm_fields[f].type == HM_TYPE_STR && hm_event_has(e, f) &&
            hm_pattern_match(p, e->v[f].bytes))
            return true;
    return false;
}

static bool keywords(const struct hm_test *t, const struct hm_event *e)
{
    for (size_t i = 0; i < t->count; i++)
        if (keyword(&t->patterns[i], e) != t->all)
            return !t->all;
    return t->all;
}

bool hm_node_match(const struct hm_node *n, const struct hm_event *e)
{
    switch (n->kind) {
    case HM_NODE_TEST:
        return test(&n->test, e);
    case HM_NODE_KEYWORDS:
        return keywords(&n->test, e);
    case HM_NODE_NOT:
        return !hm_node_match(n->kids[0], e);
    case HM_NODE_AND:
    case HM_NODE_OR:
        break;
    }
    bool stop = n->kind == HM_NODE_OR;
    for (size_t i = 0; i < n->count; i++)
        if (hm_node_match(n->kids[i], e) == stop)
            return stop;
    return !stop;
}
