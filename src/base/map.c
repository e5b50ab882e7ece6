/* The hash map: linear probing, at most three quarters full, deletion shifts back (no tombstones,
 * so that a table with steady churn never slows down). */
#include "base/map.h"
#include "base/limits.h"
#include <string.h>

struct hm_map {
    uint64_t *keys;
    uint8_t *used;
    uint8_t *values;
    size_t value_size, slots, count, max; /* slots: a power of two, or 0 */
};

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

uint64_t hm_hash64(const void *p, size_t len, uint64_t seed)
{
    const uint8_t *b = p;
    uint64_t h = mix(seed ^ (len + UINT64_C(0x9e3779b97f4a7c15)));
    uint64_t w = 0;

    for (; len >= 8; b += 8, len -= 8) {
        memcpy(&w, b, 8);
        h = mix(h ^ w) * UINT64_C(0x9fb21c651e98df25);
    }
    w = 0;
    for (size_t i = 0; i < len; i++)
        w |= (uint64_t)b[i] << (8 * i);
    return mix(h ^ w);
}

struct hm_map *hm_map_new(size_t value_size, size_t max_entries)
{
    if (value_size > 1 << 20 || max_entries > (size_t)1 << 40)
        return NULL;
    struct hm_map *m = calloc(1, sizeof *m);

    if (m) {
        m->value_size = value_size ? (value_size + 7) & ~(size_t)7 : 8;
        m->max = max_entries;
    }
    return m;
}

static void tables_free(struct hm_map *m)
{
    free(m->keys);
    free(m->used);
    free(m->values);
}

void hm_map_free(struct hm_map *m)
{
    if (!m)
        return;
    tables_free(m);
    free(m);
}

/* The slot of key, or the empty slot where it would go. */
static size_t find(const struct hm_map *m, uint64_t key)
{
    size_t i = mix(key) & (m->slots - 1);

    while (m->used[i] && m->keys[i] != key)
        i = (i + 1) & (m->slots - 1);
    return i;
}

static void *value_at(const struct hm_map *m, size_t i)
{
    return m->values + i * m->value_size;
}

void *hm_map_get(const struct hm_map *m, uint64_t key)
{
    if (!m->slots)
        return NULL;
    size_t i = find(m, key);
    return m->used[i] ? value_at(m, i) : NULL;
}

static void insert_at(struct hm_map *m, size_t i, uint64_t key)
{
    m->used[i] = 1;
    m->keys[i] = key;
    m->count++;
}

static int grow(struct hm_map *m)
{
    struct hm_map bigger = *m;

    bigger.slots = m->slots ? m->slots * 2 : HM_MAP_FIRST_SLOTS;
    bigger.count = 0;
    bigger.keys = malloc(bigger.slots * sizeof *bigger.keys);
    bigger.used = calloc(bigger.slots, 1);
    bigger.values = calloc(bigger.slots, m->value_size);
    if (!bigger.keys || !bigger.used || !bigger.values) {
        tables_free(&bigger);
        return -1;
    }
    for (size_t i = 0; i < m->slots; i++) {
        if (!m->used[i])
            continue;
        size_t to = find(&bigger, m->keys[i]);
        insert_at(&bigger, to, m->keys[i]);
        memcpy(value_at(&bigger, to), value_at(m, i), m->value_size);
    }
    tables_free(m);
    *m = bigger;
    return 0;
}

void *hm_map_put(struct hm_map *m, uint64_t key, int *ret_inserted)
{
    void *v = hm_map_get(m, key);

    if (ret_inserted)
        *ret_inserted = 0;
    if (v)
        return v;
    if (m->count >= m->max)
        return NULL;
    if (m->count >= m->slots / 4 * 3 && grow(m) < 0)
        return NULL;
    size_t i = find(m, key);
    insert_at(m, i, key);
    if (ret_inserted)
        *ret_inserted = 1;
    return memset(value_at(m, i), 0, m->value_size);
}

int hm_map_remove(struct hm_map *m, uint64_t key)
{
    if (!m->slots)
        return 0;
    size_t mask = m->slots - 1, hole = find(m, key);

    if (!m->used[hole])
        return 0;
    for (size_t i = (hole + 1) & mask; m->used[i]; i = (i + 1) & mask) {
        size_t home = mix(m->keys[i]) & mask;
        /* may move only if the hole is not before its home on the probe path */
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        m->keys[hole] = m->keys[i];
        memcpy(value_at(m, hole), value_at(m, i), m->value_size);
        hole = i;
    }
    m->used[hole] = 0;
    m->count--;
    return 1;
}

size_t hm_map_count(const struct hm_map *m)
{
    return m->count;
}

void *hm_map_next(const struct hm_map *m, size_t *pos, uint64_t *ret_key)
{
    for (; *pos < m->slots; (*pos)++) {
        if (!m->used[*pos])
            continue;
        if (ret_key)
            *ret_key = m->keys[*pos];
        return value_at(m, (*pos)++);
    }
    return NULL;
}
