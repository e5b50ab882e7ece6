/* The journal: one library on both ends. Two ideas, two layers:
 *   log    append-only segments of CRC-framed records, group fsync, recovery of the valid prefix
 *   batch  events closed together: zstd body, Merkle root, hash chain
 * Knows nothing of Linux beyond POSIX files, nothing of who writes what. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "base/crypto.h"
#include "event/event.h"

/* ---- log.c: segments ------------------------------------------------------------------------
 * A log is a directory of files "%016llx.seg" named by the number of their first record.
 * Frame: le32 length · le32 crc32c(payload) · payload. A zero length ends the valid part.
 * One writer (flock on "lock": -EBUSY for a second copy), any number of readers, also in other
 * processes. */
struct hm_log;
struct hm_log_options {
    uint64_t segment_bytes; /* 0 = 16 MiB */
    uint64_t quota_bytes;   /* 0 = none; oldest *released* segments go first, then -ENOSPC. The
                             * segment with the last record always stays: allow for some more */
};
struct hm_log_damage { /* what recovery found; the damaged tail was moved to <segment>.damaged */
    uint64_t first_record; /* first record that is not there any more */
    uint64_t bytes;
    char reason[64]; /* "torn tail", "zeroed tail", "checksum", "gap" */
};
int hm_log_open(const char *dir, const struct hm_log_options *o, struct hm_log **ret_log,
                struct hm_log_damage *ret_damage, struct hm_error *err) HM_CHECK;
void hm_log_close(struct hm_log *l);
/* Append one record; durable only after hm_log_sync(). -ENOSPC: disk or quota full, nothing
 * written, try again later. */
int hm_log_append(struct hm_log *l, struct hm_slice record, uint64_t *ret_number) HM_CHECK;
int hm_log_sync(struct hm_log *l) HM_CHECK; /* fdatasync of what was appended since */
/* The last record that is there; -ENOENT when the log holds none. */
int hm_log_last(struct hm_log *l, uint64_t *ret_number, struct hm_buf *ret_record) HM_CHECK;
/* For a sync on another thread: a duplicate of the written segment's descriptor, the caller's to
 * close. Once it is synced everything below *ret_next is durable: closed segments were synced when
 * they closed. The log itself may be appended to meanwhile. */
int hm_log_sync_fd(struct hm_log *l, int *ret_fd, uint64_t *ret_next) HM_CHECK;
/* Nobody knows what is on the disk (a sync failed): it stays so until the log is opened again. */
bool hm_log_broken(const struct hm_log *l);
uint64_t hm_log_first(const struct hm_log *l); /* oldest record still there */
uint64_t hm_log_next(const struct hm_log *l);  /* number the next record will get */
/* Everything below `number` may be deleted when the quota needs it. */
void hm_log_release(struct hm_log *l, uint64_t number);

struct hm_log_reader; /* sees records as soon as they are appended; never sees a torn one */
int hm_log_reader_open(const char *dir, struct hm_log_reader **ret_r,
                       struct hm_error *err) HM_CHECK;
int hm_log_reader_open_at(int dir_fd, struct hm_log_reader **ret_r) HM_CHECK; /* dup()s dir_fd */
void hm_log_reader_close(struct hm_log_reader *r);
int hm_log_reader_seek(struct hm_log_reader *r,
                       uint64_t number) HM_CHECK; /* -ENOENT: deleted; goes to the first */
/* 1 and a record (valid until the next call), 0 at the present end, or a negative errno;
 * -EBADMSG: damage in the middle, reader stands after it. */
int hm_log_reader_next(struct hm_log_reader *r, uint64_t *ret_number,
                       struct hm_slice *ret_record) HM_CHECK;

/* ---- batch.c: events closed together ---------------------------------------------------------*/
#define HM_BATCH_RAW_BYTES (64 * 1024) /* a batch closes here, or after 30 s, or with an alert */
#define HM_BATCH_MAX_BYTES (1024 * 1024)

enum hm_lane { HM_LANE_BULK = 0, HM_LANE_ALERT = 1, HM_LANE_COUNT = 2 };

struct hm_batch_head {
    uint8_t endpoint[16];
    uint64_t epoch, boot;
    uint64_t lane, number; /* number: 0, 1, 2 … within epoch and lane */
    uint64_t first_seq, count;
    uint64_t first_wall_ns, last_wall_ns; /* smallest and largest "time"; 0 when no event has it */
    uint8_t prev[HM_SHA256_BYTES];        /* hash of the batch before; zeros for number 0 */
    uint8_t root[HM_SHA256_BYTES]; /* RFC 9162 Merkle root over the events' canonical bytes */
};

struct hm_batch_writer;
struct hm_batch_writer *hm_batch_writer_new(
    const struct hm_batch_head *start); /* endpoint, epoch, boot, lane, number, first_seq, prev */
void hm_batch_writer_free(struct hm_batch_writer *w);
/* Gives the event its seq, encodes it, appends it. Returns 1 when the batch should be closed now.
 * -E2BIG: this one event is over HM_EVENT_MAX_BYTES; -EBUSY: full, close first. */
int hm_batch_add(struct hm_batch_writer *w, struct hm_event *e) HM_CHECK;
uint64_t hm_batch_pending(const struct hm_batch_writer *w);
/* Close: canonical bytes of the whole batch appended to out; the writer goes on with the next
 * number. Nothing happens to the writer when it fails (-ENODATA: no event in it). */
int hm_batch_close(struct hm_batch_writer *w, struct hm_buf *out) HM_CHECK;

/* Check and open a batch: canonical head, sizes; recomputes nothing. ret_hash (may be NULL) is what
 * the next batch names as prev: SHA-256 of the head, which holds the root. */
int hm_batch_head(struct hm_slice batch, struct hm_batch_head *ret_head,
                  uint8_t ret_hash[HM_SHA256_BYTES]) HM_CHECK;
/* Decompress, walk and check count, seqs, times, canonical form and Merkle root; when all of it is
 * good, call each() for every event in order (stops on non-zero and returns it). raw is scratch,
 * events point into it. -EBADMSG: not one event was handed out. */
int hm_batch_each(struct hm_slice batch, struct hm_buf *raw,
                  int (*each)(void *ctx, const struct hm_event *e, struct hm_slice canonical),
                  void *ctx) HM_CHECK;

/* ---- merkle.c: RFC 9162 section 2.1 ---------------------------------------------------------*/
void hm_merkle_leaf(struct hm_slice data, uint8_t ret[HM_SHA256_BYTES]);
struct hm_merkle { /* leaf by leaf; begin with {0} */
    uint8_t stack[64][HM_SHA256_BYTES];
    uint64_t n;
};
void hm_merkle_add(struct hm_merkle *m, const uint8_t leaf[HM_SHA256_BYTES]);
void hm_merkle_sum(const struct hm_merkle *m, uint8_t ret[HM_SHA256_BYTES]); /* the root so far */
void hm_merkle_root(const uint8_t (*leaves)[HM_SHA256_BYTES], size_t n,
                    uint8_t ret[HM_SHA256_BYTES]);
/* Audit path of leaf i; returns the number of hashes written (<= 64). */
size_t hm_merkle_path(const uint8_t (*leaves)[HM_SHA256_BYTES], size_t n, size_t i,
                      uint8_t (*ret)[HM_SHA256_BYTES]);
bool hm_merkle_verify(const uint8_t leaf[HM_SHA256_BYTES], size_t i, size_t n,
                      const uint8_t (*path)[HM_SHA256_BYTES], size_t path_len,
                      const uint8_t root[HM_SHA256_BYTES]);

/* ---- chain.c: the endpoint's journal: two lanes, two logs, one epoch --------------------------
 * dir/bulk, dir/alert (logs), dir/epoch (id). Used by the engine only. */
struct hm_journal;
struct hm_journal_options {
    uint8_t endpoint[16];
    uint64_t boot;
    uint64_t quota_bytes; /* both lanes together */
};
int hm_journal_open(const char *dir, const struct hm_journal_options *o, struct hm_journal **ret_j,
                    struct hm_log_damage ret_damage[HM_LANE_COUNT], struct hm_error *err) HM_CHECK;
void hm_journal_close(struct hm_journal *j); /* closes and syncs open batches */
/* Put one event in a lane. An alert-lane event is closed and synced at once. When the disk is full
 * events wait in memory, at most two batches a lane; then -ENOSPC: count the event as lost. */
int hm_journal_put(struct hm_journal *j, enum hm_lane lane, struct hm_event *e) HM_CHECK;
/* Close batches that are full or older than max_age_ms, fsync when the last one is older than
 * 0.9 s; returns how many batches became durable since the last call, or an error when none did.
 * Call it every second and before sleeping. */
int hm_journal_tick(struct hm_journal *j, uint64_t mono_ns, uint32_t max_age_ms) HM_CHECK;
uint64_t hm_journal_epoch(const struct hm_journal *j);
/* Batches of the current epoch below this number, and all older epochs, are on disk: only they may
 * leave the machine. A number that was shipped and then lost with the power would come again. */
uint64_t hm_journal_durable(const struct hm_journal *j, enum hm_lane lane);
/* The server has the current epoch's batches below `number` of this lane, and so whatever is older:
 * they may go when the quota needs it. */
void hm_journal_acked(struct hm_journal *j, enum hm_lane lane, uint64_t number);
/* Begin a new epoch (the server saw a fork): new id, numbers from 0; unacked batches of the old
 * epoch stay readable and are shipped first. */
int hm_journal_new_epoch(struct hm_journal *j) HM_CHECK;
