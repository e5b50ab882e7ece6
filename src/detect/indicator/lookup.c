/* Looking up: filter, then the bucket, then the value itself. Everything read from the blob is
 * checked against its section before it is used, so a hostile set can only miss. */
#include "detect/indicator/blocks.h"
#include "detect/indicator/set.h"

static void load(const struct hm_intel *i, enum hm_blob_section s, size_t n, void *to, size_t size)
{
    memcpy(to, i->s[s].p + n * size, size);
}

static bool in_filter(const struct hm_intel *i, uint64_t h)
{
    uint32_t mask[8], block[8], missing = 0;
    if (!i->filter_blocks)
        return false;
    memcpy(block, i->s[HM_BLOB_FILTER].p + hm_filter_at(h, i->filter_blocks), sizeof block);
    hm_filter_mask((uint32_t)h, mask);
    for (int w = 0; w < 8; w++)
        missing |= mask[w] & ~block[w];
    return !missing;
}

bool hm_intel_filter_passes(const struct hm_intel *i, enum hm_intel_kind kind,
                            struct hm_slice value)
{
    return in_filter(i, hm_blob_hash(i->seed, kind, value.p, value.len));
}

static bool fill_detail(const struct hm_intel *i, uint32_t n, struct hm_intel_hit *h)
{
    struct hm_blob_detail d;
    uint32_t source = 0;
    if (n >= i->details)
        return false;
    load(i, HM_BLOB_DETAILS, n, &d, sizeof d);
    if (d.sources < i->s[HM_BLOB_SOURCES].len / sizeof source)
        load(i, HM_BLOB_SOURCES, d.sources, &source, sizeof source);
    h->source = hm_blob_text(i->s[HM_BLOB_TEXTS], source);
    h->label = hm_blob_text(i->s[HM_BLOB_TEXTS], d.label);
    h->valid_from_s = d.from_s;
    h->valid_until_s = d.until_s;
    h->confidence = d.confidence <= 100 ? d.confidence : 100;
    h->tlp = d.tlp <= HM_TLP_RED ? (enum hm_tlp)d.tlp : HM_TLP_RED;
    return true;
}

static void tell(struct hm_intel_ask *a, uint32_t detail, enum hm_intel_kind kind,
                 struct hm_slice found, bool confirmed)
{
    struct hm_intel_hit h = {.kind = kind,
                             .field = a->field,
                             .value = a->shown,
                             .found = found,
                             .prefix = a->prefix,
                             .confirmed = confirmed};
    if (!fill_detail(a->i, detail, &h) || (h.valid_from_s && a->now_s < h.valid_from_s) ||
        (h.valid_until_s && a->now_s >= h.valid_until_s))
        return;
    a->hits++;
    if (a->hit)
        a->hit(a->ctx, &h);
}

/* In a compact set the tag says that the indicator's value is what was asked for. */
static void found_entry(struct hm_intel_ask *a, uint32_t detail, enum hm_intel_kind kind,
                        struct hm_slice value)
{
    bool full = a->i->stats.form == HM_INTEL_FULL;
    struct hm_blob_join j;
    uint32_t n = detail & ~HM_BLOB_JOIN;
    if (!(detail & HM_BLOB_JOIN)) {
        tell(a, n, kind, value, full);
        return;
    }
    if (!a->holds || n >= a->i->s[HM_BLOB_JOINS].len / sizeof j)
        return;
    load(a->i, HM_BLOB_JOINS, n, &j, sizeof j);
    if (a->holds(a, j.terms))
        tell(a, j.detail, kind, value, full);
}

/* The entries of a bucket, one after the other; every length is checked. */
struct bucket {
    const uint8_t *p, *end;
};

static bool next_entry(struct bucket *b, bool compact, uint32_t *ret_tag, uint32_t *ret_detail,
                       uint8_t *ret_kind, struct hm_slice *ret_value)
{
    if (b->end - b->p < HM_ENTRY_HEAD + 4)
        return false;
    memcpy(ret_tag, b->p, 4);
    memcpy(ret_detail, b->p + 4, 4);
    b->p += HM_ENTRY_HEAD;
    *ret_value = compact ? hm_slice(b->p, 4)
                         : hm_blob_record(hm_slice(b->p, (size_t)(b->end - b->p)), 0, ret_kind);
    if (ret_value->len == 0)
        return false;
    b->p = ret_value->p + ret_value->len;
    return true;
}

static bool open_bucket(const struct hm_intel *i, uint64_t h, struct bucket *ret_b)
{
    struct hm_slice entries = i->s[HM_BLOB_ENTRIES];
    uint32_t at[2];
    memcpy(at, i->s[HM_BLOB_INDEX].p + hm_blob_bucket(h, i->index_bits) * sizeof at[0], sizeof at);
    if (at[0] >= at[1] || at[1] > entries.len)
        return false;
    *ret_b = (struct bucket){entries.p + at[0], entries.p + at[1]};
    for (const uint8_t *p = ret_b->p + 64; p < ret_b->end && p < ret_b->p + 512; p += 64)
        __builtin_prefetch(p);
    return true;
}

static void in_bucket(struct hm_intel_ask *a, uint64_t h, enum hm_intel_kind kind,
                      struct hm_slice value)
{
    const struct hm_intel *i = a->i;
    bool compact = i->stats.form == HM_INTEL_COMPACT;
    uint32_t tag, detail, wanted = hm_blob_tag(h, i->index_bits), second = 0;
    uint8_t k = (uint8_t)kind;
    struct hm_slice found;
    struct bucket b;
    if (!open_bucket(i, h, &b))
        return;
    if (compact)
        second = hm_blob_hash2(i->seed, kind, value.p, value.len);
    while (next_entry(&b, compact, &tag, &detail, &k, &found)) {
        if (tag != wanted)
            continue;
        if (compact && memcmp(found.p, &second, sizeof second) == 0)
            found_entry(a, detail, kind, value);
        else if (!compact && k == kind && hm_slice_eq(found, value))
            found_entry(a, detail, kind, found);
    }
}

static void ask_exact(struct hm_intel_ask *a, enum hm_intel_kind kind, struct hm_slice value)
{
    uint64_t h = hm_blob_hash(a->i->seed, kind, value.p, value.len);
    if (a->i->filter_blocks) /* by the time the filter says yes, the bucket is on its way */
        __builtin_prefetch(a->i->s[HM_BLOB_INDEX].p +
                           hm_blob_bucket(h, a->i->index_bits) * sizeof(uint32_t));
    if (in_filter(a->i, h))
        in_bucket(a, h, kind, value);
}

/* --- domains: the name and each of its parents --------------------------------------------------
 */
static void ask_domain(struct hm_intel_ask *a, struct hm_slice name)
{
    uint8_t at[HM_INTEL_LABELS_MAX + 1];
    uint64_t h[HM_INTEL_LABELS_MAX + 1];
    size_t n = 0;
    if (name.len > 253 || !a->i->filter_blocks)
        return;
    for (size_t i = 0; n < HM_ARRAY_LEN(at);) { /* a top-level domain is never an indicator */
        const uint8_t *dot = memchr(name.p + i, '.', name.len - i);
        if (!dot)
            break;
        at[n++] = (uint8_t)i;
        i = (size_t)(dot - name.p) + 1;
    }
    for (size_t i = 0; i < n; i++) { /* all blocks are fetched while the next is hashed */
        h[i] = hm_blob_hash(a->i->seed, HM_INTEL_DOMAIN, name.p + at[i], name.len - at[i]);
        __builtin_prefetch(a->i->s[HM_BLOB_FILTER].p + hm_filter_at(h[i], a->i->filter_blocks));
    }
    for (size_t i = 0; i < n; i++)
        if (in_filter(a->i, h[i]))
            in_bucket(a, h[i], HM_INTEL_DOMAIN, hm_slice(name.p + at[i], name.len - at[i]));
}

/* --- addresses: exact, then blocks from the narrowest -------------------------------------------
 */
static void ask_blocks(struct hm_intel_ask *a, struct hm_slice ip)
{
    enum hm_blob_section s = ip.len == 16 ? HM_BLOB_BLOCKS6 : HM_BLOB_BLOCKS4;
    uint8_t wide[16] = {0};
    struct hm_blob_block k;
    memcpy(wide, ip.p, ip.len);
    uint64_t high = hm_blob_be64(wide), low = hm_blob_be64(wide + 8);
    size_t skip = 0, n = a->i->s[s].len / sizeof k;
    if (ip.len == 4 && a->i->near) { /* of our making, so within the section */
        skip = a->i->near[(size_t)wide[0] << 8 | wide[1]];
        n = a->i->near[((size_t)wide[0] << 8 | wide[1]) + 1];
    }
    n = skip + hm_blocks_before(hm_slice(a->i->s[s].p + skip * sizeof k, (n - skip) * sizeof k),
                                high, low);
    while (n-- > 0) {
        load(a->i, s, n, &k, sizeof k);
        a->prefix = (uint8_t)k.prefix;
        if (hm_blob_within(&k, high, low))
            tell(a, k.detail, HM_INTEL_IP, hm_slice(a->i->s[s].p + n * sizeof k, ip.len), true);
        if (k.parent >= n)
            return;
        n = k.parent + 1u;
    }
}

void hm_intel_ask(struct hm_intel_ask *a, const struct hm_intel_value *v)
{
    struct hm_slice value = hm_slice(v->bytes, v->len);
    if (v->kind == HM_INTEL_DOMAIN) {
        ask_domain(a, value);
        return;
    }
    a->prefix = v->kind == HM_INTEL_IP ? (uint8_t)(v->len * 8) : 0;
    ask_exact(a, v->kind, value);
    if (v->kind == HM_INTEL_IP)
        ask_blocks(a, value);
}

/* --- patterns -----------------------------------------------------------------------------------
 */
static void pattern_hit(void *ctx, uint32_t detail, struct hm_slice pattern)
{
    tell(ctx, detail, HM_INTEL_REGEX, pattern, true);
}

void hm_intel_ask_path(struct hm_intel_ask *a, struct hm_slice path)
{
    hm_intel_regexes_match(a->i->regexes, path, pattern_hit, a);
}

/* --- from outside -------------------------------------------------------------------------------
 */
static bool normal_form(enum hm_intel_kind kind, struct hm_slice value, struct hm_intel_value *v)
{
    switch (kind) {
    case HM_INTEL_IP:
        return hm_intel_value_address(value, v);
    case HM_INTEL_DOMAIN:
        return hm_intel_value_domain(value, v);
    case HM_INTEL_URL:
        return hm_intel_value_url(value, v, NULL);
    default:
        return hm_intel_value_path(kind, value, v);
    }
}

static void ask_digest(struct hm_intel_ask *a, enum hm_intel_kind kind, struct hm_slice value)
{
    if (value.len == hm_blob_fixed((uint8_t)kind))
        ask_exact(a, kind, value);
}

size_t hm_intel_find(const struct hm_intel *i, enum hm_intel_kind kind, struct hm_slice value,
                     uint64_t now_s, hm_intel_hit_fn *hit, void *ctx)
{
    struct hm_intel_value v;
    struct hm_intel_ask a = {
        .i = i, .now_s = now_s, .hit = hit, .ctx = ctx, .field = -1, .shown = value};
    if (kind == HM_INTEL_REGEX)
        hm_intel_ask_path(&a, value);
    else if (kind <= HM_INTEL_SHA256) /* as they are: a copy would have to settle first */
        ask_digest(&a, kind, value);
    else if (normal_form(kind, value, &v))
        hm_intel_ask(&a, &v);
    return a.hits;
}
