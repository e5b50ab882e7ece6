/* The api on the wire: framing, files, streams; what a hostile or slow client can do. */
#include "proc/proc.h"
#include "request.h"
#include "server/api/limits.h"
#include "server/messages.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- framing ----------------------------------------------------------------------------------*/

static const struct {
    const char *name, *bytes;
    int status; /* 0: closed without an answer is as good */
} smuggling[] = {
    {"content-length twice",
     "POST /api/v1/session HTTP/1.1\r\n" H "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400},
    {"two lengths that differ",
     "POST /api/v1/session HTTP/1.1\r\n" H "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
     400},
    {"a list of lengths", "POST /api/v1/session HTTP/1.1\r\n" H "Content-Length: 2, 2\r\n\r\n{}",
     400},
    {"length and chunked",
     "POST /api/v1/session HTTP/1.1\r\n" H
     "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     501},
    {"chunked alone",
     "POST /api/v1/session HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
     501},
    {"gzip, chunked",
     "POST /api/v1/session HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
     501},
    {"an odd encoding",
     "POST /api/v1/session HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
     "chunked\r\nContent-Length: 2\r\n\r\n{}",
     400},
    {"a space before the colon",
     "POST /api/v1/session HTTP/1.1\r\n" H "Content-Length : 2\r\n\r\n{}", 400},
    {"a folded header",
     "POST /api/v1/session HTTP/1.1\r\n" H
     "X: a\r\n Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
     400},
    {"a bare line feed", "POST /api/v1/session HTTP/1.1\n" H "Content-Length: 2\r\n\r\n{}", 400},
    {"a bare carriage return", "GET /healthz HTTP/1.1\r\n" H "X: a\rContent-Length: 5\r\n\r\n",
     400},
    {"plus sign", "POST /api/v1/session HTTP/1.1\r\n" H "Content-Length: +2\r\n\r\n{}", 400},
    {"hexadecimal", "POST /api/v1/session HTTP/1.1\r\n" H "Content-Length: 0x2\r\n\r\n{}", 400},
    {"too long to be true",
     "POST /api/v1/session HTTP/1.1\r\n" H "Content-Length: 18446744073709551618\r\n\r\n{}", 400},
    {"two megabytes", "POST /api/v1/session HTTP/1.1\r\n" H "Content-Length: 2097152\r\n\r\n{}",
     413},
    {"no length", "POST /api/v1/session HTTP/1.1\r\n" H "Connection: close\r\n\r\n{}", 411},
    {"a body on GET",
     "GET /healthz HTTP/1.1\r\n" H "Content-Length: 30\r\n\r\nGET /api/v1/x HTTP/1.1\r\n\r\n    ",
     400},
    {"no host", "GET /healthz HTTP/1.1\r\n\r\n", 400},
    {"two hosts", "GET /healthz HTTP/1.1\r\n" H "Host: evil\r\n\r\n", 400},
    {"an absolute target", "GET https://evil/ HTTP/1.1\r\n" H "\r\n", 400},
    {"connect", "CONNECT localhost:1 HTTP/1.1\r\n" H "\r\n", 400},
    {"two spaces", "GET  /healthz HTTP/1.1\r\n" H "\r\n", 400},
    {"another version", "GET /healthz HTTP/1.2\r\n" H "\r\n", 400},
    {"two cookies headers", "GET /healthz HTTP/1.1\r\n" H "Cookie: a=1\r\nCookie: b=2\r\n\r\n",
     400},
    {"an empty name", "GET /healthz HTTP/1.1\r\n" H ": x\r\n\r\n", 400},
    {"empty lines first", "\r\n\r\nGET /healthz HTTP/1.1\r\n" H "\r\n", 400},
    {"plain words", "hello there, is this ssh?\r\n\r\n", 400},
};

static void test_smuggling_is_refused_and_the_connection_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(smuggling); i++) {
        /* the innocent request behind it must never be answered */
        static const char behind[] = "GET /healthz HTTP/1.1\r\n" H "\r\n";
        struct https h;
        char all[16384], want[16];
        https_open(&h, serve.port);
        https_write(&h, smuggling[i].bytes, strlen(smuggling[i].bytes));
        https_write(&h, behind, sizeof behind - 1);
        bool ended = https_drain(&h, 5, all, sizeof all);
        snprintf(want, sizeof want, " %d ", smuggling[i].status);
        /* evhttp refuses some by itself, in its own words */
        bool refused = strstr(all, want) || strstr(all, " 400 ") || strstr(all, "501 Not") ||
                       strstr(all, " 413 ");
        if (!ended || strstr(all, " 200 OK") || (*all && !refused))
            fail_msg("%s: %s%s", smuggling[i].name, all, ended ? "" : " (still open)");
        https_close(&h);
    }
    assert_int_equal(status_of((struct request){"GET", "/healthz", NULL, NULL}), 200);
}

static void test_large_heads_are_refused(void **state)
{
    struct reply r;
    char *big = malloc(40000);

    (void)state;
    assert_non_null(big);
    memset(big, 'a', 39999);
    memcpy(big, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ", 43);
    big[39999] = 0;
    https_once(serve.port, big, &r);
    assert_int_not_equal(r.status, 200);
    assert_true(r.closed || r.status >= 400);
    free(big);
    reply_done(&r);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    static const char two[] =
        "GET /healthz HTTP/1.1\r\n" H "\r\nGET /api/v1/overview HTTP/1.1\r\n" H "\r\n";
    struct https h;
    struct reply a, b;

    (void)state;
    https_open(&h, serve.port);
    https_write(&h, two, sizeof two - 1);
    https_read(&h, &a);
    https_read(&h, &b);
    assert_int_equal(a.status, 200);
    assert_int_equal(b.status, 401);
    reply_done(&a), reply_done(&b);
    https_close(&h);
}

/* ---- files
 * --------------------------------------------------------------------------------------*/

static void test_no_path_leads_out_of_www(void **state)
{
    static const char *const paths[] = {"/../secret.txt",
                                        "/..%2fsecret.txt",
                                        "/%2e%2e/secret.txt",
                                        "/%2e%2e%2fsecret.txt",
                                        "/assets/../../secret.txt",
                                        "/assets/..%2f..%2fsecret.txt",
                                        "/..%5csecret.txt",
                                        "/..\\secret.txt",
                                        "//secret.txt",
                                        "/./../secret.txt",
                                        "/link.txt",
                                        "/%00/secret.txt",
                                        "/%252e%252e%252fsecret.txt",
                                        "/..;/secret.txt",
                                        "/assets/%c0%ae%c0%ae/secret.txt",
                                        "/proc/self/environ",
                                        "/etc/passwd"};

    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(paths); i++) {
        struct reply r;
        send_request((struct request){"GET", paths[i], NULL, NULL}, &r);
        if (strstr(r.body, "outside") || strstr(r.body, "root:"))
            fail_msg("%s was served", paths[i]);
        if (r.status == 200) /* at most the console's own page */
            assert_non_null(strstr(r.body, "<title>Hinomi</title>"));
        reply_done(&r);
    }
}

static void test_files_are_served_as_they_should_be(void **state)
{
    static const char *const headers[] = {"Content-Security-Policy", "Strict-Transport-Security",
                                          "X-Content-Type-Options", "Referrer-Policy"};
    struct reply r;

    (void)state;
    send_request((struct request){"GET", "/", NULL, NULL}, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "Cache-Control"), "no-cache");
    for (size_t i = 0; i < HM_ARRAY_LEN(headers); i++)
        assert_non_null(reply_header(&r, headers[i]));
    assert_non_null(strstr(reply_header(&r, "Content-Security-Policy"), "frame-ancestors 'none'"));
    assert_null(strstr(reply_header(&r, "Content-Security-Policy"), "unsafe"));
    char line[128];
    snprintf(line, sizeof line, "If-None-Match: %s\r\n", reply_header(&r, "ETag"));
    reply_done(&r);
    assert_int_equal(status_of((struct request){"GET", "/", line, NULL}), 304);
    send_request((struct request){"GET", "/alerts/some-page", NULL, NULL}, &r);
    assert_int_equal(r.status, 200); /* the console routes it */
    reply_done(&r);
    assert_int_equal(status_of((struct request){"GET", "/nothing.js", NULL, NULL}), 404);
    send_request((struct request){"GET", "/assets/index-AbC123.js", NULL, NULL}, &r);
    assert_non_null(strstr(reply_header(&r, "Cache-Control"), "immutable"));
    assert_string_equal(r.body, "console.log(1)");
    reply_done(&r);
    send_request(
        (struct request){"GET", "/assets/index-AbC123.js", "Accept-Encoding: br, gzip\r\n", NULL},
        &r);
    assert_string_equal(reply_header(&r, "Content-Encoding"), "gzip");
    assert_string_equal(r.body, "gzipped");
    reply_done(&r);
    send_request((struct request){"GET", "/install/SHA256SUMS", NULL, NULL}, &r);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, "  hinomi-agent.deb\n"));
    reply_done(&r);
    send_request((struct request){"GET", "/install/hinomi-agent.deb", NULL, NULL}, &r);
    assert_string_equal(r.body, "not really a package");
    reply_done(&r);
}

/* ---- streams
 * --------------------------------------------------------------------------------------*/

static void test_changes_and_live_events_are_streamed(void **state)
{
    static const char *const lines[] = {"needle one", "other"};
    struct hm_msg_changed m = {.kind = hm_slice_str("alert"),
                               .id = hm_slice(world.alert, 16),
                               .tenant = hm_slice_str("default")};
    struct hm_msg_changed foreign = m;
    struct https changes, events;

    (void)state;
    open_stream(&changes, "/api/v1/stream", "");
    open_stream(&events, "/api/v1/events/stream?class=process&q=needle", "");
    assert_true(wait_text(&changes, "event: hello"));
    assert_true(wait_text(&events, "event: hello"));
    foreign.tenant = hm_slice_str("another");
    foreign.kind = hm_slice_str("secret");
    assert_int_equal(hm_ipc_send(serve.core, &hm_desc_changed, &foreign, NULL, 0), 0);
    assert_int_equal(hm_ipc_send(serve.core, &hm_desc_changed, &m, NULL, 0), 0);
    assert_true(wait_text(
        &changes,
        "event: changed\ndata: {\"kind\":\"alert\",\"id\":\"a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2\"}"));
    world_journal(&world, lines, 2);
    assert_true(wait_text(&events, "needle one"));
    https_close(&changes);
    https_close(&events);
    /* what came meanwhile is told again from the id on */
    open_stream(&events, "/api/v1/events/stream", "Last-Event-ID: 0.0\r\n");
    assert_true(wait_text(&events, "needle one"));
    https_close(&events);
}

/* A client that never reads holds a bounded queue and nobody else up. */
static void test_a_slow_client_is_left_behind(void **state)
{
    struct https slow, quick;
    char *big = malloc(60001);
    const char *lines[4] = {big, big, big, big};

    (void)state;
    assert_non_null(big);
    memset(big, 'x', 60000);
    big[60000] = 0;
    open_stream(&slow, "/api/v1/events/stream", "");
    assert_true(wait_text(&slow, "event: hello"));
    open_stream(&quick, "/api/v1/events/stream?q=quick", "");
    assert_true(wait_text(&quick, "event: hello"));
    for (int i = 0; i < 60; i++) /* 14 MB: more than sockets hold */
        world_journal(&world, lines, 4);
    world_journal(&world, (const char *const[]){"quick one"}, 1);
    assert_true(wait_text(&quick, "quick one"));
    assert_int_equal(status_of((struct request){"GET", "/healthz", NULL, NULL}), 200);
    char path[64], line[256];
    long rss_kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)serve.pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %ld", &rss_kb) == 1)
            break;
    fclose(f);
    print_message("api high-water mark: %ld KiB\n", rss_kb);
    size_t got = drain_stream(&slow);
    assert_true(got < 60u * 4 * 60000); /* not everything was kept for it */
    world_journal(&world, (const char *const[]){"after the gap"}, 1);
    assert_true(wait_text(&slow, "event: dropped\ndata: {\"count\":")); /* and it is told so */
    https_close(&slow);
    https_close(&quick);
    free(big);
}

/* Silent connections up to the ceiling and beyond: the oldest go, a newcomer is served. */
static void test_silent_connections_shut_nobody_out(void **state)
{
    static struct https silent[HM_API_CONNECTIONS_MAX + 20];
    struct timespec a, b;

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (size_t i = 0; i < HM_ARRAY_LEN(silent); i++) /* the last ones only fit because others go */
        https_open(&silent[i], serve.port);
    assert_int_equal(status_of((struct request){"GET", "/healthz", NULL, NULL}), 200);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_true(b.tv_sec - a.tv_sec < HM_API_REQUEST_SECONDS - 4); /* not when their time was up */
    for (size_t i = 0; i < HM_ARRAY_LEN(silent); i++)
        https_close(&silent[i]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smuggling_is_refused_and_the_connection_ends),
        cmocka_unit_test(test_large_heads_are_refused),
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_no_path_leads_out_of_www),
        cmocka_unit_test(test_files_are_served_as_they_should_be),
        cmocka_unit_test(test_changes_and_live_events_are_streamed),
        cmocka_unit_test(test_a_slow_client_is_left_behind),
        cmocka_unit_test(test_silent_connections_shut_nobody_out),
    };

    serve_maybe_worker(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
