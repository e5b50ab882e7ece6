/* `hinomi sigma …`: what its commands share. None of them needs a server. */
#pragma once
#include "cli/cli.h"
#include "detect/correlate/correlate.h"
#include "detect/logsource.h"
#include "detect/record/record.h"
#include "detect/sigma/collection.h"
#include <stdio.h>

#define HM_SIGMA_PATHS_MAX 64 /* of one repeated option */

struct hm_paths {
    const char *at[HM_SIGMA_PATHS_MAX];
    size_t count;
};
struct hm_sigma_args {
    const struct hm_cli *cli;
    struct hm_paths rules, pipelines, placeholders, words;
    const char *field, *rule, *time_field;
    bool json, ignore_logsource, help;
};

/* --- sigma_load.c: files to a collection ----------------------------------------------------- */
struct hm_sigma_set {
    struct hm_names *names;
    struct hm_placeholders *placeholders;
    struct hm_pipeline *pipelines[HM_SIGMA_PATHS_MAX + 1]; /* NULL-terminated */
    struct hm_pipeline *shipped; /* when no pipeline says which record belongs to which source */
    struct hm_source_table tables[HM_SIGMA_PATHS_MAX + 1];
    size_t pipeline_count, table_count;
    struct hm_sigma_collection *collection;
    size_t files;
};
/* Told once per refused document or file, in the order of reading. */
typedef void hm_sigma_tell_fn(void *ctx, const struct hm_rule_problem *p);
/* Read every path (a file, or every *.yml and *.yaml beneath a folder) with the pipelines and
 * lists of the arguments. Returns an exit code; failures have been told to the user. */
int hm_sigma_load(const struct hm_sigma_args *a, const struct hm_paths *paths,
                  hm_sigma_tell_fn *tell, void *ctx, struct hm_sigma_set *ret_set) HM_CHECK;
/* Every rule file of a path; path "" when it is a file itself. Returns an exit code. */
int hm_sigma_each_file(const struct hm_sigma_args *a, const char *path,
                       int (*each)(void *ctx, const char *path, struct hm_slice text),
                       void *ctx) HM_CHECK;
void hm_sigma_path(const char *prefix, const char *path, char *ret, size_t len);
/* A whole text file, or standard input for "-". Returns an exit code. */
int hm_sigma_read_text(const struct hm_sigma_args *a, const char *path, size_t max,
                       struct hm_buf *ret_text) HM_CHECK;
extern const char hm_sigma_windows[]; /* rules/pipelines/windows.yml, built in */
void hm_sigma_set_done(struct hm_sigma_set *s);
/* "path:line:column: reason", made harmless for a terminal, to the stream. */
void hm_sigma_print_problem(const struct hm_rule_problem *p, FILE *to);
/* For eval and the like: problems go to stderr. ctx: size_t counter. */
void hm_sigma_tell_stderr(void *ctx, const struct hm_rule_problem *p);
/* Text made harmless for a terminal (show.h). */
void hm_sigma_say(struct hm_slice text, FILE *to);

/* --- sigma_run.c: a collection at work ----------------------------------------------------------
 */
#define HM_SIGMA_TIMES       16
#define HM_SIGMA_CACHE_BYTES (4u << 20) /* results of values that come again */
struct hm_sigma_running {
    const struct hm_sigma_args *args;
    struct hm_ruleset *rules;
    struct hm_match_scratch *scratch;
    struct hm_record *record;
    struct hm_correlate_item *items;
    struct hm_correlator *correlator; /* NULL: the collection has no correlation */
    uint32_t times[HM_SIGMA_TIMES];   /* fields that may say when */
    uint64_t now_ms;                  /* of the latest event that said it */
};
/* Errors: -ENOMEM. problem: correlations that cannot run, by their index. */
int hm_sigma_correlator(const struct hm_sigma_set *s,
                        void (*problem)(void *ctx, size_t i, const struct hm_error *err), void *ctx,
                        struct hm_sigma_running *r) HM_CHECK;
/* Compile everything. Returns an exit code; failures have been told to the user. */
int hm_sigma_start(const struct hm_sigma_args *a, struct hm_sigma_set *s,
                   struct hm_sigma_running *r) HM_CHECK;
void hm_sigma_running_done(struct hm_sigma_running *r);
/* Make the line's event the present one. Errors: those of hm_record_parse. */
int hm_sigma_read(struct hm_sigma_running *r, struct hm_slice line, struct hm_error *err) HM_CHECK;
/* Rules that the present event matches, ascending; valid until the next line. */
size_t hm_sigma_match(struct hm_sigma_running *r, const uint32_t **ret_rules);
void hm_sigma_correlate(struct hm_sigma_running *r, const uint32_t *rules, size_t count,
                        uint64_t line, hm_correlation_hit_fn hit, void *ctx);

/* --- sigma_out.c
 * ---------------------------------------------------------------------------------- */
/* Text as a JSON string, harmless in a terminal too. */
void hm_sigma_json(struct hm_slice text, struct hm_buf *out);

int hm_sigma_check(const struct hm_sigma_args *a);
int hm_sigma_eval(const struct hm_sigma_args *a);
int hm_sigma_explain(const struct hm_sigma_args *a);
int hm_sigma_test(const struct hm_sigma_args *a);
int hm_sigma_coverage(const struct hm_sigma_args *a);
