/* The signer as its own process: what it signs, what it refuses, and how little it can do. */
#include "base/clock.h"
#include "server/init.h"
#include "server/messages.h"
#include "server/pki.h"
#include "server/roles.h"
#include "wire/limits.h"
#include "wire/order.h"
#include "wire/trust.h"
#include <openssl/x509v3.h>

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static struct {
    char dir[64], state[96];
    pid_t pid;
    int pidfd, sock, peer;
    struct hm_buf buf;
    uint8_t pub[HM_PUBKEY_BYTES]; /* of the order key */
    X509 *ca;
    uint64_t id;
} t;

static struct hm_msg_signer_done answer(void)
{
    struct hm_ipc_msg m;
    struct hm_msg_signer_done done;
    struct pollfd p = {.fd = t.peer, .events = POLLIN};

    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(hm_ipc_recv(t.peer, &t.buf, &m), 1);
    assert_int_equal(m.number, HM_MSG_SIGNER_DONE);
    assert_int_equal(hm_msg_decode(&hm_desc_signer_done, m.payload, &done), 0);
    assert_int_equal(done.id, t.id);
    return done;
}

static struct hm_msg_signer_done ask_csr(struct hm_slice csr, struct hm_slice endpoint)
{
    struct hm_msg_sign_csr m = {
        .id = ++t.id, .csr = csr, .endpoint = endpoint, .tenant = hm_slice_str("default")};
    assert_int_equal(hm_ipc_send(t.peer, &hm_desc_sign_csr, &m, NULL, 0), 0);
    return answer();
}

static struct hm_msg_signer_done ask_stmt(const char *domain, struct hm_slice payload)
{
    struct hm_msg_sign_stmt m = {.id = ++t.id, .domain = hm_slice_str(domain), .payload = payload};
    assert_int_equal(hm_ipc_send(t.peer, &hm_desc_sign_stmt, &m, NULL, 0), 0);
    return answer();
}

static void make_csr(EVP_PKEY *key, EVP_PKEY *signer, struct hm_buf *out)
{
    X509_REQ *req = X509_REQ_new();
    uint8_t *der = NULL;

    X509_REQ_set_pubkey(req, key);
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_ASC,
                               (const uint8_t *)"I say I am admin", -1, -1, 0);
    assert_true(X509_REQ_sign(req, signer, EVP_sha256()) > 0);
    int n = i2d_X509_REQ(req, &der);
    hm_buf_clear(out);
    hm_buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    X509_REQ_free(req);
}

static void a_certificate_says_what_core_said_and_nothing_of_the_request(void **state)
{
    struct hm_buf csr = HM_BUF(8192);
    EVP_PKEY *key = hm_pki_key_new();
    uint8_t id[16];
    char cn[128];

    (void)state;
    make_csr(key, key, &csr);
    struct hm_msg_signer_done d = ask_csr(hm_buf_slice(&csr), hm_slice_str("0123456789abcdef"));
    const uint8_t *p = d.data.p;
    X509 *cert = d2i_X509(NULL, &p, (long)d.data.len);
    assert_non_null(cert);
    assert_int_equal(X509_verify(cert, X509_get0_pubkey(t.ca)), 1);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(cert), key), 1);
    assert_int_equal(hm_pki_cert_endpoint(cert, id), 0);
    assert_memory_equal(id, "0123456789abcdef", 16);
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn, sizeof cn);
    assert_string_equal(cn, "30313233343536373839616263646566");
    assert_int_equal(X509_check_ca(cert), 0);
    assert_int_equal(X509_check_purpose(cert, X509_PURPOSE_SSL_SERVER, 0), 0);
    assert_int_equal(X509_check_purpose(cert, X509_PURPOSE_SSL_CLIENT, 0), 1);
    assert_true(d.serial.len > 8);
    X509_free(cert);
    EVP_PKEY_free(key);
    hm_buf_done(&csr);
}

static void requests_that_are_not_sound_are_refused(void **state)
{
    struct hm_buf csr = HM_BUF(8192);
    EVP_PKEY *key = hm_pki_key_new(), *other = hm_pki_key_new();
    EVP_PKEY *p384 = EVP_EC_gen("P-384"), *rsa = EVP_RSA_gen(2048);
    struct hm_slice id = hm_slice_str("0123456789abcdef");

    (void)state;
    assert_int_equal(ask_csr(hm_slice_str("garbage"), id).data.len, 0);
    make_csr(key, other, &csr); /* signed by somebody else: no proof of the key */
    assert_int_equal(ask_csr(hm_buf_slice(&csr), id).data.len, 0);
    make_csr(p384, p384, &csr);
    assert_int_equal(ask_csr(hm_buf_slice(&csr), id).data.len, 0);
    make_csr(rsa, rsa, &csr);
    assert_int_equal(ask_csr(hm_buf_slice(&csr), id).data.len, 0);
    make_csr(key, key, &csr);
    assert_int_equal(ask_csr(hm_buf_slice(&csr), hm_slice_str("short")).data.len, 0);
    hm_buf_put_u8(&csr, 0); /* trailing byte */
    assert_int_equal(ask_csr(hm_buf_slice(&csr), id).data.len, 0);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(rsa);
    hm_buf_done(&csr);
}

static struct hm_msg_order order_now(void)
{
    uint64_t now = hm_clock_wall_ns() / 1000000;
    return (struct hm_msg_order){.tenant = hm_slice_str("default"),
                                 .endpoint = hm_slice_str("0123456789abcdef"),
                                 .endpoint_key = hm_slice_str("0123456789abcdef0123456789abcdef"),
                                 .counter = 1,
                                 .id = hm_slice_str("fedcba9876543210"),
                                 .kind = HM_ORDER_ISOLATE,
                                 .issued_ms = now,
                                 .not_after_ms = now + 60000};
}

static size_t sign_order(const struct hm_msg_order *o)
{
    struct hm_buf b = HM_BUF(65536);
    struct hm_slice payload;

    hm_msg_encode(&hm_desc_order, o, &b);
    struct hm_msg_signer_done d = ask_stmt(HM_DOMAIN_ORDER, hm_buf_slice(&b));
    if (d.data.len) {
        assert_int_equal(hm_stmt_verify(t.pub, HM_DOMAIN_ORDER, d.data, &payload), 0);
        assert_true(hm_slice_eq(payload, hm_buf_slice(&b)));
        assert_int_equal(hm_stmt_verify(t.pub, HM_DOMAIN_TIME, d.data, &payload), -EKEYREJECTED);
    }
    hm_buf_done(&b);
    return d.data.len;
}

static void orders_are_signed_within_limits_only(void **state)
{
    struct hm_msg_order o = order_now();

    (void)state;
    assert_true(sign_order(&o) > 0);
    o.kind = 3;
    assert_int_equal(sign_order(&o), 0);
    o = order_now();
    o.not_after_ms = o.issued_ms + HM_ORDER_LIFE_MAX_MS + 1;
    assert_int_equal(sign_order(&o), 0);
    o = order_now();
    o.issued_ms += 3600000; /* issued in the future: would live longer than it says */
    o.not_after_ms += 3600000;
    assert_int_equal(sign_order(&o), 0);
    assert_int_equal(ask_stmt(HM_DOMAIN_ORDER, hm_slice_str("no order")).data.len, 0);
}

static size_t sign_time(uint64_t ms, struct hm_slice nonce)
{
    struct hm_buf b = HM_BUF(4096);
    struct hm_msg_time_stmt m = {
        .endpoint = hm_slice_str("0123456789abcdef"), .nonce = nonce, .server_ms = ms};

    hm_msg_encode(&hm_desc_time_stmt, &m, &b);
    size_t n = ask_stmt(HM_DOMAIN_TIME, hm_buf_slice(&b)).data.len;
    hm_buf_done(&b);
    return n;
}

static void only_the_present_time_is_signed(void **state)
{
    uint64_t now = hm_clock_wall_ns() / 1000000;

    (void)state;
    assert_true(sign_time(now, hm_slice_str("nonce")) > 0);
    assert_int_equal(sign_time(now - 60000, hm_slice_str("nonce")), 0);
    assert_int_equal(sign_time(now + 60000, hm_slice_str("nonce")), 0);
    assert_int_equal(sign_time(now, (struct hm_slice){0}), 0);
}

/* A key statement by the order key would make a new order key: only the root may. */
static void other_domains_are_refused(void **state)
{
    struct hm_buf b = HM_BUF(4096);
    struct hm_msg_key_statement m = {.domain = hm_slice_str(HM_DOMAIN_ORDER),
                                     .public_key = hm_slice(t.pub, sizeof t.pub),
                                     .version = 2};

    (void)state;
    hm_msg_encode(&hm_desc_key_statement, &m, &b);
    assert_int_equal(ask_stmt(HM_DOMAIN_KEY, hm_buf_slice(&b)).data.len, 0);
    assert_int_equal(ask_stmt("hinomi-order-v1x", hm_buf_slice(&b)).data.len, 0);
    hm_buf_done(&b);
}

static void peer_with(void)
{
    int fds[2];
    struct hm_msg_peer m = {.role = hm_slice_str("core")};

    assert_int_equal(hm_ipc_pair(fds), 0);
    assert_int_equal(hm_ipc_send(t.sock, &hm_desc_peer, &m, &fds[0], 1), 0);
    close(fds[0]);
    t.peer = fds[1];
}

static void a_malformed_request_ends_that_peer_only(void **state)
{
    struct hm_msg_poke wrong = {.table = hm_slice_str("orders")};
    struct hm_ipc_msg m;
    struct pollfd p = {.fd = t.peer, .events = POLLIN};

    (void)state;
    assert_int_equal(hm_ipc_send(t.peer, &hm_desc_poke, &wrong, NULL, 0), 0);
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(hm_ipc_recv(t.peer, &t.buf, &m), -ECONNRESET);
    close(t.peer);
    peer_with();
    struct hm_msg_order o = order_now();
    assert_true(sign_order(&o) > 0);
}

static void it_has_no_rights_left(void **state)
{
    char path[64], line[256];
    long uid = -1, caps = -1, seccomp = -1;

    (void)state;
    snprintf(path, sizeof path, "/proc/%d/status", (int)t.pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "Uid:", 4) == 0)
            uid = strtol(line + 4, NULL, 10);
        if (strncmp(line, "CapPrm:", 7) == 0)
            caps = strtol(line + 7, NULL, 16);
        if (strncmp(line, "Seccomp:", 8) == 0)
            seccomp = strtol(line + 8, NULL, 10);
    }
    fclose(f);
    assert_int_equal(uid, hm_role_uid(&hm_server_roles[HM_ROLE_SIGNER].role));
    assert_int_equal(caps, 0);
    assert_int_equal(seccomp, 2);
}

static int start_signer(struct hm_server_config *c)
{
    struct hm_buf text = HM_BUF(65536);

    if (hm_role_spawn(&hm_server_roles[HM_ROLE_SIGNER].role, &t.pid, &t.pidfd, &t.sock, NULL))
        return -1;
    hm_config_write(c, &text);
    struct hm_msg_role_start m = {.config = hm_buf_slice(&text)};
    int r = hm_ipc_send(t.sock, &hm_desc_role_start, &m, NULL, 0);
    hm_buf_done(&text);
    return r;
}

static int set_up(void **state)
{
    struct hm_server_config c;
    struct hm_error err = {0};
    char path[160];
    size_t len;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    t.buf = HM_BUF(HM_IPC_MAX_BYTES);
    snprintf(t.dir, sizeof t.dir, "/tmp/hinomi-sign-XXXXXX");
    if (!mkdtemp(t.dir) || chmod(t.dir, 0711) < 0)
        return -1;
    snprintf(t.state, sizeof t.state, "%s/server", t.dir);
    hm_config_defaults(&c);
    snprintf(c.state, sizeof c.state, "%s", t.state);
    if (hm_server_init(&c, true, &err) || start_signer(&c))
        return -1;
    snprintf(path, sizeof path, "%s/signer/order.key", t.state);
    EVP_PKEY *k = hm_pki_read_key(path);
    EVP_PKEY_get_octet_string_param(k, "encoded-pub-key", t.pub, sizeof t.pub, &len);
    EVP_PKEY_free(k);
    snprintf(path, sizeof path, "%s/signer/ca.crt", t.state);
    t.ca = hm_pki_read_cert(path);
    peer_with();
    return t.ca ? 0 : -1;
}

static int tear_down(void **state)
{
    siginfo_t si = {0};
    char cmd[128];

    (void)state;
    shutdown(t.sock, SHUT_RDWR);
    waitid(P_PID, (id_t)t.pid, &si, WEXITED);
    close(t.sock);
    close(t.peer);
    close(t.pidfd);
    X509_free(t.ca);
    hm_buf_done(&t.buf);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", t.dir);
    return system(cmd) || si.si_code != CLD_EXITED || si.si_status != 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "-p") == 0)
        return hm_signer_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_says_what_core_said_and_nothing_of_the_request),
        cmocka_unit_test(requests_that_are_not_sound_are_refused),
        cmocka_unit_test(orders_are_signed_within_limits_only),
        cmocka_unit_test(only_the_present_time_is_signed),
        cmocka_unit_test(other_domains_are_refused),
        cmocka_unit_test(a_malformed_request_ends_that_peer_only),
        cmocka_unit_test(it_has_no_rights_left),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
