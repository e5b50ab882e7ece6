/* The default watch policy, see policy.c. */
#pragma once
#include <stdbool.h>

struct hm_watch_row {
    const char *path;
    bool read; /* opening it is recorded as well */
};
extern const struct hm_watch_row hm_watch_rows[]; /* ends with path NULL */
