/* Takes values in: checks, normalises and keeps them in the form they will have, with 16 bytes an
 * indicator beside value and details. Knows no feed and not how the blob is laid out in a file. */
#include "detect/indicator/stage.h"
#include "detect/indicator/regex.h"
#include <stdlib.h>

void *hm_list_add(struct hm_list *l, int *ret_error)
{
    if (l->count == l->max) {
        *ret_error = -E2BIG;
        return NULL;
    }
    if (l->count ==
        l->cap) { /* large blocks move by remapping; what is not touched costs nothing */
        size_t cap = l->cap ? l->cap + l->cap / 2 : 64;
        void *p = realloc(l->p, cap * l->size);
        if (!p) {
            *ret_error = -ENOMEM;
            return NULL;
        }
        l->p = p;
        l->cap = cap;
    }
    return memset((char *)l->p + l->size * l->count++, 0, l->size);
}

struct hm_intel_builder *hm_intel_builder_new(const struct hm_warnlist *warnings, uint64_t seed)
{
    struct hm_intel_builder *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->warnings = warnings;
    b->seed = seed;
    b->entries = (struct hm_list){.size = sizeof(struct hm_staged), .max = HM_INTEL_MAX};
    b->details =
        (struct hm_list){.size = sizeof(struct hm_blob_detail), .max = HM_INTEL_DETAILS_MAX};
    for (int i = 0; i < 2; i++)
        b->blocks[i] =
            (struct hm_list){.size = sizeof(struct hm_blob_block), .max = HM_INTEL_PREFIXES_MAX};
    b->joins = (struct hm_list){.size = sizeof(struct hm_blob_join), .max = HM_INTEL_JOINS_MAX};
    b->sources = (struct hm_list){.size = sizeof(uint32_t), .max = HM_INTEL_SOURCES_MAX};
    b->values = HM_BUF(HM_INTEL_VALUES_MAX_BYTES);
    b->texts = HM_BUF(HM_INTEL_TEXTS_MAX_BYTES);
    b->regexes = HM_BUF(HM_INTEL_REGEX_MAX * (2 * HM_INTEL_REGEX_MAX_BYTES + 8));
    b->terms = HM_BUF(HM_INTEL_VALUES_MAX_BYTES);
    b->source_numbers = hm_map_new(sizeof(uint32_t), HM_INTEL_SOURCES_MAX);
    b->text_cache = calloc(HM_STAGE_CACHE, sizeof *b->text_cache);
    b->detail_cache = calloc(HM_STAGE_CACHE, sizeof *b->detail_cache);
    if (!b->source_numbers || !b->text_cache || !b->detail_cache) {
        hm_intel_builder_free(b);
        return NULL;
    }
    return b;
}

static void empty_list(struct hm_list *l)
{
    free(l->p);
    l->p = NULL;
    l->count = l->cap = 0;
}

void hm_stage_empty(struct hm_intel_builder *b)
{
    struct hm_list *lists[] = {&b->entries,   &b->details, &b->blocks[0],
                               &b->blocks[1], &b->joins,   &b->sources};
    struct hm_buf *bufs[] = {&b->values, &b->texts, &b->regexes, &b->terms};
    for (size_t i = 0; i < HM_ARRAY_LEN(lists); i++)
        empty_list(lists[i]);
    for (size_t i = 0; i < HM_ARRAY_LEN(bufs); i++)
        hm_buf_done(bufs[i]);
    hm_map_free(b->source_numbers);
    hm_map_free(b->regex_seen);
    b->source_numbers = b->regex_seen = NULL;
    b->regex_duplicates = b->regex_loose = 0;
    b->regex_count = 0;
    memset(b->kinds, 0, sizeof b->kinds);
}

void hm_intel_builder_free(struct hm_intel_builder *b)
{
    if (!b)
        return;
    hm_stage_empty(b);
    free(b->text_cache);
    free(b->detail_cache);
    free(b);
}

/* --- texts, sources, details ------------------------------------------------------------------ */
static struct hm_slice cut_text(struct hm_slice s)
{
    s = hm_intel_trim(s);
    if (s.len <= 255)
        return s;
    s.len = 255;
    while (s.len && (s.p[s.len] & 0xc0) == 0x80) /* not in the middle of a character */
        s.len--;
    return s;
}

int64_t hm_stage_text(struct hm_intel_builder *b, struct hm_slice s)
{
    if (b->texts.len == 0)
        hm_buf_put_u8(&b->texts, 0);
    s = cut_text(s);
    if (s.len == 0)
        return b->texts.error;
    uint32_t *seen = &b->text_cache[hm_hash64(s.p, s.len, b->seed) % HM_STAGE_CACHE];
    if (*seen && hm_slice_eq(hm_blob_text(hm_buf_slice(&b->texts), *seen), s))
        return *seen;
    uint32_t at = (uint32_t)b->texts.len;
    if (b->texts.error || b->texts.len + 1 + s.len > b->texts.max)
        return b->texts.error ? b->texts.error : -E2BIG;
    hm_buf_put_u8(&b->texts, (uint8_t)s.len);
    hm_buf_put(&b->texts, s.p, s.len);
    *seen = at;
    return b->texts.error ? (int64_t)b->texts.error : (int64_t)at;
}

/* -E2BIG: no number left. */
int64_t hm_stage_sources(struct hm_intel_builder *b, struct hm_slice s)
{
    s = cut_text(s);
    uint64_t key = hm_hash64(s.p, s.len, b->seed);
    if (!b->source_numbers &&
        !(b->source_numbers = hm_map_new(sizeof(uint32_t), HM_INTEL_SOURCES_MAX)))
        return -ENOMEM;
    const uint32_t *number = hm_map_get(b->source_numbers, key);
    const uint32_t *texts = b->sources.p;
    if (number && hm_slice_eq(hm_blob_text(hm_buf_slice(&b->texts), texts[*number]), s))
        return *number;
    int64_t text = hm_stage_text(b, s);
    int r = 0, inserted = 0;
    if (text < 0)
        return text;
    uint32_t *slot = hm_list_add(&b->sources, &r);
    if (!slot)
        return r;
    *slot = (uint32_t)text;
    uint32_t *fresh = hm_map_put(b->source_numbers, key, &inserted);
    if (fresh)
        *fresh = (uint32_t)(b->sources.count - 1);
    return (int64_t)b->sources.count - 1;
}

int64_t hm_stage_detail(struct hm_intel_builder *b, const struct hm_blob_detail *d)
{
    uint32_t *seen = &b->detail_cache[hm_hash64(d, sizeof *d, b->seed) % HM_STAGE_CACHE];
    const struct hm_blob_detail *all = b->details.p;
    int r = 0;
    if (*seen < b->details.count && memcmp(&all[*seen], d, sizeof *d) == 0)
        return *seen;
    struct hm_blob_detail *fresh = hm_list_add(&b->details, &r);
    if (!fresh)
        return r;
    *fresh = *d;
    *seen = (uint32_t)(b->details.count - 1);
    return *seen;
}

static struct hm_slice source_text(const struct hm_intel_builder *b, uint16_t number)
{
    const uint32_t *texts = b->sources.p;
    return hm_blob_text(hm_buf_slice(&b->texts), texts[number]);
}

/* "a, b" names a and b. */
static bool names(struct hm_slice set, struct hm_slice one)
{
    for (size_t i = 0; i + one.len <= set.len; i++) {
        bool begins = i == 0 || (i >= 2 && set.p[i - 1] == ' ' && set.p[i - 2] == ',');
        size_t end = i + one.len;
        if (begins && (end == set.len || set.p[end] == ',') &&
            memcmp(set.p + i, one.p, one.len) == 0)
            return true;
    }
    return false;
}

/* Sets that would grow past a text stay as they are: the first sources are named. */
static uint16_t join_sources(struct hm_intel_builder *b, uint16_t one, uint16_t two)
{
    uint8_t text[512 + 2];
    struct hm_slice s1 = source_text(b, one), s2 = source_text(b, two);
    if (one == two || s2.len == 0 || names(s1, s2))
        return one;
    if (s1.len == 0 || names(s2, s1))
        return two;
    if (s1.len + 2 + s2.len > 255)
        return one;
    memcpy(text, s1.p, s1.len);
    memcpy(text + s1.len, ", ", 2);
    memcpy(text + s1.len + 2, s2.p, s2.len);
    int64_t n = hm_stage_sources(b, hm_slice(text, s1.len + 2 + s2.len));
    return n < 0 ? one : (uint16_t)n;
}

static uint32_t earliest(uint32_t one, uint32_t two)
{
    return one < two ? one : two; /* 0, always valid, is the earliest */
}

static uint32_t latest(uint32_t one, uint32_t two)
{
    return one == 0 || two == 0 ? 0 : one > two ? one : two;
}

int64_t hm_stage_merge(struct hm_intel_builder *b, uint32_t one, uint32_t two)
{
    const struct hm_blob_detail *all = b->details.p;
    if (one == two)
        return one;
    struct hm_blob_detail d = all[one], other = all[two];
    if (other.confidence > d.confidence) {
        d.confidence = other.confidence;
        if (other.label)
            d.label = other.label;
    }
    if (!d.label)
        d.label = other.label;
    d.from_s = earliest(d.from_s, other.from_s);
    d.until_s = latest(d.until_s, other.until_s);
    d.tlp = d.tlp > other.tlp ? d.tlp : other.tlp;
    d.sources = join_sources(b, d.sources, other.sources);
    return hm_stage_detail(b, &d);
}

/* --- values ----------------------------------------------------------------------------------- */
static uint32_t clip_time(uint64_t s)
{
    return s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

static int64_t detail_of(struct hm_intel_builder *b, const struct hm_indicator *in)
{
    int64_t sources = hm_stage_sources(b, in->source);
    int64_t label = hm_stage_text(b, in->label);
    if (sources < 0 || label < 0)
        return sources < 0 ? sources : label;
    struct hm_blob_detail d = {.label = (uint32_t)label,
                               .from_s = clip_time(in->valid_from_s),
                               .until_s = clip_time(in->valid_until_s),
                               .sources = (uint16_t)sources,
                               .confidence = in->confidence,
                               .tlp = (uint8_t)in->tlp};
    return hm_stage_detail(b, &d);
}

static int64_t keep_value(struct hm_intel_builder *b, const struct hm_intel_value *v)
{
    size_t at = b->values.len;
    if (b->values.error || at + HM_RECORD_MAX_BYTES > b->values.max)
        return b->values.error ? b->values.error : -E2BIG;
    uint8_t kind = (uint8_t)(v->kind | (v->kind == HM_INTEL_IP && v->len == 16 ? 0x10 : 0));
    hm_buf_put_u8(&b->values, kind);
    if (!hm_blob_fixed(kind))
        hm_buf_put_le16(&b->values, (uint16_t)v->len);
    hm_buf_put(&b->values, v->bytes, v->len);
    return b->values.error ? b->values.error : (int64_t)at;
}

static int keep_exact(struct hm_intel_builder *b, const struct hm_intel_value *v, uint32_t detail)
{
    int r = 0;
    struct hm_staged *s = hm_list_add(&b->entries, &r);
    int64_t at = s ? keep_value(b, v) : r;
    if (at < 0) {
        b->entries.count -= s != NULL;
        return (int)at;
    }
    *s = (struct hm_staged){hm_blob_hash(b->seed, v->kind, v->bytes, v->len), (uint32_t)at, detail};
    return 0;
}

static int keep_block(struct hm_intel_builder *b, const struct hm_intel_value *v, uint32_t detail)
{
    int r = 0;
    struct hm_blob_block *k = hm_list_add(&b->blocks[v->len == 16], &r);
    if (!k)
        return r;
    memcpy(k->start, v->bytes, v->len);
    k->detail = detail;
    k->prefix = v->prefix;
    return 0;
}

/* The record of the same pattern, if there is one; else *ret_slot is where to note this one. */
static uint8_t *same_regex(struct hm_intel_builder *b, const struct hm_indicator *in,
                           uint32_t **ret_slot)
{
    uint64_t key =
        hm_hash64(in->except.p, in->except.len, hm_hash64(in->value.p, in->value.len, b->seed));
    int inserted = 0;
    uint32_t *slot = hm_map_put(b->regex_seen, key, &inserted);
    *ret_slot = inserted ? slot : NULL;
    if (!slot || inserted)
        return NULL;
    uint8_t *record = b->regexes.data + *slot;
    size_t len = (size_t)record[4] | (size_t)record[5] << 8;
    size_t except = (size_t)record[6] | (size_t)record[7] << 8;
    return hm_slice_eq(hm_slice(record + 8, len), in->value) &&
                   hm_slice_eq(hm_slice(record + 8 + len, except), in->except)
               ? record
               : NULL;
}

static int keep_regex(struct hm_intel_builder *b, const struct hm_indicator *in, uint32_t detail)
{
    uint32_t *slot = NULL, old;
    uint8_t *record = NULL;
    if (!b->regex_seen && !(b->regex_seen = hm_map_new(sizeof(uint32_t), HM_INTEL_REGEX_MAX)))
        return -ENOMEM;
    record = same_regex(b, in, &slot);
    if (record) {
        memcpy(&old, record, sizeof old);
        int64_t merged = hm_stage_merge(b, old, detail);
        old = (uint32_t)merged;
        if (merged >= 0)
            memcpy(record, &old, sizeof old);
        b->regex_duplicates++;
        return merged < 0 ? (int)merged : 0;
    }
    if (b->regex_count == HM_INTEL_REGEX_MAX)
        return -E2BIG;
    bool loose = hm_intel_regex_loose(in->value);
    if (loose && b->regex_loose == HM_INTEL_REGEX_LOOSE_MAX)
        return -EOVERFLOW;
    b->regex_loose += loose;
    if (slot)
        *slot = (uint32_t)b->regexes.len;
    hm_buf_put_le32(&b->regexes, detail);
    hm_buf_put_le16(&b->regexes, (uint16_t)in->value.len);
    hm_buf_put_le16(&b->regexes, (uint16_t)in->except.len);
    hm_buf_put(&b->regexes, in->value.p, in->value.len);
    hm_buf_put(&b->regexes, in->except.p, in->except.len);
    b->regex_count += !b->regexes.error;
    return b->regexes.error;
}

static enum hm_intel_reason check(const struct hm_indicator *in, struct hm_intel_value *v)
{
    if (in->confidence > 100)
        return HM_INTEL_WHY_BAD_CONFIDENCE;
    if (in->valid_until_s && in->valid_until_s <= in->valid_from_s)
        return HM_INTEL_WHY_TIME_ORDER;
    if (in->kind != HM_INTEL_REGEX)
        return hm_intel_value_read(in->kind, in->value, v);
    v->kind = HM_INTEL_REGEX;
    if (in->value.len == 0)
        return HM_INTEL_WHY_EMPTY;
    if (in->value.len > HM_INTEL_REGEX_MAX_BYTES || in->except.len > HM_INTEL_REGEX_MAX_BYTES)
        return HM_INTEL_WHY_TOO_LONG;
    return hm_intel_regex_check(in->value) && (!in->except.len || hm_intel_regex_check(in->except))
               ? HM_INTEL_WHY_NONE
               : HM_INTEL_WHY_BAD_REGEX;
}

static bool set_aside(struct hm_intel_builder *b, const struct hm_indicator *in,
                      const char **ret_list)
{
    *ret_list = hm_warnlist_find(b->warnings, in->kind, hm_intel_trim(in->value));
    return *ret_list != NULL;
}

static int keep(struct hm_intel_builder *b, const struct hm_indicator *in,
                const struct hm_intel_value *v, uint32_t detail)
{
    if (v->kind == HM_INTEL_REGEX)
        return keep_regex(b, in, detail);
    if (v->kind == HM_INTEL_IP && v->prefix != v->len * 8)
        return keep_block(b, v, detail);
    return keep_exact(b, v, detail);
}

static int outcome(int r, enum hm_intel_reason *ret_why)
{
    if (r == -E2BIG || r == -EOVERFLOW) {
        *ret_why = r == -E2BIG ? HM_INTEL_WHY_LIMIT_COUNT : HM_INTEL_WHY_LOOSE_REGEX;
        return HM_INTEL_OVER_LIMIT;
    }
    return r < 0 ? r : HM_INTEL_LOADED;
}

static int take(struct hm_intel_builder *b, const struct hm_indicator *in, bool force,
                struct hm_intel_value *v, enum hm_intel_reason *ret_why, const char **ret_list)
{
    *ret_list = NULL;
    *ret_why = check(in, v);
    if (*ret_why != HM_INTEL_WHY_NONE)
        return *ret_why == HM_INTEL_WHY_TOO_LONG ? HM_INTEL_OVER_LIMIT : HM_INTEL_MALFORMED;
    if (b->warnings && !force && set_aside(b, in, ret_list)) {
        *ret_why = HM_INTEL_WHY_LISTED;
        return HM_INTEL_WARNED;
    }
    return HM_INTEL_LOADED;
}

int hm_intel_builder_add(struct hm_intel_builder *b, const struct hm_indicator *in, bool force,
                         enum hm_intel_reason *ret_why, const char **ret_list)
{
    struct hm_intel_value v;
    int o = take(b, in, force, &v, ret_why, ret_list);
    if (o != HM_INTEL_LOADED)
        return o;
    int64_t detail = detail_of(b, in);
    int r = detail < 0 ? (int)detail : keep(b, in, &v, (uint32_t)detail);
    b->kinds[in->kind] += r == 0;
    return outcome(r, ret_why);
}

static void keep_term(struct hm_intel_builder *b, const struct hm_intel_term *t)
{
    bool port = t->kind >= HM_TERM_DST_PORT;
    size_t len = port ? 2 : t->value->len + (t->kind == HM_INTEL_IP);
    hm_buf_put_u8(&b->terms, t->kind);
    hm_buf_put_u8(&b->terms, t->negate ? HM_TERM_NOT : 0);
    hm_buf_put_le16(&b->terms, (uint16_t)len);
    if (port) {
        hm_buf_put_le16(&b->terms, t->port);
        return;
    }
    hm_buf_put(&b->terms, t->value->bytes, t->value->len);
    if (t->kind == HM_INTEL_IP)
        hm_buf_put_u8(&b->terms, t->value->prefix);
}

int hm_intel_builder_join(struct hm_intel_builder *b, const struct hm_indicator *key,
                          const struct hm_intel_term *terms, size_t count, bool force,
                          enum hm_intel_reason *ret_why, const char **ret_list)
{
    struct hm_intel_value v;
    int r = 0, o = take(b, key, force, &v, ret_why, ret_list);
    if (o != HM_INTEL_LOADED)
        return o;
    int64_t detail = detail_of(b, key);
    if (detail < 0)
        return outcome((int)detail, ret_why);
    struct hm_blob_join *j = hm_list_add(&b->joins, &r);
    if (!j)
        return outcome(r, ret_why);
    *j = (struct hm_blob_join){(uint32_t)detail, (uint32_t)b->terms.len};
    hm_buf_put_u8(&b->terms, (uint8_t)count);
    for (size_t i = 0; i < count; i++)
        keep_term(b, &terms[i]);
    r = b->terms.error ? b->terms.error
                       : keep_exact(b, &v, HM_BLOB_JOIN | (uint32_t)(b->joins.count - 1));
    b->kinds[key->kind] += r == 0;
    return outcome(r, ret_why);
}
