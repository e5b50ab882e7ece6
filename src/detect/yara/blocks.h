/* A descriptor as libyara's row of memory blocks. Owns two buffers: the first block's, which
 * modules point into until the scan ends, and a window for all others. Private to this folder. */
#pragma once
#include "detect/yara/rules.h"

struct hm_yara_blocks {
    uint8_t *head, *window; /* mapped once */
    /* the scan under way */
    const struct hm_yara_subject *subject;
    YR_SCANNER *scanner;
    uint64_t size, budget;           /* bytes that may be read in all */
    struct hm_yara_region region[2]; /* of a file: what is read of it */
    const struct hm_yara_region *regions;
    size_t region_count, at;        /* region of the current block */
    uint64_t next, counted;         /* next block's base; sum of the distinct blocks so far */
    bool first, head_loaded, again; /* again: a condition walks; nothing is counted twice */
    uint64_t window_base;           /* what the window holds; UINT64_MAX: nothing */
    size_t window_size, head_size;
    uint64_t scanned;
    size_t overlap; /* of the current block, read with the one before */
    uint32_t cut;
    YR_MEMORY_BLOCK block;
    YR_MEMORY_BLOCK_ITERATOR iterator;
};
int hm_yara_blocks_init(struct hm_yara_blocks *b) HM_CHECK;
void hm_yara_blocks_done(struct hm_yara_blocks *b);
/* -EINVAL: not a regular file (without regions). */
int hm_yara_blocks_start(struct hm_yara_blocks *b, const struct hm_yara_subject *s) HM_CHECK;
/* Whose half-found strings end with each block. */
void hm_yara_blocks_for(struct hm_yara_blocks *b, YR_SCANNER *scanner);
/* The buffers' pages go back to the system. */
void hm_yara_blocks_rest(struct hm_yara_blocks *b);
