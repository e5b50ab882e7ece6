/* The one bounds-checked reader of foreign bytes (after Knot's wire_ctx): the error is sticky, a
 * failed read yields 0 / an empty slice, parsers check once at the end with hm_cursor_end(). */
#pragma once
#include "base/cleanup.h"
#include "base/slice.h"

struct hm_cursor {
    const uint8_t *p, *end;
    int error; /* 0 or -EBADMSG */
};

static inline struct hm_cursor hm_cursor(struct hm_slice s)
{
    return (struct hm_cursor){s.p, s.len ? s.p + s.len : s.p, 0};
}
size_t hm_cursor_left(const struct hm_cursor *c);
uint8_t hm_cursor_u8(struct hm_cursor *c);
uint16_t hm_cursor_le16(struct hm_cursor *c);
uint32_t hm_cursor_le32(struct hm_cursor *c);
uint64_t hm_cursor_le64(struct hm_cursor *c);
uint64_t hm_cursor_varint(struct hm_cursor *c); /* non-minimal encodings are malformed */
struct hm_slice hm_cursor_take(struct hm_cursor *c, size_t len);
void hm_cursor_fail(struct hm_cursor *c);
/* 0 when everything was read and nothing failed; -EBADMSG otherwise (trailing bytes included). */
int hm_cursor_end(const struct hm_cursor *c) HM_CHECK;
