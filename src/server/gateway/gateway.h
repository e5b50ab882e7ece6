/* What the files of the gateway share: the process's context and a peer's session. Private. */
#pragma once
#include "base/map.h"
#include "server/gateway/chain.h"
#include "server/gateway/limits.h"
#include "server/gateway/refusal.h"
#include "proc/proc.h"
#include "server/gateway/store.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/ssl.h>

enum hm_session_state {
    HM_SESSION_HANDSHAKE,
    HM_SESSION_FIRST, /* waits for HELLO or ENROLL */
    HM_SESSION_CORE,  /* core decides */
    HM_SESSION_SYNC,  /* admitted; WELCOME follows when what it names is on disk */
    HM_SESSION_OPEN,
    HM_SESSION_CLOSING, /* sends what is left, then ends */
};

struct hm_lane_mark { /* acks: what was appended, and what the running sync will make durable */
    uint64_t appended, syncing;
    bool dirty, in_sync;
};

struct hm_session {
    struct hm_gateway *g;
    struct hm_session *prev, *next; /* all sessions */
    struct hm_session *same_next;   /* same endpoint (by hash) */
    struct hm_session *dirty_next, *sync_next;
    bool in_dirty, in_sync, listed;
    uint64_t id;
    int fd;
    SSL *ssl;
    struct event ev;
    short interest;
    enum hm_session_state state;
    bool enroll, protocol_chosen, paused, welcomed, welcome_in_sync;
    int handshake_refusal; /* enum hm_refusal; -1: none said yet */
    uint8_t endpoint[16], key_sha256[HM_SHA256_BYTES];
    uint8_t serial[24];
    size_t serial_len;
    char peer[64];
    char tenant[HM_GATEWAY_TENANT_MAX], host_name[HM_GATEWAY_HOST_NAME_MAX];
    uint64_t epoch;
    struct hm_buf hello; /* kept: core may have to be asked again */
    struct hm_buf time;  /* SIGNED TIME that goes into WELCOME */
    struct hm_lane_mark lanes[HM_LANE_COUNT];
    struct hm_buf in, out;
    size_t out_at;
    uint64_t state_ns, rx_ns, frame_ns, out_ns, ping_ns; /* 0: does not run */
};

struct hm_gateway_body { /* version 0: free */
    uint64_t version, size;
    int fd;
    char tenant[HM_GATEWAY_TENANT_MAX];
};

struct hm_core_link;
struct hm_gateway {
    struct event_base *base;
    SSL_CTX *tls;
    int listener;
    struct event *accept_ev, *sweep_ev, *store_ev, *sync_ev, *role_ev;
    bool accepting, stopping;
    struct hm_session *sessions;
    struct hm_session *dirty, *in_sync; /* waiting for the next, the running sync */
    size_t session_count, handshake_count, buffered;
    uint64_t next_id;
    struct hm_map *by_id, *by_endpoint; /* struct hm_session * */
    uint64_t endpoint_seed;
    struct hm_chain *chain;
    struct hm_store *store;
    struct hm_core_link *core;
    struct hm_refusals refusals;
    struct hm_buf raw; /* scratch of batch checks */
    struct hm_gateway_body bodies[HM_GATEWAY_BODIES_MAX];
    size_t bodies_next;
    uint8_t chunk[HM_CONTENT_CHUNK];
    uint8_t scratch[HM_GATEWAY_READ_BYTES];
};

/* tls.c */
int hm_gateway_tls_new(const char *dir, struct hm_gateway *g, SSL_CTX **ret_ctx,
                       struct hm_error *err) HM_CHECK;
/* session.c */
void hm_session_accept(struct hm_gateway *g, int fd, const char *peer);
void hm_session_close(struct hm_session *s); /* frees it */
void hm_session_refuse(struct hm_session *s, enum hm_refusal why, const char *detail); /* closes */
void hm_session_send(struct hm_session *s, const struct hm_msg_desc *d, const void *msg);
void hm_session_set_state(struct hm_session *s, enum hm_session_state state);
void hm_session_pause(struct hm_session *s, bool paused);
void hm_session_sweep(struct hm_gateway *g, uint64_t now_ns);
void hm_session_list(struct hm_session *s); /* findable by its endpoint from now on */
/* Next session of that endpoint after `after` (NULL: the first). */
struct hm_session *hm_session_of(struct hm_gateway *g, const uint8_t endpoint[16],
                                 struct hm_session *after);
/* handle.c */
enum hm_handled { HM_HANDLED, HM_HANDLED_LATER, HM_HANDLED_CLOSED };
enum hm_handled hm_session_handle(struct hm_session *s, uint16_t number, struct hm_slice payload);
int hm_session_identify(struct hm_session *s); /* after the handshake; -EINVAL: closed */
void hm_session_welcome(struct hm_session *s, const char *tenant, struct hm_slice time);
/* ack.c */
void hm_ack_later(struct hm_session *s);
void hm_ack_welcome(struct hm_session *s); /* everything it names is on disk */
void hm_ack_forget(struct hm_session *s);
void hm_ack_begin(struct hm_gateway *g);
void hm_ack_end(struct hm_gateway *g, uint64_t next);
/* core_link.c */
struct hm_core_link *hm_core_link_new(struct hm_gateway *g);
void hm_core_link_free(struct hm_core_link *l);
void hm_core_link_set(struct hm_core_link *l, int fd); /* a new socket to core; asks again */
void hm_core_ask(struct hm_session *s);                /* GW_CONNECT or GW_ENROLL */
void hm_core_send(struct hm_core_link *l, const struct hm_msg_desc *d, const void *msg);
/* content.c */
int hm_content_file(struct hm_gateway *g, struct hm_slice payload, int fd) HM_CHECK; /* takes fd */
int hm_content_offer(struct hm_gateway *g, struct hm_slice payload) HM_CHECK;
int hm_content_get(struct hm_session *s, struct hm_slice payload) HM_CHECK;
void hm_content_close(struct hm_gateway *g);
