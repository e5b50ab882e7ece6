/* The gateway's journal and its group fsync: appends on the loop, syncs on a thread of its own. */
#pragma once
#include "server/gateway/chain.h"

struct hm_store;
struct hm_store_item {
    struct hm_slice tenant, host_name, batch;
    uint8_t endpoint[16];
    uint64_t received_ns;
};

/* Open dir/journal, load the checkpoint dir/tips, replay what is younger into chain.
 * Errors:  -EBUSY another gateway has it; -EIO (err says). */
int hm_store_open(const char *dir, struct hm_chain *chain, struct hm_store **ret_s,
                  struct hm_error *err) HM_CHECK;
/* Syncs, writes the checkpoint, ends the thread. */
void hm_store_close(struct hm_store *s);
/* Ends the process: after a failed sync the kernel may have thrown the pages away. The supervisor
 * starts another, and the journal tells what is there. */
_Noreturn void hm_store_failed(int r);
/* -ENOSPC: disk full or over its reserve; nothing written, try again later. Does not return when
 * the journal is broken. */
int hm_store_append(struct hm_store *s, const struct hm_store_item *i,
                    uint64_t *ret_number) HM_CHECK;
/* Ask the thread for one sync of everything appended up to now; false: one is running. */
bool hm_store_sync_begin(struct hm_store *s);
/* Readable when a sync ended. */
int hm_store_event_fd(const struct hm_store *s);
/* Records below *ret_next are on disk. -EIO: they are not, and nobody knows: end the process. */
int hm_store_sync_end(struct hm_store *s, uint64_t *ret_next) HM_CHECK;
uint64_t hm_store_next(const struct hm_store *s);
uint64_t hm_store_durable(const struct hm_store *s);
/* Looks at the disk again; true while appends are refused. */
bool hm_store_check_full(struct hm_store *s);
