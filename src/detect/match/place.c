/* Owns where an entry is looked for: whole values and both ends by their outer bytes, a literal by
 * the rarest of its bytes. Knows strings and how common bytes are; lays nothing out. */
#include "detect/match/place.h"
#include "detect/match/limits.h"
#include <errno.h>
#include <stdlib.h>

/* Grams are looked up at every stride-th byte of a value, so that a literal has as many of them in
 * the table: one is met wherever it begins. Literals too short for that are found by pairs. */
enum hm_place_kind hm_place_of(const struct hm_build_entry *e, unsigned stride)
{
    if (e->class)
        return HM_PLACE_SLOT;
    return e->literal_len >= stride + 3 ? HM_PLACE_GRAM
           : e->literal_len >= 2        ? HM_PLACE_PAIR
                                        : HM_PLACE_TRIED;
}

/* The longest stride whose leftovers are few enough for the masks of shuffle.h. */
unsigned hm_place_stride(const struct hm_build *b, const struct hm_build_field *f)
{
    for (unsigned stride = 4; stride > 1; stride /= 2) {
        size_t grams = 0, pairs = 0;
        for (size_t i = 0; i < f->entries.count; i++) {
            enum hm_place_kind p = hm_place_of(&b->entries[f->entries.ids[i]], stride);
            grams += p == HM_PLACE_GRAM;
            pairs += p == HM_PLACE_PAIR;
        }
        if (grams && pairs <= HM_FEW_PAIRS && grams * stride <= HM_STRIDE_GRAMS_MAX)
            return stride;
    }
    return 1;
}

uint64_t hm_place_folded(const uint8_t *p, size_t n)
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
        e->key = hm_place_folded(e->text.p, outer);
        break;
    case HM_ENTRY_SUFFIX:
        e->class = n ? HM_SLOT_SUFFIX + (uint32_t)outer : 0;
        e->key = hm_place_folded(e->text.p + n - outer, outer);
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

uint32_t hm_place_gram(const struct hm_build_entry *e, size_t i, size_t width)
{
    return (uint32_t)hm_place_folded(e->text.p + e->literal + i, width);
}

static int count_grams(struct hm_map *seen, const struct hm_build_entry *e, size_t width)
{
    for (size_t i = 0; i + width <= e->text.len; i++) {
        uint32_t *n = hm_map_put(seen, hm_place_folded(e->text.p + i, width), NULL);
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
        uint32_t g = hm_place_gram(e, i, c->width);
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
        uint32_t *n = hm_map_put(c->taken, hm_place_gram(e, i, c->width), NULL);
        if (!n)
            return -ENOMEM;
        ++*n;
    }
    return 0;
}

int hm_place_choose(struct hm_build *b, const struct hm_build_field *f, enum hm_place_kind place,
                    unsigned stride)
{
    struct choosing c = {.seen = hm_map_new(sizeof(uint32_t), HM_GRAMS_MAX),
                         .taken = hm_map_new(sizeof(uint32_t), HM_GRAMS_MAX),
                         .width = place == HM_PLACE_GRAM ? 4 : 2,
                         .stride = place == HM_PLACE_GRAM ? stride : 1};
    int r = c.seen && c.taken ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < f->entries.count; i++) {
        const struct hm_build_entry *e = &b->entries[f->entries.ids[i]];
        if (e->kind != HM_ENTRY_CIDR && e->kind != HM_ENTRY_EMPTY)
            r = count_grams(c.seen, e, c.width);
    }
    for (size_t i = 0; !r && i < f->entries.count; i++) {
        struct hm_build_entry *e = &b->entries[f->entries.ids[i]];
        if (hm_place_of(e, stride) == place)
            r = choose_place(&c, e);
    }
    hm_map_free(c.seen);
    hm_map_free(c.taken);
    return r;
}

int hm_place_keys(struct hm_build *b)
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
    return 0;
}
