/* Reader of a BPF ring buffer through its descriptor: two mappings and no bpf(2), so that a process
 * without privilege and under seccomp can consume. Knows nothing of records.
 *
 * Wake-ups: the kernel side wakes the descriptor at most every 2 ms. So a consumer that was woken
 * keeps looking every 2 ms until it has found nothing twice, and only then sleeps on the
 * descriptor: n = drain(); timeout_ms = hm_ring_pace(&pace, n); epoll_wait(…, timeout_ms); drain
 * again, always */
#pragma once
#include "base/error.h"
#include "base/slice.h"

struct hm_ring;
/* Map the ring behind map_fd (borrowed; keep it open for epoll). Size comes from fdinfo.
 * Owns:    *ret_ring is the caller's; hm_ring_close().
 * Errors:  -EINVAL not a ring buffer map; mmap's errno. */
int hm_ring_open(int map_fd, struct hm_ring **ret_ring, struct hm_error *err) HM_CHECK;
void hm_ring_close(struct hm_ring *r);
/* Next record without taking it: 1 and *ret_data (valid until hm_ring_take), 0 nothing there.
 * Discarded records are skipped. Threads: one consumer. */
int hm_ring_peek(struct hm_ring *r, struct hm_slice *ret_data) HM_CHECK;
void hm_ring_take(struct hm_ring *r); /* give the peeked record's room back to the kernel */
uint64_t hm_ring_backlog(const struct hm_ring *r); /* bytes waiting */

struct hm_ring_pace {
    unsigned empty; /* drains in a row that found nothing */
};
int hm_ring_pace(struct hm_ring_pace *p, uint64_t drained); /* how long epoll may sleep, in ms */

/* Counters map, read-only: HM_PROG_COUNT entries of struct hm_sensor_counter. Unmap:
 * hm_counters_unmap. */
struct hm_sensor_counter;
const volatile struct hm_sensor_counter *hm_counters_map(int fd);
void hm_counters_unmap(const volatile struct hm_sensor_counter *c);
