/* One Sigma rule: its metadata and its compiled condition. */
#pragma once
#include "detect/logsource.h"
#include "detect/ruleset.h"
#include "detect/sigma/search.h"

struct hm_sigma_rule {
    struct hm_rule info;
    bool live; /* route says which events to try */
    struct hm_route route;
    struct hm_node *condition;
};
int hm_sigma_rule(struct hm_sigma *s, const struct hm_yaml *doc, const char *path, uint64_t version,
                  struct hm_sigma_rule *ret_r) HM_CHECK;
