/* Sorting in place: millions of staged values by their hashes, without a second copy of them. */
#pragma once
#include "detect/indicator/stage.h"

/* By h, ascending. shift: 56 from outside; the lowest bit of the byte that is sorted by. */
void hm_staged_sort(struct hm_staged *s, size_t n, int shift);
