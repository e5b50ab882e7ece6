/* The process table: who is who, who began whom, who is gone. Owns processes by key and by pid,
 * tombstones and eviction. Refuses to know records, events and rules. */
#pragma once
#include "agent/engine/image.h"
#include "base/error.h"

struct hm_process {
    uint64_t key, parent_key; /* parent_key: who forked it, kept when that one dies; 0 unknown */
    uint64_t start_ns, exec_ns, exit_ns; /* kernel clock since boot; exit_ns 0: alive */
    uint32_t pid, parent_pid, session;
    uint32_t uid, euid, gid, egid, audit_id, audit_session;
    uint32_t ns_pid, ns_mnt, ns_net;
    uint64_t cgroup_id;
    bool has_user, has_ns, snapshot; /* snapshot: it ran before we did */
    bool gained;                     /* root without a setuid program, here or above */
    bool left;                       /* in a cgroup whose alerts another agent raises */
    uint8_t container_len;
    char container[64];
    struct hm_image *image; /* NULL: never seen to exec; the table's reference */
    /* the table's own */
    uint32_t slot, older, newer;
};
struct hm_table_counts {
    uint64_t
        evicted_live; /* the table was full of living processes: their events lack detail now */
    uint64_t evicted_exited; /* ordinary ageing of tombstones */
    uint64_t no_room;        /* strings that did not fit */
};
struct hm_table;

/* live_max and exited_max: ceilings in processes. NULL: out of memory. */
struct hm_table *hm_table_new(size_t live_max, size_t exited_max, uint32_t string_bytes);
void hm_table_free(struct hm_table *t);
/* NULL: not known. Marks it as used, so that it is evicted last. Pointers stay valid until the
 * next _enter. Tombstones are found as well (exit_ns tells). */
struct hm_process *hm_table_get(struct hm_table *t, uint64_t key);
/* The process that had this pid most recently, be it a tombstone. */
struct hm_process *hm_table_by_pid(struct hm_table *t, uint32_t pid);
/* Find or add. A process that is added takes over its pid unless a younger one has it.
 * Errors: NULL: out of memory. */
struct hm_process *hm_table_enter(struct hm_table *t, uint64_t key, uint32_t pid,
                                  uint64_t start_ns);
/* Give the process the image of an exec; the one before goes. Errors: -ENOSPC counted: the process
 * keeps path and name at most. */
int hm_table_exec(struct hm_table *t, struct hm_process *p, const struct hm_image_text *text,
                  const struct hm_image *like);
/* child shares the image of its parent. */
void hm_table_share(struct hm_table *t, struct hm_process *child, const struct hm_process *parent);
/* It ended: a tombstone from now on. */
void hm_table_exit(struct hm_table *t, struct hm_process *p, uint64_t exit_ns);
/* The hash of its executable became known; forks that share the image know it too. */
void hm_table_hashed(struct hm_process *p, const uint8_t sha256[HM_SHA256_BYTES]);
/* The next living process after *pos (0 at first); NULL at the end. Counts as no use. */
const struct hm_process *hm_table_next(const struct hm_table *t, size_t *pos);
/* hm_table_get that counts as no use, for walks over many. */
const struct hm_process *hm_table_peek(const struct hm_table *t, uint64_t key);
size_t hm_table_live(const struct hm_table *t);
size_t hm_table_exited(const struct hm_table *t);
struct hm_table_counts hm_table_counts(const struct hm_table *t);
