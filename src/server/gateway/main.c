/* The role `gateway`: the only process that talks to endpoints. Owns the loop, the listener and
 * the order of start and stop. */
#include "server/gateway/gateway.h"

#include "server/messages.h"
#include "server/roles.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

static const struct timeval one_second = {1, 0};

static void peer_name(const struct sockaddr_storage *a, socklen_t a_len, char *out, size_t len)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (getnameinfo((const struct sockaddr *)a, a_len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        snprintf(out, len, "?");
    else
        snprintf(out, len, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static void set_accepting(struct hm_gateway *g, bool on)
{
    if (g->accepting == on)
        return;
    g->accepting = on;
    if (on)
        event_add(g->accept_ev, NULL);
    else
        event_del(g->accept_ev);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct hm_gateway *g = arg;
    struct sockaddr_storage a = {0};
    char peer[64];

    (void)what;
    while (g->handshake_count < HM_GATEWAY_HANDSHAKES_MAX) {
        socklen_t len = sizeof a;
        int conn = accept4(fd, (struct sockaddr *)&a, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (conn < 0) {
            if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
                set_accepting(g, false); /* no descriptors: the sweep tries again */
            return;
        }
        peer_name(&a, len, peer, sizeof peer);
        hm_session_accept(g, conn, peer);
    }
    set_accepting(g, false);
}

static void resume_paused(struct hm_gateway *g)
{
    for (struct hm_session *s = g->sessions; s; s = s->next)
        if (s->paused)
            hm_session_pause(s, false);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct hm_gateway *g = arg;

    (void)fd;
    (void)what;
    hm_session_sweep(g, hm_clock_mono_ns());
    hm_ack_begin(g); /* a sync that could not begin (no descriptor) is not forgotten */
    if (!hm_store_check_full(g->store))
        resume_paused(g);
    if (g->handshake_count < HM_GATEWAY_HANDSHAKES_MAX)
        set_accepting(g, true);
}

static void on_sync_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    hm_ack_begin(arg);
}

static void on_synced(evutil_socket_t fd, short what, void *arg)
{
    struct hm_gateway *g = arg;
    struct hm_msg_gw_stored m;

    (void)fd;
    (void)what;
    int r = hm_store_sync_end(g->store, &m.next);
    if (r == -EAGAIN)
        return;
    if (r)
        hm_store_failed(r);
    hm_core_send(g->core, &hm_desc_gw_stored, &m);
    hm_ack_end(g, m.next);
}

static void on_role(evutil_socket_t fd, short what, void *arg)
{
    struct hm_gateway *g = arg;
    hm_auto(hm_buf_done) struct hm_buf buf = HM_BUF(HM_IPC_MAX_BYTES);
    struct hm_ipc_msg m;
    int r;

    (void)what;
    while ((r = hm_ipc_recv(fd, &buf, &m)) > 0) {
        if (m.number == HM_MSG_PEER && m.fd_count == 1)
            hm_core_link_set(g->core, m.fds[0]); /* core is the only peer we have */
        else
            for (int i = 0; i < m.fd_count; i++)
                close(m.fds[i]);
    }
    if (r < 0)
        event_base_loopbreak(g->base);
}

static void raise_descriptors(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return;
    l.rlim_cur = l.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur < HM_GATEWAY_SESSIONS_MAX)
        hm_warn("only %llu descriptors: so many endpoints at most", (unsigned long long)l.rlim_cur);
}

/* Before any thread exists: both apply to the calling thread and what it starts. */
static int lock_in(const char *dir, struct hm_error *err)
{
    hm_autoclose int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct hm_sandbox_path path = {.dir_fd = fd, .write = true};
    int abi = 0;

    if (fd < 0)
        return hm_fail(err, -errno, "%s: %s", dir, strerror(errno));
    int r = hm_sandbox_files(&path, 1, false, &abi, err);
    if (!r && abi == 0)
        hm_warn("this kernel has no Landlock: files are guarded by the uid alone");
    return r ? r : hm_sandbox_syscalls(false, err);
}

static int make_events(struct hm_gateway *g)
{
    g->accept_ev = event_new(g->base, g->listener, EV_READ | EV_PERSIST, on_accept, g);
    g->sweep_ev = event_new(g->base, -1, EV_PERSIST, on_sweep, g);
    g->store_ev =
        event_new(g->base, hm_store_event_fd(g->store), EV_READ | EV_PERSIST, on_synced, g);
    g->sync_ev = evtimer_new(g->base, on_sync_due, g);
    g->role_ev = event_new(g->base, HM_ROLE_FD, EV_READ | EV_PERSIST, on_role, g);
    if (!g->accept_ev || !g->sweep_ev || !g->store_ev || !g->sync_ev || !g->role_ev)
        return -ENOMEM;
    event_add(g->sweep_ev, &one_second);
    event_add(g->store_ev, NULL);
    event_add(g->role_ev, NULL);
    set_accepting(g, true);
    return 0;
}

static int make_tables(struct hm_gateway *g)
{
    g->base = event_base_new();
    g->by_id = hm_map_new(sizeof(struct hm_session *), HM_GATEWAY_SESSIONS_MAX + 1);
    g->by_endpoint = hm_map_new(sizeof(struct hm_session *), HM_GATEWAY_SESSIONS_MAX + 1);
    g->chain = hm_chain_new(HM_GATEWAY_TIPS_MAX, HM_GATEWAY_TIPS_EACH_MAX);
    g->core = hm_core_link_new(g);
    g->raw = HM_BUF(HM_BATCH_MAX_BYTES * 2);
    if (!g->base || !g->by_id || !g->by_endpoint || !g->chain || !g->core)
        return -ENOMEM;
    return hm_random(&g->endpoint_seed, sizeof g->endpoint_seed);
}

static int start(struct hm_gateway *g, const struct hm_role_boot *boot, struct hm_error *err)
{
    char dir[HM_CONFIG_VALUE_MAX + 16];

    if (boot->fd_count != 1)
        return hm_fail(err, -EBADMSG, "no listening socket");
    g->listener = boot->fds[0];
    snprintf(dir, sizeof dir, "%s/gateway", boot->config.state);
    raise_descriptors();
    int r = make_tables(g);
    if (!r)
        r = hm_gateway_tls_new(dir, g, &g->tls, err);
    if (!r)
        r = lock_in(dir, err);
    if (!r)
        r = hm_store_open(dir, g->chain, &g->store, err);
    return r ? r : make_events(g);
}

static void stop(struct hm_gateway *g)
{
    while (g->sessions)
        hm_session_close(g->sessions);
    hm_refusal_flush(&g->refusals);
    hm_store_close(g->store);
    hm_core_link_free(g->core);
    struct event *events[] = {g->accept_ev, g->sweep_ev, g->store_ev, g->sync_ev, g->role_ev};
    for (size_t i = 0; i < HM_ARRAY_LEN(events); i++)
        if (events[i])
            event_free(events[i]);
    hm_chain_free(g->chain);
    hm_map_free(g->by_id);
    hm_map_free(g->by_endpoint);
    SSL_CTX_free(g->tls);
    hm_buf_done(&g->raw);
    if (g->base)
        event_base_free(g->base);
}

int hm_gateway_main(int argc, char **argv)
{
    struct hm_role_boot boot;
    struct hm_error err = {0};
    struct hm_gateway *g = calloc(1, sizeof *g);

    (void)argc;
    (void)argv;
    if (!g)
        return 1;
    int r = hm_role_begin(HM_ROLE_GATEWAY, &boot, &err);
    if (!r)
        r = start(g, &boot, &err);
    if (r)
        hm_err("cannot start: %s", err.text[0] ? err.text : strerror(-r));
    else
        event_base_dispatch(g->base);
    stop(g);
    free(g);
    return r ? 1 : 0;
}
