/* Merkle trees: published vectors, and every size up to 70 against the RFC's own recursion. */
#include "test_journal.h"
#include <stdlib.h>

typedef uint8_t hash[32];

static void unhex(const char *s, uint8_t *out)
{
    for (; *s; s += 2) {
        char two[3] = {s[0], s[1], 0};
        *out++ = (uint8_t)strtoul(two, NULL, 16);
    }
}

/* The eight inputs and roots that the Certificate Transparency projects test with. */
static void roots_match_the_published_vectors(void **state)
{
    static const char *const inputs[] = {"",
                                         "00",
                                         "10",
                                         "2021",
                                         "3031",
                                         "40414243",
                                         "5051525354555657",
                                         "606162636465666768696a6b6c6d6e6f"};
    static const char *const roots[] = {
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    hash leaves[8], got, want;

    hm_merkle_root(NULL, 0, got);
    unhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", want);
    assert_memory_equal(got, want, 32);
    for (size_t n = 1; n <= 8; n++) {
        uint8_t data[32];
        size_t len = strlen(inputs[n - 1]) / 2;
        unhex(inputs[n - 1], data);
        hm_merkle_leaf(hm_slice(data, len), leaves[n - 1]);
        hm_merkle_root((const hash *)leaves, n, got);
        unhex(roots[n - 1], want);
        assert_memory_equal(got, want, 32);
    }
}

/* --- the reference: section 2.1.1 and 2.1.3.1 word for word, written apart from merkle.c --------
 */

static size_t ref_split(size_t n)
{
    size_t k = 1;

    while (k * 2 < n)
        k *= 2;
    return k;
}

static void ref_pair(const uint8_t *a, const uint8_t *b, uint8_t *out)
{
    uint8_t buf[65] = {1};

    memcpy(buf + 1, a, 32);
    memcpy(buf + 33, b, 32);
    hm_sha256(hm_slice(buf, 65), out);
}

static void ref_root(const hash *d, size_t n, uint8_t *out)
{
    hash left, right;

    if (n == 1) {
        memcpy(out, d[0], 32);
        return;
    }
    size_t k = ref_split(n);
    ref_root(d, k, left);
    ref_root(d + k, n - k, right);
    ref_pair(left, right, out);
}

static size_t ref_path(const hash *d, size_t n, size_t m, hash *out)
{
    if (n == 1)
        return 0;
    size_t k = ref_split(n), len;
    if (m < k) {
        len = ref_path(d, k, m, out);
        ref_root(d + k, n - k, out[len]);
    } else {
        len = ref_path(d + k, n - k, m - k, out);
        ref_root(d, k, out[len]);
    }
    return len + 1;
}

enum { LEAVES = 70 };

static void fill(hash *leaves)
{
    for (size_t i = 0; i < LEAVES; i++)
        hm_sha256(hm_slice(&i, sizeof i), leaves[i]);
}

static void roots_and_paths_match_the_reference(void **state)
{
    hash leaves[LEAVES], want, got, want_path[64], got_path[64];

    fill(leaves);
    for (size_t n = 1; n <= LEAVES; n++) {
        ref_root((const hash *)leaves, n, want);
        hm_merkle_root((const hash *)leaves, n, got);
        assert_memory_equal(got, want, 32);
        for (size_t i = 0; i < n; i++) {
            size_t len = ref_path((const hash *)leaves, n, i, want_path);
            assert_int_equal(hm_merkle_path((const hash *)leaves, n, i, got_path), len);
            assert_memory_equal(got_path, want_path, len * 32);
            assert_true(hm_merkle_verify(leaves[i], i, n, (const hash *)got_path, len, want));
        }
    }
}

static void false_proofs_fail(void **state)
{
    hash leaves[LEAVES], root, path[64];

    fill(leaves);
    for (size_t n = 1; n <= LEAVES; n += 3) {
        hm_merkle_root((const hash *)leaves, n, root);
        for (size_t i = 0; i < n; i++) {
            size_t len = hm_merkle_path((const hash *)leaves, n, i, path);
            const hash *p = (const hash *)path;
            assert_false(hm_merkle_verify(leaves[(i + 1) % LEAVES], i, n, p, len, root));
            assert_false(hm_merkle_verify(leaves[i], n, n, p, len, root));
            assert_false(hm_merkle_verify(leaves[i], i, 0, p, len, root));
            if (n > 1)
                assert_false(hm_merkle_verify(leaves[i], (i + 1) % n, n, p, len, root));
            if (len)
                assert_false(hm_merkle_verify(leaves[i], i, n, p, len - 1, root));
            if (len < 63)
                assert_false(hm_merkle_verify(leaves[i], i, n, p, len + 1, root));
            for (size_t k = 0; k < len; k++) {
                path[k][31] ^= 1;
                assert_false(hm_merkle_verify(leaves[i], i, n, p, len, root));
                path[k][31] ^= 1;
            }
            root[0] ^= 1;
            assert_false(hm_merkle_verify(leaves[i], i, n, p, len, root));
            root[0] ^= 1;
        }
    }
    assert_int_equal(hm_merkle_path((const hash *)leaves, 3, 3, path), 0);
}

/* A leaf that is the hash of two leaves must not pass for the tree of two (second preimage). */
static void leaves_and_nodes_are_told_apart(void **state)
{
    uint8_t data[64];
    hash leaves[2], root, fake;

    hm_merkle_leaf(hm_slice_str("a"), leaves[0]);
    hm_merkle_leaf(hm_slice_str("b"), leaves[1]);
    hm_merkle_root((const hash *)leaves, 2, root);
    memcpy(data, leaves, 64);
    hm_merkle_leaf(hm_slice(data, 64), fake);
    assert_memory_not_equal(fake, root, 32);
}

int test_merkle(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_match_the_published_vectors),
        cmocka_unit_test(roots_and_paths_match_the_reference),
        cmocka_unit_test(false_proofs_fail),
        cmocka_unit_test(leaves_and_nodes_are_told_apart),
    };

    return cmocka_run_group_tests_name("merkle", tests, NULL, NULL);
}
