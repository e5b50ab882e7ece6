/* Inside of struct hm_program_part, for part.c, which makes it, and run.c, which matches with it.
 */
#pragma once
#include "detect/match/scratch.h"

struct hm_part_wait { /* the rule is tried when the test holds */
    uint32_t test, rule;
};
struct hm_program_part {
    uint64_t *tests, *rules; /* as they are before the first field is read */
    uint64_t *allowed;       /* bits: rules that can match */
    uint32_t *fields;        /* worth reading, without the keywords */
    size_t field_count, rule_count;
    struct hm_part_wait *waits;
    size_t wait_count, bytes;
    bool keywords;
    bool keywords_within; /* a text that has another within it matches whatever that matches */
};

/* --- run.c: steps of a match ----------------------------------------------------------------- */
void hm_run_gather(struct hm_scratch *s, const uint32_t *sources, size_t count,
                   const uint64_t **ret_allowed, const uint64_t **ret_wanted);
void hm_run_fields(struct hm_scratch *s, const struct hm_view *v, const uint64_t *wanted);
void hm_run_always(const struct hm_program *p, const uint32_t *sources, size_t count,
                   uint64_t *rules);
