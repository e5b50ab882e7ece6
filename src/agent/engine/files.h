/* File changes: fanotify events wait here, in their order, until their directories have paths; what
 * the policy covers comes out. Owns the queue; asks and emits through two callbacks. */
#pragma once
#include "agent/engine/dirs.h"

struct hm_file_change {
    uint32_t action; /* HM_ACTION_FILE_* */
    uint32_t pid;
    uint64_t process_key;         /* who it was when the event was read; 0 unknown */
    uint64_t boot_ns;             /* when it was read */
    struct hm_slice path, source; /* source: before a rename */
    struct hm_fan_handle target;  /* the file itself; empty: not told */
};
struct hm_files_ops {
    bool (*ask)(void *ctx, const struct hm_dir *dir); /* false: not now, try again later */
    void (*emit)(void *ctx, const struct hm_file_change *c);
    void *ctx;
};
struct hm_files_counts {
    uint64_t dropped;  /* the queue was full */
    uint64_t unplaced; /* the directory was gone before it could be named, or nobody answered */
};
struct hm_files;

/* dirs is the caller's and outlives the queue. NULL: out of memory. */
struct hm_files *hm_files_new(struct hm_dirs *dirs, size_t waiting_max,
                              const struct hm_files_ops *ops);
void hm_files_free(struct hm_files *f);
/* Take one event; it comes out at once when nothing is in its way. */
void hm_files_add(struct hm_files *f, const struct hm_fan_event *e, uint64_t process_key,
                  uint64_t boot_ns);
/* DIR_PATH arrived. */
void hm_files_answer(struct hm_files *f, uint64_t id, struct hm_slice path);
/* Ask what could not be asked, give up on what waited too long. */
void hm_files_tick(struct hm_files *f, uint64_t boot_ns);
size_t hm_files_waiting(const struct hm_files *f);
struct hm_files_counts hm_files_counts(const struct hm_files *f);
