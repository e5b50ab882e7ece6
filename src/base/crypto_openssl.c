/* crypto.h over OpenSSL 3. Owns key objects; knows nothing of what is signed. */
#define OPENSSL_SUPPRESS_DEPRECATED  /* SHA256_*: the EVP door costs a fetch per hash, 3x per event \
                                      */
#include "base/crypto.h"
#include "base/limits.h"
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

struct hm_sha256 {
    SHA256_CTX ctx;
};

void hm_sha256(struct hm_slice data, uint8_t ret[HM_SHA256_BYTES])
{
    hm_sha256_parts(&data, 1, ret);
}

void hm_sha256_parts(const struct hm_slice *parts, size_t n, uint8_t ret[HM_SHA256_BYTES])
{
    SHA256_CTX c;

    SHA256_Init(&c);
    for (size_t i = 0; i < n; i++)
        SHA256_Update(&c, parts[i].p, parts[i].len);
    SHA256_Final(ret, &c);
}

struct hm_sha256 *hm_sha256_new(void)
{
    struct hm_sha256 *h = calloc(1, sizeof *h);

    if (h)
        SHA256_Init(&h->ctx);
    return h;
}

void hm_sha256_add(struct hm_sha256 *h, struct hm_slice data)
{
    SHA256_Update(&h->ctx, data.p, data.len);
}

void hm_sha256_final(struct hm_sha256 *h, uint8_t ret[HM_SHA256_BYTES])
{
    SHA256_Final(ret, &h->ctx);
    SHA256_Init(&h->ctx);
}

void hm_sha256_free(struct hm_sha256 *h)
{
    free(h);
}

int hm_random(void *p, size_t len)
{
    if (len > INT32_MAX)
        return -EIO;
    return RAND_bytes(p, (int)len) == 1 ? 0 : -EIO;
}

struct hm_key {
    EVP_PKEY *pkey;
    uint8_t pub[HM_PUBKEY_BYTES];
};

void hm_key_free(struct hm_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    free(k);
}

/* Takes pkey over, also on failure. Refuses every curve but P-256. */
static int key_wrap(EVP_PKEY *pkey, struct hm_key **ret_key)
{
    struct hm_key *k = calloc(1, sizeof *k);
    char group[32] = "";
    size_t len = 0;

    if (!k) {
        EVP_PKEY_free(pkey);
        return -ENOMEM;
    }
    k->pkey = pkey;
    /* the point format is a property of the key; files may hold "compressed" */
    if (!EVP_PKEY_is_a(pkey, "EC") ||
        EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1 ||
        strcmp(group, SN_X9_62_prime256v1) != 0 ||
        EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                       "uncompressed") != 1 ||
        EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, k->pub, sizeof k->pub,
                                        &len) != 1 ||
        len != HM_PUBKEY_BYTES || k->pub[0] != 4) {
        hm_key_free(k);
        return -EINVAL;
    }
    *ret_key = k;
    return 0;
}

int hm_key_generate(struct hm_key **ret_key)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");

    return pkey ? key_wrap(pkey, ret_key) : -EIO;
}

static int no_password(char *buf, int size, int rw, void *ctx)
{
    return -1; /* OpenSSL would ask on the terminal otherwise */
}

int hm_key_from_pem(struct hm_slice pem, struct hm_key **ret_key, struct hm_error *err)
{
    if (pem.len > HM_PEM_MAX_BYTES)
        return hm_fail(err, -E2BIG, "key file is larger than %d bytes", HM_PEM_MAX_BYTES);
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    if (!bio)
        return -ENOMEM;
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (!pkey)
        return hm_fail(err, -EINVAL, "not an unencrypted private key in PEM form");
    int r = key_wrap(pkey, ret_key);
    return r < 0 ? hm_fail(err, r, "not a P-256 key") : 0;
}

int hm_key_to_pem(const struct hm_key *k, char **ret_pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL, *pem = NULL;
    int r = -ENOMEM;

    if (bio && PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) == 1) {
        long n = BIO_get_mem_data(bio, &data);
        pem = n > 0 ? strndup(data, (size_t)n) : NULL;
        OPENSSL_cleanse(data, n > 0 ? (size_t)n : 0);
    }
    if (pem) {
        *ret_pem = pem;
        r = 0;
    }
    BIO_free(bio);
    return r;
}

void hm_key_public(const struct hm_key *k, uint8_t ret[HM_PUBKEY_BYTES])
{
    memcpy(ret, k->pub, HM_PUBKEY_BYTES);
}

int hm_sign(const struct hm_key *k, struct hm_slice data, uint8_t ret_sig[HM_SIG_MAX_BYTES],
            size_t *ret_len)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    size_t len = HM_SIG_MAX_BYTES;
    int ok = c && EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
             EVP_DigestSign(c, ret_sig, &len, data.p, data.len) == 1;

    EVP_MD_CTX_free(c);
    if (!ok)
        return -EIO;
    *ret_len = len;
    return 0;
}

static EVP_PKEY *public_key(const uint8_t pub[HM_PUBKEY_BYTES])
{
    char group[] = SN_X9_62_prime256v1;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)pub,
                                          HM_PUBKEY_BYTES),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *k = NULL;

    if (pub[0] == 4 && c && EVP_PKEY_fromdata_init(c) == 1 &&
        EVP_PKEY_fromdata(c, &k, EVP_PKEY_PUBLIC_KEY, params) != 1)
        k = NULL;
    EVP_PKEY_CTX_free(c);
    return k;
}

/* DER that parses and has nothing after it. */
static bool is_signature(struct hm_slice sig)
{
    const unsigned char *p = sig.p;

    if (sig.len == 0 || sig.len > HM_SIG_MAX_BYTES)
        return false;
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)sig.len);
    ECDSA_SIG_free(s);
    return s && p == sig.p + sig.len;
}

int hm_verify(const uint8_t pub[HM_PUBKEY_BYTES], struct hm_slice data, struct hm_slice sig)
{
    if (!is_signature(sig))
        return -EINVAL;
    EVP_PKEY *k = public_key(pub);
    if (!k)
        return -EINVAL;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    int ok = c && EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, k) == 1 &&
             EVP_DigestVerify(c, sig.p, sig.len, data.p, data.len) == 1;

    EVP_MD_CTX_free(c);
    EVP_PKEY_free(k);
    return ok ? 0 : -EKEYREJECTED;
}
