/* The api at work: starts what the other files own, and speaks with supervisor and core. */
#include "base/clock.h"
#include "base/log.h"
#include "server/api/api.h"
#include "server/api/limits.h"
#include "server/api/main.h"
#include "server/api/stream.h"
#include "server/api/tail.h"
#include "server/messages.h"
#include "server/roles.h"
#include <errno.h>
#include <cjson/cJSON.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FD_LISTEN, FD_KEY, FD_CERT, FD_WWW, FD_PACKAGES, FD_RULES, FD_COUNT };

struct role {
    struct hm_api api;
    struct hm_buf in;
    int core;
    struct hm_outbox *to_core;
    struct event *supervisor_event, *core_event, *core_write;
};

static struct role *role_of(struct hm_api *api)
{
    return (struct role *)((char *)api - offsetof(struct role, api));
}

/* ---- core
 * ---------------------------------------------------------------------------------------*/

static void drop_core(struct role *r)
{
    if (r->core_event)
        event_free(r->core_event);
    if (r->core_write)
        event_free(r->core_write);
    if (r->core >= 0)
        close(r->core);
    r->core = -1;
    r->core_event = r->core_write = NULL;
}

static void flush_core(struct role *r)
{
    int n = r->core >= 0 ? hm_outbox_flush(r->to_core, r->core) : 0;

    if (n == 1)
        event_add(r->core_write, NULL);
    if (n < 0)
        drop_core(r);
}

/* core looks at its tables by itself now and then; a poke only makes it look at once. So nothing is
 * lost when it cannot be told. */
static void poke(struct hm_api *api, const char *table)
{
    struct role *r = role_of(api);
    struct hm_msg_poke m = {.table = hm_slice_str(table)};
    int e = hm_outbox_put(r->to_core, r->core, &hm_desc_poke, &m, NULL, 0);

    if (e)
        hm_warn("cannot tell core about %s: %s", table, strerror(-e));
    flush_core(r);
}

static void copy_text(struct hm_slice s, char *ret, size_t len)
{
    size_t n = s.len < len - 1 ? s.len : len - 1;

    if (n)
        memcpy(ret, s.p, n);
    ret[n] = 0;
}

/* Ids are raw bytes or hex text, whatever core holds; clients get hex. */
static void take_changed(struct role *r, struct hm_slice payload)
{
    struct hm_msg_changed m;
    char kind[32], id[80] = "", tenant[HM_TENANT_MAX];

    if (hm_msg_decode(&hm_desc_changed, payload, &m)) {
        hm_warn("core sent a malformed CHANGED");
        return;
    }
    copy_text(m.kind, kind, sizeof kind);
    copy_text(m.tenant, tenant, sizeof tenant);
    if (m.id.len == HM_ID_BYTES)
        for (size_t i = 0; i < HM_ID_BYTES; i++)
            snprintf(id + 2 * i, 3, "%02x", m.id.p[i]);
    else
        copy_text(m.id, id, sizeof id);
    hm_streams_changed(r->api.streams, tenant, kind, id);
}

static void on_core(evutil_socket_t fd, short what, void *arg)
{
    struct role *r = arg;
    struct hm_ipc_msg m;
    int n;

    (void)what;
    while ((n = hm_ipc_recv(fd, &r->in, &m)) == 1) {
        for (int i = 0; i < m.fd_count; i++)
            close(m.fds[i]);
        if (m.number == HM_MSG_CHANGED)
            take_changed(r, m.payload);
    }
    if (n < 0) {
        hm_warn("core: %s", strerror(-n));
        drop_core(r);
    }
}

static void on_core_write(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    flush_core(arg);
}

static void take_core(struct role *r, int fd)
{
    drop_core(r);
    r->core = fd;
    r->core_event = event_new(r->api.base, fd, EV_READ | EV_PERSIST, on_core, r);
    r->core_write = event_new(r->api.base, fd, EV_WRITE, on_core_write, r);
    if (!r->core_event || !r->core_write || event_add(r->core_event, NULL) < 0)
        drop_core(r);
    else
        flush_core(r);
}

/* ---- supervisor
 * -----------------------------------------------------------------------------------*/

static void on_supervisor(evutil_socket_t fd, short what, void *arg)
{
    struct role *r = arg;
    struct hm_ipc_msg m;
    struct hm_msg_peer peer;
    int n;

    (void)what;
    while ((n = hm_ipc_recv(fd, &r->in, &m)) == 1) {
        bool core = m.number == HM_MSG_PEER && m.fd_count == 1 &&
                    hm_msg_decode(&hm_desc_peer, m.payload, &peer) == 0 &&
                    hm_slice_eq(peer.role, hm_slice_str("core"));
        if (core)
            take_core(r, m.fds[0]);
        for (int i = 0; !core && i < m.fd_count; i++)
            close(m.fds[i]);
    }
    if (n < 0)
        event_base_loopbreak(r->api.base);
}

/* ---- start
 * ----------------------------------------------------------------------------------------*/

static int slurp(int fd, char *buf, size_t len)
{
    ssize_t n = read(fd, buf, len - 1);

    if (n <= 0)
        return n < 0 ? -errno : -ENOENT;
    buf[n] = 0;
    return 0;
}

/* Public keys of this server; without them no bundle is carried out. */
static void read_trust(struct hm_shared *s, const char *state)
{
    char path[4096], text[32 * 1024];

    snprintf(path, sizeof path, "%s/signer/trust.json", state);
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    cJSON *o = fd >= 0 && slurp(fd, text, sizeof text) == 0 ? cJSON_Parse(text) : NULL;
    const cJSON *root = cJSON_GetObjectItemCaseSensitive(o, "root_key"),
                *set = cJSON_GetObjectItemCaseSensitive(o, "key_set");
    if (cJSON_IsString(root) && cJSON_IsString(set))
        if (sodium_hex2bin(s->root_key, sizeof s->root_key, root->valuestring,
                           strlen(root->valuestring), NULL, &s->root_key_len, NULL) ||
            sodium_hex2bin(s->key_set, sizeof s->key_set, set->valuestring,
                           strlen(set->valuestring), NULL, &s->key_set_len, NULL))
            s->key_set_len = 0;
    cJSON_Delete(o);
}

static void set_shared(struct hm_shared *s, const struct hm_role_boot *b)
{
    const struct hm_server_config *c = &b->config;

    snprintf(s->database, sizeof s->database, "%s/core/control.db", c->state);
    snprintf(s->store, sizeof s->store, "%s/core/store", c->state);
    snprintf(s->content, sizeof s->content, "%s/core/content", c->state);
    read_trust(s, c->state);
    snprintf(s->journal, sizeof s->journal, "%s/gateway/journal", c->state);
    snprintf(s->public_host, sizeof s->public_host, "%s", c->public_host);
    snprintf(s->agents_listen, sizeof s->agents_listen, "%s", c->agents_listen);
    snprintf(s->console_listen, sizeof s->console_listen, "%s", c->console_listen);
    snprintf(s->language, sizeof s->language, "%.7s", c->language);
    s->www_fd = b->fds[FD_WWW];
    s->packages_fd = b->fds[FD_PACKAGES];
    s->rules_fd = b->fds[FD_RULES];
    s->started_ms = hm_clock_wall_ns() / 1000000;
    pthread_mutex_init(&s->lock, NULL);
}

static int start(struct role *r, struct hm_role_boot *b, struct hm_error *err)
{
    static char key[16 * 1024], cert[64 * 1024]; /* too large for a stack; wiped below */
    struct hm_listener_keys keys = {key, cert};
    struct hm_api *a = &r->api;
    int e;

    if (b->fd_count < FD_COUNT)
        return hm_fail(err, -EBADMSG, "ROLE_START with %d descriptors", b->fd_count);
    if (slurp(b->fds[FD_KEY], key, sizeof key) || slurp(b->fds[FD_CERT], cert, sizeof cert))
        return hm_fail(err, -ENOENT, "no TLS key or certificate: run `hinomi-server init`");
    close(b->fds[FD_KEY]);
    close(b->fds[FD_CERT]);
    set_shared(&a->shared, b);
    a->poke = poke;
    a->shared.limiter = hm_limiter_new();
    a->base = event_base_new();
    if (!a->shared.limiter || !a->base)
        return hm_fail(err, -ENOMEM, "out of memory");
    e = hm_listener_new(a, b->fds[FD_LISTEN], &keys, &a->listener, err);
    sodium_memzero(key, sizeof key);
    if (e)
        return e;
    a->streams = hm_streams_new(a);
    a->tail = hm_tail_new(a);
    r->to_core = hm_outbox_new(256, 64 * 1024);
    if (!a->streams || !a->tail || !r->to_core)
        return hm_fail(err, -ENOMEM, "out of memory");
    return hm_pools_new(a->base, &a->shared, hm_listener_done, a, &a->pools, err);
}

static void stop(struct role *r)
{
    struct hm_api *a = &r->api;

    hm_streams_free(a->streams);
    hm_pools_free(a->pools); /* before the listener: calls point to its requests */
    hm_tail_free(a->tail);
    hm_listener_free(a->listener);
    drop_core(r);
    if (r->supervisor_event)
        event_free(r->supervisor_event);
    if (a->base)
        event_base_free(a->base);
    hm_outbox_free(r->to_core);
    hm_limiter_free(a->shared.limiter);
    hm_rules_free(a->shared.rules);
    hm_buf_done(&r->in);
}

int hm_api_run(struct hm_role_boot *boot, int supervisor_fd, struct hm_error *err)
{
    struct role *r = calloc(1, sizeof *r);
    int e;

    if (!r)
        return hm_fail(err, -ENOMEM, "out of memory");
    r->core = -1;
    r->in = HM_BUF(HM_IPC_MAX_BYTES);
    e = start(r, boot, err);
    if (!e) {
        r->supervisor_event =
            event_new(r->api.base, supervisor_fd, EV_READ | EV_PERSIST, on_supervisor, r);
        if (!r->supervisor_event || event_add(r->supervisor_event, NULL) < 0)
            e = hm_fail(err, -ENOMEM, "out of memory");
    }
    if (!e) {
        hm_info("console and API on %s", r->api.shared.console_listen);
        event_base_dispatch(r->api.base);
    }
    stop(r);
    free(r);
    return e;
}
