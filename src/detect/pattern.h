/* One value of a rule, compiled: how a field's text or number is compared with it.
 * Immutable after compilation, lives in the rule set's arena. Knows nothing of rules. */
#pragma once
#include "base/arena.h"
#include "base/error.h"

enum hm_pattern_kind {
    HM_PATTERN_EXACT,
    HM_PATTERN_PREFIX,
    HM_PATTERN_SUFFIX,
    HM_PATTERN_CONTAINS,
    HM_PATTERN_GLOB, /* wildcards elsewhere than at the ends */
    HM_PATTERN_REGEX,
    HM_PATTERN_CIDR,
    HM_PATTERN_NULL,  /* field absent */
    HM_PATTERN_EMPTY, /* field there and empty: Sigma's '' */
};
struct hm_pattern {
    enum hm_pattern_kind kind;
    bool cased;     /* compare bytes; else ASCII letters fold */
    bool is_number; /* text is a decimal number: compared as one with numeric fields */
    uint64_t number;
    /* Folded unless cased; GLOB: '*' and '?' are the bytes 0x01 and 0x02. REGEX: the expression as
     * written, from which the matcher takes its literals and a loaded rule set compiles it anew. */
    struct hm_slice text;
    bool re_i, re_m, re_s;          /* REGEX: its flags */
    uint8_t ip[16], ip_len, prefix; /* CIDR */
    void *regex;                    /* pcre2_code, freed by hm_pattern_done */
};

enum hm_affix { HM_AFFIX_NONE, HM_AFFIX_PREFIX, HM_AFFIX_SUFFIX, HM_AFFIX_BOTH };
/* A Sigma string with wildcards and escapes; affix adds what contains/startswith/endswith mean. */
int hm_pattern_string(struct hm_slice s, enum hm_affix affix, bool cased, struct hm_arena *a,
                      struct hm_pattern *ret_p) HM_CHECK;
/* flags: letters i, m, s. Errors: -EINVAL with PCRE2's words. */
int hm_pattern_regex(struct hm_slice s, const char *flags, struct hm_arena *a,
                     struct hm_pattern *ret_p, struct hm_error *err) HM_CHECK;
int hm_pattern_cidr(struct hm_slice s, struct hm_pattern *ret_p) HM_CHECK;
void hm_pattern_done(struct hm_pattern *p);

/* Does the text match? Threads: reentrant (PCRE2 match data is per call). */
bool hm_pattern_match(const struct hm_pattern *p, struct hm_slice text);
/* When backtracking ran into its limit ("\\+.*\\+.*\\+ …" on a long line): the algorithm that
 * follows all ways at once. Slow, rare; false for text that is no UTF-8 and for back references. */
bool hm_pattern_regex_slow(struct hm_slice source, bool i, bool m, bool dot_all, struct hm_slice t);
bool hm_pattern_match_ip(const struct hm_pattern *p, struct hm_slice ip);
