/* Rules, whatever their source, compile to one immutable rule set that matches events: our own
 * (struct hm_event, read by the views of view/reading.h) or JSON records. One rule set may be used
 * by several threads at once, each with a scratch of its own. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "event/event.h"

struct hm_rule { /* what a match tells; lives as long as the rule set */
    const char *id, *title, *title_ja;
    const char *reason, *reason_ja;   /* templates: {process.image} is replaced by the value */
    const char *advice, *advice_ja;   /* what to do now; templates too, empty when nobody knows */
    const char *techniques, *tactics; /* comma between: "T1059.004", "execution" */
    const char *path;                 /* file it came from */
    uint64_t version;                 /* hash of the source text */
    uint8_t severity;                 /* OCSF 1..5 from Sigma's level */
    bool scan_memory; /* `hinomi: {scan: memory}`: a match has the process's memory scanned */
};
struct hm_ruleset;
struct hm_names;
struct hm_record;
struct hm_view;
struct hm_sigma_collection;
struct hm_source_table;  /* logsource.h */
struct hm_rule_problem { /* one rule that was refused; the others load */
    char path[256];
    struct hm_error error;
};

/* --- making one ------------------------------------------------------------------------------ */

/* Load every *.yml beneath the folder, in name order, for our own events. problem() is called for
 * each refused rule. Errors: only when the folder cannot be read or memory ends. */
int hm_ruleset_load(int dir_fd, void (*problem)(void *ctx, const struct hm_rule_problem *p),
                    void *ctx, struct hm_ruleset **ret_rs) HM_CHECK;

enum hm_target { HM_TARGET_EVENTS, HM_TARGET_RECORDS };
struct hm_ruleset_options {
    enum hm_target target;
    bool ignore_logsource; /* every rule is tried on every event */
    size_t table_count;    /* RECORDS: the pipelines' tables; none: every rule on every record */
    const struct hm_source_table *tables;
};
/* Compile a finished collection; rules keep their order. The set copies what it needs of it; names
 * (the collection's table, to which fields of the tables are added) has to outlive the set.
 * Errors: -E2BIG past a ceiling of limits.h; -ENOMEM. */
int hm_ruleset_build(const struct hm_sigma_collection *c, struct hm_names *names,
                     const struct hm_ruleset_options *o, struct hm_ruleset **ret_rs,
                     struct hm_error *err) HM_CHECK;
void hm_ruleset_free(struct hm_ruleset *rs);

/* One run of bytes that another process of the same version can open; it checks all of it.
 * Errors: -ENOMEM; write: what the descriptor says. open, map: -EBADMSG malformed. */
int hm_ruleset_write(const struct hm_ruleset *rs, struct hm_buf *out) HM_CHECK;
int hm_ruleset_open(struct hm_slice blob, struct hm_ruleset **ret_rs) HM_CHECK;
int hm_ruleset_serialize(const struct hm_ruleset *rs, int fd) HM_CHECK; /* a memfd, say */
int hm_ruleset_map(int fd, struct hm_ruleset **ret_rs) HM_CHECK; /* from its start to its end */

/* --- asking ---------------------------------------------------------------------------------- */
size_t hm_ruleset_count(const struct hm_ruleset *rs);
const struct hm_rule *hm_ruleset_rule(const struct hm_ruleset *rs, size_t i);
/* Only a correlation's material: its own hits are not to be told. */
bool hm_ruleset_silent(const struct hm_ruleset *rs, size_t i);
/* Is the rule tried on anything? false: no source of ours (or of the tables) is meant. */
bool hm_ruleset_live(const struct hm_ruleset *rs, size_t i);
/* Does a rule of the set ask for this rare system call? The sensor watches only those. */
bool hm_ruleset_wants_call(const struct hm_ruleset *rs, const char *call);
const struct hm_names *hm_ruleset_names(const struct hm_ruleset *rs);
size_t hm_ruleset_bytes(const struct hm_ruleset *rs); /* memory, without scratches */

/* Its correlations for the runtime (correlate/correlate.h); live as long as the set. */
struct hm_correlate_set;
size_t hm_ruleset_correlation_count(const struct hm_ruleset *rs);
struct hm_correlate_set hm_ruleset_correlations(const struct hm_ruleset *rs);
/* What a hit of correlation i tells; silent: it only feeds another one. */
const struct hm_rule *hm_ruleset_correlation(const struct hm_ruleset *rs, size_t i,
                                             bool *ret_silent);

/* Switch a rule off or on, whoever is matching at the time (policy: a rule costs too much). */
void hm_ruleset_disable(struct hm_ruleset *rs, size_t i, bool off);

/* --- matching -------------------------------------------------------------------------------- */
struct hm_match_scratch;
struct hm_match_scratch *hm_match_scratch_new(const struct hm_ruleset *rs);
/* cache_bytes: for the results of values that come again; 0: none. */
struct hm_match_scratch *hm_match_scratch_sized(const struct hm_ruleset *rs, size_t cache_bytes);
void hm_match_scratch_free(struct hm_match_scratch *s);
size_t hm_match_scratch_bytes(const struct hm_match_scratch *s);

/* Calls hit() for every rule that matches the event, silent ones left out. Allocates nothing. */
void hm_ruleset_match(const struct hm_ruleset *rs, struct hm_match_scratch *s,
                      const struct hm_event *e, void (*hit)(void *ctx, const struct hm_rule *r),
                      void *ctx);
/* The same as indices, ascending, each once, silent ones too; valid until the scratch's next use.
 * A set is matched with what it was made for: our events or records. */
size_t hm_ruleset_match_event(const struct hm_ruleset *rs, struct hm_match_scratch *s,
                              const struct hm_event *e, const uint32_t **ret_rules);
size_t hm_ruleset_match_record(const struct hm_ruleset *rs, struct hm_match_scratch *s,
                               struct hm_record *r, const uint32_t **ret_rules);
/* Any view over the set's names, with log sources ignored. */
size_t hm_ruleset_match_view(const struct hm_ruleset *rs, struct hm_match_scratch *s,
                             const struct hm_view *v, const uint32_t **ret_rules);

/* The event as group-by and aggregated fields see it: as itself, a log line as a line. EVENTS only;
 * false: it cannot be read. */
struct hm_reading; /* view/reading.h */
bool hm_ruleset_read(const struct hm_ruleset *rs, const struct hm_event *e,
                     struct hm_reading *ret_r);

/* What a rule cost with this scratch. Counting is always on; one evaluation in 64 is timed. */
struct hm_rule_cost_report {
    uint64_t evaluations, matches, ns;
};
struct hm_rule_cost_report hm_ruleset_cost(const struct hm_match_scratch *s, size_t i);

/* Fill a reason template with an event's values (HTML and control bytes are the reader's matter).
 */
void hm_rule_render(const char *template, const struct hm_event *e, struct hm_buf *out);
