/* Frames on a stream: le32 length of the rest, le16 message number, message. Owns the framing
 * and its ceiling; refuses to know what a message means. */
#include "wire/frame.h"

#include <errno.h>

#define HEAD_BYTES   4
#define NUMBER_BYTES 2

void hm_frame_encode(const struct hm_msg_desc *d, const void *msg, struct hm_buf *out)
{
    size_t at = out->len;

    hm_buf_put_le32(out, 0); /* known after the message is written */
    hm_buf_put_le16(out, (uint16_t)d->number);
    hm_msg_encode(d, msg, out);
    if (out->error)
        return;
    size_t rest = out->len - at - HEAD_BYTES;
    if (rest > HM_FRAME_MAX) {
        out->len = at;
        out->error = -E2BIG;
        return;
    }
    for (int i = 0; i < HEAD_BYTES; i++)
        out->data[at + (size_t)i] = (uint8_t)(rest >> (8 * i));
}

int hm_frame_peek(struct hm_slice in, uint16_t *ret_number, struct hm_slice *ret_payload,
                  size_t *ret_len)
{
    if (in.len < HEAD_BYTES)
        return 0;
    struct hm_cursor c = hm_cursor(in);
    uint32_t rest = hm_cursor_le32(&c);
    if (rest > HM_FRAME_MAX)
        return -EMSGSIZE; /* said before a byte of it is buffered */
    if (rest < NUMBER_BYTES)
        return -EBADMSG;
    if (hm_cursor_left(&c) < rest)
        return 0;
    *ret_number = hm_cursor_le16(&c);
    *ret_payload = hm_cursor_take(&c, rest - NUMBER_BYTES);
    *ret_len = HEAD_BYTES + rest;
    return 1;
}
