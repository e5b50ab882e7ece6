/* See dirs.h. Entries sit in one array; a map leads from the hash of a handle to its place; the
 * second-chance clock chooses who goes. Two handles with one hash simply replace each other. */
#include "agent/engine/dirs.h"
#include "agent/engine/limits.h"
#include "base/map.h"
#include <errno.h>
#include <stdlib.h>

struct hm_dirs {
    const struct hm_policy *policy;
    struct hm_dir *slots;
    size_t max, count, hand;
    size_t bytes;   /* of all paths */
    uint64_t round; /* makes ids unique, so that a late answer cannot name another directory */
    struct hm_map *by_hash;
};

struct hm_dirs *hm_dirs_new(size_t max, const struct hm_policy *policy)
{
    struct hm_dirs *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->policy = policy;
    d->max = max;
    d->slots = calloc(max, sizeof *d->slots);
    d->by_hash = hm_map_new(sizeof(uint32_t), max);
    if (!d->slots || !d->by_hash) {
        hm_dirs_free(d);
        return NULL;
    }
    return d;
}

static void clear(struct hm_dirs *d, struct hm_dir *dir)
{
    hm_map_remove(d->by_hash, dir->hash);
    d->bytes -= dir->path.len;
    free((void *)dir->handle.p);
    free((void *)dir->path.p);
    *dir = (struct hm_dir){0};
    d->count--;
}

void hm_dirs_free(struct hm_dirs *d)
{
    if (!d)
        return;
    for (size_t i = 0; d->slots && i < d->max; i++) {
        free((void *)d->slots[i].handle.p);
        free((void *)d->slots[i].path.p);
    }
    free(d->slots);
    hm_map_free(d->by_hash);
    free(d);
}

static uint64_t hash_of(const struct hm_fan_handle *h)
{
    return hm_hash64(h->handle.p, h->handle.len, hm_hash64(h->fsid.p, h->fsid.len, 0));
}

/* A free place, or that of whoever was not used since the hand came by; questions under way stay.
 */
static struct hm_dir *free_slot(struct hm_dirs *d)
{
    for (size_t tries = 0; tries < 2 * d->max + 1; tries++) {
        struct hm_dir *dir = &d->slots[d->hand];
        d->hand = (d->hand + 1) % d->max;
        if (!dir->handle.p)
            return dir;
        if (!dir->used || tries > d->max) {
            clear(d, dir);
            return dir;
        }
        dir->used = false;
    }
    return NULL;
}

static struct hm_dir *find(struct hm_dirs *d, const struct hm_fan_handle *h, uint64_t hash)
{
    const uint32_t *slot = hm_map_get(d->by_hash, hash);
    if (!slot)
        return NULL;
    struct hm_dir *dir = &d->slots[*slot];
    if (hm_slice_eq(dir->handle, h->handle) && memcmp(dir->fsid, h->fsid.p, 8) == 0)
        return dir;
    clear(d, dir); /* another handle with the same hash: the newcomer takes its place */
    return NULL;
}

struct hm_dir *hm_dirs_get(struct hm_dirs *d, const struct hm_fan_handle *h)
{
    uint64_t hash = hash_of(h);
    struct hm_dir *dir = find(d, h, hash);
    if (dir) {
        dir->used = true;
        return dir;
    }
    dir = free_slot(d);
    uint8_t *copy = dir && h->handle.len ? malloc(h->handle.len) : NULL;
    int inserted = 0;
    uint32_t *at = copy ? hm_map_put(d->by_hash, hash, &inserted) : NULL;
    if (!at) {
        free(copy);
        return NULL;
    }
    memcpy(copy, h->handle.p, h->handle.len);
    *at = (uint32_t)(dir - d->slots);
    *dir = (struct hm_dir){.id = d->round++ * d->max + *at,
                           .handle = hm_slice(copy, h->handle.len),
                           .hash = hash,
                           .used = true};
    memcpy(dir->fsid, h->fsid.p, 8);
    d->count++;
    return dir;
}

void hm_dirs_forget(struct hm_dirs *d, const struct hm_fan_handle *h)
{
    struct hm_dir *dir = find(d, h, hash_of(h));
    if (dir)
        clear(d, dir);
}

void hm_dirs_asked(struct hm_dir *dir)
{
    dir->state = HM_DIR_ASKED;
    dir->again = false;
}

static void set_path(struct hm_dirs *d, struct hm_dir *dir, const uint8_t *p, size_t len)
{
    d->bytes -= dir->path.len;
    free((void *)dir->path.p);
    dir->path = hm_slice(p, len);
    d->bytes += len;
    dir->state = HM_DIR_KNOWN;
    dir->verdict = hm_policy_dir(d->policy, dir->path);
}

/* Paths have a ceiling of their own; who is over it is not kept, and will be asked for again. */
static void shed(struct hm_dirs *d, const struct hm_dir *keep)
{
    for (size_t tries = 0; d->bytes > HM_DIRS_PATH_BYTES && tries < d->max; tries++) {
        struct hm_dir *dir = &d->slots[d->hand];
        d->hand = (d->hand + 1) % d->max;
        if (dir->handle.p && dir != keep && dir->path.len)
            clear(d, dir);
    }
}

static void know(struct hm_dirs *d, struct hm_dir *dir, struct hm_slice path)
{
    uint8_t *copy = path.len && path.len <= HM_TABLE_TEXT_BYTES ? malloc(path.len) : NULL;
    if (!copy) {
        dir->state = HM_DIR_GONE;
        return;
    }
    memcpy(copy, path.p, path.len);
    set_path(d, dir, copy, path.len);
    shed(d, dir);
}

struct hm_dir *hm_dirs_answer(struct hm_dirs *d, uint64_t id, struct hm_slice path)
{
    struct hm_dir *dir = &d->slots[id % d->max];
    if (!dir->handle.p || dir->id != id || dir->state != HM_DIR_ASKED)
        return NULL;
    if (dir->again && path.len) {
        dir->state = HM_DIR_NEW;
        dir->again = false;
        return dir;
    }
    know(d, dir, path);
    return dir;
}

void hm_dirs_learn(struct hm_dirs *d, const struct hm_fan_handle *h, struct hm_slice path)
{
    struct hm_dir *dir = hm_dirs_get(d, h);
    if (dir)
        know(d, dir, path);
}

static bool beneath(struct hm_slice path, struct hm_slice top)
{
    return path.len >= top.len && top.len && memcmp(path.p, top.p, top.len) == 0 &&
           (path.len == top.len || path.p[top.len] == '/');
}

static void move(struct hm_dirs *d, struct hm_dir *dir, size_t cut, struct hm_slice to)
{
    size_t rest = dir->path.len - cut, len = to.len + rest;
    uint8_t *copy = len <= HM_TABLE_TEXT_BYTES ? malloc(len) : NULL;
    if (!copy) {
        dir->state = HM_DIR_NEW;
        return;
    }
    memcpy(copy, to.p, to.len);
    if (rest)
        memcpy(copy + to.len, dir->path.p + cut, rest);
    set_path(d, dir, copy, len);
}

void hm_dirs_renamed(struct hm_dirs *d, struct hm_slice from, struct hm_slice to)
{
    for (size_t i = 0; i < d->max; i++) {
        struct hm_dir *dir = &d->slots[i];
        if (dir->state == HM_DIR_ASKED)
            dir->again = true;
        else if (dir->state == HM_DIR_KNOWN && beneath(dir->path, from))
            move(d, dir, from.len, to);
    }
}

void hm_dirs_removed(struct hm_dirs *d, struct hm_slice path)
{
    for (size_t i = 0; i < d->max; i++)
        if (d->slots[i].state == HM_DIR_KNOWN && beneath(d->slots[i].path, path))
            clear(d, &d->slots[i]);
}

void hm_dirs_ask_again(struct hm_dirs *d)
{
    for (size_t i = 0; i < d->max; i++)
        if (d->slots[i].state == HM_DIR_ASKED)
            d->slots[i].state = HM_DIR_NEW;
}

size_t hm_dirs_count(const struct hm_dirs *d)
{
    return d->count;
}

const struct hm_policy *hm_dirs_policy(const struct hm_dirs *d)
{
    return d->policy;
}
