/* File changes that wait until monitor says what the file's mode and owner are now: fanotify tells
 * that they changed, not to what. Owns the waiting ones; asks through its caller. */
#pragma once
#include "agent/engine/files.h"

struct hm_file_stat {
    uint64_t mode, owner, size, inode, dev;
};
struct hm_stats;

struct hm_stats *hm_stats_new(size_t max); /* NULL: out of memory */
void hm_stats_free(struct hm_stats *s);
/* Keep a copy of the change (its handle is not kept). Returns the id to ask with; 0: no room or no
 * memory, tell it without. */
uint64_t hm_stats_hold(struct hm_stats *s, const struct hm_file_change *c);
/* The change that waits for this answer: NULL none. It stays valid until hm_stats_release. */
const struct hm_file_change *hm_stats_take(struct hm_stats *s, uint64_t id);
/* One that waited too long, NULL none: its id for hm_stats_release in *ret_id. */
const struct hm_file_change *hm_stats_stale(struct hm_stats *s, uint64_t boot_ns, uint64_t *ret_id);
void hm_stats_release(struct hm_stats *s, uint64_t id);
