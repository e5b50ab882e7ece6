/* Owns how one value is compared. ASCII letters fold, other bytes are compared as they are: the
 * specification asks for case-insensitivity and names no locale. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "detect/pattern.h"
#include "detect/limits.h"
#include <arpa/inet.h>
#include <errno.h>
#include <pcre2.h>
#include <stdio.h>

enum { ANY = 0x01, ONE = 0x02 }; /* wildcards inside a compiled GLOB; they cannot occur escaped */

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool equal(const struct hm_pattern *p, const uint8_t *text, const uint8_t *pat, size_t n)
{
    if (p->cased)
        return memcmp(text, pat, n) == 0;
    for (size_t i = 0; i < n; i++)
        if (fold(text[i]) != pat[i])
            return false;
    return true;
}

static bool contains(const struct hm_pattern *p, struct hm_slice t)
{
    if (p->text.len == 0)
        return true;
    if (t.len < p->text.len)
        return false;
    uint8_t first = p->text.p[0];
    for (size_t i = 0; i + p->text.len <= t.len; i++) {
        uint8_t c = p->cased ? t.p[i] : fold(t.p[i]);
        if (c == first && equal(p, t.p + i, p->text.p, p->text.len))
            return true;
    }
    return false;
}

/* Greedy glob with one backtracking point: linear in practice, no recursion. */
static bool glob(const struct hm_pattern *p, struct hm_slice t)
{
    size_t ti = 0, pi = 0, star = SIZE_MAX, mark = 0;
    while (ti < t.len) {
        uint8_t c = p->cased ? t.p[ti] : fold(t.p[ti]);
        if (pi < p->text.len && p->text.p[pi] == ANY) {
            star = pi++;
            mark = ti;
        } else if (pi < p->text.len && p->text.p[pi] == ONE) {
            pi++;
            for (ti++; ti < t.len && (t.p[ti] & 0xc0) == 0x80 && t.p[ti - 1] >= 0x80;)
                ti++; /* "a single mandatory character", not a byte of one */
        } else if (pi < p->text.len && p->text.p[pi] == c) {
            pi++;
            ti++;
        } else if (star != SIZE_MAX) {
            pi = star + 1;
            ti = ++mark;
        } else {
            return false;
        }
    }
    while (pi < p->text.len && p->text.p[pi] == ANY)
        pi++;
    return pi == p->text.len;
}

static uint32_t regex_options(bool i, bool m, bool dot_all)
{
    return PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | (i ? PCRE2_CASELESS : 0) |
           (m ? PCRE2_MULTILINE : 0) | (dot_all ? PCRE2_DOTALL : 0);
}

bool hm_pattern_regex_slow(struct hm_slice source, bool i, bool m, bool dot_all, struct hm_slice t)
{
    int code, work[HM_REGEX_WORKSPACE];
    PCRE2_SIZE at;
    pcre2_code *re =
        pcre2_compile(source.p, source.len, regex_options(i, m, dot_all), &code, &at, NULL);
    pcre2_match_data *md = pcre2_match_data_create(1, NULL);
    bool hit = re && md &&
               pcre2_dfa_match(re, t.p, t.len, 0, PCRE2_DFA_SHORTEST, md, NULL, work,
                               HM_REGEX_WORKSPACE) >= 0;
    pcre2_match_data_free(md);
    pcre2_code_free(re);
    return hit;
}

static bool regex(const struct hm_pattern *p, struct hm_slice t)
{
    pcre2_match_data *md = pcre2_match_data_create(1, NULL);
    pcre2_match_context *mc = pcre2_match_context_create(NULL);
    int r = -1;
    if (md && mc) {
        pcre2_set_match_limit(mc, HM_REGEX_MATCH_LIMIT);
        r = pcre2_match(p->regex, t.p ? t.p : (const uint8_t *)"", t.len, 0, PCRE2_NO_UTF_CHECK, md,
                        mc);
    }
    pcre2_match_context_free(mc);
    pcre2_match_data_free(md);
    return r == PCRE2_ERROR_MATCHLIMIT
               ? hm_pattern_regex_slow(p->text, p->re_i, p->re_m, p->re_s, t)
               : r >= 0;
}

bool hm_pattern_match(const struct hm_pattern *p, struct hm_slice t)
{
    size_t n = p->text.len;
    switch (p->kind) {
    case HM_PATTERN_EXACT:
        return t.len == n && equal(p, t.p, p->text.p, n);
    case HM_PATTERN_PREFIX:
        return t.len >= n && equal(p, t.p, p->text.p, n);
    case HM_PATTERN_SUFFIX:
        return t.len >= n && equal(p, t.p + t.len - n, p->text.p, n);
    case HM_PATTERN_CONTAINS:
        return contains(p, t);
    case HM_PATTERN_GLOB:
        return glob(p, t);
    case HM_PATTERN_REGEX:
        return regex(p, t);
    case HM_PATTERN_EMPTY:
        return t.len == 0;
    case HM_PATTERN_CIDR:
    case HM_PATTERN_NULL:
        break;
    }
    return false;
}

bool hm_pattern_match_ip(const struct hm_pattern *p, struct hm_slice ip)
{
    if (p->kind != HM_PATTERN_CIDR || ip.len != p->ip_len)
        return false;
    unsigned whole = p->prefix / 8, rest = p->prefix % 8;
    if (memcmp(ip.p, p->ip, whole) != 0)
        return false;
    return rest == 0 || ((ip.p[whole] ^ p->ip[whole]) >> (8 - rest)) == 0;
}

/* Resolve Sigma escapes (\* \? \\) and mark wildcards; buf has room for s.len + 2 bytes. */
static size_t unescape(struct hm_slice s, uint8_t *buf, bool cased)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];
        if (c == '\\' && i + 1 < s.len &&
            (s.p[i + 1] == '*' || s.p[i + 1] == '?' || s.p[i + 1] == '\\'))
            c = s.p[++i];
        else if (c == '*')
            c = ANY;
        else if (c == '?')
            c = ONE;
        buf[n++] = cased ? c : fold(c);
    }
    return n;
}

static void classify(struct hm_pattern *p)
{
    const uint8_t *t = p->text.p;
    size_t n = p->text.len;
    bool head = n > 0 && t[0] == ANY, tail = n > 0 && t[n - 1] == ANY;
    size_t from = head ? 1 : 0, to = tail && n > from ? n - 1 : n;
    for (size_t i = from; i < to; i++) {
        if (t[i] == ANY || t[i] == ONE) {
            p->kind = HM_PATTERN_GLOB;
            return;
        }
    }
    p->text = hm_slice(t + from, to - from);
    p->kind = head && (tail || n == 1) ? HM_PATTERN_CONTAINS
              : head                   ? HM_PATTERN_SUFFIX
              : tail                   ? HM_PATTERN_PREFIX
                                       : HM_PATTERN_EXACT;
}

static void note_number(struct hm_pattern *p)
{
    uint64_t v = 0;
    if (p->kind != HM_PATTERN_EXACT || p->text.len == 0 || p->text.len > 19)
        return;
    for (size_t i = 0; i < p->text.len; i++) {
        if (p->text.p[i] < '0' || p->text.p[i] > '9')
            return;
        v = v * 10 + (p->text.p[i] - '0');
    }
    p->is_number = true;
    p->number = v;
}

int hm_pattern_string(struct hm_slice s, enum hm_affix affix, bool cased, struct hm_arena *a,
                      struct hm_pattern *ret_p)
{
    uint8_t *buf = hm_arena_alloc(a, s.len + 2);
    if (!buf)
        return -ENOMEM;
    size_t n = 0;
    bool lead = affix == HM_AFFIX_SUFFIX || affix == HM_AFFIX_BOTH;
    bool trail = affix == HM_AFFIX_PREFIX || affix == HM_AFFIX_BOTH;
    if (lead && !(s.len && s.p[0] == '*'))
        buf[n++] = ANY;
    n += unescape(s, buf + n, cased);
    if (trail && !(n && buf[n - 1] == ANY))
        buf[n++] = ANY;
    *ret_p = (struct hm_pattern){.cased = cased, .text = hm_slice(buf, n)};
    if (n == 0)
        ret_p->kind = HM_PATTERN_EMPTY;
    else
        classify(ret_p);
    note_number(ret_p);
    return 0;
}

int hm_pattern_regex(struct hm_slice s, const char *flags, struct hm_arena *a,
                     struct hm_pattern *ret_p, struct hm_error *err)
{
    uint32_t options = PCRE2_MATCH_INVALID_UTF |
                       regex_options(strchr(flags, 'i'), strchr(flags, 'm'), strchr(flags, 's'));
    const char *source = hm_arena_strndup(a, s.p, s.len);
    if (!source)
        return -ENOMEM;
    int code;
    PCRE2_SIZE at;
    pcre2_code *re = pcre2_compile(s.p, s.len, options, &code, &at, NULL);
    if (!re) {
        PCRE2_UCHAR text[160];
        pcre2_get_error_message(code, text, sizeof text);
        return hm_fail(err, -EINVAL, "regular expression, character %zu: %s", (size_t)at,
                       (char *)text);
    }
    *ret_p = (struct hm_pattern){.kind = HM_PATTERN_REGEX,
                                 .cased = true,
                                 .text = hm_slice(source, s.len),
                                 .re_i = strchr(flags, 'i'),
                                 .re_m = strchr(flags, 'm'),
                                 .re_s = strchr(flags, 's'),
                                 .regex = re};
    return 0;
}

int hm_pattern_cidr(struct hm_slice s, struct hm_pattern *ret_p)
{
    char text[64];
    if (s.len >= sizeof text)
        return -EINVAL;
    memcpy(text, s.p, s.len);
    text[s.len] = 0;
    struct hm_pattern p = {.kind = HM_PATTERN_CIDR};
    char *slash = strchr(text, '/'), *end = NULL;
    if (slash)
        *slash++ = 0;
    p.ip_len = strchr(text, ':') ? 16 : 4;
    if (inet_pton(p.ip_len == 16 ? AF_INET6 : AF_INET, text, p.ip) != 1)
        return -EINVAL;
    unsigned long bits = slash ? strtoul(slash, &end, 10) : p.ip_len * 8ul;
    if ((slash && (*slash < '0' || *slash > '9' || *end)) || bits > p.ip_len * 8ul)
        return -EINVAL;
    p.prefix = (uint8_t)bits;
    *ret_p = p;
    return 0;
}

void hm_pattern_done(struct hm_pattern *p)
{
    pcre2_code_free(p->regex);
    p->regex = NULL;
}
