/* The buffer's ceiling, its sticky error, and its number formats. */
#include "test_base.h"
#include "base/buf.h"
#include <errno.h>
#include <string.h>

static void writes_what_it_is_given(void **state)
{
    struct hm_buf b = HM_BUF(1000);
    static const uint8_t want[] = {'a', 1, 0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 8,  7,
                                   6,   5, 4,    3,    2,    1,    '4',  '2',  '!'};

    hm_buf_puts(&b, "a");
    hm_buf_put_u8(&b, 1);
    hm_buf_put_le16(&b, 0x1234);
    hm_buf_put_le32(&b, 0x12345678);
    hm_buf_put_le64(&b, UINT64_C(0x0102030405060708));
    hm_buf_printf(&b, "%d%c", 42, '!');
    assert_int_equal(b.error, 0);
    assert_int_equal(b.len, sizeof want);
    assert_memory_equal(b.data, want, sizeof want);
    hm_buf_done(&b);
}

static void stops_exactly_at_the_ceiling(void **state)
{
    for (size_t max = 0; max < 300; max++) {
        struct hm_buf b = HM_BUF(max);
        for (size_t i = 0; i < max; i++)
            hm_buf_put_u8(&b, (uint8_t)i);
        assert_int_equal(b.error, 0);
        assert_int_equal(b.len, max);
        hm_buf_put_u8(&b, 0);
        assert_int_equal(b.error, -E2BIG);
        assert_int_equal(b.len, max);
        hm_buf_done(&b);
    }
}

static void error_sticks_until_cleared(void **state)
{
    struct hm_buf b = HM_BUF(4);

    hm_buf_puts(&b, "12345");
    assert_int_equal(b.error, -E2BIG);
    hm_buf_puts(&b, "1");
    assert_int_equal(b.len, 0);
    assert_null(hm_buf_extend(&b, 1));
    hm_buf_clear(&b);
    hm_buf_puts(&b, "1");
    assert_int_equal(b.error, 0);
    assert_int_equal(b.len, 1);
    hm_buf_done(&b);
}

static void refuses_lengths_that_overflow(void **state)
{
    struct hm_buf b = HM_BUF(SIZE_MAX);

    hm_buf_puts(&b, "x");
    assert_null(hm_buf_extend(&b, SIZE_MAX));
    assert_int_equal(b.error, -E2BIG);
    hm_buf_done(&b);
}

static void prints_more_than_its_scratch(void **state)
{
    struct hm_buf b = HM_BUF(100000);
    char big[5000];

    memset(big, 'q', sizeof big);
    big[sizeof big - 1] = 0;
    hm_buf_printf(&b, "<%s>", big);
    assert_int_equal(b.error, 0);
    assert_int_equal(b.len, sizeof big + 1);
    assert_int_equal(b.data[0], '<');
    assert_int_equal(b.data[b.len - 1], '>');
    hm_buf_done(&b);
}

static void varints_are_minimal(void **state)
{
    static const struct {
        uint64_t v;
        size_t len;
        uint8_t bytes[10];
    } rows[] = {
        {0, 1, {0}},
        {1, 1, {1}},
        {127, 1, {127}},
        {128, 2, {0x80, 1}},
        {300, 2, {0xac, 2}},
        {16383, 2, {0xff, 0x7f}},
        {16384, 3, {0x80, 0x80, 1}},
        {UINT64_MAX, 10, {255, 255, 255, 255, 255, 255, 255, 255, 255, 1}},
    };

    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_buf b = HM_BUF(10);
        hm_buf_put_varint(&b, rows[i].v);
        assert_int_equal(b.len, rows[i].len);
        assert_memory_equal(b.data, rows[i].bytes, b.len);
        hm_buf_done(&b);
    }
}

int test_buf(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_it_is_given),
        cmocka_unit_test(stops_exactly_at_the_ceiling),
        cmocka_unit_test(error_sticks_until_cleared),
        cmocka_unit_test(refuses_lengths_that_overflow),
        cmocka_unit_test(prints_more_than_its_scratch),
        cmocka_unit_test(varints_are_minimal),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
