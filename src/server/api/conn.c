/* See conn.h. A connection lives exactly as long as its SSL: OpenSSL's ex_data frees it, whoever
 * ends the connection. */
#include "server/api/conn.h"
#include "base/log.h"
#include "server/api/api.h"
#include "server/api/limits.h"
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <sys/queue.h>
#include <sys/socket.h>

struct conn;
TAILQ_HEAD(conn_list, conn);

struct hm_conns {
    struct event_base *base;
    SSL_CTX *tls;
    struct evconnlistener *listener;
    size_t count;
    bool resting;
    bool orphaned;            /* its owner is gone; the last connection frees it */
    struct conn_list waiting; /* the clock runs: we wait for the client; longest first */
};

struct conn {
    TAILQ_ENTRY(conn) at;
    bool is_waiting;
    struct hm_conns *all;
    struct hm_guard guard;
    struct bufferevent *bev;
    struct event *clock;
    uint64_t requests; /* seen by the clock */
};

static int ex_index = -1; /* OpenSSL hands these out a process; set once */

static void cut_bev(struct bufferevent *bev)
{
    evutil_socket_t fd = bufferevent_getfd(bev);

    if (fd >= 0)
        shutdown(fd, SHUT_RDWR); /* evhttp sees the end and cleans up in its own order */
}

static void on_clock(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;

    (void)fd;
    (void)what;
    cut_bev(c->bev);
}

static void set_waiting(struct conn *c, bool waiting)
{
    if (c->is_waiting)
        TAILQ_REMOVE(&c->all->waiting, c, at);
    if (waiting)
        TAILQ_INSERT_TAIL(&c->all->waiting, c, at);
    c->is_waiting = waiting;
}

static void set_clock(struct conn *c, unsigned seconds)
{
    struct timeval tv = {.tv_sec = seconds};

    event_del(c->clock);
    if (seconds)
        event_add(c->clock, &tv);
    set_waiting(c, seconds != 0);
}

/* libevent frees a connection's SSL when its loop gets to it: that may be after the listener. */
static void release(struct hm_conns *all)
{
    if (all->orphaned && all->count == 0)
        free(all);
}

static void conn_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
    struct conn *c = ptr;

    (void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
    if (!c)
        return;
    if (c->clock)
        event_free(c->clock);
    hm_guard_done(&c->guard);
    set_waiting(c, false);
    c->all->count--;
    if (c->all->resting && c->all->listener) {
        c->all->resting = false;
        evconnlistener_enable(c->all->listener);
    }
    release(c->all);
    free(c);
}

struct hm_conns *hm_conns_new(struct event_base *base, SSL_CTX *tls)
{
    struct hm_conns *c = calloc(1, sizeof *c);

    if (ex_index < 0)
        ex_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, conn_free);
    if (!c || ex_index < 0) {
        free(c);
        return NULL;
    }
    *c = (struct hm_conns){.base = base, .tls = tls};
    TAILQ_INIT(&c->waiting);
    return c;
}

void hm_conns_free(struct hm_conns *c)
{
    if (!c)
        return;
    c->orphaned = true;
    c->listener = NULL;
    release(c);
}

void hm_conns_watch(struct hm_conns *c, struct evconnlistener *l)
{
    c->listener = l;
}

size_t hm_conns_count(const struct hm_conns *c)
{
    return c->count;
}

static struct conn *conn_of(struct bufferevent *bev)
{
    SSL *ssl = bev ? bufferevent_openssl_get_ssl(bev) : NULL;

    return ssl ? SSL_get_ex_data(ssl, ex_index) : NULL;
}

/* Runs before evhttp reads the same bytes. */
static void on_input(struct evbuffer *buf, const struct evbuffer_cb_info *info, void *arg)
{
    struct conn *c = arg;
    struct evbuffer_ptr at;
    struct evbuffer_iovec v[8];
    size_t left = info->n_added;

    if (!left || evbuffer_ptr_set(buf, &at, info->orig_size, EVBUFFER_PTR_SET) < 0)
        return;
    while (left) {
        int n = evbuffer_peek(buf, (ev_ssize_t)left, &at, v, HM_ARRAY_LEN(v));
        size_t seen = 0;
        for (int i = 0; i < n && i < (int)HM_ARRAY_LEN(v) && seen < left; i++) {
            size_t len = v[i].iov_len < left - seen ? v[i].iov_len : left - seen;
            hm_guard_feed(&c->guard, hm_slice(v[i].iov_base, len));
            seen += len;
        }
        if (!seen)
            break;
        left -= seen;
        if (left && evbuffer_ptr_set(buf, &at, seen, EVBUFFER_PTR_ADD) < 0)
            break;
    }
    if (c->guard.state == HM_GUARD_BAD)
        set_clock(c, 2); /* long enough to send the refusal */
    else if (!hm_guard_idle(&c->guard) && c->requests != c->guard.requests + 1) {
        c->requests = c->guard.requests + 1; /* the next request has begun */
        set_clock(c, HM_API_REQUEST_SECONDS);
    }
    if (evbuffer_get_length(buf) > 2 * (HM_API_BODY_MAX + HM_API_HEAD_MAX))
        cut_bev(c->bev); /* pipelines without reading the answers */
}

/* Full: whoever kept us waiting longest goes, so that silent connections cannot shut others out.
 * Until it is gone the listener rests. */
static void make_room(struct hm_conns *all)
{
    struct conn *longest = TAILQ_FIRST(&all->waiting);

    all->resting = true;
    evconnlistener_disable(all->listener);
    if (longest && longest->bev)
        cut_bev(longest->bev);
}

struct bufferevent *hm_conns_accept(struct event_base *base, void *conns)
{
    struct hm_conns *all = conns;
    struct conn *c = calloc(1, sizeof *c);
    SSL *ssl = SSL_new(all->tls);

    if (!c || !ssl || SSL_set_ex_data(ssl, ex_index, c) != 1) {
        hm_err("out of memory");
        abort(); /* NULL would make evhttp speak plain HTTP */
    }
    c->all = all;
    hm_guard_init(&c->guard);
    all->count++;
    c->bev = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                            BEV_OPT_CLOSE_ON_FREE);
    c->clock = evtimer_new(base, on_clock, c);
    if (!c->bev || !c->clock || !evbuffer_add_cb(bufferevent_get_input(c->bev), on_input, c)) {
        hm_err("out of memory");
        abort();
    }
    bufferevent_openssl_set_allow_dirty_shutdown(c->bev, 1);
    set_clock(c, HM_API_REQUEST_SECONDS);
    if (all->count >= HM_API_CONNECTIONS_MAX && all->listener)
        make_room(all);
    return c->bev;
}

const struct hm_guard *hm_conns_guard(struct bufferevent *bev)
{
    struct conn *c = conn_of(bev);

    return c ? &c->guard : NULL;
}

static struct bufferevent *bev_of(struct evhttp_request *req)
{
    struct evhttp_connection *con = evhttp_request_get_connection(req);

    return con ? evhttp_connection_get_bufferevent(con) : NULL;
}

void hm_conn_deadline(struct evhttp_request *req, unsigned seconds)
{
    struct conn *c = conn_of(bev_of(req));

    if (c)
        set_clock(c, seconds);
}

size_t hm_conn_unread(struct evhttp_request *req)
{
    struct bufferevent *bev = bev_of(req);

    return bev ? evbuffer_get_length(bufferevent_get_output(bev)) : 0;
}

void hm_conn_cut(struct evhttp_request *req)
{
    struct bufferevent *bev = bev_of(req);

    if (bev)
        cut_bev(bev);
}
