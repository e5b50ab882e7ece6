/* Correlations in the engine: one alert with what led to it, none for their material. */
#include "rig.h"
#include "base/cursor.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static const char rules[] = "title: Three of them\n"
                            "id: 11111111-2222-4333-8444-555555555551\n"
                            "correlation:\n"
                            "  type: event_count\n"
                            "  rules: [one]\n"
                            "  group-by: [User]\n"
                            "  timespan: 1m\n"
                            "  condition: {gte: 3}\n"
                            "level: high\n"
                            "tags: [attack.execution, attack.t1204.002]\n"
                            "hinomi:\n"
                            "  reason: 'the third was {process.command_line}'\n"
                            "  reason_ja: '3 つ目は {process.command_line}'\n"
                            "---\n"
                            "title: Program in a temporary folder\n"
                            "id: 11111111-2222-4333-8444-555555555552\n"
                            "name: one\n"
                            "logsource: {product: linux, category: process_creation}\n"
                            "detection:\n"
                            "  selection: {Image|startswith: /tmp/}\n"
                            "  condition: selection\n"
                            "level: low\n";

static void run(struct rig *r, uint32_t pid, uint64_t boot_ns)
{
    char args[32];
    snprintf(args, sizeof args, "/tmp/x %u", pid);
    rig_exec(r, &(struct rig_exec){.pid = pid,
                                   .ppid = 1,
                                   .parent_start_ns = 1,
                                   .start_ns = boot_ns,
                                   .boot_ns = boot_ns,
                                   .session = 20,
                                   .uid = 1000,
                                   .path = "/tmp/x",
                                   .args = args});
}

/* How many of the alert's evidence are execs. */
static size_t execs(const struct hm_event *alert)
{
    struct hm_cursor in = hm_cursor(alert->v[HM_F_ALERT_EVIDENCE].bytes);
    size_t n = 0;
    while (hm_cursor_left(&in)) {
        struct hm_event e;
        struct hm_slice one = hm_cursor_take(&in, hm_cursor_varint(&in));
        assert_int_equal(hm_event_decode(one, &e), 0);
        n += hm_event_u64(&e, HM_F_ACTION) == HM_ACTION_PROCESS_EXEC;
    }
    assert_int_equal(in.error, 0);
    return n;
}

static void three_within_a_minute_are_one_alert_with_all_three(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.rules_yaml = rules});
    run(r, 30, 100 * SECOND);
    run(r, 31, 130 * SECOND);
    run(r, 32, 160 * SECOND);
    run(r, 33, 161 * SECOND); /* the same group within a timespan: no second alert */
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FINDING_ALERT), 1);
    const struct hm_event *a = rig_find(r, HM_ACTION_FINDING_ALERT, 0);
    struct hm_slice id = a->v[HM_F_RULE_ID].bytes, reason = a->v[HM_F_ALERT_REASON].bytes;
    assert_memory_equal(id.p, "11111111-2222-4333-8444-555555555551", id.len);
    assert_true(hm_slice_eq(reason, hm_slice_str("the third was /tmp/x 32")));
    assert_int_equal(execs(a), 3);
    rig_free(r);
}

static void too_far_apart_is_no_alert(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.rules_yaml = rules});
    for (uint32_t i = 0; i < 5; i++)
        run(r, 30 + i, (100 + i * 31) * SECOND);
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FINDING_ALERT), 0);
    rig_free(r);
}

static void a_reload_of_unchanged_rules_goes_on_counting(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.rules_yaml = rules});
    struct hm_buf bytes = HM_BUF(1 << 20);
    struct hm_ruleset *again = NULL;
    run(r, 30, 100 * SECOND);
    run(r, 31, 101 * SECOND);
    assert_int_equal(hm_ruleset_write(r->rules, &bytes), 0);
    assert_int_equal(hm_ruleset_open(hm_buf_slice(&bytes), &again), 0);
    assert_int_equal(hm_core_set_rules(r->core, again, (struct hm_slice){0}), 0);
    run(r, 32, 102 * SECOND);
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FINDING_ALERT), 1);
    assert_int_equal(execs(rig_find(r, HM_ACTION_FINDING_ALERT, 0)), 3);
    rig_free(r);
    hm_ruleset_free(again);
    hm_buf_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_within_a_minute_are_one_alert_with_all_three),
        cmocka_unit_test(too_far_apart_is_no_alert),
        cmocka_unit_test(a_reload_of_unchanged_rules_goes_on_counting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
