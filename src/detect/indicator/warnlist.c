/* MISP warning lists: what must not become an indicator, however often feeds say so. Strings and
 * host names by hash, address blocks sorted, substrings and patterns one after the other. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/ip.h"
#include "detect/indicator/blocks.h"
#include "detect/indicator/json.h"
#include "detect/indicator/types.h"
#include <pcre2.h>
#include <stdlib.h>

#define ALL_KINDS ((1u << HM_INTEL_KINDS) - 1)

struct list {
    char name[128];
    uint32_t kinds; /* bits of enum hm_intel_kind */
};
struct word { /* sorted by hash */
    uint64_t hash;
    uint32_t list, text; /* text: offset, u16 length before it */
};
struct slow {
    uint32_t list, text;
    pcre2_code *regex; /* NULL: a substring */
};
struct hm_warnlist {
    struct hm_list lists, words, hosts, slow; /* of the structs above; hosts are words */
    struct hm_list blocks[2];                 /* hm_blob_block, detail is the list */
    struct hm_buf texts;
};
enum shape { SHAPE_STRING, SHAPE_HOSTNAME, SHAPE_SUBSTRING, SHAPE_CIDR, SHAPE_REGEX, SHAPES };

struct hm_warnlist *hm_warnlist_new(void)
{
    struct hm_warnlist *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->lists = (struct hm_list){.size = sizeof(struct list), .max = HM_WARNLIST_FILES_MAX};
    w->words = (struct hm_list){.size = sizeof(struct word), .max = HM_WARNLIST_ENTRIES_MAX};
    w->hosts = w->words;
    w->slow = (struct hm_list){.size = sizeof(struct slow), .max = HM_WARNLIST_SLOW_MAX};
    for (int i = 0; i < 2; i++)
        w->blocks[i] =
            (struct hm_list){.size = sizeof(struct hm_blob_block), .max = HM_WARNLIST_ENTRIES_MAX};
    w->texts = HM_BUF(HM_INTEL_TEXTS_MAX_BYTES);
    return w;
}

void hm_warnlist_free(struct hm_warnlist *w)
{
    if (!w)
        return;
    struct slow *s = w->slow.p;
    for (size_t i = 0; i < w->slow.count; i++)
        pcre2_code_free(s[i].regex);
    struct hm_list *all[] = {&w->lists, &w->words,     &w->hosts,
                             &w->slow,  &w->blocks[0], &w->blocks[1]};
    for (size_t i = 0; i < HM_ARRAY_LEN(all); i++)
        free(all[i]->p);
    hm_buf_done(&w->texts);
    free(w);
}

size_t hm_warnlist_count(const struct hm_warnlist *w)
{
    return w->words.count + w->hosts.count + w->slow.count + w->blocks[0].count +
           w->blocks[1].count;
}

/* --- texts ------------------------------------------------------------------------------------ */
static int64_t keep_text(struct hm_warnlist *w, struct hm_slice s)
{
    if (s.len > UINT16_MAX || s.len + 2 > w->texts.max - w->texts.len)
        return -E2BIG;
    hm_buf_put_le16(&w->texts, (uint16_t)s.len);
    int64_t at = (int64_t)w->texts.len;
    hm_buf_put(&w->texts, s.p, s.len);
    return w->texts.error ? w->texts.error : at;
}

static struct hm_slice text_of(const struct hm_warnlist *w, uint32_t at)
{
    const uint8_t *p = w->texts.data + at;
    return hm_slice(p, (size_t)p[-2] | (size_t)p[-1] << 8);
}

static struct hm_slice fold(struct hm_slice s, uint8_t *to, size_t cap)
{
    if (s.len > cap)
        s.len = cap;
    for (size_t i = 0; i < s.len; i++)
        to[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20 : s.p[i];
    return hm_slice(to, s.len);
}

/* --- adding ----------------------------------------------------------------------------------- */
static int add_word(struct hm_warnlist *w, struct hm_list *to, uint32_t list, struct hm_slice s)
{
    int r = 0;
    int64_t text = keep_text(w, s);
    struct word *n = text < 0 ? NULL : hm_list_add(to, &r);
    if (!n)
        return text < 0 ? (int)text : r;
    *n = (struct word){hm_hash64(s.p, s.len, 0), list, (uint32_t)text};
    return 0;
}

static int add_block(struct hm_warnlist *w, uint32_t list, const struct hm_intel_value *v)
{
    int r = 0;
    struct hm_blob_block *k = hm_list_add(&w->blocks[v->len == 16], &r);
    if (!k)
        return r;
    memcpy(k->start, v->bytes, v->len);
    k->prefix = v->prefix;
    k->detail = list;
    return 0;
}

/* As PHP writes them: /pattern/flags. */
static pcre2_code *compile(struct hm_slice s)
{
    uint32_t options = 0;
    int code;
    PCRE2_SIZE at;
    size_t end = s.len;
    if (s.len > 2 && s.p[0] == '/') {
        while (end > 1 && s.p[end - 1] != '/') {
            options |= s.p[end - 1] == 'i' ? PCRE2_CASELESS : 0;
            end--;
        }
        s = end > 1 ? hm_slice(s.p + 1, end - 2) : s;
    }
    if (s.len > HM_INTEL_REGEX_MAX_BYTES)
        return NULL;
    return pcre2_compile(s.p, s.len, options | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
}

static int add_slow(struct hm_warnlist *w, uint32_t list, struct hm_slice s, bool regex)
{
    int r = 0;
    pcre2_code *c = regex ? compile(s) : NULL;
    if (regex && !c)
        return -EBADMSG;
    int64_t text = keep_text(w, s);
    struct slow *n = text < 0 ? NULL : hm_list_add(&w->slow, &r);
    if (!n) {
        pcre2_code_free(c);
        return text < 0 ? (int)text : r;
    }
    *n = (struct slow){list, (uint32_t)text, c};
    return 0;
}

/* One entry; -EBADMSG: it cannot be read. ".google.com" in a list of strings means all beneath. */
static int add_entry(struct hm_warnlist *w, enum shape shape, uint32_t list, struct hm_slice s)
{
    uint8_t folded[HM_INTEL_VALUE_MAX_BYTES];
    struct hm_intel_value v;
    s = hm_intel_trim(s);
    if (s.len == 0 || s.len > sizeof folded)
        return -EBADMSG;
    if (shape == SHAPE_REGEX)
        return add_slow(w, list, s, true);
    s = fold(s, folded, sizeof folded);
    if (shape == SHAPE_SUBSTRING)
        return add_slow(w, list, s, false);
    if (hm_intel_value_ip(s, &v))
        return add_block(w, list, &v);
    if (shape == SHAPE_CIDR)
        return -EBADMSG;
    bool beneath = s.p[0] == '.';
    if (beneath)
        s = hm_slice(s.p + 1, s.len - 1);
    if (shape == SHAPE_HOSTNAME || beneath)
        return s.len ? add_word(w, &w->hosts, list, s) : -EBADMSG;
    if (memmem(s.p, s.len, "://", 3) && hm_intel_value_url(s, &v, NULL))
        s = hm_slice(v.bytes, v.len);
    return add_word(w, &w->words, list, s);
}

/* --- reading ---------------------------------------------------------------------------------- */
struct reading {
    struct hm_warnlist *w;
    enum shape shape;
    uint32_t list;
    struct list *info;
    struct hm_buf text;
    uint64_t skipped;
};

static void read_head(struct reading *rd, struct hm_json *j, struct hm_slice key)
{
    static const char *const shapes[SHAPES] = {"string", "hostname", "substring", "cidr", "regex"};
    if (hm_json_is(key, "name") && hm_json_text(j, &rd->text) && rd->text.len) {
        size_t n = rd->text.len < sizeof rd->info->name ? rd->text.len : sizeof rd->info->name - 1;
        memcpy(rd->info->name, rd->text.data, n);
        rd->info->name[n] = 0;
    } else if (hm_json_is(key, "type") && hm_json_text(j, &rd->text)) {
        for (int i = 0; i < SHAPES; i++)
            if (hm_slice_eq(hm_buf_slice(&rd->text), hm_slice_str(shapes[i])))
                rd->shape = (enum shape)i;
    }
}

static void read_attributes(struct reading *rd, struct hm_json *j)
{
    bool first = true;
    uint32_t kinds = 0;
    if (!hm_json_enter(j, '[')) {
        hm_json_skip(j);
        return;
    }
    while (hm_json_element(j, &first)) {
        const struct hm_intel_type *t = NULL;
        if (hm_json_text(j, &rd->text))
            t = hm_intel_type_find(hm_buf_slice(&rd->text));
        for (int i = 0; t && i < 2; i++)
            if (t->parts[i] < HM_INTEL_KINDS)
                kinds |= 1u << t->parts[i];
    }
    if (kinds & 1u << HM_INTEL_NAME)
        kinds |= 1u << HM_INTEL_PATH;
    rd->info->kinds = kinds ? kinds : ALL_KINDS;
}

/* Name, type and attributes first, wherever they stand; then the list. */
static int read_pass(struct reading *rd, struct hm_slice json, bool entries)
{
    struct hm_json j = hm_json(json);
    struct hm_slice key;
    bool first = true, one = true;
    int r = 0;
    if (!hm_json_enter(&j, '{'))
        return -EBADMSG;
    while (r == 0 && hm_json_member(&j, &first, &key)) {
        if (entries && hm_json_is(key, "list") && hm_json_enter(&j, '[')) {
            while (r == 0 && hm_json_element(&j, &one)) {
                if (hm_json_text(&j, &rd->text))
                    r = add_entry(rd->w, rd->shape, rd->list, hm_buf_slice(&rd->text));
                rd->skipped += r == -EBADMSG;
                r = r == -EBADMSG ? 0 : r;
            }
            continue;
        }
        const uint8_t *before = j.p;
        if (!entries && hm_json_is(key, "matching_attributes"))
            read_attributes(rd, &j);
        else if (!entries)
            read_head(rd, &j, key);
        if (j.p == before)
            hm_json_skip(&j);
    }
    return r ? r : j.error == 0 || entries ? 0 : -EBADMSG;
}

int hm_warnlist_add(struct hm_warnlist *w, struct hm_slice json, uint64_t *ret_skipped,
                    struct hm_error *err)
{
    int r = 0;
    struct reading rd = {.w = w,
                         .shape = SHAPES,
                         .list = (uint32_t)w->lists.count,
                         .info = hm_list_add(&w->lists, &r),
                         .text = HM_BUF(HM_JSON_STRING_MAX_BYTES)};
    if (!rd.info)
        return hm_fail(err, r, "warning list: %s", strerror(-r));
    rd.info->kinds = ALL_KINDS;
    r = read_pass(&rd, json, false);
    if (r == 0 && (rd.shape == SHAPES || !rd.info->name[0]))
        r = -EBADMSG;
    if (r < 0)
        w->lists.count--;
    else
        r = read_pass(&rd, json, true);
    hm_buf_done(&rd.text);
    *ret_skipped += rd.skipped;
    return r == -EBADMSG ? hm_fail(err, r, "not a MISP warning list")
           : r < 0       ? hm_fail(err, r, "warning list: %s", strerror(-r))
                         : 0;
}

static int by_hash(const void *x, const void *y)
{
    const struct word *a = x, *b = y;
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

int hm_warnlist_seal(struct hm_warnlist *w)
{
    if (w->words.count)
        qsort(w->words.p, w->words.count, sizeof(struct word), by_hash);
    if (w->hosts.count)
        qsort(w->hosts.p, w->hosts.count, sizeof(struct word), by_hash);
    for (int i = 0; i < 2; i++) {
        hm_blocks_sort(&w->blocks[i]);
        hm_blocks_parents(&w->blocks[i]);
    }
    return 0;
}

/* --- asking ----------------------------------------------------------------------------------- */
static const char *applies(const struct hm_warnlist *w, uint32_t list, enum hm_intel_kind kind)
{
    const struct list *l = (const struct list *)w->lists.p + list;
    return l->kinds >> kind & 1 ? l->name : NULL;
}

static const char *find_word(const struct hm_warnlist *w, const struct hm_list *in,
                             enum hm_intel_kind kind, struct hm_slice s)
{
    uint64_t h = hm_hash64(s.p, s.len, 0);
    const struct word *words = in->p;
    size_t from = 0, to = in->count;
    const char *name = NULL;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (words[mid].hash < h)
            from = mid + 1;
        else
            to = mid;
    }
    for (; !name && from < in->count && words[from].hash == h; from++)
        if (hm_slice_eq(text_of(w, words[from].text), s))
            name = applies(w, words[from].list, kind);
    return name;
}

static const char *find_host(const struct hm_warnlist *w, enum hm_intel_kind kind,
                             struct hm_slice s)
{
    const char *name = find_word(w, &w->hosts, kind, s);
    for (size_t i = 1; !name && i < s.len; i++)
        if (s.p[i - 1] == '.')
            name = find_word(w, &w->hosts, kind, hm_slice(s.p + i, s.len - i));
    return name;
}

/* Addresses within a listed block; a block within one. */
static const char *find_block(const struct hm_warnlist *w, enum hm_intel_kind kind,
                              const struct hm_intel_value *v)
{
    const struct hm_list *l = &w->blocks[v->len == 16];
    const struct hm_blob_block *k = l->p;
    uint8_t wide[16] = {0};
    memcpy(wide, v->bytes, v->len);
    uint64_t high = hm_blob_be64(wide), low = hm_blob_be64(wide + 8);
    size_t n = hm_blocks_before(hm_slice(l->p, l->count * sizeof *k), high, low);
    while (n-- > 0) {
        if (k[n].prefix <= v->prefix && hm_blob_within(&k[n], high, low) &&
            applies(w, k[n].detail, kind))
            return applies(w, k[n].detail, kind);
        if (k[n].parent >= n)
            break;
        n = k[n].parent + 1u;
    }
    return NULL;
}

static bool slow_hit(const struct hm_warnlist *w, const struct slow *s, struct hm_slice text)
{
    if (!s->regex) {
        struct hm_slice part = text_of(w, s->text);
        return part.len <= text.len && memmem(text.p, text.len, part.p, part.len);
    }
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    bool hit = false;
    if (data && limits) {
        pcre2_set_match_limit(limits, HM_INTEL_MATCH_LIMIT);
        pcre2_set_depth_limit(limits, HM_INTEL_DEPTH_LIMIT);
        hit = pcre2_match(s->regex, text.p, text.len, 0, 0, data, limits) >= 0;
    }
    pcre2_match_context_free(limits);
    pcre2_match_data_free(data);
    return hit;
}

static const char *find_slow(const struct hm_warnlist *w, enum hm_intel_kind kind,
                             struct hm_slice s)
{
    const struct slow *all = w->slow.p;
    for (size_t i = 0; i < w->slow.count; i++)
        if (applies(w, all[i].list, kind) && slow_hit(w, &all[i], s))
            return applies(w, all[i].list, kind);
    return NULL;
}

static struct hm_slice as_text(const struct hm_intel_value *v, char *buf, size_t cap)
{
    static const char digits[] = "0123456789abcdef";
    if (v->kind == HM_INTEL_IP)
        return hm_slice_str(hm_ip_format(hm_slice(v->bytes, v->len), buf));
    if (v->kind > HM_INTEL_SHA256)
        return hm_slice(v->bytes, v->len);
    for (size_t i = 0; i < v->len && 2 * i + 1 < cap; i++) {
        buf[2 * i] = digits[v->bytes[i] >> 4];
        buf[2 * i + 1] = digits[v->bytes[i] & 15];
    }
    return hm_slice(buf, 2 * v->len);
}

const char *hm_warnlist_find(const struct hm_warnlist *w, enum hm_intel_kind kind,
                             struct hm_slice value)
{
    struct hm_intel_value v, url, host;
    struct hm_slice at = {0};
    char buf[80];
    if (!w || kind == HM_INTEL_REGEX || hm_intel_value_read(kind, value, &v) != HM_INTEL_WHY_NONE)
        return NULL;
    struct hm_slice text = as_text(&v, buf, sizeof buf);
    const char *name = find_word(w, &w->words, kind, text);
    if (kind == HM_INTEL_IP && !name)
        name = find_block(w, kind, &v);
    if (kind == HM_INTEL_URL)
        hm_intel_value_url(text, &url, &at); /* the normal form reads as a URL again */
    if (kind == HM_INTEL_DOMAIN)
        at = text;
    if (at.len && !name)
        name = find_host(w, kind, at);
    if (kind == HM_INTEL_URL && !name && hm_intel_value_ip(at, &host))
        name = find_block(w, kind, &host);
    return name ? name : find_slow(w, kind, text);
}
