/* Which batch goes next: reads the journal's two lanes, keeps a window, remembers what is acked.
 * Refuses to know sockets and TLS: it is handed a function that sends. */
#pragma once
#include "journal/journal.h"

struct hm_shipper;
struct hm_shipper_ops {
    /* Queue a batch. -EAGAIN: the line is full, come again. */
    int (*send)(void *ctx, struct hm_slice batch);
    /* The server has everything below next. */
    void (*acked)(void *ctx, uint64_t epoch, enum hm_lane lane, uint64_t next);
    /* The server has another history: a new epoch must begin. */
    void (*forked)(void *ctx, uint64_t epoch);
    void *ctx;
};
/* journal_fd is dup()ed. */
struct hm_shipper *hm_shipper_new(int journal_fd, const struct hm_shipper_ops *ops);
void hm_shipper_free(struct hm_shipper *s);
/* The engine's present epoch, and what of it is on disk. Before this is known nothing is sent. */
void hm_shipper_set_current(struct hm_shipper *s, uint64_t epoch,
                            const uint64_t durable[HM_LANE_COUNT]);
/* Go back to the oldest unacknowledged record and say which epoch the next session is for:
 * older epochs first. 0: the journal is empty. */
uint64_t hm_shipper_rewind(struct hm_shipper *s);
/* Is there an epoch to name in a HELLO? Only between sessions: may rewind. */
bool hm_shipper_ready(struct hm_shipper *s);
/* A session for that epoch is open; the server has what is below next[lane]. */
void hm_shipper_open(struct hm_shipper *s, uint64_t epoch, const uint64_t next[HM_LANE_COUNT]);
/* Send what may be sent. 1: everything of this epoch is acked and another epoch waits: begin a new
 * session. 0: nothing more now. Negative errno: the journal cannot be read. */
int hm_shipper_pump(struct hm_shipper *s) HM_CHECK;
/* -EBADMSG: an ack for something never sent. */
int hm_shipper_ack(struct hm_shipper *s, uint64_t epoch, uint64_t lane, uint64_t next) HM_CHECK;
void hm_shipper_fork(struct hm_shipper *s, uint64_t epoch);
