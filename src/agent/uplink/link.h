/* One connection to the gateway: address, TLS, frames, time-outs and back-off. Refuses to know
 * batches and orders: whole messages are handed to its owner. */
#pragma once
#include "agent/uplink/resolve.h"
#include "agent/uplink/tls.h"
#include "wire/frame.h"
#include <poll.h>

enum hm_link_state { HM_LINK_IDLE, HM_LINK_RESOLVE, HM_LINK_CONNECT, HM_LINK_SHAKE, HM_LINK_UP };

struct hm_link_ops {
    void (*up)(void *ctx);   /* TLS stands: say HELLO */
    void (*down)(void *ctx); /* it was up and is not any more */
    /* Negative errno: the peer is wrong, close. */
    int (*message)(void *ctx, uint16_t number, struct hm_slice payload);
    void *ctx;
};
struct hm_link {
    SSL_CTX *tls;
    const char *server;
    struct hm_link_ops ops;
    enum hm_link_state state;
    struct hm_addrs addrs; /* the last that were found: good when no resolver answers */
    size_t addr_at;
    int fd; /* of the present state: resolver's pipe or socket; -1 idle */
    SSL *ssl;
    bool want_write;
    struct hm_buf in, out;
    size_t out_at;
    uint64_t since_ns, rx_ns, ping_ns, retry_ns;
    uint32_t tries;
    bool down_said; /* a failure is logged once until it works again */
};
void hm_link_init(struct hm_link *l, SSL_CTX *tls, const char *server,
                  const struct hm_link_ops *ops);
void hm_link_done(struct hm_link *l);
/* For poll(): descriptor (-1 none), events, and ms until tick() wants to run. */
int hm_link_poll(const struct hm_link *l, struct pollfd *ret_p, uint64_t now_ns);
void hm_link_tick(struct hm_link *l, uint64_t now_ns); /* clocks: begin, ping, give up */
void hm_link_io(struct hm_link *l, short revents);
/* -EAGAIN: so much waits already. */
int hm_link_send(struct hm_link *l, const struct hm_msg_desc *d, const void *msg) HM_CHECK;
void hm_link_flush(struct hm_link *l);    /* writes what waits as far as the line takes it */
void hm_link_welcomed(struct hm_link *l); /* it works: the back-off starts over */
/* Close now; try again after delay_ms (0: at once), UINT32_MAX: by back-off. */
void hm_link_close(struct hm_link *l, const char *why, uint32_t delay_ms);
