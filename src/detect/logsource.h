/* Which of our events a Sigma log source means, and by which view its rules read them: a table. */
#pragma once
#include "base/slice.h"
#include <stdint.h>

/* How an event is read (view/reading.h). */
enum hm_view_kind {
    HM_VIEW_EVENT, /* Sigma's generic field names: Image, CommandLine, TargetFilename … */
    HM_VIEW_AUDITD, /* as the audit records that auditd would have written: type, a0, exe, name … */
    HM_VIEW_LOG,    /* as a line of a service's log, with the KEY=value pairs in it */
    HM_VIEW_KINDS
};

#define HM_ROUTE_MAX 16
struct hm_route {
    enum hm_view_kind view;
    uint32_t logs; /* VIEW_LOG: services whose lines are meant, a set of HM_LOG_* (view/logs.h);
                    * a reading is tried when (route.logs & reading.logs) != 0 */
    size_t count;
    uint64_t actions[HM_ROUTE_MAX]; /* enum hm_action; 0 = every action of any class */
};
/* Empty strings mean "not given". false: this agent has no such source; the rule loads but sleeps.
 */
bool hm_logsource_route(const char *product, const char *category, const char *service,
                        struct hm_route *ret_r);
