/* Values, feeds and look-ups, as rows: what goes in, what is found. */
#include "detect/indicator/indicator.h"
#include "detect/indicator/value.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define NOW 1700000000 /* 2023-11-14 */
#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MD5 "0c2674c3a97c53082187d930efb645c2"

/* --- helpers ---------------------------------------------------------------------------------- */
struct seen {
    char notes[4096]; /* "outcome@line reason;" */
    size_t len;
};

static void take_note(void *ctx, const struct hm_intel_note *n)
{
    struct seen *s = ctx;
    int w = snprintf(s->notes + s->len, sizeof s->notes - s->len, "%s@%u%s;",
                     hm_intel_outcome_name(n->outcome), n->line, n->place);
    s->len += w > 0 && (size_t)w < sizeof s->notes - s->len ? (size_t)w : 0;
}

static struct hm_intel_report import_with(struct hm_intel_builder *b, const char *text, size_t len,
                                          enum hm_intel_format format, struct seen *seen)
{
    struct hm_intel_feed how = {.format = format, .source = "unit"};
    struct hm_intel_report rep = {0};
    *seen = (struct seen){0};
    assert_int_equal(
        hm_intel_import(b, hm_slice(text, len), &how, NOW, take_note, seen, &rep, NULL), 0);
    return rep;
}

static struct hm_intel *set_of(const char *text, enum hm_intel_format format,
                               enum hm_intel_form form, struct seen *seen,
                               struct hm_intel_report *rep)
{
    struct hm_intel_builder *b = hm_intel_builder_new(NULL, 7);
    struct hm_intel *i = NULL;
    assert_non_null(b);
    *rep = import_with(b, text, strlen(text), format, seen);
    assert_int_equal(hm_intel_build_memory(b, form, NULL, &i), 0);
    hm_intel_builder_free(b);
    return i;
}

struct hits {
    size_t count;
    char text[2048]; /* "kind field label;" */
    size_t len;
    struct hm_intel_hit last;
};

static void take_hit(void *ctx, const struct hm_intel_hit *h)
{
    struct hits *s = ctx;
    int w = snprintf(s->text + s->len, sizeof s->text - s->len, "%s %s %.*s;",
                     hm_intel_kind_name(h->kind), h->field < 0 ? "-" : hm_fields[h->field].name,
                     (int)h->label.len, (const char *)h->label.p);
    s->len += w > 0 && (size_t)w < sizeof s->text - s->len ? (size_t)w : 0;
    s->count++;
    s->last = *h;
}

static size_t find(const struct hm_intel *i, enum hm_intel_kind k, const char *value)
{
    return hm_intel_find(i, k, hm_slice_str(value), NOW, NULL, NULL);
}

/* --- values ----------------------------------------------------------------------------------- */
static void values_are_read_in_one_normal_form(void **state)
{
    static const struct {
        enum hm_intel_kind kind;
        const char *in, *out; /* NULL: refused */
        enum hm_intel_reason why;
    } rows[] = {
        {HM_INTEL_DOMAIN, "EVIL.Example.COM.", "evil.example.com", 0},
        {HM_INTEL_DOMAIN, "evil[.]example(.)com", "evil.example.com", 0},
        {HM_INTEL_DOMAIN, "*.evil.com", "evil.com", 0},
        {HM_INTEL_DOMAIN, "com", NULL, HM_INTEL_WHY_TOP_DOMAIN},
        {HM_INTEL_DOMAIN, "ev il.com", NULL, HM_INTEL_WHY_BAD_DOMAIN},
        {HM_INTEL_DOMAIN,
         "b\xc3\xbc"
         "cher.de",
         NULL, HM_INTEL_WHY_IDN},
        {HM_INTEL_DOMAIN, "1.2.3.4", NULL, HM_INTEL_WHY_BAD_DOMAIN},
        {HM_INTEL_URL, "hxxps://Evil[.]com:443/A?b#c", "evil.com/A?b", 0},
        {HM_INTEL_URL, "http://evil.com", "evil.com/", 0},
        {HM_INTEL_URL, "evil.com/x", "evil.com/x", 0},
        {HM_INTEL_URL, "http://u:p@evil.com:8080/x", "evil.com:8080/x", 0},
        {HM_INTEL_URL, "ftp://evil.com/x", "ftp://evil.com/x", 0},
        {HM_INTEL_URL, "http://[2001:db8::1]/x", "[2001:db8::1]/x", 0},
        {HM_INTEL_URL, "http:///x", NULL, HM_INTEL_WHY_BAD_URL},
        {HM_INTEL_IP, "0.0.0.0/0", NULL, HM_INTEL_WHY_WIDE_PREFIX},
        {HM_INTEL_IP, "127.0.0.1", NULL, HM_INTEL_WHY_EVERYONES},
        {HM_INTEL_IP, "1.2.3.4.5", NULL, HM_INTEL_WHY_BAD_IP},
        {HM_INTEL_IP, "1.2.3.4/33", NULL, HM_INTEL_WHY_BAD_IP},
        {HM_INTEL_MD5, SHA, NULL, HM_INTEL_WHY_HASH_DIGITS},
        {HM_INTEL_PATH, "/tmp/.X/Evil", "/tmp/.x/evil", 0},
        {HM_INTEL_PATH, "/tmp/", NULL, HM_INTEL_WHY_BAD_PATH},
        {HM_INTEL_NAME, "a/b", NULL, HM_INTEL_WHY_BAD_PATH},
        {HM_INTEL_MAIL, "Boss[@]evil[.]com", "boss@evil.com", 0},
        {HM_INTEL_MAIL, "boss@localhost", NULL, HM_INTEL_WHY_BAD_MAIL},
        {HM_INTEL_DOMAIN, "  ", NULL, HM_INTEL_WHY_EMPTY},
        {HM_INTEL_NAME,
         "a\x01"
         "b.exe",
         NULL, HM_INTEL_WHY_NOT_TEXT},
    };
    struct hm_intel_value v;
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        enum hm_intel_reason why = hm_intel_value_read(rows[i].kind, hm_slice_str(rows[i].in), &v);
        if (rows[i].out) {
            assert_int_equal(why, HM_INTEL_WHY_NONE);
            assert_int_equal(v.len, strlen(rows[i].out));
            assert_memory_equal(v.bytes, rows[i].out, v.len);
        } else {
            assert_int_equal(why, rows[i].why);
        }
    }
}

static void addresses_lose_their_host_bits_and_ipv6_clothes(void **state)
{
    struct hm_intel_value v;
    (void)state;
    assert_true(hm_intel_value_ip(hm_slice_str("10.1.2.3/16"), &v));
    assert_memory_equal(v.bytes, "\x0a\x01\x00\x00", 4);
    assert_int_equal(v.prefix, 16);
    assert_true(hm_intel_value_ip(hm_slice_str("::ffff:192.0.2.1"), &v));
    assert_int_equal(v.len, 4);
    assert_int_equal(v.prefix, 32);
    assert_true(hm_intel_value_ip(hm_slice_str("::ffff:192.0.2.1/120"), &v));
    assert_int_equal(v.prefix, 24);
}

static void bare_words_show_their_kind(void **state)
{
    static const struct {
        const char *in;
        int kind; /* -1: none */
    } rows[] = {{MD5, HM_INTEL_MD5},
                {SHA, HM_INTEL_SHA256},
                {"da39a3ee5e6b4b0d3255bfef95601890afd80709", HM_INTEL_SHA1},
                {"1.2.3.4", HM_INTEL_IP},
                {"1.2.3.4:8080", HM_INTEL_IP},
                {"2001:db8::/32", HM_INTEL_IP},
                {"evil.com", HM_INTEL_DOMAIN},
                {"evil.com:443", HM_INTEL_DOMAIN},
                {"evil[.]com", HM_INTEL_DOMAIN},
                {"hxxp://evil[.]com/x", HM_INTEL_URL},
                {"evil.com/x.php", HM_INTEL_URL},
                {"/tmp/x", HM_INTEL_PATH},
                {"C:\\Windows\\x.exe", HM_INTEL_PATH},
                {"svch0st.exe", HM_INTEL_NAME},
                {"boss@evil.com", HM_INTEL_MAIL},
                {"mimikatz", -1},
                {"two words", -1}};
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        enum hm_intel_kind k = HM_INTEL_KINDS;
        struct hm_slice text;
        enum hm_intel_reason why = hm_intel_value_guess(hm_slice_str(rows[i].in), &k, &text);
        if (rows[i].kind < 0)
            assert_int_not_equal(why, HM_INTEL_WHY_NONE);
        else if (why != HM_INTEL_WHY_NONE || (int)k != rows[i].kind)
            fail_msg("%s: %s", rows[i].in, hm_intel_reason_text(why)->en);
    }
}

static void times_are_rfc_3339_or_seconds(void **state)
{
    static const struct {
        const char *in;
        int64_t out; /* -1: refused */
    } rows[] = {{"1970-01-01T00:00:00Z", 0},
                {"2016-01-20T12:31:12.123Z", 1453293072},
                {"2016-01-20T12:31:12+09:00", 1453260672},
                {"2024-02-29", 1709164800},
                {"2024-05-01 10:00:00", 1714557600},
                {"1714557600", 1714557600},
                {"1601-01-01T00:00:00Z", 0},
                {"2024-13-01", -1},
                {"yesterday", -1},
                {"2024-05-01T10:00:00junk", -1}};
    uint64_t t;
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        bool good = hm_intel_time(hm_slice_str(rows[i].in), &t);
        assert_int_equal(good, rows[i].out >= 0);
        if (good)
            assert_int_equal(t, rows[i].out);
    }
}

/* --- look-up ---------------------------------------------------------------------------------- */
static const char list[] = "# a comment\n"
                           "evil.com  # C2 of X\n" SHA "\n" MD5 "\n"
                           "192.0.2.7\n198.51.100.0/24\n198.51.100.128/25\n2001:db8:5::/48\n"
                           "hxxp://bad[.]example/drop?x=1\nhttp://page.example/kit.php\n"
                           "/tmp/.evil/run\nsvch0st.exe\nboss@evil.com\n";

static void what_was_loaded_is_found_and_nothing_else(void **state)
{
    struct seen seen;
    struct hm_intel_report rep;
    uint8_t sha[32] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
                       0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
                       0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};
    (void)state;
    for (int form = HM_INTEL_FULL; form <= HM_INTEL_COMPACT; form++) {
        struct hm_intel *i =
            set_of(list, HM_INTEL_FORMAT_LIST, (enum hm_intel_form)form, &seen, &rep);
        struct hits h = {0};
        assert_int_equal(rep.outcomes[HM_INTEL_LOADED], 12);
        assert_string_equal(seen.notes, "");
        assert_int_equal(hm_intel_stats(i).count, 12);
        assert_int_equal(hm_intel_find(i, HM_INTEL_SHA256, hm_slice(sha, 32), NOW, take_hit, &h),
                         1);
        assert_int_equal(h.last.confirmed, form == HM_INTEL_FULL);
        assert_int_equal(h.last.confidence, HM_INTEL_CONFIDENCE_DEFAULT);
        sha[31] ^= 1;
        assert_int_equal(hm_intel_find(i, HM_INTEL_SHA256, hm_slice(sha, 32), NOW, NULL, NULL), 0);
        sha[31] ^= 1;
        assert_int_equal(hm_intel_find(i, HM_INTEL_SHA1, hm_slice(sha, 20), NOW, NULL, NULL), 0);
        assert_int_equal(find(i, HM_INTEL_DOMAIN, "evil.com"), 1);
        assert_int_equal(find(i, HM_INTEL_DOMAIN, "A.B.Evil.Com."), 1);
        assert_int_equal(find(i, HM_INTEL_DOMAIN, "notevil.com"), 0);
        assert_int_equal(find(i, HM_INTEL_DOMAIN, "evil.com.example"), 0);
        assert_int_equal(find(i, HM_INTEL_DOMAIN, "com"), 0);
        assert_int_equal(find(i, HM_INTEL_IP, "\xc0\x00\x02\x07"), 0); /* a NUL ends the string */
        assert_int_equal(
            hm_intel_find(i, HM_INTEL_IP, hm_slice("\xc0\x00\x02\x07", 4), NOW, NULL, NULL), 1);
        assert_int_equal(
            hm_intel_find(i, HM_INTEL_IP, hm_slice("\xc6\x33\x64\x81", 4), NOW, NULL, NULL), 2);
        assert_int_equal(
            hm_intel_find(i, HM_INTEL_IP, hm_slice("\xc6\x33\x64\x01", 4), NOW, take_hit, &h), 1);
        assert_int_equal(h.last.prefix, 24);
        assert_int_equal(
            hm_intel_find(i, HM_INTEL_IP, hm_slice("\xc6\x33\x65\x01", 4), NOW, NULL, NULL), 0);
        assert_int_equal(hm_intel_find(i, HM_INTEL_IP,
                                       hm_slice("\x20\x01\x0d\xb8\0\5\0\0\0\0\0\0\0\0\0\1", 16),
                                       NOW, NULL, NULL),
                         1);
        assert_int_equal(find(i, HM_INTEL_URL, "https://bad.example/drop?x=1"), 1);
        assert_int_equal(find(i, HM_INTEL_URL, "https://bad.example/drop"), 0);
        assert_int_equal(find(i, HM_INTEL_PATH, "/tmp/.evil/run"), 1);
        assert_int_equal(find(i, HM_INTEL_NAME, "SVCH0ST.EXE"), 1);
        assert_int_equal(find(i, HM_INTEL_MAIL, "boss@evil.com"), 1);
        hm_intel_free(i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_in_one_normal_form),
        cmocka_unit_test(addresses_lose_their_host_bits_and_ipv6_clothes),
        cmocka_unit_test(bare_words_show_their_kind),
        cmocka_unit_test(times_are_rfc_3339_or_seconds),
        cmocka_unit_test(what_was_loaded_is_found_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
