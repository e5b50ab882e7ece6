/* Alerts: content, evidence, where the tree begins, quiet time. */
#include "rig.h"
#include "agent/engine/tree.h"
#include "base/cursor.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define KEY(pid, start) hm_process_key(RIG_BOOT, pid, start)
#define SECOND          UINT64_C(1000000000)

static const char rule[] = "title: Program in a temporary folder\n"
                           "id: 11111111-2222-4333-8444-555555555555\n"
                           "status: test\n"
                           "description: test\n"
                           "author: test\n"
                           "tags: [attack.execution, attack.t1204.002]\n"
                           "logsource: {product: linux, category: process_creation}\n"
                           "detection:\n"
                           "  selection:\n"
                           "    Image|startswith: /tmp/\n"
                           "  condition: selection\n"
                           "level: high\n"
                           "hinomi:\n"
                           "  title_ja: 一時フォルダーのプログラム\n"
                           "  reason: '{process.image} runs from a temporary folder'\n"
                           "  reason_ja: '{process.image} が実行されました'\n"
                           "  advice: 'Look at {process.image}.'\n"
                           "  advice_ja: '{process.image} を確認してください。'\n";

/* systemd(1) → sshd(10) → bash(20, hanako) → sh(21) → /tmp/x(22) */
static void session(struct rig *r)
{
    rig_exec(r, &(struct rig_exec){.pid = 1,
                                   .start_ns = 1,
                                   .boot_ns = 1,
                                   .path = "/usr/lib/systemd/systemd",
                                   .args = "init",
                                   .snapshot = true});
    rig_exec(r, &(struct rig_exec){.pid = 10,
                                   .ppid = 1,
                                   .parent_start_ns = 1,
                                   .start_ns = 10,
                                   .boot_ns = 10,
                                   .session = 10,
                                   .path = "/usr/sbin/sshd",
                                   .args = "sshd",
                                   .snapshot = true});
    rig_exec(r, &(struct rig_exec){.pid = 20,
                                   .ppid = 10,
                                   .parent_start_ns = 10,
                                   .start_ns = 20,
                                   .boot_ns = 20,
                                   .session = 20,
                                   .uid = 1000,
                                   .path = "/usr/bin/bash",
                                   .args = "-bash"});
    rig_exec(r, &(struct rig_exec){.pid = 21,
                                   .ppid = 20,
                                   .parent_start_ns = 20,
                                   .start_ns = 21,
                                   .boot_ns = 21,
                                   .session = 20,
                                   .uid = 1000,
                                   .path = "/usr/bin/dash",
                                   .args = "sh run.sh"});
}

static void bad(struct rig *r, uint32_t pid, uint64_t boot_ns)
{
    rig_exec(r, &(struct rig_exec){.pid = pid,
                                   .ppid = 21,
                                   .parent_start_ns = 21,
                                   .start_ns = boot_ns,
                                   .boot_ns = boot_ns,
                                   .session = 20,
                                   .uid = 1000,
                                   .path = "/tmp/x",
                                   .args = "/tmp/x -v"});
}

static void a_left_cgroup_is_recorded_and_raises_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"hinomi-practice-77", "hinomi-other", ""};
    for (size_t i = 0; i < HM_ARRAY_LEN(names); i++) {
        struct rig *r =
            rig_new(&(struct rig_options){.rules_yaml = rule, .leave = "hinomi-practice-"});
        session(r);
        rig_exec(r, &(struct rig_exec){.pid = 22,
                                       .ppid = 21,
                                       .parent_start_ns = 21,
                                       .start_ns = 5 * SECOND,
                                       .boot_ns = 5 * SECOND,
                                       .path = "/tmp/x",
                                       .args = "/tmp/x",
                                       .cgroup = names[i]});
        rig_read(r);
        assert_int_equal(rig_count(r, HM_ACTION_FINDING_ALERT), i != 0);
        assert_int_equal(rig_count(r, HM_ACTION_PROCESS_EXEC), 3);
        rig_free(r);
    }
}

static void alert_says_what_who_and_why_with_evidence(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.rules_yaml = rule});
    session(r);
    bad(r, 22, 5 * SECOND);
    assert_true(hm_core_alerted(r->core));
    assert_false(hm_core_alerted(r->core));
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FINDING_ALERT), 1);
    const struct hm_event *a = rig_find(r, HM_ACTION_FINDING_ALERT, 0),
                          *x = rig_find(r, HM_ACTION_PROCESS_EXEC, 2);
    rig_assert_text(a, HM_F_RULE_ID, "11111111-2222-4333-8444-555555555555");
    rig_assert_text(a, HM_F_RULE_TITLE_JA, "一時フォルダーのプログラム");
    rig_assert_text(a, HM_F_ALERT_REASON, "/tmp/x runs from a temporary folder");
    rig_assert_text(a, HM_F_ALERT_ADVICE, "Look at /tmp/x.");
    rig_assert_text(a, HM_F_ALERT_ADVICE_JA, "/tmp/x を確認してください。");
    rig_assert_text(a, HM_F_ALERT_TECHNIQUES, "T1204.002");
    rig_assert_text(a, HM_F_PROCESS_COMMAND_LINE, "/tmp/x -v");
    rig_assert_text(a, HM_F_USER_NAME, "hanako");
    assert_int_equal(hm_event_u64(a, HM_F_ALERT_SEVERITY), 4);
    assert_int_equal(hm_event_u64(a, HM_F_PROCESS_KEY), KEY(22, 5 * SECOND));
    assert_int_equal(hm_event_u64(a, HM_F_ALERT_TREE_KEY),
                     KEY(20, 20)); /* the login shell, not sshd */
    assert_int_equal(hm_event_u64(a, HM_F_ALERT_EVENT_SEQ), hm_event_u64(x, HM_F_SEQ));
    assert_int_equal(rig_text(a, HM_F_ALERT_ID).len, 16);
    assert_int_equal(hm_event_u64(a, HM_F_SEQ) & 1, 1); /* alert lane */

    static const uint64_t want[] = {22, 22, 21, 20, 10, 1};
    struct hm_cursor c = hm_cursor(rig_text(a, HM_F_ALERT_EVIDENCE));
    for (size_t i = 0; i < HM_ARRAY_LEN(want); i++) {
        struct hm_event e;
        struct hm_slice one = hm_cursor_take(&c, hm_cursor_varint(&c));
        assert_int_equal(hm_event_decode(one, &e), 0);
        assert_int_equal(hm_event_u64(&e, HM_F_PROCESS_PID), want[i]);
        if (i == 0)
            assert_int_equal(hm_event_u64(&e, HM_F_SEQ), hm_event_u64(x, HM_F_SEQ));
    }
    assert_int_equal(hm_cursor_end(&c), 0);
    rig_free(r);
}

static void same_rule_and_tree_is_quiet_for_a_minute(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.rules_yaml = rule});
    session(r);
    bad(r, 22, 5 * SECOND);
    bad(r, 23, 6 * SECOND);
    bad(r, 24, 64 * SECOND);
    assert_int_equal(hm_core_counts(r->core).alerts.raised, 1);
    assert_int_equal(hm_core_counts(r->core).alerts.repeated, 2);
    bad(r, 26, 4 * SECOND); /* told late: older than the alert */
    assert_int_equal(hm_core_counts(r->core).alerts.repeated, 3);
    bad(r, 25, 66 * SECOND);
    assert_int_equal(hm_core_counts(r->core).alerts.raised, 2);
    /* another tree is another matter, at once */
    rig_exec(r, &(struct rig_exec){.pid = 30,
                                   .ppid = 10,
                                   .parent_start_ns = 10,
                                   .start_ns = 30,
                                   .boot_ns = 67 * SECOND,
                                   .path = "/tmp/y",
                                   .args = "y"});
    assert_int_equal(hm_core_counts(r->core).alerts.raised, 3);
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_PROCESS_EXEC), 8); /* nothing is hidden */
    const struct hm_event *a = rig_find(r, HM_ACTION_FINDING_ALERT, 0),
                          *b = rig_find(r, HM_ACTION_FINDING_ALERT, 1);
    assert_false(hm_slice_eq(rig_text(a, HM_F_ALERT_ID), rig_text(b, HM_F_ALERT_ID)));
    rig_free(r);
}

static void many_trees_do_not_fill_the_quiet_table(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.rules_yaml = rule});
    for (uint32_t i = 0; i < 5000; i++)
        rig_exec(r, &(struct rig_exec){.pid = 100 + i,
                                       .start_ns = 100 + i,
                                       .boot_ns = 100 + i,
                                       .path = "/tmp/x",
                                       .args = "x"});
    assert_int_equal(hm_core_counts(r->core).alerts.raised, 5000);
    rig_free(r);
}

struct row {
    const char *name;
    struct {
        uint32_t pid, uid, session;
        const char *path;
    } p[4]; /* child first; start times descend */
    size_t root;
};

static void tree_begins_where_the_table_says(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"login shell beneath sshd",
         {{40, 7, 30, "/tmp/x"}, {30, 7, 30, "/usr/bin/bash"}, {20, 0, 20, "/usr/sbin/sshd"}},
         1},
        {"command beneath sudo",
         {{40, 0, 10, "/usr/bin/id"}, {30, 0, 10, "/usr/bin/sudo"}, {20, 7, 10, "/usr/bin/bash"}},
         0},
        {"change of user is a border",
         {{40, 33, 10, "/usr/bin/sh"}, {30, 0, 30, "/usr/local/bin/app"}},
         0},
        {"service of systemd",
         {{40, 5, 30, "/usr/bin/sh"},
          {30, 5, 30, "/usr/lib/postfix/sbin/smtpd"},
          {1, 0, 1, "/sbin/init"}},
         0},
        {"daemon from a temporary folder is no service",
         {{40, 5, 30, "/usr/bin/sh"}, {30, 5, 30, "/tmp/.x"}, {1, 0, 1, "/sbin/init"}},
         1},
        {"interpreter is no service",
         {{40, 5, 30, "/tmp/p"}, {30, 5, 30, "/usr/bin/python3.11"}, {1, 0, 1, "/sbin/init"}},
         1},
        {"versioned php-fpm is a service",
         {{40, 33, 40, "/usr/bin/sh"}, {30, 33, 20, "/usr/sbin/php-fpm8.2"}},
         0},
        {"launcher of drills",
         {{40, 0, 40, "/usr/bin/dash"}, {30, 0, 30, "/usr/bin/hinomi-agent"}},
         0},
        {"alone", {{40, 0, 40, "/tmp/x"}}, 0},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_process p[4] = {0}, *lineage[4];
        struct hm_image images[4] = {0};
        size_t n = 0;
        for (; n < 4 && rows[i].p[n].pid; n++) {
            images[n].text.path = hm_slice_str(rows[i].p[n].path);
            p[n] = (struct hm_process){.pid = rows[i].p[n].pid,
                                       .uid = rows[i].p[n].uid,
                                       .session = rows[i].p[n].session,
                                       .has_user = true,
                                       .image = &images[n]};
            lineage[n] = &p[n];
        }
        if (hm_tree_root(lineage, n) != rows[i].root)
            fail_msg("%s: %zu", rows[i].name, hm_tree_root(lineage, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alert_says_what_who_and_why_with_evidence),
        cmocka_unit_test(a_left_cgroup_is_recorded_and_raises_nothing),
        cmocka_unit_test(same_rule_and_tree_is_quiet_for_a_minute),
        cmocka_unit_test(many_trees_do_not_fill_the_quiet_table),
        cmocka_unit_test(tree_begins_where_the_table_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
