/* The evaluation PKI: an own CA, P-256 throughout. Owns what our certificates look like; refuses
 * to know who may have one (core decides, signer signs). */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <openssl/x509.h>

#define HM_PKI_ENDPOINT_URI "urn:hinomi:endpoint:" /* + 32 hex digits */
#define HM_PKI_GATEWAY_URI  "urn:hinomi:gateway"
#define HM_PKI_CONSOLE_URI  "urn:hinomi:console"

EVP_PKEY *hm_pki_key_new(void); /* NULL: out of memory or entropy */
int hm_pki_ca_new(EVP_PKEY *key, const char *name, X509 **ret_ca) HM_CHECK;

struct hm_pki_leaf {
    const char *name, *uri; /* CN; one URI of the subject's alternative names */
    const char *hosts;      /* comma between names and addresses; NULL for a client */
    uint32_t days;
};
/* A leaf certificate for pub. hosts decides: server or client certificate, never both.
 * Errors:  -EINVAL a host that is neither name nor address; -EIO OpenSSL. */
int hm_pki_issue(EVP_PKEY *ca_key, X509 *ca, EVP_PKEY *pub, const struct hm_pki_leaf *leaf,
                 X509 **ret_cert) HM_CHECK;
/* The key of a PKCS#10 request whose own signature is good and which is P-256.
 * Errors:  -EBADMSG malformed, trailing bytes; -EKEYREJECTED signature or kind of key. */
int hm_pki_csr_key(struct hm_slice der, EVP_PKEY **ret_key) HM_CHECK;

int hm_pki_cert_der(X509 *cert, struct hm_buf *out) HM_CHECK;
/* Big-endian bytes of the serial number. */
int hm_pki_cert_serial(X509 *cert, struct hm_buf *out) HM_CHECK;
/* Endpoint id of one of our client certificates; -EINVAL: it is not one. */
int hm_pki_cert_endpoint(X509 *cert, uint8_t ret_id[16]) HM_CHECK;
/* SHA-256 of the uncompressed public point. */
int hm_pki_key_sha256(EVP_PKEY *key, uint8_t ret[32]) HM_CHECK;

/* Files: keys 0600, certificates 0644, written aside, fsynced, renamed. */
int hm_pki_write_key(const char *path, EVP_PKEY *key) HM_CHECK;
int hm_pki_write_certs(const char *path, X509 *const *certs, size_t n) HM_CHECK;
EVP_PKEY *hm_pki_read_key(const char *path);
X509 *hm_pki_read_cert(const char *path);
