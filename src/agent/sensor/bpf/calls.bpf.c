/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CALL records: rare system calls, seen when they begin. One program, attached by the loader to the
 * entry tracepoint of each call that a rule asks for; other system calls never come here. */
#pragma once

/* Set by the loader from calls.def. */
const volatile struct hm_rare_call rare_calls[HM_RARE_MAX];
const volatile __u32 rare_count;

/* Which program already told of which call: `mm` is another one after an exec. */
struct rare_key {
    __u64 start_ns, mm, a0;
    __u32 call, tgid;
};
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, HM_SENSOR_RARE_TOLD_MAX);
    __type(key, struct rare_key);
    __type(value, __u8);
} rare_told SEC(".maps");

static __always_inline __u32 rare_index(__u32 number)
{
    for (__u32 i = 0; i < HM_RARE_MAX; i++)
        if (i < rare_count && rare_calls[i].number == number)
            return i;
    return HM_RARE_MAX;
}

static __always_inline bool rare_wanted(__u32 i, __u64 a0)
{
    if (!rare_calls[i].only_count)
        return true;
    for (__u32 k = 0; k < HM_RARE_ONLY_MAX; k++)
        if (k < rare_calls[i].only_count && rare_calls[i].only[k] == a0)
            return true;
    return false;
}

static __always_inline bool rare_first(__u32 i, __u64 a0, struct task_struct *task)
{
    struct rare_key k = {.call = i};
    __u8 told = 1;
    if (rare_calls[i].mode == HM_RARE_EACH)
        return true;
    k.start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
    k.tgid = BPF_CORE_READ(task, tgid);
    k.mm = (__u64)BPF_CORE_READ(task, mm);
    k.a0 = rare_calls[i].mode == HM_RARE_ONCE_A0 ? a0 : 0;
    return bpf_map_update_elem(&rare_told, &k, &told, BPF_NOEXIST) == 0;
}

/* The tracepoint has as many arguments as the call: read by a helper with that length, since a
 * direct read of more would keep the program from attaching to calls that have fewer. */
SEC("tracepoint")
int hm_rare(struct sys_enter_args *ctx)
{
    __u64 task = bpf_get_current_task();
    __u32 i = rare_index(ctx->id);
    struct hm_rec_call r = {};
    if (i >= HM_RARE_MAX || !in_scope(task))
        return 0;
    __u32 bytes = rare_calls[i].args * sizeof(__u64);
    if (bytes > sizeof r.args)
        bytes = sizeof r.args;
    if (bpf_probe_read_kernel(r.args, bytes, (void *)ctx + sizeof *ctx))
        count_error(HM_PROG_CALL);
    if (!rare_wanted(i, r.args[0]) || !rare_first(i, r.args[0], (void *)task))
        return 0;
    fill_header(&r.h, HM_REC_CALL, task);
    r.number = ctx->id;
    r.call = i;
    r.arg_count = rare_calls[i].args;
    output(HM_PROG_CALL, &r.h, sizeof r);
    return 0;
}
