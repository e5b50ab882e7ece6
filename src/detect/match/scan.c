/* Owns the look through one value: which entries of its field are in it, and so which tests hold.
 * The value is folded once. Its two ends are looked up by their outer bytes, and each four bytes
 * within by the filter of the field's literals; what is found there is compared in full. */
#include "detect/limits.h"
#include "detect/match/limits.h"
#include "detect/match/scratch.h"
#include <errno.h>
#ifdef __SSE2__
#include <tmmintrin.h>
#endif

enum { BEFORE = 16, AFTER = 64 };

struct look { /* one value being looked through */
    struct hm_scratch *s;
    const struct hm_prog_field *f;
    const uint8_t *text, *folded;
    size_t len;
    bool number;
    bool several; /* more than one value: whether a wildcard fits is not known here */
};

bool hm_scan_room(struct hm_scratch *s, size_t len)
{
    if (len + BEFORE + AFTER <= s->folded_room)
        return true;
    size_t room = (len + BEFORE + AFTER) * 2;
    uint8_t *p = len > HM_VALUE_MAX_BYTES ? NULL : calloc(1, room);
    if (!p) {
        s->failed = true;
        return false;
    }
    free(s->folded);
    s->folded = p;
    s->folded_room = room;
    return true;
}

#ifdef __SSE2__
static __m128i fold16(__m128i v)
{
    __m128i upper = _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8('A' - 1)),
                                  _mm_cmplt_epi8(v, _mm_set1_epi8('Z' + 1)));
    return _mm_or_si128(v, _mm_and_si128(upper, _mm_set1_epi8(0x20)));
}
#endif

static void fold(uint8_t *to, const uint8_t *from, size_t n)
{
    size_t i = 0;
#ifdef __SSE2__
    for (; i + 16 <= n; i += 16)
        _mm_storeu_si128((__m128i *)(to + i), fold16(_mm_loadu_si128((const __m128i *)(from + i))));
    if (i < n) {
        uint8_t rest[16] = {0};
        memcpy(rest, from + i, n - i);
        _mm_storeu_si128((__m128i *)(to + i), fold16(_mm_loadu_si128((const __m128i *)rest)));
        i += 16;
    }
#else
    for (; i < n; i++)
        to[i] = hm_fold(from[i]);
#endif
    memset(to + n, 0, 16);
}

static void take(struct hm_scratch *s, const struct hm_prog_entry *e)
{
    const uint32_t *tests = s->p->ids + e->tests.first;
    for (uint32_t i = 0; i < e->tests.count; i++) {
        if (s->test_seen[tests[i]] == s->stamp)
            continue;
        s->test_seen[tests[i]] = s->stamp;
        s->found[s->found_count++] = tests[i];
    }
}

static bool same_at(const struct look *l, const struct hm_prog_entry *e, size_t at)
{
    const uint8_t *text = e->cased ? l->text : l->folded;
    return at <= l->len && e->len <= l->len - at &&
           memcmp(text + at, l->s->p->text + e->text, e->len) == 0;
}

/* '*' is 0x01 and '?' is 0x02; greedy with one place to go back to: no recursion, no explosion. */
static bool glob(const uint8_t *pat, size_t pat_len, const uint8_t *t, size_t len)
{
    size_t ti = 0, pi = 0, star = SIZE_MAX, mark = 0;
    while (ti < len) {
        if (pi < pat_len && pat[pi] == 0x01) {
            star = pi++;
            mark = ti;
        } else if (pi < pat_len && pat[pi] == 0x02) {
            pi++;
            for (ti++; ti < len && (t[ti] & 0xc0) == 0x80 && t[ti - 1] >= 0x80;)
                ti++; /* "a single mandatory character", not a byte of one */
        } else if (pi < pat_len && pat[pi] == t[ti]) {
            pi++;
            ti++;
        } else if (star != SIZE_MAX) {
            pi = star + 1;
            ti = ++mark;
        } else {
            return false;
        }
    }
    while (pi < pat_len && pat[pi] == 0x01)
        pi++;
    return pi == pat_len;
}

static bool anywhere(const struct look *l, const struct hm_prog_entry *e)
{
    const uint8_t *text = e->cased ? l->text : l->folded;
    if (e->len == 1)
        return memchr(text, l->s->p->text[e->text], l->len);
    return e->len == 0 || memmem(text, l->len, l->s->p->text + e->text, e->len);
}

static bool holds(const struct look *l, const struct hm_prog_entry *e)
{
    switch (e->kind) {
    case HM_ENTRY_EXACT:
        return l->len == e->len && (!e->number_only || l->number) && same_at(l, e, 0);
    case HM_ENTRY_PREFIX:
        return same_at(l, e, 0);
    case HM_ENTRY_SUFFIX:
        return e->len <= l->len && same_at(l, e, l->len - e->len);
    case HM_ENTRY_CONTAINS:
        return anywhere(l, e);
    case HM_ENTRY_GLOB:
        return glob(l->s->p->text + e->text, e->len, e->cased ? l->text : l->folded, l->len);
    case HM_ENTRY_EMPTY:
        return l->len == 0;
    default:
        return false;
    }
}

static void look_slot(const struct look *l, uint64_t key, uint32_t class)
{
    const struct hm_program *p = l->s->p;
    const struct hm_slot *slots = p->slots + l->f->slots.first;
    const uint64_t *bits = p->bits + l->f->slot_bits;
    uint32_t hash = hm_slot_hash(key, class), h = hash >> l->f->slot_shift;
    if (!(bits[h / 64] >> (h % 64) & 1))
        return;
    uint32_t mask = l->f->slots.count - 1, at = hash & mask;
    for (; slots[at].class != HM_SLOT_FREE; at = (at + 1) & mask) {
        if (slots[at].key != key || slots[at].class != class)
            continue;
        const struct hm_prog_entry *e = p->entries + slots[at].entries.first;
        for (uint32_t i = 0; i < slots[at].entries.count; i++)
            if (holds(l, &e[i]))
                take(l->s, &e[i]);
        return;
    }
}

static uint64_t low_bytes(uint64_t v, unsigned n)
{
    return n >= 8 ? v : v & ((UINT64_C(1) << (8 * n)) - 1);
}

static void look_at_ends(const struct look *l)
{
    uint64_t head = hm_load64(l->folded);
    uint64_t tail = hm_load64(l->folded + l->len - 8); /* of a short value: with what is before */
    for (uint32_t m = l->f->suffixes; m; m &= m - 1) {
        unsigned n = (unsigned)__builtin_ctz(m);
        if (n > l->len)
            break;
        look_slot(l, tail >> (8 * (8 - n)), HM_SLOT_SUFFIX + n);
    }
    for (uint32_t m = l->f->prefixes; m; m &= m - 1) {
        unsigned n = (unsigned)__builtin_ctz(m);
        if (n > l->len)
            break;
        look_slot(l, low_bytes(head, n), HM_SLOT_PREFIX + n);
    }
    if (l->f->exact && l->len)
        look_slot(l, hm_exact_key(l->folded, l->len), HM_SLOT_EXACT);
}

/* Entries whose literal has its gram here. An entry that was found, or a wildcard that was tried,
 * is not compared again in this value. */
static void look_run(const struct look *l, struct hm_span run, size_t at)
{
    struct hm_scratch *s = l->s;
    const struct hm_gram_ref *refs = s->p->refs + run.first;
    for (uint32_t i = 0; i < run.count; i++) {
        const struct hm_prog_entry *e = &s->p->entries[refs[i].entry];
        uint32_t *seen = &s->entry_seen[refs[i].entry];
        if (*seen == s->stamp)
            continue;
        bool whole = e->kind == HM_ENTRY_GLOB;
        bool hit =
            whole ? l->several || holds(l, e) : at >= refs[i].at && same_at(l, e, at - refs[i].at);
        if (whole || hit)
            *seen = s->stamp;
        if (hit)
            take(s, e);
    }
}

static void look_gram(const struct look *l, struct hm_span table, uint32_t bytes, size_t at)
{
    const struct hm_gram *grams = l->s->p->grams + table.first;
    uint32_t mask = table.count - 1, i = hm_gram_hash(bytes) & mask;
    for (; grams[i].refs.count; i = (i + 1) & mask) {
        if (grams[i].bytes == bytes) {
            look_run(l, grams[i].refs, at);
            return;
        }
    }
}

static void look_within(const struct look *l)
{
    const uint64_t *bits = l->s->p->bits + l->f->gram_bits;
    unsigned shift = l->f->gram_shift;
    size_t stride = l->f->stride;
    for (size_t i = 0; i + 4 <= l->len; i += stride) {
        uint32_t bytes = hm_load32(l->folded + i), h = hm_gram_hash(bytes) >> shift;
        if (bits[h / 64] >> (h % 64) & 1)
            look_gram(l, l->f->grams, bytes, i);
    }
}

static void look_pair(const struct look *l, size_t i)
{
    if (i + 2 <= l->len)
        look_gram(l, l->f->pairs, hm_load32(l->folded + i) & 0xffff, i);
}

#ifdef __x86_64__
/* Sixteen places at once: a byte shuffle looks the two nibbles of a byte up in the masks, and what
 * is left after four bytes are the buckets that may begin there. */
__attribute__((target("ssse3"))) static void look_few_pairs(const struct look *l)
{
    const __m128i *masks = (const __m128i *)(l->s->p->bits + l->f->pair_bits);
    const __m128i low = _mm_set1_epi8(15), none = _mm_setzero_si128();
    __m128i m[2 * HM_MASK_BYTES];
    for (int k = 0; k < 2 * HM_MASK_BYTES; k++)
        m[k] = _mm_loadu_si128(masks + k);
    for (size_t i = 0; i < l->len; i += 16) {
        __m128i left = _mm_set1_epi8(-1);
        for (size_t k = 0; k < HM_MASK_BYTES; k++) {
            __m128i v = _mm_loadu_si128((const __m128i *)(l->folded + i + k));
            __m128i a = _mm_shuffle_epi8(m[2 * k], _mm_and_si128(v, low));
            __m128i b = _mm_shuffle_epi8(m[2 * k + 1], _mm_and_si128(_mm_srli_epi16(v, 4), low));
            left = _mm_and_si128(left, _mm_and_si128(a, b));
        }
        unsigned may = ~(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(left, none)) & 0xffff;
        for (; may; may &= may - 1)
            look_pair(l, i + (unsigned)__builtin_ctz(may));
    }
}

static bool can_shuffle(void)
{
    return __builtin_cpu_supports("ssse3");
}
#else
static void look_few_pairs(const struct look *l)
{
}

static bool can_shuffle(void)
{
    return false;
}
#endif

static void look_pairs(const struct look *l)
{
    const uint64_t *bits = l->s->p->bits + l->f->pair_bits;
    if (l->f->few_pairs && can_shuffle()) {
        look_few_pairs(l);
        return;
    }
    for (size_t i = 0; i + 2 <= l->len; i++) {
        uint32_t bytes = hm_load32(l->folded + i) & 0xffff;
        if (l->f->few_pairs || (bits[bytes / 64] >> (bytes % 64) & 1))
            look_pair(l, i);
    }
}

static void look(const struct look *l)
{
    const struct hm_prog_field *f = l->f;
    if (f->slots.count)
        look_at_ends(l);
    if (f->grams.count)
        look_within(l);
    if (f->pairs.count)
        look_pairs(l);
    for (uint32_t i = f->tried.first; i < f->tried.first + f->tried.count; i++)
        if (holds(l, &l->s->p->entries[i]))
            take(l->s, &l->s->p->entries[i]);
}

static void next_stamp(struct hm_scratch *s)
{
    s->found_count = 0;
    if (++s->stamp)
        return;
    memset(s->entry_seen, 0, s->p->entry_count * sizeof *s->entry_seen);
    memset(s->test_seen, 0, s->p->test_count * sizeof *s->test_seen);
    s->stamp = 1;
}

void hm_scan_value(struct hm_scratch *s, const struct hm_prog_field *f, struct hm_slice text,
                   bool number)
{
    uint32_t field = (uint32_t)(f - s->p->fields) * 2 + number;
    bool cached = s->cache.ring && text.len >= f->cache_from && text.len <= HM_CACHE_VALUE_MAX;
    uint64_t hash = 0;
    s->stats.values++;
    if (text.len < f->least || !(f->lengths >> (text.len < 63 ? text.len : 63) & 1)) {
        s->found_count = 0;
        return;
    }
    if (cached) {
        hash = hm_cache_hash(&s->cache, field, text);
        size_t n;
        const uint32_t *tests = hm_cache_get(&s->cache, hash, field, text, &n);
        if (tests) {
            s->stats.cache_hits++;
            memcpy(s->found, tests, n * sizeof *tests);
            s->found_count = n;
            return;
        }
    }
    next_stamp(s);
    if (!hm_scan_room(s, text.len))
        return;
    uint8_t *folded = s->folded + BEFORE;
    fold(folded, text.p, text.len);
    struct look l = {s, f, text.p, folded, text.len, number, false};
    look(&l);
    if (cached)
        hm_cache_put(&s->cache, hash, field, text, s->found, s->found_count);
}

/* The ranges of one prefix length that the address is in. */
static void look_range(struct hm_scratch *s, const struct hm_prog_field *f, struct hm_slice ip,
                       unsigned prefix, uint32_t class)
{
    uint64_t key = hm_cidr_key(ip.p, ip.len, prefix);
    const struct hm_slot *slots = s->p->slots + f->slots.first;
    uint32_t mask = f->slots.count - 1, at = hm_slot_hash(key, class) & mask;
    for (; slots[at].class != HM_SLOT_FREE; at = (at + 1) & mask) {
        if (slots[at].key != key || slots[at].class != class)
            continue;
        const struct hm_prog_entry *e = s->p->entries + slots[at].entries.first;
        for (uint32_t i = 0; i < slots[at].entries.count; i++)
            if (e[i].kind == HM_ENTRY_CIDR && e[i].len == ip.len && e[i].prefix == prefix &&
                hm_cidr_same(s->p->text + e[i].text, ip.p, prefix))
                take(s, &e[i]);
    }
}

bool hm_scan_may(struct hm_scratch *s, const struct hm_prog_field *f, struct hm_slice text)
{
    if (!f->only_within || !hm_scan_room(s, text.len))
        return true;
    next_stamp(s);
    uint8_t *folded = s->folded + BEFORE;
    fold(folded, text.p, text.len);
    struct look l = {s, f, text.p, folded, text.len, false, true};
    look(&l);
    return s->found_count > 0;
}

void hm_scan_ip(struct hm_scratch *s, const struct hm_prog_field *f, struct hm_slice ip)
{
    uint32_t base = ip.len == 4 ? HM_SLOT_CIDR4 : HM_SLOT_CIDR6;
    next_stamp(s);
    for (unsigned n = 0; f->slots.count && n <= ip.len * 8; n++) {
        uint32_t class = base + n;
        if (f->cidr[class / 64] >> (class % 64) & 1)
            look_range(s, f, ip, n, class);
    }
}
