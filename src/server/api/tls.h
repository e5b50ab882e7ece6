/* The console's TLS: 1.3 only, no tickets, no session cache. */
#pragma once
#include "base/error.h"
#include <openssl/ssl.h>

/* key and cert as PEM; the certificates after the first are sent along. ret_ca_sha256 is the
 * fingerprint of the last one: the CA that clients pin. */
int hm_api_tls(const char *key_pem, const char *cert_pem, SSL_CTX **ret_ctx, char ret_ca_sha256[65],
               struct hm_error *err) HM_CHECK;
