/* See group.h. */
#include "detect/correlate/group.h"
#include <stdlib.h>

#define FIRST_BUCKETS 64

static size_t heap_of(const struct hm_cgroups *g, const struct hm_cgroup *p)
{
    return sizeof *p + p->key_cap + p->w.cap * sizeof *p->w.all + hm_tally_bytes(&p->t) +
           (p->last ? g->ref_count * sizeof *p->last : 0);
}

static void group_free(struct hm_cgroups *g, struct hm_cgroup *p)
{
    g->bytes -= heap_of(g, p);
    hm_window_done(&p->w);
    hm_tally_done(&p->t);
    free(p->last);
    free(p->key);
    free(p);
}

void hm_cgroups_done(struct hm_cgroups *g)
{
    for (struct hm_cgroup *p = g->oldest, *next; p; p = next) {
        next = p->newer;
        group_free(g, p);
    }
    if (g->spare)
        group_free(g, g->spare);
    free(g->buckets);
    g->buckets = NULL;
    g->oldest = g->newest = g->spare = NULL;
    g->bucket_count = g->count = 0;
}

void hm_cgroup_clear(struct hm_cgroup *p, size_t ref_count)
{
    p->w.head = p->w.count = p->w.live = 0;
    hm_tally_clear(&p->t);
    if (p->last)
        memset(p->last, 0, ref_count * sizeof *p->last);
    p->newest = p->partial_until = 0;
    p->late_run = 0;
    p->begun = false;
}

static void unlink_use(struct hm_cgroups *g, struct hm_cgroup *p)
{
    *(p->older ? &p->older->newer : &g->oldest) = p->newer;
    *(p->newer ? &p->newer->older : &g->newest) = p->older;
}

static void link_newest(struct hm_cgroups *g, struct hm_cgroup *p)
{
    p->older = g->newest;
    p->newer = NULL;
    *(g->newest ? &g->newest->newer : &g->oldest) = p;
    g->newest = p;
}

static void unlink_bucket(struct hm_cgroups *g, struct hm_cgroup *p)
{
    struct hm_cgroup **at = &g->buckets[p->hash & (g->bucket_count - 1)];
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
}

/* The group silent longest goes; one is kept aside so that a full table allocates nothing. */
static bool evict(struct hm_cgroups *g, uint64_t stamp, uint64_t now)
{
    struct hm_cgroup *p = g->oldest;
    if (!p || p->stamp == stamp)
        return false;
    g->evicted += p->w.count && (now < p->newest || now - p->newest <= g->span);
    unlink_use(g, p);
    unlink_bucket(g, p);
    g->count--;
    if (g->spare)
        group_free(g, p);
    else
        g->spare = p;
    return true;
}

bool hm_cgroups_afford(struct hm_cgroups *g, size_t bytes, uint64_t stamp, uint64_t now)
{
    while (g->bytes + bytes > g->bytes_max) {
        if (g->spare) {
            group_free(g, g->spare);
            g->spare = NULL;
        } else if (!evict(g, stamp, now)) {
            return false;
        }
    }
    return true;
}

static int grow_buckets(struct hm_cgroups *g)
{
    if (g->bucket_count && g->count < g->bucket_count)
        return 0;
    size_t n = g->bucket_count ? g->bucket_count * 2 : FIRST_BUCKETS;
    struct hm_cgroup **b = calloc(n, sizeof(struct hm_cgroup *));
    if (!b)
        return g->bucket_count ? 0 : -1; /* longer chains, but right */
    for (struct hm_cgroup *p = g->oldest; p; p = p->newer) {
        p->next = b[p->hash & (n - 1)];
        b[p->hash & (n - 1)] = p;
    }
    free(g->buckets);
    g->buckets = b;
    g->bucket_count = n;
    return 0;
}

static struct hm_cgroup *fresh(struct hm_cgroups *g, uint64_t stamp, uint64_t now)
{
    if (g->count >= g->max)
        evict(g, stamp, now);
    struct hm_cgroup *p = g->spare;
    g->spare = NULL;
    if (p || g->count >= g->max ||
        !hm_cgroups_afford(g, sizeof *p + g->ref_count * sizeof *p->last, stamp, now))
        return p;
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->last = g->ref_count ? calloc(g->ref_count, sizeof *p->last) : NULL;
    if (g->ref_count && !p->last) {
        free(p);
        return NULL;
    }
    p->t.kind = g->kind;
    g->bytes += heap_of(g, p);
    return p;
}

static bool take_key(struct hm_cgroups *g, struct hm_cgroup *p, const struct hm_key *key)
{
    if (key->len > p->key_cap) {
        uint8_t *bytes = realloc(p->key, key->len);
        if (!bytes)
            return false;
        g->bytes += key->len - p->key_cap;
        p->key = bytes;
        p->key_cap = key->len;
    }
    if (key->len)
        memcpy(p->key, key->bytes, key->len);
    p->key_len = key->len;
    return true;
}

static struct hm_cgroup *add(struct hm_cgroups *g, const struct hm_key *key, uint64_t hash,
                             uint64_t stamp, uint64_t now)
{
    if (grow_buckets(g) < 0)
        return NULL;
    struct hm_cgroup *p = fresh(g, stamp, now);
    if (!p)
        return NULL;
    hm_cgroup_clear(p, g->ref_count);
    p->told = false;
    p->told_ms = 0;
    p->hash = hash;
    if (!take_key(g, p, key)) {
        group_free(g, p);
        return NULL;
    }
    p->next = g->buckets[hash & (g->bucket_count - 1)];
    g->buckets[hash & (g->bucket_count - 1)] = p;
    g->count++;
    link_newest(g, p);
    return p;
}

struct hm_cgroup *hm_cgroups_get(struct hm_cgroups *g, const uint64_t secret[2],
                                 const struct hm_key *key, uint64_t stamp, uint64_t now)
{
    uint64_t hash = hm_siphash(secret, key->bytes, key->len);
    struct hm_cgroup *p = g->bucket_count ? g->buckets[hash & (g->bucket_count - 1)] : NULL;
    while (p && (p->hash != hash || p->key_len != key->len ||
                 (key->len && memcmp(p->key, key->bytes, key->len) != 0)))
        p = p->next;
    if (!p) {
        p = add(g, key, hash, stamp, now);
    } else if (g->newest != p) {
        unlink_use(g, p);
        link_newest(g, p);
    }
    if (p)
        p->stamp = stamp;
    return p;
}
