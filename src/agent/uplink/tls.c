/* Owns whom the agent believes. Refuses to know what is said. */
#include "agent/uplink/tls.h"

#include "base/crypto.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static SSL_CTX *new_ctx(struct hm_error *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (ctx && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) &&
        SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) &&
        SSL_CTX_set1_groups_list(ctx, "P-256") && SSL_CTX_set1_sigalgs_list(ctx, "ECDSA+SHA256")) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_verify_depth(ctx, 1);
        return ctx;
    }
    SSL_CTX_free(ctx);
    (void)hm_fail(err, -EIO, "OpenSSL refuses our parameters");
    return NULL;
}

static X509 *read_cert(struct hm_slice pem)
{
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return x;
}

static EVP_PKEY *read_key(struct hm_slice pem)
{
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    EVP_PKEY *k = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return k;
}

static int use_files(SSL_CTX *ctx, const struct hm_tls_files *f)
{
    X509 *cert = read_cert(f->cert), *ca = read_cert(f->ca);
    EVP_PKEY *key = read_key(f->key);
    int ok = cert && ca && key && SSL_CTX_use_certificate(ctx, cert) == 1 &&
             SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1 &&
             X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca) == 1;
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    return ok ? 0 : -EBADMSG;
}

int hm_tls_new(const struct hm_tls_files *f, SSL_CTX **ret_ctx, struct hm_error *err)
{
    SSL_CTX *ctx = new_ctx(err);

    if (!ctx)
        return -EIO;
    int r = use_files(ctx, f);
    if (r) {
        SSL_CTX_free(ctx);
        return hm_fail(err, r, "key, certificate or CA of this endpoint cannot be read");
    }
    *ret_ctx = ctx;
    return 0;
}

/* ---- enrolment: the pin instead of a store ---- */

static X509 *find_pinned(STACK_OF(X509) * chain, const uint8_t pin[32])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned int len;

    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *x = sk_X509_value(chain, i);
        if (X509_digest(x, EVP_sha256(), hash, &len) && len == 32 && memcmp(hash, pin, 32) == 0)
            return x;
    }
    return NULL;
}

static int verify_from(X509_STORE_CTX *given, X509 *ca)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int ok = store && ctx && X509_STORE_add_cert(store, ca) == 1 &&
             X509_STORE_CTX_init(ctx, store, X509_STORE_CTX_get0_cert(given), NULL) == 1 &&
             X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER) == 1 &&
             X509_verify_cert(ctx) == 1;
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return ok;
}

static int verify_pinned(X509_STORE_CTX *ctx, void *pin)
{
    X509 *ca = find_pinned(X509_STORE_CTX_get0_untrusted(ctx), pin);
    int ok = ca && verify_from(ctx, ca);

    X509_STORE_CTX_set_error(ctx, ok ? X509_V_OK : X509_V_ERR_CERT_UNTRUSTED);
    return ok;
}

/* The pin must outlive the context: the caller keeps it. */
int hm_tls_new_pinned(const uint8_t ca_sha256[32], SSL_CTX **ret_ctx, struct hm_error *err)
{
    SSL_CTX *ctx = new_ctx(err);

    if (!ctx)
        return -EIO;
    SSL_CTX_set_cert_verify_callback(ctx, verify_pinned, (void *)(uintptr_t)ca_sha256);
    *ret_ctx = ctx;
    return 0;
}

/* ---- connections ---- */

SSL *hm_tls_connect(SSL_CTX *ctx, int fd, const char *alpn)
{
    uint8_t list[64];
    size_t len = strlen(alpn);
    SSL *ssl = len + 1 <= sizeof list ? SSL_new(ctx) : NULL;

    if (!ssl)
        return NULL;
    list[0] = (uint8_t)len;
    memcpy(list + 1, alpn, len);
    if (SSL_set_alpn_protos(ssl, list, (unsigned)len + 1) == 0 && SSL_set_fd(ssl, fd) == 1) {
        SSL_set_connect_state(ssl);
        return ssl;
    }
    SSL_free(ssl);
    return NULL;
}

static bool has_uri(X509 *cert, const char *uri)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    bool found = false;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        if (n->type != GEN_URI)
            continue;
        struct hm_slice s = hm_slice(ASN1_STRING_get0_data(n->d.uniformResourceIdentifier),
                                     (size_t)ASN1_STRING_length(n->d.uniformResourceIdentifier));
        found |= hm_slice_eq(s, hm_slice_str(uri));
    }
    GENERAL_NAMES_free(names);
    return found;
}

int hm_tls_check_gateway(SSL *ssl, const char *alpn)
{
    const unsigned char *p;
    unsigned int len;
    X509 *cert = SSL_get0_peer_certificate(ssl);

    SSL_get0_alpn_selected(ssl, &p, &len);
    if (!cert || SSL_get_verify_result(ssl) != X509_V_OK || !has_uri(cert, HM_GATEWAY_URI) ||
        !hm_slice_eq(hm_slice(p, len), hm_slice_str(alpn)))
        return -EACCES;
    return 0;
}
