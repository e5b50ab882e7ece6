/* The role `uplink`: carries batches up, orders and time down. Owns the loop between monitor,
 * engine and the line; it reads nothing but the journal and forges nothing: what comes down is
 * signed and judged by monitor. */
#include "agent/messages.h"
#include "agent/roles.h"
#include "agent/uplink/link.h"
#include "agent/uplink/shipper.h"

#include "base/clock.h"
#include "base/log.h"
#include "wire/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

enum { FD_KEY, FD_CERT, FD_CA, FD_JOURNAL, FD_ENGINE, FD_NETNS, FD_REQUIRED = FD_NETNS };

struct uplink {
    struct hm_link link;
    struct hm_shipper *shipper;
    SSL_CTX *tls;
    int engine; /* -1: gone */
    char server[280], agent_version[64], host_name[256], os[256], kernel[256];
    uint8_t endpoint[16], nonce[64];
    size_t nonce_len;
    uint64_t boot, practice, epoch; /* epoch: of the session */
    bool welcomed, stop;
    struct hm_buf ipc;
};

static void to_monitor(const struct hm_msg_desc *d, const void *msg)
{
    int r = hm_ipc_send(HM_ROLE_FD, d, msg, NULL, 0);
    if (r == -ECONNRESET)
        hm_debug("monitor is gone"); /* the loop sees it as well and ends */
    else if (r)
        hm_warn("monitor does not take %s: %s", d->name, strerror(-r));
}

static void to_engine(struct uplink *u, const struct hm_msg_desc *d, const void *msg)
{
    /* What it misses is said again with the next ack; a fork with the next session. */
    if (u->engine >= 0 && hm_ipc_send(u->engine, d, msg, NULL, 0))
        hm_debug("the engine does not take %s", d->name);
}

/* ---- shipper's side ---- */

static int on_send(void *ctx, struct hm_slice batch)
{
    struct uplink *u = ctx;
    struct hm_msg_batch m = {.data = batch};
    return hm_link_send(&u->link, &hm_desc_batch, &m);
}

static void on_acked(void *ctx, uint64_t epoch, enum hm_lane lane, uint64_t next)
{
    struct hm_msg_acked m = {.epoch = epoch, .lane = lane, .next = next};
    to_engine(ctx, &hm_desc_acked, &m);
}

static void on_forked(void *ctx, uint64_t epoch)
{
    struct hm_msg_forked m = {.epoch = epoch};
    to_engine(ctx, &hm_desc_forked, &m);
}

static void pump(struct uplink *u)
{
    if (!u->welcomed)
        return;
    int r = hm_shipper_pump(u->shipper);
    if (r == 1) {
        hm_info("epoch %llx is shipped; the next begins", (unsigned long long)u->epoch);
        hm_link_close(&u->link, NULL, 0);
    } else if (r < 0 && r != -ENOTCONN) {
        hm_link_close(&u->link, "the journal cannot be read", UINT32_MAX);
    }
}

/* ---- the line's side ---- */

static void on_up(void *ctx)
{
    struct uplink *u = ctx;

    u->epoch = hm_shipper_rewind(u->shipper);
    struct hm_msg_hello m = {.version = HM_WIRE_VERSION,
                             .endpoint = hm_slice(u->endpoint, 16),
                             .nonce = hm_slice(u->nonce, u->nonce_len),
                             .epoch = u->epoch,
                             .boot = u->boot,
                             .host_name = hm_slice_str(u->host_name),
                             .os = hm_slice_str(u->os),
                             .kernel = hm_slice_str(u->kernel),
                             .agent_version = hm_slice_str(u->agent_version),
                             .practice = u->practice,
                             .content = 1};
    if (hm_link_send(&u->link, &hm_desc_hello, &m))
        hm_link_close(&u->link, "no room for HELLO", UINT32_MAX);
}

static void on_down(void *ctx)
{
    struct uplink *u = ctx;
    struct hm_msg_link_state m = {.up = 0};

    if (u->welcomed)
        to_monitor(&hm_desc_link_state, &m);
    u->welcomed = false;
}

static int on_welcome(struct uplink *u, struct hm_slice payload)
{
    struct hm_msg_welcome m;
    struct hm_msg_link_state up = {.up = 1};

    if (u->welcomed || hm_msg_decode(&hm_desc_welcome, payload, &m))
        return -EBADMSG;
    uint64_t next[HM_LANE_COUNT] = {[HM_LANE_BULK] = m.next_bulk, [HM_LANE_ALERT] = m.next_alert};
    struct hm_msg_got_time t = {.time = m.time};
    u->welcomed = true;
    hm_link_welcomed(&u->link);
    to_monitor(&hm_desc_got_time, &t);
    to_monitor(&hm_desc_link_state, &up);
    hm_shipper_open(u->shipper, u->epoch, next);
    pump(u);
    return 0;
}

static int on_refused(struct uplink *u, struct hm_slice payload)
{
    struct hm_msg_refused m;
    char why[256];

    if (hm_msg_decode(&hm_desc_refused, payload, &m))
        return -EBADMSG;
    snprintf(why, sizeof why, "refused (%llu): %.*s", (unsigned long long)m.code, (int)m.text.len,
             m.text.len ? (const char *)m.text.p : "");
    /* Busy passes by itself; the rest needs a person. */
    hm_link_close(&u->link, why, m.code == HM_REFUSED_BUSY ? UINT32_MAX : HM_UPLINK_REFUSED_MS);
    return 0;
}

static int on_ack(struct uplink *u, struct hm_slice payload)
{
    struct hm_msg_ack m;

    if (!u->welcomed || hm_msg_decode(&hm_desc_ack, payload, &m))
        return -EBADMSG;
    int r = hm_shipper_ack(u->shipper, m.epoch, m.lane, m.next);
    if (!r)
        pump(u);
    return r;
}

static int on_fork(struct uplink *u, struct hm_slice payload)
{
    struct hm_msg_fork m;

    if (!u->welcomed || hm_msg_decode(&hm_desc_fork, payload, &m))
        return -EBADMSG;
    hm_shipper_fork(u->shipper, m.epoch);
    pump(u);
    return 0;
}

static int on_order(struct uplink *u, struct hm_slice payload)
{
    struct hm_msg_order_push m;

    (void)u;
    if (hm_msg_decode(&hm_desc_order_push, payload, &m))
        return -EBADMSG;
    struct hm_msg_got_order o = {.order = m.order};
    to_monitor(&hm_desc_got_order, &o);
    return 0;
}

/* Content is monitor's: it judges, asks chunk by chunk and keeps what it got. */
static int on_offer(struct uplink *u, struct hm_slice payload)
{
    struct hm_msg_content_offer m;

    (void)u;
    if (hm_msg_decode(&hm_desc_content_offer, payload, &m))
        return -EBADMSG;
    struct hm_msg_got_offer o = {.statement = m.statement, .key_set = m.key_set};
    to_monitor(&hm_desc_got_offer, &o);
    return 0;
}

static int on_chunk(struct uplink *u, struct hm_slice payload)
{
    struct hm_msg_content_chunk m;

    (void)u;
    if (hm_msg_decode(&hm_desc_content_chunk, payload, &m) || m.data.len > HM_CONTENT_CHUNK)
        return -EBADMSG;
    struct hm_msg_got_content g = {.version = m.version, .offset = m.offset, .data = m.data};
    to_monitor(&hm_desc_got_content, &g);
    return 0;
}

static void want_content(struct uplink *u, struct hm_slice payload)
{
    struct hm_msg_want_content m;

    if (!u->welcomed || hm_msg_decode(&hm_desc_want_content, payload, &m))
        return;
    struct hm_msg_content_get g = {.version = m.version, .offset = m.offset};
    if (hm_link_send(&u->link, &hm_desc_content_get, &g))
        hm_debug("no room for CONTENT_GET: monitor asks again");
}

static int on_ping(struct uplink *u, struct hm_slice payload)
{
    struct hm_msg_ping m;

    if (hm_msg_decode(&hm_desc_ping, payload, &m))
        return -EBADMSG;
    struct hm_msg_pong pong = {.id = m.id};
    int r = hm_link_send(&u->link, &hm_desc_pong, &pong);
    return r == -EAGAIN ? 0 : r;
}

static int on_pong(struct uplink *u, struct hm_slice payload)
{
    struct hm_msg_pong m;

    (void)u;
    return hm_msg_decode(&hm_desc_pong, payload, &m);
}

static int on_message(void *ctx, uint16_t number, struct hm_slice payload)
{
    static const struct {
        uint16_t number;
        int (*handle)(struct uplink *u, struct hm_slice payload);
    } table[] = {
        {HM_MSG_WELCOME, on_welcome},
        {HM_MSG_REFUSED, on_refused},
        {HM_MSG_ACK, on_ack},
        {HM_MSG_FORK, on_fork},
        {HM_MSG_ORDER_PUSH, on_order},
        {HM_MSG_PING, on_ping},
        {HM_MSG_PONG, on_pong},
        {HM_MSG_CONTENT_OFFER, on_offer},
        {HM_MSG_CONTENT_CHUNK, on_chunk},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(table); i++)
        if (table[i].number == number)
            return table[i].handle(ctx, payload);
    return -EBADMSG;
}

/* ---- monitor's and engine's side ---- */

static void close_fds(const struct hm_ipc_msg *m)
{
    for (int i = 0; i < m->fd_count; i++)
        close(m->fds[i]);
}

static void take_nonce(struct uplink *u, struct hm_slice payload)
{
    struct hm_msg_nonce m;

    if (hm_msg_decode(&hm_desc_nonce, payload, &m) || m.nonce.len > sizeof u->nonce)
        return;
    if (m.nonce.len)
        memcpy(u->nonce, m.nonce.p, m.nonce.len);
    u->nonce_len = m.nonce.len;
}

static void hear_monitor(struct uplink *u)
{
    struct hm_ipc_msg m;
    int r;

    while ((r = hm_ipc_recv(HM_ROLE_FD, &u->ipc, &m)) > 0) {
        struct hm_msg_beat beat;
        close_fds(&m);
        if (m.number == HM_MSG_NONCE)
            take_nonce(u, m.payload);
        else if (m.number == HM_MSG_WANT_CONTENT)
            want_content(u, m.payload);
        else if (m.number == HM_MSG_BEAT && !hm_msg_decode(&hm_desc_beat, m.payload, &beat))
            to_monitor(&hm_desc_beat, &beat);
    }
    u->stop = r < 0;
}

static void hear_engine(struct uplink *u)
{
    struct hm_ipc_msg m;
    int r;

    while ((r = hm_ipc_recv(u->engine, &u->ipc, &m)) > 0) {
        struct hm_msg_durable d;
        close_fds(&m);
        if (m.number == HM_MSG_DURABLE && !hm_msg_decode(&hm_desc_durable, m.payload, &d))
            hm_shipper_set_current(
                u->shipper, d.epoch,
                (uint64_t[]){[HM_LANE_BULK] = d.bulk, [HM_LANE_ALERT] = d.alert});
    }
    if (r < 0) {
        close(u->engine);
        u->engine = -1;
    }
}

static void serve(struct uplink *u)
{
    while (!u->stop) {
        uint64_t now = hm_clock_mono_ns();
        struct pollfd p[3] = {{.fd = HM_ROLE_FD, .events = POLLIN},
                              {.fd = u->engine, .events = POLLIN}};
        /* HELLO names an epoch: a brand-new journal has none before its first batch. */
        bool ready = u->link.fd >= 0 || hm_shipper_ready(u->shipper);
        if (ready)
            hm_link_tick(&u->link, now);
        int wait_ms = hm_link_poll(&u->link, &p[2], now);
        if (!ready && wait_ms < HM_UPLINK_POLL_MS)
            wait_ms = HM_UPLINK_POLL_MS;
        if (u->welcomed && wait_ms > HM_UPLINK_POLL_MS)
            wait_ms = HM_UPLINK_POLL_MS;
        if (poll(p, 3, wait_ms) < 0 && errno != EINTR)
            return;
        if (p[0].revents)
            hear_monitor(u);
        if (p[1].revents && p[1].fd >= 0)
            hear_engine(u);
        if (p[2].fd >= 0 && p[2].fd == u->link.fd)
            hm_link_io(&u->link, p[2].revents);
        pump(u);
        hm_link_flush(&u->link);
    }
}

/* ---- start ---- */

static int wait_start(struct uplink *u, struct hm_ipc_msg *ret_m)
{
    for (;;) {
        struct pollfd p = {.fd = HM_ROLE_FD, .events = POLLIN};
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return -errno;
        int r = hm_ipc_recv(HM_ROLE_FD, &u->ipc, ret_m);
        if (r < 0)
            return r;
        if (r == 1 && ret_m->number == HM_MSG_UPLINK_START)
            return ret_m->fd_count >= FD_REQUIRED ? 0 : -EBADMSG;
        if (r == 1 && ret_m->number == HM_MSG_NONCE)
            take_nonce(u, ret_m->payload);
        if (r == 1)
            close_fds(ret_m);
    }
}

static void copy_text(char *out, size_t len, struct hm_slice s)
{
    snprintf(out, len, "%.*s", (int)s.len, s.len ? (const char *)s.p : "");
}

static int take_start(struct uplink *u, struct hm_slice payload)
{
    struct hm_msg_uplink_start m;

    if (hm_msg_decode(&hm_desc_uplink_start, payload, &m) || m.endpoint.len != 16)
        return -EBADMSG;
    copy_text(u->server, sizeof u->server, m.server);
    copy_text(u->agent_version, sizeof u->agent_version, m.agent_version);
    copy_text(u->host_name, sizeof u->host_name, m.host_name);
    copy_text(u->os, sizeof u->os, m.os);
    copy_text(u->kernel, sizeof u->kernel, m.kernel);
    memcpy(u->endpoint, m.endpoint.p, 16);
    u->boot = m.boot;
    u->practice = m.practice;
    return 0;
}

static int read_pem(int fd, struct hm_buf *out)
{
    uint8_t *p = hm_buf_extend(out, HM_UPLINK_PEM_MAX);
    ssize_t n = p ? pread(fd, p, HM_UPLINK_PEM_MAX, 0) : -1;

    if (n <= 0)
        return -EIO;
    out->len = (size_t)n;
    return 0;
}

static int make_tls(struct uplink *u, const int *fds, struct hm_error *err)
{
    struct hm_buf pem[3] = {HM_BUF(HM_UPLINK_PEM_MAX), HM_BUF(HM_UPLINK_PEM_MAX),
                            HM_BUF(HM_UPLINK_PEM_MAX)};
    int r = 0;

    for (int i = 0; i < 3 && !r; i++)
        r = read_pem(fds[i], &pem[i]);
    if (!r) {
        struct hm_tls_files f = {.key = hm_buf_slice(&pem[FD_KEY]),
                                 .cert = hm_buf_slice(&pem[FD_CERT]),
                                 .ca = hm_buf_slice(&pem[FD_CA])};
        r = hm_tls_new(&f, &u->tls, err);
    }
    for (int i = 0; i < 3; i++) {
        if (pem[i].data)
            explicit_bzero(pem[i].data, pem[i].len);
        hm_buf_done(&pem[i]);
        close(fds[i]);
    }
    return r;
}

/* Reads the journal and what the resolver needs; TCP out is what it is for. */
static int lock_in(int journal, struct hm_error *err)
{
    static const char *const resolver[] = {"/etc", "/lib", "/usr/lib", "/run"};
    struct hm_sandbox_path paths[1 + HM_ARRAY_LEN(resolver)] = {{.dir_fd = journal}};
    size_t n = 1;
    int abi = 0;

    for (size_t i = 0; i < HM_ARRAY_LEN(resolver); i++) {
        int fd = open(resolver[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
            paths[n++] = (struct hm_sandbox_path){.dir_fd = fd};
    }
    int r = hm_sandbox_files(paths, n, true, &abi, err);
    for (size_t i = 1; i < n; i++)
        close(paths[i].dir_fd);
    if (!r && abi == 0)
        hm_warn("this kernel has no Landlock: files are guarded by the uid alone");
    return r ? r : hm_sandbox_syscalls(false, err);
}

static int enter_netns(const struct hm_ipc_msg *m)
{
    if (m->fd_count <= FD_NETNS)
        return 0;
    int r = setns(m->fds[FD_NETNS], CLONE_NEWNET) < 0 ? -errno : 0;
    close(m->fds[FD_NETNS]);
    return r;
}

static int start(struct uplink *u, struct hm_error *err)
{
    struct hm_shipper_ops sops = {on_send, on_acked, on_forked, u};
    struct hm_link_ops lops = {on_up, on_down, on_message, u};
    struct hm_ipc_msg m = {0};

    int r = wait_start(u, &m);
    if (r || (r = take_start(u, m.payload)) || (r = enter_netns(&m)))
        return hm_fail(err, r, "no usable start message: %s", strerror(-r));
    u->engine = m.fds[FD_ENGINE];
    r = hm_role_drop(&hm_agent_roles[HM_AGENT_UPLINK], err);
    if (!r)
        r = make_tls(u, m.fds, err);
    if (!r)
        r = lock_in(m.fds[FD_JOURNAL], err);
    if (r)
        return r;
    u->shipper = hm_shipper_new(m.fds[FD_JOURNAL], &sops);
    close(m.fds[FD_JOURNAL]);
    hm_link_init(&u->link, u->tls, u->server, &lops);
    return u->shipper ? 0 : -ENOMEM;
}

int hm_uplink_main(void)
{
    struct uplink u = {.engine = -1, .ipc = HM_BUF(HM_IPC_MAX_BYTES)};
    struct hm_error err = {0};

    hm_log_init("uplink", STDERR_FILENO);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* Ctrl-C goes to the whole group: monitor alone decides */
    int r = start(&u, &err);
    if (r) {
        hm_err("cannot start: %s", err.text[0] ? err.text : strerror(-r));
        return r == -ECONNRESET ? 0 : 1;
    }
    serve(&u);
    hm_link_done(&u.link);
    hm_shipper_free(u.shipper);
    SSL_CTX_free(u.tls);
    hm_buf_done(&u.ipc);
    return 0;
}
