/* See table.h. Processes live in one array of slots; two maps lead to them; two lists, ordered by
 * last use, say who goes first. */
#include "agent/engine/table.h"
#include "agent/engine/limits.h"
#include "base/map.h"
#include <errno.h>
#include <stdlib.h>

#define NONE UINT32_MAX

struct list { /* oldest .. newest by last use */
    uint32_t oldest, newest;
    size_t count, max;
};
struct hm_table {
    struct hm_process *slots;
    uint32_t slot_count, used;      /* used: slots ever handed out */
    uint32_t free_head;             /* chained through .newer */
    struct hm_map *by_key, *by_pid; /* → uint32_t slot */
    struct list live, exited;
    struct hm_image_pool pool;
    struct hm_table_counts counts;
};

static struct list *list_of(struct hm_table *t, const struct hm_process *p)
{
    return p->exit_ns ? &t->exited : &t->live;
}

static void unlink_from(struct hm_table *t, struct list *l, struct hm_process *p)
{
    if (p->older != NONE)
        t->slots[p->older].newer = p->newer;
    else
        l->oldest = p->newer;
    if (p->newer != NONE)
        t->slots[p->newer].older = p->older;
    else
        l->newest = p->older;
    l->count--;
}

static void link_newest(struct hm_table *t, struct list *l, struct hm_process *p)
{
    p->newer = NONE;
    p->older = l->newest;
    if (l->newest != NONE)
        t->slots[l->newest].newer = p->slot;
    else
        l->oldest = p->slot;
    l->newest = p->slot;
    l->count++;
}

static void touch(struct hm_table *t, struct hm_process *p)
{
    struct list *l = list_of(t, p);
    if (l->newest == p->slot)
        return;
    unlink_from(t, l, p);
    link_newest(t, l, p);
}

struct hm_table *hm_table_new(size_t live_max, size_t exited_max, uint32_t string_bytes)
{
    struct hm_table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    /* One more than both ceilings: a newcomer is entered before the oldest goes. */
    t->slot_count = (uint32_t)(live_max + exited_max + 1);
    t->slots = calloc(t->slot_count, sizeof *t->slots);
    t->by_key = hm_map_new(sizeof(uint32_t), t->slot_count);
    t->by_pid = hm_map_new(sizeof(uint32_t), t->slot_count);
    t->live = (struct list){NONE, NONE, 0, live_max};
    t->exited = (struct list){NONE, NONE, 0, exited_max};
    t->pool.max_bytes = string_bytes;
    t->free_head = NONE;
    if (!t->slots || !t->by_key || !t->by_pid) {
        hm_table_free(t);
        return NULL;
    }
    return t;
}

void hm_table_free(struct hm_table *t)
{
    if (!t)
        return;
    for (uint32_t i = 0; t->slots && i < t->used; i++)
        hm_image_unref(&t->pool, t->slots[i].image);
    free(t->slots);
    hm_map_free(t->by_key);
    hm_map_free(t->by_pid);
    free(t);
}

static struct hm_process *find(struct hm_table *t, const struct hm_map *m, uint64_t key)
{
    const uint32_t *slot = hm_map_get(m, key);
    if (!slot)
        return NULL;
    struct hm_process *p = &t->slots[*slot];
    touch(t, p);
    return p;
}

struct hm_process *hm_table_get(struct hm_table *t, uint64_t key)
{
    return key ? find(t, t->by_key, key) : NULL;
}

struct hm_process *hm_table_by_pid(struct hm_table *t, uint32_t pid)
{
    return find(t, t->by_pid, pid);
}

static void forget(struct hm_table *t, struct hm_process *p)
{
    unlink_from(t, list_of(t, p), p);
    hm_map_remove(t->by_key, p->key);
    const uint32_t *holder = hm_map_get(t->by_pid, p->pid);
    if (holder && *holder == p->slot)
        hm_map_remove(t->by_pid, p->pid);
    hm_image_unref(&t->pool, p->image);
    uint32_t slot = p->slot;
    *p = (struct hm_process){.slot = slot, .newer = t->free_head, .older = NONE};
    t->free_head = slot;
}

static bool evict_exited(struct hm_table *t)
{
    if (t->exited.oldest == NONE)
        return false;
    forget(t, &t->slots[t->exited.oldest]);
    t->counts.evicted_exited++;
    return true;
}

static struct hm_process *take_slot(struct hm_table *t)
{
    if (t->live.count >= t->live.max) {
        forget(t, &t->slots[t->live.oldest]);
        t->counts.evicted_live++;
    }
    uint32_t slot = t->free_head;
    if (slot != NONE)
        t->free_head = t->slots[slot].newer;
    else
        slot = t->used++;
    t->slots[slot] = (struct hm_process){.slot = slot, .older = NONE, .newer = NONE};
    return &t->slots[slot];
}

static void give_back(struct hm_table *t, struct hm_process *p)
{
    p->newer = t->free_head;
    t->free_head = p->slot;
}

static bool claim_pid(struct hm_table *t, const struct hm_process *p)
{
    int inserted = 0;
    uint32_t *holder = hm_map_put(t->by_pid, p->pid, &inserted);
    if (!holder)
        return false;
    /* Records of a reused pid may come out of order: the younger process keeps it. */
    if (inserted || t->slots[*holder].start_ns <= p->start_ns)
        *holder = p->slot;
    return true;
}

struct hm_process *hm_table_enter(struct hm_table *t, uint64_t key, uint32_t pid, uint64_t start_ns)
{
    struct hm_process *p = hm_table_get(t, key);
    if (p)
        return p;
    p = take_slot(t);
    p->key = key;
    p->pid = pid;
    p->start_ns = start_ns;
    int inserted = 0;
    uint32_t *slot = hm_map_put(t->by_key, key, &inserted);
    if (!slot || !claim_pid(t, p)) {
        hm_map_remove(t->by_key, key);
        give_back(t, p);
        return NULL;
    }
    /* claim_pid touches the other map only, so the pointer still stands. */
    *slot = p->slot;
    link_newest(t, &t->live, p);
    return p;
}

static struct hm_image *make_image(struct hm_table *t, const struct hm_process *keep,
                                   const struct hm_image_text *text, const struct hm_image *like)
{
    struct hm_image *i;
    while (!(i = hm_image_new(&t->pool, text, like))) {
        if (t->exited.oldest == NONE || t->exited.oldest == keep->slot)
            return NULL;
        evict_exited(t);
    }
    return i;
}

int hm_table_exec(struct hm_table *t, struct hm_process *p, const struct hm_image_text *text,
                  const struct hm_image *like)
{
    struct hm_image *i = make_image(t, p, text, like);
    int r = 0;
    if (!i) {
        struct hm_image_text little = {.path = text->path, .name = text->name};
        t->counts.no_room++;
        r = -ENOSPC;
        i = make_image(t, p, &little, like);
    }
    hm_image_unref(&t->pool, p->image);
    p->image = i;
    return r;
}

void hm_table_share(struct hm_table *t, struct hm_process *child, const struct hm_process *parent)
{
    struct hm_image *i = hm_image_ref(parent->image);
    hm_image_unref(&t->pool, child->image);
    child->image = i;
}

void hm_table_exit(struct hm_table *t, struct hm_process *p, uint64_t exit_ns)
{
    if (p->exit_ns)
        return;
    unlink_from(t, &t->live, p);
    p->exit_ns = exit_ns ? exit_ns : 1;
    link_newest(t, &t->exited, p);
    if (t->exited.count > t->exited.max)
        evict_exited(t);
}

void hm_table_hashed(struct hm_process *p, const uint8_t sha256[HM_SHA256_BYTES])
{
    if (!p->image)
        return;
    memcpy(p->image->sha256, sha256, HM_SHA256_BYTES);
    p->image->hashed = true;
}

const struct hm_process *hm_table_next(const struct hm_table *t, size_t *pos)
{
    while (*pos < t->used) {
        const struct hm_process *p = &t->slots[(*pos)++];
        if (p->key && !p->exit_ns)
            return p;
    }
    return NULL;
}

const struct hm_process *hm_table_peek(const struct hm_table *t, uint64_t key)
{
    const uint32_t *slot = key ? hm_map_get(t->by_key, key) : NULL;
    return slot ? &t->slots[*slot] : NULL;
}

size_t hm_table_live(const struct hm_table *t)
{
    return t->live.count;
}

size_t hm_table_exited(const struct hm_table *t)
{
    return t->exited.count;
}

struct hm_table_counts hm_table_counts(const struct hm_table *t)
{
    return t->counts;
}
