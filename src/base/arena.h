/* Memory that dies together: per batch, per rule set. Blocks double up to 1 MiB; a ceiling holds.
 */
#pragma once
#include "base/cleanup.h"
#include "base/slice.h"

struct hm_arena;
struct hm_arena *hm_arena_new(size_t max_bytes); /* NULL: out of memory */
void hm_arena_free(struct hm_arena *a);
void hm_arena_reset(struct hm_arena *a); /* keeps the first block */
void *hm_arena_alloc(struct hm_arena *a,
                     size_t len); /* 16-aligned, zeroed; NULL past the ceiling */
char *hm_arena_strndup(struct hm_arena *a, const void *p, size_t len); /* NUL added */
size_t hm_arena_used(const struct hm_arena *a);
