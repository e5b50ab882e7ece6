/* A child that compiles rules and scans files under limits, and what it tells: libyara parses
 * foreign text in C, so the command itself never calls it. Shared by yara.c and yara_child.c. */
#pragma once
#include "base/buf.h"
#include "base/error.h"

struct hm_yara_job {
    char **rules; /* rule files */
    size_t rule_count;
    char **targets; /* files to scan; none: compile only */
    size_t target_count;
};
struct hm_yara_report { /* what the child says, in its order */
    enum { HM_YARA_PROBLEM, HM_YARA_COMPILED, HM_YARA_SCANNED, HM_YARA_FAILED } kind;
    bool warning;               /* PROBLEM */
    struct hm_slice path, text; /* text: PROBLEM and FAILED, the words */
    struct hm_slice rule;
    uint64_t line, files, rules, strings, bytes, ns; /* PROBLEM; COMPILED */
    uint64_t size, scanned, cut, error;              /* SCANNED; error: errno or 0 */
    struct hm_slice hits;                            /* SCANNED: detect/yara/hits.h */
};
/* Runs the job in children: one that dies on a rule file or a target is reported and the rest goes
 * on in another. Errors: no child can be made, out of memory. */
int hm_yara_run(const struct hm_yara_job *job,
                void (*report)(void *ctx, const struct hm_yara_report *r), void *ctx,
                struct hm_error *err) HM_CHECK;
