/* Clock text, addresses, checksum, log lines, languages, errors. */
#include "test_base.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/text.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void times_agree_with_gmtime(void **state)
{
    char got[32], want[64];

    for (uint64_t s = 0; s < UINT64_C(17000000000); s += 86399 * 97 + 1) { /* to the year 2508 */
        time_t t = (time_t)s;
        struct tm tm;
        gmtime_r(&t, &tm);
        strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S.123Z", &tm);
        assert_string_equal(hm_clock_format(s * 1000000000u + 123456789, got, sizeof got), want);
    }
    assert_string_equal(hm_clock_format(UINT64_C(1709164800) * 1000000000u, got, sizeof got),
                        "2024-02-29T00:00:00.000Z");
}

static void clocks_run(void **state)
{
    uint64_t a = hm_clock_mono_ns(), b = hm_clock_mono_ns();

    assert_true(b >= a && a > 0);
    assert_true(hm_clock_boot_ns() >= a);
    assert_true(hm_clock_wall_ns() / 1000000000u + 2 >= (uint64_t)time(NULL));
}

static void addresses_are_rfc_5952(void **state)
{
    static const struct {
        uint8_t ip[16];
        size_t len;
        const char *text;
    } rows[] = {
        {{192, 0, 2, 1}, 4, "192.0.2.1"},
        {{0}, 4, "0.0.0.0"},
        {{0}, 16, "::"},
        {{[15] = 1}, 16, "::1"},
        {{[0] = 1}, 16, "100::"},
        {{0x20, 1, 0x0d, 0xb8, [15] = 1}, 16, "2001:db8::1"},
        {{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}, 16, "2001:db8:0:1:1:1:1:1"},
        {{0x20, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}, 16, "2001:0:0:1::1"},
        {{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1}, 16, "2001:db8::1:0:0:1"},
        {{0xfe, 0x80, [8] = 0xab, 0xcd, 0, 0, 0, 0, 0, 0}, 16, "fe80::abcd:0:0:0"},
        {{1, 2, 3}, 3, ""},
        {{0}, 0, ""},
    };
    char buf[HM_IP_TEXT_BYTES];

    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        assert_string_equal(hm_ip_format(hm_slice(rows[i].ip, rows[i].len), buf), rows[i].text);
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 7};
    static const uint8_t longest[16] = {[0 ... 15] = 0xff};
    assert_string_equal(hm_ip_format(hm_slice(mapped, 16), buf), "::ffff:10.0.0.7");
    assert_string_equal(hm_ip_format(hm_slice(longest, 16), buf),
                        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static uint32_t crc_by_definition(const uint8_t *p, size_t n)
{
    uint32_t c = ~0u;

    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
    }
    return ~c;
}

static void crc32c_is_castagnoli(void **state)
{
    uint8_t b[1031];
    uint64_t x = 1;

    assert_int_equal(hm_crc32c(0, hm_slice_str("123456789")),
                     0xe3069283u); /* RFC 3720 check value */
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (uint8_t)((x = x * 6364136223846793005u + 1442695040888963407u) >> 56);
    for (size_t n = 0; n < sizeof b; n++) {
        uint32_t want = crc_by_definition(b, n);
        assert_int_equal(hm_crc32c(0, hm_slice(b, n)), want);
        assert_int_equal(hm_crc32c_table(0, hm_slice(b, n)), want);
        uint32_t half = hm_crc32c(0, hm_slice(b, n / 2));
        assert_int_equal(hm_crc32c(half, hm_slice(b + n / 2, n - n / 2)), want);
    }
}

static void read_line(FILE *f, char *line, int cap)
{
    rewind(f);
    line[0] = 0;
    assert_non_null(fgets(line, cap, f));
}

static void log_lines_cannot_be_forged(void **state)
{
    char line[8192];
    FILE *f = tmpfile();

    unsetenv("HINOMI_LOG");
    hm_log_init("gate", fileno(f));
    errno = 77;
    hm_debug("not shown");
    hm_info("name %s end", "a\n2026 error root: \033[31m\xc2\x9bx\x7f\xe3\x81\x82");
    assert_int_equal(errno, 77);
    read_line(f, line, sizeof line);
    assert_string_equal(line + 24, " info gate: name a\\x0a2026 error root: \\x1b[31m"
                                   "\\xc2\x9bx\\x7f\xe3\x81\x82 end\n");
    assert_null(fgets(line, sizeof line, f));
    fclose(f);
}

static void long_log_messages_are_cut_and_say_so(void **state)
{
    char big[10000], line[16384];
    FILE *f = tmpfile();

    memset(big, '\n', sizeof big); /* the worst case of escaping */
    big[sizeof big - 1] = 0;
    hm_log_init("a-very-long-identity-that-does-not-fit-anywhere", fileno(f));
    hm_err("%s", big);
    read_line(f, line, sizeof line);
    assert_true(strlen(line) < 4096);
    assert_int_equal(line[strlen(line) - 1], '\n');
    fclose(f);
    f = tmpfile();
    hm_log_init("t", fileno(f));
    memset(big, 'x', sizeof big - 1);
    hm_err("%s", big);
    read_line(f, line, sizeof line);
    assert_non_null(strstr(line, "xxx...\n"));
    fclose(f);
    hm_log_init("test", 2);
}

static void language_comes_from_the_environment(void **state)
{
    unsetenv("HINOMI_LANG");
    unsetenv("LC_ALL");
    unsetenv("LC_MESSAGES");
    unsetenv("LANG");
    assert_int_equal(hm_lang_from_env(), HM_LANG_EN);
    setenv("LANG", "ja_JP.UTF-8", 1);
    assert_int_equal(hm_lang_from_env(), HM_LANG_JA);
    setenv("LC_ALL", "C", 1);
    assert_int_equal(hm_lang_from_env(), HM_LANG_EN);
    setenv("HINOMI_LANG", "ja", 1);
    assert_int_equal(hm_lang_from_env(), HM_LANG_JA);
}

static void errors_carry_words_and_places(void **state)
{
    struct hm_error e = {0};

    assert_int_equal(hm_fail_at(&e, -EINVAL, 3, 9, "bad %s", "colon"), -EINVAL);
    assert_int_equal(e.code, -EINVAL);
    assert_int_equal(e.line, 3);
    assert_int_equal(e.column, 9);
    assert_string_equal(e.text, "bad colon");
    assert_int_equal(hm_fail(NULL, -EIO, "nobody listens"), -EIO);
}

int test_misc(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_agree_with_gmtime),
        cmocka_unit_test(clocks_run),
        cmocka_unit_test(addresses_are_rfc_5952),
        cmocka_unit_test(crc32c_is_castagnoli),
        cmocka_unit_test(log_lines_cannot_be_forged),
        cmocka_unit_test(long_log_messages_are_cut_and_say_so),
        cmocka_unit_test(language_comes_from_the_environment),
        cmocka_unit_test(errors_carry_words_and_places),
    };

    return cmocka_run_group_tests_name("misc", tests, NULL, NULL);
}
