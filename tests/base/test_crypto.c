/* Hashes against FIPS 180 vectors, a signature of another implementation, and every refusal. */
#include "test_base.h"
#include "base/crypto.h"
#include <errno.h>
#include <stdlib.h>

static void unhex(const char *s, uint8_t *out)
{
    for (; *s; s += 2) {
        char two[3] = {s[0], s[1], 0};
        *out++ = (uint8_t)strtoul(two, NULL, 16);
    }
}

static void sha256_matches_fips_180(void **state)
{
    static const struct {
        const char *in, *hex;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };

    struct hm_sha256 *h = hm_sha256_new();
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        uint8_t want[32], got[32];
        struct hm_slice s = hm_slice_str(rows[i].in);
        unhex(rows[i].hex, want);
        hm_sha256(s, got);
        assert_memory_equal(got, want, 32);
        for (size_t j = 0; j < s.len; j++)
            hm_sha256_add(h, hm_slice(s.p + j, 1));
        hm_sha256_final(h, got); /* reusable: the loop goes on with the same object */
        assert_memory_equal(got, want, 32);
        struct hm_slice parts[] = {{s.p, s.len / 2}, {s.p + s.len / 2, s.len - s.len / 2}};
        hm_sha256_parts(parts, 2, got);
        assert_memory_equal(got, want, 32);
    }
    hm_sha256_free(h);
}

/* RFC 6979, A.2.5: P-256, SHA-256, message "sample"; r and s as DER. */
static void verifies_the_signature_of_rfc_6979(void **state)
{
    uint8_t pub[65], sig[72];

    unhex("0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
          "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299",
          pub);
    unhex("3046022100EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
          "022100F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
          sig);
    assert_int_equal(hm_verify(pub, hm_slice_str("sample"), hm_slice(sig, 72)), 0);
    assert_int_equal(hm_verify(pub, hm_slice_str("samplf"), hm_slice(sig, 72)), -EKEYREJECTED);
}

static void signs_and_refuses(void **state)
{
    struct hm_key *k = NULL, *other = NULL;
    uint8_t pub[HM_PUBKEY_BYTES], sig[HM_SIG_MAX_BYTES + 1] = {0};
    struct hm_slice msg = hm_slice_str("order 17");
    size_t len = 0;

    assert_int_equal(hm_key_generate(&k), 0);
    assert_int_equal(hm_key_generate(&other), 0);
    hm_key_public(k, pub);
    assert_int_equal(pub[0], 4);
    assert_int_equal(hm_sign(k, msg, sig, &len), 0);
    assert_int_equal(hm_verify(pub, msg, hm_slice(sig, len)), 0);
    assert_int_equal(hm_verify(pub, hm_slice_str("order 18"), hm_slice(sig, len)), -EKEYREJECTED);
    for (size_t cut = 0; cut < len; cut++) /* every truncation is malformed */
        assert_int_equal(hm_verify(pub, msg, hm_slice(sig, cut)), -EINVAL);
    if (len < HM_SIG_MAX_BYTES)
        assert_int_equal(hm_verify(pub, msg, hm_slice(sig, len + 1)), -EINVAL);
    sig[len - 1] ^= 1;
    assert_int_equal(hm_verify(pub, msg, hm_slice(sig, len)), -EKEYREJECTED);
    sig[len - 1] ^= 1;
    uint8_t off_curve[HM_PUBKEY_BYTES];
    memcpy(off_curve, pub, sizeof off_curve);
    off_curve[64] ^= 1;
    assert_int_equal(hm_verify(off_curve, msg, hm_slice(sig, len)), -EINVAL);
    pub[0] = 2;
    assert_int_equal(hm_verify(pub, msg, hm_slice(sig, len)), -EINVAL);
    hm_key_public(other, pub);
    assert_int_equal(hm_verify(pub, msg, hm_slice(sig, len)), -EKEYREJECTED);
    hm_key_free(k);
    hm_key_free(other);
    hm_key_free(NULL);
}

static void keys_travel_as_pem(void **state)
{
    struct hm_key *k = NULL, *again = NULL;
    uint8_t a[HM_PUBKEY_BYTES], b[HM_PUBKEY_BYTES];
    char *pem = NULL;

    assert_int_equal(hm_key_generate(&k), 0);
    assert_int_equal(hm_key_to_pem(k, &pem), 0);
    assert_non_null(strstr(pem, "-----BEGIN PRIVATE KEY-----"));
    assert_int_equal(hm_key_from_pem(hm_slice_str(pem), &again, NULL), 0);
    hm_key_public(k, a);
    hm_key_public(again, b);
    assert_memory_equal(a, b, sizeof a);
    free(pem);
    hm_key_free(k);
    hm_key_free(again);
}

/* Keys made for this test with the openssl command line; they protect nothing. */
static const char p384[] = "-----BEGIN PRIVATE KEY-----\n"
                           "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDApDrg+gMvRjk6TrXuk\n"
                           "wSZwjCG7GUOOZTJoKoH+p0FB5SdlgSwAUQufYQFXB+w4mfWhZANiAAQk6K0Kn/zG\n"
                           "quWYudcEwzIKJNiSHkVFf9J5TBf8T+TKK704XOwUWGbGNlpM1aBbPJBXw2rq9/eS\n"
                           "qSimezuLMj38zMjYHXjY9F9U1PyokM4+OMVc/ebAOKTtJ59QfX7/Mzs=\n"
                           "-----END PRIVATE KEY-----\n";
static const char locked[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                             "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiOZADyUlTPWQICCAAw\n"
                             "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEDpwZmfsR62IEBtfOoCVsjIEgZCO\n"
                             "vTG3xw2dYkDbz+OX5qlf5+foGn2Sf3y2Qe5+YPlJhw+RdE2wn3s+i20RCesyUvWZ\n"
                             "V/v7+NA7joT403/w5txnOLHm/1BsHRHmJ6RtoNLtCkI1zZN74hox1a5tBm+C/dqt\n"
                             "zC9NdtRx0Qxf7x+ZPLCeIC7SS77b6loOrIGCie3e9yg1v5lBvtP62qheSmT+2ZA=\n"
                             "-----END ENCRYPTED PRIVATE KEY-----\n";

static void foreign_pem_is_refused(void **state)
{
    static const struct {
        const char *name, *pem;
    } rows[] = {
        {"empty", ""},
        {"text", "hello"},
        {"cut", "-----BEGIN PRIVATE KEY-----\nMIGH"},
        {"P-384", p384},
        {"encrypted (must not ask on the terminal)", locked},
    };

    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_key *k = NULL;
        struct hm_error err = {0};
        int r = hm_key_from_pem(hm_slice_str(rows[i].pem), &k, &err);
        if (r != -EINVAL || k || err.code != -EINVAL || !err.text[0])
            fail_msg("%s: %d", rows[i].name, r);
    }
}

static void random_bytes_differ(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};

    assert_int_equal(hm_random(a, sizeof a), 0);
    assert_int_equal(hm_random(b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
}

int test_crypto(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_matches_fips_180),
        cmocka_unit_test(verifies_the_signature_of_rfc_6979),
        cmocka_unit_test(signs_and_refuses),
        cmocka_unit_test(keys_travel_as_pem),
        cmocka_unit_test(foreign_pem_is_refused),
        cmocka_unit_test(random_bytes_differ),
    };

    return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
