/* See key.h. */
#include "detect/correlate/key.h"

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = ROTL(v[1], 13) ^ v[0];
    v[0] = ROTL(v[0], 32);
    v[2] += v[3];
    v[3] = ROTL(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = ROTL(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = ROTL(v[1], 17) ^ v[2];
    v[2] = ROTL(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    sip_round(v);
    sip_round(v);
    v[0] ^= m;
}

static uint64_t le_word(const uint8_t *p, size_t len)
{
    uint64_t m = 0;
    for (size_t i = 0; i < len; i++)
        m |= (uint64_t)p[i] << (8 * i);
    return m;
}

uint64_t hm_siphash(const uint64_t secret[2], const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t v[4] = {secret[0] ^ 0x736f6d6570736575u, secret[1] ^ 0x646f72616e646f6du,
                     secret[0] ^ 0x6c7967656e657261u, secret[1] ^ 0x7465646279746573u};
    size_t left = len;
    for (; left >= 8; left -= 8, p += 8)
        sip_word(v, le_word(p, 8));
    sip_word(v, le_word(p, left) | (uint64_t)len << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void put_hex(uint8_t *out, uint64_t v)
{
    for (int i = 0; i < 16; i++)
        out[i] = (uint8_t) "0123456789abcdef"[v >> (60 - 4 * i) & 15];
}

/* Two bytes: length + 1, 0 for absent. A long value keeps its beginning and ends in its hash, so
 * that different values stay different. */
void hm_key_add(struct hm_key *k, const uint64_t secret[2], struct hm_slice value)
{
    size_t len = value.len < HM_CORRELATE_VALUE_BYTES ? value.len : HM_CORRELATE_VALUE_BYTES;
    size_t mark = value.p ? len + 1 : 0;
    uint8_t *at = k->bytes + k->len;
    at[0] = (uint8_t)mark;
    at[1] = (uint8_t)(mark >> 8);
    if (value.p && len)
        memcpy(at + 2, value.p, len);
    if (value.p && value.len > HM_CORRELATE_VALUE_BYTES) {
        at[2 + len - 17] = '#';
        put_hex(at + 2 + len - 16, hm_siphash(secret, value.p, value.len));
    }
    k->len += 2 + (value.p ? len : 0);
}

struct hm_slice hm_key_value(const uint8_t *bytes, size_t len, size_t i)
{
    size_t at = 0;
    while (at + 2 <= len) {
        size_t mark = bytes[at] | (size_t)bytes[at + 1] << 8;
        size_t n = mark ? mark - 1 : 0;
        if (i-- == 0)
            return hm_slice(mark ? bytes + at + 2 : NULL, n);
        at += 2 + n;
    }
    return hm_slice(NULL, 0);
}

struct hm_slice hm_key_text(const struct hm_datum *d, char *scratch, size_t cap)
{
    if (d->kind == HM_DATUM_ABSENT || d->kind == HM_DATUM_NULL)
        return hm_slice(NULL, 0);
    if (d->kind != HM_DATUM_LIST)
        return hm_slice(d->text.p ? (const void *)d->text.p : "", d->text.len);
    size_t len = 0;
    for (size_t i = 0; i < d->count; i++) {
        struct hm_slice t = d->items[i].text;
        if (i && len < cap)
            scratch[len++] = 0x1f;
        size_t n = t.len < cap - len ? t.len : cap - len;
        if (n)
            memcpy(scratch + len, t.p, n);
        len += n;
    }
    return hm_slice(d->count ? scratch : NULL, len);
}
