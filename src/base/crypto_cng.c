/* crypto.h over CNG (Windows 10 and later: hashing uses a pseudo handle that needs no opening). CNG
 * speaks raw numbers: der.c translates signatures and keys. */
#include "base/crypto.h"
#include "base/der.h"
#include "base/limits.h"
#include <errno.h>
#include <stdio.h>
#include <windows.h>
#include <bcrypt.h>
#include <wincrypt.h>

#ifndef BCRYPT_SHA256_ALG_HANDLE
#define BCRYPT_SHA256_ALG_HANDLE ((BCRYPT_ALG_HANDLE)0x41)
#endif
#define PUBLIC_BLOB_BYTES  (sizeof(BCRYPT_ECCKEY_BLOB) + 2 * HM_P256_BYTES)
#define PRIVATE_BLOB_BYTES (sizeof(BCRYPT_ECCKEY_BLOB) + 3 * HM_P256_BYTES)

/* CNG hashes in memory of our own size; a failure there is a broken system, not an input. */
static void must(NTSTATUS s)
{
    if (!BCRYPT_SUCCESS(s))
        abort();
}

/* --- hashes and randomness -------------------------------------------------------------------- */

struct hm_sha256 {
    BCRYPT_HASH_HANDLE h;
};

static BCRYPT_HASH_HANDLE hash_new(void)
{
    BCRYPT_HASH_HANDLE h = NULL;

    must(BCryptCreateHash(BCRYPT_SHA256_ALG_HANDLE, &h, NULL, 0, NULL, 0,
                          BCRYPT_HASH_REUSABLE_FLAG));
    return h;
}

static void hash_add(BCRYPT_HASH_HANDLE h, struct hm_slice s)
{
    while (s.len) {
        ULONG n = s.len > INT32_MAX ? INT32_MAX : (ULONG)s.len;
        must(BCryptHashData(h, (PUCHAR)(uintptr_t)s.p, n, 0));
        s = hm_slice(s.p + n, s.len - n);
    }
}

void hm_sha256_parts(const struct hm_slice *parts, size_t n, uint8_t ret[HM_SHA256_BYTES])
{
    BCRYPT_HASH_HANDLE h = hash_new();

    for (size_t i = 0; i < n; i++)
        hash_add(h, parts[i]);
    must(BCryptFinishHash(h, ret, HM_SHA256_BYTES, 0));
    BCryptDestroyHash(h);
}

void hm_sha256(struct hm_slice data, uint8_t ret[HM_SHA256_BYTES])
{
    hm_sha256_parts(&data, 1, ret);
}

struct hm_sha256 *hm_sha256_new(void)
{
    struct hm_sha256 *h = calloc(1, sizeof *h);

    if (h)
        h->h = hash_new();
    return h;
}

void hm_sha256_add(struct hm_sha256 *h, struct hm_slice data)
{
    hash_add(h->h, data);
}

void hm_sha256_final(struct hm_sha256 *h, uint8_t ret[HM_SHA256_BYTES])
{
    must(BCryptFinishHash(h->h, ret, HM_SHA256_BYTES, 0));
}

void hm_sha256_free(struct hm_sha256 *h)
{
    if (!h)
        return;
    BCryptDestroyHash(h->h);
    free(h);
}

int hm_random(void *p, size_t len)
{
    if (len > INT32_MAX)
        return -EIO;
    NTSTATUS s = BCryptGenRandom(NULL, p, (ULONG)len, BCRYPT_USE_SYSTEM_PREFERRED_RNG);
    return BCRYPT_SUCCESS(s) ? 0 : -EIO;
}

/* --- keys ------------------------------------------------------------------------------------ */

struct hm_key {
    BCRYPT_ALG_HANDLE alg; /* open as long as the key lives */
    BCRYPT_KEY_HANDLE h;
    uint8_t pub[HM_PUBKEY_BYTES], d[HM_P256_BYTES];
};

static BCRYPT_ALG_HANDLE ecdsa_open(void)
{
    BCRYPT_ALG_HANDLE a = NULL;

    must(BCryptOpenAlgorithmProvider(&a, BCRYPT_ECDSA_P256_ALGORITHM, NULL, 0));
    return a;
}

void hm_key_free(struct hm_key *k)
{
    if (!k)
        return;
    if (k->h)
        BCryptDestroyKey(k->h);
    BCryptCloseAlgorithmProvider(k->alg, 0);
    SecureZeroMemory(k, sizeof *k);
    free(k);
}

static int key_from_numbers(const uint8_t d[HM_P256_BYTES], const uint8_t pub[HM_PUBKEY_BYTES],
                            struct hm_key **ret_key)
{
    uint8_t blob[PRIVATE_BLOB_BYTES];
    BCRYPT_ECCKEY_BLOB head = {BCRYPT_ECDSA_PRIVATE_P256_MAGIC, HM_P256_BYTES};
    struct hm_key *k = calloc(1, sizeof *k);

    if (!k)
        return -ENOMEM;
    memcpy(blob, &head, sizeof head);
    memcpy(blob + sizeof head, pub + 1, 2 * HM_P256_BYTES);
    memcpy(blob + sizeof head + 2 * HM_P256_BYTES, d, HM_P256_BYTES);
    k->alg = ecdsa_open();
    NTSTATUS s =
        BCryptImportKeyPair(k->alg, NULL, BCRYPT_ECCPRIVATE_BLOB, &k->h, blob, sizeof blob, 0);
    SecureZeroMemory(blob, sizeof blob);
    if (!BCRYPT_SUCCESS(s)) {
        k->h = NULL;
        hm_key_free(k);
        return -EINVAL;
    }
    memcpy(k->d, d, sizeof k->d);
    memcpy(k->pub, pub, sizeof k->pub);
    *ret_key = k;
    return 0;
}

int hm_key_generate(struct hm_key **ret_key)
{
    uint8_t blob[PRIVATE_BLOB_BYTES], pub[HM_PUBKEY_BYTES] = {4};
    BCRYPT_ALG_HANDLE alg = ecdsa_open();
    BCRYPT_KEY_HANDLE h = NULL;
    ULONG n = 0;
    int r = -EIO;

    if (BCRYPT_SUCCESS(BCryptGenerateKeyPair(alg, &h, 256, 0)) &&
        BCRYPT_SUCCESS(BCryptFinalizeKeyPair(h, 0)) &&
        BCRYPT_SUCCESS(
            BCryptExportKey(h, NULL, BCRYPT_ECCPRIVATE_BLOB, blob, sizeof blob, &n, 0)) &&
        n == sizeof blob) {
        const uint8_t *x = blob + sizeof(BCRYPT_ECCKEY_BLOB);
        memcpy(pub + 1, x, 2 * HM_P256_BYTES);
        r = key_from_numbers(x + 2 * HM_P256_BYTES, pub, ret_key);
    }
    if (h)
        BCryptDestroyKey(h);
    BCryptCloseAlgorithmProvider(alg, 0);
    SecureZeroMemory(blob, sizeof blob);
    return r;
}

int hm_key_from_pem(struct hm_slice pem, struct hm_key **ret_key, struct hm_error *err)
{
    static const char begin[] = "-----BEGIN PRIVATE KEY-----";
    uint8_t der[HM_P256_PKCS8_BYTES + 1], d[HM_P256_BYTES], pub[HM_PUBKEY_BYTES];
    DWORD n = sizeof der;

    if (pem.len > HM_PEM_MAX_BYTES)
        return hm_fail(err, -E2BIG, "key file is larger than %d bytes", HM_PEM_MAX_BYTES);
    if (pem.len < sizeof begin || memcmp(pem.p, begin, sizeof begin - 1) != 0 ||
        !CryptStringToBinaryA((const char *)pem.p, (DWORD)pem.len, CRYPT_STRING_BASE64HEADER, der,
                              &n, NULL, NULL))
        return hm_fail(err, -EINVAL, "not an unencrypted private key in PEM form");
    int r = hm_der_get_key(hm_slice(der, n), d, pub);
    if (r == 0)
        r = key_from_numbers(d, pub, ret_key);
    SecureZeroMemory(der, sizeof der);
    SecureZeroMemory(d, sizeof d);
    return r < 0 ? hm_fail(err, r, "not a P-256 key") : 0;
}

int hm_key_to_pem(const struct hm_key *k, char **ret_pem)
{
    uint8_t der[HM_P256_PKCS8_BYTES];
    char base64[256];
    DWORD n = sizeof base64;
    char *pem = malloc(512);

    hm_der_put_key(k->d, k->pub, der);
    if (!pem || !CryptBinaryToStringA(der, sizeof der, CRYPT_STRING_BASE64 | CRYPT_STRING_NOCR,
                                      base64, &n)) {
        free(pem);
        return -ENOMEM;
    }
    snprintf(pem, 512, "-----BEGIN PRIVATE KEY-----\n%s-----END PRIVATE KEY-----\n", base64);
    SecureZeroMemory(der, sizeof der);
    SecureZeroMemory(base64, sizeof base64);
    *ret_pem = pem;
    return 0;
}

void hm_key_public(const struct hm_key *k, uint8_t ret[HM_PUBKEY_BYTES])
{
    memcpy(ret, k->pub, HM_PUBKEY_BYTES);
}

/* --- signatures ------------------------------------------------------------------------------ */

int hm_sign(const struct hm_key *k, struct hm_slice data, uint8_t ret_sig[HM_SIG_MAX_BYTES],
            size_t *ret_len)
{
    uint8_t hash[HM_SHA256_BYTES], raw[2 * HM_P256_BYTES];
    ULONG n = 0;

    hm_sha256(data, hash);
    NTSTATUS s = BCryptSignHash(k->h, NULL, hash, sizeof hash, raw, sizeof raw, &n, 0);
    if (!BCRYPT_SUCCESS(s) || n != sizeof raw)
        return -EIO;
    *ret_len = hm_der_put_signature(raw, raw + HM_P256_BYTES, ret_sig);
    return 0;
}

static BCRYPT_KEY_HANDLE public_key(BCRYPT_ALG_HANDLE alg, const uint8_t pub[HM_PUBKEY_BYTES])
{
    uint8_t blob[PUBLIC_BLOB_BYTES];
    BCRYPT_ECCKEY_BLOB head = {BCRYPT_ECDSA_PUBLIC_P256_MAGIC, HM_P256_BYTES};
    BCRYPT_KEY_HANDLE h = NULL;

    memcpy(blob, &head, sizeof head);
    memcpy(blob + sizeof head, pub + 1, 2 * HM_P256_BYTES);
    NTSTATUS s = BCryptImportKeyPair(alg, NULL, BCRYPT_ECCPUBLIC_BLOB, &h, blob, sizeof blob, 0);
    return pub[0] == 4 && BCRYPT_SUCCESS(s) ? h : NULL;
}

static int verify_raw(const uint8_t pub[HM_PUBKEY_BYTES], struct hm_slice data, uint8_t *raw)
{
    uint8_t hash[HM_SHA256_BYTES];
    BCRYPT_ALG_HANDLE alg = ecdsa_open();
    BCRYPT_KEY_HANDLE h = public_key(alg, pub);
    int r = -EINVAL;

    if (h) {
        hm_sha256(data, hash);
        NTSTATUS s = BCryptVerifySignature(h, NULL, hash, sizeof hash, raw, 2 * HM_P256_BYTES, 0);
        r = BCRYPT_SUCCESS(s) ? 0 : -EKEYREJECTED;
        BCryptDestroyKey(h);
    }
    BCryptCloseAlgorithmProvider(alg, 0);
    return r;
}

int hm_verify(const uint8_t pub[HM_PUBKEY_BYTES], struct hm_slice data, struct hm_slice sig)
{
    uint8_t raw[2 * HM_P256_BYTES];
    int r = hm_der_get_signature(sig, raw, raw + HM_P256_BYTES);

    return r < 0 ? r : verify_raw(pub, data, raw);
}
