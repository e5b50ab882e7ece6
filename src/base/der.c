/* Just enough DER, written out: no general parser, nothing to get lost in. */
#include "base/der.h"
#include "base/cursor.h"
#include <errno.h>

static uint8_t *put_integer(uint8_t *p, const uint8_t n[HM_P256_BYTES])
{
    size_t skip = 0;

    while (skip < HM_P256_BYTES - 1 && n[skip] == 0)
        skip++;
    size_t len = HM_P256_BYTES - skip, pad = n[skip] >> 7; /* a leading zero keeps it positive */
    *p++ = 0x02;
    *p++ = (uint8_t)(len + pad);
    if (pad)
        *p++ = 0;
    memcpy(p, n + skip, len);
    return p + len;
}

size_t hm_der_put_signature(const uint8_t r[HM_P256_BYTES], const uint8_t s[HM_P256_BYTES],
                            uint8_t ret[72])
{
    uint8_t *end = put_integer(put_integer(ret + 2, r), s);

    ret[0] = 0x30;
    ret[1] = (uint8_t)(end - ret - 2);
    return (size_t)(end - ret);
}

/* Positive, minimal, at most 256 bits. */
static void take_integer(struct hm_cursor *c, uint8_t ret[HM_P256_BYTES])
{
    if (hm_cursor_u8(c) != 0x02)
        hm_cursor_fail(c);
    struct hm_slice v = hm_cursor_take(c, hm_cursor_u8(c));
    if (v.len == 0 || v.p[0] & 0x80 || (v.p[0] == 0 && v.len > 1 && !(v.p[1] & 0x80))) {
        hm_cursor_fail(c);
        return;
    }
    if (v.p[0] == 0 && v.len > 1)
        v = hm_slice(v.p + 1, v.len - 1);
    if (v.len > HM_P256_BYTES) {
        hm_cursor_fail(c);
        return;
    }
    memset(ret, 0, HM_P256_BYTES);
    memcpy(ret + HM_P256_BYTES - v.len, v.p, v.len);
}

int hm_der_get_signature(struct hm_slice der, uint8_t ret_r[HM_P256_BYTES],
                         uint8_t ret_s[HM_P256_BYTES])
{
    struct hm_cursor c = hm_cursor(der);
    uint8_t r[HM_P256_BYTES] = {0}, s[HM_P256_BYTES] = {0};

    if (hm_cursor_u8(&c) != 0x30 || hm_cursor_u8(&c) != der.len - 2)
        hm_cursor_fail(&c);
    take_integer(&c, r);
    take_integer(&c, s);
    if (hm_cursor_end(&c) < 0)
        return -EINVAL;
    memcpy(ret_r, r, sizeof r);
    memcpy(ret_s, s, sizeof s);
    return 0;
}

/* RFC 5958 and RFC 5915: version 0, ecPublicKey with prime256v1, then the key with version 1 */
static const uint8_t key_head[] = {0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06,
                                   0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                                   0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
                                   0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20};
static const uint8_t key_middle[] = {0xa1, 0x44, 0x03, 0x42, 0x00}; /* [1] BIT STRING: the point */
_Static_assert(sizeof key_head + HM_P256_BYTES + sizeof key_middle + 65 == HM_P256_PKCS8_BYTES,
               "the parts make the whole");

void hm_der_put_key(const uint8_t d[HM_P256_BYTES], const uint8_t pub[65],
                    uint8_t ret[HM_P256_PKCS8_BYTES])
{
    uint8_t *p = ret;

    memcpy(p, key_head, sizeof key_head);
    p += sizeof key_head;
    memcpy(p, d, HM_P256_BYTES);
    p += HM_P256_BYTES;
    memcpy(p, key_middle, sizeof key_middle);
    memcpy(p + sizeof key_middle, pub, 65);
}

int hm_der_get_key(struct hm_slice der, uint8_t ret_d[HM_P256_BYTES], uint8_t ret_pub[65])
{
    struct hm_cursor c = hm_cursor(der);
    struct hm_slice head = hm_cursor_take(&c, sizeof key_head);
    struct hm_slice d = hm_cursor_take(&c, HM_P256_BYTES);
    struct hm_slice middle = hm_cursor_take(&c, sizeof key_middle);
    struct hm_slice pub = hm_cursor_take(&c, 65);

    if (hm_cursor_end(&c) < 0 || !hm_slice_eq(head, hm_slice(key_head, sizeof key_head)) ||
        !hm_slice_eq(middle, hm_slice(key_middle, sizeof key_middle)) || pub.p[0] != 4)
        return -EINVAL;
    memcpy(ret_d, d.p, HM_P256_BYTES);
    memcpy(ret_pub, pub.p, 65);
    return 0;
}
