/* A batch from an endpoint. The first byte even: the rest is the batch. Odd: the rest is the body,
 * and a head is made around it whose root is true, or no fuzzer would ever get past it. */
#include "base/compress.h"
#include "journal/batch.h"
#include "journal/journal.h"

struct seen {
    uint64_t n, first_seq;
};

static int each(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    struct seen *s = ctx;

    if (hm_event_u64(e, HM_F_SEQ) != s->first_seq + 2 * s->n++ || hm_event_has(e, HM_F_TENANT))
        __builtin_trap();
    return 0;
}

static void wrap(struct hm_slice body, struct hm_buf *out)
{
    struct hm_batch_head h = {.first_seq = 2};
    struct hm_cursor c = hm_cursor(body);
    struct hm_merkle m = {0};

    for (; hm_cursor_left(&c); h.count++) {
        uint8_t leaf[HM_SHA256_BYTES];
        hm_merkle_leaf(hm_cursor_take(&c, hm_cursor_varint(&c)), leaf);
        hm_merkle_add(&m, leaf);
    }
    hm_merkle_sum(&m, h.root);
    hm_batch_put_head(&h, out);
    hm_buf_put_u8(out, HM_CODEC_NONE);
    hm_buf_put_le32(out, (uint32_t)body.len);
    hm_buf_put_le32(out, (uint32_t)body.len);
    hm_buf_put(out, body.p, body.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hm_buf made = HM_BUF(HM_BATCH_MAX_BYTES), raw = HM_BUF(HM_BATCH_MAX_BYTES);
    struct hm_slice batch = size ? hm_slice(data + 1, size - 1) : (struct hm_slice){0};
    struct hm_batch_head h = {0};

    if (size && data[0] & 1) {
        wrap(batch, &made);
        batch = hm_buf_slice(&made);
    }
    bool opens = hm_batch_head(batch, &h, NULL) == 0;
    struct seen s = {.first_seq = h.first_seq};
    int r = hm_batch_each(batch, &raw, each, &s);
    if ((r == 0 && (!opens || s.n != h.count)) || (r < 0 && s.n))
        __builtin_trap();
    hm_buf_done(&made);
    hm_buf_done(&raw);
    return 0;
}
