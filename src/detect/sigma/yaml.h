/* YAML text → a small tree with places, in an arena. Knows libyaml, knows nothing of Sigma.
 * Aliases and anchors are refused: rules do not need them and bombs do. */
#pragma once
#include "base/arena.h"
#include "base/error.h"

enum hm_yaml_kind { HM_YAML_SCALAR, HM_YAML_MAP, HM_YAML_LIST };
struct hm_yaml {
    enum hm_yaml_kind kind;
    uint32_t line, column; /* 1-based */
    bool quoted;           /* scalar in quotes: always a string, never null or a number */
    const char *text;      /* scalar, NUL-terminated */
    size_t text_len;
    size_t count;
    struct hm_yaml **keys; /* map: scalars, unique */
    struct hm_yaml **items;
};

/* Every document of a text, one after the other. hm_yaml_next() gives NULL past the last; after an
 * error the rest cannot be trusted. The text and the arena have to outlive the stream.
 * Errors:  -EINVAL with place (UTF-16 and bytes that are not UTF-8 too); -E2BIG over limits.h. */
struct hm_yaml_stream;
int hm_yaml_open(struct hm_slice text, struct hm_arena *arena, struct hm_error *err,
                 struct hm_yaml_stream **ret_s) HM_CHECK;
int hm_yaml_next(struct hm_yaml_stream *s, struct hm_yaml **ret_root) HM_CHECK;
void hm_yaml_close(struct hm_yaml_stream *s);

/* Parse the document number `index` of text. *ret_root is NULL past the last document.
 * Owns:    the tree lives in arena.
 * Errors:  -EINVAL with place; -E2BIG over limits.h; -ENOMEM. Threads: reentrant. */
int hm_yaml_parse(struct hm_slice text, size_t index, struct hm_arena *arena,
                  struct hm_yaml **ret_root, struct hm_error *err) HM_CHECK;
/* NULL when absent or m is not a map. */
const struct hm_yaml *hm_yaml_get(const struct hm_yaml *m, const char *key);
/* Text of a scalar child, or fallback. */
const char *hm_yaml_str(const struct hm_yaml *m, const char *key, const char *fallback);
/* A plain null, ~ or nothing. */
bool hm_yaml_is_null(const struct hm_yaml *n);
