/* The real api over a real world: who may, what is refused, what is said. The tests run in order:
 * some sign in for the next. */
#include "request.h"
#include "event/event.h"
#include "proc/proc.h"
#include "server/api/openapi.h"
#include "server/api/route.h"
#include "server/messages.h"
#include <cjson/cJSON.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

static const char id_text[] = "a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2";
static char cookie[80], csrf[80];

static const char *with_cookie(const char *token)
{
    static char line[512];

    snprintf(line, sizeof line, "Cookie: a=b; %s\r\n%s%s%s", cookie, token ? "X-CSRF-Token: " : "",
             token ? token : "", token ? "\r\n" : "");
    return line;
}

static void path_of(const struct hm_route *route, char *ret, size_t len)
{
    const char *brace = strstr(route->pattern, "{id}");

    if (brace)
        snprintf(ret, len, "%.*s%s%s", (int)(brace - route->pattern), route->pattern, id_text,
                 brace + 4);
    else
        snprintf(ret, len, "%s", route->pattern);
}

static const char *method_of(const struct hm_route *r)
{
    return r->method == HM_GET     ? "GET"
           : r->method == HM_POST  ? "POST"
           : r->method == HM_PATCH ? "PATCH"
                                   : "DELETE";
}

/* ---- the table --------------------------------------------------------------------------------*/

static void test_every_route_without_a_session_is_401(void **state)
{
    char path[128];

    (void)state;
    for (size_t i = 0; i < hm_route_count; i++) {
        const struct hm_route *r = &hm_routes[i];
        if (r->need == HM_MAY_NOTHING)
            continue;
        path_of(r, path, sizeof path);
        assert_int_equal(status_of((struct request){method_of(r), path, NULL, "{}"}), 401);
        assert_int_equal(status_of((struct request){method_of(r), path,
                                                    "Authorization: Bearer hma_0000\r\n", "{}"}),
                         401);
        assert_int_equal(
            status_of((struct request){method_of(r), path,
                                       "Cookie: __Host-hinomi=00000000000000000000000000000000"
                                       "00000000000000000000000000000000\r\n",
                                       "{}"}),
            401);
    }
}

/* Only sign-in is open; whoever opens another door must come by here. */
static void test_only_sign_in_needs_nobody(void **state)
{
    int open = 0;

    (void)state;
    for (size_t i = 0; i < hm_route_count; i++)
        open += hm_routes[i].need == HM_MAY_NOTHING;
    assert_int_equal(open, 1);
}

static void test_wrong_methods_are_405_with_allow(void **state)
{
    static const char *const methods[] = {"PUT", "OPTIONS"};
    struct reply r;
    char path[128];

    (void)state;
    for (size_t i = 0; i < hm_route_count; i++)
        for (size_t m = 0; m < HM_ARRAY_LEN(methods); m++) {
            path_of(&hm_routes[i], path, sizeof path);
            send_request((struct request){methods[m], path, bearer(), NULL}, &r);
            assert_int_equal(r.status, 405);
            assert_non_null(reply_header(&r, "Allow"));
            assert_non_null(strstr(reply_header(&r, "Allow"), method_of(&hm_routes[i])));
            reply_done(&r);
        }
    assert_int_equal(status_of((struct request){"POST", "/index.html", NULL, "{}"}), 405);
    assert_int_equal(status_of((struct request){"GET", "/api/v1/nothing", bearer(), NULL}), 404);
    assert_int_equal(status_of((struct request){"GET", "/api/v1/alerts/a2", bearer(), NULL}), 404);
}

static void test_the_contract_and_the_table_name_the_same_routes(void **state)
{
    char path[160];
    size_t in_contract = 0;

    (void)state;
    for (size_t i = 0; i < hm_route_count; i++) {
        const struct hm_route *r = &hm_routes[i];
        snprintf(path, sizeof path, "\n  %s:\n", r->pattern);
        const char *at = strstr(hm_openapi_text, path);
        assert_non_null(at);
        const char *end = strstr(at + strlen(path), "\n  /");
        char method[16];
        snprintf(method, sizeof method, "\n    %s:\n",
                 r->method == HM_GET     ? "get"
                 : r->method == HM_POST  ? "post"
                 : r->method == HM_PATCH ? "patch"
                                         : "delete");
        const char *m = strstr(at, method);
        assert_true(m && (!end || m < end));
    }
    for (const char *p = hm_openapi_text; (p = strstr(p, "\n      operationId:")); p++)
        in_contract++;
    assert_int_equal(in_contract, hm_route_count + 4); /* healthz, openapi.yaml, install/ twice */
}

static void test_the_contract_has_every_event_field(void **state)
{
    (void)state;
    for (int i = 0; i < HM_FIELD_COUNT; i++) {
        char row[128];
        snprintf(row, sizeof row, "\n        %s: {", hm_fields[i].name);
        if (!strstr(hm_openapi_text, row))
            fail_msg("%s is not in openapi.yaml", hm_fields[i].name);
    }
}

/* ---- sign-in ----------------------------------------------------------------------------------*/

static void sign_in(const char *user, const char *password, struct reply *r)
{
    char body[256];

    snprintf(body, sizeof body, "{\"user\":\"%s\",\"password\":\"%s\"}", user, password);
    send_request((struct request){"POST", "/api/v1/session", NULL, body}, r);
}

static void keep_session(const struct reply *r)
{
    cJSON *o = cJSON_Parse(r->body);
    const char *set = reply_header(r, "Set-Cookie");

    assert_non_null(set);
    snprintf(cookie, sizeof cookie, "%.*s", (int)strcspn(set, ";"), set);
    snprintf(csrf, sizeof csrf, "%s", cJSON_GetStringValue(cJSON_GetObjectItem(o, "csrf")));
    cJSON_Delete(o);
}

static void test_sign_in_sets_a_cookie_that_scripts_cannot_read(void **state)
{
    struct reply r;

    (void)state;
    sign_in("admin", world.first.password, &r);
    assert_int_equal(r.status, 200);
    const char *set = reply_header(&r, "Set-Cookie");
    assert_non_null(strstr(set, "; HttpOnly"));
    assert_non_null(strstr(set, "; Secure"));
    assert_non_null(strstr(set, "; SameSite=Strict"));
    assert_non_null(strstr(set, "; Path=/"));
    assert_null(strstr(set, "Domain"));
    assert_non_null(strstr(r.body, "\"must_change_password\":true"));
    keep_session(&r);
    reply_done(&r);
}

static void test_a_one_time_password_opens_nothing_but_its_change(void **state)
{
    struct reply r;
    char body[256];

    (void)state;
    send_request((struct request){"GET", "/api/v1/overview", with_cookie(NULL), NULL}, &r);
    assert_int_equal(r.status, 403);
    assert_non_null(strstr(r.body, "password-change-required"));
    reply_done(&r);
    static const char *const bad[] = {"short", "administrator1!", "aaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < HM_ARRAY_LEN(bad); i++) {
        snprintf(body, sizeof body, "{\"old\":\"%s\",\"new\":\"%s\"}", world.first.password,
                 bad[i]);
        assert_int_equal(status_of((struct request){"POST", "/api/v1/session/password",
                                                    with_cookie(csrf), body}),
                         400);
    }
    snprintf(body, sizeof body, "{\"old\":\"%s\",\"new\":\"%s\"}", "not the old one",
             "a far better word 9");
    assert_int_equal(
        status_of((struct request){"POST", "/api/v1/session/password", with_cookie(csrf), body}),
        403);
    snprintf(body, sizeof body, "{\"old\":\"%s\",\"new\":\"%s\"}", world.first.password,
             "a far better word 9");
    assert_int_equal(
        status_of((struct request){"POST", "/api/v1/session/password", with_cookie(NULL), body}),
        403);
    send_request((struct request){"POST", "/api/v1/session/password", with_cookie(csrf), body}, &r);
    assert_int_equal(r.status, 204);
    assert_non_null(reply_header(&r, "Set-Cookie"));
    reply_done(&r);
    assert_int_equal(status_of((struct request){"GET", "/api/v1/session", with_cookie(NULL), NULL}),
                     401);
    sign_in("admin", "a far better word 9", &r);
    assert_int_equal(r.status, 200);
    keep_session(&r);
    reply_done(&r);
    assert_int_equal(
        status_of((struct request){"GET", "/api/v1/overview", with_cookie(NULL), NULL}), 200);
}

static void test_every_change_by_cookie_needs_its_csrf_token(void **state)
{
    char path[128], other[80];

    (void)state;
    snprintf(other, sizeof other, "%s", csrf);
    other[5] = other[5] == '0' ? '1' : '0';
    for (size_t i = 0; i < hm_route_count; i++) {
        const struct hm_route *r = &hm_routes[i];
        if (r->method == HM_GET || r->need == HM_MAY_NOTHING)
            continue;
        path_of(r, path, sizeof path);
        assert_int_equal(status_of((struct request){method_of(r), path, with_cookie(NULL), "{}"}),
                         403);
        assert_int_equal(status_of((struct request){method_of(r), path, with_cookie(other), "{}"}),
                         403);
        assert_int_equal(status_of((struct request){method_of(r), path, with_cookie(""), "{}"}),
                         403);
    }
    /* a bearer token is not sent by a browser on its own: it needs none */
    assert_int_equal(
        status_of((struct request){"PATCH", "/api/v1/endpoints/11111111111111111111111111111111",
                                   bearer(), "{\"owner\":\"総務\"}"}),
        200);
    /* another site's page is refused even with everything right */
    char line[700];
    snprintf(line, sizeof line, "%sOrigin: https://evil.example\r\n", with_cookie(csrf));
    assert_int_equal(
        status_of((struct request){"POST", "/api/v1/drills", line, "{\"name\":\"reverse-shell\"}"}),
        403);
    snprintf(line, sizeof line, "%sOrigin: https://localhost\r\n", with_cookie(csrf));
    assert_int_equal(
        status_of((struct request){"POST", "/api/v1/drills", line, "{\"name\":\"reverse-shell\"}"}),
        202);
}

/* ---- hostile strings, languages, states
 * -----------------------------------------------------------*/

static void test_hostile_strings_are_valid_json_and_change_nothing(void **state)
{
    static const char *const paths[] = {"/api/v1/endpoints",
                                        "/api/v1/alerts",
                                        "/api/v1/audit",
                                        "/api/v1/alerts/a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2/tree",
                                        "/api/v1/alerts/a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2/timeline",
                                        "/api/v1/alerts/a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2",
                                        "/api/v1/stories",
                                        "/api/v1/stories?state=open&risk=1",
                                        "/api/v1/rules",
                                        "/api/v1/orders",
                                        "/api/v1/overview"};
    struct reply r;

    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(paths); i++) {
        send_request((struct request){"GET", paths[i], bearer(), NULL}, &r);
        assert_int_equal(r.status, 200);
        assert_string_equal(reply_header(&r, "Content-Type"), "application/json");
        cJSON *o = cJSON_Parse(r.body);
        if (!o)
            fail_msg("%s is no JSON", paths[i]);
        cJSON_Delete(o);
        for (size_t k = 0; k < r.body_len; k++)
            assert_true((unsigned char)r.body[k] >= 0x20);
        reply_done(&r);
    }
}

static void test_problems_speak_the_asked_language(void **state)
{
    struct reply r;

    (void)state;
    send_request((struct request){"GET", "/api/v1/overview",
                                  "Accept-Language: ja-JP,ja;q=0.9,en;q=0.8\r\n", NULL},
                 &r);
    assert_non_null(strstr(r.body, "サインインしてください"));
    assert_string_equal(reply_header(&r, "Content-Type"), "application/problem+json");
    reply_done(&r);
    send_request((struct request){"GET", "/api/v1/overview",
                                  "Accept-Language: fr, en;q=0.5, ja;q=0.1\r\n", NULL},
                 &r);
    assert_non_null(strstr(r.body, "Please sign in"));
    reply_done(&r);
}

static void test_a_session_speaks_the_browsers_language(void **state)
{
    char line[700];
    struct reply r;

    (void)state;
    snprintf(line, sizeof line, "%sAccept-Language: ja\r\n", with_cookie(NULL));
    send_request((struct request){"GET", "/api/v1/session", line, NULL}, &r);
    assert_non_null(strstr(r.body, "\"language\":\"ja\""));
    reply_done(&r);
    send_request((struct request){"GET", "/api/v1/session", with_cookie(NULL), NULL}, &r);
    assert_non_null(strstr(r.body, "\"language\":\"en\"")); /* the server's setting */
    reply_done(&r);
}

static void test_sensors_are_told_in_the_asked_language(void **state)
{
    char line[300];
    struct reply r;

    (void)state;
    send_request((struct request){"GET", "/api/v1/endpoints", bearer(), NULL}, &r);
    assert_non_null(strstr(r.body, "\"detail\":\"programs that start\""));
    assert_non_null(strstr(r.body, "\"blind\":[\"DNS names\",\"<script>alert(1)</script>\"]"));
    reply_done(&r);
    snprintf(line, sizeof line, "%sAccept-Language: ja\r\n", bearer());
    send_request((struct request){"GET", "/api/v1/endpoints", line, NULL}, &r);
    assert_non_null(strstr(r.body, "\"detail\":\"プログラムの起動\""));
    assert_non_null(strstr(r.body, "\"blind\":[\"DNS の名前\"]"));
    reply_done(&r);
}

static void test_bad_values_are_named(void **state)
{
    static const struct {
        const char *method, *path, *body, *field;
    } rows[] = {
        {"GET", "/api/v1/alerts?limit=0", NULL, "limit"},
        {"GET", "/api/v1/alerts?limit=9&limit=9", NULL, "limit"},
        {"GET", "/api/v1/alerts?colour=red", NULL, "colour"},
        {"GET", "/api/v1/alerts?severity=purple", NULL, "severity"},
        {"GET", "/api/v1/stories?risk=101", NULL, "risk"},
        {"GET", "/api/v1/stories?state=some", NULL, "state"},
        {"GET", "/api/v1/stories?before=12x", NULL, "before"},
        {"GET", "/api/v1/events?from=yesterday", NULL, "from"},
        {"GET", "/api/v1/events?class=nothing", NULL, "class"},
        {"GET", "/api/v1/events?action=exec", NULL, "action"},
        {"POST", "/api/v1/orders",
         "{\"kind\":\"kill\",\"endpoint\":\"22222222222222222222222222222222\",\"reason\":\"r\"}",
         "process_key"},
        {"POST", "/api/v1/orders",
         "{\"kind\":\"format\",\"endpoint\":\"22222222222222222222222222222222\",\"reason\":\"r\"}",
         "kind"},
        {"POST", "/api/v1/orders", "{\"kind\":\"isolate\",\"endpoint\":\"x\",\"reason\":\"r\"}",
         "endpoint"},
        {"POST", "/api/v1/orders",
         "{\"kind\":\"isolate\",\"endpoint\":\"22222222222222222222222222222222\",\"reason\":\"\"}",
         "reason"},
        {"POST", "/api/v1/orders",
         "{\"kind\":\"isolate\",\"endpoint\":\"22222222222222222222222222222222\",\"reason\":\"r\","
         "\"expires_s\":1.5}",
         "expires_s"},
        {"PATCH", "/api/v1/alerts/a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
         "{\"state\":\"HAPPY\",\"reason\":\"r\"}", "state"},
    };
    struct reply r;
    char want[64];

    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        send_request((struct request){rows[i].method, rows[i].path, bearer(), rows[i].body}, &r);
        snprintf(want, sizeof want, "\"field\":\"%s\"", rows[i].field);
        if (r.status != 400 || !strstr(r.body, want))
            fail_msg("%s %s: %d %s", rows[i].path, rows[i].body ? rows[i].body : "", r.status,
                     r.body);
        reply_done(&r);
    }
    assert_int_equal(
        status_of((struct request){"PATCH", "/api/v1/alerts/a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
                                   bearer(), "{\"state\":\"CLOSED\",\"reason\":\"r\"}"}),
        409);
    assert_int_equal(
        status_of((struct request){"PATCH", "/api/v1/alerts/a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
                                   bearer(), "{\"state\":\"TRIAGE\",\"reason\":\"\"}"}),
        200);
    assert_int_equal(
        status_of((struct request){"POST", "/api/v1/orders", bearer(),
                                   "{\"kind\":\"isolate\",\"endpoint\":"
                                   "\"99999999999999999999999999999999\",\"reason\":\"r\"}"}),
        404);
}

static void test_alerts_are_paged_without_a_gap(void **state)
{
    struct reply r;
    char path[160] = "/api/v1/alerts?limit=1";
    int seen = 0;

    (void)state;
    for (int page = 0; page < 5 && *path; page++) {
        send_request((struct request){"GET", path, bearer(), NULL}, &r);
        cJSON *o = cJSON_Parse(r.body);
        seen += cJSON_GetArraySize(cJSON_GetObjectItem(o, "items"));
        const char *next = cJSON_GetStringValue(cJSON_GetObjectItem(o, "next"));
        *path = 0;
        if (next)
            snprintf(path, sizeof path, "/api/v1/alerts?limit=1&before=%s", next);
        cJSON_Delete(o);
        reply_done(&r);
    }
    assert_int_equal(seen, 2);
}

static void test_an_order_is_written_and_core_is_poked(void **state)
{
    static const char body[] =
        "{\"kind\":\"kill\",\"endpoint\":\"22222222222222222222222222222222\","
        "\"alert\":\"a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2\",\"reason\":\"test\"}";
    hm_auto(hm_buf_done) struct hm_buf buf = HM_BUF(HM_IPC_MAX_BYTES);
    struct hm_ipc_msg m;
    struct hm_msg_poke poke;
    struct reply r;

    (void)state;
    while (hm_ipc_recv(serve.core, &buf, &m) == 1) /* what other tests poked */
        ;
    send_request((struct request){"POST", "/api/v1/orders", bearer(), body}, &r);
    assert_int_equal(r.status, 202);
    assert_non_null(strstr(r.body, "\"process_key\":\"fedcba9876543210\"")); /* the alert's tree */
    assert_non_null(strstr(r.body, "\"d3fend\":\"D3-PT\""));
    assert_non_null(strstr(r.body, "\"state\":\"requested\""));
    reply_done(&r);
    struct pollfd p = {.fd = serve.core, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(hm_ipc_recv(serve.core, &buf, &m), 1);
    assert_int_equal(m.number, HM_MSG_POKE);
    assert_int_equal(hm_msg_decode(&hm_desc_poke, m.payload, &poke), 0);
    assert_true(hm_slice_eq(poke.table, hm_slice_str("orders")));
}

static void test_history_is_found_by_a_hunt_worker(void **state)
{
    static const char *const lines[] = {"curl http://example.invalid/x", "ls -l"};
    struct reply r;

    (void)state;
    world_journal(&world, lines, 2);
    send_request((struct request){"GET", "/api/v1/events?q=example.invalid", bearer(), NULL}, &r);
    assert_int_equal(r.status, 200);
    cJSON *o = cJSON_Parse(r.body), *items = cJSON_GetObjectItem(o, "items");
    assert_int_equal(cJSON_GetArraySize(items), 1);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(items, 0),
                                                                 "process.command_line")),
                        lines[0]);
    assert_non_null(cJSON_GetObjectItem(o, "completeness"));
    cJSON_Delete(o);
    reply_done(&r);
    assert_int_equal(
        status_of((struct request){"GET", "/api/v1/events?before=nonsense", bearer(), NULL}), 400);
}

static void test_signing_out_ends_session_and_streams(void **state)
{
    struct https h;
    char bytes[1024];

    (void)state;
    snprintf(bytes, sizeof bytes, "GET /api/v1/stream HTTP/1.1\r\n" H "%s\r\n", with_cookie(NULL));
    https_open(&h, serve.port);
    https_write(&h, bytes, strlen(bytes));
    assert_true(wait_text(&h, "event: hello"));
    assert_int_equal(
        status_of((struct request){"DELETE", "/api/v1/session", with_cookie(csrf), NULL}), 204);
    assert_int_equal(status_of((struct request){"GET", "/api/v1/session", with_cookie(NULL), NULL}),
                     401);
    assert_true(wait_text(&h, "0\r\n\r\n")); /* the last chunk: the stream is over */
    https_close(&h);
}

static int tries_until_refused(const char *user, struct reply *r)
{
    for (int tries = 0;; tries++) {
        sign_in(user, "guess", r);
        if (r->status == 429 || tries == 20)
            return tries;
        assert_int_equal(r->status, 401);
        reply_done(r);
    }
}

/* Last: it locks the administrator out at this address. */
static void test_guessing_is_slowed_down_and_audited(void **state)
{
    struct reply r;

    (void)state;
    assert_int_equal(tries_until_refused("mallory", &r), 5); /* who is not there is told the same */
    reply_done(&r);
    assert_in_range(tries_until_refused("admin", &r), 0, 5);
    assert_non_null(reply_header(&r, "Retry-After"));
    assert_in_range(atol(reply_header(&r, "Retry-After")), 1, 900);
    reply_done(&r);
    sign_in("admin", "a far better word 9", &r); /* even the right one must wait now */
    assert_int_equal(r.status, 429);
    reply_done(&r);
    send_request((struct request){"GET", "/api/v1/audit", bearer(), NULL}, &r);
    assert_non_null(strstr(r.body, "session.refused"));
    assert_non_null(strstr(r.body, "session.sign_in"));
    assert_null(strstr(r.body, "guess"));
    reply_done(&r);
}

/* An unknown user takes about as long as a wrong password. */
static void test_unknown_users_cost_the_same_time(void **state)
{
    double took[2] = {0, 0};

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct timespec a, b;
        struct reply r;
        clock_gettime(CLOCK_MONOTONIC, &a);
        sign_in(i % 2 ? "nobody" : "admin", "wrong", &r);
        clock_gettime(CLOCK_MONOTONIC, &b);
        assert_int_equal(r.status, 401);
        took[i % 2] += (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
        reply_done(&r);
    }
    assert_true(took[1] > took[0] / 3 && took[0] > took[1] / 3);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route_without_a_session_is_401),
        cmocka_unit_test(test_only_sign_in_needs_nobody),
        cmocka_unit_test(test_wrong_methods_are_405_with_allow),
        cmocka_unit_test(test_the_contract_and_the_table_name_the_same_routes),
        cmocka_unit_test(test_the_contract_has_every_event_field),
        cmocka_unit_test(test_sign_in_sets_a_cookie_that_scripts_cannot_read),
        cmocka_unit_test(test_a_one_time_password_opens_nothing_but_its_change),
        cmocka_unit_test(test_every_change_by_cookie_needs_its_csrf_token),
        cmocka_unit_test(test_hostile_strings_are_valid_json_and_change_nothing),
        cmocka_unit_test(test_problems_speak_the_asked_language),
        cmocka_unit_test(test_a_session_speaks_the_browsers_language),
        cmocka_unit_test(test_sensors_are_told_in_the_asked_language),
        cmocka_unit_test(test_bad_values_are_named),
        cmocka_unit_test(test_alerts_are_paged_without_a_gap),
        cmocka_unit_test(test_an_order_is_written_and_core_is_poked),
        cmocka_unit_test(test_history_is_found_by_a_hunt_worker),
        cmocka_unit_test(test_signing_out_ends_session_and_streams),
        cmocka_unit_test(test_unknown_users_cost_the_same_time),
        cmocka_unit_test(test_guessing_is_slowed_down_and_audited),
    };

    serve_maybe_worker(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
