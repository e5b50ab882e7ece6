/* See blocks.h. libyara walks the blocks once to scan and again for each uint32(x) or hash.md5() of
 * a condition, so what a buffer holds is remembered. Nothing is mapped from the file: one that
 * shrinks under us ends a read early and kills nobody. */
#include "detect/yara/blocks.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint8_t *reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

int hm_yara_blocks_init(struct hm_yara_blocks *b)
{
    *b = (struct hm_yara_blocks){.head = reserve(HM_YARA_HEAD_BYTES),
                                 .window = reserve(HM_YARA_WINDOW_BYTES)};
    if (b->head && b->window)
        return 0;
    hm_yara_blocks_done(b);
    return -ENOMEM;
}

void hm_yara_blocks_done(struct hm_yara_blocks *b)
{
    if (b->head)
        munmap(b->head, HM_YARA_HEAD_BYTES);
    if (b->window)
        munmap(b->window, HM_YARA_WINDOW_BYTES);
    b->head = b->window = NULL;
}

void hm_yara_blocks_rest(struct hm_yara_blocks *b)
{
    madvise(b->head, HM_YARA_HEAD_BYTES, MADV_DONTNEED);
    madvise(b->window, HM_YARA_WINDOW_BYTES, MADV_DONTNEED);
}

/* Returns how much could be read; a hole in a process's memory ends it too. */
static size_t fill(struct hm_yara_blocks *b, uint8_t *to, uint64_t base, size_t size)
{
    size_t have = 0;
    while (have < size) {
        ssize_t n = pread(b->subject->fd, to + have, size - have, (off_t)(base + have));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    if (have < size)
        b->cut |= HM_YARA_CUT_GONE;
    b->scanned += b->again || have < b->overlap ? 0 : have - b->overlap;
    return have;
}

/* Never NULL, and a block is never planned larger than its buffer: modules of libyara take sizes
 * before they fetch, and not all of them look at what they got. */
static const uint8_t *fetch(YR_MEMORY_BLOCK *block)
{
    struct hm_yara_blocks *b = block->context;
    if (b->first) {
        if (!b->head_loaded)
            b->head_size = fill(b, b->head, block->base, block->size);
        b->head_loaded = true;
        block->size = b->head_size;
        return b->head;
    }
    if (b->window_base != block->base) {
        b->window_size = fill(b, b->window, block->base, block->size);
        b->window_base = block->base;
    }
    block->size = b->window_size;
    return b->window;
}

/* The block that begins at b->next in the current region; the next one begins a little before this
 * one ends. */
static YR_MEMORY_BLOCK *give(struct hm_yara_blocks *b)
{
    const struct hm_yara_region *r = &b->regions[b->at];
    uint64_t left = r->base + r->size - b->next;
    uint64_t max = b->first ? HM_YARA_HEAD_BYTES : HM_YARA_WINDOW_BYTES;
    uint64_t size = left < max ? left : max;
    if (b->counted + size > b->budget) {
        b->cut |= HM_YARA_CUT_SIZE;
        return NULL;
    }
    b->counted += size;
    b->overlap = b->next > r->base ? HM_YARA_OVERLAP_BYTES : 0;
    b->block.base = b->next;
    b->block.size = (size_t)size;
    b->next = size == left ? 0 : b->next + size - HM_YARA_OVERLAP_BYTES;
    return &b->block;
}

static YR_MEMORY_BLOCK *enter_region(struct hm_yara_blocks *b)
{
    while (b->at < b->region_count && b->regions[b->at].size == 0)
        b->at++;
    if (b->at >= b->region_count)
        return NULL;
    b->next = b->regions[b->at].base;
    return give(b);
}

static YR_MEMORY_BLOCK *first(YR_MEMORY_BLOCK_ITERATOR *it)
{
    struct hm_yara_blocks *b = it->context;
    b->again = b->counted > 0;
    b->at = 0;
    b->counted = 0;
    b->first = true;
    YR_MEMORY_BLOCK *block = enter_region(b);
    if (block && b->head_loaded)
        block->size = b->head_size;
    if (!block) { /* nothing to read: libyara's math module wants a block all the same */
        b->block.base = b->next = 0;
        b->block.size = 0;
        b->at = b->region_count;
        block = &b->block;
    }
    return block;
}

/* A string with a long jump is looked for in parts. libyara 4.2 compares the places of parts in
 * different blocks as if they were in one: it would find what is not there, and read outside of the
 * block to copy it. A part does not outlive its block; the overlap is where strings over a border
 * are found. */
static void forget_parts(struct hm_yara_blocks *b)
{
    const YR_SCANNER *s = b->scanner;
    if (!b->again && s)
        memset(s->unconfirmed_matches, 0, s->rules->num_strings * sizeof *s->unconfirmed_matches);
}

void hm_yara_blocks_for(struct hm_yara_blocks *b, YR_SCANNER *scanner)
{
    b->scanner = scanner;
}

static YR_MEMORY_BLOCK *next(YR_MEMORY_BLOCK_ITERATOR *it)
{
    struct hm_yara_blocks *b = it->context;
    b->first = false;
    forget_parts(b);
    if (b->next)
        return give(b);
    b->at++;
    return enter_region(b);
}

static uint64_t file_size(YR_MEMORY_BLOCK_ITERATOR *it)
{
    struct hm_yara_blocks *b = it->context;
    return b->size;
}

/* A file that fits is one region; of a larger one its start and its end are read. */
static int plan_file(struct hm_yara_blocks *b)
{
    struct stat st;
    if (fstat(b->subject->fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    b->size = (uint64_t)st.st_size;
    b->region[0] = (struct hm_yara_region){0, b->size};
    b->region_count = 1;
    if (b->size > HM_YARA_SCAN_BYTES) {
        b->region[0].size = HM_YARA_SCAN_BYTES - HM_YARA_TAIL_BYTES;
        b->region[1] = (struct hm_yara_region){b->size - HM_YARA_TAIL_BYTES, HM_YARA_TAIL_BYTES};
        b->region_count = 2;
        b->cut |= HM_YARA_CUT_SIZE;
    }
    b->regions = b->region;
    b->budget = UINT64_MAX; /* the plan is the budget */
    b->iterator.file_size = file_size;
    return 0;
}

static void plan_memory(struct hm_yara_blocks *b)
{
    b->regions = b->subject->regions;
    b->region_count = b->subject->region_count;
    b->budget = HM_YARA_MEMORY_BYTES;
    for (size_t i = 0; i < b->region_count; i++)
        b->size += b->regions[i].size;
    b->iterator.file_size = NULL; /* undefined, as YARA has it for processes */
}

int hm_yara_blocks_start(struct hm_yara_blocks *b, const struct hm_yara_subject *s)
{
    uint8_t *head = b->head, *window = b->window;
    *b = (struct hm_yara_blocks){
        .head = head, .window = window, .subject = s, .window_base = UINT64_MAX};
    b->block.context = b;
    b->block.fetch_data = fetch;
    b->iterator = (YR_MEMORY_BLOCK_ITERATOR){.context = b, .first = first, .next = next};
    if (!s->regions)
        return plan_file(b);
    plan_memory(b);
    return 0;
}
