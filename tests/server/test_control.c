/* The control database: token rules, sessions, alert states, orders, audit chain, tenant
 * separation. Each test has a database of its own in a temporary folder. */
#include "control_room.h"
#include "base/cleanup.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sqlite3.h>
#include <cmocka.h>

/* Somebody with a shell and sqlite3: what the library itself never does. */
static void tamper(struct fixture *f, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_init_does_not_touch_what_is_there(void **state)
{
    struct fixture *f = *state;
    struct hm_control_first again = {0};
    assert_int_equal(hm_control_init(f->path, &again, NULL), -EEXIST);
    assert_string_equal(again.password, "");
    assert_int_equal(strlen(f->first.password), 19);
}

struct got_user {
    char hash[128];
    bool must_change;
};

static int copy_user(void *ctx, const struct hm_user_row *r)
{
    struct got_user *u = ctx;
    snprintf(u->hash, sizeof u->hash, "%s", r->hash);
    u->must_change = r->must_change;
    return 0;
}

static int ignore_session(void *ctx, const struct hm_session_row *r)
{
    assert_string_equal(r->user, "admin");
    return 0;
}

static void test_first_password_signs_in_once_changed_sessions_end(void **state)
{
    struct fixture *f = *state;
    struct got_user u;
    char cookie[65], csrf[65], hash[128];
    assert_int_equal(hm_user_get(f->c, "admin", copy_user, &u), 0);
    assert_true(u.must_change);
    assert_true(hm_password_verify(u.hash, f->first.password));
    assert_false(hm_password_verify(u.hash, "wrong"));
    assert_false(hm_password_verify(NULL, f->first.password));
    assert_int_equal(hm_session_create(f->c, "default", "admin", 3600, cookie, csrf), 0);
    assert_int_equal(hm_session_get(f->c, cookie, ignore_session, NULL), 0);
    assert_int_equal(hm_password_hash("a better one", hash), 0);
    assert_int_equal(hm_user_set_password(f->c, "default", "admin", hash, "admin"), 0);
    assert_int_equal(hm_session_get(f->c, cookie, ignore_session, NULL), -ENOENT);
    assert_int_equal(hm_user_get(f->c, "admin", copy_user, &u), 0);
    assert_false(u.must_change);
    assert_int_equal(hm_user_get(f->c, "nobody", copy_user, &u), -ENOENT);
}

static void test_secrets_are_not_in_the_file(void **state)
{
    struct fixture *f = *state;
    char cookie[65], csrf[65], token[64];
    uint8_t id[16];
    assert_int_equal(hm_session_create(f->c, "default", "admin", 3600, cookie, csrf), 0);
    assert_int_equal(hm_enroll_token_create(f->c, "default", "g", 1, 60, "admin", id, token), 0);
    const char *secrets[] = {cookie, token, f->first.api_token, f->first.password};
    for (int wal = 0; wal < 2; wal++) {
        char path[128], *data = malloc(1 << 22);
        snprintf(path, sizeof path, "%s%s", f->path, wal ? "-wal" : "");
        FILE *in = fopen(path, "r");
        assert_non_null(in);
        size_t n = fread(data, 1, 1 << 22, in);
        fclose(in);
        assert_true(n > 0);
        for (size_t i = 0; i < HM_ARRAY_LEN(secrets); i++)
            assert_null(memmem(data, n, secrets[i], strlen(secrets[i])));
        free(data);
    }
}

static void test_enrolment_tokens_are_counted_expire_and_are_revoked(void **state)
{
    struct fixture *f = *state;
    struct hm_enroll_grant g;
    char token[64];
    uint8_t id[16];
    uint64_t now = hm_control_now_ms();
    assert_int_equal(hm_enroll_token_create(f->c, "default", "g", 0, 60, "a", id, token), -EINVAL);
    assert_int_equal(hm_enroll_token_create(f->c, "default", "g", 1, 59, "a", id, token), -EINVAL);
    assert_int_equal(hm_enroll_token_create(f->c, "default", "", 1, 60, "a", id, token), -EINVAL);
    assert_int_equal(hm_enroll_token_create(f->c, "default", "office", 2, 60, "a", id, token), 0);
    struct hm_slice t = hm_slice_str(token);
    assert_int_equal(hm_enroll_token_take(f->c, hm_slice_str("hme_guess"), now, &g), -EACCES);
    assert_int_equal(hm_enroll_token_take(f->c, t, now + 61000, &g), -EACCES);
    assert_int_equal(hm_enroll_token_take(f->c, t, now, &g), 0);
    assert_string_equal(g.tenant, "default");
    assert_string_equal(g.group, "office");
    assert_int_equal(hm_enroll_token_take(f->c, t, now, &g), 0);
    assert_int_equal(hm_enroll_token_take(f->c, t, now, &g), -EACCES); /* used up */
    assert_int_equal(hm_enroll_token_give_back(f->c, &g), 0);
    assert_int_equal(hm_enroll_token_take(f->c, t, now, &g), 0);
    assert_int_equal(hm_enroll_token_create(f->c, "default", "g", 9, 60, "a", id, token), 0);
    assert_int_equal(hm_enroll_token_revoke(f->c, "other", id, "a"), -ENOENT);
    assert_int_equal(hm_enroll_token_revoke(f->c, "default", id, "a"), 0);
    assert_int_equal(hm_enroll_token_take(f->c, t, now, &g), -EACCES);
}

/* ---- endpoints, alerts, orders ---- */
static void add_endpoint(struct fixture *f, uint8_t fill, bool practice)
{
    struct hm_enroll_grant g = {.tenant = "default", .group = "office"};
    struct hm_endpoint_new e = {.name = hm_slice_str("pc"), .serial = hm_slice_str("serial")};
    memset(e.id, fill, sizeof e.id);
    e.practice = practice;
    assert_int_equal(hm_endpoint_add(f->c, &g, &e), 0);
}

static int count_endpoint(void *ctx, const struct hm_endpoint_row *r)
{
    ++*(int *)ctx;
    return 0;
}

static int count_alert(void *ctx, const struct hm_alert_row *r)
{
    ++*(int *)ctx;
    return 0;
}

static void test_tenants_do_not_see_each_other(void **state)
{
    struct fixture *f = *state;
    uint8_t id[16], alert[16] = {7};
    int n = 0;
    struct hm_alert_filter all = {0};
    struct hm_alert_new a = {.severity = 4, .evidence = hm_slice_str("[]")};
    memset(id, 1, sizeof id);
    memcpy(a.id, alert, sizeof alert);
    add_endpoint(f, 1, false);
    assert_int_equal(hm_alert_put(f->c, "default", &a), 1);
    assert_int_equal(hm_endpoint_list(f->c, "other", count_endpoint, &n), 0);
    assert_int_equal(hm_endpoint_get(f->c, "other", id, count_endpoint, &n), -ENOENT);
    assert_int_equal(hm_alert_list(f->c, "other", &all, count_alert, &n), 0);
    assert_int_equal(hm_alert_get(f->c, "other", alert, count_alert, &n), -ENOENT);
    assert_int_equal(hm_endpoint_revoke(f->c, "other", id, "r", "a"), -ENOENT);
    assert_int_equal(hm_alert_set_state(f->c, "other", alert, "TRIAGE", "", "a"), -ENOENT);
    assert_int_equal(n, 0);
    assert_int_equal(hm_alert_list(f->c, "default", &all, count_alert, &n), 0);
    assert_int_equal(n, 1);
}

static void test_sql_in_any_text_is_only_text(void **state)
{
    struct fixture *f = *state;
    static const char evil[] = "x'; DROP TABLE endpoints; --";
    uint8_t id[16];
    int n = 0;
    memset(id, 1, sizeof id);
    add_endpoint(f, 1, false);
    struct hm_endpoint_edit e = {evil, evil, evil, evil};
    struct hm_alert_filter af = {.state = evil, .endpoint = id};
    assert_int_equal(hm_endpoint_update(f->c, "default", id, &e, evil), 0);
    assert_int_equal(hm_endpoint_list(f->c, evil, count_endpoint, &n), 0);
    assert_int_equal(hm_alert_list(f->c, evil, &af, count_alert, &n), 0);
    assert_int_equal(hm_endpoint_list(f->c, "default", count_endpoint, &n), 0);
    assert_int_equal(n, 1);
}

static void test_alert_states_follow_the_table(void **state)
{
    struct fixture *f = *state;
    struct hm_alert_new a = {.id = {9}, .severity = 5, .evidence = hm_slice_str("[]")};
    const char *next[16];
    int n = 0;
    struct hm_alert_filter open = {.state = "open"};
    assert_int_equal(hm_alert_put(f->c, "default", &a), 1);
    assert_int_equal(hm_alert_put(f->c, "default", &a), 0); /* upsert: the id is a hash */
    hm_alert_next_states("NEW", next);
    assert_string_equal(next[0], "TRIAGE");
    assert_int_equal(hm_alert_set_state(f->c, "default", a.id, "CLOSED", "", "a"), -EPROTO);
    assert_int_equal(hm_alert_set_state(f->c, "default", a.id, "NONSENSE", "", "a"), -EINVAL);
    assert_int_equal(hm_alert_set_state(f->c, "default", a.id, "TRIAGE", "", "a"), 0);
    assert_int_equal(hm_alert_set_state(f->c, "default", a.id, "BENIGN", "", "a"), -EINVAL);
    assert_int_equal(hm_alert_set_state(f->c, "default", a.id, "BENIGN", "a drill", "a"), 0);
    assert_int_equal(hm_alert_list(f->c, "default", &open, count_alert, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(hm_alert_set_state(f->c, "default", a.id, "TRIAGE", "", "a"), -EINVAL);
    assert_int_equal(hm_alert_set_state(f->c, "default", a.id, "TRIAGE", "again", "a"), 0);
    hm_alert_next_states("NONSENSE", next);
    assert_null(next[0]);
}

struct got_order {
    char state[16];
    uint64_t counter;
};

static int copy_order(void *ctx, const struct hm_order_row *r)
{
    struct got_order *o = ctx;
    snprintf(o->state, sizeof o->state, "%s", r->state);
    o->counter = r->counter;
    return 0;
}

static void test_orders_are_checked_counted_and_never_go_back(void **state)
{
    struct fixture *f = *state;
    uint8_t ep[16], id[16];
    struct hm_order_work w[4];
    uint64_t counter = 0;
    struct got_order got;
    struct hm_order_filter by_id = {.id = id};
    memset(ep, 1, sizeof ep);
    struct hm_order_new o = {.kind = "kill", .endpoint = ep, .reason = "r", .actor = "a"};
    assert_int_equal(hm_order_create(f->c, "default", &o, id), -EINVAL); /* no process */
    o.process_key = 5;
    assert_int_equal(hm_order_create(f->c, "default", &o, id), -ENOENT); /* no endpoint */
    add_endpoint(f, 1, false);
    assert_int_equal(hm_order_create(f->c, "other", &o, id), -ENOENT);
    o.kind = "format";
    assert_int_equal(hm_order_create(f->c, "default", &o, id), -EINVAL);
    o.kind = "kill";
    assert_int_equal(hm_order_create(f->c, "default", &o, id), 0);
    assert_int_equal(hm_order_requested(f->c, w, 4), 1);
    assert_int_equal(hm_order_count(f->c, &w[0], &counter), 0);
    assert_int_equal(counter, 1);
    assert_int_equal(hm_order_count(f->c, &w[0], &counter), 0);
    assert_int_equal(counter, 2); /* a counter is never given twice */
    assert_int_equal(hm_order_signed(f->c, &w[0], hm_slice_str("stmt")), 0);
    struct hm_slice none = {0};
    assert_int_equal(hm_order_set_state(f->c, "default", id, "done", hm_slice_str("{}")), 0);
    assert_int_equal(hm_order_set_state(f->c, "default", id, "begun", none), -EALREADY);
    assert_int_equal(hm_order_set_state(f->c, "default", id, "refused", none), -EALREADY);
    assert_int_equal(hm_order_list(f->c, "default", &by_id, copy_order, &got), 0);
    assert_string_equal(got.state, "done");
    assert_int_equal(got.counter, 2);
}

static void test_an_endpoint_that_was_silent_may_still_tell_the_outcome(void **state)
{
    struct fixture *f = *state;
    uint8_t ep[16], id[16];
    struct hm_order_work w[4];
    struct hm_slice none = {0};
    memset(ep, 1, sizeof ep);
    add_endpoint(f, 1, false);
    struct hm_order_new o = {
        .kind = "kill", .endpoint = ep, .process_key = 5, .reason = "r", .actor = "a"};
    assert_int_equal(hm_order_create(f->c, "default", &o, id), 0);
    assert_int_equal(hm_order_overdue(f->c, hm_control_now_ms(), w, 4), 0);
    assert_int_equal(hm_order_overdue(f->c, hm_control_now_ms() + 3600001, w, 4), 1);
    assert_int_equal(hm_order_set_state(f->c, "default", id, "expired", none), 0);
    assert_int_equal(hm_order_set_state(f->c, "default", id, "sent", none), -EALREADY);
    assert_int_equal(hm_order_set_state(f->c, "default", id, "begun", none), 0);
    assert_int_equal(hm_order_set_state(f->c, "default", id, "done", none), 0);
    assert_int_equal(hm_order_set_state(f->c, "default", id, "expired", none), -EALREADY);
}

static void test_drills_need_a_connected_practice_endpoint(void **state)
{
    struct fixture *f = *state;
    uint8_t id[16], ep[16];
    struct hm_endpoint_hello h = {.name = hm_slice_str("practice")};
    struct hm_order_new o = {.kind = "drill", .drill = "reverse-shell", .reason = "", .actor = "a"};
    memset(ep, 2, sizeof ep);
    add_endpoint(f, 1, false);
    add_endpoint(f, 2, true);
    assert_int_equal(hm_order_create(f->c, "default", &o, id), -ENOENT);
    assert_int_equal(hm_endpoint_connected(f->c, "default", ep, &h), 0);
    assert_int_equal(hm_order_create(f->c, "default", &o, id), 0);
    assert_int_equal(hm_endpoint_revoke(f->c, "default", ep, "lost", "a"), 0);
    assert_int_equal(hm_order_create(f->c, "default", &o, id), -ENOENT);
}

/* Core may have judged it before and waited for the signer meanwhile. */
static void test_a_revoked_endpoint_does_not_connect(void **state)
{
    struct fixture *f = *state;
    uint8_t ep[16];
    struct hm_endpoint_hello h = {.name = hm_slice_str("pc")};
    memset(ep, 1, sizeof ep);
    add_endpoint(f, 1, false);
    assert_int_equal(hm_endpoint_connected(f->c, "default", ep, &h), 0);
    assert_int_equal(hm_endpoint_disconnected(f->c, ep), 0);
    assert_int_equal(hm_endpoint_revoke(f->c, "default", ep, "lost", "a"), 0);
    assert_int_equal(hm_endpoint_connected(f->c, "default", ep, &h), -ENOENT);
}

/* ---- audit ---- */
static void test_audit_chain_shows_every_tampering(void **state)
{
    static const struct {
        const char *name, *sql;
        uint64_t first_bad;
    } rows[] = {
        {"edit", "UPDATE audit SET detail = 'y' WHERE seq = 3", 3},
        {"actor", "UPDATE audit SET actor = 'b' WHERE seq = 2", 2},
        {"time", "UPDATE audit SET time_ms = time_ms + 1 WHERE seq = 4", 4},
        {"removed", "DELETE FROM audit WHERE seq = 3", 4},
        {"cut off", "DELETE FROM audit WHERE seq >= 4", 4},
        {"moved text", "UPDATE audit SET target = 'tt', detail = '' WHERE seq = 3", 3},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        void *s = NULL;
        uint64_t seq = 0;
        control_setup(&s);
        struct fixture *f = s;
        for (int n = 0; n < 4; n++) /* row 1 is server.init */
            assert_int_equal(hm_audit_add(f->c, "default", "a", "test", "t", "t"), 0);
        assert_int_equal(hm_audit_verify(f->c, &seq), 0);
        tamper(f, rows[i].sql);
        assert_int_equal(hm_audit_verify(f->c, &seq), -EBADMSG);
        assert_int_equal(seq, rows[i].first_bad);
        control_teardown(&s);
    }
}

static void test_a_rolled_back_part_cancels_the_whole(void **state)
{
    struct fixture *f = *state;
    uint64_t next = 0;
    assert_int_equal(hm_control_begin(f->c), 0);
    assert_int_equal(hm_cursor_put(f->c, "x", 5), 0);
    assert_int_equal(hm_control_begin(f->c), 0);
    hm_control_rollback(f->c);
    assert_int_equal(hm_control_commit(f->c), -ECANCELED);
    assert_int_equal(hm_cursor_get(f->c, "x", &next), 0);
    assert_int_equal(next, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, control_setup, control_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_init_does_not_touch_what_is_there),
        T(test_first_password_signs_in_once_changed_sessions_end),
        T(test_secrets_are_not_in_the_file),
        T(test_enrolment_tokens_are_counted_expire_and_are_revoked),
        T(test_tenants_do_not_see_each_other),
        T(test_sql_in_any_text_is_only_text),
        T(test_alert_states_follow_the_table),
        T(test_orders_are_checked_counted_and_never_go_back),
        T(test_an_endpoint_that_was_silent_may_still_tell_the_outcome),
        T(test_drills_need_a_connected_practice_endpoint),
        T(test_a_revoked_endpoint_does_not_connect),
        cmocka_unit_test(test_audit_chain_shows_every_tampering),
        T(test_a_rolled_back_part_cancels_the_whole),
    };
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
