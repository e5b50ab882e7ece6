/* The cheapest clock of the machine, in a unit of its own. */
#pragma once
#include <stdint.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

static inline uint64_t hm_ticks(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t v;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
    return v;
#else
    return 0;
#endif
}
