/* The gateway's TLS: 1.3 only, P-256, client certificates by protocol, nothing to resume. Owns
 * every decision about TLS; refuses to know what is said inside. */
#include "server/gateway/gateway.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>

#define EXT_PSK        41
#define EXT_EARLY_DATA 42

static const struct {
    const char *alpn;
    bool enroll;
} protocols[] = {{HM_ALPN_AGENT, false}, {HM_ALPN_ENROLL, true}};

/* Our agents never resume. A ticket taken without a certificate was once accepted with another
 * protocol (findings/storage.md): there are none, and asking for one ends the connection. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    struct hm_session *s = SSL_get_app_data(ssl);
    const unsigned char *p;
    size_t len;

    (void)arg;
    if (SSL_client_hello_get0_ext(ssl, EXT_PSK, &p, &len) ||
        SSL_client_hello_get0_ext(ssl, EXT_EARLY_DATA, &p, &len)) {
        s->handshake_refusal = HM_REFUSAL_RESUMPTION;
        *alert = SSL_AD_HANDSHAKE_FAILURE;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* Chosen before the certificate request is written: enrolment has no certificate yet. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned int in_len, void *arg)
{
    struct hm_session *s = SSL_get_app_data(ssl);

    (void)arg;
    for (unsigned int at = 0; at < in_len; at += 1u + in[at]) {
        if (in[at] > in_len - at - 1)
            break;
        for (size_t i = 0; i < HM_ARRAY_LEN(protocols); i++) {
            if (!hm_slice_eq(hm_slice(in + at + 1, in[at]), hm_slice_str(protocols[i].alpn)))
                continue;
            *out = in + at + 1;
            *out_len = in[at];
            s->enroll = protocols[i].enroll;
            s->protocol_chosen = true;
            if (s->enroll)
                SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    s->handshake_refusal = HM_REFUSAL_PROTOCOL;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int on_verify(int ok, X509_STORE_CTX *ctx)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct hm_session *s = SSL_get_app_data(ssl);

    if (!ok)
        s->handshake_refusal = HM_REFUSAL_WRONG_CA;
    return ok;
}

static int load_files(const char *dir, SSL_CTX *ctx, struct hm_error *err)
{
    char key[1024], cert[1024], ca[1024];

    snprintf(key, sizeof key, "%s/tls.key", dir);
    snprintf(cert, sizeof cert, "%s/tls.crt", dir);
    snprintf(ca, sizeof ca, "%s/ca.crt", dir);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1 || SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1)
        return hm_fail(err, -EIO, "cannot read %s, %s or %s", key, cert, ca);
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca);
    if (!names)
        return hm_fail(err, -EIO, "cannot read %s", ca);
    SSL_CTX_set_client_CA_list(ctx, names);
    return 0;
}

int hm_gateway_tls_new(const char *dir, struct hm_gateway *g, SSL_CTX **ret_ctx,
                       struct hm_error *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    (void)g;
    if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
        !SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) ||
        !SSL_CTX_set1_groups_list(ctx, "P-256") ||
        !SSL_CTX_set1_sigalgs_list(ctx, "ECDSA+SHA256") ||
        !SSL_CTX_set1_client_sigalgs_list(ctx, "ECDSA+SHA256") ||
        !SSL_CTX_set_num_tickets(ctx, 0)) {
        SSL_CTX_free(ctx);
        return hm_fail(err, -EIO, "OpenSSL refuses our parameters");
    }
    SSL_CTX_set_options(
        ctx,
        SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF /* a killed agent says no goodbye; frames show what is whole */);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verify);
    SSL_CTX_set_verify_depth(ctx, 1);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    int r = load_files(dir, ctx, err);
    if (r) {
        SSL_CTX_free(ctx);
        return r;
    }
    *ret_ctx = ctx;
    return 0;
}
