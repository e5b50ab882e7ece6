/* The agent's side of TLS: 1.3 only, our CA only, the gateway's certificate only. */
#pragma once
#include "base/error.h"
#include "base/slice.h"
#include <openssl/ssl.h>

#define HM_GATEWAY_URI "urn:hinomi:gateway" /* the name in the gateway's certificate */

struct hm_tls_files { /* PEM, read to the end; none for enrolment */
    struct hm_slice key, cert, ca;
};
/* Sessions with client certificate that trust ca alone. */
int hm_tls_new(const struct hm_tls_files *f, SSL_CTX **ret_ctx, struct hm_error *err) HM_CHECK;
/* Enrolment: no certificate yet; the chain must hold the CA with this fingerprint. */
int hm_tls_new_pinned(const uint8_t ca_sha256[32], SSL_CTX **ret_ctx,
                      struct hm_error *err) HM_CHECK;
/* A connection over fd that offers one protocol. NULL: out of memory. */
SSL *hm_tls_connect(SSL_CTX *ctx, int fd, const char *alpn);
/* After the handshake: the protocol was taken, the peer is a gateway. -EACCES: it is not. */
int hm_tls_check_gateway(SSL *ssl, const char *alpn) HM_CHECK;
