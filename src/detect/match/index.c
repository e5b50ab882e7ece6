/* Owns how entries are laid out to be found: whole values and both ends by a hash of their outer
 * bytes, literals inside a value by the rarest four (or two) of their bytes. One place an entry. */
#include "detect/limits.h"
#include "detect/match/limits.h"
#include "detect/match/build.h"
#include <errno.h>

enum place { PLACE_SLOT, PLACE_GRAM, PLACE_PAIR, PLACE_TRIED };

static enum place place_of(const struct hm_build_entry *e)
{
    if (e->class)
        return PLACE_SLOT;
    return e->literal_len >= 4 ? PLACE_GRAM : e->literal_len >= 2 ? PLACE_PAIR : PLACE_TRIED;
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

static int count_grams(struct hm_map *seen, const struct hm_build_entry *e)
{
    for (size_t i = 0; i + 4 <= e->text.len; i++) {
        uint32_t *n = hm_map_put(seen, load_folded(e->text.p + i, 4), NULL);
        if (!n)
            return -ENOMEM;
        ++*n;
    }
    return 0;
}

/* Take the bytes that the fewest strings of these rules hold: what rules name often (".exe",
 * "\windows\") is in most events too; and do not pile many entries on one gram. */
static int choose_gram(struct hm_map *seen, struct hm_map *taken, struct hm_build_entry *e,
                       size_t width)
{
    unsigned best = UINT32_MAX;
    for (size_t i = 0; i + width <= e->literal_len; i++) {
        uint32_t g = gram_at(e, i, width);
        uint32_t *piled = hm_map_get(taken, g), *others = hm_map_get(seen, g);
        unsigned cost = (piled ? *piled * 8 : 0) + (others ? *others * 4 : 0);
        for (size_t k = 0; k < width; k++)
            cost += common((uint8_t)(g >> (8 * k)));
        if (cost < best) {
            best = cost;
            e->at = (uint32_t)i;
            e->key = g;
        }
    }
    uint32_t *n = hm_map_put(taken, e->key, NULL);
    if (!n)
        return -ENOMEM;
    ++*n;
    return 0;
}

static int choose_grams(struct hm_build *b, const struct hm_build_field *f)
{
    struct hm_map *seen = hm_map_new(sizeof(uint32_t), HM_GRAMS_MAX);
    struct hm_map *taken = hm_map_new(sizeof(uint32_t), HM_GRAMS_MAX);
    int r = seen && taken ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < f->entries.count; i++) {
        const struct hm_build_entry *e = &b->entries[f->entries.ids[i]];
        if (e->kind != HM_ENTRY_CIDR && e->kind != HM_ENTRY_EMPTY)
            r = count_grams(seen, e);
    }
    for (size_t i = 0; !r && i < f->entries.count; i++) {
        struct hm_build_entry *e = &b->entries[f->entries.ids[i]];
        enum place p = place_of(e);
        if (p == PLACE_GRAM || p == PLACE_PAIR)
            r = choose_gram(seen, taken, e, p == PLACE_GRAM ? 4 : 2);
    }
    hm_map_free(seen);
    hm_map_free(taken);
    return r;
}

static int by_place(const void *a, const void *b, void *ctx)
{
    const struct hm_build *build = ctx;
    const struct hm_build_entry *x = &build->entries[*(const uint32_t *)a];
    const struct hm_build_entry *y = &build->entries[*(const uint32_t *)b];
    if (place_of(x) != place_of(y))
        return place_of(x) < place_of(y) ? -1 : 1;
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    if (x->key != y->key && place_of(x) != PLACE_TRIED)
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
        .at = e->at,
    };
    hm_buf_put(text, e->text.p, e->text.len);
    uint32_t at = (uint32_t)(out->len / sizeof made);
    hm_buf_put(out, &made, sizeof made);
    return at;
}

/* Entries that share a place (and key) become one run. */
struct group {
    uint64_t key;
    uint32_t class;
    enum place place;
    struct hm_span entries;
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

static struct hm_span put_grams(struct hm_build *b, const struct group *g, size_t count)
{
    struct hm_buf *out = &b->section[HM_SECTION_GRAMS];
    size_t n = count ? power_of_two(count * 2) : 0;
    struct hm_span s = {(uint32_t)(out->len / sizeof(struct hm_gram)), (uint32_t)n};
    struct hm_gram *grams = (struct hm_gram *)hm_buf_extend(out, n * sizeof *grams);
    if (!grams)
        return s;
    memset(grams, 0, n * sizeof *grams);
    for (size_t i = 0; i < count; i++) {
        size_t at = hm_gram_hash((uint32_t)g[i].key) & (n - 1);
        while (grams[at].entries.count)
            at = (at + 1) & (n - 1);
        grams[at] = (struct hm_gram){.bytes = (uint32_t)g[i].key, .entries = g[i].entries};
    }
    return s;
}

/* A filter that says "surely none" for most positions. Returns its first word. */
static uint32_t put_filter(struct hm_build *b, const struct group *g, size_t count, unsigned log2,
                           bool hashed)
{
    struct hm_buf *out = &b->section[HM_SECTION_BITS];
    uint32_t at = (uint32_t)(out->len / 8);
    size_t words = ((size_t)1 << log2) / 64;
    uint64_t *bits = (uint64_t *)hm_buf_extend(out, words * 8);
    if (!bits)
        return at;
    memset(bits, 0, words * 8);
    for (size_t i = 0; i < count; i++) {
        uint32_t h =
            hashed ? hm_gram_hash((uint32_t)g[i].key) >> (32 - log2) : (uint32_t)g[i].key & 0xffff;
        bits[h / 64] |= UINT64_C(1) << (h % 64);
    }
    return at;
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

static void put_field(struct hm_build *b, const struct hm_build_field *bf, const struct group *g,
                      size_t count)
{
    size_t at[5] = {0};
    for (int p = PLACE_SLOT; p <= PLACE_TRIED; p++) {
        at[p + 1] = at[p];
        while (at[p + 1] < count && g[at[p + 1]].place == (enum place)p)
            at[p + 1]++;
    }
    size_t slots = at[1], grams = at[2] - at[1], pairs = at[3] - at[2];
    struct hm_prog_field f = {.name = bf->name, .exists = bf->exists, .not_null = bf->not_null};
    unsigned log2 = 9;
    while (log2 < 17 && ((size_t)1 << log2) < grams * 32)
        log2++;
    f.slots = put_slots(b, g, slots);
    f.grams = put_grams(b, g + at[1], grams);
    f.pairs = put_grams(b, g + at[2], pairs);
    f.gram_shift = 32 - log2;
    if (grams)
        f.gram_bits = put_filter(b, g + at[1], grams, log2, true);
    if (pairs)
        f.pair_bits = put_filter(b, g + at[2], pairs, 16, false);
    if (at[4] > at[3]) { /* tried entries are one run */
        f.tried.first = g[at[3]].entries.first;
        f.tried.count = g[at[4] - 1].entries.first + g[at[4] - 1].entries.count - f.tried.first;
    }
    f.cached = grams + pairs > 0;
    for (size_t i = 0; i < slots; i++)
        note_class(&f, g[i].class);
    hm_buf_put(&b->section[HM_SECTION_FIELDS], &f, sizeof f);
}

static int index_field(struct hm_build *b, struct hm_build_field *bf)
{
    struct group *groups = calloc(bf->entries.count + 1, sizeof *groups);
    size_t n = 0;
    if (!groups)
        return -ENOMEM;
    if (bf->entries.count)
        qsort_r(bf->entries.ids, bf->entries.count, sizeof *bf->entries.ids, by_place, b);
    for (size_t i = 0; i < bf->entries.count; i++) {
        const struct hm_build_entry *e = &b->entries[bf->entries.ids[i]];
        struct group one = {.key = e->key, .class = e->class, .place = place_of(e)};
        one.entries = (struct hm_span){put_entry(b, e), 1};
        bool same = n && one.place == groups[n - 1].place && one.class == groups[n - 1].class &&
                    one.key == groups[n - 1].key && one.place != PLACE_TRIED;
        if (same)
            groups[n - 1].entries.count++;
        else
            groups[n++] = one;
    }
    put_field(b, bf, groups, n);
    free(groups);
    return 0;
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
        if (!(r = choose_grams(b, &b->fields[i])))
            r = index_field(b, &b->fields[i]);
    return r;
}
