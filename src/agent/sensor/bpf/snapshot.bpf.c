/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SNAPSHOT: the fixed part of an EXEC record for each process that already runs. Strings come from
 * /proc in user space (snapshot.c): memory of another process cannot be read here. */
#pragma once

SEC("iter/task")
int hm_snapshot(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;
    struct hm_rec_exec r = {};
    __u64 address = arg_address(&task);
    if (!task || task->pid != task->tgid || !in_scope(address))
        return 0;
    fill_header(&r.h, HM_REC_SNAPSHOT, address);
    r.h.length = sizeof r;
    fill_image(&r, address);
    bpf_seq_write(ctx->meta->seq, &r, sizeof r);
    return 0;
}
