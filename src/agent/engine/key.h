/* The process key: one 64-bit name for a process that is unique for ever on an endpoint.
 * Owns the fold; every part that speaks of a process calls this and nothing else. */
#pragma once
#include <stdint.h>

/* One round of the 64-bit finaliser of MurmurHash3: every input bit reaches every output bit. */
static inline uint64_t hm_key_mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

/* boot: folded boot id; pid: thread group id in the host's pid namespace; start_ns: the kernel's
 * start_boottime of its leader. Never 0 (0 says "unknown" wherever a key is kept). Part of the
 * format of events: changing it cuts every stored tree in two. */
static inline uint64_t hm_process_key(uint64_t boot, uint32_t pid, uint64_t start_ns)
{
    uint64_t k = hm_key_mix(hm_key_mix(hm_key_mix(boot) + start_ns) + pid);
    return k ? k : 1;
}
