/* Owns the modifiers: which there are, what each does to a value, and which do not go together.
 * They apply in the order in which the rule names them (Value Modifiers section). */
#include "detect/limits.h"
#include "detect/sigma/detection.h"
#include <errno.h>

enum modifier {
    M_AFFIX,
    M_ALL,
    M_NEQ,
    M_CASED,
    M_EXISTS,
    M_COMPARE,
    M_RE,
    M_RE_FLAG,
    M_CIDR,
    M_FIELDREF,
    M_EXPAND,
    M_BASE64,
    M_BASE64_OFFSET,
    M_UTF16_LE,
    M_UTF16_BE,
    M_UTF16,
    M_WINDASH,
    M_PART,
};
static const struct row {
    const char *name;
    enum modifier modifier;
    int arg, min, max;
} rows[] = {
    {"contains", M_AFFIX, HM_AFFIX_BOTH, 0, 0},
    {"startswith", M_AFFIX, HM_AFFIX_PREFIX, 0, 0},
    {"endswith", M_AFFIX, HM_AFFIX_SUFFIX, 0, 0},
    {"all", M_ALL, 0, 0, 0},
    {"neq", M_NEQ, 0, 0, 0},
    {"cased", M_CASED, 0, 0, 0},
    {"exists", M_EXISTS, 0, 0, 0},
    {"lt", M_COMPARE, HM_AST_LT, 0, 0},
    {"lte", M_COMPARE, HM_AST_LTE, 0, 0},
    {"gt", M_COMPARE, HM_AST_GT, 0, 0},
    {"gte", M_COMPARE, HM_AST_GTE, 0, 0},
    {"re", M_RE, 0, 0, 0},
    {"i", M_RE_FLAG, 'i', 0, 0},
    {"m", M_RE_FLAG, 'm', 0, 0},
    {"s", M_RE_FLAG, 's', 0, 0},
    {"cidr", M_CIDR, 0, 0, 0},
    {"fieldref", M_FIELDREF, 0, 0, 0},
    {"expand", M_EXPAND, 0, 0, 0},
    {"base64", M_BASE64, 0, 0, 0},
    {"base64offset", M_BASE64_OFFSET, 0, 0, 0},
    {"utf16le", M_UTF16_LE, 0, 0, 0},
    {"wide", M_UTF16_LE, 0, 0, 0},
    {"utf16be", M_UTF16_BE, 0, 0, 0},
    {"utf16", M_UTF16, 0, 0, 0},
    {"windash", M_WINDASH, 0, 0, 0},
    {"minute", M_PART, HM_PART_MINUTE, 0, 59},
    {"hour", M_PART, HM_PART_HOUR, 0, 23},
    {"day", M_PART, HM_PART_DAY, 1, 31},
    {"week", M_PART, HM_PART_WEEK, 1, 53}, /* ISO 8601 has years of 53 weeks */
    {"month", M_PART, HM_PART_MONTH, 1, 12},
    {"year", M_PART, HM_PART_YEAR, 0, 9999},
};

struct chain { /* the modifiers of one key */
    const struct hm_yaml *key;
    const struct row *rows[HM_MODIFIERS_MAX];
    size_t count;
    bool raw; /* values are expressions or ranges: no wildcards in them */
};
struct reader {
    struct hm_lang *l;
    struct hm_body *body;
    const struct chain *chain;
    struct hm_item *item;
};

static int bad_key(struct hm_lang *l, const struct hm_yaml *key, const char *what,
                   struct hm_slice name)
{
    return hm_fail_at(l->err, -EINVAL, key->line, key->column, "\"%.80s\": %s \"%.*s\"", key->text,
                      what, (int)(name.len > 40 ? 40 : name.len), (const char *)name.p);
}

static bool has(const struct chain *c, enum modifier m)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->rows[i]->modifier == m)
            return true;
    return false;
}

/* Modifiers that say how the values are linked and stand anywhere. */
static bool is_linking(enum modifier m)
{
    return m == M_ALL || m == M_NEQ || m == M_EXPAND;
}

static bool is_type(enum modifier m)
{
    return m == M_RE || m == M_CIDR || m == M_EXISTS;
}

/* Combinations that have no meaning whatever the values are. */
static const char *illegal(const struct chain *c, size_t i, bool keyword)
{
    enum modifier m = c->rows[i]->modifier;
    bool plain = true; /* nothing has changed the value yet */
    for (size_t k = 0; k < i; k++) {
        plain = plain && is_linking(c->rows[k]->modifier);
        if (c->rows[k] == c->rows[i])
            return "is there twice: modifier";
    }
    if (is_type(m) && !plain)
        return "has to come before what changes the value: modifier";
    if (m == M_RE_FLAG && !has(c, M_RE))
        return "needs \"re\" before it: modifier";
    if (m == M_RE_FLAG) {
        for (size_t k = 0; k < i; k++)
            if (c->rows[k]->modifier == M_RE)
                return NULL;
        return "needs \"re\" before it: modifier";
    }
    if (keyword &&
        (m == M_EXISTS || m == M_COMPARE || m == M_FIELDREF || m == M_CIDR || m == M_PART))
        return "needs a field: modifier";
    if (has(c, M_EXISTS) && m != M_EXISTS && m != M_NEQ)
        return "does not go with \"exists\": modifier";
    if (has(c, M_CIDR) && m != M_CIDR && !is_linking(m))
        return "does not go with \"cidr\": modifier";
    if (has(c, M_RE) && m != M_RE && m != M_AFFIX && m != M_RE_FLAG && !is_linking(m))
        return "does not go with \"re\": modifier";
    if (has(c, M_FIELDREF) && m != M_FIELDREF && m != M_AFFIX && m != M_CASED && !is_linking(m))
        return "does not go with \"fieldref\": modifier";
    if ((has(c, M_COMPARE) || has(c, M_PART)) && m != M_COMPARE && m != M_PART && !is_linking(m))
        return "does not go with a comparison of numbers: modifier";
    if ((m == M_COMPARE || m == M_PART) && !is_linking(m))
        for (size_t k = 0; k < i; k++)
            if (c->rows[k]->modifier == m)
                return "only one of its kind is possible: modifier";
    if (m == M_PART && has(c, M_COMPARE) && !plain)
        return "has to come before the comparison: modifier";
    return NULL;
}

static int read_chain(struct hm_lang *l, const struct hm_yaml *key, struct chain *ret)
{
    *ret = (struct chain){.key = key};
    bool keyword = key->text[0] == 0 || key->text[0] == '|';
    for (const char *bar = strchr(key->text, '|'); bar;) {
        const char *name = bar + 1;
        bar = strchr(name, '|');
        struct hm_slice m = hm_slice(name, bar ? (size_t)(bar - name) : strlen(name));
        size_t i = 0;
        while (i < HM_ARRAY_LEN(rows) && !hm_slice_eq(m, hm_slice_str(rows[i].name)))
            i++;
        if (i == HM_ARRAY_LEN(rows))
            return bad_key(l, key, "no such modifier as", m);
        if (ret->count == HM_MODIFIERS_MAX)
            return bad_key(l, key, "too many modifiers:", m);
        ret->rows[ret->count++] = &rows[i];
    }
    for (size_t i = 0; i < ret->count; i++) {
        const char *why = illegal(ret, i, keyword);
        if (why)
            return bad_key(l, key, why, hm_slice_str(ret->rows[i]->name));
    }
    ret->raw = has(ret, M_RE) || has(ret, M_CIDR);
    return 0;
}

static int bad_value(const struct reader *r, const struct hm_sigma_value *v, const struct row *row,
                     const char *what)
{
    return hm_fail_at(r->l->err, -EINVAL, v->place.line, v->place.column,
                      "modifier \"%s\" of \"%.60s\" %s", row->name, r->chain->key->text, what);
}

/* An encoder's words get the place of the value. */
static int at_place(const struct reader *r, const struct hm_sigma_value *v, int e)
{
    if (e && e != -ENOMEM && r->l->err) {
        r->l->err->line = v->place.line;
        r->l->err->column = v->place.column;
    }
    return e;
}

static int placeholder(struct reader *r, struct hm_slice name, uint16_t *ret)
{
    struct hm_body *b = r->body;
    size_t i = 0;
    while (i < b->placeholder_count && !hm_slice_eq(hm_slice_str(b->placeholders[i]), name))
        i++;
    if (i == b->placeholder_count) {
        if (i == HM_PLACEHOLDERS_MAX)
            return hm_fail_at(r->l->err, -E2BIG, r->chain->key->line, r->chain->key->column,
                              "more than %d placeholders in one rule", HM_PLACEHOLDERS_MAX);
        const char **more = hm_arena_alloc(r->l->arena, (i + 1) * sizeof *more);
        if (!more)
            return -ENOMEM;
        if (i)
            memcpy(more, b->placeholders, i * sizeof *more);
        b->placeholders = more;
        b->placeholders[i] = hm_arena_strndup(r->l->arena, name.p, name.len);
        if (!b->placeholders[i])
            return -ENOMEM;
        b->placeholder_count++;
    }
    *ret = (uint16_t)(HM_UNIT_PLACEHOLDER + i);
    return 0;
}

static size_t name_end(struct hm_text t, size_t i)
{
    size_t end = i + 1;
    while (end < t.n && HM_UNIT_IS_BYTE(t.u[end]) && t.u[end] != '%' && t.u[end] != '\\')
        end++;
    return end < t.n && t.u[end] == '%' && end > i + 1 ? end : 0;
}

/* "%name%" becomes a placeholder; "\%" is a plain percent sign (Placeholders section). */
static int expand(struct reader *r, struct hm_sigma_value *v)
{
    struct hm_text t = v->text, out = {0, hm_arena_alloc(r->l->arena, (t.n + 1) * sizeof *t.u)};
    if (!out.u)
        return -ENOMEM;
    for (size_t i = 0; i < t.n; i++) {
        size_t end = t.u[i] == '%' ? name_end(t, i) : 0;
        if (t.u[i] == '\\' && i + 1 < t.n && t.u[i + 1] == '%') {
            out.u[out.n++] = HM_UNIT_ESCAPED | '%';
            i++;
        } else if (end) {
            char name[256];
            size_t n = end - i - 1 < sizeof name ? end - i - 1 : sizeof name - 1;
            for (size_t k = 0; k < n; k++)
                name[k] = (char)(t.u[i + 1 + k] & 0xff);
            int e = placeholder(r, hm_slice(name, n), &out.u[out.n]);
            if (e)
                return e;
            out.n++;
            i = end;
        } else {
            out.u[out.n++] = t.u[i];
        }
    }
    v->text = out;
    return 0;
}

static bool is_string(const struct hm_sigma_value *v)
{
    return v->type == HM_VALUE_STRING;
}

static int affix(struct reader *r, const struct row *row, struct hm_sigma_value *v)
{
    if (v->type == HM_VALUE_REGEX || v->type == HM_VALUE_FIELD) {
        v->affix |= (enum hm_affix)row->arg;
        return 0;
    }
    if (v->type == HM_VALUE_NULL)
        return bad_value(r, v, row, "cannot be applied to null");
    v->type = HM_VALUE_STRING; /* generic: "can be applied on all types of fields" */
    return hm_text_affix(r->l, &v->text, (enum hm_affix)row->arg);
}

static int number(struct reader *r, const struct row *row, struct hm_sigma_value *v)
{
    if (v->type != HM_VALUE_NUMBER)
        return bad_value(r, v, row, "needs a number (without quotes)");
    if (row->modifier == M_COMPARE) {
        r->item->op = (enum hm_ast_op)row->arg;
        return 0;
    }
    r->item->part = (enum hm_ast_part)row->arg;
    if (v->number.real || v->number.i < row->min || v->number.i > row->max)
        return bad_value(r, v, row, "is given a number that no date has");
    return 0;
}

static int reference(struct reader *r, const struct row *row, struct hm_sigma_value *v)
{
    if (!is_string(v) || hm_text_has_wildcards(v->text) || v->text.n == 0)
        return bad_value(r, v, row, "needs the name of a field, without wildcards");
    v->type = HM_VALUE_FIELD;
    r->item->op = HM_AST_FIELDREF;
    return 0;
}

/* Modifiers that turn one value into one value. */
static int apply_one(struct reader *r, const struct row *row, struct hm_sigma_value *v)
{
    bool string = is_string(v);
    switch (row->modifier) {
    case M_AFFIX:
        return affix(r, row, v);
    case M_CASED:
        return v->type == HM_VALUE_NULL ? bad_value(r, v, row, "cannot be applied to null") : 0;
    case M_COMPARE:
    case M_PART:
        return number(r, row, v);
    case M_FIELDREF:
        return reference(r, row, v);
    case M_RE:
        if (v->type == HM_VALUE_NULL)
            return bad_value(r, v, row, "needs an expression");
        v->type = HM_VALUE_REGEX;
        return 0;
    case M_RE_FLAG:
        *(row->arg == 'i' ? &v->re_i : row->arg == 'm' ? &v->re_m : &v->re_s) = true;
        return 0;
    case M_CIDR:
        if (!string)
            return bad_value(r, v, row, "needs an address range");
        v->type = HM_VALUE_CIDR;
        return 0;
    case M_EXPAND:
        if (!string && v->type != HM_VALUE_REGEX)
            return bad_value(r, v, row, "needs text");
        return expand(r, v);
    case M_BASE64:
        return string ? at_place(r, v, hm_text_base64(r->l, &v->text))
                      : bad_value(r, v, row, "needs text");
    case M_UTF16_LE:
    case M_UTF16_BE:
    case M_UTF16:
        return string ? at_place(r, v,
                                 hm_text_utf16(r->l, &v->text, row->modifier == M_UTF16_BE,
                                               row->modifier == M_UTF16))
                      : bad_value(r, v, row, "needs text");
    default: /* of the whole item, or one to many */
        return 0;
    }
}

/* Room for count more; it doubles inside the arena. */
static int more_values(struct reader *r, struct hm_values *vs, size_t count)
{
    if (vs->count + count <= vs->cap)
        return 0;
    size_t bigger = (vs->count + count) * 2;
    struct hm_sigma_value *items = hm_arena_alloc(r->l->arena, bigger * sizeof *items);
    if (!items)
        return -ENOMEM;
    if (vs->count)
        memcpy(items, vs->items, vs->count * sizeof *items);
    vs->items = items;
    vs->cap = bigger;
    return 0;
}

/* base64offset and windash: one value becomes several alternatives. */
static int apply_many(struct reader *r, const struct row *row, struct hm_values *vs)
{
    struct hm_values out = {0};
    for (size_t i = 0; i < vs->count; i++) {
        struct hm_text three[3], *texts = three;
        size_t count = HM_ARRAY_LEN(three);
        struct hm_sigma_value *v = &vs->items[i];
        if (!is_string(v))
            return bad_value(r, v, row, "needs text");
        int e = row->modifier == M_WINDASH ? hm_text_windash(r->l, v->text, &texts, &count)
                                           : hm_text_base64_offsets(r->l, v->text, three);
        if (e)
            return at_place(r, v, e);
        if (out.count + count > HM_ALTERNATIVES_MAX)
            return at_place(
                r, v,
                hm_fail(r->l->err, -E2BIG, "one value becomes more than %d", HM_ALTERNATIVES_MAX));
        if (more_values(r, &out, count))
            return -ENOMEM;
        for (size_t k = 0; k < count; k++) {
            out.items[out.count] = *v;
            out.items[out.count++].text = texts[k];
        }
    }
    *vs = out;
    return 0;
}

static int read_value(struct reader *r, const struct hm_yaml *y, struct hm_values *ret)
{
    const struct chain *c = r->chain;
    struct hm_values vs = {.count = 1, .items = hm_arena_alloc(r->l->arena, sizeof *vs.items)};
    int e = vs.items ? hm_value_read(r->l, y, c->raw, &vs.items[0]) : -ENOMEM;
    for (size_t i = 0; !e && i < c->count; i++) {
        const struct row *row = c->rows[i];
        if (row->modifier == M_BASE64_OFFSET || row->modifier == M_WINDASH)
            e = apply_many(r, row, &vs);
        else
            for (size_t k = 0; !e && k < vs.count; k++)
                e = apply_one(r, row, &vs.items[k]);
    }
    if (!e)
        *ret = vs;
    return e;
}

static int read_exists(struct hm_lang *l, const struct hm_yaml *y, struct hm_item *it)
{
    struct hm_sigma_value v;
    int e = hm_value_read(l, y, false, &v);
    if (e)
        return e;
    if (v.type != HM_VALUE_BOOL)
        return hm_fail_at(l->err, -EINVAL, y->line, y->column,
                          "\"exists\" needs true or false (without quotes)");
    it->op = HM_AST_EXISTS;
    it->negate = it->negate != !v.truth;
    return 0;
}

/* "null … shares no type with any other value", and all needs something to link. */
static int check_list(struct hm_lang *l, const struct hm_yaml *y, const struct chain *c)
{
    bool list = y->kind == HM_YAML_LIST;
    if (list && y->count == 0)
        return bad_key(l, c->key, "has an empty list, and", hm_slice_str("nothing matches it"));
    if (has(c, M_ALL) && (!list || y->count == 1))
        return bad_key(l, c->key, "needs two or more values: modifier", hm_slice_str("all"));
    for (size_t i = 0; list && y->count > 1 && i < y->count; i++)
        if (hm_yaml_is_null(y->items[i]))
            return hm_fail_at(l->err, -EINVAL, y->items[i]->line, y->items[i]->column,
                              "null cannot be part of a list of values");
    return 0;
}

int hm_item_read(struct hm_lang *l, struct hm_body *body, const struct hm_yaml *key,
                 const struct hm_yaml *value, struct hm_item *ret_i)
{
    struct chain c;
    struct hm_item it = {.place = {key->line, key->column}};
    int e = read_chain(l, key, &c);
    if (!e)
        e = check_list(l, value, &c);
    if (e)
        return e;
    size_t field_len = strcspn(key->text, "|");
    if (field_len && !(it.field = hm_arena_strndup(l->arena, key->text, field_len)))
        return -ENOMEM;
    it.all = has(&c, M_ALL);
    it.negate = has(&c, M_NEQ);
    it.cased = has(&c, M_CASED);
    bool list = value->kind == HM_YAML_LIST;
    if (has(&c, M_EXISTS)) {
        e = read_exists(l, list && value->count == 1 ? value->items[0] : value, &it);
        if (!e)
            *ret_i = it;
        return e;
    }
    size_t n = list ? value->count : 1;
    it.values = hm_arena_alloc(l->arena, n * sizeof *it.values);
    if (!it.values)
        return -ENOMEM;
    struct reader r = {l, body, &c, &it};
    for (; !e && it.count < n; it.count++)
        e = read_value(&r, list ? value->items[it.count] : value, &it.values[it.count]);
    if (!e)
        *ret_i = it;
    return e;
}
