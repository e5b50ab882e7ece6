/* Open-addressing map from uint64_t keys to fixed-size values stored inline, with a ceiling.
 * Key 0 is allowed. Pointers to values stay valid until the next insert or remove. */
#pragma once
#include "base/cleanup.h"
#include <stddef.h>
#include <stdint.h>

struct hm_map;
struct hm_map *hm_map_new(size_t value_size, size_t max_entries);
void hm_map_free(struct hm_map *m);
void *hm_map_get(const struct hm_map *m, uint64_t key); /* NULL: absent */
/* Find or insert a zeroed value. NULL when full or out of memory: the caller evicts or counts. */
void *hm_map_put(struct hm_map *m, uint64_t key, int *ret_inserted);
int hm_map_remove(struct hm_map *m, uint64_t key); /* 1 removed, 0 absent */
size_t hm_map_count(const struct hm_map *m);
/* Iterate: start with *pos = 0; NULL at the end. Removing the current entry is not allowed. */
void *hm_map_next(const struct hm_map *m, size_t *pos, uint64_t *ret_key);
uint64_t hm_hash64(const void *p, size_t len, uint64_t seed); /* not against an adversary */
