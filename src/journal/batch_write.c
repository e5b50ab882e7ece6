/* The batch writer: gives events their seq, packs them, closes them together. Writes no file. */
#include "base/compress.h"
#include "journal/batch.h"
#include <errno.h>

struct hm_batch_writer {
    struct hm_batch_head head; /* of the batch that is open */
    struct hm_merkle merkle;
    struct hm_buf raw;
};

#define ENCODE_SLACK 4096 /* the encoder asks for more room than it uses */

static void begin(struct hm_batch_writer *w)
{
    w->head.count = w->head.first_wall_ns = w->head.last_wall_ns = 0;
    w->merkle.n = 0;
    hm_buf_clear(&w->raw);
}

struct hm_batch_writer *hm_batch_writer_new(const struct hm_batch_head *start)
{
    struct hm_batch_writer *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->raw = HM_BUF(HM_BATCH_RAW_MAX + ENCODE_SLACK);
    w->head = *start;
    w->head.first_seq = (start->first_seq & ~UINT64_C(1)) | start->lane;
    begin(w);
    return w;
}

void hm_batch_writer_free(struct hm_batch_writer *w)
{
    if (!w)
        return;
    hm_buf_done(&w->raw);
    free(w);
}

void hm_batch_see_time(struct hm_batch_head *h, const struct hm_event *e)
{
    if (!hm_event_has(e, HM_F_WALL_NS))
        return;
    uint64_t t = e->v[HM_F_WALL_NS].u64;
    if (!h->first_wall_ns || t < h->first_wall_ns)
        h->first_wall_ns = t;
    if (t > h->last_wall_ns)
        h->last_wall_ns = t;
}

/* The packed event's canonical bytes, behind the length that starts at `at`. */
static struct hm_slice canonical_at(const struct hm_buf *raw, size_t at)
{
    while (raw->data[at] & 0x80)
        at++;
    return hm_slice(raw->data + at + 1, raw->len - at - 1);
}

int hm_batch_add(struct hm_batch_writer *w, struct hm_event *e)
{
    size_t at = w->raw.len;
    int r = at >= HM_BATCH_RAW_BYTES ? -EBUSY : 0;
    struct hm_slice canonical = {0};
    uint8_t leaf[HM_SHA256_BYTES];

    if (r < 0)
        return r;
    hm_event_set_u64(e, HM_F_SEQ, w->head.first_seq + 2 * w->head.count);
    hm_event_pack(e, &w->raw);
    r = w->raw.error;
    if (r == 0) {
        canonical = canonical_at(&w->raw, at);
        r = canonical.len > HM_EVENT_MAX_BYTES ? -E2BIG : 0;
    }
    if (r < 0) {
        w->raw.error = 0;
        w->raw.len = at;
        return r == -EINVAL ? -E2BIG : r;
    }
    hm_merkle_leaf(canonical, leaf);
    hm_merkle_add(&w->merkle, leaf);
    hm_batch_see_time(&w->head, e);
    w->head.count++;
    return w->raw.len >= HM_BATCH_RAW_BYTES;
}

uint64_t hm_batch_pending(const struct hm_batch_writer *w)
{
    return w->head.count;
}

void hm_batch_put_head(const struct hm_batch_head *h, struct hm_buf *out)
{
    const uint64_t numbers[] = {h->epoch,     h->boot,  h->lane,          h->number,
                                h->first_seq, h->count, h->first_wall_ns, h->last_wall_ns};

    hm_buf_put(out, HM_BATCH_MAGIC, 4);
    hm_buf_put(out, h->endpoint, sizeof h->endpoint);
    for (size_t i = 0; i < HM_ARRAY_LEN(numbers); i++)
        hm_buf_put_le64(out, numbers[i]);
    hm_buf_put(out, h->prev, sizeof h->prev);
    hm_buf_put(out, h->root, sizeof h->root);
}

/* What does not shrink is kept as it is. */
static void put_body(struct hm_slice raw, struct hm_buf *out)
{
    struct hm_buf body = HM_BUF(HM_BATCH_MAX_BYTES);
    enum hm_codec codec = hm_compress_default();

    if (hm_compress(codec, raw, &body) < 0 || body.len >= raw.len) {
        hm_buf_clear(&body);
        codec = HM_CODEC_NONE;
    }
    struct hm_slice s = codec == HM_CODEC_NONE ? raw : hm_buf_slice(&body);
    hm_buf_put_u8(out, (uint8_t)codec);
    hm_buf_put_le32(out, (uint32_t)raw.len);
    hm_buf_put_le32(out, (uint32_t)s.len);
    hm_buf_put(out, s.p, s.len);
    hm_buf_done(&body);
}

int hm_batch_close(struct hm_batch_writer *w, struct hm_buf *out)
{
    struct hm_batch_head h = w->head;
    size_t at = out->len;

    if (h.count == 0)
        return -ENODATA;
    hm_merkle_sum(&w->merkle, h.root);
    hm_batch_put_head(&h, out);
    put_body(hm_buf_slice(&w->raw), out);
    if (out->error) {
        out->len = at;
        return out->error;
    }
    hm_sha256(hm_slice(out->data + at, HM_BATCH_HEAD_BYTES), w->head.prev);
    w->head.number++;
    w->head.first_seq += 2 * h.count;
    begin(w);
    return 0;
}
