/* A borrowed run of bytes: never owns, never NUL-terminated by promise. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct hm_slice {
    const uint8_t *p;
    size_t len;
};

static inline struct hm_slice hm_slice(const void *p, size_t len)
{
    return (struct hm_slice){p, len};
}
static inline struct hm_slice hm_slice_str(const char *s)
{
    return (struct hm_slice){(const uint8_t *)s, s ? strlen(s) : 0};
}
static inline bool hm_slice_eq(struct hm_slice a, struct hm_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}
