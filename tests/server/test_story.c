/* Stories: alerts of one attack become one item with a risk, and nothing else does. Also the way of
 * an older database to this version. */
#include "control_room.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sqlite3.h>
#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
#define NOW    (UINT64_C(1790000000) * SECOND)

struct sample {
    uint8_t n; /* makes the id */
    uint8_t endpoint;
    uint64_t severity;
    const char *rule, *tactics;
    uint64_t at_s; /* after NOW */
    uint64_t keys[4];
};

static void raise(struct fixture *f, const struct sample *s, uint8_t ret_story[16])
{
    struct hm_alert_new a = {.id = {s->n},
                             .endpoint = {s->endpoint},
                             .severity = s->severity,
                             .rule_id = hm_slice_str(s->rule),
                             .title = hm_slice_str(s->rule),
                             .techniques = hm_slice_str("T1059"),
                             .tactics = hm_slice_str(s->tactics),
                             .event_ns = NOW + s->at_s * SECOND,
                             .evidence = hm_slice_str("[]")};
    size_t n = 0;
    while (n < 4 && s->keys[n])
        n++;
    assert_int_equal(hm_alert_put(f->c, "default", &a), 1);
    struct hm_story_join j = {"default", a.endpoint, a.id, a.event_ns, s->keys, n};
    assert_int_equal(hm_story_add(f->c, &j, ret_story), 0);
}

/* The row's texts live during the call only; numbers and ids may be kept. */
static int copy(void *ctx, const struct hm_story_row *s)
{
    *(struct hm_story_row *)ctx = *s;
    return 0;
}

static int has_tactics(void *ctx, const struct hm_story_row *s)
{
    assert_string_equal(s->tactics, ctx);
    return 0;
}

static struct hm_story_row get(struct fixture *f, const uint8_t id[16])
{
    struct hm_story_row s;
    assert_int_equal(hm_story_get(f->c, "default", id, copy, &s), 0);
    return s;
}

static int count(void *ctx, const struct hm_story_row *s)
{
    ++*(int *)ctx;
    return 0;
}

static int listed(struct fixture *f, const struct hm_story_filter *filter)
{
    int n = 0;
    assert_int_equal(hm_story_list(f->c, "default", filter, count, &n), 0);
    return n;
}

static void test_ten_rules_on_one_attack_are_one_item(void **state)
{
    struct fixture *f = *state;
    uint8_t first[16], story[16];
    raise(f, &(struct sample){1, 1, 5, "r0", "execution", 0, {10, 9, 8}}, first);
    for (uint8_t i = 1; i < 10; i++) {
        char rule[8];
        snprintf(rule, sizeof rule, "r%u", i);
        raise(f, &(struct sample){(uint8_t)(1 + i), 1, 3, rule, "execution", i, {20u + i, 8}},
              story);
        assert_memory_equal(story, first, 16);
    }
    struct hm_story_row s = get(f, first);
    assert_int_equal(s.alerts, 10);
    assert_int_equal(s.rules, 10);
    assert_int_equal(s.open_alerts, 10);
    assert_int_equal(s.severity, 5);
    assert_int_equal(s.lead[0], 1); /* the worst speaks for it */
    assert_int_equal(s.last_ns - s.first_ns, 9 * SECOND);
    assert_int_equal(listed(f, &(struct hm_story_filter){.open_only = true}), 1);
}

static void test_other_trees_endpoints_and_notices_stay_apart(void **state)
{
    struct fixture *f = *state;
    uint8_t a[16], b[16], c[16], d[16];
    raise(f, &(struct sample){1, 1, 4, "r", "", 0, {10}}, a);
    raise(f, &(struct sample){2, 1, 4, "r", "", 0, {11}}, b);
    raise(f, &(struct sample){3, 2, 4, "r", "", 0, {10}}, c);
    raise(f, &(struct sample){4, 1, 4, "r", "", 0, {0}}, d);
    assert_int_equal(listed(f, &(struct hm_story_filter){0}), 4);
    uint8_t one[16] = {1};
    assert_int_equal(listed(f, &(struct hm_story_filter){.endpoint = one}), 3);
}

static void test_stories_that_share_a_process_become_one(void **state)
{
    struct fixture *f = *state;
    uint8_t a[16], b[16], c[16];
    raise(f, &(struct sample){1, 1, 2, "r1", "", 0, {10}}, a);
    raise(f, &(struct sample){2, 1, 4, "r2", "", 1, {20}}, b);
    raise(f, &(struct sample){3, 1, 3, "r3", "", 2, {20, 10}}, c);
    assert_memory_equal(c, b, 16);
    assert_int_equal(get(f, b).alerts, 3);
    assert_int_equal(listed(f, &(struct hm_story_filter){0}), 1);
    struct hm_story_row old = get(f, a); /* a link to it still leads somewhere */
    assert_non_null(old.merged_into);
    raise(f, &(struct sample){4, 1, 3, "r3", "", 3, {10}}, c);
    assert_memory_equal(c, b, 16);
}

static void test_what_comes_a_day_after_a_closed_story_is_another(void **state)
{
    struct fixture *f = *state;
    uint8_t a[16], b[16], id[16] = {1};
    raise(f, &(struct sample){1, 1, 4, "r", "", 0, {10}}, a);
    raise(f, &(struct sample){2, 1, 4, "r", "", 90000, {10}}, b);
    assert_memory_equal(a, b, 16); /* still open: it goes on */
    assert_int_equal(hm_alert_set_state(f->c, "default", id, "BENIGN", "known", "a"), 0);
    id[0] = 2;
    assert_int_equal(hm_alert_set_state(f->c, "default", id, "BENIGN", "known", "a"), 0);
    raise(f, &(struct sample){3, 1, 4, "r", "", 180001, {10}}, b);
    assert_memory_not_equal(a, b, 16);
}

static void test_risk_grows_with_rules_and_steps_and_not_with_repeats(void **state)
{
    struct fixture *f = *state;
    uint8_t s[16];
    raise(f, &(struct sample){1, 1, 4, "r1", "execution", 0, {10}}, s);
    assert_int_equal(get(f, s).risk, 50);
    raise(f, &(struct sample){2, 1, 4, "r1", "execution", 1, {10}}, s);
    assert_int_equal(get(f, s).risk, 50);
    raise(f, &(struct sample){3, 1, 4, "r2", "execution,persistence", 2, {10}}, s);
    assert_int_equal(get(f, s).risk, 78); /* 1 - 0.5 * 0.5 * 0.9 */
    raise(f, &(struct sample){4, 1, 5, "r3", "impact", 3, {10}}, s);
    assert_int_equal(get(f, s).risk, 95);
    char tactics[] = "impact,execution,persistence"; /* the worst first */
    assert_int_equal(hm_story_get(f->c, "default", s, has_tactics, tactics), 0);
    assert_int_equal(listed(f, &(struct hm_story_filter){.risk = 96}), 0);
    assert_int_equal(listed(f, &(struct hm_story_filter){.risk = 95}), 1);
}

static void test_a_dismissed_alert_weighs_nothing_and_stays(void **state)
{
    struct fixture *f = *state;
    uint8_t s[16], id[16] = {2};
    raise(f, &(struct sample){1, 1, 3, "r1", "execution", 0, {10}}, s);
    raise(f, &(struct sample){2, 1, 5, "r2", "impact", 1, {10}}, s);
    assert_int_equal(hm_alert_set_state(f->c, "default", id, "FALSE_POSITIVE", "a test", "a"), 0);
    assert_int_equal(get(f, s).risk, 25);
    assert_int_equal(get(f, s).severity, 3);
    assert_int_equal(get(f, s).lead[0], 1);
    assert_int_equal(get(f, s).alerts, 2);
    assert_int_equal(get(f, s).open_alerts, 1);
    assert_int_equal(hm_alert_set_state(f->c, "default", id, "TRIAGE", "after all", "a"), 0);
    assert_int_equal(get(f, s).severity, 5);
}

static void test_joining_twice_changes_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t s[16], again[16], endpoint[16] = {1}, id[16] = {1};
    uint64_t key = 10;
    raise(f, &(struct sample){1, 1, 4, "r", "", 0, {10}}, s);
    struct hm_story_join j = {"default", endpoint, id, NOW, &key, 1};
    assert_int_equal(hm_story_add(f->c, &j, again), 0);
    assert_memory_equal(s, again, 16);
    assert_int_equal(get(f, s).alerts, 1);
}

static void test_tenants_do_not_share_stories(void **state)
{
    struct fixture *f = *state;
    uint8_t s[16];
    struct hm_story_row row;
    raise(f, &(struct sample){1, 1, 4, "r", "", 0, {10}}, s);
    int n = 0;
    assert_int_equal(hm_story_list(f->c, "other", &(struct hm_story_filter){0}, count, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(hm_story_get(f->c, "other", s, copy, &row), -ENOENT);
}

/* ---- an older database ---- */
static void run(const char *path, const char *sql)
{
    sqlite3 *db;
    char *why = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s", why);
    sqlite3_close(db);
}

static void first_version(const char *path)
{
    struct hm_buf b = HM_BUF(1 << 20);
    char line[512];
    FILE *f = fopen(SCHEMA_0001, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        hm_buf_puts(&b, line);
    fclose(f);
    hm_buf_put_u8(&b, 0);
    assert_int_equal(b.error, 0);
    run(path, (const char *)b.data);
    hm_buf_done(&b);
    run(path,
        "PRAGMA user_version = 1;"
        "INSERT INTO tenants VALUES ('default', 'default', 1);"
        "INSERT INTO alerts (tenant, id, endpoint, state, severity, rule_id, rule_version, title, "
        "title_ja, reason,"
        " reason_ja, techniques, tactics, event_ns, received_ns, created_ms, tree_key, "
        "process_key, pid, image,"
        " command_line, user, epoch, boot, event_seq, evidence)"
        " SELECT 'default', cast(substr('123456789abcdef' || n, 1, 16) AS BLOB), zeroblob(16), "
        "'NEW', n, 'r' || n, 1, 't', 't',"
        " 'why', 'why', 'T1', 'execution', n, n, n, n / 4, n, n, '/x', 'x', 'u', 1, 1, n, '[]'"
        " FROM (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5);");
}

static void test_an_older_database_is_brought_up_to_date(void **state)
{
    struct fixture *f = *state;
    control_remove(f);
    first_version(f->path);
    assert_int_equal(hm_control_open(f->path, &f->c, NULL), 0);
    /* 1, 2, 3 have no tree; 4 and 5 share one */
    assert_int_equal(listed(f, &(struct hm_story_filter){0}), 4);
    assert_int_equal(listed(f, &(struct hm_story_filter){.risk = 75}), 1);
    hm_control_close(f->c);
    assert_int_equal(hm_control_open(f->path, &f->c, NULL), 0);
    assert_int_equal(listed(f, &(struct hm_story_filter){0}), 4);
}

static void test_a_database_of_a_newer_program_is_refused(void **state)
{
    struct fixture *f = *state;
    struct hm_control *c;
    struct hm_error err = {0};
    run(f->path, "PRAGMA user_version = 9999");
    assert_int_equal(hm_control_open(f->path, &c, &err), -EPROTO);
    assert_non_null(strstr(err.text, "9999"));
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, control_setup, control_teardown)
    const struct CMUnitTest tests[] = {
        T(test_ten_rules_on_one_attack_are_one_item),
        T(test_other_trees_endpoints_and_notices_stay_apart),
        T(test_stories_that_share_a_process_become_one),
        T(test_what_comes_a_day_after_a_closed_story_is_another),
        T(test_risk_grows_with_rules_and_steps_and_not_with_repeats),
        T(test_a_dismissed_alert_weighs_nothing_and_stays),
        T(test_joining_twice_changes_nothing),
        T(test_tenants_do_not_share_stories),
        T(test_an_older_database_is_brought_up_to_date),
        T(test_a_database_of_a_newer_program_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
