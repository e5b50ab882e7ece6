/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel drift, and nothing else: each accessor names the commit that moved what it reads. */
#pragma once

/* struct inode's modification time: i_mtime (timespec64) until 6.6; __i_mtime from 6.7
 * (12cd44023651 "fs: rename inode i_atime and i_mtime fields"); i_mtime_sec and i_mtime_nsec
 * from 6.11 (3aa63a569c64 "fs: switch timespec64 fields in inode to discrete integers"). */
struct timespec64 {
    __s64 tv_sec;
    long tv_nsec;
} __core;
struct inode___v61 {
    struct timespec64 i_mtime;
} __core;
struct inode___v67 {
    struct timespec64 __i_mtime;
} __core;
struct inode___v611 {
    __s64 i_mtime_sec;
    __u32 i_mtime_nsec;
} __core;

static __always_inline __u64 compat_mtime_ns(const struct inode *inode)
{
    const struct inode___v611 *c = (const void *)inode;
    const struct inode___v67 *b = (const void *)inode;
    const struct inode___v61 *a = (const void *)inode;
    if (bpf_core_field_exists(c->i_mtime_sec))
        return BPF_CORE_READ(c, i_mtime_sec) * 1000000000ull + BPF_CORE_READ(c, i_mtime_nsec);
    if (bpf_core_field_exists(b->__i_mtime))
        return BPF_CORE_READ(b, __i_mtime.tv_sec) * 1000000000ull +
               BPF_CORE_READ(b, __i_mtime.tv_nsec);
    return BPF_CORE_READ(a, i_mtime.tv_sec) * 1000000000ull + BPF_CORE_READ(a, i_mtime.tv_nsec);
}

/* sched_process_exit tells whether the group is dead from 6.16 ("exit: move and extend
 * sched_process_exit() tracepoint"). Before, signal->live is zero for the last thread, but two
 * threads that end together both see it: the first to mark the leader tells. (Seen in the guest: a
 * joined thread is still on its way out.) */
struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, __u64);
} exit_told SEC(".maps");

struct trace_event_raw_sched_process_exit {
    bool group_dead;
} __core;

static __always_inline bool compat_group_dead(const __u64 *ctx, struct task_struct *task)
{
    struct trace_event_raw_sched_process_exit *raw = NULL;
    if (bpf_core_field_exists(raw->group_dead))
        return (ctx[1] & 0xff) != 0;
    if (task->signal->live.counter != 0)
        return false;
    if (task->signal->nr_threads < 2)
        return true;
    __u64 *told =
        bpf_task_storage_get(&exit_told, task->group_leader, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    return !told || __sync_lock_test_and_set(told, 1) == 0;
}

/* The audit identity is there only with CONFIG_AUDIT. */
static __always_inline void compat_audit(struct task_struct *task, __u32 *loginuid, __u32 *session)
{
    *loginuid = *session = (__u32)-1;
    if (bpf_core_field_exists(task->loginuid))
        *loginuid = BPF_CORE_READ(task, loginuid.val);
    if (bpf_core_field_exists(task->sessionid))
        *session = BPF_CORE_READ(task, sessionid);
}

/* The chain of a cgroup's ancestors: ids until 6.0, pointers from 6.1 (7f203bc89eb6 "cgroup:
 * Replace cgroup->ancestor_ids[] with ->ancestors[]"). */
struct cgroup___v60 {
    __u64 ancestor_ids[1];
} __core;
static __always_inline __u64 compat_ancestor_id(struct cgroup *cg, __u32 level)
{
    struct cgroup___v60 *old = (void *)cg;
    if (bpf_core_field_exists(cg->ancestors)) {
        struct cgroup *up = NULL;
        __u64 at = bpf_core_field_offset(struct cgroup, ancestors) + level * sizeof(void *);
        bpf_probe_read_kernel(&up, sizeof up, (void *)cg + at);
        return BPF_CORE_READ(up, kn, id);
    }
    __u64 id = 0;
    if (bpf_core_field_exists(old->ancestor_ids)) {
        __u64 at = bpf_core_field_offset(struct cgroup___v60, ancestor_ids) + level * sizeof id;
        bpf_probe_read_kernel(&id, sizeof id, (void *)cg + at);
    }
    return id;
}
