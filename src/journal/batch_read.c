/* The batch reader: foreign bytes. Nothing is handed out before everything was checked. */
#include "base/compress.h"
#include "journal/batch.h"
#include <errno.h>

struct body {
    enum hm_codec codec;
    uint64_t raw_len;
    struct hm_slice bytes;
};

static void take(struct hm_cursor *c, void *to, size_t len)
{
    struct hm_slice s = hm_cursor_take(c, len);

    if (s.len == len)
        memcpy(to, s.p, len);
}

static bool all_zero(const uint8_t *p, size_t len)
{
    uint8_t or = 0;

    for (size_t i = 0; i < len; i++)
        or |= p[i];
    return or == 0;
}

static bool plausible(const struct hm_batch_head *h, const struct body *b)
{
    uint64_t room = (UINT64_MAX - h->first_seq) / 2;

    return h->lane < HM_LANE_COUNT && (h->first_seq & 1) == h->lane && h->count > 0 &&
           h->count <= b->raw_len && h->count <= room && b->codec <= HM_CODEC_ZLIB &&
           b->raw_len <= HM_BATCH_RAW_MAX && (h->number == 0) == all_zero(h->prev, sizeof h->prev);
}

static int parse(struct hm_slice batch, struct hm_batch_head *h, struct body *b)
{
    struct hm_cursor c = hm_cursor(batch);
    uint64_t *const numbers[] = {&h->epoch,     &h->boot,  &h->lane,          &h->number,
                                 &h->first_seq, &h->count, &h->first_wall_ns, &h->last_wall_ns};

    if (batch.len > HM_BATCH_MAX_BYTES)
        return -EBADMSG;
    if (!hm_slice_eq(hm_cursor_take(&c, 4), hm_slice(HM_BATCH_MAGIC, 4)))
        hm_cursor_fail(&c);
    take(&c, h->endpoint, sizeof h->endpoint);
    for (size_t i = 0; i < HM_ARRAY_LEN(numbers); i++)
        *numbers[i] = hm_cursor_le64(&c);
    take(&c, h->prev, sizeof h->prev);
    take(&c, h->root, sizeof h->root);
    b->codec = hm_cursor_u8(&c);
    b->raw_len = hm_cursor_le32(&c);
    b->bytes = hm_cursor_take(&c, hm_cursor_le32(&c));
    int r = hm_cursor_end(&c);
    return r == 0 && plausible(h, b) ? 0 : -EBADMSG;
}

int hm_batch_head(struct hm_slice batch, struct hm_batch_head *ret_head,
                  uint8_t ret_hash[HM_SHA256_BYTES])
{
    struct hm_batch_head h = {0};
    struct body b = {0};
    int r = parse(batch, &h, &b);

    if (r < 0)
        return r;
    *ret_head = h;
    if (ret_hash)
        hm_sha256(hm_slice(batch.p, HM_BATCH_HEAD_BYTES), ret_hash);
    return 0;
}

/* Every event against the head: order, form, times, root. */
static int check(struct hm_slice raw, const struct hm_batch_head *want, struct hm_event *e)
{
    struct hm_cursor c = hm_cursor(raw);
    struct hm_batch_head got = {.first_seq = want->first_seq};
    struct hm_merkle m = {0};

    for (; hm_cursor_left(&c); got.count++) {
        struct hm_slice bytes = hm_cursor_take(&c, hm_cursor_varint(&c));
        uint8_t leaf[HM_SHA256_BYTES];
        if (c.error || hm_event_decode(bytes, e) < 0 || !hm_event_has(e, HM_F_SEQ) ||
            e->v[HM_F_SEQ].u64 != want->first_seq + 2 * got.count)
            return -EBADMSG;
        hm_batch_see_time(&got, e);
        hm_merkle_leaf(bytes, leaf);
        hm_merkle_add(&m, leaf);
    }
    hm_merkle_sum(&m, got.root);
    bool same = hm_cursor_end(&c) == 0 && got.count == want->count &&
                got.first_wall_ns == want->first_wall_ns &&
                got.last_wall_ns == want->last_wall_ns &&
                memcmp(got.root, want->root, sizeof got.root) == 0;
    return same ? 0 : -EBADMSG;
}

static int hand_out(struct hm_slice raw, struct hm_event *e,
                    int (*each)(void *ctx, const struct hm_event *e, struct hm_slice canonical),
                    void *ctx)
{
    struct hm_cursor c = hm_cursor(raw);
    int r = 0;

    while (r == 0 && hm_cursor_left(&c)) {
        struct hm_slice bytes = hm_cursor_take(&c, hm_cursor_varint(&c));
        r = hm_event_decode(bytes, e);
        if (r == 0)
            r = each(ctx, e, bytes);
    }
    return r;
}

int hm_batch_each(struct hm_slice batch, struct hm_buf *raw,
                  int (*each)(void *ctx, const struct hm_event *e, struct hm_slice canonical),
                  void *ctx)
{
    struct hm_batch_head h = {0};
    struct body b = {0};
    struct hm_event e;
    int r = parse(batch, &h, &b);

    if (r < 0)
        return r;
    hm_buf_clear(raw);
    r = hm_decompress(b.codec, b.bytes, b.raw_len, raw);
    if (r == 0)
        r = check(hm_buf_slice(raw), &h, &e);
    return r < 0 ? r : hand_out(hm_buf_slice(raw), &e, each, ctx);
}
