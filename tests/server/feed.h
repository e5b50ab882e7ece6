/* Test helper: a gateway journal filled with real batches, as the gateway writes it. */
#pragma once
#include "event/event.h"
#include "journal/journal.h"

struct feed; /* one endpoint's stream into one gateway journal */
struct feed_log;

struct feed_log *feed_log_open(const char *dir);
void feed_log_close(struct feed_log *l);
uint64_t feed_log_next(const struct feed_log *l);
struct hm_log *feed_log_raw(struct feed_log *l);

struct feed *feed_new(struct feed_log *l, const char *tenant, uint8_t endpoint_fill);
void feed_free(struct feed *f);
const uint8_t *feed_endpoint(const struct feed *f);
/* Take over an event; closes batches when they are full. */
void feed_put(struct feed *f, enum hm_lane lane, struct hm_event *e);
void feed_close_batches(struct feed *f); /* what is pending becomes records, synced */
/* n process events: exec, seq 0.., command line "/usr/bin/prog-<i> --flag <i>". */
void feed_many(struct feed *f, uint64_t n);
