/* See server.h. */
#include "server.h"
#include "agent/identity.h"
#include "base/clock.h"
#include "journal/journal.h"
#include "server/pki.h"
#include "wire/frame.h"
#include "wire/trust.h"
#include <arpa/inet.h>
#include <openssl/pem.h>
#include <poll.h>
#include <stdio.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char *pem_of(EVP_PKEY *key, X509 *cert)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *p, *copy;
    if (key)
        PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
    else
        PEM_write_bio_X509(b, cert);
    long n = BIO_get_mem_data(b, &p);
    copy = strndup(p, (size_t)n);
    BIO_free(b);
    return copy;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *len,
                       const unsigned char *in, unsigned int n, void *arg)
{
    static const unsigned char want[] = "\x08" HM_ALPN_AGENT;
    (void)ssl;
    (void)arg;
    unsigned char *o;
    int r = SSL_select_next_proto(&o, len, want, sizeof want - 1, in, n);
    *out = o;
    return r == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int listen_any(struct server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s->listener, (void *)&a, sizeof a) < 0 || listen(s->listener, 8) < 0 ||
        getsockname(s->listener, (void *)&a, &n) < 0)
        return -1;
    s->port = ntohs(a.sin_port);
    return 0;
}

static int save_identity(struct server *s, EVP_PKEY *ca_key, X509 *ca, const struct hm_key *root)
{
    char name[33], uri[128], path[128];
    struct hm_identity id = {.tenant = "default", .group = "practice", .practice = true};
    struct hm_buf set = HM_BUF(sizeof id.key_set);
    uint8_t pub[HM_PUBKEY_BYTES];
    X509 *cert = NULL;
    EVP_PKEY *key = hm_pki_key_new();
    for (int i = 0; i < 16; i++)
        snprintf(name + 2 * i, 3, "%02x", s->endpoint[i]);
    snprintf(uri, sizeof uri, "%s%s", HM_PKI_ENDPOINT_URI, name);
    struct hm_pki_leaf leaf = {name, uri, NULL, 30};
    hm_key_public(s->order_key, pub);
    hm_key_public(root, id.root_key);
    if (hm_pki_issue(ca_key, ca, key, &leaf, &cert) < 0 ||
        hm_pki_key_sha256(key, s->key_sha256) < 0 || hm_trust_make(root, pub, pub, 1, &set) < 0)
        return -1;
    snprintf(id.server, sizeof id.server, "192.0.2.1:%d", s->port);
    memcpy(id.endpoint, s->endpoint, 16);
    memcpy(id.key_set, set.data, set.len);
    id.key_set_len = set.len;
    snprintf(path, sizeof path, "%s/state", s->dir);
    mkdir(path, 0711);
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    char *k = pem_of(key, NULL), *c = pem_of(NULL, cert), *a = pem_of(NULL, ca);
    struct hm_identity_files f = {hm_slice_str(k), hm_slice_str(c), hm_slice_str(a)};
    struct hm_error err = {0};
    int r = hm_identity_save(fd, &id, &f, &err);
    free(k);
    free(c);
    free(a);
    close(fd);
    hm_buf_done(&set);
    X509_free(cert);
    EVP_PKEY_free(key);
    return r;
}

int server_make(struct server *s)
{
    struct hm_key *root = NULL;
    X509 *ca = NULL, *cert = NULL;
    EVP_PKEY *ca_key = hm_pki_key_new(), *key = hm_pki_key_new();
    *s = (struct server){.fd = -1, .in = HM_BUF(8u << 20), .raw = HM_BUF(8u << 20)};
    snprintf(s->dir, sizeof s->dir, "/tmp/hm-practice-XXXXXX");
    memset(s->endpoint, 0x9e, 16);
    s->seen = calloc(SEEN_MAX, sizeof *s->seen);
    struct hm_pki_leaf leaf = {"gateway", HM_PKI_GATEWAY_URI, "192.0.2.1,127.0.0.1", 30};
    if (!mkdtemp(s->dir) || listen_any(s) < 0 || hm_key_generate(&root) < 0 ||
        hm_key_generate(&s->order_key) < 0 || hm_key_generate(&s->other_key) < 0 ||
        hm_pki_ca_new(ca_key, "test", &ca) < 0 || hm_pki_issue(ca_key, ca, key, &leaf, &cert) < 0 ||
        save_identity(s, ca_key, ca, root) < 0)
        return -1;
    s->ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(s->ctx, cert);
    SSL_CTX_use_PrivateKey(s->ctx, key);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(s->ctx), ca);
    SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_alpn_select_cb(s->ctx, choose_alpn, NULL);
    SSL_CTX_set_num_tickets(s->ctx, 0);
    hm_key_free(root);
    X509_free(ca);
    X509_free(cert);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    return 0;
}

static void hang_up(struct server *s)
{
    SSL_free(s->ssl);
    s->ssl = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->in.len = 0;
}

void server_end(struct server *s)
{
    char command[128];
    hang_up(s);
    close(s->listener);
    SSL_CTX_free(s->ctx);
    hm_key_free(s->order_key);
    hm_key_free(s->other_key);
    hm_buf_done(&s->in);
    hm_buf_done(&s->raw);
    free(s->seen);
    snprintf(command, sizeof command, "rm -rf '%s'", s->dir);
    if (system(command))
        fprintf(stderr, "%s is left\n", s->dir);
}

uint64_t server_now_ms(const struct server *s)
{
    return hm_clock_wall_ns() / 1000000 + s->clock_skew_ms;
}

static void send_frame(struct server *s, const struct hm_msg_desc *d, const void *msg)
{
    struct hm_buf b = HM_BUF(1u << 20);
    hm_frame_encode(d, msg, &b);
    if (s->ssl && SSL_write(s->ssl, b.data, (int)b.len) <= 0)
        hang_up(s);
    hm_buf_done(&b);
}

static void welcome(struct server *s, struct hm_slice payload)
{
    struct hm_msg_hello h;
    struct hm_buf p = HM_BUF(4096), stmt = HM_BUF(4096);
    if (hm_msg_decode(&hm_desc_hello, payload, &h))
        return;
    s->hellos++;
    struct hm_msg_time_stmt t = {
        .endpoint = hm_slice(s->endpoint, 16), .nonce = h.nonce, .server_ms = server_now_ms(s)};
    hm_msg_encode(&hm_desc_time_stmt, &t, &p);
    if (hm_stmt_sign(s->order_key, HM_DOMAIN_TIME, hm_buf_slice(&p), &stmt) == 0) {
        struct hm_msg_welcome w = {.time = hm_buf_slice(&stmt)};
        send_frame(s, &hm_desc_welcome, &w);
    }
    hm_buf_done(&p);
    hm_buf_done(&stmt);
}

static void copy(char *to, size_t len, struct hm_slice s)
{
    snprintf(to, len, "%.*s", (int)s.len, s.len ? (const char *)s.p : "");
}

static int see(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    struct server *s = ctx;
    (void)canonical;
    if (s->seen_count == SEEN_MAX)
        return 0;
    struct seen *n = &s->seen[s->seen_count++];
    n->class = hm_event_u64(e, HM_F_CLASS);
    n->action = hm_event_u64(e, HM_F_ACTION);
    n->state = hm_event_u64(e, HM_F_ORDER_STATE);
    n->kind = hm_event_u64(e, HM_F_ORDER_KIND);
    n->counter = hm_event_u64(e, HM_F_ORDER_COUNTER);
    n->has_id = hm_event_has(e, HM_F_ORDER_ID);
    n->key = hm_event_u64(e, HM_F_PROCESS_KEY);
    n->parent_key = hm_event_u64(e, HM_F_PARENT_KEY);
    n->pid = hm_event_u64(e, HM_F_PROCESS_PID);
    n->from_socket = hm_event_has(e, HM_F_PROCESS_STDIN) &&
                     hm_event_u64(e, HM_F_PROCESS_STDIN) == HM_STDIO_SOCKET;
    struct hm_slice sha = hm_event_str(e, HM_F_PROCESS_SHA256);
    n->has_sha256 = sha.len == sizeof n->sha256;
    if (n->has_sha256)
        memcpy(n->sha256, sha.p, sha.len);
    copy(n->image, sizeof n->image, hm_event_str(e, HM_F_PROCESS_IMAGE));
    copy(n->path, sizeof n->path, hm_event_str(e, HM_F_FILE_PATH));
    copy(n->rule, sizeof n->rule, hm_event_str(e, HM_F_RULE_TITLE));
    copy(n->detail, sizeof n->detail,
         n->class == HM_CLASS_AGENT && n->action == HM_ACTION_AGENT_ORDER
             ? hm_event_str(e, HM_F_ORDER_DETAIL)
             : hm_event_str(e, HM_F_AGENT_DETAIL));
    return 0;
}

static void take_batch(struct server *s, struct hm_slice payload)
{
    struct hm_msg_batch m;
    struct hm_batch_head head;
    uint8_t hash[32];
    if (hm_msg_decode(&hm_desc_batch, payload, &m) || hm_batch_head(m.data, &head, hash) ||
        hm_batch_each(m.data, &s->raw, see, s))
        return;
    s->batches++;
    struct hm_msg_ack a = {.epoch = head.epoch, .lane = head.lane, .next = head.number + 1};
    send_frame(s, &hm_desc_ack, &a);
}

static void take_frames(struct server *s)
{
    uint16_t number;
    struct hm_slice payload;
    size_t used;
    while (s->ssl && hm_frame_peek(hm_buf_slice(&s->in), &number, &payload, &used) == 1) {
        struct hm_msg_ping ping;
        if (number == HM_MSG_HELLO)
            welcome(s, payload);
        else if (number == HM_MSG_BATCH)
            take_batch(s, payload);
        else if (number == HM_MSG_PING && !hm_msg_decode(&hm_desc_ping, payload, &ping)) {
            struct hm_msg_pong pong = {.id = ping.id};
            send_frame(s, &hm_desc_pong, &pong);
        }
        if (s->in.len < used)
            return; /* hung up meanwhile */
        memmove(s->in.data, s->in.data + used, s->in.len - used);
        s->in.len -= used;
    }
}

static void receive(struct server *s)
{
    uint8_t chunk[16384];
    do {
        int n = SSL_read(s->ssl, chunk, sizeof chunk);
        if (n <= 0) {
            hang_up(s);
            return;
        }
        hm_buf_put(&s->in, chunk, (size_t)n);
    } while (SSL_pending(s->ssl) > 0);
    take_frames(s);
}

static void greet(struct server *s)
{
    struct timeval limit = {5, 0};
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    hang_up(s);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    s->fd = fd;
    s->ssl = SSL_new(s->ctx);
    SSL_set_fd(s->ssl, fd);
    if (SSL_accept(s->ssl) != 1)
        hang_up(s);
}

void server_pump(struct server *s, int ms)
{
    uint64_t end = hm_clock_mono_ns() + (uint64_t)ms * 1000000;
    size_t before = s->seen_count;
    while (hm_clock_mono_ns() < end && s->seen_count == before) {
        struct pollfd p[2] = {{s->listener, POLLIN, 0}, {s->fd, POLLIN, 0}};
        if (poll(p, 2, 50) <= 0)
            continue;
        if (p[0].revents)
            greet(s);
        else if (p[1].revents && s->ssl)
            receive(s);
    }
}

struct hm_msg_order server_order(const struct server *s, uint64_t counter, uint64_t kind)
{
    static const uint8_t id[16] = "practice-order-1";
    uint64_t now = server_now_ms(s);
    return (struct hm_msg_order){
        .tenant = hm_slice_str("default"),
        .endpoint = hm_slice(s->endpoint, 16),
        .endpoint_key = hm_slice(s->key_sha256, 32),
        .counter = counter,
        .id = hm_slice(id, 16),
        .kind = kind,
        .issued_ms = now,
        .not_after_ms = now + 60000,
        .reason = hm_slice_str("test"),
        .actor = hm_slice_str("admin"),
    };
}

int server_push(struct server *s, const struct hm_key *k, const struct hm_msg_order *o)
{
    struct hm_buf p = HM_BUF(8192), stmt = HM_BUF(16384);
    hm_msg_encode(&hm_desc_order, o, &p);
    int r = hm_stmt_sign(k, HM_DOMAIN_ORDER, hm_buf_slice(&p), &stmt);
    struct hm_msg_order_push push = {.order = hm_buf_slice(&stmt)};
    if (r == 0)
        send_frame(s, &hm_desc_order_push, &push);
    hm_buf_done(&p);
    hm_buf_done(&stmt);
    return r;
}
