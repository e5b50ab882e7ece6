/* Merkle trees after RFC 9162 section 2.1, and nothing about what the leaves are. */
#include "journal/journal.h"

typedef uint8_t hash[HM_SHA256_BYTES];

void hm_merkle_leaf(struct hm_slice data, uint8_t ret[HM_SHA256_BYTES])
{
    static const uint8_t prefix = 0;
    struct hm_slice parts[] = {{&prefix, 1}, data};

    hm_sha256_parts(parts, 2, ret);
}

static void node(const uint8_t *left, const uint8_t *right, uint8_t *ret)
{
    static const uint8_t prefix = 1;
    struct hm_slice parts[] = {{&prefix, 1}, {left, sizeof(hash)}, {right, sizeof(hash)}};

    hm_sha256_parts(parts, 3, ret);
}

/* The stack holds the roots of the full subtrees, biggest first: one for each bit of n. */
void hm_merkle_add(struct hm_merkle *m, const uint8_t leaf[HM_SHA256_BYTES])
{
    size_t top = (size_t)__builtin_popcountll(m->n);

    memcpy(m->stack[top], leaf, sizeof(hash));
    for (uint64_t n = m->n; n & 1; n >>= 1, top--)
        node(m->stack[top - 1], m->stack[top], m->stack[top - 1]);
    m->n++;
}

void hm_merkle_sum(const struct hm_merkle *m, uint8_t ret[HM_SHA256_BYTES])
{
    size_t top = (size_t)__builtin_popcountll(m->n);

    if (top == 0) {
        hm_sha256((struct hm_slice){0}, ret);
        return;
    }
    memcpy(ret, m->stack[--top], sizeof(hash));
    while (top > 0)
        node(m->stack[--top], ret, ret);
}

void hm_merkle_root(const uint8_t (*leaves)[HM_SHA256_BYTES], size_t n,
                    uint8_t ret[HM_SHA256_BYTES])
{
    struct hm_merkle m = {0};

    for (size_t i = 0; i < n; i++)
        hm_merkle_add(&m, leaves[i]);
    hm_merkle_sum(&m, ret);
}

/* The largest power of two below n, n > 1: where RFC 9162 splits. */
static size_t split(size_t n)
{
    return (size_t)1 << (63 - __builtin_clzll(n - 1));
}

struct range {
    size_t lo, hi; /* the sibling subtree at one level */
};

/* The siblings from the root down; returns how many. */
static size_t siblings(size_t n, size_t i, struct range ret[64])
{
    size_t lo = 0, hi = n, depth = 0;

    while (hi - lo > 1) {
        size_t middle = lo + split(hi - lo);
        if (i < middle) {
            ret[depth++] = (struct range){middle, hi};
            hi = middle;
        } else {
            ret[depth++] = (struct range){lo, middle};
            lo = middle;
        }
    }
    return depth;
}

size_t hm_merkle_path(const uint8_t (*leaves)[HM_SHA256_BYTES], size_t n, size_t i,
                      uint8_t (*ret)[HM_SHA256_BYTES])
{
    struct range r[64];

    if (i >= n)
        return 0;
    size_t depth = siblings(n, i, r);
    for (size_t d = 0; d < depth; d++) /* the path goes from the leaf up */
        hm_merkle_root(leaves + r[depth - 1 - d].lo, r[depth - 1 - d].hi - r[depth - 1 - d].lo,
                       ret[d]);
    return depth;
}

/* Section 2.1.3.2, step by step. */
bool hm_merkle_verify(const uint8_t leaf[HM_SHA256_BYTES], size_t i, size_t n,
                      const uint8_t (*path)[HM_SHA256_BYTES], size_t path_len,
                      const uint8_t root[HM_SHA256_BYTES])
{
    size_t fn = i, sn = n - 1;
    hash r;

    if (i >= n)
        return false;
    memcpy(r, leaf, sizeof r);
    for (size_t p = 0; p < path_len; p++) {
        if (sn == 0)
            return false;
        if ((fn & 1) || fn == sn) {
            node(path[p], r, r);
            for (; !(fn & 1) && fn != 0; fn >>= 1)
                sn >>= 1;
        } else {
            node(r, path[p], r);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && memcmp(r, root, sizeof r) == 0;
}
