/* Owns the modifiers that encode: UTF-16, Base64 with its three offsets, and Windows' dashes. */
#include "detect/limits.h"
#include "detect/sigma/value.h"
#include <errno.h>

/* One UTF-8 sequence of plain bytes at t.u[i]; its length, 0 when malformed. */
static size_t decode(struct hm_text t, size_t i, uint32_t *ret)
{
    uint8_t c = (uint8_t)(t.u[i] & 0xff);
    size_t len = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 4;
    static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || i + len > t.n)
        return 0;
    uint32_t v = c & masks[len];
    for (size_t k = 1; k < len; k++) {
        uint16_t u = t.u[i + k];
        if (!HM_UNIT_IS_BYTE(u) || (u & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (u & 0x3f);
    }
    if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
        return 0;
    *ret = v;
    return len;
}

static void put16(struct hm_text *r, uint32_t v, bool big_endian)
{
    r->u[r->n++] = (uint16_t)(big_endian ? v >> 8 : v & 0xff);
    r->u[r->n++] = (uint16_t)(big_endian ? v & 0xff : v >> 8);
}

int hm_text_utf16(struct hm_lang *l, struct hm_text *t, bool big_endian, bool mark)
{
    struct hm_text r = {0, hm_arena_alloc(l->arena, (t->n * 2 + 2) * sizeof *r.u)};
    if (!r.u)
        return -ENOMEM;
    if (mark)
        put16(&r, 0xfeff, big_endian);
    for (size_t i = 0; i < t->n;) {
        uint32_t v = 0;
        if (!HM_UNIT_IS_BYTE(t->u[i])) {
            r.u[r.n++] = t->u[i++];
            continue;
        }
        size_t len = decode(*t, i, &v);
        if (!len)
            return hm_fail(l->err, -EINVAL, "only text can be encoded as UTF-16, this is bytes");
        if (v >= 0x10000) {
            put16(&r, 0xd800 + ((v - 0x10000) >> 10), big_endian);
            put16(&r, 0xdc00 + ((v - 0x10000) & 0x3ff), big_endian);
        } else {
            put16(&r, v, big_endian);
        }
        i += len;
    }
    *t = r;
    return 0;
}

/* Base64 of pad zero-ish bytes and the text. Padding bytes only shift: what they touch is cut. */
static int encode(struct hm_lang *l, struct hm_text t, size_t pad, struct hm_text *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = t.n + pad;
    struct hm_text r = {0, hm_arena_alloc(l->arena, ((n + 2) / 3 * 4 + 1) * sizeof *r.u)};
    if (!r.u)
        return -ENOMEM;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (i + k < n && i + k >= pad ? t.u[i + k - pad] & 0xff : 0);
        for (size_t k = 0; k < 4; k++)
            r.u[r.n++] = i + k > n ? '=' : (uint16_t)digits[v >> (18 - 6 * k) & 63];
    }
    *ret = r;
    return 0;
}

static int check_bytes(struct hm_lang *l, struct hm_text t)
{
    if (hm_text_has_wildcards(t))
        return hm_fail(l->err, -EINVAL, "a value with wildcards cannot be encoded as Base64");
    if (hm_text_has_placeholders(t))
        return hm_fail(l->err, -EINVAL, "a value with placeholders cannot be encoded as Base64");
    return 0;
}

int hm_text_base64(struct hm_lang *l, struct hm_text *t)
{
    int r = check_bytes(l, *t);
    return r ? r : encode(l, *t, 0, t);
}

int hm_text_base64_offsets(struct hm_lang *l, struct hm_text t, struct hm_text ret[3])
{
    static const uint8_t from[] = {0, 2, 3}; /* digits that hold bits of what stands before */
    static const uint8_t cut[] = {0, 3, 2};  /* and of what follows, '=' included */
    int r = check_bytes(l, t);
    for (size_t i = 0; !r && i < 3; i++) {
        r = encode(l, t, i, &ret[i]);
        if (r)
            break;
        size_t end = ret[i].n - cut[(t.n + i) % 3];
        if (end <= from[i])
            return hm_fail(l->err, -EINVAL, "too short to be recognised inside Base64");
        ret[i].u += from[i];
        ret[i].n = end - from[i];
    }
    return r;
}

static bool is_word(struct hm_text t, size_t i)
{
    if (i >= t.n || !HM_UNIT_IS_BYTE(t.u[i]))
        return false;
    uint8_t c = (uint8_t)(t.u[i] & 0xff);
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c >= 0x80; /* a letter outside ASCII */
}

static const char *const dashes[] = {"-", "/", "\u2013", "\u2014", "\u2015"};

/* Length of a dash that begins at i, where a parameter may begin: not inside a word, before one. */
static size_t dash_at(struct hm_text t, size_t i)
{
    for (size_t d = 0; d < HM_ARRAY_LEN(dashes); d++) {
        size_t len = strlen(dashes[d]), k = 0;
        while (k < len && i + k < t.n && t.u[i + k] == (uint8_t)dashes[d][k])
            k++;
        if (k == len && !(i > 0 && is_word(t, i - 1)) && is_word(t, i + len))
            return len;
    }
    return 0;
}

/* Variant number v of the text: its digits in base 5 choose the dashes. */
static int variant(struct hm_lang *l, struct hm_text t, size_t v, struct hm_text *ret)
{
    struct hm_text r = {0, hm_arena_alloc(l->arena, (t.n * 3 + 1) * sizeof *r.u)};
    if (!r.u)
        return -ENOMEM;
    for (size_t i = 0; i < t.n;) {
        size_t len = dash_at(t, i);
        if (!len) {
            r.u[r.n++] = t.u[i++];
            continue;
        }
        for (const char *d = dashes[v % HM_ARRAY_LEN(dashes)]; *d; d++)
            r.u[r.n++] = (uint8_t)*d;
        v /= HM_ARRAY_LEN(dashes);
        i += len;
    }
    *ret = r;
    return 0;
}

int hm_text_windash(struct hm_lang *l, struct hm_text t, struct hm_text **ret, size_t *ret_count)
{
    size_t count = 1;
    for (size_t i = 0; i < t.n;) {
        size_t len = dash_at(t, i);
        if (len && (count *= HM_ARRAY_LEN(dashes)) > HM_WINDASH_MAX)
            return hm_fail(l->err, -E2BIG, "windash would make more than %d values of one",
                           HM_WINDASH_MAX);
        i += len ? len : 1;
    }
    struct hm_text *out = hm_arena_alloc(l->arena, count * sizeof *out);
    if (!out)
        return -ENOMEM;
    for (size_t v = 0; v < count; v++) {
        int r = variant(l, t, v, &out[v]);
        if (r)
            return r;
    }
    *ret = out;
    *ret_count = count;
    return 0;
}
