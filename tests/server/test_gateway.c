/* The real gateway process over loopback TLS: what it takes, and everything it must refuse while
 * nobody else notices. */
#include "harness.h"

#include "agent/uplink/enroll.h"
#include "agent/identity.h"
#include "base/clock.h"
#include "server/gateway/chain.h"
#include "server/gateway/limits.h"
#include "server/messages.h"
#include "server/record.h"
#include "server/roles.h"
#include "server/state.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <cmocka.h>

static struct world world;
static struct identity good, other, stranger;
static struct client bystander; /* open through all tests: whoever misbehaves must not disturb it */

static int count_records(const uint8_t id[16])
{
    char dir[256];
    struct hm_log_reader *r;
    struct hm_slice record;
    uint64_t number;
    int n = 0;

    snprintf(dir, sizeof dir, "%s/gateway/journal", world.state);
    assert_int_equal(hm_log_reader_open(dir, &r, NULL), 0);
    while (hm_log_reader_next(r, &number, &record) == 1) {
        struct hm_gateway_record rec;
        assert_int_equal(hm_gateway_record_decode(record, &rec), 0);
        n += memcmp(rec.endpoint, id, 16) == 0;
    }
    hm_log_reader_close(r);
    return n;
}

static void bystander_is_undisturbed(void)
{
    struct hm_msg_ping ping = {.id = 42};
    struct hm_msg_pong pong;
    struct hm_slice p;

    assert_int_equal(client_send(&bystander, &hm_desc_ping, &ping), 0);
    assert_int_equal(client_recv(&bystander, &p), HM_MSG_PONG);
    assert_int_equal(hm_msg_decode(&hm_desc_pong, p, &pong), 0);
    assert_int_equal(pong.id, 42);
}

static void send_batch(struct client *c, const struct hm_buf *batch)
{
    struct hm_msg_batch m = {.data = hm_buf_slice(batch)};
    assert_int_equal(client_send(c, &hm_desc_batch, &m), 0);
}

static uint64_t wait_ack(struct client *c, uint64_t lane)
{
    struct hm_msg_ack ack;
    struct hm_slice p;

    assert_int_equal(client_recv(c, &p), HM_MSG_ACK);
    assert_int_equal(hm_msg_decode(&hm_desc_ack, p, &ack), 0);
    assert_int_equal(ack.lane, lane);
    return ack.next;
}

static void open_session(const struct identity *id, uint64_t epoch, struct client *c,
                         struct hm_msg_welcome *ret_w)
{
    struct hm_slice p;

    assert_int_equal(client_open(&world, id, HM_ALPN_AGENT, NULL, c), 0);
    assert_int_equal(client_hello(c, id->id, epoch, &p), HM_MSG_WELCOME);
    assert_int_equal(hm_msg_decode(&hm_desc_welcome, p, ret_w), 0);
}

/* ---- what it takes ---- */

static void a_batch_is_acked_once_it_is_in_the_journal(void **state)
{
    struct client c;
    struct hm_msg_welcome w;
    struct hm_buf batch = HM_BUF(1 << 20);
    struct hm_batch_writer *bw = writer_new(good.id, 100, HM_LANE_BULK);

    (void)state;
    open_session(&good, 100, &c, &w);
    assert_true(hm_slice_eq(w.time, hm_slice_str("signed time")));
    assert_int_equal(w.next_bulk, 0);
    int before = count_records(good.id);
    batch_make(bw, 10, &batch);
    send_batch(&c, &batch);
    assert_int_equal(wait_ack(&c, HM_LANE_BULK), 1);
    assert_int_equal(count_records(good.id), before + 1);
    send_batch(&c, &batch); /* once more: acked again, stored once */
    assert_int_equal(wait_ack(&c, HM_LANE_BULK), 1);
    assert_int_equal(count_records(good.id), before + 1);
    client_close(&c);

    open_session(&good, 100, &c, &w); /* the server says where to go on */
    assert_int_equal(w.next_bulk, 1);
    assert_int_equal(w.next_alert, 0);
    client_close(&c);
    hm_batch_writer_free(bw);
    hm_buf_done(&batch);
}

static void a_contradicting_batch_is_a_fork(void **state)
{
    struct client c;
    struct hm_msg_welcome w;
    struct hm_msg_fork f;
    struct hm_slice p;
    struct hm_buf a = HM_BUF(1 << 20), b = HM_BUF(1 << 20);
    struct hm_batch_writer *mine = writer_new(good.id, 101, HM_LANE_ALERT);
    struct hm_batch_writer *clone = writer_new(good.id, 101, HM_LANE_ALERT);

    (void)state;
    open_session(&good, 101, &c, &w);
    batch_make(mine, 3, &a);
    send_batch(&c, &a);
    assert_int_equal(wait_ack(&c, HM_LANE_ALERT), 1);
    batch_make(clone, 4, &b); /* number 0 with another content */
    send_batch(&c, &b);
    assert_int_equal(client_recv(&c, &p), HM_MSG_FORK);
    assert_int_equal(hm_msg_decode(&hm_desc_fork, p, &f), 0);
    assert_int_equal(f.epoch, 101);
    hm_buf_clear(&b);
    batch_make(clone, 4, &b); /* number 1 that continues the clone's */
    send_batch(&c, &b);
    assert_int_equal(client_recv(&c, &p), HM_MSG_FORK);
    hm_buf_clear(&a);
    batch_make(mine, 3, &a); /* the session goes on for the history that is here */
    send_batch(&c, &a);
    assert_int_equal(wait_ack(&c, HM_LANE_ALERT), 2);
    client_close(&c);
    hm_batch_writer_free(mine);
    hm_batch_writer_free(clone);
    hm_buf_done(&a);
    hm_buf_done(&b);
}

static void missing_batches_are_kept_apart_and_said(void **state)
{
    struct client c;
    struct hm_msg_welcome w;
    struct hm_buf a = HM_BUF(1 << 20);
    struct hm_batch_writer *bw = writer_new(good.id, 102, HM_LANE_BULK);

    (void)state;
    open_session(&good, 102, &c, &w);
    for (int i = 0; i < 3; i++) {
        hm_buf_clear(&a);
        batch_make(bw, 2, &a);
    }
    send_batch(&c, &a); /* number 2 without 0 and 1 */
    assert_int_equal(wait_ack(&c, HM_LANE_BULK), 3);
    for (int i = 0; i < 100 && world.core.missing < 2; i++)
        usleep(10000);
    assert_int_equal(world.core.missing, 2);
    client_close(&c);
    hm_batch_writer_free(bw);
    hm_buf_done(&a);
}

static void a_newer_connection_of_the_same_epoch_takes_over(void **state)
{
    struct client a, b;
    struct hm_msg_welcome w;
    struct hm_slice p;

    (void)state;
    open_session(&good, 103, &a, &w);
    open_session(&good, 103, &b, &w);
    assert_int_equal(client_recv(&a, &p), 0);
    client_close(&a);
    client_close(&b);
}

/* ---- what it refuses ---- */

static void refused_in_handshake(const struct identity *id, const char *alpn, SSL_SESSION *session)
{
    struct client c;
    struct hm_slice p;

    if (client_open(&world, id, alpn, session, &c) == 0)
        assert_int_equal(client_hello(&c, id ? id->id : good.id, 1, &p), 0);
    client_close(&c);
}

static struct hm_chain_tip tip_of(uint8_t endpoint, uint64_t epoch)
{
    struct hm_chain_tip t = {.epoch = epoch, .lane = HM_LANE_BULK, .next = 1};

    memset(t.endpoint, endpoint, sizeof t.endpoint);
    return t;
}

static bool room_for(const struct hm_chain *c, uint8_t endpoint, uint64_t epoch)
{
    struct hm_chain_tip t = tip_of(endpoint, epoch);
    return hm_chain_room(c, t.endpoint, epoch, t.lane);
}

/* Epochs are the endpoint's to choose: it fills its own share, before anything is in the journal.
 */
static void made_up_epochs_do_not_fill_the_table(void **state)
{
    struct hm_chain *c = hm_chain_new(6, 4);
    struct hm_chain_tip t;

    (void)state;
    for (uint64_t epoch = 0; epoch < 4; epoch++) {
        t = tip_of(1, epoch);
        assert_true(room_for(c, 1, epoch));
        assert_int_equal(hm_chain_put(c, &t), 0);
    }
    assert_false(room_for(c, 1, 4));
    assert_true(room_for(c, 1, 3)); /* what it has goes on */
    assert_true(room_for(c, 2, 0)); /* and so do the others */
    for (uint64_t epoch = 0; epoch < 2; epoch++) {
        t = tip_of(2, epoch);
        assert_int_equal(hm_chain_put(c, &t), 0);
    }
    assert_false(room_for(c, 3, 0));
    t = tip_of(3, 0);
    assert_int_equal(hm_chain_put(c, &t), -ENOSPC);
    hm_chain_free(c);
}

static void one_endpoint_has_so_many_connections(void **state)
{
    const size_t n = HM_GATEWAY_SESSIONS_EACH_MAX + 1;
    struct client *c = calloc(n, sizeof *c);
    struct hm_msg_welcome w;
    struct hm_slice p;

    (void)state;
    assert_non_null(c);
    for (size_t i = 0; i < n; i++)
        open_session(&good, 5000 + i, &c[i], &w);
    assert_int_equal(client_recv(&c[0], &p), 0); /* the oldest had to go */
    struct hm_msg_ping ping = {.id = 7};
    for (size_t i = 1; i < n; i += n - 2) { /* the next and the newest live */
        assert_int_equal(client_send(&c[i], &hm_desc_ping, &ping), 0);
        assert_int_equal(client_recv(&c[i], &p), HM_MSG_PONG);
    }
    for (size_t i = 0; i < n; i++)
        client_close(&c[i]);
    free(c);
    bystander_is_undisturbed();
}

/* Every place for a handshake is taken by somebody who says nothing. */
static void silent_strangers_shut_nobody_out(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)world.port)};
    int fds[HM_GATEWAY_HANDSHAKES_MAX];
    struct client c;
    struct hm_msg_welcome w;

    (void)state;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 0; i < HM_ARRAY_LEN(fds); i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fds[i] >= 0);
        assert_int_equal(connect(fds[i], (struct sockaddr *)&a, sizeof a), 0);
    }
    uint64_t begun = hm_clock_mono_ns();
    open_session(&good, 6000, &c, &w);
    uint64_t ms = (hm_clock_mono_ns() - begun) / 1000000;
    assert_true(ms > 500); /* they did hold every place */
    assert_true(ms < (HM_GATEWAY_HANDSHAKE_S - 3) * 1000);
    client_close(&c);
    for (size_t i = 0; i < HM_ARRAY_LEN(fds); i++)
        close(fds[i]);
    bystander_is_undisturbed();
}

static void no_certificate_is_refused(void **state)
{
    (void)state;
    refused_in_handshake(NULL, HM_ALPN_AGENT, NULL);
    assert_int_equal(log_wait(&world, "no client certificate", 1), 1);
    refused_in_handshake(NULL, HM_ALPN_AGENT, NULL);
    assert_int_equal(log_wait(&world, "no client certificate", 1), 1); /* once, then counted */
    bystander_is_undisturbed();
}

static void another_ca_is_refused(void **state)
{
    (void)state;
    refused_in_handshake(&stranger, HM_ALPN_AGENT, NULL);
    assert_int_equal(log_wait(&world, "not of our CA", 1), 1);
    bystander_is_undisturbed();
}

/* A certificate of our CA that is a server's is no endpoint. */
static void a_server_certificate_is_no_endpoint(void **state)
{
    char path[256];
    struct identity server = {.id = {0}};

    (void)state;
    snprintf(path, sizeof path, "%s/gateway/tls.key", world.state);
    server.key = hm_pki_read_key(path);
    snprintf(path, sizeof path, "%s/gateway/tls.crt", world.state);
    server.cert = hm_pki_read_cert(path);
    refused_in_handshake(&server, HM_ALPN_AGENT, NULL);
    identity_done(&server);
    bystander_is_undisturbed();
}

static void unknown_protocols_are_refused(void **state)
{
    (void)state;
    refused_in_handshake(&good, NULL, NULL);
    refused_in_handshake(&good, "http/1.1", NULL);
    assert_int_equal(log_wait(&world, "unknown protocol", 1), 1);
    bystander_is_undisturbed();
}

/* What a certificate may not do under the enrolment protocol, with or without one. */
static void enrolment_does_not_open_the_agent_protocol(void **state)
{
    struct client c;
    struct hm_slice p;

    (void)state;
    assert_int_equal(client_open(&world, &good, HM_ALPN_ENROLL, NULL, &c), 0);
    assert_int_equal(client_hello(&c, good.id, 1, &p), 0);
    client_close(&c);
    bystander_is_undisturbed();
}

/* A session of a server that gives tickets, to have something to resume with. */
static SSL_SESSION *foreign_session(void)
{
    SSL_CTX *sctx = SSL_CTX_new(TLS_server_method()), *cctx = SSL_CTX_new(TLS_client_method());
    char key[256], cert[256];
    BIO *a, *b;
    uint8_t byte;

    snprintf(key, sizeof key, "%s/gateway/tls.key", world.state);
    snprintf(cert, sizeof cert, "%s/gateway/tls.crt", world.state);
    SSL_CTX_use_PrivateKey_file(sctx, key, SSL_FILETYPE_PEM);
    SSL_CTX_use_certificate_chain_file(sctx, cert);
    SSL *s = SSL_new(sctx), *c = SSL_new(cctx);
    BIO_new_bio_pair(&a, 65536, &b, 65536);
    SSL_set_bio(s, a, a);
    SSL_set_bio(c, b, b);
    SSL_set_accept_state(s);
    SSL_set_connect_state(c);
    for (int i = 0; i < 10; i++) {
        SSL_do_handshake(c);
        SSL_do_handshake(s);
    }
    SSL_write(s, "x", 1);
    SSL_read(c, &byte, 1); /* takes the tickets as well */
    SSL_SESSION *session = SSL_get1_session(c);
    assert_int_equal(SSL_SESSION_is_resumable(session), 1);
    SSL_shutdown(c); /* else freeing it marks the session as broken */
    SSL_free(c);
    SSL_free(s);
    SSL_CTX_free(sctx);
    SSL_CTX_free(cctx);
    return session;
}

static void resumption_is_refused(void **state)
{
    SSL_SESSION *session = foreign_session();

    (void)state;
    refused_in_handshake(&good, HM_ALPN_AGENT, session);
    assert_int_equal(log_wait(&world, "session resumption attempted", 1), 1);
    SSL_SESSION_free(session);
    bystander_is_undisturbed();
}

static void no_ticket_is_given(void **state)
{
    struct client c;
    struct hm_msg_welcome w;

    (void)state;
    open_session(&good, 104, &c, &w);
    assert_int_equal(SSL_SESSION_is_resumable(SSL_get0_session(c.ssl)), 0);
    assert_int_equal(SSL_version(c.ssl), TLS1_3_VERSION);
    client_close(&c);
}

static void tls_1_2_is_refused(void **state)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct client c;

    (void)state;
    assert_int_equal(client_open(&world, &good, HM_ALPN_AGENT, NULL, &c), 0); /* 1.3 does */
    client_close(&c);
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL *ssl = SSL_new(ctx);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)world.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    SSL_set_fd(ssl, fd);
    assert_int_not_equal(SSL_connect(ssl), 1);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    bystander_is_undisturbed();
}

static void a_revoked_endpoint_is_refused_and_cut(void **state)
{
    struct client c;
    struct hm_slice p;
    struct hm_msg_refused m;
    struct hm_msg_welcome w;

    (void)state;
    open_session(&other, 1, &c, &w);
    struct hm_msg_gw_revoke revoke = {.endpoint = hm_slice(other.id, 16)};
    pthread_mutex_lock(&world.core.lock);
    memcpy(world.core.revoked, other.id, 16);
    assert_int_equal(hm_ipc_send(world.core.fd, &hm_desc_gw_revoke, &revoke, NULL, 0), 0);
    pthread_mutex_unlock(&world.core.lock);
    assert_int_equal(client_recv(&c, &p), 0); /* cut at once */
    client_close(&c);
    assert_int_equal(client_open(&world, &other, HM_ALPN_AGENT, NULL, &c), 0);
    assert_int_equal(client_hello(&c, other.id, 1, &p), HM_MSG_REFUSED);
    assert_int_equal(hm_msg_decode(&hm_desc_refused, p, &m), 0);
    assert_int_equal(m.code, HM_REFUSED_REVOKED);
    client_close(&c);
    memset(world.core.revoked, 0, 16);
    bystander_is_undisturbed();
}

static void claiming_anothers_id_is_refused(void **state)
{
    struct client c;
    struct hm_slice p;
    struct hm_msg_refused m;
    struct hm_msg_welcome w;
    struct hm_buf batch = HM_BUF(1 << 20);
    struct hm_batch_writer *bw = writer_new(good.id, 105, HM_LANE_BULK);
    int before = count_records(good.id);

    (void)state;
    assert_int_equal(client_open(&world, &other, HM_ALPN_AGENT, NULL, &c), 0);
    assert_int_equal(client_hello(&c, good.id, 1, &p), HM_MSG_REFUSED); /* in HELLO */
    assert_int_equal(hm_msg_decode(&hm_desc_refused, p, &m), 0);
    assert_int_equal(m.code, HM_REFUSED_IDENTITY);
    client_close(&c);
    open_session(&other, 105, &c, &w);
    batch_make(bw, 1, &batch);
    send_batch(&c, &batch); /* in a batch */
    assert_int_equal(client_recv(&c, &p), 0);
    client_close(&c);
    assert_int_equal(count_records(good.id), before);
    assert_int_equal(log_wait(&world, "claims another endpoint's id", 1), 1);
    hm_batch_writer_free(bw);
    hm_buf_done(&batch);
    bystander_is_undisturbed();
}

static void garbage_after_the_handshake_is_refused(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t len;
        bool welcomed; /* sent in an open session, else instead of HELLO */
    } rows[] = {
        {"http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, false},
        {"http, later", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, true},
        {"frame shorter than its number", "\x01\x00\x00\x00\x00", 5, false},
        {"unknown message", "\x02\x00\x00\x00\xff\xff", 6, true},
        {"malformed HELLO", "\x04\x00\x00\x00\x0a\x00\x08\x00", 8, false},
        {"BATCH before HELLO", "\x02\x00\x00\x00\x0d\x00", 6, false},
        {"ENROLL in the agent protocol", "\x02\x00\x00\x00\x14\x00", 6, false},
        {"HELLO again", "\x02\x00\x00\x00\x0a\x00", 6, true},
        {"ACK from an agent", "\x02\x00\x00\x00\x0e\x00", 6, true},
        {"empty BATCH", "\x02\x00\x00\x00\x0d\x00", 6, true},
        {"frame of 4 GiB", "\xff\xff\xff\xff", 4, true},
        {"frame over 2 MiB", "\x01\x00\x20\x00", 4, true},
        {"HELLO over 16 KiB", "\x01\x40\x00\x00\x0a\x00", 6, false},
    };
    (void)state;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct client c;
        struct hm_msg_welcome w;
        struct hm_slice p;
        if (rows[i].welcomed)
            open_session(&good, 106, &c, &w);
        else
            assert_int_equal(client_open(&world, &good, HM_ALPN_AGENT, NULL, &c), 0);
        assert_int_equal(client_raw(&c, rows[i].bytes, rows[i].len), 0);
        if (client_recv(&c, &p) != 0)
            fail_msg("%s: not closed", rows[i].name);
        client_close(&c);
        bystander_is_undisturbed();
    }
    assert_int_equal(log_wait(&world, "oversized frame", 1), 1);
    assert_int_equal(log_wait(&world, "malformed message", 1), 1);
}

/* Bytes that are not TLS at all, in an established connection and instead of one. */
static void broken_records_are_refused(void **state)
{
    struct client c;
    struct hm_msg_welcome w;
    struct hm_slice p;

    (void)state;
    open_session(&good, 107, &c, &w);
    assert_int_equal(send(c.fd, "this is no TLS record at all", 28, 0), 28);
    assert_int_equal(client_recv(&c, &p), 0);
    client_close(&c);
    bystander_is_undisturbed();
}

static void batches_that_are_not_what_they_say_are_refused(void **state)
{
    struct hm_buf batch = HM_BUF(1 << 20), bent = HM_BUF(1 << 20);
    struct hm_batch_writer *bw = writer_new(good.id, 108, HM_LANE_BULK);
    int before = count_records(good.id);

    (void)state;
    batch_make(bw, 50, &batch);
    for (size_t i = 0; i < batch.len; i += batch.len / 23) { /* a flipped bit anywhere */
        struct client c;
        struct hm_msg_welcome w;
        struct hm_slice p;
        hm_buf_clear(&bent);
        hm_buf_put(&bent, batch.data, batch.len);
        bent.data[i] ^= 0x10;
        open_session(&good, 108, &c, &w);
        struct hm_msg_batch m = {.data = hm_buf_slice(&bent)};
        assert_int_equal(client_send(&c, &hm_desc_batch, &m), 0);
        int got = client_recv(&c, &p);
        struct hm_batch_head a, b;
        uint8_t hash[32];
        /* A bit of the head's free words may make another sound batch: a gap or a fork. */
        if (got == HM_MSG_ACK && hm_batch_head(hm_buf_slice(&bent), &b, hash) == 0 &&
            hm_batch_head(hm_buf_slice(&batch), &a, hash) == 0 && a.number == b.number &&
            memcmp(a.root, b.root, 32) == 0 && a.boot == b.boot)
            fail_msg("byte %zu of %zu flipped and acked", i, batch.len);
        client_close(&c);
    }
    assert_true(count_records(good.id) - before <= 2);
    hm_batch_writer_free(bw);
    hm_buf_done(&batch);
    hm_buf_done(&bent);
    bystander_is_undisturbed();
}

/* One who says nothing, one who stops in the handshake, one who trickles his HELLO. */
static void slow_peers_are_cut(void **state)
{
    struct client trickle;
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)world.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {20, 0};
    int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte;

    (void)state;
    assert_int_equal(connect(silent, (struct sockaddr *)&a, sizeof a), 0);
    setsockopt(silent, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(client_open(&world, &good, HM_ALPN_AGENT, NULL, &trickle), 0);
    uint64_t begin = hm_clock_mono_ns();
    int alive = 0;
    for (int i = 0; i < 60 && alive < 60; i++) { /* a byte each 0.25 s: never finished */
        if (SSL_write(trickle.ssl, "\x20", 1) != 1 || recv(trickle.fd, &byte, 1, MSG_DONTWAIT) == 0)
            break;
        alive++;
        usleep(250000);
    }
    assert_true(alive < 60);
    assert_int_equal(recv(silent, &byte, 1, 0), 0);
    uint64_t took_s = (hm_clock_mono_ns() - begin) / 1000000000;
    assert_true(took_s >= 8 && took_s <= 15);
    assert_int_equal(log_wait(&world, "too slow", 1), 1);
    close(silent);
    client_close(&trickle);
    bystander_is_undisturbed();
}

/* ---- a full disk ---- */

static void fill_disk(const char *path)
{
    static uint8_t block[65536];
    struct statvfs v;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    do
        assert_true(write(fd, block, sizeof block) > 0);
    while (statvfs(path, &v) == 0 && v.f_bavail * 100 > v.f_blocks * 4);
    close(fd);
}

static void a_full_disk_stops_acks_and_nothing_else(void **state)
{
    struct client c;
    struct hm_msg_welcome w;
    struct hm_slice p;
    char path[256];
    struct timeval short_limit = {0, 500000}, limit = {5, 0};
    struct hm_buf batch = HM_BUF(1 << 20);
    struct hm_batch_writer *bw = writer_new(good.id, 120, HM_LANE_BULK);

    (void)state;
    open_session(&good, 120, &c, &w);
    snprintf(path, sizeof path, "%s/filler", world.dir);
    fill_disk(path);
    usleep(1500000); /* the reserve is looked at each second */
    batch_make(bw, 10, &batch);
    send_batch(&c, &batch);
    setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &short_limit, sizeof short_limit);
    for (int i = 0; i < 4; i++)
        assert_int_equal(client_recv(&c, &p), -1); /* no ack, and not closed */
    bystander_is_undisturbed();
    unlink(path);
    setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(wait_ack(&c, HM_LANE_BULK), 1); /* the same batch, without being sent again */
    assert_true(log_wait(&world, "full: acks stop", 1) >= 1);
    client_close(&c);
    hm_batch_writer_free(bw);
    hm_buf_done(&batch);
}

/* ---- core's absence ---- */

static void who_waits_for_core_is_asked_for_again(void **state)
{
    struct client c;
    struct hm_slice p;
    struct hm_msg_hello m = {.version = HM_WIRE_VERSION,
                             .endpoint = hm_slice(good.id, 16),
                             .nonce = hm_slice_str("n"),
                             .epoch = 109};

    (void)state;
    world.core.mute = true;
    assert_int_equal(client_open(&world, &good, HM_ALPN_AGENT, NULL, &c), 0);
    assert_int_equal(client_send(&c, &hm_desc_hello, &m), 0);
    usleep(200000);
    world.core.mute = false;
    core_reconnect(&world);
    assert_int_equal(client_recv(&c, &p), HM_MSG_WELCOME);
    client_close(&c);
    bystander_is_undisturbed();
}

/* ---- enrolment ---- */

static void fingerprint(X509 *ca, unsigned char out[32])
{
    unsigned int len;
    assert_int_equal(X509_digest(ca, EVP_sha256(), out, &len), 1);
}

static void enrolment_writes_an_identity_and_says_what_is_wrong(void **state)
{
    char server[64], dir[128];
    struct hm_identity id;
    struct hm_enroll_options o = {.server = server, .token = "bad", .state = dir, .practice = 1};

    (void)state;
    snprintf(server, sizeof server, "127.0.0.1:%d", world.port);
    snprintf(dir, sizeof dir, "%s/agent", world.dir);
    fingerprint(world.ca, o.ca_sha256);
    assert_int_equal(hm_enroll(&o), 6);
    o.token = "good";
    o.ca_sha256[0] ^= 1;
    uint64_t asked = world.core.enrolls;
    assert_int_equal(hm_enroll(&o), 5);
    assert_int_equal(world.core.enrolls, asked); /* the token was not shown to a stranger */
    o.ca_sha256[0] ^= 1;
    o.server = "127.0.0.1:1";
    assert_int_equal(hm_enroll(&o), 4);
    o.server = server;
    assert_int_equal(hm_enroll(&o), 0);
    int fd = open(dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(hm_identity_load(fd, &id, NULL), 0);
    assert_string_equal(id.server, server);
    assert_string_equal(id.tenant, "default");
    assert_true(id.practice);
    assert_memory_equal(id.endpoint, "enrolled-endpoin", 16);
    close(fd);
    assert_int_equal(hm_enroll(&o), 3);
    bystander_is_undisturbed();
}

/* ---- processes ---- */

static void a_second_copy_is_refused(void **state)
{
    struct hm_error err = {0};
    int lock, second;

    (void)state;
    assert_int_equal(hm_state_lock(world.state, &lock, &err), 0);
    assert_int_equal(hm_state_lock(world.state, &second, &err), -EBUSY);
    assert_non_null(strstr(err.text, "another hinomi-server"));
    close(lock);
}

static void the_gateway_runs_as_nobody_else(void **state)
{
    char path[64], line[256];
    int uid = -1, no_new_privs = -1, seccomp = -1;

    (void)state;
    snprintf(path, sizeof path, "/proc/%d/status", (int)world.gateway);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "Uid:", 4) == 0)
            uid = (int)strtol(line + 4, NULL, 10);
        if (strncmp(line, "NoNewPrivs:", 11) == 0)
            no_new_privs = (int)strtol(line + 11, NULL, 10);
        if (strncmp(line, "Seccomp:", 8) == 0)
            seccomp = (int)strtol(line + 8, NULL, 10);
    }
    fclose(f);
    assert_int_equal(uid, hm_role_uid(&hm_server_roles[HM_ROLE_GATEWAY].role));
    assert_int_not_equal(uid, 0);
    assert_int_equal(no_new_privs, 1);
    assert_int_equal(seccomp, 2);
}

/* Killed or stopped: what was acked is known, from the checkpoint or without it. */
static void the_chain_survives_kill_stop_and_a_lost_checkpoint(void **state)
{
    struct client c;
    struct hm_msg_welcome w;
    struct hm_buf batch = HM_BUF(1 << 20);
    struct hm_batch_writer *bw = writer_new(good.id, 110, HM_LANE_BULK);
    char tips[256];

    (void)state;
    snprintf(tips, sizeof tips, "%s/gateway/tips", world.state);
    for (int round = 0; round < 4; round++) {
        open_session(&good, 110, &c, &w);
        assert_int_equal(w.next_bulk, round);
        hm_buf_clear(&batch);
        batch_make(bw, 5, &batch);
        send_batch(&c, &batch);
        assert_int_equal(wait_ack(&c, HM_LANE_BULK), round + 1);
        client_close(&c);
        gateway_stop(&world, round % 2 == 0);
        if (round == 1)
            assert_int_equal(access(tips, F_OK), 0); /* a clean stop leaves one */
        if (round == 2) {
            FILE *f = fopen(tips, "r+");
            assert_non_null(f);
            fputs("damaged", f);
            fclose(f);
        }
        if (round == 3)
            unlink(tips);
        assert_int_equal(gateway_start(&world), 0);
    }
    open_session(&good, 110, &c, &w);
    assert_int_equal(w.next_bulk, 4);
    client_close(&c);
    hm_batch_writer_free(bw);
    hm_buf_done(&batch);
}

static int set_up(void **state)
{
    struct hm_msg_welcome w;
    EVP_PKEY *key = hm_pki_key_new();
    X509 *ca = NULL;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (world_make(&world, 64) || hm_pki_ca_new(key, "Hinomi CA", &ca)) /* same name, another key */
        return -1;
    identity_make(world.ca_key, world.ca, 0x11, &good);
    identity_make(world.ca_key, world.ca, 0x22, &other);
    identity_make(key, ca, 0x11, &stranger);
    X509_free(ca);
    EVP_PKEY_free(key);
    struct identity b;
    identity_make(world.ca_key, world.ca, 0x33, &b);
    open_session(&b, 1, &bystander, &w);
    identity_done(&b);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_close(&bystander);
    identity_done(&good);
    identity_done(&other);
    identity_done(&stranger);
    world_end(&world);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "-p") == 0)
        return hm_gateway_main(argc, argv);
    /* A file system of our own to fill, seen by nobody else. */
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        perror("private mount namespace");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_acked_once_it_is_in_the_journal),
        cmocka_unit_test(a_contradicting_batch_is_a_fork),
        cmocka_unit_test(missing_batches_are_kept_apart_and_said),
        cmocka_unit_test(a_newer_connection_of_the_same_epoch_takes_over),
        cmocka_unit_test(made_up_epochs_do_not_fill_the_table),
        cmocka_unit_test(one_endpoint_has_so_many_connections),
        cmocka_unit_test(silent_strangers_shut_nobody_out),
        cmocka_unit_test(no_certificate_is_refused),
        cmocka_unit_test(another_ca_is_refused),
        cmocka_unit_test(a_server_certificate_is_no_endpoint),
        cmocka_unit_test(unknown_protocols_are_refused),
        cmocka_unit_test(enrolment_does_not_open_the_agent_protocol),
        cmocka_unit_test(resumption_is_refused),
        cmocka_unit_test(no_ticket_is_given),
        cmocka_unit_test(tls_1_2_is_refused),
        cmocka_unit_test(a_revoked_endpoint_is_refused_and_cut),
        cmocka_unit_test(claiming_anothers_id_is_refused),
        cmocka_unit_test(garbage_after_the_handshake_is_refused),
        cmocka_unit_test(broken_records_are_refused),
        cmocka_unit_test(batches_that_are_not_what_they_say_are_refused),
        cmocka_unit_test(slow_peers_are_cut),
        cmocka_unit_test(a_full_disk_stops_acks_and_nothing_else),
        cmocka_unit_test(who_waits_for_core_is_asked_for_again),
        cmocka_unit_test(enrolment_writes_an_identity_and_says_what_is_wrong),
        cmocka_unit_test(a_second_copy_is_refused),
        cmocka_unit_test(the_gateway_runs_as_nobody_else),
        cmocka_unit_test(the_chain_survives_kill_stop_and_a_lost_checkpoint),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
