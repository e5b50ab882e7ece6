/* A thin, safe face of libyara: rule texts to an immutable set, a descriptor to the rules that
 * match it. Owns every ceiling (limits.h); refuses to open anything. libyara is C that parses what
 * an attacker wrote: call this only in a process that may be killed. Threads: one. */
#pragma once
#include "base/buf.h"
#include "base/error.h"

struct hm_yara_problem {
    bool warning; /* the rule loads, but is slow or doubtful */
    const char *file;
    uint32_t line;    /* 0: the file as a whole */
    const char *rule; /* "" when the text ended before its name */
    const char *text;
};
typedef void hm_yara_tell(void *ctx, const struct hm_yara_problem *p);

/* Once a process, before it confines itself. Errors: -ENOMEM. */
int hm_yara_begin(struct hm_error *err) HM_CHECK;
void hm_yara_end(void);

/* ---- compile.c ---- */
struct hm_yara_compiler;
struct hm_yara_rules;
/* tell is called for each problem while a file is added. NULL: out of memory. */
struct hm_yara_compiler *hm_yara_compiler_new(hm_yara_tell *tell, void *ctx);
void hm_yara_compiler_free(struct hm_yara_compiler *c);
/* Add one file; its name (unique) becomes the namespace of its rules. Includes are refused.
 * Errors:  -EINVAL refused and told, the others stand; -ENOMEM the set is lost. */
int hm_yara_compiler_add(struct hm_yara_compiler *c, const char *file,
                         struct hm_slice text) HM_CHECK;
/* Owns:    *ret_rules is the caller's; the compiler can only be freed afterwards.
 * Errors:  -E2BIG over a ceiling, -ENOMEM. */
int hm_yara_compiler_done(struct hm_yara_compiler *c, struct hm_yara_rules **ret_rules,
                          struct hm_error *err) HM_CHECK;
void hm_yara_rules_free(struct hm_yara_rules *r);
size_t hm_yara_rules_count(const struct hm_yara_rules *r);
size_t hm_yara_rules_strings(const struct hm_yara_rules *r);
size_t hm_yara_rules_bytes(const struct hm_yara_rules *r);

/* ---- scan.c ---- */
enum hm_yara_cut {                          /* why a scan did not see everything; bits */
                   HM_YARA_CUT_SIZE = 1,    /* larger than what is read */
                   HM_YARA_CUT_TIME = 2,    /* its time was over: no verdict */
                   HM_YARA_CUT_GONE = 4,    /* it shrank, or the process ended, meanwhile */
                   HM_YARA_CUT_MATCHES = 8, /* a string matched so often that it was let go of */
                   HM_YARA_CUT_HITS = 16,   /* more rules matched than are named */
};
struct hm_yara_region {
    uint64_t base, size;
};
struct hm_yara_subject {
    int fd;           /* a regular file, or /proc/PID/mem */
    const char *path; /* for filename, filepath and extension of the rules; may be "" */
    const struct hm_yara_region *regions; /* of memory, most interesting first; NULL: a file */
    size_t region_count;
};
struct hm_yara_result {
    uint32_t cut; /* HM_YARA_CUT_* */
    uint32_t hit_count;
    uint64_t size, scanned; /* bytes */
    uint64_t spent_ns;
    struct hm_buf hits; /* hits.h; the caller's, hm_buf_done() */
};
struct hm_yara_scanner; /* buffers that are used again from scan to scan */
struct hm_yara_scanner *hm_yara_scanner_new(void); /* NULL: out of memory */
void hm_yara_scanner_free(struct hm_yara_scanner *s);
/* Errors:  -EINVAL not a regular file; -ETIME the time was over (ret->cut says so, hits are those
 *          known by then: none); -ENOMEM; -EIO libyara gave up. Hits are in ret->hits. */
int hm_yara_scan(struct hm_yara_scanner *s, const struct hm_yara_rules *rules,
                 const struct hm_yara_subject *subject, struct hm_yara_result *ret) HM_CHECK;
