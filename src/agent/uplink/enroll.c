/* Owns enrolment: a key that never leaves this machine, a request for it, one exchange with a
 * server known by its CA's fingerprint. Refuses to know sessions. */
#include "agent/uplink/enroll.h"

#include "agent/identity.h"
#include "agent/uplink/resolve.h"
#include "agent/uplink/tls.h"
#include "wire/frame.h"
#include "wire/trust.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/utsname.h>

#define DEFAULT_STATE "/var/lib/hinomi/agent"
#define EXCHANGE_S    30 /* one exchange; core and signer answer in milliseconds */
#define ANSWER_MAX    (64 * 1024)
#define CSR_MAX       4096

enum said {
    SAID_DONE,
    SAID_USAGE,
    SAID_EXISTS,
    SAID_UNREACHED,
    SAID_PIN,
    SAID_TOKEN,
    SAID_REFUSED,
    SAID_ANSWER,
    SAID_FAILED,
    SAID_ROOT
};
static const struct {
    int code;
    struct hm_text text; /* %s: detail */
} said[] = {
    [SAID_DONE] = {0, {"enrolled: endpoint %s\n", "登録しました: 端末 %s\n"}},
    [SAID_USAGE] = {2,
                    {"usage: hinomi-agent enroll --server HOST:PORT --token T --ca-sha256 HEX "
                     "[--state DIR] [--practice] (%s)\n",
                     "使い方: hinomi-agent enroll --server ホスト:ポート --token T --ca-sha256 "
                     "HEX [--state DIR] [--practice]（%s）\n"}},
    [SAID_EXISTS] = {3,
                     {"this endpoint is enrolled already (%s); remove its identity folder first "
                      "if you mean to enrol it anew\n",
                      "この端末は登録済みです（%s）。登録し直す場合は、先に identity "
                      "フォルダーを削除してください\n"}},
    [SAID_UNREACHED] = {4,
                        {"the server cannot be reached: %s\n", "サーバーに接続できません: %s\n"}},
    [SAID_PIN] = {5,
                  {"the server does not have the CA of this fingerprint: check --ca-sha256 and the "
                   "address (%s)\n",
                   "サーバーの CA の指紋が一致しません。--ca-sha256 とアドレスを確かめてください"
                   "（%s）\n"}},
    [SAID_TOKEN] = {6,
                    {"the token is not valid: expired, used up, revoked or mistyped (%s)\n",
                     "トークンが無効です（期限切れ・使用済み・取り消し・入力誤り: %s）\n"}},
    [SAID_REFUSED] = {1, {"the server refused: %s\n", "サーバーに拒否されました: %s\n"}},
    [SAID_ANSWER] = {1,
                     {"the server's answer cannot be trusted: %s\n",
                      "サーバーの応答を信頼できません: %s\n"}},
    [SAID_FAILED] = {1, {"enrolment failed: %s\n", "登録に失敗しました: %s\n"}},
    [SAID_ROOT] = {1, {"this needs root%s\n", "root 権限が必要です%s\n"}},
};

static int say(enum said what, const char *detail)
{
    fprintf(what == SAID_DONE ? stdout : stderr, hm_text(&said[what].text, hm_lang_from_env()),
            detail);
    return said[what].code;
}

/* ---- what we ask ---- */

static void os_name(char *out, size_t len)
{
    char line[512];
    FILE *f = fopen("/etc/os-release", "re");

    snprintf(out, len, "Linux");
    while (f && fgets(line, sizeof line, f)) {
        char *end = strrchr(line, '"');
        if (strncmp(line, "PRETTY_NAME=\"", 13) == 0 && end > line + 13) {
            *end = 0;
            snprintf(out, len, "%.*s", (int)len - 1, line + 13);
        }
    }
    if (f)
        fclose(f);
}

static int make_csr(EVP_PKEY *key, const char *host, struct hm_buf *out)
{
    X509_REQ *req = X509_REQ_new();
    uint8_t *der = NULL;
    int n = -1;

    if (req && X509_REQ_set_version(req, X509_REQ_VERSION_1) && X509_REQ_set_pubkey(req, key) &&
        X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_UTF8,
                                   (const uint8_t *)host, -1, -1, 0) &&
        X509_REQ_sign(req, key, EVP_sha256()))
        n = i2d_X509_REQ(req, &der);
    X509_REQ_free(req);
    if (n <= 0)
        return -EIO;
    hm_buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    return out->error;
}

static int make_request(const struct hm_enroll_options *o, EVP_PKEY *key, struct hm_buf *out)
{
    hm_auto(hm_buf_done) struct hm_buf csr = HM_BUF(CSR_MAX);
    char host[65] = "unknown", os[256];
    struct utsname u;

    gethostname(host, sizeof host - 1);
    os_name(os, sizeof os);
    if (uname(&u) < 0)
        return -errno;
    int r = make_csr(key, host, &csr);
    if (r)
        return r;
    struct hm_msg_enroll m = {.version = HM_WIRE_VERSION,
                              .token = hm_slice_str(o->token),
                              .csr = hm_buf_slice(&csr),
                              .host_name = hm_slice_str(host),
                              .os = hm_slice_str(os),
                              .kernel = hm_slice_str(u.release),
                              .agent_version = hm_slice_str(HM_VERSION),
                              .practice = o->practice ? 1 : 0};
    hm_frame_encode(&hm_desc_enroll, &m, out);
    return out->error;
}

/* ---- the exchange ---- */

static int connect_to(const char *server, const char **ret_why)
{
    char host[256], port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    struct timeval limit = {EXCHANGE_S, 0};
    int fd = -1;

    *ret_why = "not HOST:PORT";
    if (hm_resolve_split(server, host, port))
        return -1;
    int r = getaddrinfo(host, port, &hints, &list);
    if (r) {
        *ret_why = gai_strerror(r);
        return -1;
    }
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); /* connect() as well */
        if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
            *ret_why = strerror(errno);
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

static int read_answer(SSL *ssl, struct hm_buf *in, uint16_t *ret_number,
                       struct hm_slice *ret_payload)
{
    size_t used;

    for (;;) {
        int r = hm_frame_peek(hm_buf_slice(in), ret_number, ret_payload, &used);
        if (r)
            return r < 0 ? r : 0;
        uint8_t *p = hm_buf_extend(in, 4096);
        if (!p)
            return -E2BIG;
        int n = SSL_read(ssl, p, 4096);
        in->len -= 4096 - (size_t)(n > 0 ? n : 0);
        if (n <= 0)
            return -ECONNRESET;
    }
}

/* 0: answer is in in; else what was said. */
static int exchange(const struct hm_enroll_options *o, struct hm_slice request, struct hm_buf *in,
                    uint16_t *ret_number, struct hm_slice *ret_payload)
{
    SSL_CTX *ctx = NULL;
    SSL *ssl = NULL;
    const char *why = NULL;
    int code = 0;

    hm_autoclose int fd = connect_to(o->server, &why);
    if (fd < 0)
        return say(SAID_UNREACHED, why);
    if (hm_tls_new_pinned(o->ca_sha256, &ctx, NULL) ||
        !(ssl = hm_tls_connect(ctx, fd, HM_ALPN_ENROLL)))
        code = say(SAID_FAILED, "TLS");
    else if (SSL_do_handshake(ssl) != 1)
        code = SSL_get_verify_result(ssl) == X509_V_ERR_CERT_UNTRUSTED
                   ? say(SAID_PIN, o->server)
                   : say(SAID_UNREACHED, "TLS 1.3");
    else if (hm_tls_check_gateway(ssl, HM_ALPN_ENROLL))
        code = say(SAID_PIN, o->server);
    else if (SSL_write(ssl, request.p, (int)request.len) <= 0 ||
             read_answer(ssl, in, ret_number, ret_payload))
        code = say(SAID_UNREACHED, "no answer");
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return code;
}

/* ---- what we are told ---- */

static X509 *parse_cert(struct hm_slice der)
{
    const uint8_t *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.len);
    if (x && p == der.p + der.len)
        return x;
    X509_free(x);
    return NULL;
}

/* NULL: everything holds together; else what does not. */
static const char *check(const struct hm_enroll_options *o, const struct hm_msg_enrolled *m,
                         EVP_PKEY *key, X509 *cert, X509 *ca)
{
    uint8_t hash[HM_SHA256_BYTES];
    struct hm_trust trust;

    hm_sha256(m->ca, hash);
    if (memcmp(hash, o->ca_sha256, sizeof hash))
        return "another CA";
    if (!cert || !ca || X509_verify(cert, X509_get0_pubkey(ca)) != 1 ||
        EVP_PKEY_eq(X509_get0_pubkey(cert), key) != 1)
        return "certificate";
    if (m->endpoint.len != 16 || m->tenant.len == 0)
        return "endpoint";
    if (m->root_key.len != HM_PUBKEY_BYTES || hm_trust_open(m->root_key.p, m->order_key, &trust))
        return "key statements";
    return NULL;
}

static int fill_identity(const struct hm_enroll_options *o, const struct hm_msg_enrolled *m,
                         struct hm_identity *id)
{
    if (strlen(o->server) >= sizeof id->server || m->tenant.len >= sizeof id->tenant ||
        m->group.len >= sizeof id->group || m->order_key.len > sizeof id->key_set)
        return -E2BIG;
    memset(id, 0, sizeof *id);
    snprintf(id->server, sizeof id->server, "%s", o->server);
    memcpy(id->tenant, m->tenant.p, m->tenant.len);
    if (m->group.len)
        memcpy(id->group, m->group.p, m->group.len);
    memcpy(id->endpoint, m->endpoint.p, 16);
    memcpy(id->root_key, m->root_key.p, HM_PUBKEY_BYTES);
    memcpy(id->key_set, m->order_key.p, m->order_key.len);
    id->key_set_len = m->order_key.len;
    id->practice = o->practice;
    return 0;
}

static struct hm_slice bio_slice(BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    return hm_slice(p, n > 0 ? (size_t)n : 0);
}

static int save(int state, const struct hm_identity *id, EVP_PKEY *key, X509 *cert, X509 *ca,
                struct hm_error *err)
{
    BIO *k = BIO_new(BIO_s_secmem()), *c = BIO_new(BIO_s_mem()), *a = BIO_new(BIO_s_mem());
    int r = -EIO;

    if (k && c && a && PEM_write_bio_PKCS8PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) &&
        PEM_write_bio_X509(c, cert) && PEM_write_bio_X509(a, ca)) {
        struct hm_identity_files f = {bio_slice(k), bio_slice(c), bio_slice(a)};
        r = hm_identity_save(state, id, &f, err);
    }
    BIO_free(k);
    BIO_free(c);
    BIO_free(a);
    return r;
}

static int accept_answer(const struct hm_enroll_options *o, int state, EVP_PKEY *key,
                         struct hm_slice payload)
{
    struct hm_msg_enrolled m;
    struct hm_identity id;
    struct hm_error err = {0};
    char hex[33];

    if (hm_msg_decode(&hm_desc_enrolled, payload, &m))
        return say(SAID_ANSWER, "malformed");
    X509 *cert = parse_cert(m.certificate), *ca = parse_cert(m.ca);
    const char *wrong = check(o, &m, key, cert, ca);
    int code;
    if (wrong) {
        code = say(SAID_ANSWER, wrong);
    } else if (fill_identity(o, &m, &id) || save(state, &id, key, cert, ca, &err)) {
        code = say(err.code == -EEXIST ? SAID_EXISTS : SAID_FAILED,
                   err.text[0] ? err.text : "identity");
    } else {
        for (size_t i = 0; i < 16; i++)
            snprintf(hex + 2 * i, 3, "%02x", id.endpoint[i]);
        code = say(SAID_DONE, hex);
    }
    X509_free(cert);
    X509_free(ca);
    return code;
}

static int on_refused(struct hm_slice payload)
{
    struct hm_msg_refused m;
    char text[256];

    if (hm_msg_decode(&hm_desc_refused, payload, &m))
        return say(SAID_ANSWER, "malformed");
    snprintf(text, sizeof text, "%.*s", (int)m.text.len, m.text.len ? (const char *)m.text.p : "");
    return say(m.code == HM_REFUSED_TOKEN ? SAID_TOKEN : SAID_REFUSED, text);
}

static int enroll_into(const struct hm_enroll_options *o, int state, EVP_PKEY *key)
{
    hm_auto(hm_buf_done) struct hm_buf request = HM_BUF(ANSWER_MAX);
    hm_auto(hm_buf_done) struct hm_buf in = HM_BUF(ANSWER_MAX);
    struct hm_slice payload = {0};
    uint16_t number = 0;

    if (make_request(o, key, &request))
        return say(SAID_FAILED, "request");
    int code = exchange(o, hm_buf_slice(&request), &in, &number, &payload);
    if (code)
        return code;
    if (number == HM_MSG_REFUSED)
        return on_refused(payload);
    if (number != HM_MSG_ENROLLED)
        return say(SAID_ANSWER, "unexpected message");
    return accept_answer(o, state, key, payload);
}

int hm_enroll(const struct hm_enroll_options *o)
{
    struct hm_identity old;

    if (geteuid() != 0)
        return say(SAID_ROOT, "");
    if (mkdir(o->state, 0711) < 0 && errno != EEXIST)
        return say(SAID_FAILED, strerror(errno));
    hm_autoclose int state = open(o->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state < 0)
        return say(SAID_FAILED, strerror(errno));
    if (hm_identity_load(state, &old, NULL) == 0)
        return say(SAID_EXISTS, o->state);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (!key)
        return say(SAID_FAILED, "key");
    int code = enroll_into(o, state, key);
    EVP_PKEY_free(key);
    return code;
}

/* ---- command line ---- */

static int parse_hex(const char *s, unsigned char out[32])
{
    for (size_t i = 0; i < 32; i++) {
        unsigned int v;
        char pair[3] = {s[0], s[0] ? s[1] : 0, 0};
        if (strspn(pair, "0123456789abcdefABCDEF") != 2 || sscanf(pair, "%2x", &v) != 1)
            return -EINVAL;
        out[i] = (unsigned char)v;
        s += 2;
        if (*s == ':') /* as openssl prints it */
            s++;
    }
    return *s ? -EINVAL : 0;
}

int hm_enroll_command(int argc, char **argv)
{
    struct hm_enroll_options o = {.state = DEFAULT_STATE};
    const char *pin = NULL;
    struct {
        const char *name, **into;
    } options[] = {{"--server", &o.server},
                   {"--token", &o.token},
                   {"--ca-sha256", &pin},
                   {"--state", &o.state}};

    for (int i = 1; i < argc; i++) { /* argv[0] is the command */
        const char **into = NULL;
        for (size_t k = 0; k < HM_ARRAY_LEN(options); k++)
            if (strcmp(argv[i], options[k].name) == 0)
                into = options[k].into;
        if (strcmp(argv[i], "--practice") == 0)
            o.practice = 1;
        else if (!into || i + 1 >= argc)
            return say(SAID_USAGE, argv[i]);
        else
            *into = argv[++i];
    }
    if (!o.server || !o.token || !pin)
        return say(SAID_USAGE, "--server, --token, --ca-sha256");
    if (parse_hex(pin, o.ca_sha256))
        return say(SAID_USAGE, "--ca-sha256");
    return hm_enroll(&o);
}
