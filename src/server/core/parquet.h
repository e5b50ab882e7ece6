/* The consumer `store`: gateway journal → Parquet segments per tenant. Exactly once: a file is
 * written aside, fsynced and renamed, then one SQLite transaction records file, journal range and
 * cursor; what a kill leaves behind has no row and is deleted at start. Owns store/ and the cursor
 * "store"; refuses to know what events mean. One thread uses it. */
#pragma once
#include "base/error.h"
#include <stdbool.h>

struct hm_parquet_options {
    const char *folder;  /* <state>/core/store */
    const char *journal; /* <state>/gateway/journal */
    const char *control; /* <state>/core/control.db: it opens a connection of its own */
};
struct hm_parquet;

/* Loads DuckDB, deletes orphans, marks segments whose size is wrong as suspect. */
int hm_parquet_open(const struct hm_parquet_options *o, struct hm_parquet **ret_s,
                    struct hm_error *err) HM_CHECK;
void hm_parquet_close(struct hm_parquet *s);
/* Read what came below record `limit` (what the gateway said is on disk); write when enough came,
 * when it waited long enough, or when flush is set. 1: wrote, call again; 0: nothing to do now;
 * -ENOSPC, -EBUSY, -EIO: try again later (err says). */
int hm_parquet_step(struct hm_parquet *s, uint64_t limit, uint64_t now_ms, bool flush,
                    struct hm_error *err) HM_CHECK;
/* Check suspect segments; damaged ones are renamed to FILE.damaged and made again from the journal.
 * Returns how many were looked at. */
int hm_parquet_repair(struct hm_parquet *s, struct hm_error *err) HM_CHECK;
/* Merge small files when it is time, and delete the ones merged before; 1 merged, 0 nothing. */
int hm_parquet_compact(struct hm_parquet *s, uint64_t now_ms, struct hm_error *err) HM_CHECK;
uint64_t hm_parquet_next(const struct hm_parquet *s); /* the cursor */
