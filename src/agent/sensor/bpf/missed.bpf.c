/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel skips a program that would interrupt itself (a packet handled while this CPU is inside
 * it). The program cannot count that; the kernel does, and user space brings the number here,
 * because the counters are frozen for everyone else. */
#pragma once

SEC("syscall")
int hm_missed(struct hm_sensor_missed *ctx)
{
    struct hm_sensor_counter *c = counter(ctx->prog);
    if (!c)
        return 1;
    __sync_fetch_and_add(&c->lost, ctx->count);
    c->lost_last_ns = bpf_ktime_get_boot_ns();
    return 0;
}
