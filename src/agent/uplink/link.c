/* Owns the connection's life. See link.h for what it refuses to know. */
#include "agent/uplink/link.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>

#define MS_NS     UINT64_C(1000000)
#define SECOND_NS UINT64_C(1000000000)

void hm_link_init(struct hm_link *l, SSL_CTX *tls, const char *server,
                  const struct hm_link_ops *ops)
{
    *l = (struct hm_link){.tls = tls, .server = server, .ops = *ops, .fd = -1};
    l->in = HM_BUF(HM_UPLINK_IN_MAX);
    l->out = HM_BUF(HM_UPLINK_OUT_MAX);
}

void hm_link_done(struct hm_link *l)
{
    hm_link_close(l, NULL, 0);
    hm_buf_done(&l->in);
    hm_buf_done(&l->out);
}

static void set_state(struct hm_link *l, enum hm_link_state state)
{
    hm_debug("link: state %d to %d", (int)l->state, (int)state);
    l->state = state;
    l->since_ns = hm_clock_mono_ns();
}

/* Full jitter: anywhere below the doubled limit, so that a fleet spreads by itself. */
static uint32_t backoff_ms(struct hm_link *l)
{
    uint32_t limit = HM_UPLINK_BACKOFF_FIRST_MS, random;

    for (uint32_t i = 0; i < l->tries && limit < HM_UPLINK_BACKOFF_MAX_MS; i++)
        limit *= 2;
    if (limit > HM_UPLINK_BACKOFF_MAX_MS)
        limit = HM_UPLINK_BACKOFF_MAX_MS;
    l->tries++;
    return hm_random(&random, sizeof random) ? limit : 50 + random % limit;
}

void hm_link_close(struct hm_link *l, const char *why, uint32_t delay_ms)
{
    bool was_up = l->state == HM_LINK_UP;

    if (why && !l->down_said) {
        hm_warn("%s: %s; trying again", l->server, why);
        l->down_said = true;
    }
    if (was_up)
        SSL_shutdown(l->ssl); /* one try: so that the server need not call it a broken record */
    SSL_free(l->ssl);
    l->ssl = NULL;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    hm_buf_done(&l->in);
    hm_buf_done(&l->out);
    l->out_at = 0;
    l->retry_ns = hm_clock_mono_ns() + (delay_ms == UINT32_MAX ? backoff_ms(l) : delay_ms) * MS_NS;
    set_state(l, HM_LINK_IDLE);
    if (was_up)
        l->ops.down(l->ops.ctx);
}

void hm_link_welcomed(struct hm_link *l)
{
    l->tries = 0;
    if (l->down_said)
        hm_info("%s: connected", l->server);
    l->down_said = false;
}

/* ---- connecting ---- */

static void connect_next(struct hm_link *l)
{
    int on = 1;

    while (l->addr_at < l->addrs.n) {
        const struct sockaddr *a = (const void *)&l->addrs.v[l->addr_at++];
        socklen_t len =
            a->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        l->fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (l->fd < 0)
            continue;
        setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (connect(l->fd, a, len) == 0 || errno == EINPROGRESS) {
            set_state(l, HM_LINK_CONNECT);
            return;
        }
        close(l->fd);
        l->fd = -1;
    }
    hm_link_close(l, strerror(errno), UINT32_MAX);
}

static void begin(struct hm_link *l)
{
    l->addr_at = 0;
    int r = hm_resolve_begin(l->server, &l->addrs, &l->fd);
    if (r == 1)
        set_state(l, HM_LINK_RESOLVE);
    else if (r == 0)
        connect_next(l);
    else
        hm_link_close(l, "not HOST:PORT", HM_UPLINK_BACKOFF_MAX_MS);
}

static void resolved(struct hm_link *l)
{
    int r = hm_resolve_take(l->fd, &l->addrs);

    close(l->fd);
    l->fd = -1;
    if (r && l->addrs.n == 0)
        hm_link_close(l, "no such host", UINT32_MAX);
    else
        connect_next(l); /* an isolated endpoint may have no resolver: the last addresses serve */
}

static void connected(struct hm_link *l)
{
    int e = 0;
    socklen_t len = sizeof e;

    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
        e = errno;
    if (e) {
        close(l->fd);
        l->fd = -1;
        errno = e;
        connect_next(l);
        return;
    }
    l->ssl = hm_tls_connect(l->tls, l->fd, HM_ALPN_AGENT);
    if (!l->ssl)
        hm_link_close(l, "out of memory", UINT32_MAX);
    else
        set_state(l, HM_LINK_SHAKE);
}

static void shake(struct hm_link *l)
{
    ERR_clear_error();
    int n = SSL_do_handshake(l->ssl);
    int e = SSL_get_error(l->ssl, n);

    l->want_write = e == SSL_ERROR_WANT_WRITE;
    if (n != 1) {
        unsigned long code = ERR_peek_error();
        if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
            hm_link_close(l, code ? ERR_reason_error_string(code) : "closed in the handshake",
                          UINT32_MAX);
        return;
    }
    if (hm_tls_check_gateway(l->ssl, HM_ALPN_AGENT)) {
        hm_link_close(l, "the peer is not our gateway", UINT32_MAX);
        return;
    }
    set_state(l, HM_LINK_UP);
    l->rx_ns = l->ping_ns = l->since_ns;
    l->ops.up(l->ops.ctx);
}

/* ---- bytes ---- */

void hm_link_flush(struct hm_link *l)
{
    while (l->state == HM_LINK_UP && l->out_at < l->out.len) {
        ERR_clear_error();
        int n = SSL_write(l->ssl, l->out.data + l->out_at, (int)(l->out.len - l->out_at));
        if (n <= 0) {
            int e = SSL_get_error(l->ssl, n);
            if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
                hm_link_close(l, "connection lost", UINT32_MAX);
            return;
        }
        l->out_at += (size_t)n;
    }
    l->out_at = 0;
    hm_buf_clear(&l->out);
}

int hm_link_send(struct hm_link *l, const struct hm_msg_desc *d, const void *msg)
{
    if (l->state != HM_LINK_UP)
        return -ENOTCONN;
    if (l->out.len - l->out_at > HM_UPLINK_OUT_FULL)
        return -EAGAIN;
    if (l->out_at) {
        memmove(l->out.data, l->out.data + l->out_at, l->out.len - l->out_at);
        l->out.len -= l->out_at;
        l->out_at = 0;
    }
    hm_frame_encode(d, msg, &l->out);
    return l->out.error;
}

static int take_frames(struct hm_link *l)
{
    size_t at = 0, used;
    uint16_t number;
    struct hm_slice payload;
    int r;

    while ((r = hm_frame_peek(hm_slice(l->in.data + at, l->in.len - at), &number, &payload,
                              &used)) == 1) {
        if ((r = l->ops.message(l->ops.ctx, number, payload)) < 0 || l->state != HM_LINK_UP)
            return r;
        at += used;
    }
    if (at) {
        memmove(l->in.data, l->in.data + at, l->in.len - at);
        l->in.len -= at;
    }
    return r;
}

static void read_some(struct hm_link *l)
{
    uint8_t chunk[16 * 1024];

    while (l->state == HM_LINK_UP) {
        ERR_clear_error();
        int n = SSL_read(l->ssl, chunk, sizeof chunk);
        if (n <= 0) {
            int e = SSL_get_error(l->ssl, n);
            unsigned long code = ERR_peek_error();
            if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
                hm_link_close(l, code ? ERR_reason_error_string(code) : "connection closed",
                              UINT32_MAX);
            return;
        }
        l->rx_ns = hm_clock_mono_ns();
        hm_buf_put(&l->in, chunk, (size_t)n);
        int r = l->in.error ? l->in.error : take_frames(l);
        if (r < 0 && l->state == HM_LINK_UP)
            hm_link_close(l, "the server sends what is no message", UINT32_MAX);
    }
}

/* ---- the loop's side ---- */

static int ms_until(uint64_t at_ns, uint64_t now_ns)
{
    return at_ns <= now_ns ? 0 : (int)((at_ns - now_ns) / MS_NS) + 1;
}

int hm_link_poll(const struct hm_link *l, struct pollfd *ret_p, uint64_t now_ns)
{
    short events = POLLIN;

    if (l->state == HM_LINK_CONNECT)
        events = POLLOUT;
    if ((l->state == HM_LINK_SHAKE && l->want_write) || (l->state == HM_LINK_UP && l->out.len))
        events |= POLLOUT;
    *ret_p = (struct pollfd){.fd = l->fd, .events = events};
    return l->state == HM_LINK_IDLE ? ms_until(l->retry_ns, now_ns) : 1000;
}

void hm_link_tick(struct hm_link *l, uint64_t now_ns)
{
    struct hm_msg_ping ping = {.id = now_ns};

    if (l->state == HM_LINK_IDLE) {
        if (now_ns >= l->retry_ns)
            begin(l);
        return;
    }
    if (l->state != HM_LINK_UP) {
        if (now_ns - l->since_ns > HM_UPLINK_CONNECT_S * SECOND_NS)
            hm_link_close(l, "no answer", UINT32_MAX);
        return;
    }
    if (now_ns > l->rx_ns && now_ns - l->rx_ns > HM_UPLINK_SILENT_S * SECOND_NS) {
        hm_link_close(l, "the server is silent", UINT32_MAX);
        return;
    }
    if (now_ns > l->ping_ns && now_ns - l->ping_ns > HM_UPLINK_PING_S * SECOND_NS) {
        l->ping_ns = now_ns;
        if (hm_link_send(l, &hm_desc_ping, &ping))
            hm_debug("no room for a ping: the line is busy enough");
    }
}

void hm_link_io(struct hm_link *l, short revents)
{
    if (!revents)
        return;
    switch (l->state) {
    case HM_LINK_IDLE:
        return;
    case HM_LINK_RESOLVE:
        resolved(l);
        return;
    case HM_LINK_CONNECT:
        connected(l);
        if (l->state != HM_LINK_SHAKE)
            return;
        shake(l);
        break;
    case HM_LINK_SHAKE:
        shake(l);
        break;
    case HM_LINK_UP:
        break;
    }
    if (l->state == HM_LINK_UP)
        read_some(l);
    if (l->state == HM_LINK_UP)
        hm_link_flush(l);
}
