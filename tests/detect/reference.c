/* The reference evaluator. Shares hm_pattern_match with nothing of the matcher. */
#include "reference.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static bool has_text(const struct hm_datum *d)
{
    return d->kind == HM_DATUM_TEXT || d->kind == HM_DATUM_NUMBER || d->kind == HM_DATUM_IP;
}

static bool in_range(const struct hm_pattern *p, const struct hm_datum *d)
{
    uint8_t ip[16];
    char text[64];
    if (d->kind == HM_DATUM_IP)
        return hm_pattern_match_ip(p, d->ip);
    if (d->kind != HM_DATUM_TEXT || d->text.len >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", (int)d->text.len, (const char *)d->text.p);
    if (strlen(text) != d->text.len)
        return false;
    if (inet_pton(AF_INET, text, ip) == 1)
        return hm_pattern_match_ip(p, hm_slice(ip, 4));
    return inet_pton(AF_INET6, text, ip) == 1 && hm_pattern_match_ip(p, hm_slice(ip, 16));
}

static bool pattern(const struct hm_pattern *p, const struct hm_datum *d)
{
    if (p->kind == HM_PATTERN_NULL)
        return d->kind == HM_DATUM_ABSENT || d->kind == HM_DATUM_NULL;
    if (!has_text(d))
        return false;
    if (p->kind == HM_PATTERN_CIDR)
        return in_range(p, d);
    if (d->kind == HM_DATUM_NUMBER && !d->real && p->kind == HM_PATTERN_EXACT && p->is_number &&
        d->number >= 0 && (uint64_t)d->number == p->number)
        return true;
    return hm_pattern_match(p, d->text);
}

static bool number(const struct hm_datum *d, long double *ret)
{
    char text[64], *end;
    if (d->kind == HM_DATUM_NUMBER && !d->real) {
        *ret = d->number;
        return true;
    }
    if (!has_text(d) || d->kind == HM_DATUM_IP || d->text.len == 0 || d->text.len >= sizeof text)
        return false;
    for (size_t i = 0; i < d->text.len; i++)
        if (!strchr("0123456789.eE+-", d->text.p[i]) || !d->text.p[i])
            return false;
    snprintf(text, sizeof text, "%.*s", (int)d->text.len, (const char *)d->text.p);
    if (text[0] == '+' || text[0] == '.' || text[strlen(text) - 1] == '.' || strstr(text, ".e") ||
        strstr(text, ".E") || strncmp(text, "-.", 2) == 0)
        return false;
    *ret = strchr(text, '.') || strpbrk(text, "eE") ? (long double)strtod(text, &end)
                                                    : strtold(text, &end);
    return *end == 0 && end != text;
}

/* Only the forms that the tests make: 2026-11-21T22:05:06Z, and seconds. */
static bool part(const struct hm_datum *d, enum hm_ast_part which, long double *ret)
{
    struct tm t = {0};
    char text[64];
    long double n;
    if (d->kind == HM_DATUM_TEXT && d->text.len == 20) {
        snprintf(text, sizeof text, "%.*s", (int)d->text.len, (const char *)d->text.p);
        if (!strptime(text, "%Y-%m-%dT%H:%M:%SZ", &t))
            return false;
    } else if (number(d, &n)) {
        time_t when = (time_t)n;
        gmtime_r(&when, &t);
    } else {
        return false;
    }
    char week[8];
    strftime(week, sizeof week, "%V", &t);
    *ret = which == HM_PART_MINUTE  ? t.tm_min
           : which == HM_PART_HOUR  ? t.tm_hour
           : which == HM_PART_DAY   ? t.tm_mday
           : which == HM_PART_WEEK  ? atoll(week)
           : which == HM_PART_MONTH ? t.tm_mon + 1
                                    : t.tm_year + 1900;
    return true;
}

static bool same(const struct hm_ast_test *t, const uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t x = a[i], y = b[i];
        if (!t->cased) {
            x = x >= 'A' && x <= 'Z' ? x + 32 : x;
            y = y >= 'A' && y <= 'Z' ? y + 32 : y;
        }
        if (x != y)
            return false;
    }
    return true;
}

static bool refers(const struct hm_ast_test *t, const struct hm_datum *a, const struct hm_datum *b)
{
    for (size_t i = 0; b->kind == HM_DATUM_LIST && i < b->count; i++)
        if (refers(t, a, &b->items[i]))
            return true;
    if (!has_text(a) || !has_text(b) || b->text.len > a->text.len)
        return false;
    size_t room = a->text.len - b->text.len;
    for (size_t at = 0; at <= room; at++) {
        bool start = t->affix == HM_AFFIX_NONE || t->affix == HM_AFFIX_PREFIX;
        bool end = t->affix == HM_AFFIX_NONE || t->affix == HM_AFFIX_SUFFIX;
        if ((!start || at == 0) && (!end || at == room) &&
            same(t, a->text.p + at, b->text.p, b->text.len))
            return true;
    }
    return false;
}

static bool compare(const struct hm_ast_test *t, const struct hm_datum *d)
{
    long double v, with = t->number.real ? (long double)t->number.d : (long double)t->number.i;
    if (!(t->part ? part(d, t->part, &v) : number(d, &v)))
        return false;
    return t->op == HM_AST_LT    ? v < with
           : t->op == HM_AST_LTE ? v <= with
           : t->op == HM_AST_GT  ? v > with
                                 : v >= with;
}

static bool any_of(const struct hm_ast_test *t, const struct hm_datum *d)
{
    long double v;
    for (size_t i = 0; i < t->count; i++) {
        const struct hm_pattern *p = &t->patterns[i];
        if (t->part) {
            if (p->is_number && part(d, t->part, &v) && v == p->number)
                return true;
        } else if (pattern(p, d)) {
            return true;
        }
    }
    return false;
}

static bool datum(const struct hm_ast_test *t, const struct hm_view *v, const struct hm_datum *d)
{
    char buf[HM_DATUM_BUF];
    struct hm_datum other;
    switch (t->op) {
    case HM_AST_ANY_OF:
        return any_of(t, d);
    case HM_AST_FIELDREF:
        v->get(v, t->other, buf, &other);
        return refers(t, d, &other);
    default:
        return compare(t, d);
    }
}

static bool keyword(void *ctx, struct hm_slice text)
{
    const struct hm_ast_test *t = ctx;
    for (size_t i = 0; i < t->count; i++)
        if (t->patterns[i].kind != HM_PATTERN_NULL && hm_pattern_match(&t->patterns[i], text))
            return true;
    return false;
}

static bool test(const struct hm_ast_test *t, const struct hm_view *v)
{
    char buf[HM_DATUM_BUF];
    struct hm_datum d;
    if (t->field == HM_NAME_NONE)
        return v->each_text(v, keyword, (void *)(uintptr_t)t);
    v->get(v, t->field, buf, &d);
    if (t->op == HM_AST_EXISTS)
        return d.kind != HM_DATUM_ABSENT;
    if (d.kind != HM_DATUM_LIST)
        return datum(t, v, &d);
    for (size_t i = 0; i < d.count; i++)
        if (datum(t, v, &d.items[i]))
            return true;
    if (d.count == 0 && t->op == HM_AST_ANY_OF && !t->part)
        for (size_t i = 0; i < t->count; i++)
            if (t->patterns[i].kind == HM_PATTERN_NULL)
                return true; /* a list of nothing */
    return false;
}

bool reference_match(const struct hm_ast *a, const struct hm_view *v)
{
    switch (a->kind) {
    case HM_AST_AND:
    case HM_AST_OR:
        for (size_t i = 0; i < a->count; i++)
            if (reference_match(a->kids[i], v) == (a->kind == HM_AST_OR))
                return a->kind == HM_AST_OR;
        return a->kind == HM_AST_AND;
    case HM_AST_NOT:
        return !reference_match(a->kids[0], v);
    case HM_AST_TEST:
        return test(&a->test, v);
    }
    return false;
}
