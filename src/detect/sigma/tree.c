/* Owns the way from a search to the syntax tree: values become patterns, names become ids. */
#include "detect/limits.h"
#include "detect/sigma/detection.h"
#include <errno.h>

struct hm_ast *hm_tree_node(struct hm_tree *t, enum hm_ast_kind kind, struct hm_place place,
                            size_t room)
{
    if (++t->nodes > HM_AST_NODES_MAX) {
        hm_fail_at(t->l->err, -E2BIG, place.line, place.column, "more than %d terms in one rule",
                   HM_AST_NODES_MAX);
        return NULL;
    }
    struct hm_ast *n = hm_arena_alloc(t->l->arena, sizeof *n);
    if (!n)
        return NULL;
    *n = (struct hm_ast){.kind = kind, .place = place};
    n->test.field = n->test.other = HM_NAME_NONE;
    n->kids = room ? hm_arena_alloc(t->l->arena, room * sizeof *n->kids) : NULL;
    return room && !n->kids ? NULL : n;
}

static int out_of_room(const struct hm_tree *t)
{
    return t->l->err && t->l->err->code == -E2BIG ? -E2BIG : -ENOMEM;
}

static int new_node(struct hm_tree *t, enum hm_ast_kind kind, struct hm_place place, size_t room,
                    struct hm_ast **ret)
{
    *ret = hm_tree_node(t, kind, place, room);
    return *ret ? 0 : out_of_room(t);
}

static int intern(struct hm_tree *t, const char *name, struct hm_place place, uint32_t *ret)
{
    *ret = hm_names_intern(t->names, hm_slice_str(name));
    return *ret != HM_NAME_NONE ? 0
                                : hm_fail_at(t->l->err, -E2BIG, place.line, place.column,
                                             "more than %d field names", HM_NAMES_MAX);
}

static int new_test(struct hm_tree *t, const struct hm_item *it, struct hm_ast **ret)
{
    int e = new_node(t, HM_AST_TEST, it->place, 0, ret);
    if (e)
        return e;
    (*ret)->test.op = it->op;
    (*ret)->test.part = it->part;
    return it->field ? intern(t, it->field, it->place, &(*ret)->test.field) : 0;
}

static int pattern(struct hm_tree *t, const struct hm_item *it, const struct hm_sigma_value *v,
                   struct hm_pattern *ret)
{
    struct hm_sigma_value value = *v;
    if (hm_text_has_placeholders(v->text))
        return hm_fail_at(t->l->err, -EINVAL, v->place.line, v->place.column,
                          "a placeholder that nobody replaced");
    /* Keywords are looked for anywhere in the event's texts. */
    if (!it->field && v->type != HM_VALUE_REGEX) {
        int e = hm_text_affix(t->l, &value.text, HM_AFFIX_BOTH);
        if (e)
            return e;
        if (v->type == HM_VALUE_NULL)
            return hm_fail_at(t->l->err, -EINVAL, v->place.line, v->place.column,
                              "null needs a field");
    }
    int e = hm_value_pattern(t->l, &value, it->cased, ret);
    if (!e && ret->regex && t->own)
        e = t->own(t->ctx, ret);
    return e;
}

/* One test whose patterns are all alternatives of groups [from, to). */
static int any_of(struct hm_tree *t, const struct hm_item *it, size_t from, size_t to,
                  struct hm_ast **ret)
{
    size_t n = 0;
    for (size_t i = from; i < to; i++)
        n += it->values[i].count;
    int e = new_test(t, it, ret);
    if (e)
        return e;
    struct hm_ast_test *test = &(*ret)->test;
    test->op = HM_AST_ANY_OF;
    test->patterns = hm_arena_alloc(t->l->arena, (n ? n : 1) * sizeof *test->patterns);
    if (!test->patterns)
        return -ENOMEM;
    if (n > HM_PATTERNS_MAX)
        return hm_fail_at(t->l->err, -E2BIG, it->place.line, it->place.column,
                          "more than %d values", HM_PATTERNS_MAX);
    for (size_t i = from; !e && i < to; i++)
        for (size_t k = 0; !e && k < it->values[i].count; k++)
            e = pattern(t, it, &it->values[i].items[k], &test->patterns[test->count++]);
    return e;
}

static int reference(struct hm_tree *t, const struct hm_item *it, const struct hm_sigma_value *v,
                     struct hm_ast_test *test)
{
    const char *name = hm_text_bytes(t->l, v->text);
    test->affix = v->affix;
    test->cased = it->cased;
    return name ? intern(t, name, v->place, &test->other) : -ENOMEM;
}

/* Comparisons and references: a test for each value. */
static int each_value(struct hm_tree *t, const struct hm_item *it, struct hm_ast **ret)
{
    size_t n = 0;
    for (size_t i = 0; i < it->count; i++)
        n += it->values[i].count;
    int e = new_node(t, it->all ? HM_AST_AND : HM_AST_OR, it->place, n, ret);
    for (size_t i = 0; !e && i < it->count; i++) {
        for (size_t k = 0; !e && k < it->values[i].count; k++) {
            struct hm_ast *one = NULL;
            e = new_test(t, it, &one);
            if (e)
                break;
            one->test.number = it->values[i].items[k].number;
            if (it->op == HM_AST_FIELDREF)
                e = reference(t, it, &it->values[i].items[k], &one->test);
            (*ret)->kids[(*ret)->count++] = one;
        }
    }
    if (!e && n == 1)
        *ret = (*ret)->kids[0];
    return e;
}

static int all_of(struct hm_tree *t, const struct hm_item *it, struct hm_ast **ret)
{
    int e = new_node(t, HM_AST_AND, it->place, it->count, ret);
    for (size_t i = 0; !e && i < it->count; i++)
        e = any_of(t, it, i, i + 1, &(*ret)->kids[(*ret)->count++]);
    return e;
}

static int item(struct hm_tree *t, const struct hm_item *it, struct hm_ast **ret)
{
    int e;
    struct hm_ast *n = NULL, *negation;
    if (it->op == HM_AST_EXISTS)
        e = new_test(t, it, &n);
    else if (it->op != HM_AST_ANY_OF)
        e = each_value(t, it, &n);
    else if (it->all)
        e = all_of(t, it, &n);
    else
        e = any_of(t, it, 0, it->count, &n);
    if (!e && it->negate) {
        e = new_node(t, HM_AST_NOT, it->place, 1, &negation);
        if (!e) {
            negation->kids[0] = n;
            negation->count = 1;
            n = negation;
        }
    }
    *ret = n;
    return e;
}

/* Recursion is bounded by the depth of the YAML tree. */
static int detection(struct hm_tree *t, const struct hm_detection *d, struct hm_ast **ret)
{
    if (d->kind == HM_DETECTION_ITEM)
        return item(t, &d->item, ret);
    int e =
        new_node(t, d->kind == HM_DETECTION_AND ? HM_AST_AND : HM_AST_OR, d->place, d->count, ret);
    for (size_t i = 0; !e && i < d->count; i++)
        e = detection(t, d->kids[i], &(*ret)->kids[(*ret)->count++]);
    if (!e && d->count == 1)
        *ret = (*ret)->kids[0];
    return e;
}

int hm_tree_search(struct hm_tree *t, struct hm_search *s, const struct hm_ast **ret)
{
    struct hm_ast *n = NULL;
    if (!s->ast && s->detection) {
        int e = detection(t, s->detection, &n);
        if (e)
            return e;
        n->search = hm_arena_strndup(t->l->arena, s->name, strlen(s->name));
        if (!n->search)
            return -ENOMEM;
        s->ast = n;
    }
    *ret = s->ast;
    return 0;
}
