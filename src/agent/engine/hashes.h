/* SHA-256 of executables: what is known, what is being asked for and who waits for it. Owns the
 * cache; asks through its caller. A file is (device, inode, change time): a changed file has a new
 * change time, so an old hash is never told of it. */
#pragma once
#include "base/crypto.h"

struct hm_hash_key {
    uint64_t dev, inode, change_ns;
};
#define HM_HASH_WAITERS                                                                            \
    16 /* processes that started before the answer; more stay without an event */
struct hm_hash_answer {
    uint8_t sha256[HM_SHA256_BYTES];
    bool known; /* false: the file could not be read */
    uint64_t dev, inode;
    size_t waiter_count;
    uint64_t waiters[HM_HASH_WAITERS]; /* process keys */
};
struct hm_hashes;

struct hm_hashes *hm_hashes_new(size_t max, size_t asked_max); /* NULL: out of memory */
void hm_hashes_free(struct hm_hashes *h);
/* NULL: not known (yet). */
const uint8_t *hm_hashes_get(const struct hm_hashes *h, const struct hm_hash_key *k);
/* The process waits for this hash. 1: ask with *ret_id · 0: it is asked for already ·
 * -ENOSPC too many questions at once, -EAGAIN the file could not be read a moment ago: this process
 * stays without. */
int hm_hashes_wait(struct hm_hashes *h, const struct hm_hash_key *k, uint64_t process_key,
                   uint64_t now_ns, uint64_t *ret_id) HM_CHECK;
/* IMAGE_HASH arrived (empty: unreadable). 0: nobody asked. */
int hm_hashes_answer(struct hm_hashes *h, uint64_t id, struct hm_slice sha256,
                     struct hm_hash_answer *ret_a) HM_CHECK;
/* Forget a question that could not be sent. */
void hm_hashes_unask(struct hm_hashes *h, uint64_t id);
