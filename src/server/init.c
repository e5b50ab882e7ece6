/* The first keys of a server. Owns which keys there are and where they lie; refuses to know how
 * certificates are made (pki.c) and what the control database holds (core/control.h). */
#include "server/init.h"

#include "server/core/control.h"
#include "server/pki.h"
#include "server/state.h"
#include "wire/trust.h"

#include "base/crypto.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>

#define SERVER_DAYS (10 * 365)

struct keys {
    EVP_PKEY *ca_key, *root, *order, *content, *gateway, *console;
    X509 *ca, *gateway_cert, *console_cert;
};

static void keys_done(struct keys *k)
{
    EVP_PKEY_free(k->ca_key);
    EVP_PKEY_free(k->root);
    EVP_PKEY_free(k->order);
    EVP_PKEY_free(k->content);
    EVP_PKEY_free(k->gateway);
    EVP_PKEY_free(k->console);
    X509_free(k->ca);
    X509_free(k->gateway_cert);
    X509_free(k->console_cert);
}

/* Everything a browser may call this machine: loopback, its name, the public name, the address it
 * listens on unless that is "all". */
static void host_list(const struct hm_server_config *c, char *out, size_t len)
{
    char name[256] = "localhost", listen[HM_CONFIG_VALUE_MAX];

    gethostname(name, sizeof name - 1);
    snprintf(listen, sizeof listen, "%s", c->console_listen);
    char *colon = strrchr(listen, ':');
    if (colon)
        *colon = 0;
    bool all = !listen[0] || strcmp(listen, "0.0.0.0") == 0 || strchr(listen, '[');
    snprintf(out, len, "localhost,127.0.0.1,::1,%s%s%s%s%s", name, c->public_host[0] ? "," : "",
             c->public_host, all ? "" : ",", all ? "" : listen);
}

static int make_keys(const struct hm_server_config *c, struct keys *k)
{
    char hosts[2048];
    struct hm_pki_leaf gateway = {"Hinomi gateway", HM_PKI_GATEWAY_URI, hosts, SERVER_DAYS};
    struct hm_pki_leaf console = {"Hinomi console", HM_PKI_CONSOLE_URI, hosts, SERVER_DAYS};

    host_list(c, hosts, sizeof hosts);
    EVP_PKEY **all[] = {&k->ca_key, &k->root, &k->order, &k->content, &k->gateway, &k->console};
    for (size_t i = 0; i < HM_ARRAY_LEN(all); i++)
        if (!(*all[i] = hm_pki_key_new()))
            return -EIO;
    int r = hm_pki_ca_new(k->ca_key, "Hinomi CA", &k->ca);
    if (!r)
        r = hm_pki_issue(k->ca_key, k->ca, k->gateway, &gateway, &k->gateway_cert);
    if (!r)
        r = hm_pki_issue(k->ca_key, k->ca, k->console, &console, &k->console_cert);
    return r;
}

static int key_of(EVP_PKEY *pkey, struct hm_key **ret_key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem;
    int r = -EIO;

    if (bio && PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL)) {
        long n = BIO_get_mem_data(bio, &pem);
        r = hm_key_from_pem(hm_slice(pem, (size_t)n), ret_key, NULL);
    }
    BIO_free(bio);
    return r;
}

static void put_hex(struct hm_buf *out, struct hm_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        hm_buf_printf(out, "%02x", s.p[i]);
}

/* trust.json: what an agent pins at enrolment. core passes it on in ENROLLED. */
static int trust_json(const struct keys *k, uint64_t version, struct hm_buf *out)
{
    hm_auto(hm_buf_done) struct hm_buf set = HM_BUF(64 * 1024);
    uint8_t root_pub[HM_PUBKEY_BYTES], order_pub[HM_PUBKEY_BYTES], content_pub[HM_PUBKEY_BYTES];
    struct hm_key *root = NULL, *order = NULL, *content = NULL;

    int r = key_of(k->root, &root);
    if (!r)
        r = key_of(k->order, &order);
    if (!r)
        r = key_of(k->content, &content);
    if (!r) {
        hm_key_public(root, root_pub);
        hm_key_public(order, order_pub);
        hm_key_public(content, content_pub);
        r = hm_trust_make(root, order_pub, content_pub, version, &set);
    }
    hm_key_free(root);
    hm_key_free(order);
    hm_key_free(content);
    if (r)
        return r;
    hm_buf_puts(out, "{\"root_key\":\"");
    put_hex(out, hm_slice(root_pub, sizeof root_pub));
    hm_buf_puts(out, "\",\"key_set\":\"");
    put_hex(out, hm_buf_slice(&set));
    hm_buf_puts(out, "\"}\n");
    return out->error;
}

static int write_text(const char *path, struct hm_slice text, mode_t mode)
{
    hm_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0 || fchmod(fd, mode) < 0)
        return -errno;
    if (write(fd, text.p, text.len) != (ssize_t)text.len)
        return errno ? -errno : -EIO;
    return fsync(fd) < 0 ? -errno : 0;
}

static int write_files(const char *state, const struct keys *k)
{
    hm_auto(hm_buf_done) struct hm_buf trust = HM_BUF(128 * 1024);
    X509 *gateway[] = {k->gateway_cert, k->ca}, *console[] = {k->console_cert, k->ca};
    char path[4096];
    struct {
        const char *name;
        EVP_PKEY *key;
        X509 *const *certs;
        size_t n;
    } files[] = {
        {"signer/ca.key", k->ca_key, NULL, 0},    {"signer/root.key", k->root, NULL, 0},
        {"signer/order.key", k->order, NULL, 0},  {"signer/content.key", k->content, NULL, 0},
        {"gateway/tls.key", k->gateway, NULL, 0}, {"api/tls.key", k->console, NULL, 0},
        {"signer/ca.crt", NULL, &k->ca, 1},       {"gateway/ca.crt", NULL, &k->ca, 1},
        {"gateway/tls.crt", NULL, gateway, 2},    {"api/tls.crt", NULL, console, 2},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", state, files[i].name);
        int r = files[i].key ? hm_pki_write_key(path, files[i].key)
                             : hm_pki_write_certs(path, files[i].certs, files[i].n);
        if (r)
            return r;
    }
    int r = trust_json(k, 1, &trust);
    if (r)
        return r;
    snprintf(path, sizeof path, "%s/signer/trust.json", state);
    return write_text(path, hm_buf_slice(&trust), 0644);
}

static int ca_fingerprint(X509 *ca, char ret_hex[65])
{
    hm_auto(hm_buf_done) struct hm_buf der = HM_BUF(64 * 1024);
    uint8_t hash[HM_SHA256_BYTES];

    int r = hm_pki_cert_der(ca, &der);
    if (r)
        return r;
    hm_sha256(hm_buf_slice(&der), hash);
    for (size_t i = 0; i < sizeof hash; i++)
        snprintf(ret_hex + 2 * i, 3, "%02x", hash[i]);
    return 0;
}

static void print_first(const struct hm_server_config *c, const struct hm_control_first *f,
                        const char *fp, bool json)
{
    static const struct hm_text text = {
        "Keys made in %s/signer. This is an evaluation root: it lies on this machine.\n"
        "  CA fingerprint (SHA-256)  %s\n"
        "  console                   https://%s/\n"
        "  user                      %s\n"
        "  one-time password         %s   (shown only now)\n",
        "鍵を %s/signer に作りました。評価用のルート鍵で、このマシンの中にあります。\n"
        "  CA の指紋 (SHA-256)   %s\n"
        "  コンソール            https://%s/\n"
        "  ユーザー              %s\n"
        "  1 回限りのパスワード  %s   （いま一度だけ表示します）\n"};
    if (json)
        printf("{\"user\": \"%s\", \"password\": \"%s\", \"tenant\": \"%s\", \"ca_sha256\": "
               "\"%s\"}\n",
               f->user, f->password, f->tenant, fp);
    else
        printf(hm_text(&text, hm_lang_from_env()), c->state, fp, c->console_listen, f->user,
               f->password);
}

static int make_control(const struct hm_server_config *c, struct hm_control_first *ret_first,
                        struct hm_error *err)
{
    char path[4096];
    hm_auto(hm_buf_done) struct hm_buf token = HM_BUF(256);

    snprintf(path, sizeof path, "%s/core/control.db", c->state);
    int r = hm_control_init(path, ret_first, err);
    if (r)
        return r;
    hm_buf_printf(&token, "%s\n", ret_first->api_token);
    snprintf(path, sizeof path, "%s/admin.token", c->state);
    r = write_text(path, hm_buf_slice(&token), 0600);
    return r ? hm_fail(err, r, "%s: %s", path, strerror(-r)) : 0;
}

/* A state folder from before content bundles gets its key, signed by the root while that still lies
 * on this machine; endpoints learn of it with their first offer. */
int hm_server_keys_complete(const struct hm_server_config *c, struct hm_error *err)
{
    hm_auto(keys_done) struct keys k = {0};
    hm_auto(hm_buf_done) struct hm_buf trust = HM_BUF(128 * 1024);
    char path[4096], aside[4096];

    snprintf(path, sizeof path, "%s/signer/content.key", c->state);
    if (access(path, F_OK) == 0)
        return 0;
    snprintf(aside, sizeof aside, "%s/signer/root.key", c->state);
    k.root = hm_pki_read_key(aside);
    snprintf(aside, sizeof aside, "%s/signer/order.key", c->state);
    k.order = hm_pki_read_key(aside);
    k.content = hm_pki_key_new();
    if (!k.root || !k.order || !k.content)
        return hm_fail(err, -ENOENT, "%s is missing, and without the root key none can be made",
                       path);
    int r = trust_json(&k, 2, &trust);
    snprintf(aside, sizeof aside, "%s/signer/trust.json", c->state);
    if (!r)
        r = write_text(aside, hm_buf_slice(&trust), 0644);
    if (!r) /* last: its absence is what brings us here */
        r = hm_pki_write_key(path, k.content);
    return r ? hm_fail(err, r, "%s: %s", path, strerror(-r)) : 0;
}

/* The control database comes last: it is what tells a finished state folder from a torn one. */
int hm_server_init(const struct hm_server_config *c, bool json, struct hm_error *err)
{
    struct hm_control_first first = {0};
    hm_auto(keys_done) struct keys k = {0};
    hm_autoclose int lock = -1;
    char path[4096], fp[65];

    snprintf(path, sizeof path, "%s/core/control.db", c->state);
    if (access(path, F_OK) == 0)
        return hm_fail(err, -EEXIST, "%s exists already and stays as it is", path);
    int r = hm_state_prepare(c->state, err);
    if (!r)
        r = hm_state_lock(c->state, &lock, err);
    if (r)
        return r;
    if ((r = make_keys(c, &k)) || (r = write_files(c->state, &k)) || (r = ca_fingerprint(k.ca, fp)))
        return hm_fail(err, r, "cannot make the keys: %s", strerror(-r));
    if ((r = make_control(c, &first, err)) || (r = hm_state_prepare(c->state, err)))
        return r;
    print_first(c, &first, fp, json);
    explicit_bzero(&first, sizeof first);
    return 0;
}
