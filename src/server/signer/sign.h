/* What the signer signs, as functions of keys and a request. No sockets, no files. */
#pragma once
#include "base/crypto.h"
#include "server/pki.h"

struct hm_signer {
    EVP_PKEY *ca_key;
    X509 *ca;
    struct hm_key *order_key, *content_key; /* content_key NULL: no content is signed */
};
void hm_signer_done(struct hm_signer *s);

/* A client certificate for a request, its DER and serial.
 * Errors:  -EBADMSG malformed; -EKEYREJECTED bad signature or not P-256; -EINVAL endpoint id. */
int hm_signer_csr(const struct hm_signer *s, struct hm_slice csr, struct hm_slice endpoint,
                  struct hm_buf *ret_der, struct hm_buf *ret_serial) HM_CHECK;
/* A SIGNED statement: an order that is well formed and within limits, the present time, or content
 * made now. Errors:  -EPERM another domain; -EBADMSG malformed; -ERANGE time or life span. */
int hm_signer_statement(const struct hm_signer *s, struct hm_slice domain, struct hm_slice payload,
                        uint64_t now_ms, struct hm_buf *out) HM_CHECK;
