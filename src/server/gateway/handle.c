/* What a peer says: a table of messages by state. Owns identity and the way of a batch; refuses to
 * know descriptors, TLS records and who admits (core). */
#include "server/gateway/gateway.h"

#include "server/messages.h"
#include "server/pki.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>

/* ---- who it is ---- */

static int identify_agent(struct hm_session *s)
{
    hm_auto(hm_buf_done) struct hm_buf serial = HM_BUF(sizeof s->serial);
    X509 *cert = SSL_get0_peer_certificate(s->ssl);

    if (!cert)
        return HM_REFUSAL_NO_CERT;
    if (SSL_get_verify_result(s->ssl) != X509_V_OK || hm_pki_cert_endpoint(cert, s->endpoint) ||
        hm_pki_key_sha256(X509_get0_pubkey(cert), s->key_sha256) ||
        hm_pki_cert_serial(cert, &serial))
        return HM_REFUSAL_WRONG_CA;
    memcpy(s->serial, serial.data, serial.len);
    s->serial_len = serial.len;
    return -1;
}

/* All that the handshake should have ensured is looked at once more. */
int hm_session_identify(struct hm_session *s)
{
    int why = -1;

    if (SSL_session_reused(s->ssl))
        why = HM_REFUSAL_RESUMPTION;
    else if (!s->protocol_chosen || SSL_version(s->ssl) != TLS1_3_VERSION)
        why = HM_REFUSAL_PROTOCOL;
    else if (!s->enroll)
        why = identify_agent(s);
    if (why < 0)
        return 0;
    hm_session_refuse(s, (enum hm_refusal)why, NULL);
    return -EINVAL;
}

static enum hm_handled refuse(struct hm_session *s, enum hm_refusal why, const char *detail)
{
    hm_session_refuse(s, why, detail);
    return HM_HANDLED_CLOSED;
}

static enum hm_handled say_refused(struct hm_session *s, uint64_t code, const char *text)
{
    struct hm_msg_refused m = {.code = code, .text = hm_slice_str(text)};

    hm_session_send(s, &hm_desc_refused, &m);
    hm_session_set_state(s, HM_SESSION_CLOSING);
    return HM_HANDLED;
}

/* One (endpoint, epoch) speaks once, and one endpoint has so many connections: the newer one is the
 * living one. */
static void replace_older(struct hm_session *s)
{
    struct hm_session *o = hm_session_of(s->g, s->endpoint, NULL), *next;
    size_t n = 1; /* newest first */

    for (; o; o = next) {
        next = hm_session_of(s->g, s->endpoint, o);
        if (o != s && (o->epoch == s->epoch || ++n > HM_GATEWAY_SESSIONS_EACH_MAX)) {
            hm_debug("session %llu replaces %llu", (unsigned long long)s->id,
                     (unsigned long long)o->id);
            hm_session_close(o);
        }
    }
}

static enum hm_handled on_hello(struct hm_session *s, struct hm_slice payload)
{
    struct hm_msg_hello m;

    if (s->enroll || hm_msg_decode(&hm_desc_hello, payload, &m))
        return refuse(s, HM_REFUSAL_MALFORMED, "HELLO");
    if (!hm_slice_eq(m.endpoint, hm_slice(s->endpoint, 16))) {
        hm_refusal_note(&s->g->refusals, HM_REFUSAL_IDENTITY, s->peer, NULL);
        return say_refused(s, HM_REFUSED_IDENTITY, "the certificate is another endpoint's");
    }
    if (m.version != HM_WIRE_VERSION)
        return say_refused(s, HM_REFUSED_VERSION, "unknown protocol version");
    s->epoch = m.epoch;
    snprintf(s->host_name, sizeof s->host_name, "%.*s", (int)m.host_name.len,
             m.host_name.len ? (const char *)m.host_name.p : "");
    hm_buf_put(&s->hello, payload.p, payload.len);
    hm_session_set_state(s, HM_SESSION_CORE);
    hm_core_ask(s);
    return HM_HANDLED;
}

static enum hm_handled on_enroll(struct hm_session *s, struct hm_slice payload)
{
    struct hm_msg_enroll m;

    if (!s->enroll || hm_msg_decode(&hm_desc_enroll, payload, &m))
        return refuse(s, HM_REFUSAL_MALFORMED, "ENROLL");
    if (m.version != HM_WIRE_VERSION)
        return say_refused(s, HM_REFUSED_VERSION, "unknown protocol version");
    hm_buf_put(&s->hello, payload.p, payload.len);
    hm_session_set_state(s, HM_SESSION_CORE);
    hm_core_ask(s);
    return HM_HANDLED;
}

void hm_session_welcome(struct hm_session *s, const char *tenant, struct hm_slice time)
{
    hm_buf_clear(&s->time);
    hm_buf_put(&s->time, time.p, time.len);
    snprintf(s->tenant, sizeof s->tenant, "%s", tenant);
    replace_older(s);
    s->welcomed = true;
    hm_session_list(s);
    hm_session_set_state(s, HM_SESSION_SYNC);
    if (hm_store_durable(s->g->store) == hm_store_next(s->g->store))
        hm_ack_welcome(s); /* a quiet gateway, or thousands that come back after a restart */
    else
        hm_ack_later(s);
}

/* ---- batches ---- */

static enum hm_handled say_fork(struct hm_session *s, const struct hm_batch_head *h,
                                uint64_t missing)
{
    struct hm_msg_gw_fork to_core = {.endpoint = hm_slice(s->endpoint, 16),
                                     .epoch = h->epoch,
                                     .lane = h->lane,
                                     .number = h->number,
                                     .missing = missing};
    struct hm_msg_fork to_agent = {.epoch = h->epoch, .lane = h->lane, .number = h->number};

    hm_warn("%s: epoch %llx lane %llu batch %llu: %s", s->host_name, (unsigned long long)h->epoch,
            (unsigned long long)h->lane, (unsigned long long)h->number,
            missing ? "batches before it are missing" : "contradicts what is here (fork)");
    hm_core_send(s->g->core, &hm_desc_gw_fork, &to_core);
    if (!missing)
        hm_session_send(s, &hm_desc_fork, &to_agent);
    return HM_HANDLED;
}

static int each_event(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    (void)ctx;
    (void)e;
    (void)canonical;
    return 0; /* hm_batch_each() itself checks canonical form, sequence numbers and the root */
}

static enum hm_handled store(struct hm_session *s, const struct hm_batch_head *h,
                             const uint8_t hash[HM_SHA256_BYTES], struct hm_slice batch)
{
    struct hm_store_item item = {.tenant = hm_slice_str(s->tenant),
                                 .host_name = hm_slice_str(s->host_name),
                                 .batch = batch,
                                 .received_ns = hm_clock_wall_ns()};
    struct hm_chain_tip tip = {.epoch = h->epoch, .lane = h->lane, .next = h->number + 1};

    if (!hm_chain_room(s->g->chain, s->endpoint, h->epoch, h->lane))
        return refuse(s, HM_REFUSAL_MEMORY, "too many epochs of one endpoint, or of all");
    memcpy(item.endpoint, s->endpoint, 16);
    memcpy(tip.endpoint, s->endpoint, 16);
    memcpy(tip.hash, hash, sizeof tip.hash);
    int r = hm_store_append(s->g->store, &item, &tip.record);
    if (r == -ENOSPC) {
        hm_session_pause(s, true); /* no ack; the batch stays where it is until there is room */
        return HM_HANDLED_LATER;
    }
    if (r || hm_chain_put(s->g->chain, &tip))
        return refuse(s, HM_REFUSAL_MEMORY, "journal or table of tips");
    s->lanes[h->lane].appended = tip.next;
    s->lanes[h->lane].dirty = true;
    hm_ack_later(s);
    return HM_HANDLED;
}

static enum hm_handled on_batch(struct hm_session *s, struct hm_slice payload)
{
    struct hm_msg_batch m;
    struct hm_batch_head h;
    uint8_t hash[HM_SHA256_BYTES];

    if (hm_msg_decode(&hm_desc_batch, payload, &m))
        return refuse(s, HM_REFUSAL_MALFORMED, "BATCH");
    if (hm_batch_head(m.data, &h, hash))
        return refuse(s, HM_REFUSAL_BATCH, "head");
    if (memcmp(h.endpoint, s->endpoint, 16) != 0)
        return refuse(s, HM_REFUSAL_IDENTITY, "batch");
    if (h.epoch != s->epoch || h.lane >= HM_LANE_COUNT)
        return refuse(s, HM_REFUSAL_BATCH, "epoch or lane");
    enum hm_chain_verdict v = hm_chain_check(s->g->chain, &h, hash);
    if (v == HM_CHAIN_FORK)
        return say_fork(s, &h, 0);
    if (v == HM_CHAIN_SAME) { /* say it once more, when it is on disk */
        s->lanes[h.lane].appended = h.number + 1;
        s->lanes[h.lane].dirty = true;
        hm_ack_later(s);
        return HM_HANDLED;
    }
    hm_buf_clear(&s->g->raw);
    if (hm_batch_each(m.data, &s->g->raw, each_event, NULL))
        return refuse(s, HM_REFUSAL_BATCH, "content");
    const struct hm_chain_tip *tip = hm_chain_find(s->g->chain, s->endpoint, h.epoch, h.lane);
    uint64_t missing = v == HM_CHAIN_GAP ? h.number - (tip ? tip->next : 0) : 0;
    enum hm_handled done = store(s, &h, hash, m.data);
    if (missing && done == HM_HANDLED)
        say_fork(s, &h, missing);
    return done;
}

static enum hm_handled on_ping(struct hm_session *s, struct hm_slice payload)
{
    struct hm_msg_ping m;
    struct hm_msg_pong pong;

    if (hm_msg_decode(&hm_desc_ping, payload, &m))
        return refuse(s, HM_REFUSAL_MALFORMED, "PING");
    pong.id = m.id;
    hm_session_send(s, &hm_desc_pong, &pong);
    return HM_HANDLED;
}

static enum hm_handled on_pong(struct hm_session *s, struct hm_slice payload)
{
    struct hm_msg_pong m;

    if (hm_msg_decode(&hm_desc_pong, payload, &m))
        return refuse(s, HM_REFUSAL_MALFORMED, "PONG");
    return HM_HANDLED;
}

static enum hm_handled on_content_get(struct hm_session *s, struct hm_slice payload)
{
    return hm_content_get(s, payload) ? refuse(s, HM_REFUSAL_MALFORMED, "CONTENT_GET") : HM_HANDLED;
}

static const struct {
    enum hm_session_state state;
    uint16_t number;
    enum hm_handled (*handle)(struct hm_session *s, struct hm_slice payload);
} table[] = {
    {HM_SESSION_FIRST, HM_MSG_HELLO, on_hello},
    {HM_SESSION_FIRST, HM_MSG_ENROLL, on_enroll},
    {HM_SESSION_OPEN, HM_MSG_BATCH, on_batch},
    {HM_SESSION_OPEN, HM_MSG_PING, on_ping},
    {HM_SESSION_OPEN, HM_MSG_PONG, on_pong},
    {HM_SESSION_OPEN, HM_MSG_CONTENT_GET, on_content_get},
};

enum hm_handled hm_session_handle(struct hm_session *s, uint16_t number, struct hm_slice payload)
{
    char detail[64];

    if (s->state == HM_SESSION_CLOSING)
        return HM_HANDLED;
    for (size_t i = 0; i < HM_ARRAY_LEN(table); i++)
        if (table[i].state == s->state && table[i].number == number)
            return table[i].handle(s, payload);
    snprintf(detail, sizeof detail, "message %u in state %d", number, (int)s->state);
    return refuse(s, HM_REFUSAL_MALFORMED, detail);
}
