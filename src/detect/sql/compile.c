/* Owns the walk over the tree and the bound parameters. */
#include "detect/sql/parts.h"
#include "detect/limits.h"
#include <errno.h>

void hm_sql_put(struct hm_sql_build *b, const char *text)
{
    hm_buf_puts(&b->out->text, text);
}

int hm_sql_refuse(struct hm_sql_build *b, const char *why)
{
    return hm_fail_at(b->err, -ENOTSUP, b->place.line, b->place.column, "SQL: %s", why);
}

static void parameter(struct hm_sql_build *b, const struct hm_sql_parameter *p)
{
    struct hm_sql *s = b->out;
    if (s->count == s->cap) {
        size_t bigger = s->cap ? s->cap * 2 : 16;
        struct hm_sql_parameter *more = hm_arena_alloc(s->arena, bigger * sizeof *more);
        if (!more) {
            s->text.error = s->text.error ? s->text.error : -ENOMEM;
            return;
        }
        if (s->count)
            memcpy(more, s->parameters, s->count * sizeof *more);
        s->parameters = more;
        s->cap = bigger;
    }
    s->parameters[s->count++] = *p;
    hm_buf_printf(&s->text, "$%zu", s->count);
}

static bool is_utf8(struct hm_slice s)
{
    for (size_t i = 0; i < s.len;) {
        uint8_t c = s.p[i];
        size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 4;
        if (c == 0 || (c >= 0x80 && c < 0xc2) || c > 0xf4 || i + n > s.len)
            return false;
        for (size_t k = 1; k < n; k++)
            if ((s.p[i + k] & 0xc0) != 0x80)
                return false;
        i += n;
    }
    return true;
}

static struct hm_slice keep(struct hm_sql_build *b, struct hm_slice s)
{
    const char *copy = hm_arena_strndup(b->out->arena, s.len ? (const void *)s.p : "", s.len);
    if (!copy)
        b->out->text.error = -ENOMEM;
    return hm_slice(copy, copy ? s.len : 0);
}

int hm_sql_text(struct hm_sql_build *b, struct hm_slice text)
{
    if (!is_utf8(text))
        return hm_sql_refuse(b, "bytes that are not text cannot be compared with a text column");
    parameter(b, &(struct hm_sql_parameter){.type = HM_SQL_TEXT, .bytes = keep(b, text)});
    return 0;
}

int hm_sql_blob(struct hm_sql_build *b, struct hm_slice bytes)
{
    parameter(b, &(struct hm_sql_parameter){.type = HM_SQL_BLOB, .bytes = keep(b, bytes)});
    return 0;
}

void hm_sql_integer(struct hm_sql_build *b, int64_t v)
{
    parameter(b, &(struct hm_sql_parameter){.type = HM_SQL_INTEGER, .integer = v});
}

void hm_sql_real(struct hm_sql_build *b, double v)
{
    parameter(b, &(struct hm_sql_parameter){.type = HM_SQL_REAL, .real = v});
}

/* lower() folds what the matcher does not (the Kelvin sign, for one), but is right and 40 times as
 * fast where all bytes are ASCII. */
void hm_sql_folded(struct hm_sql_build *b, const char *x, bool cased)
{
    if (cased || b->folded)
        hm_sql_put(b, x);
    else
        hm_buf_printf(&b->out->text,
                      "CASE WHEN strlen(%s) = length(%s) THEN lower(%s) ELSE translate(%s, "
                      "'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') END",
                      x, x, x, x);
}

/* The field's value; for a field that such events do not have all expressions are NULL. */
static int value_of(struct hm_sql_build *b, uint32_t field, struct hm_sql_value *ret)
{
    const char *name = hm_names_text(b->names, field);
    *ret = (struct hm_sql_value){0};
    if (field == HM_NAME_NONE) {
        ret->list = b->schema->keywords(b->schema->ctx, b->out->arena);
        return ret->list ? 0 : -ENOMEM;
    }
    if (name && b->schema->field(b->schema->ctx, name, b->out->arena, ret))
        return 0;
    *ret = (struct hm_sql_value){0};
    return b->schema->strict
               ? hm_fail_at(b->err, -ENOTSUP, b->place.line, b->place.column,
                            "SQL: there is no column for the field %.100s", name ? name : "?")
               : 0;
}

static bool known(const struct hm_sql_value *v)
{
    return v->text || v->list;
}

/* begin … end around a condition over x: for a list, any item may meet it. */
static const char *begin(struct hm_sql_build *b, const struct hm_sql_value *v)
{
    if (!v->list) {
        hm_sql_put(b, "COALESCE(");
        return v->text;
    }
    hm_buf_printf(&b->out->text, "COALESCE(list_bool_or(list_transform(%s, lambda x: COALESCE(",
                  v->list);
    return "x";
}

static void end(struct hm_sql_build *b, const struct hm_sql_value *v)
{
    hm_sql_put(b, v->list || b->folded ? ", FALSE))), FALSE)" : ", FALSE)");
    b->folded = false;
}

/* Several values that are all compared without case: the text is folded once, as x of a lambda.
 * (DuckDB shares no common expression across OR.) */
static bool fold_once(const struct hm_ast_test *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct hm_pattern *p = &t->patterns[i];
        if (p->cased || p->kind == HM_PATTERN_REGEX || p->kind == HM_PATTERN_CIDR)
            return false;
        n += p->kind != HM_PATTERN_NULL;
    }
    return n > 2;
}

static const char *begin_folded(struct hm_sql_build *b, const struct hm_sql_value *v)
{
    hm_sql_put(b, "COALESCE(list_bool_or(list_transform(");
    if (v->list)
        hm_buf_printf(&b->out->text, "list_transform(%s, lambda x: ", v->list);
    hm_sql_put(b, v->list ? "" : "[");
    hm_sql_folded(b, v->list ? "x" : v->text, false);
    hm_sql_put(b, v->list ? ")" : "]");
    hm_sql_put(b, ", lambda x: COALESCE(");
    b->folded = true;
    return "x";
}

static void is_null(struct hm_sql_build *b, const struct hm_sql_value *v)
{
    if (v->list)
        hm_buf_printf(&b->out->text,
                      "(%s IS NULL OR list_bool_or(list_transform(%s, lambda x: x IS NULL)))",
                      v->list, v->list);
    else if (v->text)
        hm_buf_printf(&b->out->text, "(%s IS NULL)", v->text);
    else
        hm_sql_put(b, "TRUE");
}

static int patterns(struct hm_sql_build *b, const struct hm_ast_test *t,
                    const struct hm_sql_value *v)
{
    size_t n = 0;
    const char *x = fold_once(t) ? begin_folded(b, v) : begin(b, v);
    int e = 0;
    for (size_t i = 0; !e && i < t->count; i++) {
        if (t->patterns[i].kind == HM_PATTERN_NULL)
            continue;
        hm_sql_put(b, n++ ? " OR " : "");
        e = hm_sql_pattern(b, &t->patterns[i], x, v);
    }
    hm_sql_put(b, n ? "" : "FALSE");
    end(b, v);
    return e;
}

static int any_of(struct hm_sql_build *b, const struct hm_ast_test *t)
{
    struct hm_sql_value v;
    bool null = false, other = false;
    int e = value_of(b, t->field, &v);
    if (e)
        return e;
    for (size_t i = 0; i < t->count; i++) {
        null = null || t->patterns[i].kind == HM_PATTERN_NULL;
        other = other || t->patterns[i].kind != HM_PATTERN_NULL;
    }
    hm_sql_put(b, "(");
    if (null)
        is_null(b, &v);
    if (null && other)
        hm_sql_put(b, " OR ");
    if (!known(&v))
        hm_sql_put(b, other ? "FALSE" : null ? "" : "FALSE");
    else if (t->part != HM_PART_NONE)
        e = hm_sql_compare(b, t, NULL, &v);
    else if (other)
        e = patterns(b, t, &v);
    hm_sql_put(b, ")");
    return e;
}

static int reference(struct hm_sql_build *b, const struct hm_ast_test *t)
{
    static const char *const calls[] = {"", "starts_with", "ends_with", "contains"};
    struct hm_sql_value v, o;
    int e = value_of(b, t->field, &v);
    if (!e)
        e = value_of(b, t->other, &o);
    if (e)
        return e;
    if (!known(&v) || !known(&o)) {
        hm_sql_put(b, "FALSE");
        return 0;
    }
    if (v.list || o.list)
        return hm_sql_refuse(b, "a field of several values cannot be compared with another field");
    hm_buf_printf(&b->out->text, "COALESCE(%s(", calls[t->affix]);
    hm_sql_folded(b, v.text, t->cased);
    hm_sql_put(b, t->affix == HM_AFFIX_NONE ? " = " : ", ");
    hm_sql_folded(b, o.text, t->cased);
    hm_sql_put(b, "), FALSE)");
    return 0;
}

static int compares(struct hm_sql_build *b, const struct hm_ast_test *t)
{
    struct hm_sql_value v;
    int e = value_of(b, t->field, &v);
    if (e)
        return e;
    if (!known(&v)) {
        hm_sql_put(b, "FALSE");
        return 0;
    }
    if (t->part != HM_PART_NONE)
        return hm_sql_compare(b, t, NULL, &v);
    const char *x = begin(b, &v);
    e = hm_sql_compare(b, t, x, &v);
    end(b, &v);
    return e;
}

static int test(struct hm_sql_build *b, const struct hm_ast_test *t)
{
    if (t->op == HM_AST_ANY_OF)
        return any_of(b, t);
    if (t->op == HM_AST_FIELDREF)
        return reference(b, t);
    if (t->op != HM_AST_EXISTS)
        return compares(b, t);
    struct hm_sql_value v;
    int e = value_of(b, t->field, &v);
    if (e)
        return e;
    if (v.present)
        hm_buf_printf(&b->out->text, "COALESCE(%s, FALSE)", v.present);
    else if (known(&v))
        hm_buf_printf(&b->out->text, "(%s IS NOT NULL)", v.list ? v.list : v.text);
    else
        hm_sql_put(b, "FALSE");
    return 0;
}

/* Depth is bounded by the parser. */
static int node(struct hm_sql_build *b, const struct hm_ast *a)
{
    if (b->out->text.error)
        return b->out->text.error;
    b->place = a->place;
    if (a->kind == HM_AST_TEST)
        return test(b, &a->test);
    hm_sql_put(b, a->kind == HM_AST_NOT ? "(NOT " : "(");
    int e = 0;
    for (size_t i = 0; !e && i < a->count; i++) {
        if (i)
            hm_sql_put(b, a->kind == HM_AST_AND ? " AND " : " OR ");
        e = node(b, a->kids[i]);
    }
    if (a->count == 0)
        hm_sql_put(b, a->kind == HM_AST_AND ? "TRUE" : "FALSE");
    hm_sql_put(b, ")");
    return e;
}

int hm_sql_compile(const struct hm_ast *a, const struct hm_names *n,
                   const struct hm_sql_schema *schema, struct hm_sql *ret_s, struct hm_error *err)
{
    struct hm_sql s = {.arena = hm_arena_new(HM_SQL_MAX_BYTES * 4),
                       .text = HM_BUF(HM_SQL_MAX_BYTES)};
    if (!s.arena)
        return -ENOMEM;
    struct hm_sql_build b = {.out = &s, .names = n, .schema = schema, .err = err};
    int e = node(&b, a);
    hm_buf_put_u8(&s.text, 0);
    if (!e)
        e = s.text.error;
    if (e == -E2BIG)
        hm_fail_at(err, e, a->place.line, a->place.column, "SQL: longer than %d bytes",
                   HM_SQL_MAX_BYTES);
    if (e)
        hm_sql_done(&s);
    else
        *ret_s = s;
    return e;
}

void hm_sql_done(struct hm_sql *s)
{
    hm_buf_done(&s->text);
    hm_arena_free(s->arena);
    *s = (struct hm_sql){0};
}
