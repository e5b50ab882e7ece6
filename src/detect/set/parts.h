/* Private to this folder: what each source's events leave of the rule set. */
#pragma once
#include "detect/set/set.h"
#include "detect/view/auditd.h"

struct hm_set_records {                 /* AUDITD: of an action */
    const struct hm_audit_event *event; /* NULL: not known, the whole program is asked */
    uint64_t wanted;                    /* bits: records that some rule can match */
    struct hm_program_part *of[HM_RECORD_COUNT];
};
struct hm_set_parts {             /* by source; with the rules that are tried on every action */
    struct hm_program_part **own; /* EVENT */
    struct hm_set_records *records;
};
