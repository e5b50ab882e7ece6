/* Gives a staged set out as a blob (blob.h): sorted, duplicates merged, in one pass, so that the
 * blob itself never lies in the builder's memory. */
#include "base/crc32c.h"
#include "detect/indicator/blocks.h"
#include "detect/indicator/sort.h"
#include <stdlib.h>

#define CHUNK 65536

struct out {
    int (*write)(void *ctx, struct hm_slice piece);
    void *ctx;
    uint8_t chunk[CHUNK];
    size_t used;
    uint64_t at;
    uint32_t crc;
    int error; /* sticky */
};

static void flush(struct out *o)
{
    struct hm_slice piece = hm_slice(o->chunk, o->used);
    if (o->error || o->used == 0)
        return;
    o->crc = hm_crc32c(o->crc, piece);
    o->error = o->write(o->ctx, piece);
    o->used = 0;
}

static void put(struct out *o, const void *p, size_t len)
{
    const uint8_t *from = p;
    o->at += len;
    while (len && !o->error) {
        size_t n = CHUNK - o->used < len ? CHUNK - o->used : len;
        memcpy(o->chunk + o->used, from, n);
        o->used += n;
        from += n;
        len -= n;
        if (o->used == CHUNK)
            flush(o);
    }
}

static void align(struct out *o)
{
    static const uint8_t zero[HM_BLOB_ALIGN];
    put(o, zero, (HM_BLOB_ALIGN - o->at % HM_BLOB_ALIGN) % HM_BLOB_ALIGN);
}

/* --- duplicates ------------------------------------------------------------------------------- */
static struct hm_slice value_of(const struct hm_intel_builder *b, const struct hm_staged *s,
                                uint8_t *ret_kind)
{
    return hm_blob_record(hm_buf_slice(&b->values), s->value, ret_kind);
}

static bool same_value(const struct hm_intel_builder *b, const struct hm_staged *x,
                       const struct hm_staged *y)
{
    uint8_t kx, ky;
    struct hm_slice vx = value_of(b, x, &kx), vy = value_of(b, y, &ky);
    return kx == ky && hm_slice_eq(vx, vy);
}

/* Joins stay apart: each has its own terms. */
static int merge_into(struct hm_intel_builder *b, struct hm_staged *run, size_t n,
                      const struct hm_staged *one, bool *ret_merged)
{
    *ret_merged = false;
    for (size_t i = 0; i < n && !(one->detail & HM_BLOB_JOIN); i++) {
        if (run[i].h != one->h || run[i].detail & HM_BLOB_JOIN || !same_value(b, &run[i], one))
            continue;
        int64_t d = hm_stage_merge(b, run[i].detail, one->detail);
        if (d < 0)
            return (int)d;
        run[i].detail = (uint32_t)d;
        *ret_merged = true;
        return 0;
    }
    return 0;
}

static int unite(struct hm_intel_builder *b, uint64_t *ret_duplicates)
{
    struct hm_staged *s = b->entries.p;
    size_t kept = 0, run = 0; /* run: where entries with this hash begin */
    for (size_t i = 0; i < b->entries.count; i++) {
        bool merged;
        if (kept == 0 || s[run].h != s[i].h)
            run = kept;
        int r = merge_into(b, s + run, kept - run, &s[i], &merged);
        if (r < 0)
            return r;
        if (!merged)
            s[kept++] = s[i];
    }
    *ret_duplicates += b->entries.count - kept;
    b->entries.count = kept;
    return 0;
}

static int unite_blocks(struct hm_intel_builder *b, struct hm_list *l, uint64_t *ret_duplicates)
{
    struct hm_blob_block *k = l->p;
    size_t kept = 0;
    if (l->count == 0)
        return 0;
    hm_blocks_sort(l);
    for (size_t i = 0; i < l->count; i++) {
        if (kept == 0 || hm_block_compare(&k[kept - 1], &k[i]) != 0) {
            k[kept++] = k[i];
            continue;
        }
        int64_t d = hm_stage_merge(b, k[kept - 1].detail, k[i].detail);
        if (d < 0)
            return (int)d;
        k[kept - 1].detail = (uint32_t)d;
    }
    *ret_duplicates += l->count - kept;
    l->count = kept;
    return 0;
}

/* --- sections --------------------------------------------------------------------------------- */
struct plan {
    struct hm_intel_builder *b;
    struct hm_blob_header h;
    struct out *o;
    uint64_t entries_bytes;
};

static uint32_t index_bits(size_t count)
{
    uint32_t bits = 0;
    while (bits < 24 && ((size_t)4 << bits) < count)
        bits++;
    return bits;
}

static size_t filter_blocks(size_t count)
{
    return count * 12 / 256 + (count > 0);
}

/* Bytes of a staged value with its kind and length. */
static size_t record_length(const struct plan *p, const struct hm_staged *s, struct hm_slice v)
{
    return (size_t)(v.p - p->b->values.data) - s->value + v.len;
}

static size_t entry_length(const struct plan *p, const struct hm_staged *s, struct hm_slice v)
{
    return HM_ENTRY_HEAD +
           (p->h.form == HM_INTEL_COMPACT ? sizeof(uint32_t) : record_length(p, s, v));
}

static void count_values(struct plan *p)
{
    const struct hm_staged *s = p->b->entries.p;
    uint8_t kind = 0;
    for (size_t i = 0; i < p->b->entries.count; i++) {
        struct hm_slice v = value_of(p->b, &s[i], &kind);
        p->entries_bytes += entry_length(p, &s[i], v);
        p->h.kinds[kind]++;
    }
    p->h.kinds[HM_INTEL_IP] += p->b->blocks[0].count + p->b->blocks[1].count;
    p->h.kinds[HM_INTEL_REGEX] = p->b->regex_count;
    p->h.joins = p->b->joins.count;
}

static int lay_out(struct plan *p, enum hm_intel_form form)
{
    const struct hm_intel_builder *b = p->b;
    size_t n = b->entries.count;
    p->h.form = form;
    count_values(p);
    p->h.index_bits = index_bits(n);
    const uint64_t lengths[HM_BLOB_SECTIONS] = {
        [HM_BLOB_FILTER] = filter_blocks(n) * HM_FILTER_BLOCK,
        [HM_BLOB_INDEX] = ((UINT64_C(1) << p->h.index_bits) + 1) * sizeof(uint32_t),
        [HM_BLOB_ENTRIES] = p->entries_bytes,
        [HM_BLOB_DETAILS] = b->details.count * sizeof(struct hm_blob_detail),
        [HM_BLOB_SOURCES] = b->sources.count * sizeof(uint32_t),
        [HM_BLOB_TEXTS] = b->texts.len,
        [HM_BLOB_BLOCKS4] = b->blocks[0].count * sizeof(struct hm_blob_block),
        [HM_BLOB_BLOCKS6] = b->blocks[1].count * sizeof(struct hm_blob_block),
        [HM_BLOB_REGEXES] = b->regexes.len,
        [HM_BLOB_JOINS] = b->joins.count * sizeof(struct hm_blob_join),
        [HM_BLOB_TERMS] = b->terms.len};
    uint64_t at = sizeof p->h;
    for (int i = 0; i < HM_BLOB_SECTIONS; i++) {
        at = (at + HM_BLOB_ALIGN - 1) / HM_BLOB_ALIGN * HM_BLOB_ALIGN;
        p->h.section[i].offset = at;
        p->h.section[i].length = lengths[i];
        at += lengths[i];
    }
    memcpy(p->h.magic, HM_BLOB_MAGIC, sizeof HM_BLOB_MAGIC);
    p->h.version = HM_BLOB_VERSION;
    p->h.seed = b->seed;
    p->h.bytes = at + sizeof(uint32_t);
    return p->h.bytes > HM_INTEL_BLOB_MAX_BYTES ? -E2BIG : 0;
}

static int put_filter(struct plan *p)
{
    size_t bytes = p->h.section[HM_BLOB_FILTER].length;
    const struct hm_staged *s = p->b->entries.p;
    hm_autofree uint8_t *filter = calloc(1, bytes ? bytes : 1);
    uint32_t mask[8], word;
    if (!filter)
        return -ENOMEM;
    for (size_t i = 0; i < p->b->entries.count; i++) {
        uint8_t *block = filter + hm_filter_at(s[i].h, bytes / HM_FILTER_BLOCK);
        hm_filter_mask((uint32_t)s[i].h, mask);
        for (int w = 0; w < 8; w++) {
            memcpy(&word, block + 4 * w, 4);
            word |= mask[w];
            memcpy(block + 4 * w, &word, 4);
        }
    }
    put(p->o, filter, bytes);
    return 0;
}

static void put_index(struct plan *p)
{
    const struct hm_staged *s = p->b->entries.p;
    size_t i = 0, n = p->b->entries.count;
    uint32_t at = 0;
    uint8_t kind;
    for (uint64_t bucket = 0; bucket <= UINT64_C(1) << p->h.index_bits; bucket++) {
        for (; i < n && hm_blob_bucket(s[i].h, p->h.index_bits) < bucket; i++)
            at += (uint32_t)entry_length(p, &s[i], value_of(p->b, &s[i], &kind));
        put(p->o, &at, sizeof at);
    }
}

static void put_entries(struct plan *p)
{
    const struct hm_staged *s = p->b->entries.p;
    uint8_t kind = 0;
    for (size_t i = 0; i < p->b->entries.count; i++) {
        struct hm_slice v = value_of(p->b, &s[i], &kind);
        uint32_t head[2] = {hm_blob_tag(s[i].h, p->h.index_bits), s[i].detail};
        uint32_t second = hm_blob_hash2(p->h.seed, (enum hm_intel_kind)kind, v.p, v.len);
        put(p->o, head, sizeof head);
        if (p->h.form == HM_INTEL_COMPACT)
            put(p->o, &second, sizeof second);
        else
            put(p->o, p->b->values.data + s[i].value, record_length(p, &s[i], v));
    }
}

static void put_list(struct plan *p, const struct hm_list *l)
{
    align(p->o);
    put(p->o, l->p, l->count * l->size);
}

static void put_buf(struct plan *p, const struct hm_buf *b)
{
    align(p->o);
    put(p->o, b->data, b->len);
}

static int put_all(struct plan *p)
{
    const struct hm_intel_builder *b = p->b;
    put(p->o, &p->h, sizeof p->h);
    align(p->o);
    int r = put_filter(p);
    if (r < 0)
        return r;
    align(p->o);
    put_index(p);
    align(p->o);
    put_entries(p);
    put_list(p, &b->details);
    put_list(p, &b->sources);
    put_buf(p, &b->texts);
    put_list(p, &b->blocks[0]);
    put_list(p, &b->blocks[1]);
    put_buf(p, &b->regexes);
    put_list(p, &b->joins);
    put_buf(p, &b->terms);
    flush(p->o);
    put(p->o, &p->o->crc, sizeof p->o->crc);
    flush(p->o);
    return p->o->error;
}

static int prepare(struct hm_intel_builder *b, uint64_t *ret_duplicates)
{
    if (b->entries.count)
        hm_staged_sort(b->entries.p, b->entries.count, 56);
    int r = unite(b, ret_duplicates);
    for (int i = 0; i < 2 && r == 0; i++) {
        r = unite_blocks(b, &b->blocks[i], ret_duplicates);
        hm_blocks_parents(&b->blocks[i]);
    }
    *ret_duplicates += b->regex_duplicates;
    int64_t empty = r == 0 ? hm_stage_text(b, (struct hm_slice){0}) : r;
    return empty < 0 ? (int)empty : 0;
}

int hm_intel_build(struct hm_intel_builder *b, enum hm_intel_form form,
                   int (*write)(void *ctx, struct hm_slice piece), void *ctx,
                   uint64_t *ret_duplicates)
{
    uint64_t duplicates = 0;
    struct plan p = {.b = b};
    int r = prepare(b, &duplicates);
    if (r == 0)
        r = lay_out(&p, form);
    if (r == 0 && !(p.o = calloc(1, sizeof *p.o)))
        r = -ENOMEM;
    if (r == 0) {
        p.o->write = write;
        p.o->ctx = ctx;
        r = put_all(&p);
    }
    if (r == 0 && ret_duplicates)
        *ret_duplicates = duplicates;
    free(p.o);
    hm_stage_empty(b);
    return r;
}
