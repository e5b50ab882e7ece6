/* See walk.h. */
#include "detect/walk.h"
#include "detect/instant.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* --- values ---------------------------------------------------------------------------------- */
static bool there(const struct hm_datum *d)
{
    return d->kind != HM_DATUM_ABSENT && d->kind != HM_DATUM_NULL;
}

/* A number, or a text that is one. */
static bool number_of(const struct hm_datum *d, struct hm_ast_number *ret_n)
{
    char text[64], *end;
    if (d->kind == HM_DATUM_NUMBER && !d->real) {
        *ret_n = (struct hm_ast_number){.i = d->number};
        return true;
    }
    if (!there(d) || d->text.len == 0 || d->text.len >= sizeof text)
        return false;
    size_t first = d->text.len > 1 && d->text.p[0] == '-';
    if (!isdigit(d->text.p[first]) || !isdigit(d->text.p[d->text.len - 1]))
        return false;
    for (size_t i = 0; i < d->text.len; i++)
        if (!d->text.p[i] || !strchr("0123456789+-.eE", d->text.p[i]))
            return false;
    memcpy(text, d->text.p, d->text.len);
    text[d->text.len] = 0;
    errno = 0;
    *ret_n = (struct hm_ast_number){.i = strtoll(text, &end, 10)};
    if (*end == 0 && errno == 0)
        return true;
    *ret_n = (struct hm_ast_number){.real = true, .d = strtod(text, &end)};
    return *end == 0;
}

static int order(const struct hm_ast_number *a, const struct hm_ast_number *b)
{
    if (!a->real && !b->real)
        return (a->i > b->i) - (a->i < b->i);
    double x = a->real ? a->d : (double)a->i, y = b->real ? b->d : (double)b->i;
    return (x > y) - (x < y);
}

static bool part_of(const struct hm_datum *d, enum hm_ast_part part, struct hm_ast_number *ret_n)
{
    int64_t ms;
    if (part == HM_PART_NONE)
        return number_of(d, ret_n);
    if (!there(d) || !hm_instant_read(d->text, &ms))
        return false;
    *ret_n = (struct hm_ast_number){.i = hm_instant_part(ms, part)};
    return true;
}

/* --- one value ------------------------------------------------------------------------------- */
static bool ip_matches(const struct hm_pattern *p, const struct hm_datum *d)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (d->kind == HM_DATUM_IP)
        return hm_pattern_match_ip(p, d->ip);
    if (d->text.len == 0 || d->text.len >= sizeof text || memchr(d->text.p, 0, d->text.len))
        return false;
    memcpy(text, d->text.p, d->text.len);
    text[d->text.len] = 0;
    if (inet_pton(AF_INET, text, bytes) == 1)
        return hm_pattern_match_ip(p, hm_slice(bytes, 4));
    return inet_pton(AF_INET6, text, bytes) == 1 && hm_pattern_match_ip(p, hm_slice(bytes, 16));
}

static bool value_matches(const struct hm_ast_test *t, const struct hm_pattern *p,
                          const struct hm_datum *d)
{
    struct hm_ast_number n, want = {.i = (int64_t)p->number};
    if (t->part != HM_PART_NONE)
        return p->is_number && part_of(d, t->part, &n) && order(&n, &want) == 0;
    if (p->kind == HM_PATTERN_NULL)
        return !there(d);
    if (!there(d))
        return false;
    if (p->kind == HM_PATTERN_CIDR)
        return ip_matches(p, d);
    if (p->is_number && d->kind == HM_DATUM_NUMBER && !d->real && d->number >= 0 &&
        (uint64_t)d->number == p->number)
        return true;
    return hm_pattern_match(p, d->text);
}

struct query {
    const struct hm_ast_test *test;
    const struct hm_pattern *pattern;
};

static bool text_matches(void *ctx, struct hm_slice text)
{
    const struct query *q = ctx;
    struct hm_datum d = {.kind = HM_DATUM_TEXT, .text = text};
    return value_matches(q->test, q->pattern, &d);
}

bool hm_walk_pattern(const struct hm_ast_test *t, const struct hm_pattern *p,
                     const struct hm_view *v)
{
    char buf[HM_DATUM_BUF];
    struct hm_datum d = {0};
    struct query q = {t, p};
    if (t->field == HM_NAME_NONE)
        return v->each_text(v, text_matches, &q);
    v->get(v, t->field, buf, &d);
    if (d.kind != HM_DATUM_LIST)
        return value_matches(t, p, &d);
    for (size_t i = 0; i < d.count; i++)
        if (value_matches(t, p, &d.items[i]))
            return true;
    return false;
}

/* --- comparisons ----------------------------------------------------------------------------- */
static bool compares(const struct hm_ast_test *t, const struct hm_datum *d)
{
    struct hm_ast_number n;
    if (!part_of(d, t->part, &n))
        return false;
    int o = order(&n, &t->number);
    if (n.real && isnan(n.d))
        return false;
    return t->op == HM_AST_LT    ? o < 0
           : t->op == HM_AST_LTE ? o <= 0
           : t->op == HM_AST_GT  ? o > 0
                                 : o >= 0;
}

static uint8_t fold(bool cased, uint8_t c)
{
    return !cased && c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool same(bool cased, const uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fold(cased, a[i]) != fold(cased, b[i]))
            return false;
    return true;
}

static bool refers(const struct hm_ast_test *t, struct hm_slice a, struct hm_slice b)
{
    if (a.len < b.len || (t->affix == HM_AFFIX_NONE && a.len != b.len))
        return false;
    if (t->affix == HM_AFFIX_SUFFIX)
        return same(t->cased, a.p + a.len - b.len, b.p, b.len);
    if (t->affix != HM_AFFIX_BOTH)
        return same(t->cased, a.p, b.p, b.len);
    for (size_t i = 0; i + b.len <= a.len; i++)
        if (same(t->cased, a.p + i, b.p, b.len))
            return true;
    return false;
}

static bool refers_to(const struct hm_ast_test *t, const struct hm_datum *a,
                      const struct hm_datum *b)
{
    size_t n = b->kind == HM_DATUM_LIST ? b->count : 1;
    for (size_t i = 0; i < n; i++) {
        const struct hm_datum *o = b->kind == HM_DATUM_LIST ? &b->items[i] : b;
        if (there(o) && refers(t, a->text, o->text))
            return true;
    }
    return false;
}

static bool one(const struct hm_ast_test *t, const struct hm_datum *d, const struct hm_datum *other)
{
    if (!there(d))
        return false;
    return t->op == HM_AST_FIELDREF ? refers_to(t, d, other) : compares(t, d);
}

bool hm_walk_test(const struct hm_ast_test *t, const struct hm_view *v)
{
    char buf[HM_DATUM_BUF], other_buf[HM_DATUM_BUF];
    struct hm_datum d = {0}, other = {0};
    if (t->op == HM_AST_ANY_OF) {
        for (size_t i = 0; i < t->count; i++)
            if (hm_walk_pattern(t, &t->patterns[i], v))
                return true;
        return false;
    }
    v->get(v, t->field, buf, &d);
    if (t->op == HM_AST_EXISTS)
        return d.kind != HM_DATUM_ABSENT;
    if (t->op == HM_AST_FIELDREF)
        v->get(v, t->other, other_buf, &other);
    if (d.kind != HM_DATUM_LIST)
        return one(t, &d, &other);
    for (size_t i = 0; i < d.count; i++)
        if (one(t, &d.items[i], &other))
            return true;
    return false;
}

/* Depth is bounded by the parser (HM_CONDITION_MAX_DEPTH and the nesting of YAML). */
bool hm_walk(const struct hm_ast *n, const struct hm_view *v)
{
    if (n->kind == HM_AST_TEST)
        return hm_walk_test(&n->test, v);
    if (n->kind == HM_AST_NOT)
        return !hm_walk(n->kids[0], v);
    for (size_t i = 0; i < n->count; i++)
        if (hm_walk(n->kids[i], v) != (n->kind == HM_AST_AND))
            return n->kind == HM_AST_OR;
    return n->kind == HM_AST_AND;
}
