/* The sockets to gateway, signer and api: who may say what, and what waits for a slow one. A peer
 * that says something malformed is cut off; the supervisor pairs a new one when it restarts it. */
#include "server/core/core.h"
#include "base/log.h"
#include <errno.h>

#define QUEUE_MESSAGES 4096

static int on_stored(struct hm_core *k, struct hm_slice payload)
{
    struct hm_msg_gw_stored m;
    int r = hm_msg_decode(&hm_desc_gw_stored, payload, &m);
    if (r)
        return r;
    if (m.next > k->durable)
        k->durable = m.next;
    hm_consume_alerts(k);
    hm_store_thread_poke(k->store, k->durable, false);
    return 0; /* the context consumer has its own timer: many small commits would cost more */
}

static int on_signed(struct hm_core *k, struct hm_slice payload)
{
    struct hm_msg_signer_done m;
    int r = hm_msg_decode(&hm_desc_signer_done, payload, &m);
    if (r)
        return r;
    struct hm_pending_item *i = hm_pending_find(k->pending, m.id);
    if (!i)
        return 0; /* it took too long */
    if (i->kind == HM_PENDING_ENROLL)
        hm_enroll_signed(k, i, &m);
    else if (i->kind == HM_PENDING_CONNECT)
        hm_admit_signed(k, i, &m);
    else if (i->kind == HM_PENDING_CONTENT)
        hm_delivery_signed(k, i, &m);
    else
        hm_respond_signed(k, i, &m);
    hm_pending_remove(k->pending, i);
    return 0;
}

static int on_poke(struct hm_core *k, struct hm_slice payload)
{
    struct hm_msg_poke m;
    int r = hm_msg_decode(&hm_desc_poke, payload, &m);
    if (r)
        return r;
    if (hm_slice_eq(m.table, hm_slice_str("endpoints")))
        hm_admit_revoke(k);
    else if (hm_slice_eq(m.table, hm_slice_str("exceptions")))
        hm_except_load(k);
    else if (hm_slice_eq(m.table, hm_slice_str("segments")))
        hm_store_thread_poke(k->store, k->durable, true);
    else if (hm_slice_eq(m.table, hm_slice_str("content")))
        hm_delivery_work(k);
    else
        hm_respond_work(k);
    return 0;
}

static const struct {
    enum hm_peer_id from;
    uint16_t number;
    int (*handle)(struct hm_core *k, struct hm_slice payload);
} requests[] = {
    {HM_PEER_GATEWAY, HM_MSG_GW_ENROLL, hm_enroll_ask},
    {HM_PEER_GATEWAY, HM_MSG_GW_CONNECT, hm_admit_ask},
    {HM_PEER_GATEWAY, HM_MSG_GW_DISCONNECT, hm_admit_gone},
    {HM_PEER_GATEWAY, HM_MSG_GW_STORED, on_stored},
    {HM_PEER_GATEWAY, HM_MSG_GW_FORK, hm_admit_fork},
    {HM_PEER_SIGNER, HM_MSG_SIGNER_DONE, on_signed},
    {HM_PEER_API, HM_MSG_POKE, on_poke},
};
static const char *const names[HM_PEER_COUNT] = {"gateway", "signer", "api", "content"};

static int dispatch(struct hm_peer *p, const struct hm_ipc_msg *m)
{
    if (p->id == HM_PEER_CONTENT && m->number == HM_MSG_CONTENT_DONE && m->fd_count <= 1)
        return hm_delivery_done(p->core, m->payload, m->fd_count ? m->fds[0] : -1);
    for (int i = 0; i < m->fd_count; i++)
        close(m->fds[i]); /* nobody else has reason to send us one */
    for (size_t i = 0; i < HM_ARRAY_LEN(requests); i++)
        if (requests[i].from == p->id && requests[i].number == m->number)
            return requests[i].handle(p->core, m->payload);
    return -EBADMSG;
}

static void cut(struct hm_peer *p, const char *why)
{
    if (p->fd < 0)
        return;
    hm_debug("%s: %s", names[p->id], why);
    if (p->read_ev)
        event_free(p->read_ev);
    if (p->write_ev)
        event_free(p->write_ev);
    p->read_ev = p->write_ev = NULL;
    close(p->fd);
    p->fd = -1;
    /* What waited was for that process; its successor asks anew. */
    hm_outbox_free(p->out);
    p->out = hm_outbox_new(QUEUE_MESSAGES, HM_CORE_QUEUE_BYTES);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    struct hm_peer *p = arg;
    struct hm_ipc_msg m;
    (void)fd;
    (void)what;
    /* A bounded number, so that one peer cannot keep the loop from the others. */
    for (int n = 0; n < 64 && p->fd >= 0; n++) {
        int r = hm_ipc_recv(p->fd, &p->core->in, &m);
        if (r == 0)
            return;
        if (r > 0)
            r = dispatch(p, &m);
        if (r < 0) {
            if (r == -EBADMSG)
                hm_warn("%s sent a malformed or unexpected message and is cut off", names[p->id]);
            cut(p, strerror(-r));
        }
    }
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
    struct hm_peer *p = arg;
    (void)fd;
    (void)what;
    int r = hm_outbox_flush(p->out, p->fd);
    if (r < 0)
        cut(p, strerror(-r));
    else if (r == 0)
        event_del(p->write_ev);
}

void hm_link_send(struct hm_core *k, enum hm_peer_id id, const struct hm_msg_desc *d,
                  const void *msg)
{
    hm_link_send_fd(k, id, d, msg, NULL, 0);
}

void hm_link_send_fd(struct hm_core *k, enum hm_peer_id id, const struct hm_msg_desc *d,
                     const void *msg, const int *fds, int fd_count)
{
    struct hm_peer *p = &k->peers[id];
    if (p->fd < 0 || !p->out)
        return;
    int r = hm_outbox_put(p->out, p->fd, d, msg, fds, fd_count);
    if (r == -ENOSPC) {
        if (++p->dropped == 1)
            hm_warn("%s is slow: messages to it are dropped", names[id]);
        return;
    }
    if (r < 0)
        cut(p, strerror(-r));
    else if (hm_outbox_count(p->out))
        event_add(p->write_ev, NULL);
}

void hm_link_init(struct hm_core *k)
{
    for (int i = 0; i < HM_PEER_COUNT; i++)
        k->peers[i] = (struct hm_peer){.core = k,
                                       .id = (enum hm_peer_id)i,
                                       .fd = -1,
                                       .out = hm_outbox_new(QUEUE_MESSAGES, HM_CORE_QUEUE_BYTES)};
}

void hm_link_done(struct hm_core *k)
{
    for (int i = 0; i < HM_PEER_COUNT; i++) {
        cut(&k->peers[i], "stopping");
        hm_outbox_free(k->peers[i].out);
    }
}

void hm_link_set(struct hm_core *k, enum hm_peer_id id, int fd)
{
    struct hm_peer *p = &k->peers[id];
    cut(p, "replaced");
    p->fd = fd;
    p->read_ev = event_new(k->base, fd, EV_READ | EV_PERSIST, on_read, p);
    p->write_ev = event_new(k->base, fd, EV_WRITE | EV_PERSIST, on_write, p);
    if (!p->read_ev || !p->write_ev || event_add(p->read_ev, NULL) != 0)
        cut(p, "out of memory");
    if (id == HM_PEER_SIGNER)
        hm_respond_work(k);
    hm_delivery_peer(k, id);
}
