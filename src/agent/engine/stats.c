/* See stats.h. An id is round · max + place, so that a late answer meets nobody else's change. */
#include "agent/engine/stats.h"
#include "agent/engine/limits.h"
#include <stdlib.h>

struct held {
    uint64_t id; /* 0: free */
    struct hm_file_change change;
};
struct hm_stats {
    size_t max, count;
    uint64_t round;
    struct held *held;
};

struct hm_stats *hm_stats_new(size_t max)
{
    struct hm_stats *s = calloc(1, sizeof *s);
    if (!s || !(s->held = calloc(max, sizeof *s->held))) {
        free(s);
        return NULL;
    }
    s->max = max;
    return s;
}

void hm_stats_free(struct hm_stats *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->max; i++)
        free((void *)s->held[i].change.path.p);
    free(s->held);
    free(s);
}

uint64_t hm_stats_hold(struct hm_stats *s, const struct hm_file_change *c)
{
    size_t at = 0;
    while (at < s->max && s->held[at].id)
        at++;
    uint8_t *copy = at < s->max && c->path.len ? malloc(c->path.len) : NULL;
    if (!copy)
        return 0;
    memcpy(copy, c->path.p, c->path.len);
    struct held *h = &s->held[at];
    h->id = ++s->round * s->max + at;
    h->change = *c;
    h->change.path = hm_slice(copy, c->path.len);
    h->change.source = hm_slice(NULL, 0);
    h->change.target = (struct hm_fan_handle){0};
    s->count++;
    return h->id;
}

const struct hm_file_change *hm_stats_take(struct hm_stats *s, uint64_t id)
{
    struct held *h = &s->held[id % s->max];
    return id && h->id == id ? &h->change : NULL;
}

const struct hm_file_change *hm_stats_stale(struct hm_stats *s, uint64_t boot_ns, uint64_t *ret_id)
{
    for (size_t i = 0; s->count && i < s->max; i++) {
        struct held *h = &s->held[i];
        if (!h->id || boot_ns - h->change.boot_ns < HM_STAT_WAIT_NS)
            continue;
        *ret_id = h->id;
        return &h->change;
    }
    return NULL;
}

void hm_stats_release(struct hm_stats *s, uint64_t id)
{
    struct held *h = &s->held[id % s->max];
    if (!id || h->id != id)
        return;
    free((void *)h->change.path.p);
    *h = (struct held){0};
    s->count--;
}
