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

/* --- Records from elsewhere (JSON): which log source one belongs to, as pipelines say ----------
 * A record may belong to a source when none of that source's hint fields which it has disagrees:
 * what is unknown (a record without Channel) excludes nothing, a rule missed is worse than one
 * tried. A record that has no hint field of any source is tried by every rule. A rule is tried on a
 * record that may belong to a source which the rule's log source includes; a rule whose log source
 * includes no source of the table at all is tried on records that belong to none. */
struct hm_source_hint { /* the field's text is one of the values; ASCII letters fold */
    const char *field;
    size_t count;
    const char **values;
};
struct hm_source_alias { /* rules say `name`, records of this source say `real` */
    const char *name, *real;
};
struct hm_source {
    const char *product, *category, *service; /* "" = not given */
    size_t hint_count;
    struct hm_source_hint *hints;
    size_t alias_count;
    struct hm_source_alias *aliases; /* only where the record has no field `name` itself */
};
struct hm_source_table {
    size_t count;
    const struct hm_source *items;
};
/* Is every part that the rule gives the same in the source? */
bool hm_source_included(const char *product, const char *category, const char *service,
                        const struct hm_source *s);
