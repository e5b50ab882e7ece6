/* The bounds-checked reader. Knows no format but little-endian and LEB128. */
#include "base/cursor.h"
#include <errno.h>

size_t hm_cursor_left(const struct hm_cursor *c)
{
    return c->error ? 0 : (size_t)(c->end - c->p);
}

void hm_cursor_fail(struct hm_cursor *c)
{
    c->error = -EBADMSG;
}

struct hm_slice hm_cursor_take(struct hm_cursor *c, size_t len)
{
    if (len > hm_cursor_left(c))
        hm_cursor_fail(c);
    if (c->error)
        return (struct hm_slice){0};
    struct hm_slice s = {c->p, len};
    if (len)
        c->p += len;
    return s;
}

static uint64_t take_le(struct hm_cursor *c, size_t width)
{
    struct hm_slice s = hm_cursor_take(c, width);
    uint64_t v = 0;

    for (size_t i = 0; i < s.len; i++)
        v |= (uint64_t)s.p[i] << (8 * i);
    return v;
}

uint8_t hm_cursor_u8(struct hm_cursor *c)
{
    return (uint8_t)take_le(c, 1);
}

uint16_t hm_cursor_le16(struct hm_cursor *c)
{
    return (uint16_t)take_le(c, 2);
}

uint32_t hm_cursor_le32(struct hm_cursor *c)
{
    return (uint32_t)take_le(c, 4);
}

uint64_t hm_cursor_le64(struct hm_cursor *c)
{
    return take_le(c, 8);
}

uint64_t hm_cursor_varint(struct hm_cursor *c)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && hm_cursor_left(c); shift += 7) {
        uint8_t b = *c->p++;
        /* the tenth byte has room for one bit; a last byte of zero adds nothing: not minimal */
        if ((shift == 63 && b > 1) || (shift && b == 0))
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    hm_cursor_fail(c);
    return 0;
}

int hm_cursor_end(const struct hm_cursor *c)
{
    if (c->error)
        return c->error;
    return c->p == c->end ? 0 : -EBADMSG;
}
