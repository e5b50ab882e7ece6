/* Owns the table of field names: text ↔ dense id. Names are compared byte by byte, as the
 * specification's field names are. */
#include "base/arena.h"
#include "base/map.h"
#include "detect/ast.h"
#include "detect/limits.h"
#include <stdlib.h>

struct hm_names {
    struct hm_arena *arena;
    size_t count, cap;
    struct hm_slice *texts; /* NUL-terminated */
    uint32_t *slots;        /* id + 1, 0 = free; open addressing, at most half full */
    size_t slot_count;      /* power of two */
};

struct hm_names *hm_names_new(void)
{
    struct hm_names *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->slot_count = 256;
    n->slots = calloc(n->slot_count, sizeof *n->slots);
    n->arena = hm_arena_new(HM_NAMES_MAX_BYTES);
    if (!n->slots || !n->arena) {
        hm_names_free(n);
        return NULL;
    }
    return n;
}

void hm_names_free(struct hm_names *n)
{
    if (!n)
        return;
    hm_arena_free(n->arena);
    free(n->texts);
    free(n->slots);
    free(n);
}

/* The slot that holds the name, or the free one where it belongs. */
static uint32_t *slot_of(const struct hm_names *n, struct hm_slice name)
{
    size_t i = hm_hash64(name.p, name.len, 0) & (n->slot_count - 1);
    while (n->slots[i] && !hm_slice_eq(n->texts[n->slots[i] - 1], name))
        i = (i + 1) & (n->slot_count - 1);
    return &n->slots[i];
}

static int grow_slots(struct hm_names *n)
{
    uint32_t *old = n->slots, *bigger = calloc(n->slot_count * 2, sizeof *bigger);
    if (!bigger)
        return -1;
    n->slots = bigger;
    n->slot_count *= 2;
    for (uint32_t id = 0; id < n->count; id++)
        *slot_of(n, n->texts[id]) = id + 1;
    free(old);
    return 0;
}

static int grow_texts(struct hm_names *n)
{
    size_t bigger = n->cap ? n->cap * 2 : 64;
    struct hm_slice *texts = reallocarray(n->texts, bigger, sizeof *texts);
    if (!texts)
        return -1;
    n->texts = texts;
    n->cap = bigger;
    return 0;
}

uint32_t hm_names_intern(struct hm_names *n, struct hm_slice name)
{
    uint32_t *slot = slot_of(n, name);
    if (*slot)
        return *slot - 1;
    if (n->count >= HM_NAMES_MAX || (n->count == n->cap && grow_texts(n)) ||
        (n->count * 2 >= n->slot_count && grow_slots(n)))
        return HM_NAME_NONE;
    const char *text = hm_arena_strndup(n->arena, name.p, name.len);
    if (!text)
        return HM_NAME_NONE;
    n->texts[n->count] = hm_slice(text, name.len);
    *slot_of(n, name) = (uint32_t)n->count + 1;
    return (uint32_t)n->count++;
}

uint32_t hm_names_find(const struct hm_names *n, struct hm_slice name)
{
    uint32_t found = *slot_of(n, name);
    return found ? found - 1 : HM_NAME_NONE;
}

const char *hm_names_text(const struct hm_names *n, uint32_t id)
{
    return id < n->count ? (const char *)n->texts[id].p : NULL;
}

size_t hm_names_count(const struct hm_names *n)
{
    return n->count;
}
