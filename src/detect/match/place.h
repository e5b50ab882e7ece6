/* Where an entry of a field is looked for; shared by place.c and index.c only. */
#pragma once
#include "detect/match/build.h"

enum hm_place_kind { HM_PLACE_SLOT, HM_PLACE_GRAM, HM_PLACE_PAIR, HM_PLACE_TRIED };

/* class, key and literal of every entry. Errors: -ENOMEM. */
int hm_place_keys(struct hm_build *b) HM_CHECK;
enum hm_place_kind hm_place_of(const struct hm_build_entry *e, unsigned stride);
unsigned hm_place_stride(const struct hm_build *b, const struct hm_build_field *f);
/* Set `at` of the entries of this kind. Errors: -ENOMEM. */
int hm_place_choose(struct hm_build *b, const struct hm_build_field *f, enum hm_place_kind place,
                    unsigned stride) HM_CHECK;
/* The width bytes of its literal from i on. */
uint32_t hm_place_gram(const struct hm_build_entry *e, size_t i, size_t width);
uint64_t hm_place_folded(const uint8_t *p, size_t n);
