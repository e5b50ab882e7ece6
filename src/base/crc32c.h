/* The checksum of journal frames: finds accidents, not attackers. */
#pragma once
#include "base/slice.h"

/* Checksum of s after what gave crc (0 to begin). */
uint32_t hm_crc32c(uint32_t crc, struct hm_slice s);
/* The same without processor instructions; there for the test that compares both. */
uint32_t hm_crc32c_table(uint32_t crc, struct hm_slice s);
