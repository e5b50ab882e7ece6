/* From a pattern's ways to indicators: which term is looked up by, which must hold beside it, and
 * what LIKE and MATCHES become. Knows no bundle. */
#include "detect/indicator/stix.h"
#include <stdlib.h>

static struct hm_slice literal_of(const struct hm_stix *s, const struct hm_stix_term *t)
{
    return t->len ? hm_slice(s->pattern.texts.data + t->text, t->len) : (struct hm_slice){0};
}

/* LIKE: % any number of characters, _ one; as an expression tried on whole paths. */
static bool like(struct hm_slice s, bool name, struct hm_buf *to)
{
    const char *any = name ? "[^\\\\/]*" : ".*", *one = name ? "[^\\\\/]" : ".";
    hm_buf_clear(to);
    hm_buf_puts(to, name ? "(?:^|[\\\\/])" : "^");
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '%' || s.p[i] == '_') {
            hm_buf_puts(to, s.p[i] == '%' ? any : one);
            continue;
        }
        if (!((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z') && s.p[i] < 0x80 &&
            !(s.p[i] >= '0' && s.p[i] <= '9'))
            hm_buf_put_u8(to, '\\');
        hm_buf_put_u8(to, s.p[i]);
    }
    hm_buf_put_u8(to, '$');
    return !to->error;
}

/* An expression for a name, made to look at the last part of a path only. One with ^ elsewhere than
 * at its start would never match there. */
static bool name_regex(struct hm_slice s, struct hm_buf *to)
{
    bool anchored = s.len && s.p[0] == '^';
    for (size_t i = 0; i < s.len; i++)
        if ((s.p[i] == '^' && i && s.p[i - 1] != '[' && s.p[i - 1] != '\\') ||
            (anchored && s.p[i] == '|'))
            return false;
    hm_buf_clear(to);
    hm_buf_puts(to, "(?:^|[\\\\/])(?=[^\\\\/]*$)");
    hm_buf_puts(to, anchored ? "(?:" : "[^\\\\/]*?(?:");
    hm_buf_put(to, s.p + anchored, s.len - anchored);
    hm_buf_puts(to, ")");
    return !to->error;
}

static bool has_wildcard(struct hm_slice s)
{
    return s.len && (memchr(s.p, '%', s.len) || memchr(s.p, '_', s.len));
}

static enum hm_intel_reason compile_like(struct hm_stix *s, const struct hm_stix_term *t,
                                         struct hm_slice text, struct hm_indicator *in)
{
    if (t->kind == HM_INTEL_DOMAIN && text.len > 2 && text.p[0] == '%' && text.p[1] == '.' &&
        !has_wildcard(hm_slice(text.p + 2, text.len - 2))) {
        in->value = hm_slice(text.p + 2, text.len - 2);
        return HM_INTEL_WHY_NONE;
    }
    if (!has_wildcard(text) || (t->kind == HM_INTEL_DOMAIN && !memchr(text.p, '%', text.len)))
        return HM_INTEL_WHY_NONE; /* domains may hold _, which is plain then */
    if (t->kind != HM_INTEL_NAME && t->kind != HM_INTEL_PATH)
        return HM_INTEL_WHY_PATTERN_OPERATOR;
    bool name = hm_intel_base_name(text).len == text.len;
    in->kind = HM_INTEL_REGEX;
    if (!like(text, name, &s->value)) {
        s->f->error = s->value.error == -ENOMEM ? -ENOMEM : s->f->error;
        return HM_INTEL_WHY_TOO_LONG;
    }
    in->value = hm_buf_slice(&s->value);
    return HM_INTEL_WHY_NONE;
}

/* Kind and value of a term; the value may lie in s->value until the next call. */
static enum hm_intel_reason compile(struct hm_stix *s, const struct hm_stix_term *t,
                                    struct hm_indicator *in)
{
    struct hm_slice text = literal_of(s, t);
    if (t->refused != HM_INTEL_WHY_NONE)
        return t->refused;
    if (t->kind >= HM_TERM_DST_PORT)
        return t->op == HM_STIX_EQUAL ? HM_INTEL_WHY_PATTERN_OBJECT : HM_INTEL_WHY_PATTERN_OPERATOR;
    in->kind = (enum hm_intel_kind)t->kind;
    in->value = text;
    if (t->op == HM_STIX_LIKE)
        return compile_like(s, t, text, in);
    if (t->op == HM_STIX_SUBSET)
        return t->kind == HM_INTEL_IP ? HM_INTEL_WHY_NONE : HM_INTEL_WHY_PATTERN_OPERATOR;
    if (t->op == HM_STIX_EQUAL)
        return HM_INTEL_WHY_NONE;
    if (t->kind != HM_INTEL_NAME || !name_regex(text, &s->value)) {
        s->f->error = s->value.error == -ENOMEM ? -ENOMEM : s->f->error;
        return HM_INTEL_WHY_PATTERN_OPERATOR;
    }
    in->kind = HM_INTEL_REGEX;
    in->value = hm_buf_slice(&s->value);
    return HM_INTEL_WHY_NONE;
}

static void refuse(struct hm_stix *s, const struct hm_stix_term *t, enum hm_intel_reason why)
{
    hm_feed_note(s->f, HM_INTEL_UNSUPPORTED, why, literal_of(s, t), (struct hm_slice){0},
                 t->column);
}

/* How well a value alone tells the wanted from the rest; 0: not to be looked up by. */
static int rank(const struct hm_indicator *in)
{
    static const int ranks[HM_INTEL_KINDS] = {
        [HM_INTEL_SHA256] = 9, [HM_INTEL_SHA1] = 8, [HM_INTEL_MD5] = 7,  [HM_INTEL_URL] = 6,
        [HM_INTEL_DOMAIN] = 5, [HM_INTEL_MAIL] = 4, [HM_INTEL_PATH] = 3, [HM_INTEL_IP] = 2,
        [HM_INTEL_NAME] = 1,   [HM_INTEL_REGEX] = 0};
    struct hm_intel_value v;
    if (in->kind == HM_INTEL_IP &&
        (hm_intel_value_read(HM_INTEL_IP, in->value, &v) || v.prefix != v.len * 8))
        return 0;
    return ranks[in->kind];
}

struct joined { /* the terms of one way; on the heap, values are large */
    struct hm_intel_value values[HM_INTEL_TERMS_MAX];
    struct hm_intel_term terms[HM_INTEL_TERMS_MAX];
    size_t count;
};

static enum hm_intel_reason join_term(struct hm_stix *s, const struct hm_stix_term *t,
                                      struct joined *jn)
{
    struct hm_indicator in = {0};
    struct hm_intel_term *to = &jn->terms[jn->count];
    struct hm_intel_value *v = &jn->values[jn->count];
    uint64_t port;
    *to = (struct hm_intel_term){.kind = t->kind, .negate = t->negate, .value = v};
    if (t->kind >= HM_TERM_DST_PORT && t->kind != HM_STIX_NO_KIND) {
        if (t->op != HM_STIX_EQUAL || t->refused ||
            !hm_intel_number(literal_of(s, t), 65535, &port))
            return HM_INTEL_WHY_PATTERN_OPERATOR;
        to->port = (uint16_t)port;
        jn->count++;
        return HM_INTEL_WHY_NONE;
    }
    enum hm_intel_reason why = compile(s, t, &in);
    if (why == HM_INTEL_WHY_NONE && in.kind == HM_INTEL_REGEX)
        why = HM_INTEL_WHY_PATTERN_OPERATOR;
    if (why == HM_INTEL_WHY_NONE)
        why = hm_intel_value_read(in.kind, in.value, v);
    to->kind = (uint8_t)in.kind;
    jn->count += why == HM_INTEL_WHY_NONE;
    return why;
}

/* Several terms: looked up by the most telling one, the others must hold on the same event. */
static void add_joined(struct hm_stix *s, const struct hm_stix_way *w,
                       const struct hm_indicator *common)
{
    const struct hm_stix_term *terms = hm_stix_terms(&s->pattern), *key = NULL;
    int best = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct hm_stix_term *t = &terms[w->terms[i]];
        struct hm_indicator in = {0};
        if (t->negate || compile(s, t, &in) != HM_INTEL_WHY_NONE || rank(&in) <= best)
            continue;
        best = rank(&in);
        key = t;
    }
    hm_autofree struct joined *jn = calloc(1, sizeof *jn);
    if (!jn) {
        s->f->error = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < w->count; i++) {
        const struct hm_stix_term *t = &terms[w->terms[i]];
        enum hm_intel_reason why = t == key ? HM_INTEL_WHY_NONE : join_term(s, t, jn);
        if (why != HM_INTEL_WHY_NONE) {
            refuse(s, t, why);
            return;
        }
    }
    if (!key) {
        const struct hm_stix_term *t = &terms[w->terms[0]];
        refuse(s, t, t->negate ? HM_INTEL_WHY_PATTERN_NOT : HM_INTEL_WHY_PATTERN_OPERATOR);
        return;
    }
    struct hm_indicator in = *common;
    if (compile(s, key, &in) == HM_INTEL_WHY_NONE)
        hm_feed_join(s->f, &in, jn->terms, jn->count);
}

void hm_stix_add_way(struct hm_stix *s, const struct hm_stix_way *w,
                     const struct hm_indicator *common)
{
    const struct hm_stix_term *t = &hm_stix_terms(&s->pattern)[w->terms[0]];
    struct hm_indicator in = *common;
    if (w->count > 1) {
        add_joined(s, w, common);
        return;
    }
    enum hm_intel_reason why =
        t->negate && !t->refused ? HM_INTEL_WHY_PATTERN_NOT : compile(s, t, &in);
    if (why == HM_INTEL_WHY_NONE)
        hm_feed_add(s->f, &in);
    else
        refuse(s, t, why);
}
