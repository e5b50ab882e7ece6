/* The matcher: syntax trees compiled to one flat program, and events looked through with it.
 * Reads events through struct hm_view only; knows neither YAML nor our event table.
 * Threads: a program is read-only and may be shared; a scratch belongs to one thread. */
#pragma once
#include "base/error.h"
#include "detect/ast.h"
#include "detect/view.h"

struct hm_program;
struct hm_program_rule {
    const struct hm_ast *condition;
    size_t source_count; /* tried on events of any of these sources; 0: never */
    const uint32_t *sources;
};

/* Compile rules; they are numbered in this order. A source is a number below source_count; what it
 * means is the caller's. Needs neither trees nor names afterwards.
 * Owns:    *ret_p is the caller's; hm_program_free().
 * Errors:  -E2BIG a ceiling of limits.h (err says which rule); -ENOMEM. */
int hm_program_compile(const struct hm_program_rule *rules, size_t count, size_t source_count,
                       const struct hm_names *names, struct hm_program **ret_p,
                       struct hm_error *err) HM_CHECK;
/* Open what hm_program_bytes() gave, copied here; everything is checked, the giver is not trusted.
 * Errors: -EBADMSG malformed, -ENOMEM. */
int hm_program_open(struct hm_slice blob, struct hm_program **ret_p) HM_CHECK;
struct hm_slice hm_program_bytes(const struct hm_program *p);
/* Put the checksum of changed bytes right: for tests of what the checks themselves catch. */
void hm_program_reseal(uint8_t *blob, size_t len);
struct hm_program_counts {
    size_t rules, names, sources;
};
struct hm_program_counts hm_program_counts(const struct hm_program *p);
size_t hm_program_memory(const struct hm_program *p); /* with compiled expressions, in bytes */
void hm_program_free(struct hm_program *p);

struct hm_scratch;
/* cache_bytes: room for the results of values that come again; 0: none. NULL: out of memory. */
struct hm_scratch *hm_scratch_new(const struct hm_program *p, size_t cache_bytes);
void hm_scratch_free(struct hm_scratch *s);
size_t hm_scratch_memory(const struct hm_scratch *s);

/* The rules of these sources that match the event, ascending, each once; valid until the next call.
 * off: bits over the rules that are switched off, or NULL. Allocates nothing after warm-up. */
size_t hm_program_match(const struct hm_program *p, struct hm_scratch *s, const struct hm_view *v,
                        const uint32_t *sources, size_t source_count, const uint64_t *off,
                        const uint32_t **ret_rules);

struct hm_rule_cost {
    uint64_t evaluations, matches;
    uint64_t ticks; /* of the time stamp counter, from one evaluation in HM_COST_SAMPLE, scaled */
};
/* What the rule cost since the scratch was made. */
struct hm_rule_cost hm_scratch_cost(const struct hm_scratch *s, size_t rule);
struct hm_scratch_stats {
    uint64_t events, values, cache_hits, evaluations;
    uint64_t regex_limits; /* expressions that backtracked too long and were tried otherwise */
};
struct hm_scratch_stats hm_scratch_stats(const struct hm_scratch *s);

/* What is left of these sources for events of one shape. varies: bits over the names, the fields
 * whose value is known only with the event; known: a view of the others that are there (its
 * `present` says which), with the value that they have in each event of the shape. What is in
 * neither is absent.
 * Owns:    *ret_part is the caller's, hm_program_part_free(); good as long as p is.
 * Errors:  -ENOMEM. Threads: read-only once made, may be shared. */
struct hm_program_part;
int hm_program_part_new(const struct hm_program *p, const uint32_t *sources, size_t count,
                        const struct hm_view *known, const uint64_t *varies,
                        struct hm_program_part **ret_part) HM_CHECK;
void hm_program_part_free(struct hm_program_part *part);
size_t hm_program_part_memory(const struct hm_program_part *part); /* in bytes; NULL: 0 */
bool hm_program_part_empty(const struct hm_program_part *part);    /* no rule can match */
/* As hm_program_match() with the part's sources, for an event of its shape. */
size_t hm_program_match_part(const struct hm_program_part *part, struct hm_scratch *s,
                             const struct hm_view *v, const uint64_t *off,
                             const uint32_t **ret_rules);
