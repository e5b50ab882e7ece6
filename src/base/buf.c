/* The growing byte buffer. Owns its memory; knows no format but little-endian and LEB128. */
#include "base/buf.h"
#include "base/limits.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void hm_buf_done(struct hm_buf *b)
{
    free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
    b->error = 0;
}

void hm_buf_clear(struct hm_buf *b)
{
    b->len = 0;
    b->error = 0;
}

static int grow(struct hm_buf *b, size_t len)
{
    if (len > b->max || b->len > b->max - len)
        return b->error = -E2BIG;
    size_t want = b->len + len;
    size_t cap = b->cap ? b->cap : HM_BUF_FIRST_BYTES;

    while (cap < want)
        cap = cap > SIZE_MAX / 2 ? want : cap * 2;
    uint8_t *p = realloc(b->data, cap);
    if (!p)
        return b->error = -ENOMEM;
    b->data = p;
    b->cap = cap;
    return 0;
}

uint8_t *hm_buf_extend(struct hm_buf *b, size_t len)
{
    if (b->error)
        return NULL;
    /* the ceiling holds even where the doubled capacity goes past it */
    if (!b->data || b->cap - b->len < len || b->max - b->len < len || b->len > b->max)
        if (grow(b, len) < 0)
            return NULL;
    uint8_t *p = b->data + b->len;
    b->len += len;
    return p;
}

void hm_buf_put(struct hm_buf *b, const void *p, size_t len)
{
    uint8_t *to = hm_buf_extend(b, len);

    if (to && len)
        memcpy(to, p, len);
}

void hm_buf_put_u8(struct hm_buf *b, uint8_t v)
{
    hm_buf_put(b, &v, 1);
}

static void put_le(struct hm_buf *b, uint64_t v, size_t width)
{
    uint8_t *to = hm_buf_extend(b, width);

    for (size_t i = 0; to && i < width; i++)
        to[i] = (uint8_t)(v >> (8 * i));
}

void hm_buf_put_le16(struct hm_buf *b, uint16_t v)
{
    put_le(b, v, 2);
}

void hm_buf_put_le32(struct hm_buf *b, uint32_t v)
{
    put_le(b, v, 4);
}

void hm_buf_put_le64(struct hm_buf *b, uint64_t v)
{
    put_le(b, v, 8);
}

void hm_buf_put_varint(struct hm_buf *b, uint64_t v)
{
    uint8_t t[10];
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        t[n++] = (uint8_t)(v | 0x80);
    t[n++] = (uint8_t)v;
    hm_buf_put(b, t, n);
}

void hm_buf_puts(struct hm_buf *b, const char *s)
{
    hm_buf_put(b, s, strlen(s));
}

void hm_buf_printf(struct hm_buf *b, const char *fmt, ...)
{
    char small[256];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->error = b->error ? b->error : -EINVAL;
        return;
    }
    if ((size_t)n < sizeof small) {
        hm_buf_put(b, small, (size_t)n);
        return;
    }
    uint8_t *to = hm_buf_extend(b, (size_t)n + 1);
    if (!to)
        return;
    va_start(ap, fmt);
    vsnprintf((char *)to, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len--; /* the NUL */
}
