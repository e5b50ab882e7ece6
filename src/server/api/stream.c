/* See stream.h. */
#include "server/api/stream.h"
#include "base/clock.h"
#include "event/event.h"
#include "server/api/limits.h"
#include "server/api/tail.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#define REPLAY_RECORDS                                                                             \
    50 /* for Last-Event-ID; older ones are counted, the console asks for them                     \
        */

struct client {
    struct hm_streams *all;
    struct client *next, **at;
    struct evhttp_request *req;
    enum hm_stream_kind kind;
    struct hm_stream_filter filter;
    char tenant[HM_TENANT_MAX], user[65], q[260];
    uint64_t began_s, full_since_s, left_out;
    bool ended;
};

struct hm_streams {
    struct hm_api *api;
    struct client *clients;
    size_t count, event_clients;
    struct event *beat;
};

static uint64_t now_s(void)
{
    return hm_clock_mono_ns() / 1000000000u;
}

static void unlink_client(struct client *c)
{
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    c->all->count--;
    c->all->event_clients -= c->kind == HM_STREAM_EVENTS;
    free(c);
}

static void on_closed(struct evhttp_connection *con, void *arg)
{
    struct client *c = arg;

    (void)con;
    evhttp_request_free(c->req); /* detached from its connection by now */
    unlink_client(c);
}

/* Ends in order: the client sees the end of the stream and comes again. */
static void end_client(struct client *c)
{
    evhttp_connection_set_closecb(evhttp_request_get_connection(c->req), NULL, NULL);
    hm_conn_deadline(c->req, HM_API_IDLE_SECONDS);
    evhttp_send_reply_end(c->req);
    unlink_client(c);
}

static void send_slice(struct client *c, struct hm_slice s)
{
    struct evbuffer *b = evbuffer_new();

    if (!b)
        return;
    evbuffer_add(b, s.p, s.len);
    evhttp_send_reply_chunk(c->req, b);
    evbuffer_free(b);
}

static void send_text(struct client *c, const char *s)
{
    send_slice(c, hm_slice_str(s));
}

/* Room for more? A client that has been full for long is cut by the beat. */
static bool has_room(struct client *c)
{
    if (hm_conn_unread(c->req) < HM_API_STREAM_QUEUE) {
        c->full_since_s = 0;
        return true;
    }
    if (!c->full_since_s)
        c->full_since_s = now_s();
    c->left_out++;
    return false;
}

static void tell_left_out(struct client *c)
{
    char text[96];

    if (!c->left_out || hm_conn_unread(c->req) > HM_API_STREAM_QUEUE / 2)
        return;
    snprintf(text, sizeof text, "event: dropped\ndata: {\"count\":%" PRIu64 "}\n\n", c->left_out);
    c->left_out = 0;
    send_text(c, text);
}

/* ---- matching
 * -----------------------------------------------------------------------------------*/

static bool holds(struct hm_slice text, const char *q, size_t len)
{
    for (size_t i = 0; i + len <= text.len; i++)
        if (strncasecmp((const char *)text.p + i, q, len) == 0)
            return true;
    return false;
}

static bool holds_any(const struct hm_event *e, const char *q)
{
    size_t len = strlen(q);

    for (int f = 0; f < HM_FIELD_COUNT; f++) {
        if (!hm_event_has(e, (enum hm_field)f))
            continue;
        if (hm_fields[f].type == HM_TYPE_STR && holds(e->v[f].bytes, q, len))
            return true;
        if (hm_fields[f].type == HM_TYPE_IP) {
            struct hm_event one;
            hm_auto(hm_buf_done) struct hm_buf json = HM_BUF(4096);
            hm_event_clear(&one);
            hm_event_set(&one, (enum hm_field)f, e->v[f].bytes);
            hm_event_to_json(&one, &json);
            const uint8_t *colon = json.len ? memchr(json.data, ':', json.len) : NULL;
            if (colon && holds(hm_slice(colon, json.len - (size_t)(colon - json.data)), q, len))
                return true;
        }
    }
    return false;
}

bool hm_stream_match(const struct hm_stream_filter *f, const struct hm_event *e)
{
    struct hm_slice id = hm_event_str(e, HM_F_ENDPOINT);

    if (f->has_endpoint && !hm_slice_eq(id, hm_slice(f->endpoint, HM_ID_BYTES)))
        return false;
    if (f->class && hm_event_u64(e, HM_F_CLASS) != f->class)
        return false;
    return !f->q || !*f->q || holds_any(e, f->q);
}

/* ---- sending
 * ------------------------------------------------------------------------------------*/

static void write_event(struct hm_buf *out, const struct hm_event *e, uint64_t record,
                        uint64_t index)
{
    hm_buf_printf(out, "event: event\nid: %" PRIu64 ".%" PRIu64 "\ndata: ", record, index);
    hm_event_to_json(e, out);
    hm_buf_puts(out, "\n\n");
}

void hm_streams_event(struct hm_streams *s, struct hm_slice tenant, const struct hm_event *e,
                      uint64_t record, uint64_t index)
{
    hm_auto(hm_buf_done) struct hm_buf text = HM_BUF(4 * 1024 * 1024);

    for (struct client *c = s->clients, *next; c; c = next) {
        next = c->next;
        if (c->kind != HM_STREAM_EVENTS || c->ended ||
            !hm_slice_eq(tenant, hm_slice_str(c->tenant)) || !hm_stream_match(&c->filter, e) ||
            !has_room(c))
            continue;
        tell_left_out(c); /* before what comes after the gap */
        if (!text.len)
            write_event(&text, e, record, index);
        if (!text.error)
            send_slice(c, hm_buf_slice(&text));
    }
}

/* A client that misses a change would show something old for ever: it is ended and fetches anew. */
void hm_streams_changed(struct hm_streams *s, const char *tenant, const char *kind, const char *id)
{
    hm_auto(hm_buf_done) struct hm_buf text = HM_BUF(4096);
    struct hm_jw w = HM_JW(&text);

    hm_buf_puts(&text, "event: changed\ndata: ");
    hm_jw_obj(&w, NULL);
    hm_jw_str(&w, "kind", kind);
    hm_jw_str(&w, "id", id);
    hm_jw_end_obj(&w);
    hm_buf_puts(&text, "\n\n");
    for (struct client *c = s->clients, *next; c && !text.error; c = next) {
        next = c->next;
        if (c->kind != HM_STREAM_CHANGES || strcmp(c->tenant, tenant) != 0)
            continue;
        if (has_room(c))
            send_slice(c, hm_buf_slice(&text));
        else
            hm_conn_cut(c->req);
    }
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
    struct hm_streams *s = arg;
    uint64_t now = now_s();

    (void)fd;
    (void)what;
    for (struct client *c = s->clients, *next; c; c = next) {
        next = c->next;
        if (c->full_since_s && now - c->full_since_s >= HM_API_STREAM_STUCK_S)
            hm_conn_cut(c->req);
        else if (now - c->began_s >= HM_API_STREAM_LIFE_S)
            end_client(c);
        else if (hm_conn_unread(c->req) < HM_API_STREAM_QUEUE) {
            tell_left_out(c);
            send_text(c, ": beat\n\n");
        }
    }
}

struct hm_streams *hm_streams_new(struct hm_api *api)
{
    struct hm_streams *s = calloc(1, sizeof *s);
    struct timeval every = {.tv_sec = HM_API_STREAM_BEAT_S};

    if (!s)
        return NULL;
    s->api = api;
    s->beat = event_new(api->base, -1, EV_PERSIST, on_beat, s);
    if (!s->beat || event_add(s->beat, &every) < 0) {
        hm_streams_free(s);
        return NULL;
    }
    return s;
}

void hm_streams_free(struct hm_streams *s)
{
    if (!s)
        return;
    for (struct client *c = s->clients, *next; c; c = next) {
        next = c->next;
        end_client(c);
    }
    if (s->beat)
        event_free(s->beat);
    free(s);
}

void hm_streams_end(struct hm_streams *s, const char *tenant, const char *user)
{
    for (struct client *c = s->clients, *next; c; c = next) {
        next = c->next;
        if (strcmp(c->tenant, tenant) == 0 && strcmp(c->user, user) == 0)
            end_client(c);
    }
}

bool hm_streams_want_events(const struct hm_streams *s)
{
    return s->event_clients > 0;
}

static size_t streams_of(const struct hm_streams *s, const struct hm_who *who)
{
    size_t n = 0;

    for (const struct client *c = s->clients; c; c = c->next)
        n += strcmp(c->tenant, who->tenant) == 0 && strcmp(c->user, who->user) == 0;
    return n;
}

static struct client *new_client(struct hm_streams *s, struct evhttp_request *req,
                                 const struct hm_call *call)
{
    struct client *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    *c = (struct client){
        .all = s, .req = req, .kind = call->stream, .filter = call->filter, .began_s = now_s()};
    snprintf(c->tenant, sizeof c->tenant, "%s", call->who.tenant);
    snprintf(c->user, sizeof c->user, "%s", call->who.user);
    snprintf(c->q, sizeof c->q, "%s", call->filter.q ? call->filter.q : "");
    c->filter.q = c->q;
    c->next = s->clients;
    c->at = &s->clients;
    if (c->next)
        c->next->at = &c->next;
    s->clients = c;
    s->count++;
    s->event_clients += c->kind == HM_STREAM_EVENTS;
    return c;
}

static void replay_one(void *ctx, struct hm_slice tenant, const struct hm_event *e, uint64_t record,
                       uint64_t index)
{
    struct client *c = ctx;
    hm_auto(hm_buf_done) struct hm_buf text = HM_BUF(4 * 1024 * 1024);

    if (!hm_slice_eq(tenant, hm_slice_str(c->tenant)) || !hm_stream_match(&c->filter, e) ||
        !has_room(c))
        return;
    write_event(&text, e, record, index);
    if (!text.error)
        send_slice(c, hm_buf_slice(&text));
}

/* What came while the client was away. */
static void catch_up(struct client *c, const char *last_id)
{
    uint64_t record, index, skipped = 0;
    char text[96];

    if (!last_id || sscanf(last_id, "%19" SCNu64 ".%9" SCNu64, &record, &index) != 2)
        return;
    int r =
        hm_tail_replay(c->all->api->tail, record, index, REPLAY_RECORDS, replay_one, c, &skipped);
    if (r == 0 && skipped) {
        snprintf(text, sizeof text,
                 "event: dropped\ndata: {\"count\":0,\"records\":%" PRIu64 "}\n\n", skipped);
        send_text(c, text);
    }
}

int hm_streams_add(struct hm_streams *s, struct evhttp_request *req, struct hm_call *call)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(req);
    struct client *c;

    if (s->count >= HM_API_STREAMS_MAX || streams_of(s, &call->who) >= HM_API_STREAMS_PER_USER)
        return -EBUSY;
    if (!(c = new_client(s, req, call)))
        return -EBUSY;
    hm_reply_headers(req);
    evhttp_add_header(out, "Content-Type", "text/event-stream");
    evhttp_add_header(out, "Cache-Control", "no-store");
    evhttp_add_header(out, "X-Accel-Buffering", "no");
    evhttp_send_reply_start(req, 200, NULL);
    evhttp_connection_set_closecb(evhttp_request_get_connection(req), on_closed, c);
    send_text(c, "retry: 2000\n\nevent: hello\ndata: {}\n\n");
    if (c->kind == HM_STREAM_EVENTS)
        catch_up(c, call->last_event_id);
    return 0;
}
