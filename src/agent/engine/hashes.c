/* See hashes.h. */
#include "agent/engine/hashes.h"
#include "agent/engine/key.h"
#include "agent/engine/limits.h"
#include "base/map.h"
#include <errno.h>
#include <stdlib.h>

struct known {
    struct hm_hash_key key;
    uint8_t sha256[HM_SHA256_BYTES];
};
struct asked {
    uint64_t id; /* 0: free */
    uint64_t since_ns;
    bool failed; /* free, but remembers that this file could not be read */
    struct hm_hash_key key;
    size_t waiter_count;
    uint64_t waiters[HM_HASH_WAITERS];
};
struct hm_hashes {
    struct hm_map *known;
    uint64_t *order; /* ring of map keys, oldest first */
    size_t max, next;
    struct asked *asked;
    size_t asked_max;
    uint64_t last_id;
};

static uint64_t fold(const struct hm_hash_key *k)
{
    return hm_key_mix(hm_key_mix(hm_key_mix(k->dev) + k->inode) + k->change_ns);
}

static bool same(const struct hm_hash_key *a, const struct hm_hash_key *b)
{
    return a->dev == b->dev && a->inode == b->inode && a->change_ns == b->change_ns;
}

struct hm_hashes *hm_hashes_new(size_t max, size_t asked_max)
{
    struct hm_hashes *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->max = max;
    h->asked_max = asked_max;
    h->known = hm_map_new(sizeof(struct known), max);
    h->order = calloc(max, sizeof *h->order);
    h->asked = calloc(asked_max, sizeof *h->asked);
    if (!h->known || !h->order || !h->asked) {
        hm_hashes_free(h);
        return NULL;
    }
    return h;
}

void hm_hashes_free(struct hm_hashes *h)
{
    if (!h)
        return;
    hm_map_free(h->known);
    free(h->order);
    free(h->asked);
    free(h);
}

const uint8_t *hm_hashes_get(const struct hm_hashes *h, const struct hm_hash_key *k)
{
    const struct known *n = hm_map_get(h->known, fold(k));
    return n && same(&n->key, k) ? n->sha256 : NULL;
}

static void remember(struct hm_hashes *h, const struct hm_hash_key *k, const uint8_t *sha256)
{
    uint64_t f = fold(k);
    int inserted = 0;
    if (!hm_map_get(h->known, f) && hm_map_count(h->known) >= h->max)
        hm_map_remove(h->known, h->order[h->next]);
    struct known *n = hm_map_put(h->known, f, &inserted);
    if (!n)
        return;
    n->key = *k;
    memcpy(n->sha256, sha256, HM_SHA256_BYTES);
    if (inserted) {
        h->order[h->next] = f;
        h->next = (h->next + 1) % h->max;
    }
}

static int join(struct asked *a, uint64_t process_key)
{
    if (a->waiter_count == HM_HASH_WAITERS)
        return -ENOSPC;
    a->waiters[a->waiter_count++] = process_key;
    return 0;
}

int hm_hashes_wait(struct hm_hashes *h, const struct hm_hash_key *k, uint64_t process_key,
                   uint64_t now_ns, uint64_t *ret_id)
{
    struct asked *place = NULL;
    for (size_t i = 0; i < h->asked_max; i++) {
        struct asked *a = &h->asked[i];
        bool stale = a->id && now_ns - a->since_ns > HM_HASH_WAIT_NS;
        if (a->id && !stale && same(&a->key, k))
            return join(a, process_key);
        /* A loop of short-lived processes must not become a loop of questions. */
        if (a->failed && now_ns - a->since_ns < HM_HASH_RETRY_NS && same(&a->key, k))
            return -EAGAIN;
        if (!place && (!a->id || stale))
            place = a;
    }
    if (!place)
        return -ENOSPC;
    *place = (struct asked){.id = ++h->last_id,
                            .since_ns = now_ns,
                            .key = *k,
                            .waiter_count = 1,
                            .waiters = {process_key}};
    *ret_id = place->id;
    return 1;
}

static struct asked *find(struct hm_hashes *h, uint64_t id)
{
    for (size_t i = 0; id && i < h->asked_max; i++)
        if (h->asked[i].id == id)
            return &h->asked[i];
    return NULL;
}

int hm_hashes_answer(struct hm_hashes *h, uint64_t id, struct hm_slice sha256,
                     struct hm_hash_answer *ret_a)
{
    struct asked *a = find(h, id);
    if (!a)
        return 0;
    struct hm_hash_answer ans = {.known = sha256.len == HM_SHA256_BYTES,
                                 .dev = a->key.dev,
                                 .inode = a->key.inode,
                                 .waiter_count = a->waiter_count};
    memcpy(ans.waiters, a->waiters, sizeof ans.waiters);
    if (ans.known) {
        memcpy(ans.sha256, sha256.p, HM_SHA256_BYTES);
        remember(h, &a->key, ans.sha256);
    }
    a->id = 0;
    a->failed = !ans.known;
    *ret_a = ans;
    return 1;
}

void hm_hashes_unask(struct hm_hashes *h, uint64_t id)
{
    struct asked *a = find(h, id);
    if (a)
        a->id = 0;
}
