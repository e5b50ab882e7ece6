/* Recovery of a log's last segment. Private to journal. */
#pragma once
#include "journal/journal.h"
#include "journal/segment.h"

struct hm_recovered {
    uint64_t offset;  /* where the valid prefix ends, and the file now too */
    uint64_t next;    /* number for the next record */
    bool new_segment; /* next leaves a gap behind the last record: it needs a file of its own */
};
/* Scan fd (segment `first` of d), set a damaged tail aside, truncate. */
int hm_log_recover(const struct hm_dir *d, int fd, uint64_t first, struct hm_recovered *ret_r,
                   struct hm_log_damage *ret_damage, struct hm_error *err) HM_CHECK;
