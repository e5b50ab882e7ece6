/* Rules, whatever their source, compile to one immutable rule set that matches events by field
 * offset. One rule set may be used by several threads at once, each with a scratch of its own. */
#pragma once
#include "base/arena.h"
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
struct hm_rule_problem { /* one rule that was refused; the others load */
    char path[256];
    struct hm_error error;
};
/* Load every *.yml beneath the folder, in name order. problem() is called for each refused rule.
 * Errors: only when the folder cannot be read or memory ends. */
int hm_ruleset_load(int dir_fd, void (*problem)(void *ctx, const struct hm_rule_problem *p),
                    void *ctx, struct hm_ruleset **ret_rs) HM_CHECK;
void hm_ruleset_free(struct hm_ruleset *rs);
size_t hm_ruleset_count(const struct hm_ruleset *rs);
const struct hm_rule *hm_ruleset_rule(const struct hm_ruleset *rs, size_t i);

struct hm_match_scratch;
struct hm_match_scratch *hm_match_scratch_new(const struct hm_ruleset *rs);
void hm_match_scratch_free(struct hm_match_scratch *s);
/* Calls hit() for every rule that matches the event. Allocates nothing but PCRE2 match data. */
void hm_ruleset_match(const struct hm_ruleset *rs, struct hm_match_scratch *s,
                      const struct hm_event *e, void (*hit)(void *ctx, const struct hm_rule *r),
                      void *ctx);
/* Fill a reason template with an event's values (HTML and control bytes are the reader's matter).
 */
void hm_rule_render(const char *template, const struct hm_event *e, struct hm_buf *out);
