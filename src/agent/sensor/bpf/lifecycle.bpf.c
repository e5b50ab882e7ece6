/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FORK and EXIT records: begin and end of processes. Threads are not processes and give no record.
 */
#pragma once

SEC("tp_btf/sched_process_fork")
int BPF_PROG(hm_fork, struct task_struct *creator, struct task_struct *child)
{
    __u64 address = arg_address(ctx + 1);
    struct hm_rec_fork r = {};
    if (BPF_CORE_READ(child, pid) != BPF_CORE_READ(child, tgid) || !in_scope(address))
        return 0;
    fill_header(&r.h, HM_REC_FORK, address);
    r.creator_tgid = BPF_CORE_READ(creator, tgid);
    r.creator_start_ns = BPF_CORE_READ(creator, group_leader, start_boottime);
    output(HM_PROG_FORK, &r.h, sizeof r);
    return 0;
}

/* Not BPF_PROG: the second argument exists from 6.16 only (compat.bpf.h). */
SEC("tp_btf/sched_process_exit")
int hm_exit(__u64 *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx[0];
    struct hm_rec_exit r = {};
    if (!compat_group_dead(ctx, task) || !in_scope(arg_address(ctx)))
        return 0;
    struct signal_struct *sig = BPF_CORE_READ(task, signal);
    __u32 status = BPF_CORE_READ(sig, flags) & SIGNAL_GROUP_EXIT
                       ? BPF_CORE_READ(sig, group_exit_code)
                       : BPF_CORE_READ(task, group_leader, exit_code);
    fill_header(&r.h, HM_REC_EXIT, arg_address(ctx));
    r.signal = status & 0x7f;
    r.core = status >> 7 & 1;
    r.code = r.signal ? 0 : status >> 8 & 0xff;
    output(HM_PROG_EXIT, &r.h, sizeof r);
    return 0;
}
