/* What a terminal is shown: widths of Japanese, hostile text made visible, JSON that keeps its
 * values. */
#include "cli/cli.h"
#include "cli/show.h"
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void test_hostile_text_is_visible(void **state)
{
    static const char *const rows[][2] = {{"plain", "plain"},
                                          {"火の見", "火の見"},
                                          {"a\x1b[31mb", "a\\u{001b}[31mb"},
                                          {"a\nb\tc", "a\\nb\\tc"},
                                          {"\xe2\x80\xae"
                                           "evil",
                                           "\\u{202e}evil"},
                                          {"\xff\xfe", "\\xff\\xfe"},
                                          {"\xe2\x80", "\\xe2\\x80"},
                                          {"\xc2\x9b", "\\u{009b}"},
                                          {"a\xe2\x80\x8b"
                                           "b",
                                           "a\\u{200b}b"},
                                          {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
                                          {"", ""}};

    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        hm_auto(hm_buf_done) struct hm_buf b = HM_BUF(1024);
        hm_show_text(rows[i][0], &b);
        hm_buf_put_u8(&b, 0);
        assert_string_equal((const char *)b.data, rows[i][1]);
    }
}

static void test_japanese_is_twice_as_wide(void **state)
{
    (void)state;
    assert_int_equal(hm_show_width("abc", 3), 3);
    assert_int_equal(hm_show_width("火の見", 9), 6);
    assert_int_equal(hm_show_width("ｱ", 3), 1);
    assert_int_equal(hm_show_width("e\xcc\x81", 3), 1);
}

static void test_columns_line_up_and_the_last_is_cut(void **state)
{
    static const struct hm_text headers[] = {{"NAME", "名前"}, {"X", "X"}};
    hm_auto(hm_buf_done) struct hm_buf b = HM_BUF(4096);
    struct hm_table *t = hm_table_new(headers, 2, HM_LANG_JA);

    (void)state;
    hm_table_cell(t, "経理-01");
    hm_table_cell(t, "0123456789abcdefghij");
    hm_table_cell(t, "pc");
    hm_table_cell(t, NULL);
    hm_table_print(t, 9 + 15, &b);
    hm_buf_put_u8(&b, 0);
    assert_string_equal((const char *)b.data, "名前     X\n"
                                              "経理-01  0123456789abcd…\n"
                                              "pc       -\n");
}

static void test_times_are_local(void **state)
{
    char text[32];

    (void)state;
    hm_show_time("2026-11-21T22:00:00.123Z", text, sizeof text);
    assert_string_equal(text, "2026-11-22 07:00:00");
    hm_show_time("", text, sizeof text);
    assert_string_equal(text, "-");
}

static void test_json_keeps_its_values(void **state)
{
    hm_auto(hm_buf_done) struct hm_buf b = HM_BUF(4096);

    (void)state;
    hm_json_pretty(hm_slice_str("{\"n\":18446744073709551615,\"e\":[],\"s\":\"a,\\\"{"
                                "\xe2\x80\xae\",\"o\":{\"a\":[1,2]}}"),
                   &b);
    hm_buf_put_u8(&b, 0);
    assert_string_equal(
        (const char *)b.data,
        "{\n  \"n\": 18446744073709551615,\n  \"e\": [],\n  \"s\": \"a,\\\"{\\u202e\",\n"
        "  \"o\": {\n    \"a\": [\n      1,\n      2\n    ]\n  }\n}\n");
    hm_buf_clear(&b);
    hm_json_pretty(hm_slice_str("\"unterminated\\"), &b); /* must end */
    hm_json_pretty(hm_slice_str("]]]]{{{"), &b);
    assert_int_equal(b.error, 0);
}

static void test_items_are_lines_with_their_values(void **state)
{
    hm_auto(hm_buf_done) struct hm_buf b = HM_BUF(4096);

    (void)state;
    hm_json_items(hm_slice_str("{\"items\":[{\"n\":18446744073709551615,\"s\":\"],{\\\"\"},{\"a\":["
                               "1,{}]},7],\"next\":null}"),
                  &b);
    hm_json_items(hm_slice_str("{\"items\":[]}"), &b);
    hm_json_items(hm_slice_str("{\"items\":[{\"cut"), &b);
    hm_buf_put_u8(&b, 0);
    assert_string_equal(
        (const char *)b.data,
        "{\"n\":18446744073709551615,\"s\":\"],{\\\"\"}\n{\"a\":[1,{}]}\n7\n{\"cut\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_text_is_visible),
        cmocka_unit_test(test_japanese_is_twice_as_wide),
        cmocka_unit_test(test_columns_line_up_and_the_last_is_cut),
        cmocka_unit_test(test_times_are_local),
        cmocka_unit_test(test_json_keeps_its_values),
        cmocka_unit_test(test_items_are_lines_with_their_values),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    setenv("TZ", "JST-9", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
