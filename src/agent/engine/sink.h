/* Where events go: the journal's two lanes. Owns the wall clock of events, what a full disk costs
 * (counted by class, reported when there is room again) and alerts that wait for room. */
#pragma once
#include "agent/engine/ledger.h"
#include "journal/journal.h"

struct hm_sink;
struct hm_sink_counts {
    uint64_t put;  /* in the journal */
    uint64_t lost; /* no room: reported as loss/journal */
    uint64_t held; /* alert-lane events that wait for room now */
};

/* journal and ledger are the caller's and outlive the sink. NULL: out of memory. */
struct hm_sink *hm_sink_new(struct hm_journal *journal, struct hm_ledger *ledger);
void hm_sink_free(struct hm_sink *s);
/* Journal one event; its time is filled in from boot_ns. Never fails for the caller: what has no
 * room is counted (bulk) or held (alert lane). True: it has its seq. */
bool hm_sink_put(struct hm_sink *s, enum hm_lane lane, struct hm_event *e);
/* Journal a loss event. False: no room, and nothing was counted: its reporter tries again later. */
bool hm_sink_put_loss(struct hm_sink *s, struct hm_event *e);
/* Once a second and before sleeping: closes batches of that age, syncs, retries what is held,
 * reports losses. Returns how many batches became durable; *ret_all: everything that was put and
 * was old enough is in the log. */
int hm_sink_tick(struct hm_sink *s, uint32_t max_age_ms, bool *ret_all);
/* True once after something in the alert lane became durable. */
bool hm_sink_alerted(struct hm_sink *s);
struct hm_sink_counts hm_sink_counts(const struct hm_sink *s);
