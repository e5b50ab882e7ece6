/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every program shares: maps, counters, the scope filter, the record's header, output with the
 * batched wake-up. Knows no kind of event. */
#pragma once

/* A global function: the verifier looks at it once, by itself, instead of once for each way that
 * leads to it (inlined, the exec program passes a million instructions). It takes plain memory and
 * numbers only, so kernel pointers travel as __u64 and are read with BPF_CORE_READ. */
#define HM_GLOBAL __attribute__((noinline))

/* The current task's or an argument's address as a number. */
static __always_inline __u64 arg_address(const void *ctx)
{
    __u64 p = 0;
    bpf_probe_read_kernel(&p, sizeof p, ctx);
    return p;
}

/* Set by the loader before load; constant for the verifier. */
const volatile __u64 scope_cgroup_id; /* 0: everything is in scope */

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, HM_SENSOR_RING_BYTES);
} ring SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, HM_SENSOR_ARGS_RING_BYTES);
} args_ring SEC(".maps");

/* Memory-mapped by the engine, so plain array and atomic adds instead of a per-CPU array. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, HM_PROG_COUNT);
    __type(key, __u32);
    __type(value, struct hm_sensor_counter);
} counters SEC(".maps");

/* When each ring's consumer was woken last. Racy by design: two wake-ups too many cost nothing. */
__u64 last_wake_ns[2];

static __always_inline struct hm_sensor_counter *counter(__u32 prog)
{
    return bpf_map_lookup_elem(&counters, &prog);
}

static __always_inline void count_error(__u32 prog)
{
    struct hm_sensor_counter *c = counter(prog);
    if (c)
        __sync_fetch_and_add(&c->errors, 1);
}

static __always_inline void count_output(__u32 prog, long result, bool is_long, __u64 now_ns)
{
    struct hm_sensor_counter *c = counter(prog);
    if (!c)
        return;
    if (result == 0) {
        __sync_fetch_and_add(&c->sent, 1);
        return;
    }
    __sync_fetch_and_add(&c->lost, 1);
    if (is_long)
        __sync_fetch_and_add(&c->lost_long, 1);
    c->lost_last_ns = now_ns;
}

/* Wake the consumer at most every 2 ms, and at once when much is waiting. In between it looks by
 * itself (ring.h): waking for each event cost 19 % of a fork+exec loop, this costs 1 %. */
static __always_inline __u64 wake_flags(void *rb, __u32 which, __u64 now_ns)
{
    if (bpf_ringbuf_query(rb, BPF_RB_AVAIL_DATA) < HM_SENSOR_WAKE_BYTES &&
        now_ns - last_wake_ns[which] < HM_SENSOR_WAKE_NS)
        return BPF_RB_NO_WAKEUP;
    last_wake_ns[which] = now_ns;
    return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void output(__u32 prog, struct hm_rec_header *h, __u64 len)
{
    h->length = len;
    long e = bpf_ringbuf_output(&ring, h, len, wake_flags(&ring, 0, h->boot_ns));
    count_output(prog, e, false, h->boot_ns);
}

/* Is the task beneath the scope cgroup? By the task, not by current: a fork may put the child into
 * another cgroup (CLONE_INTO_CGROUP). */
HM_GLOBAL int in_scope(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    if (!scope_cgroup_id)
        return true;
    struct cgroup *cg = BPF_CORE_READ(task, cgroups, dfl_cgrp);
    __u32 depth = BPF_CORE_READ(cg, level);
    for (__u32 i = 0; i < 32; i++) {
        if (i > depth)
            break;
        if (compat_ancestor_id(cg, i) == scope_cgroup_id)
            return true;
    }
    return false;
}

static __always_inline __u32 pid_ns_inum(struct task_struct *task)
{
    struct pid *pid = BPF_CORE_READ(task, thread_pid);
    __u64 at = bpf_core_field_offset(struct pid, numbers) +
               BPF_CORE_READ(pid, level) * bpf_core_type_size(struct upid);
    struct upid *u = (void *)pid + at;
    return BPF_CORE_READ(u, ns, ns.inum);
}

HM_GLOBAL int fill_header(struct hm_rec_header *h, __u32 type, __u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    if (!h)
        return 0;
    struct task_struct *parent = BPF_CORE_READ(task, real_parent);
    const struct cred *cred = BPF_CORE_READ(task, cred);
    struct nsproxy *ns = BPF_CORE_READ(task, nsproxy);
    h->type = type;
    h->version = HM_RECORD_VERSION;
    h->boot_ns = bpf_ktime_get_boot_ns();
    h->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
    h->parent_start_ns = BPF_CORE_READ(parent, group_leader, start_boottime);
    h->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
    h->tgid = BPF_CORE_READ(task, tgid);
    h->tid = BPF_CORE_READ(task, pid);
    h->ppid = BPF_CORE_READ(parent, tgid);
    h->uid = BPF_CORE_READ(cred, uid.val);
    h->gid = BPF_CORE_READ(cred, gid.val);
    h->euid = BPF_CORE_READ(cred, euid.val);
    h->egid = BPF_CORE_READ(cred, egid.val);
    compat_audit(task, &h->loginuid, &h->sessionid);
    if (ns) { /* gone in a process that ends */
        h->ns_mnt = BPF_CORE_READ(ns, mnt_ns, ns.inum);
        h->ns_net = BPF_CORE_READ(ns, net_ns, ns.inum);
    }
    h->ns_pid = pid_ns_inum(task);
    BPF_CORE_READ_STR_INTO(&h->comm, task, comm);
    return 0;
}
