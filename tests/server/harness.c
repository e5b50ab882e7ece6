#include "harness.h"

#include "base/clock.h"
#include "server/init.h"
#include "server/messages.h"
#include "server/roles.h"
#include "server/signer/sign.h"
#include "server/supervisor/listen.h"
#include "wire/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- core, as a thread ---- */

static void answer_connect(struct core *c, const struct hm_msg_gw_connect *m)
{
    struct hm_msg_gw_welcome ok = {
        .id = m->id, .tenant = hm_slice_str("default"), .time = hm_slice_str("signed time")};
    struct hm_msg_gw_refuse no = {
        .id = m->id, .code = HM_REFUSED_REVOKED, .text = hm_slice_str("revoked")};

    c->connects++;
    if (c->mute)
        return;
    int r = hm_slice_eq(m->endpoint, hm_slice(c->revoked, 16))
                ? hm_ipc_send(c->fd, &hm_desc_gw_refuse, &no, NULL, 0)
                : hm_ipc_send(c->fd, &hm_desc_gw_welcome, &ok, NULL, 0);
    if (r)
        fprintf(stderr, "core: %s\n", strerror(-r));
}

static int key_public(EVP_PKEY *k, uint8_t pub[HM_PUBKEY_BYTES])
{
    size_t len;
    return EVP_PKEY_get_octet_string_param(k, "encoded-pub-key", pub, HM_PUBKEY_BYTES, &len) ? 0
                                                                                             : -1;
}

static struct hm_key *read_key(const char *path)
{
    char pem[4096];
    struct hm_key *k = NULL;
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(pem, 1, sizeof pem, f) : 0;
    if (f)
        fclose(f);
    return hm_key_from_pem(hm_slice(pem, n), &k, NULL) ? NULL : k;
}

/* Token "good" is good. Everything else about the answer is what core and signer would do. */
static void answer_enroll(struct core *c, const struct hm_msg_gw_enroll *m)
{
    struct hm_buf der = HM_BUF(8192), serial = HM_BUF(64), ca = HM_BUF(8192), set = HM_BUF(8192),
                  out = HM_BUF(65536);
    struct hm_msg_enroll e;
    struct hm_signer s = {0};
    char path[256];
    uint8_t root_pub[HM_PUBKEY_BYTES];
    static const uint8_t id[16] = "enrolled-endpoin";
    struct hm_msg_gw_refuse no = {
        .id = m->id, .code = HM_REFUSED_TOKEN, .text = hm_slice_str("no such token")};

    c->enrolls++;
    if (hm_msg_decode(&hm_desc_enroll, m->enroll, &e))
        return;
    if (!hm_slice_eq(e.token, hm_slice_str("good"))) {
        if (hm_ipc_send(c->fd, &hm_desc_gw_refuse, &no, NULL, 0))
            fprintf(stderr, "core: refuse\n");
        return;
    }
    snprintf(path, sizeof path, "%s/signer/ca.key", c->state);
    s.ca_key = hm_pki_read_key(path);
    snprintf(path, sizeof path, "%s/signer/ca.crt", c->state);
    s.ca = hm_pki_read_cert(path);
    snprintf(path, sizeof path, "%s/signer/root.key", c->state);
    EVP_PKEY *root_pkey = hm_pki_read_key(path);
    struct hm_key *root = read_key(path);
    int r = hm_signer_csr(&s, e.csr, hm_slice(id, 16), &der, &serial);
    r |= hm_pki_cert_der(s.ca, &ca) | key_public(root_pkey, root_pub) |
         hm_trust_make(root, root_pub, root_pub, 1, &set);
    struct hm_msg_enrolled done = {.endpoint = hm_slice(id, 16),
                                   .certificate = hm_buf_slice(&der),
                                   .ca = hm_buf_slice(&ca),
                                   .root_key = hm_slice(root_pub, sizeof root_pub),
                                   .order_key = hm_buf_slice(&set),
                                   .tenant = hm_slice_str("default"),
                                   .group = hm_slice_str("test")};
    hm_msg_encode(&hm_desc_enrolled, &done, &out);
    struct hm_msg_gw_enrolled msg = {.id = m->id, .enrolled = hm_buf_slice(&out)};
    if (r || hm_ipc_send(c->fd, &hm_desc_gw_enrolled, &msg, NULL, 0))
        fprintf(stderr, "core: enrol failed\n");
    hm_key_free(root);
    EVP_PKEY_free(root_pkey);
    hm_signer_done(&s);
    hm_buf_done(&der);
    hm_buf_done(&serial);
    hm_buf_done(&ca);
    hm_buf_done(&set);
    hm_buf_done(&out);
}

static void core_hear(struct core *c, const struct hm_ipc_msg *m)
{
    struct hm_msg_gw_connect connect;
    struct hm_msg_gw_enroll enroll;
    struct hm_msg_gw_fork fork;
    struct hm_msg_gw_stored stored;

    if (m->number == HM_MSG_GW_CONNECT && !hm_msg_decode(&hm_desc_gw_connect, m->payload, &connect))
        answer_connect(c, &connect);
    else if (m->number == HM_MSG_GW_ENROLL &&
             !hm_msg_decode(&hm_desc_gw_enroll, m->payload, &enroll))
        answer_enroll(c, &enroll);
    else if (m->number == HM_MSG_GW_DISCONNECT)
        c->disconnects++;
    else if (m->number == HM_MSG_GW_FORK && !hm_msg_decode(&hm_desc_gw_fork, m->payload, &fork)) {
        c->forks += fork.missing == 0;
        c->missing += fork.missing;
    } else if (m->number == HM_MSG_GW_STORED &&
               !hm_msg_decode(&hm_desc_gw_stored, m->payload, &stored))
        c->stored = stored.next;
}

static void *core_main(void *arg)
{
    struct core *c = arg;
    struct hm_buf buf = HM_BUF(HM_IPC_MAX_BYTES);
    struct hm_ipc_msg m;
    eventfd_t n;

    for (;;) {
        struct pollfd p[2] = {{.fd = c->wake[0], .events = POLLIN},
                              {.fd = c->fd, .events = POLLIN}};
        poll(p, 2, -1);
        pthread_mutex_lock(&c->lock);
        if (p[0].revents) {
            eventfd_read(c->wake[0], &n);
            if (c->next_fd >= 0) {
                if (c->fd >= 0)
                    close(c->fd);
                c->fd = c->next_fd;
                c->next_fd = -1;
            }
        }
        int r = 0;
        while (c->fd >= 0 && (r = hm_ipc_recv(c->fd, &buf, &m)) > 0)
            core_hear(c, &m);
        if (r < 0) {
            close(c->fd);
            c->fd = -1;
        }
        bool stop = c->stop;
        pthread_mutex_unlock(&c->lock);
        if (stop)
            break;
    }
    hm_buf_done(&buf);
    return NULL;
}

static void core_wake(struct core *c, int fd)
{
    pthread_mutex_lock(&c->lock);
    if (fd >= 0)
        c->next_fd = fd;
    pthread_mutex_unlock(&c->lock);
    eventfd_write(c->wake[0], 1);
}

static int core_start(struct world *w)
{
    struct core *c = &w->core;
    pthread_mutex_init(&c->lock, NULL);
    c->fd = c->next_fd = -1;
    c->state = w->state;
    c->wake[0] = eventfd(0, EFD_CLOEXEC);
    return c->wake[0] < 0 || pthread_create(&c->thread, NULL, core_main, c) ? -1 : 0;
}

/* ---- the gateway ---- */

void core_reconnect(struct world *w)
{
    int fds[2];
    struct hm_msg_peer m = {.role = hm_slice_str("core")};

    if (hm_ipc_pair(fds) || hm_ipc_send(w->sock, &hm_desc_peer, &m, &fds[0], 1))
        abort();
    close(fds[0]);
    core_wake(&w->core, fds[1]);
}

int gateway_start(struct world *w)
{
    struct hm_buf text = HM_BUF(65536);
    struct hm_error err = {0};
    int keep = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    int log = open(w->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    dup2(log, STDERR_FILENO);
    int r = hm_role_spawn(&hm_server_roles[HM_ROLE_GATEWAY].role, &w->gateway, &w->pidfd, &w->sock,
                          &err);
    dup2(keep, STDERR_FILENO);
    close(keep);
    close(log);
    if (r)
        return r;
    hm_config_write(&w->config, &text);
    struct hm_msg_role_start m = {.config = hm_buf_slice(&text)};
    r = hm_ipc_send(w->sock, &hm_desc_role_start, &m, &w->listener, 1);
    hm_buf_done(&text);
    if (!r)
        core_reconnect(w);
    return r;
}

void gateway_stop(struct world *w, bool kill_it)
{
    siginfo_t si;

    if (!w->gateway)
        return;
    if (kill_it)
        kill(w->gateway, SIGKILL);
    else
        shutdown(w->sock, SHUT_RDWR);
    waitid(P_PID, (id_t)w->gateway, &si, WEXITED);
    close(w->sock);
    close(w->pidfd);
    w->gateway = 0;
}

static int listen_any(struct world *w)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;

    if (hm_listen_open("127.0.0.1:0", &w->listener, NULL) ||
        getsockname(w->listener, (struct sockaddr *)&a, &len) < 0)
        return -1;
    w->port = ntohs(a.sin_port);
    return 0;
}

static int mount_small(const char *dir, int mib)
{
    char size[64];
    snprintf(size, sizeof size, "size=%dm,mode=0711", mib);
    return mount("tmpfs", dir, "tmpfs", 0, size);
}

int world_make(struct world *w, int tmpfs_mib)
{
    struct hm_error err = {0};
    char path[256];

    memset(w, 0, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/hinomi-gw-XXXXXX");
    if (!mkdtemp(w->dir) || chmod(w->dir, 0711) < 0 ||
        (tmpfs_mib && mount_small(w->dir, tmpfs_mib) < 0))
        return -1;
    w->mounted = tmpfs_mib > 0;
    snprintf(w->state, sizeof w->state, "%s/server", w->dir);
    snprintf(w->log, sizeof w->log, "%s/gateway.log", w->dir);
    hm_config_defaults(&w->config);
    snprintf(w->config.state, sizeof w->config.state, "%s", w->state);
    if (hm_server_init(&w->config, true, &err)) {
        fprintf(stderr, "init: %s\n", err.text);
        return -1;
    }
    snprintf(path, sizeof path, "%s/signer/ca.key", w->state);
    w->ca_key = hm_pki_read_key(path);
    snprintf(path, sizeof path, "%s/signer/ca.crt", w->state);
    w->ca = hm_pki_read_cert(path);
    return !w->ca || !w->ca_key || listen_any(w) || core_start(w) || gateway_start(w) ? -1 : 0;
}

void world_end(struct world *w)
{
    char cmd[128];

    gateway_stop(w, false);
    pthread_mutex_lock(&w->core.lock);
    w->core.stop = true;
    pthread_mutex_unlock(&w->core.lock);
    core_wake(&w->core, -1);
    pthread_join(w->core.thread, NULL);
    close(w->listener);
    EVP_PKEY_free(w->ca_key);
    X509_free(w->ca);
    if (w->mounted && umount2(w->dir, MNT_DETACH) < 0)
        perror(w->dir);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", w->dir);
    if (system(cmd))
        fprintf(stderr, "%s is left\n", w->dir);
}

int log_count(const struct world *w, const char *text)
{
    char line[4096];
    int n = 0;
    FILE *f = fopen(w->log, "r");

    while (f && fgets(line, sizeof line, f))
        n += strstr(line, text) != NULL;
    if (f)
        fclose(f);
    return n;
}

/* A peer may see its end before the gateway has said why. */
int log_wait(const struct world *w, const char *text, int want)
{
    int n = log_count(w, text);

    for (int i = 0; i < 300 && n < want; i++) {
        usleep(10000);
        n = log_count(w, text);
    }
    return n;
}

/* ---- peers ---- */

void identity_make(EVP_PKEY *ca_key, X509 *ca, uint8_t tag, struct identity *ret)
{
    char name[33], uri[sizeof HM_PKI_ENDPOINT_URI + 32];
    struct hm_pki_leaf leaf = {name, uri, NULL, 30};

    memset(ret->id, tag, sizeof ret->id);
    for (int i = 0; i < 16; i++)
        snprintf(name + 2 * i, 3, "%02x", tag);
    snprintf(uri, sizeof uri, "%s%s", HM_PKI_ENDPOINT_URI, name);
    ret->key = hm_pki_key_new();
    if (!ret->key || hm_pki_issue(ca_key, ca, ret->key, &leaf, &ret->cert))
        abort();
}

void identity_done(struct identity *i)
{
    EVP_PKEY_free(i->key);
    X509_free(i->cert);
}

static int tcp_connect(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {5, 0};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* as agents do */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int client_open(struct world *w, const struct identity *id, const char *alpn, SSL_SESSION *session,
                struct client *ret)
{
    uint8_t list[64];

    *ret = (struct client){.in = HM_BUF(4u << 20), .fd = tcp_connect(w->port)};
    if (ret->fd < 0)
        return -1;
    ret->ctx = SSL_CTX_new(TLS_client_method());
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ret->ctx), w->ca);
    SSL_CTX_set_verify(ret->ctx, SSL_VERIFY_PEER, NULL);
    if (id) {
        SSL_CTX_use_certificate(ret->ctx, id->cert);
        SSL_CTX_use_PrivateKey(ret->ctx, id->key);
    }
    ret->ssl = SSL_new(ret->ctx);
    if (alpn) {
        list[0] = (uint8_t)strlen(alpn);
        memcpy(list + 1, alpn, list[0]);
        SSL_set_alpn_protos(ret->ssl, list, list[0] + 1u);
    }
    if (session)
        SSL_set_session(ret->ssl, session);
    SSL_set_fd(ret->ssl, ret->fd);
    return SSL_connect(ret->ssl) == 1 ? 0 : -1;
}

void client_close(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    if (c->fd >= 0)
        close(c->fd);
    hm_buf_done(&c->in);
}

int client_raw(struct client *c, const void *p, size_t len)
{
    return SSL_write(c->ssl, p, (int)len) == (int)len ? 0 : -1;
}

int client_send(struct client *c, const struct hm_msg_desc *d, const void *msg)
{
    struct hm_buf b = HM_BUF(4u << 20);

    hm_frame_encode(d, msg, &b);
    int r = b.error ? -1 : client_raw(c, b.data, b.len);
    hm_buf_done(&b);
    return r;
}

int client_recv(struct client *c, struct hm_slice *ret_payload)
{
    static uint8_t copy[1 << 20];
    uint16_t number;
    size_t used;

    for (;;) {
        struct hm_slice p;
        if (hm_frame_peek(hm_buf_slice(&c->in), &number, &p, &used) == 1) {
            memcpy(copy, p.p, p.len);
            *ret_payload = hm_slice(copy, p.len);
            memmove(c->in.data, c->in.data + used, c->in.len - used);
            c->in.len -= used;
            return number;
        }
        uint8_t chunk[16384];
        errno = 0;
        int n = SSL_read(c->ssl, chunk, sizeof chunk);
        if (n <= 0)
            return errno == EAGAIN ? -1 : 0;
        hm_buf_put(&c->in, chunk, (size_t)n);
    }
}

int client_hello(struct client *c, const uint8_t id[16], uint64_t epoch,
                 struct hm_slice *ret_payload)
{
    struct hm_msg_hello m = {.version = HM_WIRE_VERSION,
                             .endpoint = hm_slice(id, 16),
                             .nonce = hm_slice_str("nonce"),
                             .epoch = epoch,
                             .boot = 1,
                             .host_name = hm_slice_str("test-host")};
    if (client_send(c, &hm_desc_hello, &m))
        return 0;
    return client_recv(c, ret_payload);
}

struct hm_batch_writer *writer_new(const uint8_t id[16], uint64_t epoch, uint64_t lane)
{
    struct hm_batch_head start = {.epoch = epoch, .boot = 1, .lane = lane, .first_seq = 1};
    memcpy(start.endpoint, id, 16);
    return hm_batch_writer_new(&start);
}

void batch_make(struct hm_batch_writer *w, int n, struct hm_buf *out)
{
    struct hm_event e;

    for (int i = 0; i < n; i++) {
        hm_event_clear(&e);
        hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_AGENT);
        hm_event_set_u64(&e, HM_F_WALL_NS, hm_clock_wall_ns());
        hm_event_set(&e, HM_F_AGENT_DETAIL, hm_slice_str("test"));
        if (hm_batch_add(w, &e) < 0)
            abort();
    }
    if (hm_batch_close(w, out))
        abort();
}
