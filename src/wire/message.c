/* The table codec: walks a descriptor, writes and reads the canonical protobuf form. Owns what
 * "canonical" means for messages; refuses to know any single message. */
#include "wire/message.h"

#include "base/cursor.h"

#include <errno.h>

#define HM_MSG_DEF "wire/messages.def"
#include "wire/message_descs.h"
#undef HM_MSG_DEF

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

static void encode_field(const struct hm_msg_field *f, const uint8_t *msg, struct hm_buf *out)
{
    if (f->type == HM_MSG_U64) {
        uint64_t v;
        memcpy(&v, msg + f->offset, sizeof v);
        if (v == 0)
            return;
        hm_buf_put_varint(out, (uint64_t)f->number << 3 | WIRE_VARINT);
        hm_buf_put_varint(out, v);
        return;
    }
    struct hm_slice s;
    memcpy(&s, msg + f->offset, sizeof s);
    if (s.len == 0)
        return;
    hm_buf_put_varint(out, (uint64_t)f->number << 3 | WIRE_BYTES);
    hm_buf_put_varint(out, s.len);
    hm_buf_put(out, s.p, s.len);
}

void hm_msg_encode(const struct hm_msg_desc *d, const void *msg, struct hm_buf *out)
{
    for (uint32_t i = 0; i < d->field_count; i++)
        encode_field(&d->fields[i], msg, out);
}

static const struct hm_msg_field *find_field(const struct hm_msg_desc *d, uint64_t number,
                                             uint32_t *from)
{
    for (uint32_t i = *from; i < d->field_count; i++)
        if (d->fields[i].number == number) {
            *from = i + 1; /* ascending: what was passed over may not come any more */
            return &d->fields[i];
        }
    return NULL;
}

static void decode_value(struct hm_cursor *c, const struct hm_msg_field *f, uint64_t wire,
                         uint8_t *ret_msg)
{
    uint64_t v = hm_cursor_varint(c);

    /* A present zero or empty value would be left out on encoding: not canonical. */
    if (v == 0 || wire != (f->type == HM_MSG_U64 ? WIRE_VARINT : WIRE_BYTES)) {
        hm_cursor_fail(c);
        return;
    }
    if (f->type == HM_MSG_U64) {
        memcpy(ret_msg + f->offset, &v, sizeof v);
        return;
    }
    if (v > hm_cursor_left(c)) {
        hm_cursor_fail(c);
        return;
    }
    struct hm_slice s = hm_cursor_take(c, (size_t)v);
    memcpy(ret_msg + f->offset, &s, sizeof s);
}

int hm_msg_decode(const struct hm_msg_desc *d, struct hm_slice data, void *ret_msg)
{
    struct hm_cursor c = hm_cursor(data);
    uint32_t from = 0;

    memset(ret_msg, 0, d->size);
    while (!c.error && hm_cursor_left(&c) > 0) {
        uint64_t tag = hm_cursor_varint(&c);
        const struct hm_msg_field *f = c.error ? NULL : find_field(d, tag >> 3, &from);
        if (!f)
            return -EBADMSG;
        decode_value(&c, f, tag & 7, ret_msg);
    }
    return hm_cursor_end(&c);
}
