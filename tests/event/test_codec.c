/* The codec: what it writes byte by byte, what it refuses, and that every accepted input re-encodes
 * to itself. */
#include "test_event.h"
#include <errno.h>
#include <stdlib.h>

static void encodes_byte_by_byte(void **state)
{
    static const uint8_t ip[] = {192, 0, 2, 1};
    static const uint8_t want[] = {
        0x08, 1,                             /* class */
        0x10, 101,                           /* action */
        0x19, 8,    7,   6,   5, 4, 3, 2, 1, /* boot_ns, fixed64 */
        0x28, 0xac, 2,                       /* seq 300 */
        0x42, 2,    's', 'h',                /* process.image */
        0xa2, 6,    4,   192, 0, 2, 1,       /* src.ip, 100 */
        0xa8, 6,    0,                       /* src.port 0 is present */
    };
    struct hm_event e;
    struct hm_buf b = HM_BUF(1000);

    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_SRC_PORT, 0); /* the order of setting does not matter */
    hm_event_set(&e, HM_F_SRC_IP, hm_slice(ip, 4));
    hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("sh"));
    hm_event_set_u64(&e, HM_F_SEQ, 300);
    hm_event_set_u64(&e, HM_F_BOOT_NS, UINT64_C(0x0102030405060708));
    hm_event_set_u64(&e, HM_F_ACTION, 101);
    hm_event_set_u64(&e, HM_F_CLASS, 1);
    hm_event_set_u64(&e, HM_F_EPOCH, 5); /* envelope: stays out */
    hm_event_set(&e, HM_F_TENANT, hm_slice_str("other tenant"));
    hm_event_encode(&e, &b);
    assert_int_equal(b.error, 0);
    assert_int_equal(b.len, sizeof want);
    assert_memory_equal(b.data, want, sizeof want);
    hm_buf_done(&b);
}

static void same_value(const struct hm_event *a, const struct hm_event *b, int f)
{
    if (hm_fields[f].type == HM_TYPE_U64 || hm_fields[f].type == HM_TYPE_X64)
        assert_true(a->v[f].u64 == b->v[f].u64);
    else
        assert_true(hm_slice_eq(a->v[f].bytes, b->v[f].bytes));
}

static void every_field_round_trips(void **state)
{
    static uint8_t store[HM_FIELD_COUNT][64];
    static struct hm_event e, back;

    for (uint64_t seed = 0; seed < 500; seed++) {
        struct hm_buf b = HM_BUF(HM_EVENT_MAX_BYTES), again = HM_BUF(HM_EVENT_MAX_BYTES);
        fill_all(&e, seed, store);
        hm_event_encode(&e, &b);
        memset(&back, 0xee, sizeof back); /* decode must not rely on what was there */
        assert_int_equal(hm_event_decode(hm_buf_slice(&b), &back), 0);
        assert_int_equal(back.unknown_count, 0);
        for (int f = 0; f < HM_FIELD_COUNT; f++) {
            assert_int_equal(hm_event_has(&back, (enum hm_field)f), !hm_fields[f].envelope);
            if (!hm_fields[f].envelope)
                same_value(&e, &back, f);
        }
        hm_event_encode(&back, &again);
        assert_true(hm_slice_eq(hm_buf_slice(&b), hm_buf_slice(&again)));
        hm_buf_done(&b);
        hm_buf_done(&again);
    }
}

struct row {
    const char *name;
    size_t len;
    uint8_t in[40];
};

static void refuses_what_is_not_canonical(void **state)
{
    static const struct row rows[] = {
        {"field 0", 2, {0x00, 1}},
        {"descending fields", 4, {0x10, 1, 0x08, 1}},
        {"the same field twice", 4, {0x08, 1, 0x08, 1}},
        {"the same unknown field twice", 6, {0xb8, 9, 1, 0xb8, 9, 1}},
        {"tag of two bytes where one does", 3, {0x88, 0x00, 1}},
        {"value of two bytes where one does", 3, {0x08, 0x81, 0x00}},
        {"length of two bytes where one does", 5, {0x42, 0x82, 0x00, 's', 'h'}},
        {"value over 64 bits", 11, {0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2}},
        {"tag alone", 1, {0x08}},
        {"cut varint", 2, {0x08, 0x80}},
        {"cut fixed64", 8, {0x19, 1, 2, 3, 4, 5, 6, 7}},
        {"cut string", 4, {0x42, 3, 's', 'h'}},
        {"string of 2^63", 12, {0x42, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1, 'x'}},
        {"varint where fixed64 belongs", 2, {0x18, 1}},
        {"fixed64 where varint belongs", 9, {0x09, 1, 0, 0, 0, 0, 0, 0, 0}},
        {"varint where string belongs", 2, {0x40, 1}},
        {"string where varint belongs", 3, {0x0a, 1, 1}},
        {"fixed32", 5, {0x0d, 1, 0, 0, 0}},
        {"group start", 1, {0x0b}},
        {"group end", 1, {0x0c}},
        {"wire type 6", 2, {0x0e, 0}},
        {"wire type 7", 2, {0x0f, 0}},
        {"unknown field as group", 2, {0xbb, 0x09}},
        {"unknown field as fixed32", 6, {0xbd, 0x09, 1, 2, 3, 4}},
        {"unknown field cut", 3, {0xba, 0x09, 2}},
        {"unknown varint not minimal", 4, {0xb8, 0x09, 0x80, 0x00}},
        {"field number of 2^29", 7, {0x80, 0x80, 0x80, 0x80, 0x10, 1}},
        {"tenant from an endpoint", 6, {0x82, 0x01, 3, 'a', 'b', 'c'}},
        {"endpoint id from an endpoint", 4, {0x8a, 0x01, 1, 1}},
        {"batch number from an endpoint", 3, {0xb0, 0x01, 1}},
        {"address of 5 bytes", 8, {0xa2, 6, 5, 1, 2, 3, 4, 5}},
        {"address of no bytes", 3, {0xa2, 6, 0}},
        {"a zero byte at the end", 3, {0x08, 1, 0}},
    };
    static struct hm_event e;

    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        /* an exact copy on the heap: the sanitizer sees every byte read too far */
        uint8_t *p = malloc(rows[i].len);
        memcpy(p, rows[i].in, rows[i].len);
        if (hm_event_decode(hm_slice(p, rows[i].len), &e) != -EBADMSG)
            fail_msg("accepted: %s", rows[i].name);
        assert_true(e.present[0] == 0 && e.present[1] == 0 && e.unknown_count == 0);
        free(p);
    }
}

static void accepts_the_neighbours_of_what_it_refuses(void **state)
{
    static const struct row rows[] = {
        {"nothing", 0, {0}},
        {"empty string", 2, {0x42, 0}},
        {"largest number", 11, {0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}},
        {"ascending fields", 4, {0x08, 1, 0x10, 1}},
        {"address of 4", 7, {0xa2, 6, 4, 1, 2, 3, 4}},
        {"largest field number", 6, {0xf8, 0xff, 0xff, 0xff, 0x0f, 1}},
    };
    static struct hm_event e;

    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_buf b = HM_BUF(1000);
        struct hm_slice in = hm_slice(rows[i].in, rows[i].len);
        if (hm_event_decode(in, &e) != 0)
            fail_msg("refused: %s", rows[i].name);
        hm_event_encode(&e, &b);
        assert_true(hm_slice_eq(hm_buf_slice(&b), in));
        hm_buf_done(&b);
    }
}

static void every_truncation_is_refused_or_a_prefix(void **state)
{
    static uint8_t store[HM_FIELD_COUNT][64];
    static struct hm_event e;
    struct hm_buf b = HM_BUF(HM_EVENT_MAX_BYTES);
    size_t whole = 0;

    fill_all(&e, 4711, store);
    hm_event_encode(&e, &b);
    for (size_t cut = 0; cut < b.len; cut++) {
        uint8_t *p = malloc(cut ? cut : 1);
        struct hm_buf again = HM_BUF(HM_EVENT_MAX_BYTES);
        memcpy(p, b.data, cut);
        if (hm_event_decode(hm_slice(p, cut), &e) == 0) { /* only between two fields */
            hm_event_encode(&e, &again);
            assert_true(hm_slice_eq(hm_buf_slice(&again), hm_slice(p, cut)));
            whole++;
        }
        hm_buf_done(&again);
        free(p);
    }
    assert_int_equal(whole, HM_FIELD_COUNT - 7); /* as many places as fields outside the envelope */
    hm_buf_done(&b);
}

static void every_flipped_bit_is_refused_or_canonical(void **state)
{
    static uint8_t store[HM_FIELD_COUNT][64];
    static struct hm_event e;
    struct hm_buf b = HM_BUF(HM_EVENT_MAX_BYTES), again = HM_BUF(HM_EVENT_MAX_BYTES);

    fill_all(&e, 31, store);
    hm_event_encode(&e, &b);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (hm_event_decode(hm_buf_slice(&b), &e) == 0) {
            hm_buf_clear(&again);
            hm_event_encode(&e, &again);
            assert_true(hm_slice_eq(hm_buf_slice(&again), hm_buf_slice(&b)));
        }
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    hm_buf_done(&b);
    hm_buf_done(&again);
}

static void unknown_fields_are_carried_along_in_their_place(void **state)
{
    static const uint8_t in[] = {
        0x08, 1,                                  /* class */
        0xb8, 0x01, 7,                            /* 23: not in the table */
        0xc1, 0x01, 1, 2,   3,   4,   5, 6, 7, 8, /* 24 fixed64 */
        0xf2, 0x01, 2, 'm', 'e',                  /* 30 process.name */
        0xfa, 0x1f, 3, 'n', 'e', 'w',             /* 511 */
        0x80, 0x20, 5,                            /* 512: past the table */
    };
    static struct hm_event e;
    struct hm_buf b = HM_BUF(100);

    assert_int_equal(hm_event_decode(hm_slice(in, sizeof in), &e), 0);
    assert_int_equal(e.unknown_count, 4);
    assert_int_equal(e.unknown[0].number, 23);
    assert_int_equal(e.unknown[3].number, 512);
    assert_true(hm_slice_eq(hm_event_str(&e, HM_F_PROCESS_NAME), hm_slice_str("me")));
    hm_event_encode(&e, &b);
    assert_true(hm_slice_eq(hm_buf_slice(&b), hm_slice(in, sizeof in)));
    hm_buf_done(&b);
}

static void too_many_unknown_fields_are_refused(void **state)
{
    static struct hm_event e;

    for (uint32_t n = 1; n <= HM_UNKNOWN_MAX + 1; n++) {
        struct hm_buf b = HM_BUF(1000);
        for (uint32_t i = 0; i < n; i++) {
            hm_buf_put_varint(&b, (uint64_t)(600 + i) << 3);
            hm_buf_put_u8(&b, 1);
        }
        assert_int_equal(hm_event_decode(hm_buf_slice(&b), &e), n <= HM_UNKNOWN_MAX ? 0 : -EBADMSG);
        hm_buf_done(&b);
    }
}

static void refuses_what_is_too_large(void **state)
{
    static struct hm_event e;
    size_t len = HM_EVENT_MAX_BYTES + 1;
    uint8_t *big = calloc(1, len);
    struct hm_buf b = HM_BUF(len + 100), small = HM_BUF(100);

    hm_buf_put_u8(&b, 0x42);
    hm_buf_put_varint(&b, HM_EVENT_MAX_BYTES - 4);
    hm_buf_put(&b, big, HM_EVENT_MAX_BYTES - 4);
    assert_int_equal(b.len, HM_EVENT_MAX_BYTES);
    assert_int_equal(hm_event_decode(hm_buf_slice(&b), &e), 0);
    hm_buf_puts(&b, "\x52x"); /* two bytes past the ceiling, otherwise fine but for the length */
    assert_int_equal(hm_event_decode(hm_buf_slice(&b), &e), -EBADMSG);
    hm_event_clear(&e);
    hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice(big, 101));
    hm_event_encode(&e, &small);
    assert_int_equal(small.error, -E2BIG);
    hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("x"));
    hm_event_set(&e, HM_F_SRC_IP, hm_slice(big, 5)); /* what decode would refuse is not written */
    hm_buf_clear(&b);
    hm_event_encode(&e, &b);
    assert_int_equal(b.error, -EINVAL);
    hm_buf_done(&b);
    hm_buf_done(&small);
    free(big);
}

static void lists_pack_and_unpack(void **state)
{
    static struct hm_event e;
    char text[300];
    struct hm_buf b = HM_BUF(100000);

    memset(text, 'x', sizeof text);
    for (size_t len = 0; len < sizeof text; len += 60) { /* lengths of one and of two bytes */
        hm_event_clear(&e);
        hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice(text, len));
        hm_event_pack(&e, &b);
    }
    struct hm_cursor c = hm_cursor(hm_buf_slice(&b));
    for (size_t len = 0; len < sizeof text; len += 60) {
        assert_int_equal(hm_event_unpack(&c, &e), 0);
        assert_int_equal(hm_event_str(&e, HM_F_PROCESS_IMAGE).len, len);
    }
    assert_int_equal(hm_cursor_end(&c), 0);
    c = hm_cursor(hm_slice(b.data, b.len - 1));
    int r = 0;
    while (r == 0)
        r = hm_event_unpack(&c, &e);
    assert_int_equal(r, -EBADMSG);
    hm_buf_done(&b);
}

int test_codec(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_byte_by_byte),
        cmocka_unit_test(every_field_round_trips),
        cmocka_unit_test(refuses_what_is_not_canonical),
        cmocka_unit_test(accepts_the_neighbours_of_what_it_refuses),
        cmocka_unit_test(every_truncation_is_refused_or_a_prefix),
        cmocka_unit_test(every_flipped_bit_is_refused_or_canonical),
        cmocka_unit_test(unknown_fields_are_carried_along_in_their_place),
        cmocka_unit_test(too_many_unknown_fields_are_refused),
        cmocka_unit_test(refuses_what_is_too_large),
        cmocka_unit_test(lists_pack_and_unpack),
    };

    return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
