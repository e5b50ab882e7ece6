/* The end of the gateway's journal: live events for the streams, and how far the journal is. */
#pragma once
#include "server/api/api.h"

struct hm_event;
struct hm_tail;
/* A journal that is not there yet is looked for again. NULL: out of memory. */
struct hm_tail *hm_tail_new(struct hm_api *api);
void hm_tail_free(struct hm_tail *t);
/* Call each() for the events after (record, index) up to the present end, at most limit records;
 * *ret_skipped: records left out because there were more. */
int hm_tail_replay(struct hm_tail *t, uint64_t record, uint64_t index, uint64_t limit,
                   void (*each)(void *ctx, struct hm_slice tenant, const struct hm_event *e,
                                uint64_t record, uint64_t index),
                   void *ctx, uint64_t *ret_skipped) HM_CHECK;
