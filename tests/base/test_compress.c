/* Codecs round trip; stated sizes that lie stop there; damage is noticed. */
#include "test_base.h"
#include "base/compress.h"
#include <errno.h>
#include <string.h>

static const enum hm_codec all[] = {HM_CODEC_NONE, HM_CODEC_ZSTD, HM_CODEC_ZLIB};

static void round_trips(void **state)
{
    uint8_t in[70000];

    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i * i >> 7);
    for (size_t c = 0; c < HM_ARRAY_LEN(all); c++)
        for (size_t len = 0; len <= sizeof in; len = len * 3 + 1) {
            struct hm_buf z = HM_BUF(1 << 20), out = HM_BUF(sizeof in + 3);
            hm_buf_puts(&out, "pre");
            assert_int_equal(hm_compress(all[c], hm_slice(in, len), &z), 0);
            assert_int_equal(hm_decompress(all[c], hm_buf_slice(&z), len, &out), 0);
            assert_int_equal(out.len, len + 3);
            assert_memory_equal(out.data + 3, in, len);
            hm_buf_done(&z);
            hm_buf_done(&out);
        }
}

static void stated_size_must_be_true(void **state)
{
    static const uint8_t zeros[100000]; /* a small bomb */

    for (size_t c = 0; c < HM_ARRAY_LEN(all); c++) {
        struct hm_buf z = HM_BUF(1 << 20), out = HM_BUF(200000);
        assert_int_equal(hm_compress(all[c], hm_slice(zeros, sizeof zeros), &z), 0);
        struct hm_slice s = hm_buf_slice(&z);
        hm_buf_puts(&out, "pre");
        assert_int_equal(hm_decompress(all[c], s, sizeof zeros - 1, &out), -EBADMSG);
        assert_int_equal(hm_decompress(all[c], s, sizeof zeros + 1, &out), -EBADMSG);
        assert_int_equal(hm_decompress(all[c], s, 0, &out), -EBADMSG);
        assert_int_equal(out.len, 3); /* nothing of it stays */
        assert_int_equal(hm_decompress(all[c], s, 300000, &out), all[c] ? -E2BIG : -EBADMSG);
        hm_buf_done(&z);
        hm_buf_done(&out);
    }
}

static void truncated_input_is_malformed(void **state)
{
    static const char text[] =
        "the quick brown fox jumps over the lazy dog, again and again and again";

    for (size_t c = 1; c < HM_ARRAY_LEN(all); c++) {
        struct hm_buf z = HM_BUF(1 << 20);
        assert_int_equal(hm_compress(all[c], hm_slice_str(text), &z), 0);
        for (size_t cut = 0; cut < z.len; cut++) {
            struct hm_buf out = HM_BUF(1000);
            assert_int_equal(hm_decompress(all[c], hm_slice(z.data, cut), strlen(text), &out),
                             -EBADMSG);
            hm_buf_done(&out);
        }
        hm_buf_put_u8(&z, 0); /* a byte too many */
        struct hm_buf out = HM_BUF(1000);
        assert_int_equal(hm_decompress(all[c], hm_buf_slice(&z), strlen(text), &out), -EBADMSG);
        hm_buf_done(&out);
        hm_buf_done(&z);
    }
}

static void unknown_codecs_are_refused(void **state)
{
    struct hm_buf out = HM_BUF(10);

    assert_int_equal(hm_compress((enum hm_codec)3, hm_slice_str("x"), &out), -EPROTONOSUPPORT);
    assert_int_equal(hm_decompress((enum hm_codec)200, hm_slice_str("x"), 1, &out),
                     -EPROTONOSUPPORT);
    hm_buf_done(&out);
}

int test_compress(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(stated_size_must_be_true),
        cmocka_unit_test(truncated_input_is_malformed),
        cmocka_unit_test(unknown_codecs_are_refused),
    };

    return cmocka_run_group_tests_name("compress", tests, NULL, NULL);
}
