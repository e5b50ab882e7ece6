/* The DER that CNG needs, against what OpenSSL writes. */
#include "test_base.h"
#include "base/crypto.h"
#include "base/der.h"
#include <errno.h>
#include <stdlib.h>

/* Many keys and messages, so that short and long numbers, with and without padding, all occur. */
static void signatures_are_rewritten_byte_for_byte(void **state)
{
    struct hm_key *k = NULL;
    unsigned lengths[73] = {0};

    assert_int_equal(hm_key_generate(&k), 0);
    for (uint32_t i = 0; i < 3000; i++) {
        uint8_t sig[72], again[72], r[32], s[32];
        size_t len;
        assert_int_equal(hm_sign(k, hm_slice(&i, sizeof i), sig, &len), 0);
        assert_int_equal(hm_der_get_signature(hm_slice(sig, len), r, s), 0);
        assert_int_equal(hm_der_put_signature(r, s, again), len);
        assert_memory_equal(sig, again, len);
        lengths[len]++;
    }
    assert_true(lengths[70] && lengths[71] && lengths[72]);
    hm_key_free(k);
}

static void malformed_signatures_are_refused(void **state)
{
    static const struct {
        const char *name;
        size_t len;
        uint8_t in[12];
    } rows[] = {
        {"nothing", 0, {0}},
        {"head alone", 2, {0x30, 0}},
        {"one number", 5, {0x30, 3, 2, 1, 1}},
        {"three numbers", 11, {0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1}},
        {"length lies", 8, {0x30, 7, 2, 1, 1, 2, 1, 1}},
        {"byte after", 9, {0x30, 6, 2, 1, 1, 2, 1, 1, 0}},
        {"negative", 8, {0x30, 6, 2, 1, 0x80, 2, 1, 1}},
        {"empty number", 7, {0x30, 5, 2, 0, 2, 1, 1}},
        {"padded for nothing", 9, {0x30, 7, 2, 2, 0, 1, 2, 1, 1}},
        {"other tag", 8, {0x30, 6, 4, 1, 1, 2, 1, 1}},
        {"not a sequence", 8, {0x31, 6, 2, 1, 1, 2, 1, 1}},
        {"long form of the length", 9, {0x30, 0x81, 6, 2, 1, 1, 2, 1, 1}},
    };
    uint8_t r[32], s[32];

    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        if (hm_der_get_signature(hm_slice(rows[i].in, rows[i].len), r, s) != -EINVAL)
            fail_msg("accepted: %s", rows[i].name);
    static const uint8_t small[] = {0x30, 6, 2, 1, 5, 2, 1, 7};
    assert_int_equal(hm_der_get_signature(hm_slice(small, sizeof small), r, s), 0);
    assert_true(r[31] == 5 && s[31] == 7 && r[0] == 0);
    uint8_t big[41] = {0x30, 39, 2, 34, 0, 0xff}; /* 33 significant bytes: over 256 bits */
    big[38] = 2, big[39] = 1, big[40] = 1;
    assert_int_equal(hm_der_get_signature(hm_slice(big, sizeof big), r, s), -EINVAL);
}

static int digit(char c)
{
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(all, c) : NULL;

    return at ? (int)(at - all) : -1;
}

static size_t unbase64(const char *pem, uint8_t *out)
{
    uint32_t bits = 0;
    size_t n = 0, have = 0;

    pem = strchr(pem, '\n');
    for (; *pem != '-'; pem++) {
        if (digit(*pem) < 0)
            continue;
        bits = bits << 6 | (uint32_t)digit(*pem);
        if ((have += 6) >= 8)
            out[n++] = (uint8_t)(bits >> (have -= 8));
    }
    return n;
}

static void keys_are_what_openssl_writes(void **state)
{
    for (int i = 0; i < 50; i++) {
        struct hm_key *k = NULL;
        char *pem = NULL;
        uint8_t der[300], again[HM_P256_PKCS8_BYTES], d[32], pub[65], want[65];
        assert_int_equal(hm_key_generate(&k), 0);
        assert_int_equal(hm_key_to_pem(k, &pem), 0);
        size_t n = unbase64(pem, der);
        assert_int_equal(n, HM_P256_PKCS8_BYTES);
        assert_int_equal(hm_der_get_key(hm_slice(der, n), d, pub), 0);
        hm_key_public(k, want);
        assert_memory_equal(pub, want, 65);
        hm_der_put_key(d, pub, again);
        assert_memory_equal(der, again, n);
        assert_int_equal(hm_der_get_key(hm_slice(der, n - 1), d, pub), -EINVAL);
        der[8] ^= 1; /* another algorithm */
        assert_int_equal(hm_der_get_key(hm_slice(der, n), d, pub), -EINVAL);
        free(pem);
        hm_key_free(k);
    }
}

int test_der(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_rewritten_byte_for_byte),
        cmocka_unit_test(malformed_signatures_are_refused),
        cmocka_unit_test(keys_are_what_openssl_writes),
    };

    return cmocka_run_group_tests_name("der", tests, NULL, NULL);
}
