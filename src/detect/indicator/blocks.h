/* CIDR blocks as a sorted list in which each names the block around it. Blocks nest or are apart,
 * so whatever covers an address is the last block that begins at or before it, or that one's
 * parent, or the parent of that. */
#pragma once
#include "detect/indicator/stage.h"

int hm_block_compare(const void *one, const void *two); /* struct hm_blob_block */
void hm_blocks_sort(struct hm_list *l);
void hm_blocks_parents(struct hm_list *l); /* of sorted ones */
/* Number of blocks that begin at or before the address (its two halves). */
size_t hm_blocks_before(struct hm_slice blocks, uint64_t high, uint64_t low);
