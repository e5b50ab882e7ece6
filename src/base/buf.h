/* A growing byte buffer with a ceiling and a sticky error: write as much as you like, check once.
 * After a failure (-ENOMEM, or -E2BIG past max) further writes do nothing. */
#pragma once
#include "base/cleanup.h"
#include "base/slice.h"

struct hm_buf {
    uint8_t *data;
    size_t len, cap, max; /* max: ceiling in bytes, set at init */
    int error;            /* 0 or negative errno */
};

#define HM_BUF(max_bytes) ((struct hm_buf){.max = (max_bytes)})
void hm_buf_done(struct hm_buf *b);  /* frees; the struct may be used again */
void hm_buf_clear(struct hm_buf *b); /* keeps the memory, clears the error */
void hm_buf_put(struct hm_buf *b, const void *p, size_t len);
void hm_buf_put_u8(struct hm_buf *b, uint8_t v);
void hm_buf_put_le16(struct hm_buf *b, uint16_t v);
void hm_buf_put_le32(struct hm_buf *b, uint32_t v);
void hm_buf_put_le64(struct hm_buf *b, uint64_t v);
void hm_buf_put_varint(struct hm_buf *b, uint64_t v); /* minimal LEB128 */
void hm_buf_puts(struct hm_buf *b, const char *s);    /* without the NUL */
void hm_buf_printf(struct hm_buf *b, const char *fmt, ...) HM_PRINTF(2, 3);
/* Room for len bytes; NULL on error. The caller fills it at once. */
uint8_t *hm_buf_extend(struct hm_buf *b, size_t len);
static inline struct hm_slice hm_buf_slice(const struct hm_buf *b)
{
    return hm_slice(b->data, b->len);
}
