/* A core with a real journal in a temporary folder; records and fanotify bytes are built here the
 * way the kernel builds them, and what came out is read back from the journal. */
#pragma once
#include "agent/engine/core.h"
#include "agent/engine/key.h"
#include "agent/sensor/record.h"
#include <sys/types.h>

#define RIG_BOOT   UINT64_C(0xb007)
#define RIG_EVENTS 4096

struct rig_event {
    struct hm_event e; /* strings point into own */
    struct hm_buf own;
};
struct rig {
    char dir[64];
    struct hm_journal *journal;
    struct hm_core *core;
    struct hm_ruleset *rules;
    struct hm_users *users;
    struct rig_event *events; /* of rig_read */
    size_t count;
    /* what the core asked for */
    struct {
        uint64_t id;
        uint8_t handle[136];
        size_t len;
    } dirs[256];
    size_t dir_count;
    struct {
        uint64_t id, dev, inode;
        uint32_t pid;
    } hashes[64];
    size_t hash_count;
    uint64_t stats[512]; /* ids of files whose mode was asked for */
    size_t stat_count;
    uint32_t uid; /* of forks, exits and connects */
    bool refuse;  /* questions find no room */
};
struct rig_options {
    const char *leave;               /* cgroup prefix whose alerts another agent raises */
    const char *policy, *rules_yaml; /* one rule, NULL none */
    size_t live_max, exited_max, files_max, dirs_max;
    uint64_t quota;
    const struct hm_ledger *ledger;
    const struct hm_intel_sets *intel;
    const char *journal_dir;                              /* instead of one of its own */
    bool (*scan)(void *ctx, const struct hm_scan_job *j); /* NULL: nobody scans */
};
struct rig *rig_new(const struct rig_options *o);
void rig_free(struct rig *r);
/* Close batches and read every event of both lanes: bulk first. */
void rig_read(struct rig *r);
/* The n-th event with this action (0 first); fails the test when there is none. */
const struct hm_event *rig_find(struct rig *r, uint64_t action, size_t n);
size_t rig_count(struct rig *r, uint64_t action);

struct rig_exec {
    uint32_t pid, ppid, session, uid;
    uint64_t start_ns, parent_start_ns, boot_ns;
    const char *path, *args /* space between, each becomes an argument */, *cwd, *comm, *cgroup,
        *env;
    uint64_t inode, mtime_ns;
    bool snapshot, socket;
};
void rig_exec(struct rig *r, const struct rig_exec *x);
size_t rig_exec_bytes(const struct rig_exec *x, uint8_t *out, size_t max);
void rig_fork(struct rig *r, uint32_t pid, uint64_t start_ns, uint32_t ppid,
              uint64_t parent_start_ns, uint64_t boot_ns);
void rig_exit(struct rig *r, uint32_t pid, uint64_t start_ns, uint64_t boot_ns);
void rig_connect(struct rig *r, uint32_t pid, uint64_t start_ns, uint64_t boot_ns,
                 const uint8_t ip[4], uint16_t port, int result);

/* fanotify: directory `dir` is a number that becomes a handle. 0: absent. */
struct rig_fan {
    uint64_t mask;
    uint32_t pid;
    int dir, new_dir, target;
    const char *name, *new_name;
};
size_t rig_fan_bytes(const struct rig_fan *f, uint8_t *out, size_t max);
void rig_fan(struct rig *r, const struct rig_fan *f);
/* Answer the oldest question about directory `dir`; fails when nobody asked. */
void rig_answer(struct rig *r, int dir, const char *path);
bool rig_asked(const struct rig *r, int dir);
struct hm_slice rig_text(const struct hm_event *e, enum hm_field f);
void rig_assert_text(const struct hm_event *e, enum hm_field f, const char *want);
