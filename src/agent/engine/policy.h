/* Which paths' file changes are recorded: prefixes by path component, `*` for any one component
 * ("/home/" + "*" + "/.ssh"). Owns the patterns; refuses to know events. */
#pragma once
#include "base/error.h"
#include "base/slice.h"

enum hm_policy_verdict {
    HM_POLICY_NONE, /* nothing directly in this directory */
    HM_POLICY_SOME, /* perhaps: ask for each name */
    HM_POLICY_ALL,  /* everything in and beneath it */
};
struct hm_policy;

/* text: one prefix a line; empty lines are skipped.
 * Errors: -EINVAL not absolute; -E2BIG too many; -ENOMEM. */
int hm_policy_new(struct hm_slice text, struct hm_policy **ret_p, struct hm_error *err) HM_CHECK;
void hm_policy_free(struct hm_policy *p);
enum hm_policy_verdict hm_policy_dir(const struct hm_policy *p, struct hm_slice dir);
/* Is this path a prefix's own or beneath it? */
bool hm_policy_path(const struct hm_policy *p, struct hm_slice path);
