/* The cursor never reads outside, and its error sticks. */
#include "test_base.h"
#include "base/buf.h"
#include "base/cursor.h"
#include <errno.h>

static void reads_little_endian(void **state)
{
    static const uint8_t in[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 'a', 'b'};
    struct hm_cursor c = hm_cursor(hm_slice(in, sizeof in));

    assert_int_equal(hm_cursor_u8(&c), 1);
    assert_int_equal(hm_cursor_le16(&c), 0x0302);
    assert_int_equal(hm_cursor_le32(&c), 0x07060504);
    assert_true(hm_cursor_le64(&c) == UINT64_C(0x0f0e0d0c0b0a0908));
    assert_int_equal(hm_cursor_end(&c), -EBADMSG); /* two bytes are left */
    assert_true(hm_slice_eq(hm_cursor_take(&c, 2), hm_slice_str("ab")));
    assert_int_equal(hm_cursor_end(&c), 0);
}

/* Every read on every too short input fails, yields zero and leaves the cursor failed. */
static void short_reads_fail_and_stick(void **state)
{
    static const uint8_t in[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    for (size_t len = 0; len < 8; len++) {
        struct hm_cursor c = hm_cursor(hm_slice(len ? in : NULL, len));
        assert_true(hm_cursor_le64(&c) == 0);
        assert_int_equal(c.error, -EBADMSG);
        assert_int_equal(hm_cursor_left(&c), 0);
        assert_int_equal(hm_cursor_u8(&c), 0);
        assert_null(hm_cursor_take(&c, 0).p);
        assert_int_equal(hm_cursor_end(&c), -EBADMSG);
    }
}

static void take_survives_huge_lengths(void **state)
{
    static const uint8_t in[4];
    struct hm_cursor c = hm_cursor(hm_slice(in, sizeof in));

    assert_int_equal(hm_cursor_take(&c, SIZE_MAX).len, 0);
    assert_int_equal(hm_cursor_end(&c), -EBADMSG);
}

static void varints_that_are_malformed_fail(void **state)
{
    static const struct {
        const char *name;
        size_t len;
        uint8_t in[11];
    } rows[] = {
        {"empty", 0, {0}},
        {"cut after one byte", 1, {0x80}},
        {"two bytes for zero", 2, {0x80, 0}},
        {"two bytes for one", 2, {0x81, 0}},
        {"three bytes for 128", 3, {0x80, 0x81, 0}},
        {"bit 64", 10, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2}},
        {"eleven bytes", 11, {255, 255, 255, 255, 255, 255, 255, 255, 255, 0x81, 1}},
        {"ten bytes, last one zero", 10, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0}},
    };

    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_cursor c = hm_cursor(hm_slice(rows[i].in, rows[i].len));
        if (hm_cursor_varint(&c) != 0 || c.error != -EBADMSG)
            fail_msg("accepted: %s", rows[i].name);
    }
}

static void varints_round_trip(void **state)
{
    for (unsigned bit = 0; bit < 64; bit++)
        for (int d = -1; d <= 1; d++) {
            uint64_t v = (UINT64_C(1) << bit) + (uint64_t)d;
            struct hm_buf b = HM_BUF(10);
            hm_buf_put_varint(&b, v);
            struct hm_cursor c = hm_cursor(hm_buf_slice(&b));
            assert_true(hm_cursor_varint(&c) == v);
            assert_int_equal(hm_cursor_end(&c), 0);
            hm_buf_done(&b);
        }
}

int test_cursor(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_little_endian),
        cmocka_unit_test(short_reads_fail_and_stick),
        cmocka_unit_test(take_survives_huge_lengths),
        cmocka_unit_test(varints_that_are_malformed_fail),
        cmocka_unit_test(varints_round_trip),
    };

    return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}
