/* Inside the role process `core`: its parts and what they share. One libevent loop; the store has a
 * thread of its own. main.c owns start and stop, link.c the sockets, and each part one idea. */
#pragma once
#include "server/core/control_content.h"
#include "server/core/control_core.h"
#include "server/core/limits.h"
#include "server/messages.h"
#include "event/event.h"
#include "journal/journal.h"
#include "proc/proc.h"
#include "wire/message.h"
#include <event2/event.h>

struct hm_tree;
struct hm_store_thread;
struct hm_pending;
struct hm_delivery;

enum hm_peer_id { HM_PEER_GATEWAY, HM_PEER_SIGNER, HM_PEER_API, HM_PEER_CONTENT, HM_PEER_COUNT };

struct hm_peer {
    struct hm_core *core;
    enum hm_peer_id id;
    int fd; /* -1: not there */
    struct event *read_ev, *write_ev;
    struct hm_outbox *out;
    uint64_t dropped;
};

#define HM_CHANGES_MAX 64 /* things changed in one slice; more become one "everything" */
struct hm_changes {
    struct {
        const char *kind; /* a literal */
        char tenant[HM_TENANT_MAX];
        uint8_t id[HM_ID_BYTES];
    } c[HM_CHANGES_MAX];
    size_t n;
};

struct hm_core {
    struct event_base *base;
    struct event *role_ev, *tick_ev, *context_ev;
    struct hm_control *c;
    struct hm_peer peers[HM_PEER_COUNT];
    struct hm_buf in, in_raw, scratch, json; /* messages; a batch; short-lived; evidence */
    uint64_t ticks;
    /* consumers on the loop: consume.c */
    struct hm_log_reader *alerts_reader, *context_reader, *back_reader;
    uint64_t alerts_next, context_next;
    uint64_t durable; /* records below are on the gateway's disk */
    struct hm_tree *tree;
    struct hm_changes changes;
    struct hm_spread *spread;
    struct hm_exception_set *exceptions; /* NULL: could not be loaded */
    struct hm_store_thread *store;
    struct hm_pending *pending; /* waits for the signer */
    struct hm_delivery *delivery;
    uint8_t *ca, *root_key, *key_set; /* what ENROLLED carries */
    size_t ca_len, root_key_len, key_set_len;
};

/* ---- link.c ---- */
void hm_link_init(struct hm_core *k);
void hm_link_done(struct hm_core *k);
void hm_link_set(struct hm_core *k, enum hm_peer_id id, int fd);
void hm_link_send(struct hm_core *k, enum hm_peer_id id, const struct hm_msg_desc *d,
                  const void *msg);

/* ---- except.c ---- */
void hm_except_load(struct hm_core *k);
/* A new alert: dismissed when an exception covers it (1), else 0. */
int hm_except_judge(struct hm_core *k, const char *tenant, const struct hm_alert_new *a) HM_CHECK;

/* ---- pending.c: one table of what waits for a signature ---- */
enum hm_pending_kind {
    HM_PENDING_ENROLL,
    HM_PENDING_CONNECT,
    HM_PENDING_ORDER,
    HM_PENDING_CONTENT
};
struct hm_pending_item {
    enum hm_pending_kind kind;
    uint64_t id;         /* of the request to the signer */
    uint64_t gateway_id; /* of the gateway's question */
    uint64_t since_ms;
    uint8_t endpoint[HM_ID_BYTES];
    char tenant[HM_TENANT_MAX];
    void *more; /* its kind's own, freed with it */
};
struct hm_pending *hm_pending_new(void);
void hm_pending_free(struct hm_pending *p);
/* NULL: full. Gets a fresh id. */
struct hm_pending_item *hm_pending_add(struct hm_pending *p, enum hm_pending_kind kind);
struct hm_pending_item *hm_pending_find(struct hm_pending *p, uint64_t id);
void hm_pending_remove(struct hm_pending *p, struct hm_pending_item *i);
/* Requests older than HM_CORE_SIGNER_MS fail(): the signer died with them. */
void hm_pending_expire(struct hm_pending *p, uint64_t now_ms,
                       void (*fail)(void *ctx, struct hm_pending_item *i), void *ctx);
bool hm_pending_has_order(struct hm_pending *p, const uint8_t id[HM_ID_BYTES]);

/* ---- enroll.c, admit.c, respond.c: handlers return -EBADMSG to cut the peer off ---- */
int hm_enroll_ask(struct hm_core *k, struct hm_slice payload) HM_CHECK;
void hm_enroll_signed(struct hm_core *k, struct hm_pending_item *i,
                      const struct hm_msg_signer_done *m);
int hm_enroll_load(struct hm_core *k, const char *state, struct hm_error *err) HM_CHECK;
int hm_admit_ask(struct hm_core *k, struct hm_slice payload) HM_CHECK;
void hm_admit_signed(struct hm_core *k, struct hm_pending_item *i,
                     const struct hm_msg_signer_done *m);
int hm_admit_gone(struct hm_core *k, struct hm_slice payload) HM_CHECK;
int hm_admit_fork(struct hm_core *k, struct hm_slice payload) HM_CHECK;
void hm_admit_revoke(struct hm_core *k);
void hm_refuse(struct hm_core *k, uint64_t gateway_id, uint64_t code, const char *text);
void hm_respond_work(struct hm_core *k);
void hm_respond_signed(struct hm_core *k, struct hm_pending_item *i,
                       const struct hm_msg_signer_done *m);
void hm_respond_deliver(struct hm_core *k, const uint8_t *endpoint);
void hm_respond_expire(struct hm_core *k);

/* ---- delivery.c: detection content, from a job to the endpoints ---- */
int hm_delivery_open(struct hm_core *k, const char *state, struct hm_error *err) HM_CHECK;
void hm_delivery_close(struct hm_core *k);
void hm_delivery_work(struct hm_core *k); /* begin the next job when none runs */
void hm_delivery_tick(struct hm_core *k);
int hm_delivery_done(struct hm_core *k, struct hm_slice payload, int fd) HM_CHECK; /* takes fd */
void hm_delivery_signed(struct hm_core *k, struct hm_pending_item *i,
                        const struct hm_msg_signer_done *m);
void hm_delivery_peer(struct hm_core *k, enum hm_peer_id id); /* gateway or content is new */
/* That endpoint has connected; takes: its agent knows content. */
void hm_delivery_met(struct hm_core *k, const char *tenant, const uint8_t endpoint[HM_ID_BYTES],
                     bool takes);
void hm_delivery_offer(struct hm_core *k, const char *tenant, const uint8_t *endpoint);
int hm_delivery_said(struct hm_core *k, const char *tenant, const uint8_t endpoint[HM_ID_BYTES],
                     uint64_t at_ms, struct hm_slice json) HM_CHECK;
void hm_link_send_fd(struct hm_core *k, enum hm_peer_id id, const struct hm_msg_desc *d,
                     const void *msg, const int *fds, int fd_count);

/* ---- consume.c: journal → soc ---- */
int hm_consume_open(struct hm_core *k, const char *journal, struct hm_error *err) HM_CHECK;
void hm_consume_close(struct hm_core *k);
void hm_consume_alerts(struct hm_core *k);  /* to the end of what is durable */
bool hm_consume_context(struct hm_core *k); /* one slice; true: there is more */

struct hm_soc_item;
/* What the processes of a new alert's tree did before it, as far as a bounded look back shows. */
int hm_consume_backfill(struct hm_core *k, const struct hm_soc_item *alert,
                        const uint8_t id[HM_ID_BYTES]) HM_CHECK;

/* ---- soc.c: what one event means for people ---- */
struct hm_soc_item { /* one record being consumed */
    struct hm_core *k;
    char tenant[HM_TENANT_MAX];
    uint8_t endpoint[HM_ID_BYTES];
    uint64_t received_ns, record;
    struct hm_slice host_name;
    struct hm_batch_head head;
    uint64_t losses;
    const uint8_t *only_alert; /* backfill: serve the tree of this alert and nothing else */
};
int hm_soc_event(struct hm_soc_item *it, const struct hm_event *e) HM_CHECK;
/* Write the process of an event as a node of an alert's tree. */
int hm_soc_node(struct hm_control *c, struct hm_alert_ref a, const struct hm_event *e,
                uint64_t ancestor, bool marked) HM_CHECK;
/* Raise an alert of the server itself. key: what makes its id, so that it is raised once. */
struct hm_notice {
    const char *rule, *title, *title_ja, *reason, *reason_ja;
    const char *advice, *advice_ja, *techniques, *tactics; /* NULL: none */
    const struct hm_event *about;                          /* its evidence; NULL: none */
    uint64_t severity;
    struct hm_slice key;
};
int hm_soc_notice(struct hm_core *k, const char *tenant, const uint8_t endpoint[HM_ID_BYTES],
                  const struct hm_notice *n) HM_CHECK;

/* ---- rule_cost.c: agent/rule_cost ---- */
int hm_rule_cost_said(struct hm_soc_item *it, const struct hm_event *e) HM_CHECK;

/* Write the envelope, which is the batch's, into an event of the item. */
void hm_soc_envelope(struct hm_event *e, const struct hm_soc_item *it);

/* ---- spread.c: the same alert on several endpoints ---- */
int hm_spread_new(struct hm_spread **ret_s, struct hm_error *err) HM_CHECK;
void hm_spread_free(struct hm_spread *s);
int hm_spread_load(struct hm_spread *s, struct hm_control *c) HM_CHECK; /* as of the cursor */
int hm_spread_save(struct hm_spread *s, struct hm_control *c) HM_CHECK; /* in its transaction */
int hm_spread_alert(struct hm_spread *s, struct hm_soc_item *it,
                    const struct hm_event *alert) HM_CHECK; /* new, and not excepted */

/* ---- tree.c: the live trees of young alerts ---- */
struct hm_tree *hm_tree_new(void);
void hm_tree_free(struct hm_tree *t);
int hm_tree_load(struct hm_tree *t, struct hm_control *c, uint64_t now_ms) HM_CHECK;
void hm_tree_age(struct hm_tree *t, uint64_t now_ms);
/* A new alert with the keys of its tree so far. */
void hm_tree_add(struct hm_tree *t, const char *tenant, const uint8_t id[HM_ID_BYTES],
                 const uint8_t endpoint[HM_ID_BYTES], uint64_t now_ms, const uint64_t *keys,
                 size_t n);
int hm_tree_event(struct hm_tree *t, struct hm_soc_item *it, const struct hm_event *e) HM_CHECK;
int hm_tree_flush(struct hm_tree *t,
                  struct hm_control *c) HM_CHECK; /* counts of what had no room */

/* ---- changes.c ---- */
void hm_changed(struct hm_core *k, const char *kind, const char *tenant,
                const uint8_t id[HM_ID_BYTES]);
void hm_changes_send(struct hm_core *k); /* after the commit */

/* ---- store_thread.c ---- */
struct hm_store_thread *hm_store_thread_start(const char *state);
void hm_store_thread_poke(struct hm_store_thread *t, uint64_t durable, bool repair);
void hm_store_thread_stop(struct hm_store_thread *t);
