/* What of a rule collection can fire on the Linux agent's own events, and why the rest cannot.
 *
 * A rule is live when its condition can become true on at least one reading (view/reading.h) of an
 * event that its log source means, with a test on a field that the reading never has being false,
 * on a value that is always the same being what it is, and any other test free to be true or false.
 * So a field that is missing from a filter, or from one branch of an OR, leaves the rule live and
 * is told as unseen. Whether two free tests contradict each other is not asked. */
#pragma once
#include "detect/sigma/collection.h"
#include "detect/view/reading.h"

enum hm_coverage_state {
    HM_COVERAGE_LIVE,
    HM_COVERAGE_PRODUCT, /* the rule is for another product */
    HM_COVERAGE_SOURCE,  /* no event of this agent is meant by its log source */
    HM_COVERAGE_FIELD,   /* fields decide that no event has */
    HM_COVERAGE_VALUE,   /* fields decide whose values here are never what the rule wants */
};
#define HM_COVERAGE_FIELDS_MAX 8
struct hm_coverage {
    enum hm_coverage_state state;
    /* FIELD, VALUE: what decides. LIVE: fields of filters and branches that are not seen. */
    size_t field_count; /* at most HM_COVERAGE_FIELDS_MAX are named */
    uint32_t fields[HM_COVERAGE_FIELDS_MAX];
};
/* names: the table that the rule's tree was made with; b: bindings over it.
 * Threads: reentrant. */
void hm_coverage(const struct hm_sigma_entry *rule, const struct hm_names *names,
                 const struct hm_bindings *b, struct hm_coverage *ret_c);
const char *hm_coverage_state_name(enum hm_coverage_state s); /* "live", "product", … */

/* Does the condition ask for this rare system call (by a pattern on `SYSCALL` or `syscall.name`)?
 * The sensor watches only what a loaded rule wants. */
bool hm_wants_call(const struct hm_ast *condition, const struct hm_bindings *b, const char *call);
/* i-th rare call that can be wanted, NULL at the end. */
const char *hm_call_at(size_t i);
