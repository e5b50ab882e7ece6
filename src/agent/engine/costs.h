/* What rules cost, and what is done about one that costs too much. Owns the budget and the policy
 * that says whether such a rule is only reported or switched off; never silently. */
#pragma once
#include "agent/engine/sink.h"
#include "detect/ruleset.h"

/* Lines of KEY=VALUE, '#' comments; the file rules.policy beside the rules:
 *   budget_share_permille=10   CPU time of one rule, of one core, over a minute
 *   budget_mean_us=200         mean of one evaluation, once it was evaluated 1,000 times
 *   over_budget=report|off     what happens then
 *   off=RULE-ID                this rule is switched off (any number of lines) */
struct hm_costs;
/* NULL: out of memory. */
struct hm_costs *hm_costs_new(void);
void hm_costs_free(struct hm_costs *c);
/* A rule set with its policy becomes active: counts begin anew, named rules are switched off and
 * said so. Errors: -EINVAL a line is wrong (err), nothing of the policy counts then; -ENOMEM. */
int hm_costs_begin(struct hm_costs *c, struct hm_ruleset *rules, struct hm_slice policy,
                   struct hm_sink *sink, struct hm_error *err) HM_CHECK;
/* Often; looks once a minute of boot_ns. */
void hm_costs_tick(struct hm_costs *c, const struct hm_match_scratch *scratch, struct hm_sink *sink,
                   uint64_t boot_ns);
