/* What parses a client's bytes, without a socket: heads, queries, bodies, times, the limiter. */
#include "server/api/args.h"
#include "server/api/call.h"
#include "server/api/guard.h"
#include "server/api/limiter.h"
#include "server/api/limits.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define OK    "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST5 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"

/* However the bytes are cut, the guard says the same. */
static void test_cutting_the_bytes_changes_nothing(void **state)
{
    static const struct {
        const char *bytes;
        uint64_t requests;
        int status;
    } rows[] = {{OK, 1, 0},          {OK OK OK, 3, 0},
                {POST5 OK, 2, 0},    {OK "\n", 1, 400},
                {POST5 "X", 1, 0},   {OK "GET /\r\n\r\n", 1, 400},
                {"G\r\r\n", 0, 400}, {POST5 POST5 "\r\n\r\n", 2, 400}};

    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        for (size_t step = 1; step < 9; step++) {
            struct hm_guard g;
            hm_guard_init(&g);
            size_t len = strlen(rows[i].bytes);
            for (size_t at = 0; at < len; at += step)
                hm_guard_feed(&g, hm_slice(rows[i].bytes + at, at + step < len ? step : len - at));
            assert_int_equal(g.requests, rows[i].requests);
            assert_int_equal(g.state == HM_GUARD_BAD ? g.status : 0, rows[i].status);
            hm_guard_done(&g);
        }
}

static void test_a_head_has_a_ceiling(void **state)
{
    struct hm_guard g;

    (void)state;
    hm_guard_init(&g);
    hm_guard_feed(&g, hm_slice_str("GET / HTTP/1.1\r\nX: "));
    for (int i = 0; i < HM_API_HEAD_MAX; i++)
        hm_guard_feed(&g, hm_slice_str("a"));
    assert_int_equal(g.state, HM_GUARD_BAD);
    assert_int_equal(g.status, 431);
    hm_guard_done(&g);
}

static const struct hm_param params[] = {
    {"text", HM_ARG_TEXT, false, 0, 4}, {"id", HM_ARG_ID, false, 0, 0},
    {"key", HM_ARG_KEY, false, 0, 0},   {"n", HM_ARG_UINT, false, 1, 10},
    {"flag", HM_ARG_BOOL, false, 0, 0}, {"when", HM_ARG_TIME, false, 0, 0}};
#define N HM_ARRAY_LEN(params)

static void test_queries(void **state)
{
    static const struct {
        const char *query, *bad; /* bad: the field at fault, NULL when it is fine */
    } rows[] = {
        {"", NULL},
        {"text=a", NULL},
        {"text=%E7%81%AB%E3%81%AE", NULL},
        {"text=abcde", "text"},
        {"text=%ff", "text"},
        {"text=%0a", "text"},
        {"text=%", "text"},
        {"text=%4", "text"},
        {"text=%00", "text"},
        {"text=a&text=b", "text"},
        {"other=1", "other"},
        {"n=0", "n"},
        {"n=11", "n"},
        {"n=-1", "n"},
        {"n=1e1", "n"},
        {"n=10", NULL},
        {"n=99999999999999999999", "n"},
        {"id=00112233445566778899aabbccddeeff", NULL},
        {"id=00112233445566778899AABBCCDDEEFF", "id"},
        {"id=0011", "id"},
        {"key=fedcba9876543210", NULL},
        {"key=fedcba987654321", "key"},
        {"flag=true", NULL},
        {"flag=yes", "flag"},
        {"when=2026-11-21T22:00:00Z", NULL},
        {"when=2026-02-30T22:00:00Z", "when"},
        {"when=2026-11-21", "when"},
        {"text", "text"},
        {"&&text=a&&", NULL},
    };

    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_arena *a = hm_arena_new(1 << 20);
        struct hm_arg args[N];
        struct hm_args_fault f = {0};
        int r = hm_args_query(rows[i].query, params, N, a, args, &f);
        if ((r != 0) != (rows[i].bad != NULL) || (rows[i].bad && strcmp(f.field, rows[i].bad) != 0))
            fail_msg("%s: %d %s", rows[i].query, r, f.field);
        hm_arena_free(a);
    }
}

static void test_bodies(void **state)
{
    static const struct {
        const char *body;
        bool good;
    } rows[] = {
        {"{}", true},
        {"{\"text\":\"a\"}", true},
        {"{\"text\":null}", true},
        {"{\"text\":1}", false},
        {"{\"n\":5}", true},
        {"{\"n\":5.5}", false},
        {"{\"n\":\"5\"}", false},
        {"{\"n\":1e300}", false},
        {"{\"flag\":true}", true},
        {"{\"flag\":1}", false},
        {"[]", false},
        {"", false},
        {"{", false},
        {"{} {}", false},
        {"{\"text\":\"a\",\"text\":\"b\"}", false},
        {"{\"more\":1}", false},
        {"{\"text\":\"a\\u0000b\"}", false},
        {"{\"text\":\"\xff\"}", false},
        {"\xef\xbb\xbf{}", true},
        {"{\"key\":\"fedcba9876543210\"}", true},
        {"{\"key\":18364758544493064720}", false},
    };

    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_arena *a = hm_arena_new(1 << 20);
        struct hm_arg args[N];
        struct hm_args_fault f = {0};
        int r = hm_args_body(hm_slice_str(rows[i].body), params, N, a, args, &f);
        if ((r == 0) != rows[i].good)
            fail_msg("%s: %d %s", rows[i].body, r, f.field);
        hm_arena_free(a);
    }
}

static void test_sixty_four_bits_survive(void **state)
{
    struct hm_arena *a = hm_arena_new(1 << 20);
    struct hm_arg args[N];
    struct hm_args_fault f = {0};

    (void)state;
    assert_int_equal(
        hm_args_body(hm_slice_str("{\"key\":\"fedcba9876543211\"}"), params, N, a, args, &f), 0);
    assert_true(args[2].u64 == UINT64_C(0xfedcba9876543211));
    hm_arena_free(a);
}

static void test_times(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns; /* 0: refused */
    } rows[] = {{"1970-01-01T00:00:01Z", 1000000000u},
                {"2026-11-21T22:00:00.123Z", 1795298400123000000u},
                {"2026-11-22T07:00:00.123+09:00", 1795298400123000000u},
                {"2026-11-21T22:00:00", 0},
                {"2026-13-01T00:00:00Z", 0},
                {"2026-02-29T00:00:00Z", 0},
                {"2024-02-29T00:00:00Z", 1709164800000000000u},
                {"2026-11-21T24:00:00Z", 0},
                {"2026-11-21T22:00:00.Z", 0},
                {"2026-11-21T22:00:00Zx", 0},
                {"1969-12-31T23:59:59Z", 0},
                {"", 0},
                {"2026", 0}};

    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        uint64_t ns = 0;
        bool ok = hm_args_time(rows[i].text, &ns);
        if (ok != (rows[i].ns != 0) || ns != rows[i].ns)
            fail_msg("%s: %d %llu", rows[i].text, ok, (unsigned long long)ns);
    }
}

static void test_foreign_json_cannot_break_out(void **state)
{
    static const char *const rows[][2] = {
        {"{\"a\":1}", "{\"a\":1}"},
        {"{\"a\":1}, \"evil\":true", "null"},
        {"[1,[2,{\"b\":\"\\u001b\"}]]", "[1,[2,{\"b\":\"\\u001b\"}]]"},
        {"not json", "null"},
        {"", "null"},
        {"\"\\\"}\"", "\"\\\"}\""}};

    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        hm_auto(hm_buf_done) struct hm_buf out = HM_BUF(4096);
        struct hm_jw w = HM_JW(&out);
        hm_jw_foreign(&w, NULL, rows[i][0]);
        hm_buf_put_u8(&out, 0);
        assert_string_equal((const char *)out.data, rows[i][1]);
    }
    hm_auto(hm_buf_done) struct hm_buf deep = HM_BUF(4096), out = HM_BUF(4096);
    for (int i = 0; i < 500; i++)
        hm_buf_put_u8(&deep, '[');
    for (int i = 0; i < 500; i++)
        hm_buf_put_u8(&deep, ']');
    hm_buf_put_u8(&deep, 0);
    struct hm_jw w = HM_JW(&out);
    hm_jw_foreign(&w, NULL, (const char *)deep.data);
    assert_true(out.len < 64 && out.error == 0);
}

static void test_the_limiter_locks_doubles_and_forgets(void **state)
{
    struct hm_limiter *l = hm_limiter_new();
    uint64_t now = 1000000;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(hm_limiter_try(l, "admin", "192.0.2.1", now), 0);
    unsigned first = hm_limiter_try(l, "admin", "192.0.2.1", now);
    assert_true(first > 0);
    /* somebody else's guesses do not keep the owner out */
    assert_int_equal(hm_limiter_try(l, "admin", "192.0.2.2", now), 0);
    hm_limiter_good(l, "admin", "192.0.2.2");
    now += first * 1000;
    assert_int_equal(hm_limiter_try(l, "admin", "192.0.2.1", now), 0);
    assert_true(hm_limiter_try(l, "admin", "192.0.2.1", now) > first);
    now += 2 * 3600 * 1000;
    for (int i = 0; i < 5; i++)
        assert_int_equal(hm_limiter_try(l, "admin", "192.0.2.1", now), 0);
    hm_limiter_free(l);
    /* many addresses against one name, and many names from one address */
    l = hm_limiter_new();
    unsigned waited = 0;
    for (int i = 0; i < 100; i++) {
        char address[32], user[32];
        snprintf(address, sizeof address, "198.51.100.%d", i);
        snprintf(user, sizeof user, "user%d", i);
        waited |= hm_limiter_try(l, "root", address, now) ? 1 : 0;
        waited |= hm_limiter_try(l, user, "203.0.113.9", now) ? 2 : 0;
    }
    assert_int_equal(waited, 3);
    hm_limiter_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cutting_the_bytes_changes_nothing),
        cmocka_unit_test(test_a_head_has_a_ceiling),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_sixty_four_bits_survive),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_foreign_json_cannot_break_out),
        cmocka_unit_test(test_the_limiter_locks_doubles_and_forgets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
