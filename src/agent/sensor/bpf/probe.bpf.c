/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes of tier 2: programs that count their own process's calls of something rare and harmless.
 * Loading is not enough for LSM: a kernel may load the program and never call it (no "bpf" in
 * lsm=). */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

const volatile __u32 probe_tgid;
__u64 lsm_calls, fentry_calls, fexit_calls;

static __always_inline void count(__u64 *calls)
{
    if (bpf_get_current_pid_tgid() >> 32 == probe_tgid)
        __sync_fetch_and_add(calls, 1);
}

SEC("lsm/task_getsid")
int probe_lsm(__u64 *ctx)
{
    count(&lsm_calls);
    return 0;
}

SEC("fentry/security_task_getsid")
int probe_fentry(__u64 *ctx)
{
    count(&fentry_calls);
    return 0;
}

SEC("fexit/security_task_getsid")
int probe_fexit(__u64 *ctx)
{
    count(&fexit_calls);
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
