/* See blocks.h. */
#include "detect/indicator/blocks.h"
#include <stdlib.h>

int hm_block_compare(const void *one, const void *two)
{
    const struct hm_blob_block *a = one, *b = two;
    int r = memcmp(a->start, b->start, sizeof a->start);
    return r ? r : a->prefix < b->prefix ? -1 : a->prefix > b->prefix;
}

void hm_blocks_sort(struct hm_list *l)
{
    if (l->count)
        qsort(l->p, l->count, sizeof(struct hm_blob_block), hm_block_compare);
}

static bool covers(const struct hm_blob_block *a, const struct hm_blob_block *b)
{
    return hm_blob_within(a, hm_blob_be64(b->start), hm_blob_be64(b->start + 8));
}

void hm_blocks_parents(struct hm_list *l)
{
    struct hm_blob_block *k = l->p;
    for (uint32_t i = 0; i < l->count; i++) {
        uint32_t p = i ? i - 1 : 0;
        k[i].parent = i;
        while (i && !covers(&k[p], &k[i]) && k[p].parent != p)
            p = k[p].parent;
        if (i && covers(&k[p], &k[i]))
            k[i].parent = p;
    }
}

size_t hm_blocks_before(struct hm_slice blocks, uint64_t high, uint64_t low)
{
    size_t from = 0, left = blocks.len / sizeof(struct hm_blob_block);
    uint8_t start[16];
    while (left) {
        size_t half = left / 2;
        memcpy(start, blocks.p + (from + half) * sizeof(struct hm_blob_block), sizeof start);
        uint64_t h = hm_blob_be64(start);
        bool before = h < high || (h == high && hm_blob_be64(start + 8) <= low);
        from = before ? from + half + 1 : from;
        left = before ? left - half - 1 : half;
    }
    return from;
}
