/* See stix_pattern.h. A recursive-descent parser with a depth limit; the results of an expression
 * are the topmost ways, so OR is putting them one after the other and AND is multiplying two runs.
 */
#include "detect/indicator/stix_pattern.h"
#include "base/error.h"
#include "detect/indicator/blob.h"

struct parser {
    struct hm_stix_pattern *out;
    struct hm_slice s;
    size_t at;
    int depth;
    int error;
};

static bool fail_at(struct parser *p, int code, enum hm_intel_reason why, size_t at)
{
    if (!p->error) {
        p->error = code;
        p->out->why = why;
        p->out->column = (uint32_t)at + 1;
    }
    return false;
}

static bool malformed(struct parser *p)
{
    return fail_at(p, -EBADMSG, HM_INTEL_WHY_PATTERN, p->at);
}

/* --- words ------------------------------------------------------------------------------------ */
static uint8_t peek(struct parser *p)
{
    while (p->at < p->s.len && p->s.p[p->at] && strchr(" \t\r\n", p->s.p[p->at]))
        p->at++;
    return p->at < p->s.len ? p->s.p[p->at] : 0;
}

static bool word_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' ||
           c == '-';
}

static bool eat(struct parser *p, char c)
{
    if (peek(p) != (uint8_t)c)
        return false;
    p->at++;
    return true;
}

/* Key words are upper case, as the specification has them. */
static bool eat_word(struct parser *p, const char *w)
{
    size_t n = strlen(w);
    peek(p);
    if (p->s.len - p->at < n || memcmp(p->s.p + p->at, w, n) != 0 ||
        (p->at + n < p->s.len && word_byte(p->s.p[p->at + n])))
        return false;
    p->at += n;
    return true;
}

static struct hm_slice texts(const struct hm_stix_pattern *out, uint32_t at, uint32_t len)
{
    return len ? hm_slice(out->texts.data + at, len) : (struct hm_slice){0};
}

/* '…' with \' and \\ into texts. */
static bool quoted(struct parser *p, uint32_t *ret_at, uint32_t *ret_len)
{
    size_t from = p->out->texts.len, open = p->at;
    if (!eat(p, '\''))
        return malformed(p);
    while (p->at < p->s.len && p->s.p[p->at] != '\'') {
        if (p->s.p[p->at] == '\\')
            p->at++;
        if (p->at < p->s.len)
            hm_buf_put_u8(&p->out->texts, p->s.p[p->at++]);
    }
    if (p->at >= p->s.len)
        return fail_at(p, -EBADMSG, HM_INTEL_WHY_PATTERN, open);
    p->at++;
    *ret_at = (uint32_t)from;
    *ret_len = (uint32_t)(p->out->texts.len - from);
    return !p->out->texts.error ||
           fail_at(p, p->out->texts.error, HM_INTEL_WHY_PATTERN_SIZE, p->at);
}

/* A string, number, true, false, or t'…', h'…', b'…' as the text between the quotes. */
static bool literal(struct parser *p, uint32_t *ret_at, uint32_t *ret_len)
{
    uint8_t c = peek(p);
    if ((c == 't' || c == 'h' || c == 'b') && p->at + 1 < p->s.len && p->s.p[p->at + 1] == '\'')
        p->at++;
    if (peek(p) == '\'')
        return quoted(p, ret_at, ret_len);
    size_t from = p->at;
    while (p->at < p->s.len &&
           (word_byte(p->s.p[p->at]) || p->s.p[p->at] == '.' || p->s.p[p->at] == '+'))
        p->at++;
    if (p->at == from)
        return malformed(p);
    *ret_at = (uint32_t)p->out->texts.len;
    *ret_len = (uint32_t)(p->at - from);
    hm_buf_put(&p->out->texts, p->s.p + from, p->at - from);
    return !p->out->texts.error ||
           fail_at(p, p->out->texts.error, HM_INTEL_WHY_PATTERN_SIZE, p->at);
}

/* --- object paths ----------------------------------------------------------------------------- */
static const struct {
    const char *path;
    uint8_t kind;
} paths[] = {
    {"file:hashes.md5", HM_INTEL_MD5},
    {"file:hashes.sha-1", HM_INTEL_SHA1},
    {"file:hashes.sha1", HM_INTEL_SHA1},
    {"file:hashes.sha-256", HM_INTEL_SHA256},
    {"file:hashes.sha256", HM_INTEL_SHA256},
    {"artifact:hashes.md5", HM_INTEL_MD5},
    {"artifact:hashes.sha-1", HM_INTEL_SHA1},
    {"artifact:hashes.sha-256", HM_INTEL_SHA256},
    {"process:image_ref.hashes.md5", HM_INTEL_MD5},
    {"process:image_ref.hashes.sha-1", HM_INTEL_SHA1},
    {"process:image_ref.hashes.sha-256", HM_INTEL_SHA256},
    {"process:binary_ref.hashes.md5", HM_INTEL_MD5},
    {"process:binary_ref.hashes.sha-1", HM_INTEL_SHA1},
    {"process:binary_ref.hashes.sha-256", HM_INTEL_SHA256},
    {"file:name", HM_INTEL_NAME},
    {"process:image_ref.name", HM_INTEL_NAME},
    {"process:binary_ref.name", HM_INTEL_NAME},
    {"process:name", HM_INTEL_NAME},
    {"ipv4-addr:value", HM_INTEL_IP},
    {"ipv6-addr:value", HM_INTEL_IP},
    {"network-traffic:dst_ref.value", HM_INTEL_IP}, /* or a domain: the value shows */
    {"network-traffic:src_ref.value", HM_INTEL_IP},
    {"domain-name:resolves_to_refs.value", HM_INTEL_IP},
    {"domain-name:value", HM_INTEL_DOMAIN},
    {"url:value", HM_INTEL_URL},
    {"email-addr:value", HM_INTEL_MAIL},
    {"email-message:from_ref.value", HM_INTEL_MAIL},
    {"email-message:sender_ref.value", HM_INTEL_MAIL},
    {"network-traffic:dst_port", HM_TERM_DST_PORT},
    {"network-traffic:src_port", HM_TERM_SRC_PORT},
};

/* type:property.'key'[*].… in lower case, without quotes and indices. */
static size_t object_path(struct parser *p, char *to, size_t cap)
{
    size_t n = 0, from = p->at;
    bool colon = false;
    peek(p);
    while (p->at < p->s.len && n + 1 < cap) {
        uint8_t c = p->s.p[p->at];
        if (c == '[') {
            while (p->at < p->s.len && p->s.p[p->at] != ']')
                p->at++;
        } else if (c == '\'') {
            while (++p->at < p->s.len && p->s.p[p->at] != '\'' && n + 1 < cap)
                to[n++] = (char)(p->s.p[p->at] |
                                 (p->s.p[p->at] >= 'A' && p->s.p[p->at] <= 'Z' ? 0x20 : 0));
        } else if (word_byte(c) || c == '.' || (c == ':' && !colon)) {
            colon |= c == ':';
            to[n++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        } else {
            break;
        }
        p->at++;
    }
    to[n] = 0;
    if (!colon || n + 1 >= cap || p->at > p->s.len)
        return fail_at(p, -EBADMSG, HM_INTEL_WHY_PATTERN, from);
    return n;
}

static void place(const char *path, struct hm_stix_term *t)
{
    t->kind = HM_STIX_NO_KIND;
    t->refused = strstr(path, "hashes.") ? HM_INTEL_WHY_HASH_LENGTH : HM_INTEL_WHY_PATTERN_OBJECT;
    for (size_t i = 0; i < HM_ARRAY_LEN(paths); i++)
        if (strcmp(path, paths[i].path) == 0) {
            t->kind = paths[i].kind;
            t->refused = HM_INTEL_WHY_NONE;
        }
}

/* --- comparisons ------------------------------------------------------------------------------ */
static size_t top(const struct parser *p)
{
    return p->out->ways.len / sizeof(struct hm_stix_way);
}

static bool push_way(struct parser *p, const struct hm_stix_way *w)
{
    if (top(p) == HM_STIX_WAYS_MAX)
        return fail_at(p, -E2BIG, HM_INTEL_WHY_PATTERN_SIZE, p->at);
    hm_buf_put(&p->out->ways, w, sizeof *w);
    return !p->out->ways.error || fail_at(p, p->out->ways.error, HM_INTEL_WHY_PATTERN_SIZE, p->at);
}

static bool add_term(struct parser *p, struct hm_stix_term t, struct hm_stix_way *w)
{
    size_t n = p->out->terms.len / sizeof t;
    if (!literal(p, &t.text, &t.len))
        return false;
    if (n == HM_STIX_TERMS_MAX || w->count == HM_INTEL_TERMS_MAX)
        return fail_at(p, -E2BIG, HM_INTEL_WHY_PATTERN_SIZE, p->at);
    struct hm_slice text = texts(p->out, t.text, t.len);
    if (t.kind == HM_INTEL_NAME && t.op == HM_STIX_EQUAL &&
        hm_intel_base_name(text).len != text.len)
        t.kind = HM_INTEL_PATH;
    struct hm_intel_value v;
    if (t.kind == HM_INTEL_IP && t.op == HM_STIX_EQUAL && !hm_intel_value_ip(text, &v) &&
        hm_intel_value_read(HM_INTEL_DOMAIN, text, &v) == HM_INTEL_WHY_NONE)
        t.kind = HM_INTEL_DOMAIN;
    hm_buf_put(&p->out->terms, &t, sizeof t);
    w->terms[w->count++] = (uint16_t)n;
    return !p->out->terms.error ||
           fail_at(p, p->out->terms.error, HM_INTEL_WHY_PATTERN_SIZE, p->at);
}

/* IN ('a', 'b'): a way each; NOT IN: one way that forbids them all. */
static bool in_list(struct parser *p, struct hm_stix_term t)
{
    struct hm_stix_way w = {0};
    if (!eat(p, '('))
        return malformed(p);
    do {
        if (!t.negate)
            w.count = 0;
        if (!add_term(p, t, &w) || (!t.negate && !push_way(p, &w)))
            return false;
    } while (eat(p, ','));
    if (!eat(p, ')'))
        return malformed(p);
    return !t.negate || push_way(p, &w);
}

/* The operator; false: none of the language. An unusable one is refused in t. */
static bool operator(struct parser *p, struct hm_stix_term *t)
{
    static const struct {
        const char *word;
        enum hm_stix_op op;
        bool usable;
    } words[] = {{"LIKE", HM_STIX_LIKE, true},
                 {"MATCHES", HM_STIX_MATCHES, true},
                 {"ISSUBSET", HM_STIX_SUBSET, true},
                 {"ISSUPERSET", HM_STIX_SUBSET, false}};
    t->negate = eat_word(p, "NOT");
    t->op = HM_STIX_EQUAL;
    for (size_t i = 0; i < HM_ARRAY_LEN(words); i++)
        if (eat_word(p, words[i].word)) {
            t->op = words[i].op;
            if (!words[i].usable && t->refused == HM_INTEL_WHY_NONE)
                t->refused = HM_INTEL_WHY_PATTERN_OPERATOR;
            return true;
        }
    if (eat(p, '='))
        return eat(p, '=') || true;
    if (eat(p, '!')) {
        t->negate = !t->negate;
        return eat(p, '=') || malformed(p);
    }
    if (eat(p, '<')) {
        if (eat(p, '>')) {
            t->negate = !t->negate;
            return true;
        }
    } else if (!eat(p, '>')) {
        return malformed(p);
    }
    eat(p, '=');
    if (t->refused == HM_INTEL_WHY_NONE)
        t->refused = HM_INTEL_WHY_PATTERN_OPERATOR;
    return true;
}

static bool comparison(struct parser *p)
{
    char path[128];
    struct hm_stix_term t = {.column = (uint32_t)p->at + 1};
    struct hm_stix_way w = {0};
    bool exists = eat_word(p, "EXISTS");
    peek(p);
    t.column = (uint32_t)p->at + 1;
    if (!object_path(p, path, sizeof path))
        return false;
    place(path, &t);
    if (exists)
        return fail_at(p, -ENOTSUP, HM_INTEL_WHY_PATTERN_OPERATOR, p->at);
    size_t before = p->at;
    bool not = eat_word(p, "NOT");
    if (eat_word(p, "IN")) {
        t.negate = not ;
        return in_list(p, t);
    }
    p->at = before;
    return operator(p, &t) && add_term(p, t, &w) && push_way(p, &w);
}

static bool either(struct parser *p);

static bool primary(struct parser *p)
{
    if (peek(p) != '(')
        return comparison(p);
    p->at++;
    if (++p->depth > HM_STIX_DEPTH_MAX)
        return fail_at(p, -E2BIG, HM_INTEL_WHY_PATTERN_SIZE, p->at);
    bool good = either(p) && (eat(p, ')') || malformed(p));
    p->depth--;
    return good;
}

/* ways [a, b) × [b, top) take the place of both. */
static bool multiply(struct parser *p, size_t a, size_t b)
{
    size_t n = top(p);
    for (size_t i = a; i < b; i++)
        for (size_t j = b; j < n; j++) {
            const struct hm_stix_way *all = (const void *)p->out->ways.data;
            struct hm_stix_way w = all[i], other = all[j];
            if (w.count + other.count > HM_INTEL_TERMS_MAX)
                return fail_at(p, -E2BIG, HM_INTEL_WHY_PATTERN_SIZE, p->at);
            memcpy(w.terms + w.count, other.terms, other.count * sizeof other.terms[0]);
            w.count = (uint8_t)(w.count + other.count);
            if (!push_way(p, &w))
                return false;
        }
    struct hm_stix_way *all = (void *)p->out->ways.data;
    size_t made = top(p) - n;
    memmove(all + a, all + n, made * sizeof *all);
    p->out->ways.len = (a + made) * sizeof *all;
    return true;
}

static bool both(struct parser *p)
{
    size_t a = top(p);
    if (!primary(p))
        return false;
    while (eat_word(p, "AND")) {
        size_t b = top(p);
        if (!primary(p) || !multiply(p, a, b))
            return false;
    }
    return true;
}

static bool either(struct parser *p)
{
    do
        if (!both(p))
            return false;
    while (eat_word(p, "OR"));
    return true;
}

/* --- observations ----------------------------------------------------------------------------- */
static bool refuse_operators(struct parser *p)
{
    static const char *const words[] = {"AND", "FOLLOWEDBY", "WITHIN", "REPEATS", "START", "STOP"};
    size_t at = (peek(p), p->at);
    for (size_t i = 0; i < HM_ARRAY_LEN(words); i++)
        if (eat_word(p, words[i]))
            return fail_at(p, -ENOTSUP, HM_INTEL_WHY_PATTERN_OBSERVATIONS, at);
    return true;
}

static bool observations(struct parser *p);

static bool observation(struct parser *p)
{
    if (eat(p, '[')) {
        if (!either(p) || !(eat(p, ']') || malformed(p)))
            return false;
    } else if (eat(p, '(')) {
        if (++p->depth > HM_STIX_DEPTH_MAX)
            return fail_at(p, -E2BIG, HM_INTEL_WHY_PATTERN_SIZE, p->at);
        if (!observations(p) || !(eat(p, ')') || malformed(p)))
            return false;
        p->depth--;
    } else {
        return malformed(p);
    }
    return refuse_operators(p);
}

/* OR between observations is no more than OR within one. */
static bool observations(struct parser *p)
{
    do
        if (!observation(p))
            return false;
    while (eat_word(p, "OR"));
    return true;
}

void hm_stix_pattern_init(struct hm_stix_pattern *p)
{
    *p = (struct hm_stix_pattern){.texts = HM_BUF(HM_STIX_PATTERN_MAX_BYTES),
                                  .terms = HM_BUF(HM_STIX_TERMS_MAX * sizeof(struct hm_stix_term)),
                                  .ways =
                                      HM_BUF((HM_STIX_WAYS_MAX + 1) * sizeof(struct hm_stix_way))};
}

void hm_stix_pattern_done(struct hm_stix_pattern *p)
{
    hm_buf_done(&p->texts);
    hm_buf_done(&p->terms);
    hm_buf_done(&p->ways);
}

int hm_stix_pattern_parse(struct hm_stix_pattern *p, struct hm_slice text)
{
    struct parser ps = {.out = p, .s = text};
    hm_buf_clear(&p->texts);
    hm_buf_clear(&p->terms);
    hm_buf_clear(&p->ways);
    p->why = HM_INTEL_WHY_NONE;
    p->column = 0;
    if (text.len > HM_STIX_PATTERN_MAX_BYTES)
        fail_at(&ps, -E2BIG, HM_INTEL_WHY_PATTERN_SIZE, 0);
    else if (observations(&ps) && peek(&ps))
        malformed(&ps);
    return ps.error;
}
