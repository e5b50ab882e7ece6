/* See regex.h. Compiled patterns are read-only; match data is made for one path and dropped. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "detect/indicator/regex.h"
#include "base/cursor.h"
#include "base/map.h"
#include "detect/indicator/limits.h"
#include <pcre2.h>

#define BITS 65536 /* of the first look at four bytes: stays in the nearest cache */

struct pattern {
    uint32_t detail;
    struct hm_slice text;
    pcre2_code *match, *except;
};
struct file {                     /* one gram of one pattern; chained */
    uint32_t gram, pattern, next; /* next: index + 1 */
};
struct hm_intel_regexes {
    struct pattern *patterns;
    size_t count, bytes;
    struct file *files;
    size_t file_count, file_cap;
    struct hm_map *first; /* gram → index + 1 of its first file */
    uint32_t *loose;
    size_t loose_count, loose_lost;
    uint64_t bits[BITS / 64];
};

static pcre2_code *compile(struct hm_slice s)
{
    int code;
    PCRE2_SIZE at;
    bool utf = false;
    for (size_t i = 0; i < s.len; i++)
        utf |= s.p[i] >= 0x80;
    uint32_t options = PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP | PCRE2_DOLLAR_ENDONLY;
    if (utf)
        options |= PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
    return pcre2_compile(s.p, s.len, options, &code, &at, NULL);
}

bool hm_intel_regex_check(struct hm_slice s)
{
    pcre2_code *c = s.len <= HM_INTEL_REGEX_MAX_BYTES ? compile(s) : NULL;
    pcre2_code_free(c);
    return c != NULL;
}

static unsigned no_cost(void *ctx, uint32_t gram)
{
    (void)ctx, (void)gram;
    return 0;
}

bool hm_intel_regex_loose(struct hm_slice s)
{
    uint32_t grams[HM_GRAMS_MAX];
    return hm_intel_regex_grams(s, grams, no_cost, NULL) == 0;
}

static size_t size_of(const pcre2_code *c)
{
    size_t n = 0;
    return c && pcre2_pattern_info(c, PCRE2_INFO_SIZE, &n) == 0 ? n : 0;
}

/* --- filing -------------------------------------------------------------------------------------
 */
static uint32_t bit_of(uint32_t gram)
{
    return gram * 0x9e3779b1u >> 16;
}

static size_t files_of(const struct hm_intel_regexes *x, uint32_t gram)
{
    const uint32_t *first = hm_map_get(x->first, gram);
    size_t n = 0;
    for (uint32_t f = first ? *first : 0; f; f = x->files[f - 1].next)
        n++;
    return n;
}

/* Endings and folders that every other path has cost more than what is rare. */
static unsigned cost(void *ctx, uint32_t gram)
{
    static const char common[][5] = {".exe", ".dll", "/usr", "usr/", "/bin", "bin/", "/tmp",
                                     "tmp/", "/lib", "lib/", "/etc", "etc/", "/var", "var/",
                                     "home", "temp", "wind", "indo", "ndow", "dows", "syst",
                                     "yste", "stem", "em32", "prog", "rogr", "data"};
    for (size_t i = 0; i < HM_ARRAY_LEN(common); i++)
        if (gram == ((uint32_t)(uint8_t)common[i][0] << 24 | (uint32_t)common[i][1] << 16 |
                     (uint32_t)common[i][2] << 8 | (uint32_t)common[i][3]))
            return 100000;
    return (unsigned)files_of(ctx, gram);
}

static bool file_one(struct hm_intel_regexes *x, uint32_t gram, uint32_t pattern)
{
    int inserted;
    uint32_t *first = hm_map_put(x->first, gram, &inserted);
    if (!first)
        return false;
    if (x->file_count == x->file_cap) {
        size_t cap = x->file_cap ? x->file_cap * 2 : 256;
        struct file *f = realloc(x->files, cap * sizeof *f);
        if (!f)
            return false;
        x->files = f;
        x->file_cap = cap;
    }
    x->files[x->file_count++] = (struct file){gram, pattern, *first};
    *first = (uint32_t)x->file_count;
    x->bits[bit_of(gram) / 64] |= UINT64_C(1) << bit_of(gram) % 64;
    return true;
}

static bool file_pattern(struct hm_intel_regexes *x, uint32_t n)
{
    uint32_t grams[HM_GRAMS_MAX];
    size_t count = hm_intel_regex_grams(x->patterns[n].text, grams, cost, x);
    if (count == 0 && x->loose_count == HM_INTEL_REGEX_LOOSE_MAX) {
        x->loose_lost++; /* no builder of ours makes such a set */
        return true;
    }
    if (count == 0) {
        x->loose[x->loose_count++] = n;
        return true;
    }
    for (size_t i = 0; i < count; i++)
        if (!file_one(x, grams[i], n))
            return false;
    return true;
}

/* False: no memory. */
static bool add(struct hm_intel_regexes *x, const struct pattern *in, struct hm_slice except,
                uint64_t *ret_failed)
{
    struct pattern *p = &x->patterns[x->count];
    *p = *in;
    p->match = compile(p->text);
    p->except = except.len ? compile(except) : NULL;
    if (!p->match || (except.len && !p->except)) { /* without its exception it would cry wolf */
        pcre2_code_free(p->match);
        pcre2_code_free(p->except);
        ++*ret_failed;
        return true;
    }
    x->bytes += size_of(p->match) + size_of(p->except);
    x->count++;
    return file_pattern(x, (uint32_t)x->count - 1);
}

static size_t count_records(struct hm_slice section)
{
    struct hm_cursor c = hm_cursor(section);
    size_t n = 0;
    while (!c.error && hm_cursor_left(&c) && n < HM_INTEL_REGEX_MAX) {
        hm_cursor_le32(&c);
        size_t len = hm_cursor_le16(&c);
        len += hm_cursor_le16(&c);
        hm_cursor_take(&c, len);
        n += !c.error;
    }
    return n;
}

static bool read_all(struct hm_intel_regexes *x, struct hm_slice section, size_t n,
                     uint64_t *ret_failed)
{
    struct hm_cursor c = hm_cursor(section);
    for (size_t i = 0; i < n; i++) {
        struct pattern p = {.detail = hm_cursor_le32(&c)};
        size_t len = hm_cursor_le16(&c), except_len = hm_cursor_le16(&c);
        p.text = hm_cursor_take(&c, len);
        if (!add(x, &p, hm_cursor_take(&c, except_len), ret_failed))
            return false;
    }
    *ret_failed += (hm_cursor_left(&c) > 0) + x->loose_lost;
    return true;
}

struct hm_intel_regexes *hm_intel_regexes_new(struct hm_slice section, uint64_t *ret_failed)
{
    struct hm_intel_regexes *x = calloc(1, sizeof *x);
    size_t n = count_records(section);
    if (!x)
        return NULL;
    x->patterns = calloc(n + 1, sizeof *x->patterns);
    x->loose = calloc(n + 1, sizeof *x->loose);
    x->first = hm_map_new(sizeof(uint32_t), (size_t)HM_INTEL_REGEX_MAX * HM_GRAMS_MAX);
    if (!x->patterns || !x->loose || !x->first || !read_all(x, section, n, ret_failed)) {
        hm_intel_regexes_free(x);
        return NULL;
    }
    return x;
}

void hm_intel_regexes_free(struct hm_intel_regexes *x)
{
    if (!x)
        return;
    for (size_t i = 0; x->patterns && i < x->count; i++) {
        pcre2_code_free(x->patterns[i].match);
        pcre2_code_free(x->patterns[i].except);
    }
    free(x->patterns);
    free(x->loose);
    free(x->files);
    hm_map_free(x->first);
    free(x);
}

struct hm_intel_regexes_stats hm_intel_regexes_stats(const struct hm_intel_regexes *x)
{
    return (struct hm_intel_regexes_stats){x->count, x->loose_count,
                                           x->bytes + x->count * sizeof *x->patterns +
                                               x->file_cap * sizeof *x->files};
}

/* --- matching -----------------------------------------------------------------------------------
 */
struct search {
    const struct hm_intel_regexes *x;
    struct hm_slice path;
    pcre2_match_data *data; /* made for the first pattern that is tried */
    pcre2_match_context *limits;
    uint64_t tried[(HM_INTEL_REGEX_MAX + 63) / 64];
    void (*hit)(void *ctx, uint32_t detail, struct hm_slice pattern);
    void *ctx;
};

static bool matches(struct search *s, const pcre2_code *c)
{
    return c && pcre2_match(c, s->path.p, s->path.len, 0, 0, s->data, s->limits) >= 0;
}

static void try(struct search *s, uint32_t n)
{
    const struct pattern *p = &s->x->patterns[n];
    if (s->tried[n / 64] >> (n % 64) & 1)
        return;
    s->tried[n / 64] |= UINT64_C(1) << (n % 64);
    if (!s->data && !s->limits) {
        s->data = pcre2_match_data_create(1, NULL);
        s->limits = pcre2_match_context_create(NULL);
        if (s->limits) {
            pcre2_set_match_limit(s->limits, HM_INTEL_MATCH_LIMIT);
            pcre2_set_depth_limit(s->limits, HM_INTEL_DEPTH_LIMIT);
        }
    }
    if (s->data && s->limits && matches(s, p->match) && !matches(s, p->except))
        s->hit(s->ctx, p->detail, p->text);
}

static void try_filed(struct search *s, uint32_t gram)
{
    const uint32_t *first = hm_map_get(s->x->first, gram);
    for (uint32_t f = first ? *first : 0; f; f = s->x->files[f - 1].next)
        try(s, s->x->files[f - 1].pattern);
}

void hm_intel_regexes_match(const struct hm_intel_regexes *x, struct hm_slice path,
                            void (*hit)(void *ctx, uint32_t detail, struct hm_slice pattern),
                            void *ctx)
{
    struct search s = {.x = x, .path = path, .hit = hit, .ctx = ctx};
    uint32_t gram = 0;
    if (x->count == 0 || path.len == 0)
        return;
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.p[i];
        gram = gram << 8 | (c >= 'A' && c <= 'Z' ? c | 0x20u : c);
        uint32_t bit = bit_of(gram);
        if (i >= 3 && x->bits[bit / 64] >> (bit % 64) & 1)
            try_filed(&s, gram);
    }
    for (size_t i = 0; i < x->loose_count; i++)
        try(&s, x->loose[i]);
    pcre2_match_data_free(s.data);
    pcre2_match_context_free(s.limits);
}
