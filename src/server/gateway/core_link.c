/* The socket to core: questions out, decisions in. Owns what happens while core is slow or gone:
 * questions are asked again when it is back, nobody's session ends for it. */
#include "server/gateway/gateway.h"

#include "server/messages.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>

#define OUTBOX_BYTES (16u * 1024 * 1024)

struct hm_core_link {
    struct hm_gateway *g;
    struct hm_outbox *out;
    struct event *ev;
    short interest;
    int fd; /* -1: core is not there */
    struct hm_buf buf;
    uint64_t dropped;
};

static void on_core(evutil_socket_t fd, short what, void *arg);

struct hm_core_link *hm_core_link_new(struct hm_gateway *g)
{
    struct hm_core_link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->g = g;
    l->fd = -1;
    l->buf = HM_BUF(HM_IPC_MAX_BYTES);
    l->out = hm_outbox_new(HM_GATEWAY_CORE_QUEUE_MAX, OUTBOX_BYTES);
    if (!l->out) {
        free(l);
        return NULL;
    }
    return l;
}

static void disconnect(struct hm_core_link *l)
{
    if (l->ev)
        event_free(l->ev);
    l->ev = NULL;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

void hm_core_link_free(struct hm_core_link *l)
{
    if (!l)
        return;
    disconnect(l);
    hm_outbox_free(l->out);
    hm_buf_done(&l->buf);
    free(l);
}

static void watch(struct hm_core_link *l)
{
    short want = (short)(EV_READ | EV_PERSIST | (hm_outbox_count(l->out) ? EV_WRITE : 0));

    if (l->fd < 0 || (l->ev && l->interest == want))
        return;
    if (l->ev)
        event_free(l->ev);
    l->interest = want;
    l->ev = event_new(l->g->base, l->fd, want, on_core, l);
    if (l->ev)
        event_add(l->ev, NULL);
}

void hm_core_send(struct hm_core_link *l, const struct hm_msg_desc *d, const void *msg)
{
    /* A fork is said once; everything else is asked again when core is back. */
    if (l->fd < 0 && d->number != HM_MSG_GW_FORK)
        return;
    int r = hm_outbox_put(l->out, l->fd, d, msg, NULL, 0);
    if (r == -ENOSPC && ++l->dropped == 1)
        hm_warn("core is slow: messages to it are dropped");
    watch(l);
}

static void ask_connect(struct hm_session *s)
{
    struct hm_msg_gw_connect m = {.id = s->id,
                                  .hello = hm_buf_slice(&s->hello),
                                  .serial = hm_slice(s->serial, s->serial_len),
                                  .endpoint = hm_slice(s->endpoint, sizeof s->endpoint),
                                  .peer = hm_slice_str(s->peer),
                                  .key_sha256 = hm_slice(s->key_sha256, sizeof s->key_sha256)};
    hm_core_send(s->g->core, &hm_desc_gw_connect, &m);
}

static void ask_enroll(struct hm_session *s)
{
    struct hm_msg_gw_enroll m = {
        .id = s->id, .enroll = hm_buf_slice(&s->hello), .peer = hm_slice_str(s->peer)};
    hm_core_send(s->g->core, &hm_desc_gw_enroll, &m);
}

void hm_core_ask(struct hm_session *s)
{
    if (s->enroll)
        ask_enroll(s);
    else
        ask_connect(s);
}

/* A new core knows nothing: who waits asks again, and who is open is announced (and judged) anew.
 */
static void ask_everything(struct hm_core_link *l)
{
    struct hm_msg_gw_stored stored = {.next = hm_store_durable(l->g->store)};

    for (struct hm_session *s = l->g->sessions; s; s = s->next)
        if (s->state == HM_SESSION_CORE || s->state == HM_SESSION_SYNC ||
            s->state == HM_SESSION_OPEN)
            hm_core_ask(s);
    hm_core_send(l, &hm_desc_gw_stored, &stored);
}

void hm_core_link_set(struct hm_core_link *l, int fd)
{
    disconnect(l);
    l->fd = fd;
    hm_debug("core is connected");
    ask_everything(l);
    if (hm_outbox_flush(l->out, l->fd) < 0)
        disconnect(l);
    watch(l);
}

/* ---- decisions ---- */

static struct hm_session *session_by_id(struct hm_core_link *l, uint64_t id)
{
    struct hm_session **s = hm_map_get(l->g->by_id, id);
    return s ? *s : NULL; /* it may have gone meanwhile */
}

static int on_enrolled(struct hm_core_link *l, struct hm_slice payload)
{
    struct hm_msg_gw_enrolled m;
    struct hm_msg_enrolled e;

    if (hm_msg_decode(&hm_desc_gw_enrolled, payload, &m) ||
        hm_msg_decode(&hm_desc_enrolled, m.enrolled, &e))
        return -EBADMSG;
    struct hm_session *s = session_by_id(l, m.id);
    if (!s || s->state != HM_SESSION_CORE || !s->enroll)
        return 0;
    hm_info("%s enrolled", s->peer);
    hm_session_send(s, &hm_desc_enrolled, &e);
    hm_session_set_state(s, HM_SESSION_CLOSING);
    return 0;
}

static int on_welcome(struct hm_core_link *l, struct hm_slice payload)
{
    struct hm_msg_gw_welcome m;
    char tenant[HM_GATEWAY_TENANT_MAX];

    if (hm_msg_decode(&hm_desc_gw_welcome, payload, &m) || m.tenant.len == 0 ||
        m.tenant.len >= sizeof tenant)
        return -EBADMSG;
    struct hm_session *s = session_by_id(l, m.id);
    if (!s && m.endpoint.len == 16 && !hm_session_of(l->g, m.endpoint.p, NULL)) {
        struct hm_msg_gw_disconnect gone = {.endpoint = m.endpoint};
        hm_core_send(l, &hm_desc_gw_disconnect, &gone); /* else it would count as connected */
    }
    if (!s || s->state != HM_SESSION_CORE || s->enroll)
        return 0;
    snprintf(tenant, sizeof tenant, "%.*s", (int)m.tenant.len, (const char *)m.tenant.p);
    hm_session_welcome(s, tenant, m.time);
    return 0;
}

static int on_refuse(struct hm_core_link *l, struct hm_slice payload)
{
    struct hm_msg_gw_refuse m;
    char detail[128];

    if (hm_msg_decode(&hm_desc_gw_refuse, payload, &m))
        return -EBADMSG;
    struct hm_session *s = session_by_id(l, m.id);
    if (!s || s->state == HM_SESSION_CLOSING)
        return 0;
    struct hm_msg_refused out = {.code = m.code, .text = m.text};
    snprintf(detail, sizeof detail, "code %llu %.*s", (unsigned long long)m.code, (int)m.text.len,
             m.text.len ? (const char *)m.text.p : "");
    hm_refusal_note(&l->g->refusals, s->enroll ? HM_REFUSAL_ENROLMENT : HM_REFUSAL_ADMISSION,
                    s->peer, detail);
    hm_session_send(s, &hm_desc_refused, &out);
    hm_session_set_state(s, HM_SESSION_CLOSING);
    return 0;
}

static int on_order(struct hm_core_link *l, struct hm_slice payload)
{
    struct hm_msg_gw_order m;

    if (hm_msg_decode(&hm_desc_gw_order, payload, &m) || m.endpoint.len != 16)
        return -EBADMSG;
    struct hm_msg_order_push push = {.order = m.order};
    struct hm_session *s = NULL;
    while ((s = hm_session_of(l->g, m.endpoint.p, s)))
        if (s->state == HM_SESSION_OPEN || s->state == HM_SESSION_SYNC)
            hm_session_send(s, &hm_desc_order_push, &push);
    return 0;
}

static int on_revoke(struct hm_core_link *l, struct hm_slice payload)
{
    struct hm_msg_gw_revoke m;
    struct hm_session *s;

    if (hm_msg_decode(&hm_desc_gw_revoke, payload, &m) || m.endpoint.len != 16)
        return -EBADMSG;
    while ((s = hm_session_of(l->g, m.endpoint.p, NULL)))
        hm_session_refuse(s, HM_REFUSAL_ADMISSION, "revoked");
    return 0;
}

static int on_content(struct hm_core_link *l, struct hm_slice payload)
{
    return hm_content_offer(l->g, payload);
}

static const struct {
    uint16_t number;
    int (*handle)(struct hm_core_link *l, struct hm_slice payload);
} decisions[] = {
    {HM_MSG_GW_ENROLLED, on_enrolled}, {HM_MSG_GW_WELCOME, on_welcome},
    {HM_MSG_GW_REFUSE, on_refuse},     {HM_MSG_GW_ORDER, on_order},
    {HM_MSG_GW_REVOKE, on_revoke},     {HM_MSG_GW_CONTENT, on_content},
};

static int decide(struct hm_core_link *l, const struct hm_ipc_msg *m)
{
    if (m->number == HM_MSG_GW_CONTENT_FILE && m->fd_count == 1)
        return hm_content_file(l->g, m->payload, m->fds[0]);
    for (int i = 0; i < m->fd_count; i++)
        close(m->fds[i]);
    for (size_t i = 0; i < HM_ARRAY_LEN(decisions); i++)
        if (decisions[i].number == m->number)
            return decisions[i].handle(l, m->payload);
    return -EBADMSG;
}

static void on_core(evutil_socket_t fd, short what, void *arg)
{
    struct hm_core_link *l = arg;
    struct hm_ipc_msg m;
    int r = 0;

    (void)fd;
    if (what & EV_WRITE)
        r = hm_outbox_flush(l->out, l->fd);
    while (r >= 0 && (what & EV_READ) && (r = hm_ipc_recv(l->fd, &l->buf, &m)) > 0)
        if ((r = decide(l, &m)))
            break;
    if (r < 0) {
        hm_warn("core's socket closed: %s; sessions wait for the next", strerror(-r));
        disconnect(l);
        return;
    }
    watch(l);
}
