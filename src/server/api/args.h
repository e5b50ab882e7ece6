/* What a client may say: parameters of a query and members of a JSON body, checked against const
 * tables. Owns types, ranges and the refusal of what is unknown or said twice; refuses to know
 * routes. Every value a handler sees has passed here. Threads: reentrant. */
#pragma once
#include "base/arena.h"
#include "base/slice.h"

enum hm_arg_kind {
    HM_ARG_TEXT,   /* UTF-8 without control characters; min..max characters */
    HM_ARG_SECRET, /* any UTF-8 but NUL; min..max bytes */
    HM_ARG_ID,     /* 32 hex digits */
    HM_ARG_KEY,    /* 16 hex digits */
    HM_ARG_UINT,   /* min..max */
    HM_ARG_BOOL,
    HM_ARG_TIME, /* RFC 3339, in nanoseconds since 1970 */
};

struct hm_param {
    const char *name;
    enum hm_arg_kind kind;
    bool required;
    uint64_t min, max;
};

struct hm_arg {
    bool present;
    bool flag;
    uint64_t u64;
    uint8_t id[16];
    const char *text; /* in the arena; NULL when absent */
};

struct hm_args_fault {
    char field[64];      /* "" when the whole is malformed */
    const char *en, *ja; /* constant texts */
};

/* Fill args[0..n) from "a=b&c=d". -EINVAL and *ret_fault. */
int hm_args_query(const char *query, const struct hm_param *params, size_t n, struct hm_arena *a,
                  struct hm_arg *args, struct hm_args_fault *ret_fault) HM_CHECK;
/* Fill args[0..n) from a JSON object. */
int hm_args_body(struct hm_slice body, const struct hm_param *params, size_t n, struct hm_arena *a,
                 struct hm_arg *args, struct hm_args_fault *ret_fault) HM_CHECK;

/* Decode %XX once. NULL: malformed, NUL, control byte or not UTF-8. plus: '+' is a space. */
char *hm_args_unescape(struct hm_slice s, bool plus, struct hm_arena *a);
bool hm_args_hex(const char *text, uint8_t *ret, size_t len); /* exactly 2*len lower-case digits */
bool hm_args_time(const char *text, uint64_t *ret_ns);
bool hm_args_utf8(struct hm_slice s, size_t *ret_characters);
