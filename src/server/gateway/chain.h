/* How far each endpoint's journal is here: the last batch of each (endpoint, epoch, lane). */
#pragma once
#include "journal/journal.h"

struct hm_chain_tip {
    uint8_t endpoint[16];
    uint64_t epoch, lane;
    uint64_t next;                 /* number of the batch that continues it */
    uint8_t hash[HM_SHA256_BYTES]; /* of the last batch */
    uint64_t record;               /* its number in the gateway's journal */
};
enum hm_chain_verdict {
    HM_CHAIN_NEXT, /* continues */
    HM_CHAIN_SAME, /* the last one once more */
    HM_CHAIN_GAP,  /* batches before it are missing: kept, and said */
    HM_CHAIN_FORK, /* contradicts what is here */
};

struct hm_chain;
/* max_each: tips of one endpoint; epochs are an endpoint's to choose, the table is everybody's.
 * NULL: no memory or entropy. */
struct hm_chain *hm_chain_new(size_t max_tips, size_t max_each);
void hm_chain_free(struct hm_chain *c);
const struct hm_chain_tip *hm_chain_find(const struct hm_chain *c, const uint8_t endpoint[16],
                                         uint64_t epoch, uint64_t lane); /* NULL: never seen */
enum hm_chain_verdict hm_chain_check(const struct hm_chain *c, const struct hm_batch_head *h,
                                     const uint8_t hash[HM_SHA256_BYTES]);
/* May this tip be put? Asked before the batch is in the journal: what is there has a tip. */
bool hm_chain_room(const struct hm_chain *c, const uint8_t endpoint[16], uint64_t epoch,
                   uint64_t lane);
/* Looks at max_tips alone: what is in the journal is taken. -ENOSPC: the table is full. */
int hm_chain_put(struct hm_chain *c, const struct hm_chain_tip *tip) HM_CHECK;

/* Checkpoint: all tips as of journal record `next`, written aside, fsynced, renamed. A load that
 * finds anything wrong leaves the table empty: the journal itself is the truth.
 * Errors:  -ENOENT none there; -EBADMSG damaged. */
#define HM_CHAIN_FILE_MAX (512u * 1024 * 1024)
void hm_chain_encode(const struct hm_chain *c, uint64_t next, struct hm_buf *out);
int hm_chain_write(const char *path, struct hm_slice checkpoint) HM_CHECK; /* any thread */
int hm_chain_load(struct hm_chain *c, const char *path, uint64_t *ret_next) HM_CHECK;
