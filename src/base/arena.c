/* The arena: a list of blocks, newest first, the first one kept over a reset. */
#include "base/arena.h"
#include "base/limits.h"

struct block {
    struct block *older;
    size_t used, cap;
    _Alignas(16) uint8_t bytes[];
};

struct hm_arena {
    struct block *top;
    size_t used, max;
};

static struct block *block_new(struct block *older, size_t cap)
{
    struct block *b = malloc(sizeof *b + cap);

    if (b)
        *b = (struct block){.older = older, .cap = cap};
    return b;
}

struct hm_arena *hm_arena_new(size_t max_bytes)
{
    struct hm_arena *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->max = max_bytes;
    a->top = block_new(NULL, HM_ARENA_FIRST_BYTES);
    if (!a->top) {
        free(a);
        return NULL;
    }
    return a;
}

void hm_arena_reset(struct hm_arena *a)
{
    while (a->top->older) {
        struct block *b = a->top;
        a->top = b->older;
        free(b);
    }
    a->top->used = 0;
    a->used = 0;
}

void hm_arena_free(struct hm_arena *a)
{
    if (!a)
        return;
    hm_arena_reset(a);
    free(a->top);
    free(a);
}

static int add_block(struct hm_arena *a, size_t len)
{
    size_t cap = a->top->cap < HM_ARENA_BLOCK_BYTES / 2 ? a->top->cap * 2 : HM_ARENA_BLOCK_BYTES;
    struct block *b = block_new(a->top, len > cap ? len : cap);

    if (!b)
        return -1;
    a->top = b;
    return 0;
}

void *hm_arena_alloc(struct hm_arena *a, size_t len)
{
    if (len > SIZE_MAX - 15)
        return NULL;
    len = (len + 15) & ~(size_t)15;
    if (len > a->max || a->used > a->max - len)
        return NULL;
    if (a->top->cap - a->top->used < len && add_block(a, len) < 0)
        return NULL;
    void *p = a->top->bytes + a->top->used;
    a->top->used += len;
    a->used += len;
    return memset(p, 0, len);
}

char *hm_arena_strndup(struct hm_arena *a, const void *p, size_t len)
{
    char *s = len < SIZE_MAX ? hm_arena_alloc(a, len + 1) : NULL;

    if (s && len)
        memcpy(s, p, len);
    return s;
}

size_t hm_arena_used(const struct hm_arena *a)
{
    return a->used;
}
