/* See tls.h. */
#include "server/api/tls.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

static int fail(struct hm_error *err, const char *what)
{
    char text[160] = "";

    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    return hm_fail(err, -EINVAL, "%s: %s", what, text);
}

static void fingerprint(X509 *x, char ret[65])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    X509_digest(x, EVP_sha256(), sum, &len);
    for (unsigned i = 0; i < len && i < 32; i++)
        snprintf(ret + 2 * i, 3, "%02x", sum[i]);
}

static int use_certs(SSL_CTX *ctx, BIO *in, char ca[65], struct hm_error *err)
{
    X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);

    if (!x || SSL_CTX_use_certificate(ctx, x) != 1) {
        X509_free(x);
        return fail(err, "certificate");
    }
    fingerprint(x, ca);
    X509_free(x);
    while ((x = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
        fingerprint(x, ca);
        if (SSL_CTX_add_extra_chain_cert(ctx, x) != 1) { /* takes x */
            X509_free(x);
            return fail(err, "CA certificate");
        }
    }
    ERR_clear_error(); /* the end of the file is an "error" to OpenSSL */
    return 0;
}

static int use_key(SSL_CTX *ctx, BIO *in, struct hm_error *err)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    int ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;

    EVP_PKEY_free(key);
    return ok ? 0 : fail(err, "key");
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";

    (void)ssl;
    (void)arg;
    return SSL_select_next_proto((unsigned char **)out, out_len, ours, sizeof ours - 1, in,
                                 in_len) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int hm_api_tls(const char *key_pem, const char *cert_pem, SSL_CTX **ret_ctx, char ret_ca_sha256[65],
               struct hm_error *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    BIO *key = BIO_new_mem_buf(key_pem, -1), *certs = BIO_new_mem_buf(cert_pem, -1);
    int r = ctx && key && certs ? 0 : fail(err, "TLS");

    if (!r)
        r = use_certs(ctx, certs, ret_ca_sha256, err);
    if (!r)
        r = use_key(ctx, key, err);
    BIO_free(key);
    BIO_free(certs);
    if (r) {
        SSL_CTX_free(ctx);
        return r;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    *ret_ctx = ctx;
    return 0;
}
