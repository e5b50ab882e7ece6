/* Which of our events a Sigma log source means: a table, not code. */
#pragma once
#include "base/slice.h"
#include <stdint.h>

#define HM_ROUTE_MAX 6
struct hm_route {
    size_t count;
    uint64_t actions[HM_ROUTE_MAX]; /* enum hm_action; 0 = every action of any class */
};
/* Empty strings mean "not given". false: this agent has no such source; the rule loads but sleeps.
 */
bool hm_logsource_route(const char *product, const char *category, const char *service,
                        struct hm_route *ret_r);
