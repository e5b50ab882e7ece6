/* Indicators on the endpoint: the sets that came with the rules, and what a hit becomes. Owns the
 * words of such an alert; refuses to know how sets are made and looked up (detect/indicator). */
#pragma once
#include "base/error.h"
#include "event/event.h"

struct hm_core;
struct hm_intel_sets;
/* Every intel/<name>.bin beneath the rules folder, mapped; none is an empty list. One that cannot
 * be used is told to problem() and left out. Errors: -ENOMEM. */
int hm_intel_sets_load(int rules_fd, void (*problem)(void *ctx, const char *path, const char *why),
                       void *ctx, struct hm_intel_sets **ret_sets) HM_CHECK;
void hm_intel_sets_free(struct hm_intel_sets *s);
uint64_t hm_intel_sets_count(const struct hm_intel_sets *s); /* indicators; s may be NULL */

/* Look the event up in the core's sets; a hit raises an alert like a rule's match. process: who did
 * it, 0 unknown. */
void hm_intel_look(struct hm_core *c, const struct hm_event *e, uint64_t process);
