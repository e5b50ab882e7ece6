/* A bounded pull reader of JSON: goes through a text once, hands out slices of it, allocates
 * nothing and recurses nowhere. Whoever reads decides what to enter and what to skip. */
#pragma once
#include "base/buf.h"
#include "base/slice.h"

struct hm_json {
    const uint8_t *p, *end;
    int error;   /* sticky: -EBADMSG malformed, -ENODATA ends too early, -E2BIG too deep,
                    -ENOMEM in hm_json_text() */
    int entered; /* objects and arrays that are open */
};
static inline struct hm_json hm_json(struct hm_slice s)
{
    const uint8_t *p = s.len ? s.p : (const uint8_t *)"";
    return (struct hm_json){.p = p, .end = p + s.len};
}
/* Type of the value that comes next: one of { [ " 0 t f n, or 0 at an error or the end. */
char hm_json_peek(struct hm_json *j);
/* Enter the object or array that comes next; false: it is none. */
bool hm_json_enter(struct hm_json *j, char type);
/* The next member (or element) of what was entered; its value comes next and must be read or
 * skipped. False: the end, which is left, or an error. first: true before the first call. */
bool hm_json_member(struct hm_json *j, bool *first, struct hm_slice *ret_key);
bool hm_json_element(struct hm_json *j, bool *first);
/* Over one value, checking it; the slice is its text ({} after an error). */
struct hm_slice hm_json_skip(struct hm_json *j);
/* The value that comes next as text: a string unescaped into buf (cleared first), a number or word
 * as it stands; false: an object, an array, null, or over buf's ceiling (skipped then). */
bool hm_json_text(struct hm_json *j, struct hm_buf *buf);
/* Is the key (as it stands, escapes are not ours) this one? */
static inline bool hm_json_is(struct hm_slice key, const char *name)
{
    return hm_slice_eq(key, hm_slice_str(name));
}
