/* Hashes, signatures and randomness behind one small door: OpenSSL 3 here, CNG on Windows.
 * ECDSA P-256 with SHA-256 throughout; signatures are DER, public keys are uncompressed points. */
#pragma once
#include "base/error.h"
#include "base/slice.h"

#define HM_SHA256_BYTES  32
#define HM_PUBKEY_BYTES  65
#define HM_SIG_MAX_BYTES 72

void hm_sha256(struct hm_slice data, uint8_t ret[HM_SHA256_BYTES]);
/* The hash of several runs of bytes, one after the other. */
void hm_sha256_parts(const struct hm_slice *parts, size_t n, uint8_t ret[HM_SHA256_BYTES]);
struct hm_sha256; /* streaming */
struct hm_sha256 *hm_sha256_new(void);
void hm_sha256_add(struct hm_sha256 *h, struct hm_slice data);
void hm_sha256_final(struct hm_sha256 *h, uint8_t ret[HM_SHA256_BYTES]); /* reusable afterwards */
void hm_sha256_free(struct hm_sha256 *h);

int hm_random(void *p, size_t len) HM_CHECK; /* -EIO: no entropy; never continue without it */

struct hm_key; /* a private key */
int hm_key_generate(struct hm_key **ret_key) HM_CHECK;
/* PEM PKCS#8, unencrypted; the file's mode is its protection. */
int hm_key_from_pem(struct hm_slice pem, struct hm_key **ret_key, struct hm_error *err) HM_CHECK;
int hm_key_to_pem(const struct hm_key *k, char **ret_pem) HM_CHECK; /* free() it */
void hm_key_public(const struct hm_key *k, uint8_t ret[HM_PUBKEY_BYTES]);
void hm_key_free(struct hm_key *k);
int hm_sign(const struct hm_key *k, struct hm_slice data, uint8_t ret_sig[HM_SIG_MAX_BYTES],
            size_t *ret_len) HM_CHECK;
/* 0 good; -EKEYREJECTED bad signature; -EINVAL malformed key or signature. */
int hm_verify(const uint8_t pub[HM_PUBKEY_BYTES], struct hm_slice data,
              struct hm_slice sig) HM_CHECK;
