/* One value of a rule while modifiers, pipelines and placeholders are applied to it: bytes and
 * wildcards, before it becomes a pattern. Knows no fields and no conditions. */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "detect/ast.h"
#include "detect/sigma/yaml.h"

/* Text is a run of units: a byte (0x00..0xff), a byte that was escaped in the rule (0x100 | byte),
 * a wildcard, or a placeholder (its index in the rule's list of names). */
enum { HM_UNIT_ESCAPED = 0x100, HM_UNIT_ANY = 0x200, HM_UNIT_ONE = 0x201 };
#define HM_UNIT_PLACEHOLDER       0x8000
#define HM_UNIT_IS_BYTE(u)        ((u) < HM_UNIT_ANY)
#define HM_UNIT_IS_WILDCARD(u)    ((u) == HM_UNIT_ANY || (u) == HM_UNIT_ONE)
#define HM_UNIT_IS_PLACEHOLDER(u) ((u) >= HM_UNIT_PLACEHOLDER)
struct hm_text {
    size_t n;
    uint16_t *u;
};

enum hm_value_type {
    HM_VALUE_STRING,
    HM_VALUE_NUMBER, /* text and number */
    HM_VALUE_BOOL,   /* text and truth */
    HM_VALUE_NULL,
    HM_VALUE_REGEX,
    HM_VALUE_CIDR,
    HM_VALUE_FIELD, /* text is the other field's name */
};
struct hm_sigma_value {
    enum hm_value_type type;
    struct hm_place place;
    struct hm_text text;
    struct hm_ast_number number;
    bool truth;
    bool re_i, re_m, re_s;
    enum hm_affix affix; /* FIELD; REGEX: where it has to begin and end */
};

/* What the parts of the reader share while one document is read. */
struct hm_lang {
    struct hm_arena *arena; /* results */
    struct hm_error *err;
};

/* A scalar as YAML types it (core schema); raw: not a Sigma string, no wildcards in it.
 * Errors: -EINVAL with place; -ENOMEM. */
int hm_value_read(struct hm_lang *l, const struct hm_yaml *y, bool raw,
                  struct hm_sigma_value *ret_v) HM_CHECK;
/* Text with Sigma's wildcards and escapes. */
int hm_text_parse(struct hm_lang *l, struct hm_slice s, bool raw, struct hm_text *ret_t) HM_CHECK;
bool hm_text_has_wildcards(struct hm_text t);
bool hm_text_has_placeholders(struct hm_text t);
/* The bytes of a text without wildcards and placeholders; NUL-terminated. NULL: out of memory. */
const char *hm_text_bytes(struct hm_lang *l, struct hm_text t);
/* affix: '*' where contains, startswith, endswith mean it. */
int hm_text_affix(struct hm_lang *l, struct hm_text *t, enum hm_affix affix) HM_CHECK;

/* encode.c: each takes a text and gives 1 or more. -EINVAL: err says why, without place. */
int hm_text_utf16(struct hm_lang *l, struct hm_text *t, bool big_endian, bool mark) HM_CHECK;
int hm_text_base64(struct hm_lang *l, struct hm_text *t) HM_CHECK;
int hm_text_base64_offsets(struct hm_lang *l, struct hm_text t, struct hm_text ret[3]) HM_CHECK;
/* Every permutation of the dashes at the beginning of words: at most HM_WINDASH_MAX of them. */
int hm_text_windash(struct hm_lang *l, struct hm_text t, struct hm_text **ret,
                    size_t *ret_count) HM_CHECK;

/* What is compared with a field. Errors: -EINVAL with place. */
int hm_value_pattern(struct hm_lang *l, const struct hm_sigma_value *v, bool cased,
                     struct hm_pattern *ret_p) HM_CHECK;
