/* Owns one value of a rule as a SQL condition over a text that is not NULL. */
#include "detect/sql/parts.h"
#include <errno.h>
#include <stdio.h>

static int call(struct hm_sql_build *b, const char *function, const struct hm_pattern *p,
                const char *x)
{
    hm_buf_printf(&b->out->text, "%s(", function);
    hm_sql_folded(b, x, p->cased);
    hm_sql_put(b, ", ");
    int e = hm_sql_text(b, p->text);
    hm_sql_put(b, ")");
    return e;
}

static int exact(struct hm_sql_build *b, const struct hm_pattern *p, const char *x,
                 const struct hm_sql_value *v)
{
    hm_sql_put(b, "(");
    if (p->is_number && v->number && p->number <= INT64_MAX) {
        hm_buf_printf(&b->out->text, "%s = ", v->number);
        hm_sql_integer(b, (int64_t)p->number);
        hm_sql_put(b, " OR ");
    }
    hm_sql_folded(b, x, p->cased);
    hm_sql_put(b, " = ");
    int e = hm_sql_text(b, p->text);
    hm_sql_put(b, ")");
    return e;
}

/* LIKE's '_' is one character, as Sigma's '?' is. */
static int glob(struct hm_sql_build *b, const struct hm_pattern *p, const char *x)
{
    struct hm_buf like hm_auto(hm_buf_done) = HM_BUF(1 << 20);
    for (size_t i = 0; i < p->text.len; i++) {
        uint8_t c = p->text.p[i];
        if (c == '%' || c == '_' || c == '!')
            hm_buf_put_u8(&like, '!');
        hm_buf_put_u8(&like, c == 0x01 ? '%' : c == 0x02 ? '_' : c);
    }
    if (like.error)
        return like.error;
    hm_sql_put(b, "(");
    hm_sql_folded(b, x, p->cased);
    hm_sql_put(b, " LIKE ");
    int e = hm_sql_text(b, hm_buf_slice(&like));
    hm_sql_put(b, " ESCAPE '!')");
    return e;
}

static int regex(struct hm_sql_build *b, const struct hm_pattern *p, const char *x)
{
    const char *re2 = NULL, *why = NULL;
    int e = hm_sql_regex(p, b->out->arena, &re2, &why);
    if (e == -ENOTSUP)
        return hm_sql_refuse(b, why);
    if (e)
        return e;
    hm_buf_printf(&b->out->text, "regexp_matches(%s, ", x);
    e = hm_sql_text(b, hm_slice_str(re2));
    hm_sql_put(b, ")");
    return e;
}

/* First and last address of the range. */
static void range(const struct hm_pattern *p, uint8_t low[16], uint8_t high[16])
{
    for (unsigned i = 0; i < p->ip_len; i++) {
        int bits = (int)p->prefix - 8 * (int)i;
        uint8_t mask = bits >= 8 ? 0xff : bits <= 0 ? 0 : (uint8_t)(0xff00 >> bits);
        low[i] = p->ip[i] & mask;
        high[i] = (uint8_t)(low[i] | (uint8_t)~mask);
    }
}

/* Text that inet_pton() would take as IPv4, as a number. */
static void cidr_text(struct hm_sql_build *b, const char *x, const uint8_t low[16],
                      const uint8_t high[16])
{
#define OCTET "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
    const uint8_t *ends[] = {low, high};
    hm_buf_printf(&b->out->text,
                  "(regexp_full_match(%s, '" OCTET "(\\." OCTET "){3}') AND "
                  "COALESCE(TRY_CAST(split_part(%s, '.', 1) AS BIGINT) * 16777216 + "
                  "TRY_CAST(split_part(%s, '.', 2) AS BIGINT) * 65536 + "
                  "TRY_CAST(split_part(%s, '.', 3) AS BIGINT) * 256 + "
                  "TRY_CAST(split_part(%s, '.', 4) AS BIGINT), -1) BETWEEN ",
                  x, x, x, x, x);
#undef OCTET
    for (int i = 0; i < 2; i++) {
        const uint8_t *e = ends[i];
        hm_sql_put(b, i ? " AND " : "");
        hm_sql_integer(b, (int64_t)e[0] << 24 | (int64_t)e[1] << 16 | (int64_t)e[2] << 8 | e[3]);
    }
    hm_sql_put(b, ")");
}

static int cidr(struct hm_sql_build *b, const struct hm_pattern *p, const char *x,
                const struct hm_sql_value *v)
{
    uint8_t low[16] = {0}, high[16] = {0};
    range(p, low, high);
    if (!v->ip && p->ip_len == 16)
        return hm_sql_refuse(b, "an IPv6 range needs a column of addresses, this one holds text");
    if (!v->ip) {
        cidr_text(b, x, low, high);
        return 0;
    }
    hm_buf_printf(&b->out->text, "(octet_length(%s) = %u AND %s >= ", v->ip, p->ip_len, v->ip);
    int e = hm_sql_blob(b, hm_slice(low, p->ip_len));
    hm_buf_printf(&b->out->text, " AND %s <= ", v->ip);
    if (!e)
        e = hm_sql_blob(b, hm_slice(high, p->ip_len));
    hm_sql_put(b, ")");
    return e;
}

int hm_sql_pattern(struct hm_sql_build *b, const struct hm_pattern *p, const char *x,
                   const struct hm_sql_value *v)
{
    switch (p->kind) {
    case HM_PATTERN_EXACT:
        return exact(b, p, x, v);
    case HM_PATTERN_PREFIX:
        return call(b, "starts_with", p, x);
    case HM_PATTERN_SUFFIX:
        return call(b, "ends_with", p, x);
    case HM_PATTERN_CONTAINS:
        if (p->text.len)
            return call(b, "contains", p, x);
        hm_buf_printf(&b->out->text, "(%s IS NOT NULL)", x);
        return 0;
    case HM_PATTERN_GLOB:
        return glob(b, p, x);
    case HM_PATTERN_REGEX:
        return regex(b, p, x);
    case HM_PATTERN_CIDR:
        return cidr(b, p, x, v);
    case HM_PATTERN_EMPTY:
        hm_buf_printf(&b->out->text, "(%s = '')", x);
        return 0;
    case HM_PATTERN_NULL:
        break; /* the caller's: it is about values that are not there */
    }
    return -EINVAL;
}
