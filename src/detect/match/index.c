/* Owns how entries are laid out to be found: whole values and both ends by a hash of their outer
 * bytes, literals inside a value by the rarest four (or two) of their bytes. One place an entry. */
#include "detect/limits.h"
#include "detect/match/limits.h"
#include "detect/match/build.h"
#include <errno.h>

enum place { PLACE_SLOT, PLACE_GRAM, PLACE_PAIR, PLACE_TRIED };

/* Grams are looked up at every stride-th byte of a value, so that a literal has as many of them in
 * the table: one is met wherever it begins. Literals too short for that are found by pairs. */
static enum place place_of(const struct hm_build_entry *e, unsigned stride)
{
    if (e->class)
        return PLACE_SLOT;
    return e->literal_len >= stride + 3 ? PLACE_GRAM
           : e->literal_len >= 2        ? PLACE_PAIR
                                        : PLACE_TRIED;
}

/* The longest stride whose leftovers are few enough for the masks of shuffle.h. */
static unsigned stride_of(const struct hm_build *b, const struct hm_build_field *f)
{
    for (unsigned stride = 4; stride > 1; stride /= 2) {
        size_t grams = 0, pairs = 0;
        for (size_t i = 0; i < f->entries.count; i++) {
            enum place p = place_of(&b->entries[f->entries.ids[i]], stride);
            grams += p == PLACE_GRAM;
            pairs += p == PLACE_PAIR;
        }
        if (grams && pairs <= HM_FEW_PAIRS && grams * stride <= HM_STRIDE_GRAMS_MAX)
            return stride;
    }
    return 1;
}

static uint64_t load_folded(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)hm_fold(p[i]) << (8 * i);
    return v;
}

static void set_slot(struct hm_build_entry *e, uint8_t *folded)
{
    size_t n = e->text.len, outer = n < 8 ? n : 8;
    for (size_t i = 0; i < n; i++)
        folded[i] = hm_fold(e->text.p[i]);
    switch (e->kind) {
    case HM_ENTRY_EXACT:
        e->class = n ? HM_SLOT_EXACT : 0;
        e->key = n ? hm_exact_key(folded, n) : 0;
        break;
    case HM_ENTRY_PREFIX:
        e->class = n ? HM_SLOT_PREFIX + (uint32_t)outer : 0;
        e->key = load_folded(e->text.p, outer);
        break;
    case HM_ENTRY_SUFFIX:
        e->class = n ? HM_SLOT_SUFFIX + (uint32_t)outer : 0;
        e->key = load_folded(e->text.p + n - outer, outer);
        break;
    case HM_ENTRY_CIDR:
        e->class = (n == 4 ? HM_SLOT_CIDR4 : HM_SLOT_CIDR6) + e->prefix;
        e->key = hm_cidr_key(e->text.p, n, e->prefix);
        break;
    default:
        break;
    }
}

/* The longest run without wildcards. */
static void set_literal(struct hm_build_entry *e)
{
    size_t from = 0;
    if (e->kind != HM_ENTRY_CONTAINS && e->kind != HM_ENTRY_GLOB)
        return;
    if (e->kind == HM_ENTRY_CONTAINS) {
        e->literal_len = (uint32_t)e->text.len;
        return;
    }
    for (size_t i = 0; i <= e->text.len; i++) {
        if (i < e->text.len && e->text.p[i] > 2)
            continue;
        if (i - from > e->literal_len) {
            e->literal = (uint32_t)from;
            e->literal_len = (uint32_t)(i - from);
        }
        from = i + 1;
    }
}

static unsigned
common(uint8_t c) /* how little a byte tells: from paths, commands, hex and English */
{
    if (c >= 'a' && c <= 'z')
        return strchr("etaoinsrlcmdw", c) ? 4 : strchr("jqxz", c) ? 1 : 3;
    if (c >= '0' && c <= '9')
        return c == '0' ? 4 : 3;
    return strchr(" \\./-:_", c) && c ? 4 : 1;
}

static uint32_t gram_at(const struct hm_build_entry *e, size_t i, size_t width)
{
    return (uint32_t)load_folded(e->text.p + e->literal + i, width);
}

static int count_grams(struct hm_map *seen, const struct hm_build_entry *e, size_t width)
{
    for (size_t i = 0; i + width <= e->text.len; i++) {
        uint32_t *n = hm_map_put(seen, load_folded(e->text.p + i, width), NULL);
        if (!n)
            return -ENOMEM;
        ++*n;
    }
    return 0;
}

struct choosing {
    struct hm_map *seen, *taken;
    size_t width;
    unsigned stride;
};

/* Take the bytes that the fewest strings of these rules hold: what rules name often (".exe",
 * "\windows\") is in most events too; and do not pile many entries on one gram. */
static unsigned cost_at(const struct choosing *c, const struct hm_build_entry *e, size_t at)
{
    unsigned cost = 0;
    for (size_t i = at; i < at + c->stride; i++) {
        uint32_t g = gram_at(e, i, c->width);
        uint32_t *piled = hm_map_get(c->taken, g), *others = hm_map_get(c->seen, g);
        cost += (piled ? *piled * 8 : 0) + (others ? *others * 4 : 0);
        for (size_t k = 0; k < c->width; k++)
            cost += common((uint8_t)(g >> (8 * k)));
    }
    return cost;
}

static int choose_place(const struct choosing *c, struct hm_build_entry *e)
{
    unsigned best = UINT32_MAX;
    size_t whole = e->literal_len < HM_MASK_BYTES ? e->literal_len : HM_MASK_BYTES;
    size_t room = c->width == 2 ? whole : c->stride - 1 + c->width;
    for (size_t i = 0; i + room <= e->literal_len; i++) {
        unsigned cost = cost_at(c, e, i);
        if (cost < best) {
            best = cost;
            e->at = (uint32_t)i;
        }
    }
    for (size_t i = e->at; i < e->at + c->stride; i++) {
        uint32_t *n = hm_map_put(c->taken, gram_at(e, i, c->width), NULL);
        if (!n)
            return -ENOMEM;
        ++*n;
    }
    return 0;
}

static int choose_places(struct hm_build *b, const struct hm_build_field *f, enum place place,
                         unsigned stride)
{
    struct choosing c = {.seen = hm_map_new(sizeof(uint32_t), HM_GRAMS_MAX),
                         .taken = hm_map_new(sizeof(uint32_t), HM_GRAMS_MAX),
                         .width = place == PLACE_GRAM ? 4 : 2,
                         .stride = place == PLACE_GRAM ? stride : 1};
    int r = c.seen && c.taken ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < f->entries.count; i++) {
        const struct hm_build_entry *e = &b->entries[f->entries.ids[i]];
        if (e->kind != HM_ENTRY_CIDR && e->kind != HM_ENTRY_EMPTY)
            r = count_grams(c.seen, e, c.width);
    }
    for (size_t i = 0; !r && i < f->entries.count; i++) {
        struct hm_build_entry *e = &b->entries[f->entries.ids[i]];
        if (place_of(e, stride) == place)
            r = choose_place(&c, e);
    }
    hm_map_free(c.seen);
    hm_map_free(c.taken);
    return r;
}

struct sorting {
    const struct hm_build *b;
    unsigned stride;
};

static int by_place(const void *a, const void *b, void *ctx)
{
    const struct sorting *s = ctx;
    const struct hm_build_entry *x = &s->b->entries[*(const uint32_t *)a];
    const struct hm_build_entry *y = &s->b->entries[*(const uint32_t *)b];
    enum place p = place_of(x, s->stride), q = place_of(y, s->stride);
    if (p != q)
        return p < q ? -1 : 1;
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    if (x->key != y->key && p == PLACE_SLOT)
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
            uint8_t byte = any ? 0 : (uint8_t)gram_at(e, at, 1);
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
    switch (place_of(e, l->stride)) {
    case PLACE_SLOT:
        add_slot(l, e, at);
        break;
    case PLACE_GRAM:
        for (uint32_t i = e->at; i < e->at + l->stride; i++)
            l->grams[l->gram_count++] = (struct ref){gram_at(e, i, 4), at, i};
        break;
    case PLACE_PAIR: /* the entry is needed once more, for its third byte */
        l->pairs[l->pair_count++] = (struct ref){gram_at(e, e->at, 2), at, id << 8 | e->at};
        break;
    case PLACE_TRIED:
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
    struct layout l = {.b = b, .stride = stride_of(b, bf)};
    l.f = (struct hm_prog_field){.name = bf->name,
                                 .exists = bf->exists,
                                 .not_null = bf->not_null,
                                 .stride = l.stride,
                                 .least = HM_NO_INDEX};
    int r = choose_places(b, bf, PLACE_GRAM, l.stride);
    if (!r)
        r = choose_places(b, bf, PLACE_PAIR, l.stride);
    if (!r)
        r = lay_out(&l, bf);
    free(l.groups);
    free(l.grams);
    free(l.pairs);
    return r;
}

int hm_build_index(struct hm_build *b)
{
    for (size_t i = 0; i < b->entry_count; i++) {
        struct hm_build_entry *e = &b->entries[i];
        uint8_t *folded = malloc(e->text.len + 1);
        if (!folded)
            return -ENOMEM;
        set_slot(e, folded);
        set_literal(e);
        free(folded);
    }
    int r = 0;
    for (size_t i = 0; !r && i < b->field_count; i++)
        r = index_field(b, &b->fields[i]);
    return r;
}
