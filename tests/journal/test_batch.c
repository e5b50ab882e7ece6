/* Batches: what goes in comes out in order, and no changed byte is ever handed out. */
#include "test_journal.h"
#include "base/compress.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct hm_batch_head start_head(enum hm_lane lane)
{
    struct hm_batch_head h = {.epoch = 11, .boot = 22, .lane = lane, .first_seq = 1000};

    memset(h.endpoint, 0xe1, sizeof h.endpoint);
    return h;
}

static void make_event(struct hm_event *e, unsigned i, char text[64])
{
    hm_event_clear(e);
    hm_event_set_u64(e, HM_F_CLASS, HM_CLASS_PROCESS);
    hm_event_set_u64(e, HM_F_ACTION, HM_ACTION_PROCESS_EXEC);
    hm_event_set_u64(e, HM_F_WALL_NS, 5000 + (i * 7) % 13);
    hm_event_set(e, HM_F_TENANT, hm_slice_str("smuggled"));
    hm_event_set(e, HM_F_PROCESS_IMAGE,
                 hm_slice(text, (size_t)snprintf(text, 64, "/bin/tool-%u", i)));
}

struct seen {
    unsigned n, stop_at;
    uint64_t first_seq;
    int stop_with;
};

static int see(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    struct seen *s = ctx;
    char text[64];
    struct hm_buf again = HM_BUF(HM_EVENT_MAX_BYTES);

    assert_true(hm_event_u64(e, HM_F_SEQ) == s->first_seq + 2 * s->n);
    snprintf(text, sizeof text, "/bin/tool-%u", s->n);
    assert_true(hm_slice_eq(hm_event_str(e, HM_F_PROCESS_IMAGE), hm_slice_str(text)));
    assert_false(hm_event_has(e, HM_F_TENANT));
    hm_event_encode(e, &again);
    assert_true(hm_slice_eq(hm_buf_slice(&again), canonical));
    hm_buf_done(&again);
    return ++s->n == s->stop_at ? s->stop_with : 0;
}

static void events_come_out_in_order(void **state)
{
    struct hm_batch_head h = start_head(HM_LANE_ALERT), got;
    struct hm_batch_writer *w = hm_batch_writer_new(&h);
    struct hm_buf out = HM_BUF(HM_BATCH_MAX_BYTES), raw = HM_BUF(HM_BATCH_MAX_BYTES);
    static struct hm_event e;
    uint8_t hash[32], head_hash[32];
    char text[64];

    assert_int_equal(hm_batch_close(w, &out), -ENODATA);
    for (unsigned i = 0; i < 100; i++) {
        make_event(&e, i, text);
        assert_int_equal(hm_batch_add(w, &e), 0);
        assert_true(hm_event_u64(&e, HM_F_SEQ) == 1001 + 2 * i); /* the lane is the low bit */
    }
    assert_int_equal(hm_batch_pending(w), 100);
    assert_int_equal(hm_batch_close(w, &out), 0);
    assert_int_equal(hm_batch_pending(w), 0);
    assert_int_equal(hm_batch_head(hm_buf_slice(&out), &got, hash), 0);
    assert_memory_equal(got.endpoint, h.endpoint, 16);
    assert_true(got.epoch == 11 && got.boot == 22 && got.lane == 1 && got.number == 0);
    assert_true(got.first_seq == 1001 && got.count == 100);
    assert_true(got.first_wall_ns == 5000 && got.last_wall_ns == 5012);
    hm_sha256(hm_slice(out.data, 4 + 16 + 64 + 64), head_hash);
    assert_memory_equal(hash, head_hash, 32);
    struct seen s = {.first_seq = 1001};
    assert_int_equal(hm_batch_each(hm_buf_slice(&out), &raw, see, &s), 0);
    assert_int_equal(s.n, 100);
    s = (struct seen){.first_seq = 1001, .stop_at = 7, .stop_with = -77};
    assert_int_equal(hm_batch_each(hm_buf_slice(&out), &raw, see, &s), -77);
    assert_int_equal(s.n, 7);
    hm_batch_writer_free(w);
    hm_batch_writer_free(NULL);
    hm_buf_done(&out);
    hm_buf_done(&raw);
}

static void batches_are_chained(void **state)
{
    struct hm_batch_head h = start_head(HM_LANE_BULK), got;
    struct hm_batch_writer *w = hm_batch_writer_new(&h);
    static struct hm_event e;
    uint8_t prev[32] = {0}, hash[32];
    uint64_t seq = 1000;
    char text[64];

    for (unsigned b = 0; b < 5; b++) {
        struct hm_buf out = HM_BUF(HM_BATCH_MAX_BYTES);
        for (unsigned i = 0; i <= b; i++) {
            make_event(&e, i, text);
            assert_int_equal(hm_batch_add(w, &e), 0);
        }
        assert_int_equal(hm_batch_close(w, &out), 0);
        assert_int_equal(hm_batch_head(hm_buf_slice(&out), &got, hash), 0);
        assert_true(got.number == b && got.first_seq == seq && got.count == b + 1);
        assert_memory_equal(got.prev, prev, 32);
        memcpy(prev, hash, 32);
        seq += 2 * got.count;
        hm_buf_done(&out);
    }
    hm_batch_writer_free(w);
}

static struct hm_buf one_batch(unsigned count)
{
    struct hm_batch_head h = start_head(HM_LANE_BULK);
    struct hm_batch_writer *w = hm_batch_writer_new(&h);
    struct hm_buf out = HM_BUF(HM_BATCH_MAX_BYTES);
    static struct hm_event e;
    char text[64];

    for (unsigned i = 0; i < count; i++) {
        make_event(&e, i, text);
        assert_int_equal(hm_batch_add(w, &e), 0);
    }
    assert_int_equal(hm_batch_close(w, &out), 0);
    hm_batch_writer_free(w);
    return out;
}

static int never(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    fail_msg("an event of a damaged batch was handed out");
    return 0;
}

/* The head's epoch, boot and endpoint are bound by the chain hash, not by the batch alone: a flip
 * there gives another hash. A flip in the body may be one the decompressor does not care for: then
 * the events are the very same. Any other flip is refused before an event comes out. */
static void every_flipped_bit_is_noticed(void **state)
{
    struct hm_buf b = one_batch(20), raw = HM_BUF(HM_BATCH_MAX_BYTES);
    struct hm_batch_head h;
    uint8_t hash[32], flipped[32];
    size_t identity = 0, refused = 0;

    assert_int_equal(hm_batch_head(hm_buf_slice(&b), &h, hash), 0);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        size_t at = bit / 8;
        b.data[at] ^= (uint8_t)(1 << bit % 8);
        int r = hm_batch_head(hm_buf_slice(&b), &h, flipped);
        if (r == 0 && at < 148)
            assert_memory_not_equal(hash, flipped, 32);
        if (r == 0 && at >= 4 && at < 4 + 16 + 16)
            identity++; /* endpoint, epoch, boot */
        else if (at < 148)
            assert_int_equal(hm_batch_each(hm_buf_slice(&b), &raw, never, NULL), -EBADMSG);
        else {
            struct seen s = {.first_seq = 1000};
            int e = hm_batch_each(hm_buf_slice(&b), &raw, see, &s);
            assert_true(e == 0 ? s.n == 20 : e == -EBADMSG && s.n == 0);
            refused += e != 0;
        }
        b.data[at] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(identity, 32 * 8);
    assert_true(refused > (b.len - 148) * 8 - 40); /* nearly every flip is not harmless */
    hm_buf_done(&b);
    hm_buf_done(&raw);
}

static void every_truncation_and_addition_is_refused(void **state)
{
    struct hm_buf b = one_batch(5), raw = HM_BUF(HM_BATCH_MAX_BYTES);
    struct hm_batch_head h;

    for (size_t cut = 0; cut < b.len; cut++) {
        uint8_t *p = malloc(cut ? cut : 1);
        memcpy(p, b.data, cut);
        assert_int_equal(hm_batch_head(hm_slice(p, cut), &h, NULL), -EBADMSG);
        assert_int_equal(hm_batch_each(hm_slice(p, cut), &raw, never, NULL), -EBADMSG);
        free(p);
    }
    hm_buf_put_u8(&b, 0);
    assert_int_equal(hm_batch_head(hm_buf_slice(&b), &h, NULL), -EBADMSG);
    hm_buf_done(&b);
    hm_buf_done(&raw);
}

/* Builds a batch by hand around any raw bytes, with a true root over whatever can be walked. */
static struct hm_buf forge(struct hm_batch_head h, struct hm_slice raw, uint8_t codec,
                           uint32_t stated)
{
    struct hm_buf b = HM_BUF(HM_BATCH_MAX_BYTES), body = HM_BUF(HM_BATCH_MAX_BYTES);
    struct hm_cursor c = hm_cursor(raw);
    struct hm_merkle m = {0};
    const uint64_t numbers[] = {h.epoch,     h.boot,  h.lane,          h.number,
                                h.first_seq, h.count, h.first_wall_ns, h.last_wall_ns};

    while (hm_cursor_left(&c)) {
        uint8_t leaf[32];
        hm_merkle_leaf(hm_cursor_take(&c, hm_cursor_varint(&c)), leaf);
        hm_merkle_add(&m, leaf);
    }
    hm_merkle_sum(&m, h.root);
    hm_buf_puts(&b, "HMB1");
    hm_buf_put(&b, h.endpoint, 16);
    for (size_t i = 0; i < 8; i++)
        hm_buf_put_le64(&b, numbers[i]);
    hm_buf_put(&b, h.prev, 32);
    hm_buf_put(&b, h.root, 32);
    assert_int_equal(hm_compress((enum hm_codec)codec, raw, &body), 0);
    hm_buf_put_u8(&b, codec);
    hm_buf_put_le32(&b, stated);
    hm_buf_put_le32(&b, (uint32_t)body.len);
    hm_buf_put(&b, body.data, body.len);
    hm_buf_done(&body);
    return b;
}

static int count_one(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    ++*(unsigned *)ctx;
    return 0;
}

static void a_hostile_endpoint_gets_nothing_through(void **state)
{
    static const struct {
        const char *name;
        size_t len;
        uint8_t raw[16];
        uint64_t count, first_seq, lane, number, first_wall;
        int want;
    } rows[] = {
        {"good: seq 2, 4", 6, {2, 0x28, 2, 2, 0x28, 4}, 2, 2, 0, 0, 0, 0},
        {"good: lane 1", 3, {2, 0x28, 3}, 1, 3, 1, 0, 0, 0},
        {"count too small", 6, {2, 0x28, 2, 2, 0x28, 4}, 1, 2, 0, 0, 0, -EBADMSG},
        {"count too large", 6, {2, 0x28, 2, 2, 0x28, 4}, 3, 2, 0, 0, 0, -EBADMSG},
        {"count zero", 0, {0}, 0, 2, 0, 0, 0, -EBADMSG},
        {"count astronomic", 3, {2, 0x28, 2}, UINT64_MAX, 2, 0, 0, 0, -EBADMSG},
        {"seq of the other lane", 3, {2, 0x28, 3}, 1, 2, 0, 0, 0, -EBADMSG},
        {"seq repeats", 6, {2, 0x28, 2, 2, 0x28, 2}, 2, 2, 0, 0, 0, -EBADMSG},
        {"seq skips", 6, {2, 0x28, 2, 2, 0x28, 6}, 2, 2, 0, 0, 0, -EBADMSG},
        {"no seq", 3, {2, 0x08, 1}, 1, 0, 0, 0, 0, -EBADMSG},
        {"empty event", 1, {0}, 1, 0, 0, 0, 0, -EBADMSG},
        {"not minimal", 4, {3, 0x28, 0x82, 0}, 1, 2, 0, 0, 0, -EBADMSG},
        {"length not minimal", 4, {0x82, 0, 0x28, 2}, 1, 2, 0, 0, 0, -EBADMSG},
        {"length past the end", 3, {3, 0x28, 2}, 1, 2, 0, 0, 0, -EBADMSG},
        {"tenant inside", 7, {6, 0x28, 2, 0x82, 1, 1, 'x'}, 1, 2, 0, 0, 0, -EBADMSG},
        {"first_seq in the wrong lane", 3, {2, 0x28, 3}, 1, 3, 0, 0, 0, -EBADMSG},
        {"lane 2", 3, {2, 0x28, 2}, 1, 2, 2, 0, 0, -EBADMSG},
        {"number 1 without prev", 3, {2, 0x28, 2}, 1, 2, 0, 1, 0, -EBADMSG},
        {"a time nobody has", 3, {2, 0x28, 2}, 1, 2, 0, 0, 9, -EBADMSG},
    };

    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        for (uint8_t codec = 0; codec <= HM_CODEC_ZLIB; codec++) {
            struct hm_batch_head h = {.lane = rows[i].lane,
                                      .number = rows[i].number,
                                      .first_seq = rows[i].first_seq,
                                      .count = rows[i].count,
                                      .first_wall_ns = rows[i].first_wall};
            struct hm_buf b =
                forge(h, hm_slice(rows[i].raw, rows[i].len), codec, (uint32_t)rows[i].len);
            struct hm_buf raw = HM_BUF(HM_BATCH_MAX_BYTES);
            unsigned n = 0;
            int r = hm_batch_each(hm_buf_slice(&b), &raw, count_one, &n);
            if (r != rows[i].want || n != (r == 0 ? rows[i].count : 0))
                fail_msg("%s: %d, %u events", rows[i].name, r, n);
            hm_buf_done(&b);
            hm_buf_done(&raw);
        }
}

static void bombs_stop_at_the_stated_size(void **state)
{
    static const uint8_t zeros[300000];
    struct hm_batch_head h = {.count = 1};
    struct hm_buf raw = HM_BUF(HM_BATCH_MAX_BYTES);
    static const uint32_t stated[] = {0, 10, 299999, 300001, 400000, UINT32_MAX};

    for (size_t i = 0; i < HM_ARRAY_LEN(stated); i++)
        for (uint8_t codec = 0; codec <= HM_CODEC_ZLIB; codec++) {
            struct hm_buf b = forge(h, hm_slice(zeros, sizeof zeros), codec, stated[i]);
            assert_int_equal(hm_batch_each(hm_buf_slice(&b), &raw, never, NULL), -EBADMSG);
            assert_true(raw.cap <= 1 << 20);
            hm_buf_done(&b);
        }
    hm_buf_done(&raw);
}

static void a_full_batch_says_so_and_a_large_event_is_refused(void **state)
{
    struct hm_batch_head h = start_head(HM_LANE_BULK), got;
    struct hm_batch_writer *w = hm_batch_writer_new(&h);
    static struct hm_event e;
    struct hm_buf out = HM_BUF(HM_BATCH_MAX_BYTES), raw = HM_BUF(HM_BATCH_MAX_BYTES);
    uint8_t *noise = malloc(HM_EVENT_MAX_BYTES);
    unsigned n = 0;

    assert_int_equal(hm_random(noise, HM_EVENT_MAX_BYTES), 0);
    hm_event_clear(&e);
    hm_event_set(&e, HM_F_SCRIPT_TEXT, hm_slice(noise, HM_EVENT_MAX_BYTES));
    assert_int_equal(hm_batch_add(w, &e), -E2BIG);
    assert_int_equal(hm_batch_pending(w), 0);
    hm_event_set(&e, HM_F_SCRIPT_TEXT, hm_slice(noise, 60 * 1024)); /* 60 KiB: not yet full */
    assert_int_equal(hm_batch_add(w, &e), 0);
    hm_event_set(&e, HM_F_SCRIPT_TEXT, hm_slice(noise, HM_EVENT_MAX_BYTES - 20));
    assert_int_equal(hm_batch_add(w, &e),
                     1); /* the worst batch there is: noise, and past the mark */
    assert_int_equal(hm_batch_add(w, &e), -EBUSY);
    struct hm_buf tiny = HM_BUF(1000);
    assert_int_equal(hm_batch_close(w, &tiny), -E2BIG); /* no room: nothing happened */
    assert_int_equal(tiny.len, 0);
    assert_int_equal(hm_batch_pending(w), 2);
    assert_int_equal(hm_batch_close(w, &out), 0);
    assert_int_equal(hm_batch_head(hm_buf_slice(&out), &got, NULL), 0);
    assert_true(got.number == 0 && got.count == 2 && got.first_seq == 1000);
    assert_int_equal(hm_batch_each(hm_buf_slice(&out), &raw, count_one, &n), 0);
    assert_int_equal(n, 2);
    free(noise);
    hm_batch_writer_free(w);
    hm_buf_done(&tiny);
    hm_buf_done(&out);
    hm_buf_done(&raw);
}

int test_batch(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_out_in_order),
        cmocka_unit_test(batches_are_chained),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(every_truncation_and_addition_is_refused),
        cmocka_unit_test(a_hostile_endpoint_gets_nothing_through),
        cmocka_unit_test(bombs_stop_at_the_stated_size),
        cmocka_unit_test(a_full_batch_says_so_and_a_large_event_is_refused),
    };

    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
