/* Compaction: many small segments of a tenant's day become one, sorted by endpoint and time.
 * Exactly once as everything in the store: the new file is recorded and the old ones are forgotten
 * in one transaction. Old files go a while later, when no hunt can hold them any more; a kill
 * before that leaves them without a row, and the next start deletes them. */
#pragma once
#include "server/core/control_core.h"
#include "server/core/duck.h"

#define HM_COMPACT_OLD_MAX 512

struct hm_compact {
    struct hm_duck_db *db;
    struct hm_control *c;
    const char *folder; /* of the store */
    int dir_fd;
    struct {
        char path[HM_TENANT_MAX + 80];
        uint64_t at_ms; /* when it was replaced */
    } old[HM_COMPACT_OLD_MAX];
    size_t old_count;
};

/* Merge one group if there is one. 1: did, 0: nothing to do. -EIO: a file of the group cannot be
 * read; the whole group is marked suspect, so that repair finds the damaged one. */
int hm_compact_step(struct hm_compact *k, struct hm_error *err) HM_CHECK;
/* Delete old files that nobody can hold any more. */
void hm_compact_sweep(struct hm_compact *k, uint64_t now_ms);
