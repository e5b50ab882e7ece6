/* Owns the tests that are worked out only when a condition asks: expressions, comparisons of
 * numbers and times, one field with another. */
#include "detect/ast.h"
#include "detect/match/build.h"
#include "detect/match/scratch.h"

static int order_int(const struct hm_number *a, int64_t b)
{
    if (!a->real)
        return a->i < b ? -1 : a->i > b;
    long double x = a->d, y = b;
    return x < y ? -1 : x > y;
}

static int order_real(const struct hm_number *a, double b)
{
    long double x = a->real ? (long double)a->d : (long double)a->i, y = b;
    return x < y ? -1 : x > y;
}

static bool compare(const struct hm_lazy *l, const struct hm_datum *d)
{
    struct hm_number n = {0};
    if (l->part ? !hm_time_part(d, l->part, &n.i) : !hm_number_of(d, &n))
        return false;
    int o = l->real ? order_real(&n, l->d) : order_int(&n, l->i);
    switch (l->op) {
    case HM_LAZY_LT:
        return o < 0;
    case HM_LAZY_LTE:
        return o <= 0;
    case HM_LAZY_GT:
        return o > 0;
    case HM_LAZY_GTE:
        return o >= 0;
    default:
        return o == 0;
    }
}

static bool has_text(const struct hm_datum *d)
{
    return d->kind == HM_DATUM_TEXT || d->kind == HM_DATUM_NUMBER || d->kind == HM_DATUM_IP;
}

static bool equal(const struct hm_lazy *l, const uint8_t *a, const uint8_t *b, size_t n)
{
    if (l->cased)
        return n == 0 || memcmp(a, b, n) == 0;
    for (size_t i = 0; i < n; i++)
        if (hm_fold(a[i]) != hm_fold(b[i]))
            return false;
    return true;
}

static bool refers(const struct hm_lazy *l, const struct hm_datum *a, const struct hm_datum *b)
{
    if (!has_text(a) || !has_text(b))
        return false;
    struct hm_slice x = a->text, y = b->text;
    if (l->affix == HM_AFFIX_NONE) {
        if (a->kind == HM_DATUM_NUMBER && b->kind == HM_DATUM_NUMBER && !a->real && !b->real)
            return a->number == b->number;
        return x.len == y.len && equal(l, x.p, y.p, x.len);
    }
    if (y.len > x.len)
        return false;
    size_t room = x.len - y.len;
    if (l->affix == HM_AFFIX_PREFIX)
        return equal(l, x.p, y.p, y.len);
    if (l->affix == HM_AFFIX_SUFFIX)
        return equal(l, x.p + room, y.p, y.len);
    for (size_t i = 0; i <= room; i++)
        if (equal(l, x.p + i, y.p, y.len))
            return true;
    return false;
}

static bool refers_any(const struct hm_scratch *s, const struct hm_lazy *l,
                       const struct hm_datum *a)
{
    char buf[HM_DATUM_BUF];
    struct hm_datum other;
    s->view->get(s->view, l->other, buf, &other);
    if (other.kind != HM_DATUM_LIST)
        return refers(l, a, &other);
    for (size_t i = 0; i < other.count; i++)
        if (refers(l, a, &other.items[i]))
            return true;
    return false;
}

static bool one(struct hm_scratch *s, uint32_t lazy, const struct hm_datum *d)
{
    const struct hm_lazy *l = &s->p->lazy[lazy];
    if (l->op == HM_LAZY_REGEX)
        return has_text(d) && hm_regex_match(s, lazy, d->text);
    if (l->op == HM_LAZY_FIELDREF)
        return refers_any(s, l, d);
    return compare(l, d);
}

struct asked {
    struct hm_scratch *s;
    uint32_t lazy;
};

static bool keyword(void *ctx, struct hm_slice text)
{
    struct asked *a = ctx;
    return hm_regex_match(a->s, a->lazy, text);
}

static bool work_out(struct hm_scratch *s, uint32_t lazy)
{
    const struct hm_lazy *l = &s->p->lazy[lazy];
    char buf[HM_DATUM_BUF];
    struct hm_datum d;
    if (l->guard != HM_NO_INDEX && !(s->tests[l->guard / 64] >> (l->guard % 64) & 1))
        return false;
    if (l->name == HM_NO_INDEX) {
        struct asked a = {s, lazy};
        return s->view->each_text(s->view, keyword, &a);
    }
    s->view->get(s->view, l->name, buf, &d);
    if (d.kind != HM_DATUM_LIST)
        return one(s, lazy, &d);
    for (size_t i = 0; i < d.count; i++)
        if (one(s, lazy, &d.items[i]))
            return true;
    return false;
}

bool hm_lazy_test(struct hm_scratch *s, uint32_t lazy)
{
    uint64_t bit = UINT64_C(1) << (lazy % 64);
    if (!(s->known[lazy / 64] & bit)) {
        s->known[lazy / 64] |= bit;
        if (work_out(s, lazy))
            s->value[lazy / 64] |= bit;
        else
            s->value[lazy / 64] &= ~bit;
    }
    return s->value[lazy / 64] & bit;
}
