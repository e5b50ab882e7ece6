/* Best of five runs of 300 ms, in events a second. */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <time.h>

static inline double bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline double bench_rate(void (*once)(void *ctx), void *ctx)
{
    double best = 0;

    for (int run = 0; run < 5; run++) {
        double from = bench_now(), spent;
        uint64_t n = 0;
        do {
            for (int i = 0; i < 1000; i++)
                once(ctx);
            n += 1000;
        } while ((spent = bench_now() - from) < 0.3);
        best = (double)n / spent > best ? (double)n / spent : best;
    }
    return best;
}
