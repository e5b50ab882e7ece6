/* A peer's connection: bytes in, frames out of them, bytes out, and its clocks. Owns descriptors,
 * buffers and time-outs; what a message means is handle.c's. */
#include "server/gateway/gateway.h"

#include "server/messages.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/socket.h>

#define SECOND_NS UINT64_C(1000000000)

static void on_io(evutil_socket_t fd, short what, void *arg);

/* ---- life ---- */

static uint64_t endpoint_key(const struct hm_gateway *g, const uint8_t endpoint[16])
{
    return hm_hash64(endpoint, 16, g->endpoint_seed);
}

void hm_session_list(struct hm_session *s)
{
    struct hm_session **head = hm_map_put(s->g->by_endpoint, endpoint_key(s->g, s->endpoint), NULL);
    if (!head)
        return; /* the map holds as many as there may be sessions */
    s->same_next = *head;
    *head = s;
    s->listed = true;
}

static void unlist(struct hm_session *s)
{
    uint64_t key = endpoint_key(s->g, s->endpoint);
    struct hm_session **head = hm_map_get(s->g->by_endpoint, key);

    for (struct hm_session **p = head; p && *p; p = &(*p)->same_next)
        if (*p == s) {
            *p = s->same_next;
            break;
        }
    if (head && !*head)
        hm_map_remove(s->g->by_endpoint, key);
    s->listed = false;
}

struct hm_session *hm_session_of(struct hm_gateway *g, const uint8_t endpoint[16],
                                 struct hm_session *after)
{
    struct hm_session **head = hm_map_get(g->by_endpoint, endpoint_key(g, endpoint));
    struct hm_session *s = after ? after->same_next : head ? *head : NULL;

    while (s && memcmp(s->endpoint, endpoint, 16) != 0)
        s = s->same_next;
    return s;
}

static struct hm_session *session_new(struct hm_gateway *g, int fd, const char *peer)
{
    struct hm_session *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->g = g;
    s->fd = fd;
    s->id = ++g->next_id;
    s->handshake_refusal = -1;
    s->in = HM_BUF(HM_FRAME_MAX + HM_GATEWAY_READ_BYTES + 64);
    s->out = HM_BUF(HM_GATEWAY_OUT_MAX);
    s->hello = HM_BUF(HM_GATEWAY_FIRST_FRAME_MAX);
    s->time = HM_BUF(HM_GATEWAY_FIRST_FRAME_MAX);
    snprintf(s->peer, sizeof s->peer, "%s", peer);
    s->ssl = SSL_new(g->tls);
    struct hm_session **slot = s->ssl ? hm_map_put(g->by_id, s->id, NULL) : NULL;
    if (!slot || !SSL_set_fd(s->ssl, fd)) {
        SSL_free(s->ssl);
        free(s);
        return NULL;
    }
    *slot = s;
    SSL_set_app_data(s->ssl, s);
    SSL_set_accept_state(s->ssl);
    s->next = g->sessions;
    if (s->next)
        s->next->prev = s;
    g->sessions = s;
    g->session_count++;
    return s;
}

static void say_disconnect(struct hm_session *s)
{
    struct hm_msg_gw_disconnect m = {.endpoint = hm_slice(s->endpoint, 16)};

    if (s->state == HM_SESSION_OPEN || s->state == HM_SESSION_SYNC || s->welcomed)
        if (!hm_session_of(s->g, s->endpoint, NULL)) /* a newer one may have taken over */
            hm_core_send(s->g->core, &hm_desc_gw_disconnect, &m);
}

void hm_session_close(struct hm_session *s)
{
    struct hm_gateway *g = s->g;

    if (s->state == HM_SESSION_HANDSHAKE)
        g->handshake_count--;
    if (s->listed)
        unlist(s);
    hm_ack_forget(s);
    say_disconnect(s);
    if (event_initialized(&s->ev))
        event_del(&s->ev);
    hm_map_remove(g->by_id, s->id);
    if (s->prev)
        s->prev->next = s->next;
    else
        g->sessions = s->next;
    if (s->next)
        s->next->prev = s->prev;
    g->session_count--;
    g->buffered -= s->in.len;
    SSL_free(s->ssl);
    close(s->fd);
    hm_buf_done(&s->in);
    hm_buf_done(&s->out);
    hm_buf_done(&s->hello);
    hm_buf_done(&s->time);
    free(s);
}

void hm_session_refuse(struct hm_session *s, enum hm_refusal why, const char *detail)
{
    hm_refusal_note(&s->g->refusals, why, s->peer, detail);
    hm_session_close(s);
}

void hm_session_set_state(struct hm_session *s, enum hm_session_state state)
{
    if (s->state == HM_SESSION_HANDSHAKE && state != HM_SESSION_HANDSHAKE)
        s->g->handshake_count--;
    hm_debug("session %llu %s: state %d to %d", (unsigned long long)s->id, s->peer, (int)s->state,
             (int)state);
    s->state = state;
    s->state_ns = hm_clock_mono_ns();
}

/* ---- out ---- */

static void set_interest(struct hm_session *s, short want)
{
    if (s->interest == want)
        return;
    event_del(&s->ev);
    event_assign(&s->ev, s->g->base, s->fd, (short)(want | EV_PERSIST), on_io, s);
    if (want)
        event_add(&s->ev, NULL);
    s->interest = want;
}

static void update_interest(struct hm_session *s)
{
    bool reading = !s->paused && s->state != HM_SESSION_CLOSING;
    set_interest(s, (short)((reading ? EV_READ : 0) | (s->out.len ? EV_WRITE : 0)));
}

/* 0: go on; -1: the session is gone. */
static int flush_out(struct hm_session *s)
{
    if (s->out.error)
        return 0;
    while (s->out_at < s->out.len) {
        ERR_clear_error();
        int n = SSL_write(s->ssl, s->out.data + s->out_at, (int)(s->out.len - s->out_at));
        if (n <= 0) {
            int e = SSL_get_error(s->ssl, n);
            if (e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ)
                return 0;
            hm_session_close(s);
            return -1;
        }
        s->out_at += (size_t)n;
        s->out_ns = hm_clock_mono_ns();
    }
    s->out_at = 0;
    s->out_ns = 0;
    hm_buf_done(&s->out); /* 12,000 idle peers hold no buffers */
    if (s->state == HM_SESSION_CLOSING) {
        SSL_shutdown(s->ssl);
        hm_session_close(s);
        return -1;
    }
    return 0;
}

/* Only queues: whoever sends may still use the session; the loop flushes. */
void hm_session_send(struct hm_session *s, const struct hm_msg_desc *d, const void *msg)
{
    size_t at = s->out.len;

    hm_frame_encode(d, msg, &s->out);
    if (!s->out_ns)
        s->out_ns = hm_clock_mono_ns();
    if (s->out.error) { /* a peer that does not read: the sweep ends it */
        s->out.len = at;
        s->out_ns = 1;
    } else {
        update_interest(s);
    }
}

void hm_session_pause(struct hm_session *s, bool paused)
{
    s->paused = paused;
    s->ping_ns = paused ? hm_clock_mono_ns() : 0;
    update_interest(s);
    if (!paused)
        event_active(&s->ev, EV_READ,
                     0); /* what is buffered already makes no descriptor readable */
}

/* ---- in ---- */

static size_t frame_ceiling(const struct hm_session *s)
{
    return s->state == HM_SESSION_OPEN ? HM_FRAME_MAX : HM_GATEWAY_FIRST_FRAME_MAX;
}

/* 1: a frame; 0: more bytes needed; -1: refused, the session is gone. */
static int peek(struct hm_session *s, struct hm_slice in, uint16_t *number,
                struct hm_slice *payload, size_t *used)
{
    struct hm_cursor c = hm_cursor(in);

    int r = hm_frame_peek(in, number, payload, used);
    if (r == -EMSGSIZE || (in.len >= 4 && hm_cursor_le32(&c) > frame_ceiling(s))) {
        hm_session_refuse(s, HM_REFUSAL_OVERSIZED, NULL);
        return -1;
    }
    if (r < 0)
        hm_session_refuse(s, HM_REFUSAL_MALFORMED, "frame header");
    return r < 0 ? -1 : r;
}

/* Handles whole frames at the start of in; returns bytes used, -1 when the session is gone. */
static ssize_t take_frames(struct hm_session *s, struct hm_slice in)
{
    size_t at = 0, used;
    uint16_t number;
    struct hm_slice payload;

    while (!s->paused) {
        int r = peek(s, hm_slice(in.p + at, in.len - at), &number, &payload, &used);
        if (r < 0)
            return -1;
        if (r == 0)
            break;
        enum hm_handled h = hm_session_handle(s, number, payload);
        if (h == HM_HANDLED_CLOSED)
            return -1;
        if (h == HM_HANDLED_LATER)
            break;
        at += used;
    }
    return (ssize_t)at;
}

static int keep_rest(struct hm_session *s, struct hm_slice rest)
{
    if (s->g->buffered + rest.len > HM_GATEWAY_BUFFERED_MAX) {
        hm_session_refuse(s, HM_REFUSAL_MEMORY, "half-received frames");
        return -1;
    }
    hm_buf_put(&s->in, rest.p, rest.len);
    if (s->in.error) {
        hm_session_refuse(s, HM_REFUSAL_MEMORY, "input buffer");
        return -1;
    }
    s->g->buffered += rest.len;
    return 0;
}

static int drain_buffer(struct hm_session *s)
{
    ssize_t used = take_frames(s, hm_buf_slice(&s->in));
    if (used < 0)
        return -1;
    if (used > 0) {
        memmove(s->in.data, s->in.data + used, s->in.len - (size_t)used);
        s->in.len -= (size_t)used;
        s->g->buffered -= (size_t)used;
        s->frame_ns = 0; /* a new frame, a new clock */
    }
    if (s->in.len == 0)
        hm_buf_done(&s->in);
    return 0;
}

static int feed(struct hm_session *s, struct hm_slice data)
{
    ssize_t used = 0;

    if (s->in.len == 0 && (used = take_frames(s, data)) < 0)
        return -1;
    if ((size_t)used < data.len) {
        bool first = s->in.len == 0;
        if (keep_rest(s, hm_slice(data.p + used, data.len - (size_t)used)) ||
            (!first && drain_buffer(s)))
            return -1;
    }
    if (s->in.len == 0)
        s->frame_ns = 0;
    else if (!s->frame_ns)
        s->frame_ns = hm_clock_mono_ns();
    return 0;
}

static int end_of_input(struct hm_session *s, int n)
{
    int e = SSL_get_error(s->ssl, n);

    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
        return 0;
    if (e == SSL_ERROR_SSL)
        hm_session_refuse(s, HM_REFUSAL_MALFORMED, "broken TLS record");
    else
        hm_session_close(s); /* the peer went away: nothing to say */
    return -1;
}

static int read_some(struct hm_session *s)
{
    struct hm_gateway *g = s->g;

    if (s->in.len && drain_buffer(s))
        return -1;
    for (int i = 0; i < HM_GATEWAY_READS_A_TURN && !s->paused && s->state != HM_SESSION_CLOSING;
         i++) {
        ERR_clear_error();
        int n = SSL_read(s->ssl, g->scratch, sizeof g->scratch);
        if (n <= 0)
            return end_of_input(s, n);
        s->rx_ns = hm_clock_mono_ns();
        if (feed(s, hm_slice(g->scratch, (size_t)n)))
            return -1;
    }
    if (!s->paused && SSL_pending(s->ssl) > 0)
        event_active(&s->ev, EV_READ, 0);
    return 0;
}

/* ---- handshake ---- */

static int shake(struct hm_session *s)
{
    ERR_clear_error();
    int n = SSL_do_handshake(s->ssl);
    if (n == 1) {
        s->rx_ns = hm_clock_mono_ns();
        hm_session_set_state(s, HM_SESSION_FIRST);
        return hm_session_identify(s);
    }
    int e = SSL_get_error(s->ssl, n);
    if (e == SSL_ERROR_WANT_READ) {
        set_interest(s, EV_READ);
        return 0;
    }
    if (e == SSL_ERROR_WANT_WRITE) {
        set_interest(s, EV_READ | EV_WRITE);
        return 0;
    }
    unsigned long code = ERR_peek_error();
    enum hm_refusal why = s->handshake_refusal >= 0 ? (enum hm_refusal)s->handshake_refusal
                          : ERR_GET_REASON(code) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE
                              ? HM_REFUSAL_NO_CERT
                              : HM_REFUSAL_HANDSHAKE;
    hm_session_refuse(s, why, code ? ERR_reason_error_string(code) : "connection closed");
    return -1;
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    struct hm_session *s = arg;

    (void)fd;
    if (s->state == HM_SESSION_HANDSHAKE) {
        if (shake(s))
            return;
        if (s->state == HM_SESSION_HANDSHAKE)
            return;
    } else if ((what & EV_READ) && read_some(s)) {
        return;
    }
    if (flush_out(s) == 0)
        update_interest(s);
}

void hm_session_accept(struct hm_gateway *g, int fd, const char *peer)
{
    int on = 1;
    struct hm_session *s = NULL;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (g->session_count < HM_GATEWAY_SESSIONS_MAX)
        s = session_new(g, fd, peer);
    if (!s) {
        hm_refusal_note(&g->refusals, HM_REFUSAL_MEMORY, peer, "too many connections");
        close(fd);
        return;
    }
    s->state_ns = hm_clock_mono_ns();
    g->handshake_count++;
    s->interest = EV_READ;
    event_assign(&s->ev, g->base, fd, EV_READ | EV_PERSIST, on_io, s);
    event_add(&s->ev, NULL);
}

/* ---- clocks ---- */

static bool older(uint64_t since_ns, uint64_t now_ns, uint64_t seconds)
{
    return since_ns && now_ns > since_ns && now_ns - since_ns > seconds * SECOND_NS;
}

static const char *overdue(const struct hm_session *s, uint64_t now)
{
    static const struct {
        uint64_t seconds;
        const char *what;
    } by_state[] = {
        [HM_SESSION_HANDSHAKE] = {HM_GATEWAY_HANDSHAKE_S, "handshake"},
        [HM_SESSION_FIRST] = {HM_GATEWAY_HELLO_S, "first message"},
        [HM_SESSION_CORE] = {HM_GATEWAY_CORE_S, "admission"},
        [HM_SESSION_SYNC] = {HM_GATEWAY_CORE_S, "welcome"},
        [HM_SESSION_CLOSING] = {HM_GATEWAY_HELLO_S, "goodbye"},
        [HM_SESSION_OPEN] = {UINT32_MAX, ""},
    };
    bool busy = s->state == HM_SESSION_HANDSHAKE &&
                s->g->handshake_count >= HM_GATEWAY_HANDSHAKES_MAX; /* silence shuts nobody out */
    if (older(s->state_ns, now, busy ? HM_GATEWAY_HANDSHAKE_BUSY_S : by_state[s->state].seconds))
        return by_state[s->state].what;
    if (s->out_ns == 1 || older(s->out_ns, now, HM_GATEWAY_WRITE_S))
        return "does not read";
    if (s->paused)
        return NULL; /* it is we who do not read */
    if (older(s->frame_ns, now, HM_GATEWAY_FRAME_S))
        return "unfinished frame";
    return older(s->rx_ns, now, HM_GATEWAY_IDLE_S) ? "silent" : NULL;
}

void hm_session_sweep(struct hm_gateway *g, uint64_t now_ns)
{
    struct hm_session *next;

    for (struct hm_session *s = g->sessions; s; s = next) {
        next = s->next;
        const char *what = overdue(s, now_ns);
        if (what) {
            hm_session_refuse(s, HM_REFUSAL_SLOW, what);
            continue;
        }
        if (s->paused && older(s->ping_ns, now_ns, HM_GATEWAY_FULL_PING_S)) {
            struct hm_msg_ping ping = {.id = 1};
            s->ping_ns = now_ns;
            hm_session_send(s, &hm_desc_ping, &ping);
        }
    }
}
