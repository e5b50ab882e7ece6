/* Details of a failure, filled by whoever notices it. Functions return 0 or a negative errno;
 * struct hm_error is the optional last parameter that says where and why in words. */
#pragma once
#include "base/cleanup.h"
#include <errno.h>
#include <stdint.h>

#ifndef EKEYREJECTED /* Windows has no such number */
#define EKEYREJECTED 129
#endif

struct hm_error {
    int code;              /* negative errno, 0 when unset */
    uint32_t line, column; /* 1-based place in the input; 0 = does not apply */
    char text[256];
};

/* Record a failure and return its code, so that `return hm_fail(err, -EINVAL, "…")` reads well.
 * err may be NULL. Errors: returns code unchanged. Threads: reentrant. */
int hm_fail(struct hm_error *err, int code, const char *fmt, ...) HM_PRINTF(3, 4);
int hm_fail_at(struct hm_error *err, int code, uint32_t line, uint32_t column, const char *fmt, ...)
    HM_PRINTF(5, 6);
