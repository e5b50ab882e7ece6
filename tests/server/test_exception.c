/* Exceptions: they cover what they say, where they say, until they expire, and nothing else. */
#include "control_room.h"
#include "server/core/exception.h"
#include "base/cleanup.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sqlite3.h>
#include <cmocka.h>

#define EVIDENCE                                                                                   \
    "[{\"class\":\"process\",\"action\":\"exec\",\"process.image\":\"/usr/bin/tar\","              \
    "\"process.command_line\":\"tar czf /backup/x.tgz /etc\",\"user.id\":0},"                      \
    "{\"class\":\"process\",\"process.image\":\"/usr/sbin/cron\"}]"

static const uint8_t one[16] = {1}, two[16] = {2};

static struct hm_exception_new some(const char *rule, const char *where)
{
    return (struct hm_exception_new){.title = "nightly backup",
                                     .owner = "IT",
                                     .reason = "known",
                                     .rule_id = rule,
                                     .group = "",
                                     .where = where,
                                     .ttl_s = 86400};
}

static int covers(const struct hm_exception_new *x, const struct hm_exception_case *a)
{
    struct hm_exception_set *s;
    struct hm_exception_found found;
    struct hm_error err = {0};
    int r = hm_exception_set_one(x, "default", &s, &err);
    if (r)
        fail_msg("%s: line %u: %s", x->where, err.line, err.text);
    r = hm_exception_find(s, a, &found);
    hm_exception_set_free(s);
    return r;
}

static void test_scope_and_conditions_decide(void **state)
{
    (void)state;
    struct hm_exception_case a = {.tenant = "default",
                                  .group = "office",
                                  .rule_id = "r1",
                                  .endpoint = one,
                                  .evidence = EVIDENCE,
                                  .now_ms = 1};
    static const struct {
        const char *rule, *where, *group;
        const uint8_t *endpoint;
        int want;
    } rows[] = {
        {"r1", "", "", NULL, 1},
        {"r2", "", "", NULL, 0},
        {"r1", "", "office", NULL, 1},
        {"r1", "", "servers", NULL, 0},
        {"r1", "", "", one, 1},
        {"r1", "", "", two, 0},
        {"", "Image|endswith: /tar", "", NULL, 1},
        {"", "process.image|endswith: /tar", "", NULL, 1},
        {"", "Image|endswith: /cron", "", NULL, 0}, /* only the deciding event counts */
        {"", "Image|endswith: /tar\nCommandLine|contains: /backup/", "", NULL, 1},
        {"", "Image|endswith: /tar\nCommandLine|contains: /tmp/", "", NULL, 0},
        {"", "user.id: 0", "", NULL, 1},
        {"", "CommandLine|re: '^tar [a-z]+ /backup/'", "", NULL, 1},
        {"r1", "NoSuchField: x", "", NULL, 0},
        {"r1", "Image|endswith:\n  - /cp\n  - /tar", "", NULL, 1},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_exception_new x = some(rows[i].rule, rows[i].where);
        x.group = rows[i].group;
        x.endpoint = rows[i].endpoint;
        if (covers(&x, &a) != rows[i].want)
            fail_msg("row %zu: %s", i, rows[i].where);
    }
}

static void test_evidence_that_is_no_json_is_not_excepted(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "[]", "{", "[1]", "[null]", "[[[[", "nonsense"};
    struct hm_exception_new x = some("r1", "class|exists: true");
    for (size_t i = 0; i < HM_ARRAY_LEN(texts); i++) {
        struct hm_exception_case a = {.tenant = "default",
                                      .group = "",
                                      .rule_id = "r1",
                                      .endpoint = one,
                                      .evidence = texts[i],
                                      .now_ms = 1};
        assert_int_equal(covers(&x, &a), 0);
    }
}

static void test_bad_ones_are_refused_with_their_place(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *rule, *where;
        uint32_t line;
    } rows[] = {
        {"", "", 0},
        {"", "  \n ", 0},
        {"", "Image|ends: x", 1},
        {"", "Image: a\nUser|nothing: b", 2},
        {"", "Image: [", 1},
        {"", "Image: x\n  condition: not where", 2}, /* cannot leave its search */
    };
    uint8_t id[16];
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_exception_new x = some(rows[i].rule, rows[i].where);
        struct hm_error err = {0};
        assert_int_equal(hm_exception_add(f->c, "default", &x, "a", id, &err), -EINVAL);
        if (rows[i].line ? err.line < rows[i].line : err.line != 0)
            fail_msg("row %zu: line %u: %s", i, err.line, err.text);
    }
    struct hm_exception_new x = some("r1", "");
    x.ttl_s = 367 * 86400;
    assert_int_equal(hm_exception_add(f->c, "default", &x, "a", id, NULL), -EINVAL);
}

static int state_of(void *ctx, const struct hm_alert_row *r)
{
    snprintf(ctx, 32, "%s %d %s", r->state, r->exception != NULL, r->evidence);
    return 0;
}

static int hits_of(void *ctx, const struct hm_exception_row *x)
{
    *(uint64_t *)ctx = x->hits;
    return 0;
}

static struct hm_exception_set *load(struct fixture *f, uint64_t now_ms)
{
    struct hm_exception_set *s;
    assert_int_equal(hm_exception_set_load(f->c, now_ms, NULL, NULL, &s), 0);
    return s;
}

static int find(struct hm_exception_set *s, const char *tenant, uint64_t now_ms,
                struct hm_exception_found *ret)
{
    struct hm_exception_case a = {.tenant = tenant,
                                  .group = "",
                                  .rule_id = "r1",
                                  .endpoint = one,
                                  .evidence = EVIDENCE,
                                  .now_ms = now_ms};
    return hm_exception_find(s, &a, ret);
}

static void test_it_dismisses_and_keeps_everything(void **state)
{
    struct fixture *f = *state;
    struct hm_alert_new a = {
        .id = {9}, .severity = 5, .rule_id = hm_slice_str("r1"), .evidence = hm_slice_str("[]")};
    struct hm_exception_new x = some("r1", "");
    struct hm_exception_found found;
    uint64_t now = hm_control_now_ms(), hits = 0;
    uint8_t id[16];
    char text[32];
    assert_int_equal(hm_exception_add(f->c, "default", &x, "a", id, NULL), 0);
    struct hm_exception_set *s = load(f, now);
    assert_int_equal(find(s, "default", now, &found), 1);
    assert_memory_equal(found.id, id, 16);
    assert_int_equal(hm_alert_put(f->c, "default", &a), 1);
    assert_int_equal(hm_exception_apply(f->c, (struct hm_alert_ref){"default", a.id}, &found), 0);
    assert_int_equal(hm_alert_get(f->c, "default", a.id, state_of, text), 0);
    assert_string_equal(text, "BENIGN 1 []");
    assert_int_equal(hm_exception_list(f->c, "default", hits_of, &hits), 0);
    assert_int_equal(hits, 1);
    hm_exception_set_free(s);
}

static void test_it_ends_expires_and_stays_in_its_tenant(void **state)
{
    struct fixture *f = *state;
    struct hm_exception_new x = some("r1", "");
    struct hm_exception_found found;
    uint64_t now = hm_control_now_ms();
    uint8_t id[16];
    assert_int_equal(hm_exception_add(f->c, "default", &x, "a", id, NULL), 0);
    struct hm_exception_set *s = load(f, now);
    assert_int_equal(find(s, "other", now, &found), 0);
    assert_int_equal(find(s, "default", now + 86401000, &found), 0); /* expired while loaded */
    hm_exception_set_free(s);
    assert_int_equal(hm_exception_end(f->c, "other", id, "a"), -ENOENT);
    assert_int_equal(hm_exception_end(f->c, "default", id, "a"), 0);
    assert_int_equal(hm_exception_end(f->c, "default", id, "a"), -ENOENT);
    s = load(f, now);
    assert_int_equal(find(s, "default", now, &found), 0);
    hm_exception_set_free(s);
}

static void count_problem(void *ctx, const char *title, const struct hm_error *why)
{
    ++*(int *)ctx;
}

static void test_one_that_no_longer_compiles_does_not_stop_the_others(void **state)
{
    struct fixture *f = *state;
    struct hm_exception_new x = some("r1", "");
    struct hm_exception_set *s;
    struct hm_exception_found found;
    uint64_t now = hm_control_now_ms();
    uint8_t id[16];
    sqlite3 *db;
    int problems = 0;
    assert_int_equal(hm_exception_add(f->c, "default", &x, "a", id, NULL), 0);
    assert_int_equal(hm_exception_add(f->c, "default", &x, "a", id, NULL), 0);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE exceptions SET conditions = 'Image|gone: x' WHERE id = "
                                  "(SELECT min(id) FROM exceptions)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(hm_exception_set_load(f->c, now, count_problem, &problems, &s), 0);
    assert_int_equal(problems, 1);
    assert_int_equal(find(s, "default", now, &found), 1);
    hm_exception_set_free(s);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, control_setup, control_teardown)
    const struct CMUnitTest tests[] = {
        T(test_scope_and_conditions_decide),
        T(test_evidence_that_is_no_json_is_not_excepted),
        T(test_bad_ones_are_refused_with_their_place),
        T(test_it_dismisses_and_keeps_everything),
        T(test_it_ends_expires_and_stays_in_its_tenant),
        T(test_one_that_no_longer_compiles_does_not_stop_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
