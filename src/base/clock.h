/* The three clocks of architecture.md. Nanoseconds, always. */
#pragma once
#include <stdint.h>

uint64_t hm_clock_wall_ns(void); /* CLOCK_REALTIME: for people, never for decisions */
uint64_t hm_clock_mono_ns(void); /* CLOCK_MONOTONIC: timers */
uint64_t hm_clock_boot_ns(void); /* CLOCK_BOOTTIME: same clock as bpf_ktime_get_boot_ns */
/* "2026-11-21T22:00:00.123Z", buf at least 32 bytes; returns buf. */
char *hm_clock_format(uint64_t wall_ns, char *buf, unsigned long len);
