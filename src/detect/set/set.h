/* Private to this folder: what a rule set is made of. */
#pragma once
#include "base/cursor.h"
#include "detect/ast.h"
#include "detect/correlate/correlate.h"
#include "detect/match/match.h"
#include "detect/ruleset.h"
#include "detect/view/reading.h"

#define HM_SOURCE_NONE  UINT32_MAX
#define HM_SET_ACTIONS  4096 /* action numbers stay below; see actions.def */
#define HM_SET_LOGS     32   /* HM_LOG_* bits */
#define HM_SET_KEYS_MAX 1024

/* What a source number means to events of ours: a view, and an action or (logs) a bit. Key 0 of the
 * EVENT and AUDITD views: every action. */
struct hm_source_key {
    enum hm_view_kind view;
    uint64_t key;
};
struct hm_set_alias { /* records of a source: `name` reads as `real` where it is absent */
    uint32_t source, name, real;
};

struct hm_set_correlation {
    struct hm_rule rule; /* what a hit tells */
    struct hm_correlation correlation;
    bool silent; /* only another correlation's material */
};

struct hm_ruleset {
    struct hm_arena *arena;
    struct hm_rule *rules;
    uint8_t *silent, *live;
    size_t count;
    size_t correlation_count;
    struct hm_set_correlation *correlations;
    struct hm_correlate_item *items; /* the same for the runtime */
    struct hm_names *names;
    bool own_names;
    enum hm_target target;
    struct hm_program *program;
    uint64_t *off; /* bits, written atomically */
    bool any_off;
    /* source 0 of every program: all rules. The others: */
    size_t source_count;
    struct hm_source_key *keys; /* EVENTS: of sources 1.. */
    uint16_t *by_action[2];     /* EVENTS: view EVENT, AUDITD: action → source, 0: none */
    uint16_t by_log[HM_SET_LOGS];
    uint16_t every[2];
    struct hm_bindings *bindings;
    /* RECORDS: which sources one belongs to is a question for rules, too. Its rule i is source
     * i + 2; source 1 is of rules that no source of the tables is meant by. */
    struct hm_program *router;
    size_t alias_count;
    struct hm_set_alias *aliases;
    size_t hint_count;
    uint32_t *hints; /* fields: a record that has none of them is tried by every rule */
    bool routed;
    struct hm_set_parts *parts; /* EVENTS: what each source's events leave of the program */
    uint64_t calls; /* EVENTS: rare system calls that some rule asks for; bit i: hm_call_at(i) */
};

struct hm_match_scratch {
    const struct hm_ruleset *rs;
    struct hm_scratch *s, *router;
    uint64_t *seen;   /* bits: rules that some reading of the event hit */
    uint32_t *merged; /* the same as a list */
    uint32_t *sources;
    uint64_t ticks, ns; /* when it was made: how long a tick is */
};

/* --- build.c --------------------------------------------------------------------------------- */
struct hm_ruleset *hm_set_new(void);
/* What follows from the parts and is not written: tables, bindings. */
int hm_set_finish(struct hm_ruleset *rs) HM_CHECK;
/* --- parts.c --------------------------------------------------------------------------------- */
int hm_set_parts(struct hm_ruleset *rs) HM_CHECK;
void hm_set_parts_free(struct hm_ruleset *rs);
size_t hm_set_parts_bytes(const struct hm_ruleset *rs);
/* --- record.c: the tables as a program ---------------------------------------------------------
 */
int hm_set_router(struct hm_ruleset *rs, const struct hm_ruleset_options *o,
                  struct hm_error *err) HM_CHECK;
int hm_set_copy_info(struct hm_arena *a, const struct hm_rule *from, struct hm_rule *to) HM_CHECK;
/* --- blob.c ---------------------------------------------------------------------------------- */
void hm_set_put_info(struct hm_buf *out, const struct hm_rule *r);
void hm_set_get_info(struct hm_cursor *c, struct hm_arena *a, struct hm_rule *ret_r);
/* --- correlations.c -------------------------------------------------------------------------- */
int hm_set_copy_correlations(struct hm_ruleset *rs, const struct hm_sigma_collection *c) HM_CHECK;
void hm_set_put_correlations(const struct hm_ruleset *rs, struct hm_buf *out);
int hm_set_get_correlations(struct hm_ruleset *rs, struct hm_cursor *in) HM_CHECK;
int hm_set_finish_correlations(struct hm_ruleset *rs) HM_CHECK;
