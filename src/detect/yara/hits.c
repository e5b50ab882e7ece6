/* See hits.h. A hit is: rule, namespace, tags, metas, strings; each text a varint length and bytes.
 */
#include "detect/yara/hits.h"
#include <ctype.h>
#include <errno.h>
#include <strings.h>

static struct hm_slice cut(struct hm_slice s)
{
    size_t n = s.len;
    if (n > HM_YARA_HIT_TEXT) {
        n = HM_YARA_HIT_TEXT;
        while (n > 0 && (s.p[n] & 0xC0) == 0x80)
            n--;
    }
    return hm_slice(s.p, n);
}

static void put_text(struct hm_buf *out, struct hm_slice s)
{
    s = cut(s);
    hm_buf_put_varint(out, s.len);
    hm_buf_put(out, s.p, s.len);
}

void hm_yara_hit_put(const struct hm_yara_hit *h, struct hm_buf *out)
{
    put_text(out, h->rule);
    put_text(out, h->space);
    put_text(out, h->tags);
    hm_buf_put_varint(out, h->meta_count);
    for (size_t i = 0; i < h->meta_count; i++) {
        put_text(out, h->metas[i].key);
        put_text(out, h->metas[i].value);
    }
    hm_buf_put_varint(out, h->string_count);
    for (size_t i = 0; i < h->string_count; i++) {
        const struct hm_yara_found *f = &h->strings[i];
        put_text(out, f->id);
        hm_buf_put_varint(out, f->count);
        hm_buf_put_varint(out, f->offset_count);
        for (size_t k = 0; k < f->offset_count; k++)
            hm_buf_put_varint(out, f->offsets[k]);
    }
}

static struct hm_slice take_text(struct hm_cursor *in)
{
    uint64_t n = hm_cursor_varint(in);
    if (n > HM_YARA_HIT_TEXT) {
        hm_cursor_fail(in);
        n = 0;
    }
    return hm_cursor_take(in, (size_t)n);
}

static size_t take_count(struct hm_cursor *in, size_t max)
{
    uint64_t n = hm_cursor_varint(in);
    if (n <= max)
        return (size_t)n;
    hm_cursor_fail(in);
    return 0;
}

static void take_string(struct hm_cursor *in, struct hm_yara_found *f)
{
    f->id = take_text(in);
    f->count = hm_cursor_varint(in);
    f->offset_count = take_count(in, HM_YARA_HIT_OFFSETS);
    for (size_t i = 0; i < f->offset_count; i++)
        f->offsets[i] = hm_cursor_varint(in);
}

int hm_yara_hit_next(struct hm_cursor *in, struct hm_yara_hit *ret_hit)
{
    struct hm_yara_hit h = {0};
    if (!in->error && hm_cursor_left(in) == 0)
        return 0;
    h.rule = take_text(in);
    h.space = take_text(in);
    h.tags = take_text(in);
    h.meta_count = take_count(in, HM_YARA_HIT_METAS);
    for (size_t i = 0; i < h.meta_count; i++) {
        h.metas[i].key = take_text(in);
        h.metas[i].value = take_text(in);
    }
    h.string_count = take_count(in, HM_YARA_HIT_STRINGS);
    for (size_t i = 0; i < h.string_count; i++)
        take_string(in, &h.strings[i]);
    if (in->error || !h.rule.len)
        return -EBADMSG;
    *ret_hit = h;
    return 1;
}

/* ---- reading ---- */

static bool is_word(struct hm_slice s, const char *word, size_t len)
{
    return s.len == len && strncasecmp((const char *)s.p, word, len) == 0;
}

static struct hm_slice meta(const struct hm_yara_hit *h, const char *key, size_t len)
{
    for (size_t i = 0; i < h->meta_count; i++)
        if (is_word(h->metas[i].key, key, len))
            return h->metas[i].value;
    return hm_slice(NULL, 0);
}

struct hm_slice hm_yara_hit_meta(const struct hm_yara_hit *h, const char *keys)
{
    while (*keys) {
        size_t n = strcspn(keys, " ");
        struct hm_slice v = meta(h, keys, n);
        if (v.len)
            return v;
        keys += n;
        keys += *keys == ' ';
    }
    return hm_slice(NULL, 0);
}

/* -1: no number. */
static int number(struct hm_slice s)
{
    int n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (!isdigit(s.p[i]) || n > 1000)
            return -1;
        n = n * 10 + (s.p[i] - '0');
    }
    return s.len ? n : -1;
}

static uint8_t from_word(struct hm_slice s)
{
    static const struct {
        const char *word;
        uint8_t severity;
    } words[] = {{"critical", 5}, {"high", 4},          {"medium", 3},
                 {"low", 2},      {"informational", 1}, {"info", 1}};
    for (size_t i = 0; i < HM_ARRAY_LEN(words); i++)
        if (is_word(s, words[i].word, strlen(words[i].word)))
            return words[i].severity;
    int n = number(s);
    return n >= 1 && n <= 5 ? (uint8_t)n : 0;
}

/* THOR's scale: 40 is a notice, 60 a warning, 75 an alarm. */
static uint8_t from_score(int n)
{
    return n < 0 ? 0 : n >= 90 ? 5 : n >= 75 ? 4 : n >= 60 ? 3 : n >= 40 ? 2 : 1;
}

uint8_t hm_yara_hit_severity(const struct hm_yara_hit *h)
{
    uint8_t s = from_word(hm_yara_hit_meta(h, "severity level threat_level"));
    if (!s)
        s = from_score(number(hm_yara_hit_meta(h, "score")));
    if (!s)
        s = from_word(hm_yara_hit_meta(h, "tc_detection_factor"));
    return s ? s : 4;
}

/* Length of "T1059" or "T1059.004" at p, 0: none. */
static size_t technique(const uint8_t *p, size_t left)
{
    if (left < 5 || (p[0] != 'T' && p[0] != 't'))
        return 0;
    for (size_t i = 1; i < 5; i++)
        if (!isdigit(p[i]))
            return 0;
    bool sub = left >= 9 && (p[5] == '.' || p[5] == '_') && isdigit(p[6]) && isdigit(p[7]) &&
               isdigit(p[8]);
    size_t n = sub ? 9 : 5;
    return left > n && isalnum(p[n]) ? 0 : n;
}

static bool has(const struct hm_buf *out, size_t from, const char *id)
{
    size_t n = strlen(id);
    for (size_t i = from; i + n <= out->len; i++)
        if (memcmp(out->data + i, id, n) == 0 && (i + n == out->len || out->data[i + n] == ','))
            return true;
    return false;
}

static void add_techniques(struct hm_slice s, struct hm_buf *out, size_t from)
{
    for (size_t i = 0; i < s.len; i++) {
        size_t n = i && isalnum(s.p[i - 1]) ? 0 : technique(s.p + i, s.len - i);
        char id[16] = "T";
        if (!n)
            continue;
        memcpy(id + 1, s.p + i + 1, n - 1);
        if (n == 9)
            id[5] = '.';
        if (!has(out, from, id))
            hm_buf_printf(out, "%s%s", out->len > from ? "," : "", id);
        i += n - 1;
    }
}

void hm_yara_hit_techniques(const struct hm_yara_hit *h, struct hm_buf *out)
{
    static const char *const keys[] = {"technique", "techniques",  "mitre_attack",
                                       "mitre_att", "mitre_attck", "mitre",
                                       "attack",    "attack_id",   "mitre_attack_id"};
    size_t from = out->len;
    for (size_t i = 0; i < HM_ARRAY_LEN(keys); i++)
        add_techniques(meta(h, keys[i], strlen(keys[i])), out, from);
    add_techniques(h->tags, out, from);
}

void hm_yara_hit_places(const struct hm_yara_hit *h, struct hm_buf *out)
{
    for (size_t i = 0; i < h->string_count; i++) {
        const struct hm_yara_found *f = &h->strings[i];
        hm_buf_printf(out, "%s%.*s", i ? ", " : "", (int)f->id.len, (const char *)f->id.p);
        for (size_t k = 0; k < f->offset_count; k++)
            hm_buf_printf(out, "%s 0x%llx", k ? "," : " at", (unsigned long long)f->offsets[k]);
        if (f->count > f->offset_count)
            hm_buf_printf(out, " (%llu%s)", (unsigned long long)f->count,
                          f->count >= HM_YARA_COUNT_MATCHES ? " or more" : "");
    }
}
