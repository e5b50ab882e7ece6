/* Path patterns: thousands of PCRE2 expressions tried on each path, few of them really. Each is
 * filed under four plain bytes that must occur in whatever it matches; a path is scanned once for
 * those. Knows no blob beyond its own section. */
#pragma once
#include "base/buf.h"
#include "base/slice.h"

struct hm_intel_regexes;
/* Does it compile? */
bool hm_intel_regex_check(struct hm_slice pattern);
/* section: per pattern detail u32, length u16, length of the exception u16, both. What does not
 * compile is counted in *ret_failed. NULL: out of memory. */
struct hm_intel_regexes *hm_intel_regexes_new(struct hm_slice section, uint64_t *ret_failed);
void hm_intel_regexes_free(struct hm_intel_regexes *x);
/* Calls hit() for each pattern that matches the path and whose exception does not. */
void hm_intel_regexes_match(const struct hm_intel_regexes *x, struct hm_slice path,
                            void (*hit)(void *ctx, uint32_t detail, struct hm_slice pattern),
                            void *ctx);
struct hm_intel_regexes_stats {
    size_t count, loose, bytes; /* loose: without four plain bytes, tried on every path */
};
struct hm_intel_regexes_stats hm_intel_regexes_stats(const struct hm_intel_regexes *x);

/* gram.c: four-byte runs (ASCII letters folded), one of which every match contains. Number of them;
 * 0: there is no such set. choose() says how much each is liked; the least is taken. */
#define HM_GRAMS_MAX 64
/* Is there none? */
bool hm_intel_regex_loose(struct hm_slice pattern);
size_t hm_intel_regex_grams(struct hm_slice pattern, uint32_t ret_grams[HM_GRAMS_MAX],
                            unsigned (*cost)(void *ctx, uint32_t gram), void *ctx);
