/* Owns what a tree means in tests: patterns to entries, negation pushed to the leaves, expressions
 * guarded by the literals they need. Knows nothing of how tests are found in an event. */
#include "detect/limits.h"
#include "detect/match/limits.h"
#include "detect/match/build.h"
#include <errno.h>

struct lowering {
    struct hm_build *b;
    unsigned depth;
};

static struct hm_form *new_form(struct hm_build *b, enum hm_form_kind kind, size_t room)
{
    struct hm_form *f = hm_arena_alloc(b->arena, sizeof *f);
    if (!f)
        return NULL;
    f->kind = kind;
    f->kids = room ? hm_arena_alloc(b->arena, room * sizeof *f->kids) : NULL;
    return room && !f->kids ? NULL : f;
}

static struct hm_form *test_form(struct hm_build *b, uint32_t test, bool negated)
{
    struct hm_form *f = new_form(b, HM_FORM_TEST, 0);
    if (f) {
        f->test = test;
        f->negated = negated;
    }
    return f;
}

/* Add a child to an AND or OR; constants melt away. */
static void attach(struct hm_form *f, struct hm_form *kid)
{
    enum hm_form_kind neutral = f->kind == HM_FORM_AND ? HM_FORM_TRUE : HM_FORM_FALSE;
    enum hm_form_kind strong = f->kind == HM_FORM_AND ? HM_FORM_FALSE : HM_FORM_TRUE;
    bool open = f->kind == HM_FORM_AND || f->kind == HM_FORM_OR;
    if (!open || kid->kind == neutral)
        return;
    if (kid->kind == strong) {
        f->kind = strong;
        f->count = 0;
        return;
    }
    f->kids[f->count++] = kid;
}

static struct hm_form *settle(struct hm_form *f)
{
    if (f->kind != HM_FORM_AND && f->kind != HM_FORM_OR)
        return f;
    if (f->count == 0)
        f->kind = f->kind == HM_FORM_AND ? HM_FORM_TRUE : HM_FORM_FALSE;
    return f->count == 1 ? f->kids[0] : f;
}

static enum hm_prog_entry_kind entry_kind(enum hm_pattern_kind k)
{
    static const enum hm_prog_entry_kind of[] = {
        [HM_PATTERN_EXACT] = HM_ENTRY_EXACT,   [HM_PATTERN_PREFIX] = HM_ENTRY_PREFIX,
        [HM_PATTERN_SUFFIX] = HM_ENTRY_SUFFIX, [HM_PATTERN_CONTAINS] = HM_ENTRY_CONTAINS,
        [HM_PATTERN_GLOB] = HM_ENTRY_GLOB,     [HM_PATTERN_EMPTY] = HM_ENTRY_EMPTY,
        [HM_PATTERN_CIDR] = HM_ENTRY_CIDR,
    };
    return of[k];
}

/* A pattern that is a number in another spelling ("007") equals the number, not the text. */
static int number_entry(struct hm_build *b, uint32_t field, const struct hm_pattern *p,
                        struct hm_ids *ids)
{
    if (!p->is_number || p->kind != HM_PATTERN_EXACT || p->text.len < 2 || p->text.p[0] != '0')
        return 0;
    size_t skip = 0;
    while (skip + 1 < p->text.len && p->text.p[skip] == '0')
        skip++;
    struct hm_build_entry e = {.field = field,
                               .kind = HM_ENTRY_EXACT,
                               .number_only = true,
                               .text = hm_slice(p->text.p + skip, p->text.len - skip)};
    uint32_t id;
    int r = hm_build_entry(b, &e, &id);
    return r ? r : hm_ids_add(ids, id);
}

static int pattern_entry(struct hm_build *b, uint32_t field, const struct hm_pattern *p,
                         struct hm_ids *ids)
{
    struct hm_build_entry e = {.field = field,
                               .kind = entry_kind(p->kind),
                               .cased = p->cased,
                               .prefix = p->prefix,
                               .text = p->text};
    if (p->kind == HM_PATTERN_CIDR) {
        e.text = hm_slice(p->ip, p->ip_len);
        e.cased = false;
    }
    if (p->kind == HM_PATTERN_EMPTY || p->text.len == 0)
        e.cased = false;
    uint32_t id;
    int r = hm_build_entry(b, &e, &id);
    if (!r)
        r = hm_ids_add(ids, id);
    return r ? r : number_entry(b, field, p, ids);
}

static int guard_of(struct hm_build *b, uint32_t field, const struct hm_pattern *p,
                    uint32_t *ret_guard)
{
    struct hm_literals l = {0};
    uint32_t ids[HM_ARRAY_LEN(l.items)];
    int r = hm_regex_literals(p->text, p->re_i, b->arena, &l);
    *ret_guard = HM_NO_INDEX;
    if (r || l.count == 0)
        return r;
    for (size_t i = 0; i < l.count; i++) {
        struct hm_build_entry e = {.field = field, .kind = HM_ENTRY_CONTAINS, .text = l.items[i]};
        if ((r = hm_build_entry(b, &e, &ids[i])))
            return r;
    }
    return hm_build_test(b, field, ids, l.count, ret_guard);
}

static int lazy_form(struct hm_build *b, uint32_t field, const struct hm_build_lazy *l, bool negate,
                     struct hm_form **ret_f)
{
    uint32_t test, trigger = l->lazy.guard;
    int r = hm_build_lazy(b, field, l, &test);
    if (!r && trigger == HM_NO_INDEX)
        r = hm_build_exists(b, field, &trigger);
    if (r)
        return r;
    b->tests[test].trigger = trigger;
    *ret_f = test_form(b, test, negate);
    return *ret_f ? 0 : -ENOMEM;
}

static int regex_form(struct hm_build *b, uint32_t field, const struct hm_pattern *p, bool negate,
                      struct hm_form **ret_f)
{
    struct hm_build_lazy l = {.text = p->text};
    int r = guard_of(b, field, p, &l.lazy.guard);
    if (r)
        return r;
    l.lazy.name = b->fields[field].name;
    l.lazy.op = HM_LAZY_REGEX;
    l.lazy.re_i = p->re_i;
    l.lazy.re_m = p->re_m;
    l.lazy.re_s = p->re_s;
    return lazy_form(b, field, &l, negate, ret_f);
}

static int null_form(struct hm_build *b, uint32_t field, bool negate, struct hm_form **ret_f)
{
    uint32_t test;
    int r = hm_build_not_null(b, field, &test);
    if (r)
        return r;
    *ret_f = test_form(b, test, !negate);
    return *ret_f ? 0 : -ENOMEM;
}

/* "is, as a number, this": what a time's part is compared with. */
static int equal_form(struct hm_build *b, uint32_t field, const struct hm_ast_test *t,
                      const struct hm_pattern *p, bool negate, struct hm_form **ret_f)
{
    struct hm_build_lazy l = {0};
    l.lazy.name = b->fields[field].name;
    l.lazy.guard = HM_NO_INDEX;
    l.lazy.op = HM_LAZY_EQ;
    l.lazy.part = (uint8_t)t->part;
    l.lazy.i = (int64_t)p->number;
    return lazy_form(b, field, &l, negate, ret_f);
}

static int one_pattern(struct hm_build *b, uint32_t field, const struct hm_ast_test *t,
                       const struct hm_pattern *p, bool negate, struct hm_ids *ids,
                       struct hm_form * or)
{
    struct hm_form *f = NULL;
    int r = 0;
    if (t->part != HM_PART_NONE)
        r = p->is_number && p->number <= INT64_MAX ? equal_form(b, field, t, p, negate, &f) : 0;
    else if (p->kind == HM_PATTERN_REGEX)
        r = regex_form(b, field, p, negate, &f);
    else if (p->kind == HM_PATTERN_NULL)
        r = t->field == HM_NAME_NONE ? 0 : null_form(b, field, negate, &f);
    else
        r = pattern_entry(b, field, p, ids);
    if (!r && f)
        attach(or, f);
    return r;
}

static int any_of(struct hm_build *b, uint32_t field, const struct hm_ast_test *t, bool negate,
                  struct hm_form **ret_f)
{
    struct hm_form *f = new_form(b, negate ? HM_FORM_AND : HM_FORM_OR, t->count + 1);
    struct hm_ids ids = {0};
    int r = f ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < t->count; i++)
        r = one_pattern(b, field, t, &t->patterns[i], negate, &ids, f);
    uint32_t test;
    if (!r && ids.count && !(r = hm_build_test(b, field, ids.ids, ids.count, &test))) {
        struct hm_form *leaf = test_form(b, test, negate);
        if (leaf)
            attach(f, leaf);
        r = leaf ? 0 : -ENOMEM;
    }
    free(ids.ids);
    if (!r)
        *ret_f = settle(f);
    return r;
}

static int compare(struct hm_build *b, uint32_t field, const struct hm_ast_test *t, bool negate,
                   struct hm_form **ret_f)
{
    struct hm_build_lazy l = {0};
    l.lazy.name = b->fields[field].name;
    l.lazy.guard = HM_NO_INDEX;
    l.lazy.op = (uint8_t)(t->op - HM_AST_LT + HM_LAZY_LT);
    l.lazy.part = (uint8_t)t->part;
    l.lazy.real = t->number.real;
    l.lazy.i = t->number.real ? 0 : t->number.i;
    l.lazy.d = t->number.real ? t->number.d : 0;
    return lazy_form(b, field, &l, negate, ret_f);
}

static int fieldref(struct hm_build *b, uint32_t field, const struct hm_ast_test *t, bool negate,
                    struct hm_form **ret_f)
{
    struct hm_build_lazy l = {0};
    l.lazy.name = b->fields[field].name;
    l.lazy.other = t->other;
    l.lazy.guard = HM_NO_INDEX;
    l.lazy.op = HM_LAZY_FIELDREF;
    l.lazy.affix = (uint8_t)t->affix;
    l.lazy.cased = t->cased;
    return lazy_form(b, field, &l, negate, ret_f);
}

static int leaf(struct hm_build *b, const struct hm_ast *a, bool negate, struct hm_form **ret_f)
{
    const struct hm_ast_test *t = &a->test;
    uint32_t field, test;
    bool keywords = t->field == HM_NAME_NONE;
    if ((!keywords && t->field >= hm_names_count(b->names)) ||
        (keywords && (t->op != HM_AST_ANY_OF || t->part != HM_PART_NONE)) ||
        (t->op == HM_AST_FIELDREF && t->other >= hm_names_count(b->names)))
        return hm_fail_at(b->err, -EINVAL, a->place.line, a->place.column,
                          "a test without the field it needs");
    int r = hm_build_field(b, keywords ? HM_NO_INDEX : t->field, &field);
    if (r)
        return r;
    switch (t->op) {
    case HM_AST_ANY_OF:
        return any_of(b, field, t, negate, ret_f);
    case HM_AST_FIELDREF:
        return fieldref(b, field, t, negate, ret_f);
    case HM_AST_EXISTS:
        r = hm_build_exists(b, field, &test);
        *ret_f = r ? NULL : test_form(b, test, negate);
        return r ? r : *ret_f ? 0 : -ENOMEM;
    default:
        return compare(b, field, t, negate, ret_f);
    }
}

static int lower(struct lowering *l, const struct hm_ast *a, bool negate, struct hm_form **ret_f)
{
    if (a->kind == HM_AST_TEST)
        return leaf(l->b, a, negate, ret_f);
    if (l->depth >= HM_TREE_MAX_DEPTH)
        return hm_fail_at(l->b->err, -E2BIG, a->place.line, a->place.column,
                          "condition nested deeper than %d", HM_TREE_MAX_DEPTH);
    l->depth++;
    int r = 0;
    if (a->kind == HM_AST_NOT) {
        r = lower(l, a->kids[0], !negate, ret_f);
    } else {
        bool and = (a->kind == HM_AST_AND) != negate;
        struct hm_form *f = new_form(l->b, and? HM_FORM_AND : HM_FORM_OR, a->count), *kid = NULL;
        r = f ? 0 : -ENOMEM;
        for (size_t i = 0; !r && i < a->count; i++)
            if (!(r = lower(l, a->kids[i], negate, &kid)))
                attach(f, kid);
        if (!r)
            *ret_f = settle(f);
    }
    l->depth--;
    return r;
}

int hm_build_lower(struct hm_build *b, const struct hm_ast *a, struct hm_form **ret_f)
{
    struct lowering l = {.b = b};
    return lower(&l, a, false, ret_f);
}
