/* Owns how entries are laid out to be found: slots by hash, grams in buckets, pairs in masks; where
 * each is looked for is place.c's. One place an entry. */
#include "detect/limits.h"
#include "detect/match/limits.h"
#include "detect/match/place.h"
#include <errno.h>

struct sorting {
    const struct hm_build *b;
    unsigned stride;
};

static int by_place(const void *a, const void *b, void *ctx)
{
    const struct sorting *s = ctx;
    const struct hm_build_entry *x = &s->b->entries[*(const uint32_t *)a];
    const struct hm_build_entry *y = &s->b->entries[*(const uint32_t *)b];
    enum hm_place_kind p = hm_place_of(x, s->stride), q = hm_place_of(y, s->stride);
    if (p != q)
        return p < q ? -1 : 1;
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    if (x->key != y->key && p == HM_PLACE_SLOT)
        return x->key < y->key ? -1 : 1;
    return x < y ? -1 : x > y;
}

static struct hm_span put_ids(struct hm_build *b, const struct hm_ids *l)
{
    struct hm_buf *ids = &b->section[HM_SECTION_IDS];
    struct hm_span s = {(uint32_t)(ids->len / 4), (uint32_t)l->count};
    hm_buf_put(ids, l->ids, l->count * 4);
    return s;
}

static uint32_t put_entry(struct hm_build *b, const struct hm_build_entry *e)
{
    struct hm_buf *text = &b->section[HM_SECTION_TEXT], *out = &b->section[HM_SECTION_ENTRIES];
    struct hm_prog_entry made = {
        .text = (uint32_t)text->len,
        .len = (uint32_t)e->text.len,
        .tests = put_ids(b, &e->tests),
        .kind = (uint8_t)e->kind,
        .cased = e->cased,
        .number_only = e->number_only,
        .prefix = e->prefix,
    };
    hm_buf_put(text, e->text.p, e->text.len);
    uint32_t at = (uint32_t)(out->len / sizeof made);
    hm_buf_put(out, &made, sizeof made);
    return at;
}

/* Entries that share a slot's key: one run. */
struct group {
    uint64_t key;
    uint32_t class;
    struct hm_span entries;
};
struct ref { /* one gram or pair of one entry */
    uint32_t bytes, entry, at;
};
struct layout { /* one field on its way */
    struct hm_build *b;
    struct hm_prog_field f;
    unsigned stride;
    struct group *groups;
    struct ref *grams, *pairs;
    size_t group_count, gram_count, pair_count;
};

static size_t power_of_two(size_t n)
{
    size_t p = 1;
    while (p < n)
        p *= 2;
    return p;
}

static struct hm_span put_slots(struct hm_build *b, const struct group *g, size_t count)
{
    struct hm_buf *out = &b->section[HM_SECTION_SLOTS];
    size_t n = count ? power_of_two(count * 2) : 0;
    struct hm_span s = {(uint32_t)(out->len / sizeof(struct hm_slot)), (uint32_t)n};
    struct hm_slot *slots = (struct hm_slot *)hm_buf_extend(out, n * sizeof *slots);
    if (!slots)
        return s;
    memset(slots, 0, n * sizeof *slots);
    for (size_t i = 0; i < count; i++) {
        size_t at = hm_slot_hash(g[i].key, g[i].class) & (n - 1);
        while (slots[at].class != HM_SLOT_FREE)
            at = (at + 1) & (n - 1);
        slots[at] = (struct hm_slot){.key = g[i].key, .entries = g[i].entries, .class = g[i].class};
    }
    return s;
}

static int by_bytes(const void *a, const void *b)
{
    const struct ref *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static size_t count_different(const struct ref *r, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += i == 0 || r[i].bytes != r[i - 1].bytes;
    return n;
}

/* Sorts the references. */
static struct hm_span put_grams(struct hm_build *b, struct ref *r, size_t count)
{
    struct hm_buf *out = &b->section[HM_SECTION_GRAMS], *refs = &b->section[HM_SECTION_REFS];
    if (count)
        qsort(r, count, sizeof *r, by_bytes);
    size_t n = count ? power_of_two(count_different(r, count) * 2) : 0;
    struct hm_span s = {(uint32_t)(out->len / sizeof(struct hm_gram)), (uint32_t)n};
    struct hm_gram *grams = (struct hm_gram *)hm_buf_extend(out, n * sizeof *grams);
    if (!grams)
        return s;
    memset(grams, 0, n * sizeof *grams);
    for (size_t i = 0, at = 0; i < count; i++) {
        struct hm_gram_ref ref = {r[i].entry, r[i].at};
        if (i == 0 || r[i].bytes != r[i - 1].bytes) {
            at = hm_gram_hash(r[i].bytes) & (n - 1);
            while (grams[at].refs.count)
                at = (at + 1) & (n - 1);
            grams[at].bytes = r[i].bytes;
            grams[at].refs.first = (uint32_t)(refs->len / sizeof ref);
        }
        grams[at].refs.count++;
        hm_buf_put(refs, &ref, sizeof ref);
    }
    return s;
}

/* A filter that says "surely none" for most look-ups. Returns its bits; *ret_at: its first word. */
static uint64_t *new_filter(struct hm_build *b, size_t words, uint32_t *ret_at)
{
    struct hm_buf *out = &b->section[HM_SECTION_BITS];
    static const uint8_t zeros[16];
    hm_buf_put(out, zeros, (16 - out->len % 16) % 16);
    *ret_at = (uint32_t)(out->len / 8);
    uint64_t *bits = (uint64_t *)hm_buf_extend(out, words * 8);
    if (bits)
        memset(bits, 0, words * 8);
    return bits;
}

static void set_bit(uint64_t *bits, uint32_t i)
{
    if (bits)
        bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static unsigned filter_log2(size_t items, size_t bits_each, unsigned most)
{
    unsigned log2 = 7;
    while (log2 < most && ((size_t)1 << log2) < items * bits_each)
        log2++;
    return log2;
}

static void put_filters(struct layout *l)
{
    struct hm_prog_field *f = &l->f;
    unsigned log2 = filter_log2(l->group_count, 16, 16);
    f->slot_shift = f->gram_shift = 25;
    if (l->group_count) {
        uint64_t *bits = new_filter(l->b, ((size_t)1 << log2) / 64, &f->slot_bits);
        f->slot_shift = 32 - log2;
        for (size_t i = 0; i < l->group_count; i++)
            set_bit(bits, hm_slot_hash(l->groups[i].key, l->groups[i].class) >> f->slot_shift);
    }
    log2 = filter_log2(l->gram_count, 64, 18);
    if (l->gram_count) {
        uint64_t *bits = new_filter(l->b, ((size_t)1 << log2) / 64, &f->gram_bits);
        f->gram_shift = 32 - log2;
        for (size_t i = 0; i < l->gram_count; i++)
            set_bit(bits, hm_gram_hash(l->grams[i].bytes) >> f->gram_shift);
    }
}

static int by_text(const void *a, const void *b)
{
    const struct ref *x = a, *y = b;
    uint32_t p = (x->bytes & 0xff) << 8 | x->bytes >> 8, q = (y->bytes & 0xff) << 8 | y->bytes >> 8;
    return p < q ? -1 : p > q;
}

/* Masks for a few pairs (look_few_pairs in scan.c): bucket by bucket, which nibbles the four bytes
 * from the pair on may have. After the end of a short literal: any. */
static void put_masks(struct layout *l)
{
    uint8_t masks[2 * HM_MASK_BYTES][16] = {{0}};
    qsort(l->pairs, l->pair_count, sizeof *l->pairs, by_text); /* alike ones share a bucket */
    for (size_t i = 0; i < l->pair_count; i++) {
        const struct hm_build_entry *e = &l->b->entries[l->pairs[i].at >> 8];
        uint8_t bucket = (uint8_t)(1u << (i * 8 / l->pair_count));
        for (size_t k = 0; k < HM_MASK_BYTES; k++) {
            size_t at = (l->pairs[i].at & 0xff) + k;
            bool any = at >= e->literal_len;
            uint8_t byte = any ? 0 : (uint8_t)hm_place_gram(e, at, 1);
            for (unsigned nibble = 0; nibble < 16; nibble++) {
                if (any || (byte & 15u) == nibble)
                    masks[2 * k][nibble] |= bucket;
                if (any || (unsigned)(byte >> 4) == nibble)
                    masks[2 * k + 1][nibble] |= bucket;
            }
        }
    }
    uint64_t *to = new_filter(l->b, sizeof masks / 8, &l->f.pair_bits);
    if (to)
        memcpy(to, masks, sizeof masks);
}

static void put_pairs(struct layout *l)
{
    l->f.few_pairs = l->pair_count && l->pair_count <= HM_FEW_PAIRS;
    if (l->f.few_pairs) {
        put_masks(l);
    } else if (l->pair_count) {
        uint64_t *bits = new_filter(l->b, 1024, &l->f.pair_bits);
        for (size_t i = 0; i < l->pair_count; i++)
            set_bit(bits, l->pairs[i].bytes & 0xffff);
    }
    for (size_t i = 0; i < l->pair_count; i++)
        l->pairs[i].at &= 0xff;
    l->f.pairs = put_grams(l->b, l->pairs, l->pair_count);
}

static void note_class(struct hm_prog_field *f, uint32_t class)
{
    if (class >= HM_SLOT_CIDR4)
        f->cidr[class / 64] |= UINT64_C(1) << (class % 64);
    else if (class == HM_SLOT_EXACT)
        f->exact = 1;
    else if (class > HM_SLOT_PREFIX)
        f->prefixes |= (uint16_t)(1u << (class - HM_SLOT_PREFIX));
    else
        f->suffixes |= (uint16_t)(1u << class);
}

static void add_slot(struct layout *l, const struct hm_build_entry *e, uint32_t at)
{
    struct group *last = l->group_count ? &l->groups[l->group_count - 1] : NULL;
    note_class(&l->f, e->class);
    if (last && last->class == e->class && last->key == e->key)
        last->entries.count++;
    else
        l->groups[l->group_count++] = (struct group){e->key, e->class, {at, 1}};
}

static void add_entry(struct layout *l, uint32_t id)
{
    const struct hm_build_entry *e = &l->b->entries[id];
    uint32_t at = put_entry(l->b, e);
    uint32_t least = e->kind == HM_ENTRY_GLOB ? e->literal_len : (uint32_t)e->text.len;
    if (e->kind != HM_ENTRY_CIDR && least < l->f.least)
        l->f.least = least;
    if (e->kind == HM_ENTRY_EXACT)
        l->f.lengths |= UINT64_C(1) << (e->text.len < 63 ? e->text.len : 63);
    switch (hm_place_of(e, l->stride)) {
    case HM_PLACE_SLOT:
        add_slot(l, e, at);
        break;
    case HM_PLACE_GRAM:
        for (uint32_t i = e->at; i < e->at + l->stride; i++)
            l->grams[l->gram_count++] = (struct ref){hm_place_gram(e, i, 4), at, i};
        break;
    case HM_PLACE_PAIR: /* the entry is needed once more, for its third byte */
        l->pairs[l->pair_count++] = (struct ref){hm_place_gram(e, e->at, 2), at, id << 8 | e->at};
        break;
    case HM_PLACE_TRIED:
        if (l->f.tried.count++ == 0)
            l->f.tried.first = at;
        break;
    }
}

/* Roughly in nanoseconds: looking through a value, against remembering it. */
static void judge_costs(struct layout *l)
{
    struct hm_prog_field *f = &l->f;
    unsigned ends = (unsigned)__builtin_popcount(f->suffixes) +
                    (unsigned)__builtin_popcount(f->prefixes) + f->exact;
    double fixed = 10 + 6.0 * ends + 3.0 * f->tried.count, remember = 45;
    double byte = 0.06 + (l->gram_count ? 0.6 / l->stride : 0) +
                  (f->few_pairs    ? 0.2
                   : l->pair_count ? 0.6
                                   : 0);
    bool plain = !l->gram_count && !l->pair_count && ends < 4;
    f->cache_from = plain               ? HM_NO_INDEX
                    : fixed >= remember ? 8
                                        : (uint32_t)((remember - fixed) / byte);
    f->only_within = !l->group_count && !f->tried.count;
    if (f->suffixes || f->prefixes || f->tried.count || l->gram_count || l->pair_count)
        f->lengths = UINT64_MAX;
}

static int lay_out(struct layout *l, struct hm_build_field *bf)
{
    struct sorting sorting = {l->b, l->stride};
    size_t n = bf->entries.count;
    l->groups = calloc(n + 1, sizeof *l->groups);
    l->grams = calloc(n * l->stride + 1, sizeof *l->grams);
    l->pairs = calloc(n + 1, sizeof *l->pairs);
    if (!l->groups || !l->grams || !l->pairs)
        return -ENOMEM;
    if (n)
        qsort_r(bf->entries.ids, n, sizeof *bf->entries.ids, by_place, &sorting);
    for (size_t i = 0; i < n; i++)
        add_entry(l, bf->entries.ids[i]);
    l->f.slots = put_slots(l->b, l->groups, l->group_count);
    put_filters(l);
    l->f.grams = put_grams(l->b, l->grams, l->gram_count);
    put_pairs(l);
    judge_costs(l);
    hm_buf_put(&l->b->section[HM_SECTION_FIELDS], &l->f, sizeof l->f);
    return 0;
}

static int index_field(struct hm_build *b, struct hm_build_field *bf)
{
    struct layout l = {.b = b, .stride = hm_place_stride(b, bf)};
    l.f = (struct hm_prog_field){.name = bf->name,
                                 .exists = bf->exists,
                                 .not_null = bf->not_null,
                                 .stride = l.stride,
                                 .least = HM_NO_INDEX};
    int r = hm_place_choose(b, bf, HM_PLACE_GRAM, l.stride);
    if (!r)
        r = hm_place_choose(b, bf, HM_PLACE_PAIR, l.stride);
    if (!r)
        r = lay_out(&l, bf);
    free(l.groups);
    free(l.grams);
    free(l.pairs);
    return r;
}

int hm_build_index(struct hm_build *b)
{
    int r = hm_place_keys(b);
    for (size_t i = 0; !r && i < b->field_count; i++)
        r = index_field(b, &b->fields[i]);
    return r;
}
