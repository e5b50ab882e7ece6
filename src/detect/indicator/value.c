/* See value.h. Owns what "the same value" means: letters fold, http and https are one, a block's
 * host bits are cleared, an IPv4 address in IPv6 clothes is an IPv4 address. */
#include "detect/indicator/value.h"
#include <arpa/inet.h>

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return fold(c) >= 'a' && fold(c) <= 'z';
}

struct hm_slice hm_intel_trim(struct hm_slice s)
{
    while (s.len && is_blank(s.p[0]))
        s = hm_slice(s.p + 1, s.len - 1);
    while (s.len && is_blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

/* --- digests ------------------------------------------------------------------------------------
 */
static int nibble(uint8_t c)
{
    c = fold(c);
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool all_hex(struct hm_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (nibble(s.p[i]) < 0)
            return false;
    return s.len > 0;
}

static enum hm_intel_reason read_digest(enum hm_intel_kind k, struct hm_slice s,
                                        struct hm_intel_value *v)
{
    static const size_t lengths[] = {
        [HM_INTEL_MD5] = 16, [HM_INTEL_SHA1] = 20, [HM_INTEL_SHA256] = 32};
    if (s.len != lengths[k] * 2 || !all_hex(s))
        return HM_INTEL_WHY_HASH_DIGITS;
    for (size_t i = 0; i < lengths[k]; i++)
        v->bytes[i] = (uint8_t)(nibble(s.p[2 * i]) << 4 | nibble(s.p[2 * i + 1]));
    v->len = lengths[k];
    return HM_INTEL_WHY_NONE;
}

/* --- addresses ----------------------------------------------------------------------------------
 */
bool hm_intel_number(struct hm_slice s, uint64_t max, uint64_t *ret_n)
{
    uint64_t n = 0;
    if (s.len == 0 || s.len > 19)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.p[i]))
            return false;
        n = n * 10 + (uint64_t)(s.p[i] - '0');
    }
    if (n > max)
        return false;
    *ret_n = n;
    return true;
}

static void clear_host_bits(struct hm_intel_value *v)
{
    for (size_t i = 0; i < v->len; i++) {
        size_t keep = v->prefix > i * 8 ? v->prefix - i * 8 : 0;
        if (keep < 8)
            v->bytes[i] &= (uint8_t)(0xff00u >> keep);
    }
}

/* ::ffff:192.0.2.1/120 is 192.0.2.1/24 */
static void unmap(struct hm_intel_value *v)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (v->len != 16 || v->prefix < 96 || memcmp(v->bytes, mapped, sizeof mapped) != 0)
        return;
    memmove(v->bytes, v->bytes + 12, 4);
    v->len = 4;
    v->prefix = (uint8_t)(v->prefix - 96);
}

bool hm_intel_value_ip(struct hm_slice s, struct hm_intel_value *v)
{
    char text[64];
    uint64_t bits;
    uint8_t ip[16];
    const uint8_t *slash = s.len ? memchr(s.p, '/', s.len) : NULL;
    struct hm_slice address = slash ? hm_slice(s.p, (size_t)(slash - s.p)) : s;
    if (address.len == 0 || address.len >= sizeof text || memchr(address.p, 0, address.len))
        return false;
    memcpy(text, address.p, address.len);
    text[address.len] = 0;
    bool six = memchr(text, ':', address.len) != NULL;
    if (inet_pton(six ? AF_INET6 : AF_INET, text, ip) != 1)
        return false;
    size_t len = six ? 16 : 4;
    bits = len * 8;
    if (slash && !hm_intel_number(hm_slice(slash + 1, s.len - address.len - 1), len * 8, &bits))
        return false;
    v->kind = HM_INTEL_IP;
    memcpy(v->bytes, ip, len);
    v->len = len;
    v->prefix = (uint8_t)bits;
    unmap(v);
    clear_host_bits(v);
    return true;
}

bool hm_intel_value_address(struct hm_slice ip, struct hm_intel_value *v)
{
    if (ip.len != 4 && ip.len != 16)
        return false;
    v->kind = HM_INTEL_IP;
    memcpy(v->bytes, ip.p, ip.len);
    v->len = ip.len;
    v->prefix = (uint8_t)(ip.len * 8);
    unmap(v);
    return true;
}

/* Every machine talks to itself and to nobody: 127/8, 0.0.0.0, ::, ::1. */
static bool everyones(const struct hm_intel_value *v)
{
    static const uint8_t zero[16];
    if (v->len == 4)
        return v->bytes[0] == 127 || memcmp(v->bytes, zero, 4) == 0;
    return memcmp(v->bytes, zero, 15) == 0 && v->bytes[15] <= 1;
}

static enum hm_intel_reason read_ip(struct hm_slice s, struct hm_intel_value *v)
{
    if (s.len > 2 && s.p[0] == '[' && s.p[s.len - 1] == ']')
        s = hm_slice(s.p + 1, s.len - 2);
    if (!hm_intel_value_ip(s, v))
        return HM_INTEL_WHY_BAD_IP;
    if (v->prefix < (v->len == 4 ? 8 : 16))
        return HM_INTEL_WHY_WIDE_PREFIX;
    return everyones(v) ? HM_INTEL_WHY_EVERYONES : HM_INTEL_WHY_NONE;
}

/* --- names of hosts -----------------------------------------------------------------------------
 */
/* A byte of a host name as it is compared; 0: none of a host name. Every event's names go through
 * here, so it is a table. */
#define LETTER(c) [c] = c, [(c)-32] = c
#define DIGIT(c)  [c] = c
static const uint8_t host_bytes[256] = {
    LETTER('a'), LETTER('b'), LETTER('c'), LETTER('d'), LETTER('e'), LETTER('f'), LETTER('g'),
    LETTER('h'), LETTER('i'), LETTER('j'), LETTER('k'), LETTER('l'), LETTER('m'), LETTER('n'),
    LETTER('o'), LETTER('p'), LETTER('q'), LETTER('r'), LETTER('s'), LETTER('t'), LETTER('u'),
    LETTER('v'), LETTER('w'), LETTER('x'), LETTER('y'), LETTER('z'), DIGIT('0'),  DIGIT('1'),
    DIGIT('2'),  DIGIT('3'),  DIGIT('4'),  DIGIT('5'),  DIGIT('6'),  DIGIT('7'),  DIGIT('8'),
    DIGIT('9'),  DIGIT('-'),  DIGIT('_'),  DIGIT('.')};

static bool is_number(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!is_digit(p[i]))
            return false;
    return true;
}

/* Folds into to[0..253); number of labels, or 0: no domain name. */
static size_t fold_host(struct hm_slice s, uint8_t *to)
{
    size_t labels = 1, label = 0, i = 0; /* label: where the one in hand begins */
    if (s.len == 0 || s.len > 253)
        return 0;
    for (; i < s.len; i++) {
        uint8_t c = to[i] = host_bytes[s.p[i]];
        if (c != '.' && c)
            continue;
        if (c == 0 || i == label || i - label > 63)
            return 0;
        labels++;
        label = i + 1;
    }
    return i == label || i - label > 63 || is_number(to + label, i - label) ? 0 : labels;
}

static size_t fold_domain(struct hm_slice s, struct hm_intel_value *v)
{
    if (s.len && s.p[s.len - 1] == '.')
        s.len--;
    v->kind = HM_INTEL_DOMAIN;
    v->len = s.len;
    return fold_host(s, v->bytes);
}

bool hm_intel_value_domain(struct hm_slice text, struct hm_intel_value *v)
{
    return fold_domain(text, v) > 0;
}

static enum hm_intel_reason read_domain(struct hm_slice s, struct hm_intel_value *v)
{
    if (hm_intel_starts(s, "*."))
        s = hm_slice(s.p + 2, s.len - 2);
    else if (s.len && s.p[0] == '.')
        s = hm_slice(s.p + 1, s.len - 1);
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] >= 0x80)
            return HM_INTEL_WHY_IDN;
    size_t labels = fold_domain(s, v);
    if (labels == 1)
        return HM_INTEL_WHY_TOP_DOMAIN;
    return labels ? HM_INTEL_WHY_NONE : HM_INTEL_WHY_BAD_DOMAIN;
}

bool hm_intel_domain_within(struct hm_slice b, struct hm_slice a)
{
    if (b.len == a.len)
        return hm_slice_eq(a, b);
    return b.len > a.len && b.p[b.len - a.len - 1] == '.' &&
           memcmp(b.p + (b.len - a.len), a.p, a.len) == 0;
}

/* --- URLs ---------------------------------------------------------------------------------------
 */
struct url {
    struct hm_slice scheme, host, port, rest; /* rest: from the path on, without the fragment */
};

static size_t scheme_length(struct hm_slice s)
{
    for (size_t i = 0; i + 2 < s.len; i++) {
        if (s.p[i] == ':')
            return i && s.p[i + 1] == '/' && s.p[i + 2] == '/' ? i : 0;
        if (!is_letter(s.p[i]) &&
            !(i && (is_digit(s.p[i]) || s.p[i] == '+' || s.p[i] == '-' || s.p[i] == '.')))
            return 0;
    }
    return 0;
}

/* Bytes before the first of up to four stops. */
static size_t run_until(struct hm_slice s, const char stops[4])
{
    uint8_t a = (uint8_t)stops[0], b = (uint8_t)stops[1], c = (uint8_t)stops[2];
    size_t i = 0;
    while (i < s.len && s.p[i] != a && s.p[i] != b && s.p[i] != c)
        i++;
    return i;
}

static struct hm_slice after(struct hm_slice s, size_t n)
{
    if (n == 0) /* nothing may be added to what is not there */
        return s;
    return hm_slice(s.p + n, s.len - n);
}

static bool split_port(struct hm_slice authority, struct url *u)
{
    size_t end = authority.len, host_end;
    if (authority.len && authority.p[0] == '[') {
        const uint8_t *close = memchr(authority.p, ']', authority.len);
        if (!close)
            return false;
        host_end = (size_t)(close - authority.p) + 1;
    } else {
        host_end = run_until(authority, ":::");
    }
    u->host = hm_slice(authority.p, host_end);
    u->port = (struct hm_slice){0};
    if (host_end == end)
        return u->host.len > 0;
    if (authority.p[host_end] != ':')
        return false;
    u->port = after(authority, host_end + 1);
    uint64_t n = 0;
    return u->host.len > 0 && (u->port.len == 0 || hm_intel_number(u->port, 65535, &n));
}

static bool split_url(struct hm_slice s, struct url *u)
{
    size_t n = scheme_length(s);
    u->scheme = hm_slice(s.p, n);
    if (n)
        s = after(s, n + 3);
    n = run_until(s, "/?#");
    struct hm_slice authority = hm_slice(s.p, n);
    s = after(s, n);
    const uint8_t *at = authority.len ? memrchr(authority.p, '@', authority.len) : NULL;
    if (at) /* user:password@ says nothing about the host */
        authority = after(authority, (size_t)(at - authority.p) + 1);
    const uint8_t *fragment = s.len ? memchr(s.p, '#', s.len) : NULL;
    u->rest = fragment ? hm_slice(s.p, (size_t)(fragment - s.p)) : s;
    return split_port(authority, u);
}

static bool put(struct hm_intel_value *v, struct hm_slice s, bool folded)
{
    if (s.len > sizeof v->bytes - v->len)
        return false;
    uint8_t *to = v->bytes + v->len;
    for (size_t i = 0; folded && i < s.len; i++)
        to[i] = fold(s.p[i]);
    if (!folded && s.len)
        memcpy(to, s.p, s.len);
    v->len += s.len;
    return true;
}

static bool is_default_port(struct hm_slice scheme, struct hm_slice port)
{
    bool s = scheme.len == 5;
    return port.len == 0 ||
           (s ? hm_slice_eq(port, hm_slice("443", 3)) : hm_slice_eq(port, hm_slice("80", 2)));
}

/* Puts the host folded; false: it is none. */
static bool put_host(struct hm_intel_value *v, struct hm_slice host)
{
    struct hm_intel_value ip;
    if (host.len > sizeof v->bytes - v->len)
        return false;
    if (fold_host(host, v->bytes + v->len) == 0) {
        bool six = host.len > 2 && host.p[0] == '[';
        if (!hm_intel_value_ip(six ? hm_slice(host.p + 1, host.len - 2) : host, &ip) ||
            ip.prefix != ip.len * 8)
            return false;
        for (size_t i = 0; i < host.len; i++)
            v->bytes[v->len + i] = fold(host.p[i]);
    }
    v->len += host.len;
    return true;
}

bool hm_intel_value_url(struct hm_slice s, struct hm_intel_value *v, struct hm_slice *ret_host)
{
    struct url u;
    if (s.len > sizeof v->bytes || !split_url(s, &u))
        return false;
    bool web = u.scheme.len == 0 || hm_intel_starts(u.scheme, "http");
    bool good = true;
    v->kind = HM_INTEL_URL;
    v->len = 0;
    if (!web)
        good = put(v, u.scheme, true) && put(v, hm_slice("://", 3), false);
    size_t at = v->len;
    good = good && put_host(v, u.host);
    if (good && ret_host)
        *ret_host = hm_slice(v->bytes + at, v->len - at);
    if (!is_default_port(u.scheme, u.port))
        good = good && put(v, hm_slice(":", 1), false) && put(v, u.port, false);
    if (u.rest.len == 0 || u.rest.p[0] == '?')
        good = good && put(v, hm_slice("/", 1), false);
    return good && put(v, u.rest, false);
}

/* --- paths and mail -----------------------------------------------------------------------------
 */
struct hm_slice hm_intel_base_name(struct hm_slice path)
{
    size_t i = path.len;
    while (i > 0 && path.p[i - 1] != '/' && path.p[i - 1] != '\\')
        i--;
    return after(path, i);
}

bool hm_intel_value_path(enum hm_intel_kind k, struct hm_slice s, struct hm_intel_value *v)
{
    v->kind = k;
    v->len = 0;
    return s.len > 0 && put(v, s, true);
}

static enum hm_intel_reason read_path(enum hm_intel_kind k, struct hm_slice s,
                                      struct hm_intel_value *v)
{
    struct hm_slice name = hm_intel_base_name(s);
    /* A folder is no file, and "a" or "*" names everything. */
    if (name.len < 2 || (k == HM_INTEL_NAME && name.len != s.len))
        return HM_INTEL_WHY_BAD_PATH;
    return hm_intel_value_path(k, s, v) ? HM_INTEL_WHY_NONE : HM_INTEL_WHY_TOO_LONG;
}

static enum hm_intel_reason read_mail(struct hm_slice s, struct hm_intel_value *v)
{
    struct hm_intel_value host;
    size_t at = run_until(s, "@@@");
    for (size_t i = 0; i < at; i++)
        if (strchr(" \t\"<>,;", s.p[i]))
            return HM_INTEL_WHY_BAD_MAIL;
    if (at == 0 || at >= s.len || s.p[at] != '@' || at > 64 ||
        fold_domain(after(s, at + 1), &host) < 2)
        return HM_INTEL_WHY_BAD_MAIL;
    v->len = 0;
    return put(v, s, true) ? HM_INTEL_WHY_NONE : HM_INTEL_WHY_TOO_LONG;
}

static bool clean_text(struct hm_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return true;
}

static enum hm_intel_reason read_kind(enum hm_intel_kind k, struct hm_slice s,
                                      struct hm_intel_value *v)
{
    switch (k) {
    case HM_INTEL_MD5:
    case HM_INTEL_SHA1:
    case HM_INTEL_SHA256:
        return read_digest(k, s, v);
    case HM_INTEL_IP:
        return read_ip(s, v);
    case HM_INTEL_DOMAIN:
        return read_domain(s, v);
    case HM_INTEL_URL:
        return hm_intel_value_url(s, v, NULL) ? HM_INTEL_WHY_NONE : HM_INTEL_WHY_BAD_URL;
    case HM_INTEL_MAIL:
        return read_mail(s, v);
    default:
        return read_path(k, s, v);
    }
}

enum hm_intel_reason hm_intel_value_read(enum hm_intel_kind k, struct hm_slice text,
                                         struct hm_intel_value *v)
{
    struct hm_intel_value plain;
    text = hm_intel_trim(text);
    if (text.len == 0)
        return HM_INTEL_WHY_EMPTY;
    if (text.len > HM_INTEL_VALUE_MAX_BYTES)
        return HM_INTEL_WHY_TOO_LONG;
    if (!clean_text(text))
        return HM_INTEL_WHY_NOT_TEXT;
    bool net = k == HM_INTEL_IP || k == HM_INTEL_DOMAIN || k == HM_INTEL_URL || k == HM_INTEL_MAIL;
    if (net) {
        if (!hm_intel_refang(text, &plain))
            return HM_INTEL_WHY_TOO_LONG;
        text = hm_slice(plain.bytes, plain.len);
    }
    v->kind = k;
    v->prefix = 0;
    return read_kind(k, text, v);
}
