/* What rules cost: budget, policy, and that nothing happens silently. */
#include "rig.h"
#include "agent/engine/costs.h"
#include "agent/engine/limits.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define ID "11111111-2222-4333-8444-555555555555"
/* Slow on purpose: a pattern that steps back over each byte of a long line. */
static const char slow[] = "title: slow\nid: " ID "\nstatus: test\n"
                           "logsource: {product: linux, category: process_creation}\n"
                           "detection:\n  s:\n    CommandLine|re: '^(x+x+)+[yz]$'\n"
                           "  condition: s\nlevel: low\n";
static const char quick[] = "title: quick\nid: " ID "\nstatus: test\n"
                            "logsource: {product: linux, category: process_creation}\n"
                            "detection:\n  s:\n    Image|endswith: /bad\n"
                            "  condition: s\nlevel: low\n";

static void run(struct rig *r, uint32_t pid, const char *path, const char *args)
{
    rig_exec(r, &(struct rig_exec){
                    .pid = pid, .start_ns = pid, .boot_ns = pid, .path = path, .args = args});
}

static struct rig *with_policy(const char *rule, const char *policy)
{
    struct rig *r = rig_new(&(struct rig_options){.rules_yaml = rule});
    assert_int_equal(hm_core_set_rules(r->core, r->rules, hm_slice_str(policy)), 0);
    return r;
}

static void a_rule_named_off_is_off_and_said(void **state)
{
    (void)state;
    struct rig *r = with_policy(quick, "# ours\noff=" ID "\n\n");
    run(r, 5, "/tmp/bad", "bad");
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FINDING_ALERT), 0);
    const struct hm_event *e = rig_find(r, HM_ACTION_AGENT_RULE_COST, 0);
    rig_assert_text(e, HM_F_RULE_ID, ID);
    struct hm_slice detail = rig_text(e, HM_F_AGENT_DETAIL);
    assert_non_null(memmem(detail.p, detail.len, "\"off\":true", 10));
    rig_free(r);
}

static void a_wrong_policy_counts_not_at_all(void **state)
{
    (void)state;
    static const char *const wrong[] = {"off=" ID "\nbudget_mean_us=many\n",
                                        "off=" ID "\nnonsense\n",
                                        "over_budget=maybe\n",
                                        "budget_share_permille=0\n",
                                        "budget_share_permille=99999999999999999999\n",
                                        "=\n"};
    for (size_t i = 0; i < HM_ARRAY_LEN(wrong); i++) {
        struct rig *r = with_policy(quick, wrong[i]);
        run(r, 5, "/tmp/bad", "bad");
        rig_read(r);
        if (rig_count(r, HM_ACTION_FINDING_ALERT) != 1)
            fail_msg("%zu", i);
        assert_int_equal(rig_count(r, HM_ACTION_AGENT_RULE_COST), 0);
        rig_free(r);
    }
}

/* The module alone: counts are fed through a real rule set and scratch. */
static void over_budget(const char *rule, const char *line, const char *policy, size_t want_told,
                        bool want_off)
{
    struct rig *r = rig_new(&(struct rig_options){.rules_yaml = rule});
    struct hm_match_scratch *scratch = hm_match_scratch_new(r->rules);
    struct hm_costs *costs = hm_costs_new();
    struct hm_sink *sink = hm_sink_new(r->journal, &(struct hm_ledger){0});
    struct hm_event e;
    const uint32_t *hits;
    assert_non_null(sink);
    assert_int_equal(hm_costs_begin(costs, r->rules, hm_slice_str(policy), sink, NULL), 0);
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_PROCESS);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_PROCESS_EXEC);
    hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("/tmp/bad"));
    hm_event_set(&e, HM_F_PROCESS_COMMAND_LINE, hm_slice_str(line));
    for (int i = 0; i < 1500; i++)
        (void)hm_ruleset_match_event(r->rules, scratch, &e, &hits);
    for (uint64_t minute = 1; minute <= 3; minute++)
        hm_costs_tick(costs, scratch, sink, minute * HM_COSTS_LOOK_NS);
    bool all;
    (void)hm_sink_tick(sink, 0, &all);
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_AGENT_RULE_COST), want_told);
    struct hm_rule_cost_report before = hm_ruleset_cost(scratch, 0);
    (void)hm_ruleset_match_event(r->rules, scratch, &e, &hits);
    assert_int_equal(hm_ruleset_cost(scratch, 0).evaluations - before.evaluations, !want_off);
    hm_sink_free(sink);
    hm_costs_free(costs);
    hm_match_scratch_free(scratch);
    rig_free(r);
}

static void a_slow_rule_is_told_once(void **state)
{
    (void)state;
    over_budget(slow, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "budget_mean_us=1\n", 1, false);
}

static void over_budget_may_switch_off(void **state)
{
    (void)state;
    /* any rule is over a mean that no rule can keep: 1 µs, of a pattern that steps back */
    over_budget(slow, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                "budget_mean_us=1\nover_budget=off\n", 1, true);
}

static void a_quick_rule_is_within_its_budget(void **state)
{
    (void)state;
    over_budget(quick, "bad", "budget_mean_us=1000\nbudget_share_permille=1000\n", 0, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_named_off_is_off_and_said),
        cmocka_unit_test(a_wrong_policy_counts_not_at_all),
        cmocka_unit_test(a_slow_rule_is_told_once),
        cmocka_unit_test(over_budget_may_switch_off),
        cmocka_unit_test(a_quick_rule_is_within_its_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
