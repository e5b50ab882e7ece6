/* The codec: canonical protobuf wire format, straight over the presence bits. Canonical means: one
 * encoding an event, so that hashes and signatures speak of the event itself. Ascending fields,
 * each at most once, minimal varints, no envelope fields. Knows nothing of batches. */
#include "base/cursor.h"
#include "event/event.h"
#include <errno.h>

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };

#define WIRE_U64       WIRE_VARINT
#define WIRE_X64       WIRE_FIXED64
#define WIRE_STR       WIRE_BYTES
#define WIRE_IP        WIRE_BYTES
#define WIRE_EVENTS    WIRE_BYTES
#define NUMBERS        512
#define UNKNOWN_NUMBER ((1u << 29) - 1) /* the format's own ceiling */
#define MAX_VARINT     10
#define MAX_HEAD       (2 + MAX_VARINT) /* a tag below 512 takes two bytes */

struct row {
    uint8_t tag[2], tag_len, wire;
    uint16_t number;
    bool ip;
};

#define TAG(num, type) ((num) << 3 | WIRE_##type)
static const struct row rows[HM_FIELD_COUNT] = {
#define F(num, id, name, type, ...)                                                                \
    {{(TAG(num, type) & 0x7f) | (TAG(num, type) < 0x80 ? 0 : 0x80), TAG(num, type) >> 7},          \
     TAG(num, type) < 0x80 ? 1 : 2,                                                                \
     WIRE_##type,                                                                                  \
     num,                                                                                          \
     HM_TYPE_##type == HM_TYPE_IP},
#include "event/fields.def"
#undef F
};

/* number -> index + 1; 0: no such row */
static const uint8_t by_number[NUMBERS] = {
#define F(num, id, ...) [num] = HM_F_##id + 1,
#include "event/fields.def"
#undef F
};
_Static_assert(HM_FIELD_COUNT < 255, "by_number holds bytes");

#define ENVELOPE_FIRST HM_F_TENANT
#define ENVELOPE_LAST  HM_F_BATCH
_Static_assert(ENVELOPE_LAST < 64 && ENVELOPE_LAST - ENVELOPE_FIRST == 6, "envelope in word 0");
#define ENVELOPE_MASK                                                                              \
    ((UINT64_C(2) << ENVELOPE_LAST) - (UINT64_C(1) << ENVELOPE_FIRST)) /* bits FIRST..LAST */

static bool in_envelope(unsigned f)
{
    return f >= ENVELOPE_FIRST && f <= ENVELOPE_LAST;
}

static uint64_t encoded_bits(const struct hm_event *e, unsigned word)
{
    return word ? e->present[word] : e->present[0] & ~ENVELOPE_MASK;
}

/* --- encode ---------------------------------------------------------------------------------- */

static uint8_t *put_varint(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

static uint8_t *put_field(uint8_t *p, const struct row *r, const union hm_value *v)
{
    *p++ = r->tag[0];
    if (r->tag_len == 2)
        *p++ = r->tag[1];
    if (r->wire == WIRE_VARINT)
        return put_varint(p, v->u64);
    if (r->wire == WIRE_FIXED64) {
        for (int i = 0; i < 8; i++)
            p[i] = (uint8_t)(v->u64 >> (8 * i));
        return p + 8;
    }
    p = put_varint(p, v->bytes.len);
    if (v->bytes.len)
        memcpy(p, v->bytes.p, v->bytes.len);
    return p + v->bytes.len;
}

/* Room that is surely enough, or 0 when a value cannot be encoded. */
static size_t upper_bound(const struct hm_event *e)
{
    size_t n = 1; /* so that 0 means failure */

    for (unsigned w = 0; w < HM_PRESENT_WORDS; w++)
        for (uint64_t bits = encoded_bits(e, w); bits; bits &= bits - 1) {
            unsigned f = w * 64 + (unsigned)__builtin_ctzll(bits);
            n += MAX_HEAD;
            if (rows[f].wire != WIRE_BYTES)
                continue;
            size_t len = e->v[f].bytes.len;
            if (len > HM_EVENT_MAX_BYTES || (rows[f].ip && len != 4 && len != 16))
                return 0;
            n += len;
        }
    for (uint32_t i = 0; i < e->unknown_count; i++)
        n += e->unknown[i].raw.len;
    return n;
}

static uint8_t *put_unknown(uint8_t *p, const struct hm_event *e, uint32_t *i, uint32_t below)
{
    for (; *i < e->unknown_count && e->unknown[*i].number < below; (*i)++) {
        memcpy(p, e->unknown[*i].raw.p, e->unknown[*i].raw.len);
        p += e->unknown[*i].raw.len;
    }
    return p;
}

void hm_event_encode(const struct hm_event *e, struct hm_buf *out)
{
    size_t room = upper_bound(e);
    uint32_t unknown = 0;

    if (!room) {
        out->error = out->error ? out->error : -EINVAL;
        return;
    }
    uint8_t *start = hm_buf_extend(out, room), *p = start;
    if (!p)
        return;
    for (unsigned w = 0; w < HM_PRESENT_WORDS; w++)
        for (uint64_t bits = encoded_bits(e, w); bits; bits &= bits - 1) {
            unsigned f = w * 64 + (unsigned)__builtin_ctzll(bits);
            if (unknown < e->unknown_count)
                p = put_unknown(p, e, &unknown, rows[f].number);
            p = put_field(p, &rows[f], &e->v[f]);
        }
    p = put_unknown(p, e, &unknown, UINT32_MAX);
    out->len -= room - (size_t)(p - start);
}

/* --- decode ---------------------------------------------------------------------------------- */

static int keep_unknown(struct hm_cursor *c, const uint8_t *from, uint64_t tag, struct hm_event *e)
{
    if (tag >> 3 > UNKNOWN_NUMBER || e->unknown_count == HM_UNKNOWN_MAX)
        return -EBADMSG;
    switch (tag & 7) {
    case WIRE_VARINT:
        hm_cursor_varint(c);
        break;
    case WIRE_FIXED64:
        hm_cursor_take(c, 8);
        break;
    case WIRE_BYTES:
        hm_cursor_take(c, hm_cursor_varint(c));
        break;
    default:
        return -EBADMSG;
    }
    if (c->error)
        return c->error;
    e->unknown[e->unknown_count].number = (uint32_t)(tag >> 3);
    e->unknown[e->unknown_count].raw = hm_slice(from, (size_t)(c->p - from));
    e->unknown_count++;
    return 0;
}

static int take_field(struct hm_cursor *c, unsigned f, struct hm_event *e)
{
    union hm_value *v = &e->v[f];

    switch (rows[f].wire) {
    case WIRE_VARINT:
        v->u64 = hm_cursor_varint(c);
        break;
    case WIRE_FIXED64:
        v->u64 = hm_cursor_le64(c);
        break;
    default:
        v->bytes = hm_cursor_take(c, hm_cursor_varint(c));
        if (rows[f].ip && v->bytes.len != 4 && v->bytes.len != 16)
            return -EBADMSG;
    }
    e->present[f / 64] |= UINT64_C(1) << (f % 64);
    return c->error;
}

static int take_any(struct hm_cursor *c, uint64_t *last_number, struct hm_event *e)
{
    const uint8_t *from = c->p;
    uint64_t tag = hm_cursor_varint(c), number = tag >> 3;

    if (c->error || number <= *last_number) /* field 0, a repeated or a descending field */
        return -EBADMSG;
    *last_number = number;
    if (number >= NUMBERS || !by_number[number])
        return keep_unknown(c, from, tag, e);
    unsigned f = by_number[number] - 1u;
    if ((tag & 7) != rows[f].wire || in_envelope(f))
        return -EBADMSG;
    return take_field(c, f, e);
}

int hm_event_decode(struct hm_slice data, struct hm_event *ret_e)
{
    struct hm_cursor c = hm_cursor(data);
    uint64_t last = 0;
    int r = data.len > HM_EVENT_MAX_BYTES ? -EBADMSG : 0;

    hm_event_clear(ret_e);
    while (r == 0 && c.p != c.end)
        r = take_any(&c, &last, ret_e);
    if (r < 0)
        hm_event_clear(ret_e);
    return r;
}

/* --- lists of events ------------------------------------------------------------------------- */

void hm_event_pack(const struct hm_event *e, struct hm_buf *out)
{
    size_t at = out->len;

    hm_event_encode(e, out);
    if (out->error)
        return;
    size_t len = out->len - at;
    uint8_t head[MAX_VARINT];
    size_t n = (size_t)(put_varint(head, len) - head);
    if (!hm_buf_extend(out, n))
        return;
    memmove(out->data + at + n, out->data + at, len);
    memcpy(out->data + at, head, n);
}

int hm_event_unpack(struct hm_cursor *c, struct hm_event *ret_e)
{
    struct hm_slice data = hm_cursor_take(c, hm_cursor_varint(c));

    return c->error ? c->error : hm_event_decode(data, ret_e);
}
