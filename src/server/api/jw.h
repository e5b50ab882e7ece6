/* Writing JSON into an hm_buf: commas and escaping in one place, so that no handler forgets either.
 * Owns the syntax; refuses to know what is written. Text of any bytes becomes valid JSON. */
#pragma once
#include "base/buf.h"

struct hm_jw {
    struct hm_buf *out;
    bool comma; /* the next value is not the first of its container */
};
#define HM_JW(buf) ((struct hm_jw){.out = (buf)})

void hm_jw_obj(struct hm_jw *w, const char *key); /* key NULL: within an array or at the top */
void hm_jw_arr(struct hm_jw *w, const char *key);
void hm_jw_end_obj(struct hm_jw *w);
void hm_jw_end_arr(struct hm_jw *w);
void hm_jw_str(struct hm_jw *w, const char *key, const char *s); /* NULL: "" */
void hm_jw_bytes(struct hm_jw *w, const char *key, struct hm_slice s);
void hm_jw_u64(struct hm_jw *w, const char *key, uint64_t v);
void hm_jw_bool(struct hm_jw *w, const char *key, bool v);
void hm_jw_null(struct hm_jw *w, const char *key);
void hm_jw_hex(struct hm_jw *w, const char *key, const void *p, size_t len);
void hm_jw_key(struct hm_jw *w, const char *key, uint64_t v);          /* 16 hex digits */
void hm_jw_key_or_empty(struct hm_jw *w, const char *key, uint64_t v); /* 0 is "" */
void hm_jw_time_ns(struct hm_jw *w, const char *key, uint64_t ns);     /* 0: null */
void hm_jw_time_ms(struct hm_jw *w, const char *key, uint64_t ms);
void hm_jw_raw(struct hm_jw *w, const char *key, const char *json); /* JSON of our own making */
/* "a,b" as ["a","b"]. */
void hm_jw_words(struct hm_jw *w, const char *key, const char *comma_separated);
/* JSON that came from elsewhere: parsed and written anew, so that it cannot break out; null when
 * it is none or nested deeper than 16. */
void hm_jw_foreign(struct hm_jw *w, const char *key, const char *json);
struct cJSON;
void hm_jw_cjson(struct hm_jw *w, const char *key, const struct cJSON *v);
