/* Owns field names, modifiers and values. Refuses what this engine cannot do, with its place:
 * a rule that matched only partly would be worse than one that does not load. */
#include "detect/sigma/search.h"
#include "detect/limits.h"
#include <errno.h>
#include <stdio.h>

struct item { /* one "Field|modifier|modifier: value(s)" */
    const struct hm_yaml *key;
    struct hm_slice field;
    enum hm_compare compare;
    enum hm_affix affix;
    bool cased, all, re, cidr, exists, windash, neq;
    char re_flags[4];
};

enum effect {
    E_AFFIX,
    E_COMPARE,
    E_CASED,
    E_ALL,
    E_RE,
    E_RE_FLAG,
    E_CIDR,
    E_EXISTS,
    E_WINDASH,
    E_NEQ
};
static const struct {
    const char *name;
    enum effect effect;
    int value;
} modifiers[] = {
    {"contains", E_AFFIX, HM_AFFIX_BOTH},
    {"startswith", E_AFFIX, HM_AFFIX_PREFIX},
    {"endswith", E_AFFIX, HM_AFFIX_SUFFIX},
    {"all", E_ALL, 0},
    {"cased", E_CASED, 0},
    {"re", E_RE, 0},
    {"i", E_RE_FLAG, 'i'},
    {"m", E_RE_FLAG, 'm'},
    {"s", E_RE_FLAG, 's'},
    {"cidr", E_CIDR, 0},
    {"exists", E_EXISTS, 0},
    {"windash", E_WINDASH, 0},
    {"neq", E_NEQ, 0},
    {"lt", E_COMPARE, HM_COMPARE_LT},
    {"lte", E_COMPARE, HM_COMPARE_LTE},
    {"gt", E_COMPARE, HM_COMPARE_GT},
    {"gte", E_COMPARE, HM_COMPARE_GTE},
};

struct hm_node *hm_sigma_node(struct hm_sigma *s, enum hm_node_kind kind, size_t n)
{
    struct hm_node *node = hm_arena_alloc(s->arena, sizeof *node);
    if (!node)
        return NULL;
    node->kind = kind;
    node->kids = n ? hm_arena_alloc(s->arena, n * sizeof *node->kids) : NULL;
    return n && !node->kids ? NULL : node;
}

static void apply(struct item *it, enum effect effect, int value)
{
    size_t n = strlen(it->re_flags);
    switch (effect) {
    case E_AFFIX:
        it->affix = (enum hm_affix)value;
        break;
    case E_COMPARE:
        it->compare = (enum hm_compare)value;
        break;
    case E_CASED:
        it->cased = true;
        break;
    case E_ALL:
        it->all = true;
        break;
    case E_RE:
        it->re = true;
        break;
    case E_CIDR:
        it->cidr = true;
        break;
    case E_EXISTS:
        it->exists = true;
        break;
    case E_WINDASH:
        it->windash = true;
        break;
    case E_NEQ:
        it->neq = true;
        break;
    case E_RE_FLAG:
        if (n + 1 < sizeof it->re_flags)
            it->re_flags[n] = (char)value;
        break;
    }
}

static int fail(struct hm_sigma *s, const struct hm_yaml *at, const char *what,
                struct hm_slice name)
{
    return hm_fail_at(s->err, -EINVAL, at->line, at->column, "%s: \"%.*s\"", what,
                      (int)(name.len > 80 ? 80 : name.len), (const char *)name.p);
}

static int parse_key(struct hm_sigma *s, const struct hm_yaml *key, struct item *ret)
{
    *ret = (struct item){.key = key};
    const char *bar = strchr(key->text, '|');
    ret->field = hm_slice(key->text, bar ? (size_t)(bar - key->text) : key->text_len);
    while (bar) {
        const char *name = bar + 1;
        bar = strchr(name, '|');
        struct hm_slice m = hm_slice(name, bar ? (size_t)(bar - name) : strlen(name));
        size_t i = 0;
        while (i < HM_ARRAY_LEN(modifiers) && !hm_slice_eq(m, hm_slice_str(modifiers[i].name)))
            i++;
        if (i == HM_ARRAY_LEN(modifiers))
            return fail(s, key, "modifier not supported by this version", m);
        apply(ret, modifiers[i].effect, modifiers[i].value);
    }
    return 0;
}

static int find_field(struct hm_sigma *s, const struct item *it, enum hm_field *ret)
{
    int f = hm_field_by_sigma(it->field);
    if (f < 0)
        f = hm_field_by_name(it->field);
    if (f < 0)
        return fail(s, it->key, "no such field", it->field);
    *ret = (enum hm_field)f;
    return 0;
}

static int compile_pattern(struct hm_sigma *s, const struct item *it, const struct hm_yaml *v,
                           struct hm_pattern *ret)
{
    struct hm_slice text = hm_slice(v->text, v->text_len);
    if (v->kind != HM_YAML_SCALAR)
        return fail(s, v, "a value has to be text or a number here, field", it->field);
    if (hm_yaml_is_null(v)) {
        *ret = (struct hm_pattern){.kind = HM_PATTERN_NULL};
        return 0;
    }
    if (it->re) {
        int r = hm_pattern_regex(text, it->re_flags, s->arena, ret, s->err);
        if (r == -EINVAL && s->err) {
            s->err->line = v->line;
            s->err->column = v->column;
        }
        return r ? r : s->own_regex(s->ctx, ret);
    }
    if (it->cidr)
        return hm_pattern_cidr(text, ret) ? fail(s, v, "not an address range", text) : 0;
    return hm_pattern_string(text, it->affix, it->cased, s->arena, ret);
}

/* -x also as /x and the dashes that word processors make of it. */
static int windash(struct hm_sigma *s, const struct item *it, const struct hm_yaml *v,
                   struct hm_pattern *out, size_t *n)
{
    static const char *const dashes[] = {"-", "/", "\u2013", "\u2014", "\u2015"};
    const char *dash = v->kind == HM_YAML_SCALAR ? strpbrk(v->text, "-/") : NULL;
    if (!it->windash || !dash || (dash != v->text && dash[-1] != ' '))
        return compile_pattern(s, it, v, &out[(*n)++]);
    for (size_t i = 0; i < HM_ARRAY_LEN(dashes); i++) {
        size_t room = v->text_len + 4;
        char *text = hm_arena_alloc(s->arena, room);
        if (!text)
            return -ENOMEM;
        struct hm_yaml variant = *v;
        variant.text = text;
        variant.text_len = (size_t)snprintf(text, room, "%.*s%s%s", (int)(dash - v->text), v->text,
                                            dashes[i], dash + 1);
        int r = compile_pattern(s, it, &variant, &out[(*n)++]);
        if (r)
            return r;
    }
    return 0;
}

static int compile_patterns(struct hm_sigma *s, const struct item *it, const struct hm_yaml *v,
                            struct hm_test *t)
{
    size_t n = v->kind == HM_YAML_LIST ? v->count : 1;
    t->patterns =
        hm_arena_alloc(s->arena, (n ? n : 1) * (it->windash ? 5 : 1) * sizeof *t->patterns);
    if (!t->patterns)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        int r = windash(s, it, v->kind == HM_YAML_LIST ? v->items[i] : v, t->patterns, &t->count);
        if (r)
            return r;
    }
    return 0;
}

/* Words of enumerations ("socket", "memfd"): numbers for matching, a mask for bit sets. */
static int words_to_numbers(struct hm_sigma *s, const struct hm_yaml *v, struct hm_test *t)
{
    for (size_t i = 0; i < t->count; i++) {
        struct hm_pattern *p = &t->patterns[i];
        bool bits = false;
        int64_t word = p->kind == HM_PATTERN_EXACT ? hm_value_word(t->field, p->text, &bits) : -1;
        if (word < 0)
            continue;
        p->is_number = true;
        p->number = (uint64_t)word;
        if (bits)
            t->number |= (uint64_t)word;
    }
    if (t->number && t->all && t->count > 1)
        return hm_fail_at(s->err, -EINVAL, v->line, v->column,
                          "all is not supported for this field");
    return 0;
}

static int number_of(struct hm_sigma *s, const struct item *it, const struct hm_yaml *v,
                     struct hm_test *t)
{
    struct hm_pattern p;
    if (v->kind != HM_YAML_SCALAR)
        return fail(s, v, "one number is needed, field", it->field);
    int r = hm_pattern_string(hm_slice(v->text, v->text_len), HM_AFFIX_NONE, true, s->arena, &p);
    if (r)
        return r;
    if (!p.is_number || hm_fields[t->field].type != HM_TYPE_U64)
        return fail(s, v, "not a number, or not a field of numbers",
                    hm_slice(v->text, v->text_len));
    t->number = p.number;
    return 0;
}

static int compile_item(struct hm_sigma *s, const struct hm_yaml *key, const struct hm_yaml *v,
                        struct hm_node **ret)
{
    struct item it;
    int r = parse_key(s, key, &it);
    struct hm_node *n =
        r ? NULL : hm_sigma_node(s, it.field.len ? HM_NODE_TEST : HM_NODE_KEYWORDS, 0);
    if (!n)
        return r ? r : -ENOMEM;
    struct hm_test *t = &n->test;
    if (it.field.len && (r = find_field(s, &it, &t->field)))
        return r;
    if (!it.field.len && it.affix == HM_AFFIX_NONE && !it.re)
        it.affix = HM_AFFIX_BOTH; /* keywords are looked for anywhere */
    t->all = it.all;
    t->negate = it.neq;
    t->compare = it.compare;
    if (it.exists) {
        t->compare = HM_COMPARE_EXISTS;
        bool no = v->kind == HM_YAML_SCALAR &&
                  (strcmp(v->text, "false") == 0 || strcmp(v->text, "no") == 0);
        t->negate = no;
    } else if (it.compare != HM_COMPARE_MATCH) {
        r = number_of(s, &it, v, t);
    } else {
        r = compile_patterns(s, &it, v, t);
        if (!r && it.field.len && hm_fields[t->field].type == HM_TYPE_U64)
            r = words_to_numbers(s, v, t);
    }
    *ret = n;
    return r;
}

static int compile_map(struct hm_sigma *s, const struct hm_yaml *m, struct hm_node **ret)
{
    struct hm_node *and = hm_sigma_node(s, HM_NODE_AND, m->count);
    if (!and)
        return -ENOMEM;
    if (m->count == 0)
        return fail(s, m, "empty search", hm_slice_str(""));
    for (size_t i = 0; i < m->count; i++) {
        int r = compile_item(s, m->keys[i], m->items[i], &and->kids[ and->count]);
        if (r)
            return r;
        and->count++;
    }
    *ret = and;
    return 0;
}

static int compile_keywords(struct hm_sigma *s, const struct hm_yaml *v, struct hm_node **ret)
{
    static const struct hm_yaml no_field = {.kind = HM_YAML_SCALAR, .text = ""};
    struct hm_yaml key = no_field;
    key.line = v->line;
    key.column = v->column;
    return compile_item(s, &key, v, ret);
}

int hm_sigma_search(struct hm_sigma *s, const struct hm_yaml *search, struct hm_node **ret_n)
{
    if (search->kind == HM_YAML_MAP)
        return compile_map(s, search, ret_n);
    bool maps =
        search->kind == HM_YAML_LIST && search->count && search->items[0]->kind == HM_YAML_MAP;
    if (!maps)
        return compile_keywords(s, search, ret_n);
    struct hm_node * or = hm_sigma_node(s, HM_NODE_OR, search->count);
    if (! or)
        return -ENOMEM;
    for (size_t i = 0; i < search->count; i++) {
        if (search->items[i]->kind != HM_YAML_MAP)
            return fail(s, search->items[i], "maps and keywords mixed in one list",
                        hm_slice_str(""));
        int r = compile_map(s, search->items[i], & or->kids[or->count]);
        if (r)
            return r;
        or->count++;
    }
    *ret_n = or ;
    return 0;
}
