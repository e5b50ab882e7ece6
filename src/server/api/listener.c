/* Where evhttp ends and calls begin: checks what the guard saw, copies what a call needs, hands it
 * to a pool, and puts the answer on the wire. Refuses to know what any route does. */
#include "base/log.h"
#include "server/api/api.h"
#include "server/api/conn.h"
#include "server/api/limits.h"
#include "server/api/stream.h"
#include "server/api/tls.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <strings.h>

struct hm_listener {
    struct hm_api *api;
    SSL_CTX *tls;
    struct hm_conns *conns;
    struct evhttp *http;
};

struct pending { /* a request whose call is being carried out */
    struct hm_listener *listener;
    struct evhttp_request *req;
    bool closed; /* the client went away; the request is ours to free */
};

static void on_closed(struct evhttp_connection *con, void *arg)
{
    struct pending *p = arg;

    (void)con;
    p->closed = true;
}

static enum hm_method method_of(struct evhttp_request *req)
{
    switch (evhttp_request_get_command(req)) {
    case EVHTTP_REQ_GET:
        return HM_GET;
    case EVHTTP_REQ_HEAD:
        return HM_HEAD;
    case EVHTTP_REQ_POST:
        return HM_POST;
    case EVHTTP_REQ_PATCH:
        return HM_PATCH;
    case EVHTTP_REQ_DELETE:
        return HM_DELETE;
    default:
        return HM_OTHER;
    }
}

/* The value of our cookie: 64 hex digits, nothing else is one. */
static const char *find_cookie(struct hm_call *c, const char *header)
{
    static const char name[] = "__Host-hinomi=";
    const char *p = header;

    while (p && *p) {
        p += strspn(p, "; \t");
        if (strncmp(p, name, sizeof name - 1) == 0) {
            p += sizeof name - 1;
            size_t n = strcspn(p, "; \t");
            if (n == 64 && strspn(p, "0123456789abcdef") >= 64)
                return hm_arena_strndup(c->arena, p, n);
        }
        p = strchr(p, ';');
    }
    return NULL;
}

static const char *find_bearer(struct hm_call *c, const char *header)
{
    size_t n;

    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return NULL;
    header += 7;
    n = strlen(header);
    return n && n < 128 ? hm_arena_strndup(c->arena, header, n) : "";
}

static bool copy_body(struct hm_call *c, struct evhttp_request *req)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    size_t len = evbuffer_get_length(in);
    char *body = hm_arena_alloc(c->arena, len + 1);

    if (!body)
        return false;
    c->body = hm_slice(body, len);
    return evbuffer_copyout(in, body, len) == (ev_ssize_t)len;
}

static void copy_headers(struct hm_call *c, struct evhttp_request *req)
{
    struct evkeyvalq *in = evhttp_request_get_input_headers(req);
    struct evhttp_connection *con = evhttp_request_get_connection(req);
    char *address = NULL;
    ev_uint16_t port;

    c->lang = hm_reply_language(evhttp_find_header(in, "Accept-Language"), &c->lang_said);
    c->cookie = find_cookie(c, evhttp_find_header(in, "Cookie"));
    c->bearer = find_bearer(c, evhttp_find_header(in, "Authorization"));
    c->csrf = hm_call_copy(c, evhttp_find_header(in, "X-CSRF-Token"));
    c->origin = hm_call_copy(c, evhttp_find_header(in, "Origin"));
    c->host = hm_call_copy(c, evhttp_find_header(in, "Host"));
    c->content_type = hm_call_copy(c, evhttp_find_header(in, "Content-Type"));
    c->last_event_id = hm_call_copy(c, evhttp_find_header(in, "Last-Event-ID"));
    if (con)
        evhttp_connection_get_peer(con, &address, &port);
    c->address = hm_call_copy(c, address ? address : "");
}

/* Decoded once, here; a ".." or an empty segment is nobody's honest path. */
static const char *clean_path(struct hm_call *c, const char *raw)
{
    char *path = raw && *raw == '/' ? hm_args_unescape(hm_slice_str(raw), false, c->arena) : NULL;

    if (!path || strchr(path, '\\') || strstr(path, "//"))
        return NULL;
    for (const char *p = path; (p = strstr(p, "/.")); p++)
        if (p[2] == '/' || p[2] == 0 || (p[2] == '.' && (p[3] == '/' || p[3] == 0)))
            return NULL;
    return path;
}

static struct hm_call *call_of(struct evhttp_request *req)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    struct hm_call *c = uri ? hm_call_new() : NULL;

    if (!c)
        return NULL;
    c->method = method_of(req);
    c->path = clean_path(c, evhttp_uri_get_path(uri));
    c->query = hm_call_copy(c, evhttp_uri_get_query(uri));
    copy_headers(c, req);
    if (c->path && copy_body(c, req))
        return c;
    hm_call_free(c);
    return NULL;
}

/* Answer and forget. */
static void finish(struct evhttp_request *req, struct hm_call *c)
{
    hm_reply_call(req, c);
    hm_call_free(c);
}

static void submit(struct hm_listener *l, struct evhttp_request *req, struct hm_call *c)
{
    struct pending *p = calloc(1, sizeof *p);

    if (p)
        *p = (struct pending){l, req, false};
    if (!p || hm_pools_put(l->api->pools, c, p) < 0) {
        free(p);
        c->retry_after_s = 2;
        hm_call_problem(c, HM_P_BUSY, NULL, NULL);
        return finish(req, c);
    }
    evhttp_connection_set_closecb(evhttp_request_get_connection(req), on_closed, p);
}

static bool is_api(const char *path)
{
    return strncmp(path, "/api/v1/", 8) == 0 && strcmp(path, "/api/v1/openapi.yaml") != 0;
}

static void refuse(struct evhttp_request *req, enum hm_problem_id id)
{
    const char *lang = evhttp_find_header(evhttp_request_get_input_headers(req), "Accept-Language");

    evhttp_add_header(evhttp_request_get_output_headers(req), "Connection", "close");
    hm_reply_problem(req, id, hm_reply_language(lang, NULL));
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct hm_listener *l = arg;
    struct evhttp_connection *con = evhttp_request_get_connection(req);
    const struct hm_guard *g = hm_conns_guard(evhttp_connection_get_bufferevent(con));
    struct hm_call *c;

    hm_conn_deadline(req, 0); /* ours to answer now; a worker has limits of its own */
    if (!g || g->state == HM_GUARD_BAD)
        return refuse(req, g ? hm_problem_by_status(g->status) : HM_P_BAD_REQUEST);
    if (!(c = call_of(req)))
        return refuse(req, HM_P_BAD_REQUEST);
    if (is_api(c->path)) {
        if (c->method == HM_HEAD)
            c->method = HM_GET;
        if (hm_route_find(c))
            return submit(l, req, c);
        return finish(req, c);
    }
    if (c->method != HM_GET && c->method != HM_HEAD) {
        c->allow = "GET, HEAD";
        hm_call_problem(c, HM_P_METHOD, NULL, NULL);
        return finish(req, c);
    }
    hm_files_serve(l->api, req, c->path, c->lang);
    hm_call_free(c);
}

/* HEAD on a stream would wait for ever: it gets the headers of an empty answer. */
void hm_listener_done(void *ctx, struct hm_call *c, void *tag)
{
    struct hm_api *api = ctx;
    struct pending *p = tag;
    struct evhttp_request *req = p->req;
    bool closed = p->closed;

    if (!closed)
        evhttp_connection_set_closecb(evhttp_request_get_connection(req), NULL, NULL);
    free(p);
    if (c->poke)
        api->poke(api, c->poke);
    if (c->end_streams_of)
        hm_streams_end(api->streams, c->who.tenant, c->end_streams_of);
    if (closed) {
        evhttp_request_free(req);
        hm_call_free(c);
        return;
    }
    if (c->stream && evhttp_request_get_command(req) == EVHTTP_REQ_GET) {
        int r = hm_streams_add(api->streams, req, c);
        if (r == 0)
            return hm_call_free(c);
        c->retry_after_s = 10;
        hm_call_problem(c, HM_P_BUSY, NULL, NULL);
    }
    finish(req, c);
}

static int start_http(struct hm_listener *l, int fd, struct hm_error *err)
{
    struct evconnlistener *con;
    int one = 1;

    l->http = evhttp_new(l->api->base);
    l->conns = hm_conns_new(l->api->base, l->tls);
    if (!l->http || !l->conns)
        return hm_fail(err, -ENOMEM, "out of memory");
    evhttp_set_max_headers_size(l->http, HM_API_HEAD_MAX);
    evhttp_set_max_body_size(l->http, HM_API_BODY_MAX);
    evhttp_set_timeout(l->http, 24 * 3600); /* conn.c has finer clocks */
    evhttp_set_allowed_methods(l->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
                                            EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE | EVHTTP_REQ_PUT |
                                            EVHTTP_REQ_OPTIONS);
    evhttp_set_bevcb(l->http, hm_conns_accept, l->conns);
    evhttp_set_gencb(l->http, on_request, l);
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0) /* inherited */
        hm_debug("TCP_NODELAY: %s", strerror(errno));
    con = evconnlistener_new(l->api->base, NULL, NULL,
                             LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (!con || !evhttp_bind_listener(l->http, con))
        return hm_fail(err, -EINVAL, "cannot listen");
    hm_conns_watch(l->conns, con);
    return 0;
}

int hm_listener_new(struct hm_api *api, int listen_fd, const struct hm_listener_keys *keys,
                    struct hm_listener **ret_l, struct hm_error *err)
{
    struct hm_listener *l = calloc(1, sizeof *l);
    int r;

    if (!l)
        return hm_fail(err, -ENOMEM, "out of memory");
    l->api = api;
    r = hm_api_tls(keys->key_pem, keys->cert_pem, &l->tls, api->shared.ca_sha256, err);
    if (!r)
        r = start_http(l, listen_fd, err);
    if (r) {
        hm_listener_free(l);
        return r;
    }
    *ret_l = l;
    return 0;
}

void hm_listener_free(struct hm_listener *l)
{
    if (!l)
        return;
    if (l->conns)
        hm_conns_watch(l->conns, NULL);
    if (l->http)
        evhttp_free(l->http);
    hm_conns_free(l->conns);
    SSL_CTX_free(l->tls);
    free(l);
}
