/* What a line of JSON says, value by value, and which lines are refused. */
#include "detect/record/record.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const names[] = {"a", "a.b", "Image", "n", "l"};
enum { A, AB, IMAGE, N, L, COUNT };

static void put(char *out, size_t room, const struct hm_datum *d)
{
    size_t n = strlen(out);
    switch (d->kind) {
    case HM_DATUM_ABSENT:
        snprintf(out + n, room - n, "-");
        break;
    case HM_DATUM_NULL:
        snprintf(out + n, room - n, "null");
        break;
    case HM_DATUM_NUMBER:
        snprintf(out + n, room - n, d->real ? "real %.*s" : "%.*s=%lld", (int)d->text.len,
                 (const char *)d->text.p, (long long)d->number);
        break;
    case HM_DATUM_LIST:
        snprintf(out + n, room - n, "[");
        for (size_t i = 0; i < d->count; i++) {
            put(out, room, &d->items[i]);
            n = strlen(out);
            snprintf(out + n, room - n, ";");
        }
        n = strlen(out);
        snprintf(out + n, room - n, "]");
        break;
    default:
        snprintf(out + n, room - n, "'%.*s'", (int)d->text.len, (const char *)d->text.p);
    }
}

static const struct {
    const char *line, *values; /* of a, a.b, Image, n, l */
} rows[] = {
    {"{}", "- - - - -"},
    {"{\"Image\":\"x\",\"n\":7}", "- - 'x' 7=7 -"},
    {" {\"a\" : {\"b\" : null} , \"l\" : [ ] } ", "- null - - []"},
    {"{\"a\":{\"b\":1,\"c\":{\"d\":2}},\"a.b\":\"last\"}", "- 'last' - - -"},
    {"{\"Image\":\"one\",\"Image\":\"two\"}", "- - 'two' - -"},
    {"{\"Image\":[1],\"Image\":\"two\"}", "- - 'two' - -"},
    {"{\"Image\":\"two\",\"Image\":[1,\"x\"]}", "- - [1=1;'x';] - -"},
    {"{\"a\":[{\"b\":1},{\"b\":[2,3]},{\"c\":4}]}", "- [1=1;2=2;3=3;] - - -"},
    {"{\"l\":[1,[2,{\"x\":3}],null,\"\"]}", "- - - - [1=1;2=2;null;'';]"},
    {"{\"l\":[{\"x\":1},5]}", "- - - - [5=5;]"},
    {"{\"a\":true,\"Image\":false}", "'true' - 'false' - -"},
    {"{\"n\":1.50}", "- - - real 1.50 -"},
    {"{\"n\":-0}", "- - - real -0 -"},
    {"{\"n\":9223372036854775807}", "- - - 9223372036854775807=9223372036854775807 -"},
    {"{\"n\":-9223372036854775808}", "- - - -9223372036854775808=-9223372036854775808 -"},
    {"{\"n\":9223372036854775808}", "- - - real 9223372036854775808 -"},
    {"{\"Image\":\"C:\\\\x\\/\\\"\\u0041\\u00e9\"}", "- - 'C:\\x/\"A\xc3\xa9' - -"},
    {"{\"Image\":\"\\ud83d\\ude00\\ud83d.\"}", "- - '\xf0\x9f\x98\x80\xef\xbf\xbd.' - -"},
    {"{\"Im\\u0061ge\":\"x\"}", "- - 'x' - -"},
    {"{\"\":{\"a\":1},\"a\":2}", "2=2 - - - -"},
};

static const struct {
    const char *line, *words;
} refused[] = {
    {"", "an event is an object"},
    {"[]", "an event is an object"},
    {"{\"a\":1", "cut off"},
    {"{\"a\":1}x", "something after"},
    {"{\"a\" 1}", "colon"},
    {"{a:1}", "name in quotes"},
    {"{\"a\":1,}", "name in quotes"},
    {"{\"a\":[1,]}", "a value is needed"},
    {"{\"a\":[1}", "comma or the end"},
    {"{\"a\":01}", "not a number"},
    {"{\"a\":1.}", "not a number"},
    {"{\"a\":-}", "not a number"},
    {"{\"a\":+1}", "a value is needed"},
    {"{\"a\":nul}", "no such word"},
    {"{\"a\":\"\n\"}", "control byte"},
    {"{\"a\":\"\\x\"}", "escape"},
    {"{\"a\":\"\\u12\"}", "escape"},
    {"{\"a\":\"x", "does not end"},
    {"{\"a\":\"\xc0\xaf\"}", "UTF-8"},
    {"{\"a\":\"\xed\xa0\x80\"}", "UTF-8"},
    {"{\"a\":\"0123456789abcdef0123\xff\"}", "UTF-8"},
};

static struct hm_record *new_record(struct hm_names **ret_names)
{
    struct hm_names *n = hm_names_new();
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(hm_names_intern(n, hm_slice_str(names[i])), i);
    struct hm_record *r = hm_record_new(n);
    assert_non_null(r);
    *ret_names = n;
    return r;
}

static void values_are_what_the_line_says(void **state)
{
    struct hm_names *n;
    struct hm_record *r = new_record(&n);
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        char got[1024] = "", buf[HM_DATUM_BUF];
        struct hm_error err = {0};
        struct hm_datum d;
        if (hm_record_parse(r, hm_slice_str(rows[i].line), &err))
            fail_msg("%s: %s", rows[i].line, err.text);
        const struct hm_view *v = hm_record_view(r);
        for (uint32_t f = 0; f < COUNT; f++) {
            v->get(v, f, buf, &d);
            assert_int_equal(d.kind != HM_DATUM_ABSENT, v->present[0] >> f & 1);
            if (f)
                snprintf(got + strlen(got), sizeof got - strlen(got), " ");
            put(got, sizeof got, &d);
        }
        if (strcmp(got, rows[i].values) != 0)
            fail_msg("%s: got %s, wanted %s", rows[i].line, got, rows[i].values);
    }
    hm_record_free(r);
    hm_names_free(n);
}

static void what_is_no_json_is_refused_and_leaves_nothing(void **state)
{
    struct hm_names *n;
    struct hm_record *r = new_record(&n);
    for (size_t i = 0; i < HM_ARRAY_LEN(refused); i++) {
        struct hm_error err = {0};
        int e = hm_record_parse(r, hm_slice_str(refused[i].line), &err);
        if (!e || !strstr(err.text, refused[i].words))
            fail_msg("%s: %d, \"%s\"", refused[i].line, e, err.text);
        assert_int_equal(hm_record_view(r)->present[0], 0);
    }
    hm_record_free(r);
    hm_names_free(n);
}

static bool collect(void *ctx, struct hm_slice text)
{
    char *got = ctx;
    size_t n = strlen(got);
    snprintf(got + n, 256 - n, "%.*s|", (int)text.len, (const char *)text.p);
    return false;
}

static void keywords_see_strings_and_numbers_of_every_field(void **state)
{
    struct hm_names *n;
    struct hm_record *r = new_record(&n);
    char got[256] = "";
    struct hm_error err;
    assert_int_equal(hm_record_parse(r,
                                     hm_slice_str("{\"u\":\"x\",\"v\":{\"w\":[12,\"y\\n\",true,"
                                                  "null]},\"Image\":\"z\"}"),
                                     &err),
                     0);
    const struct hm_view *v = hm_record_view(r);
    assert_false(v->each_text(v, collect, got));
    assert_string_equal(got, "x|12|y\n|z|");
    assert_non_null(memmem(v->all_texts.p, v->all_texts.len, "y\n", 2));
    hm_record_free(r);
    hm_names_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_what_the_line_says),
        cmocka_unit_test(what_is_no_json_is_refused_and_leaves_nothing),
        cmocka_unit_test(keywords_see_strings_and_numbers_of_every_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
