/* The layout of a batch, shared by its writer and its reader. Private to journal.
 *
 *   "HMB1" · endpoint 16 · le64 epoch, boot, lane, number, first_seq, count, first and last wall ns
 *   · prev 32 · root 32                                      = the head, what the chain hashes
 *   u8 codec · le32 raw length · le32 body length · body     = the events, packed, compressed
 *
 * The chain hashes the head alone: it holds the root over the events, and compressors may differ.
 */
#pragma once
#include "journal/journal.h"

#define HM_BATCH_MAGIC      "HMB1"
#define HM_BATCH_HEAD_BYTES (4 + 16 + 8 * 8 + 2 * HM_SHA256_BYTES)
#define HM_BATCH_TAIL_BYTES (1 + 4 + 4)
/* a batch closes at RAW_BYTES, so at most one event goes past it, with its length before it */
#define HM_BATCH_RAW_MAX (HM_BATCH_RAW_BYTES + HM_EVENT_MAX_BYTES + 8)
_Static_assert(HM_BATCH_HEAD_BYTES + HM_BATCH_TAIL_BYTES + HM_BATCH_RAW_MAX < HM_BATCH_MAX_BYTES,
               "an incompressible batch fits");

void hm_batch_put_head(const struct hm_batch_head *h, struct hm_buf *out);
void hm_batch_see_time(struct hm_batch_head *h, const struct hm_event *e);
