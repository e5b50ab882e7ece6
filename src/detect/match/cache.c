/* Owns the memory of values seen before: images, users and registry keys come again and again, and
 * looking through one twice tells nothing new. A look-up compares the whole value, so that nobody
 * can forge a result by a collision; the hash is seeded, so that nobody can aim at one slot. */
#include "base/crypto.h"
#include "detect/limits.h"
#include "detect/match/limits.h"
#include "detect/match/scratch.h"
#include <errno.h>

struct line { /* in the ring, followed by the text (padded to 4) and the tests */
    uint32_t field, len, count, zero;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 m = (unsigned __int128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

int hm_cache_init(struct hm_cache *c, size_t bytes)
{
    if (bytes < HM_CACHE_MIN_BYTES)
        return 0;
    size_t slots = 64;
    while (slots * HM_CACHE_BYTES_PER_SLOT < bytes)
        slots *= 2;
    c->ring_bytes = bytes & ~(size_t)15;
    c->slot_mask = slots - 1;
    c->slots = calloc(slots, sizeof *c->slots);
    c->ring = malloc(c->ring_bytes);
    if (!c->slots || !c->ring)
        return -ENOMEM;
    c->head = c->ring_bytes; /* position 0 means a free slot */
    return hm_random(c->seed, sizeof c->seed);
}

void hm_cache_done(struct hm_cache *c)
{
    free(c->slots);
    free(c->ring);
}

uint64_t hm_cache_hash(const struct hm_cache *c, uint32_t field, struct hm_slice text)
{
    const uint8_t *p = text.p;
    size_t n = text.len;
    uint64_t h = c->seed[0] ^ field;
    for (; n > 16; n -= 16, p += 16)
        h = mix(hm_load64(p) ^ c->seed[1], hm_load64(p + 8) ^ h);
    uint64_t a = 0, b = 0;
    if (n >= 8) {
        a = hm_load64(p);
        b = hm_load64(p + n - 8);
    } else {
        memcpy(&a, p, n);
    }
    return mix(mix(a ^ c->seed[1], b ^ h), text.len ^ UINT64_C(0x9e3779b97f4a7c15));
}

static size_t line_bytes(size_t len, size_t count)
{
    return (sizeof(struct line) + (len + 3) / 4 * 4 + count * 4 + 15) & ~(size_t)15;
}

const uint32_t *hm_cache_get(const struct hm_cache *c, uint64_t hash, uint32_t field,
                             struct hm_slice text, size_t *ret_count)
{
    const struct hm_cache_slot *slot = &c->slots[hash & c->slot_mask];
    if (slot->hash != hash || slot->at == 0 || slot->at + c->ring_bytes < c->head)
        return NULL;
    const struct line *l = (const struct line *)(c->ring + slot->at % c->ring_bytes);
    if (l->field != field || l->len != text.len || memcmp(l + 1, text.p, text.len) != 0)
        return NULL;
    *ret_count = l->count;
    return (const uint32_t *)((const uint8_t *)(l + 1) + (text.len + 3) / 4 * 4);
}

/* A line that would go past the end begins at the start; what it covers there is older than a
 * whole turn and is not looked at any more. */
void hm_cache_put(struct hm_cache *c, uint64_t hash, uint32_t field, struct hm_slice text,
                  const uint32_t *tests, size_t count)
{
    size_t bytes = line_bytes(text.len, count), at = c->head % c->ring_bytes;
    if (bytes > c->ring_bytes / 8)
        return;
    if (at + bytes > c->ring_bytes) {
        c->head += c->ring_bytes - at;
        at = 0;
    }
    struct line *l = (struct line *)(c->ring + at);
    *l = (struct line){.field = field, .len = (uint32_t)text.len, .count = (uint32_t)count};
    memcpy(l + 1, text.p, text.len);
    memcpy((uint8_t *)(l + 1) + (text.len + 3) / 4 * 4, tests, count * 4);
    c->slots[hash & c->slot_mask] = (struct hm_cache_slot){.hash = hash, .at = c->head};
    c->head += bytes;
}
