/* The two DER forms that signatures and keys travel in, for libraries that speak raw numbers (CNG).
 * Strict: what is accepted is what would be written. */
#pragma once
#include "base/cleanup.h"
#include "base/slice.h"

#define HM_P256_BYTES       32
#define HM_P256_PKCS8_BYTES 138

/* SEQUENCE { r INTEGER, s INTEGER }; returns its length, at most 72. */
size_t hm_der_put_signature(const uint8_t r[HM_P256_BYTES], const uint8_t s[HM_P256_BYTES],
                            uint8_t ret[72]);
int hm_der_get_signature(struct hm_slice der, uint8_t ret_r[HM_P256_BYTES],
                         uint8_t ret_s[HM_P256_BYTES]) HM_CHECK; /* -EINVAL */

/* PKCS#8 of a P-256 key with its public point, the form OpenSSL writes. */
void hm_der_put_key(const uint8_t d[HM_P256_BYTES], const uint8_t pub[65],
                    uint8_t ret[HM_P256_PKCS8_BYTES]);
int hm_der_get_key(struct hm_slice der, uint8_t ret_d[HM_P256_BYTES],
                   uint8_t ret_pub[65]) HM_CHECK; /* -EINVAL */
