/* Owns expressions: what literals one needs, so that it is asked only where one of them is, and
 * how it is compiled. The reader of literals understands less than PCRE2 does; whatever it does not
 * understand yields no literal, never a wrong one. */
#include "detect/limits.h"
#include "detect/match/limits.h"
#include "detect/match/build.h"
#include <errno.h>

struct reader {
    const uint8_t *p, *end;
    bool caseless, lost; /* lost: a construct that this reader does not follow */
    int error;
    unsigned depth;
    struct hm_arena *arena;
};
struct run { /* literal bytes in a row */
    uint8_t bytes[64];
    size_t len;
};

static size_t weakest(const struct hm_literals *l)
{
    size_t n = SIZE_MAX;
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i].len < n)
            n = l->items[i].len;
    return l->count ? n : 0;
}

static void keep_better(struct hm_literals *best, const struct hm_literals *l)
{
    size_t a = weakest(best), b = weakest(l);
    if (b > a || (b == a && l->count < best->count))
        *best = *l;
}

static void flush(struct reader *r, struct run *run, struct hm_literals *best)
{
    if (run->len >= 3) {
        char *copy = hm_arena_strndup(r->arena, run->bytes, run->len);
        if (!copy)
            r->error = -ENOMEM;
        struct hm_literals one = {.count = 1, .items = {hm_slice(copy, run->len)}};
        keep_better(best, &one);
    }
    run->len = 0;
}

static void skip_class(struct reader *r) /* p is after '[' */
{
    if (r->p < r->end && *r->p == '^')
        r->p++;
    if (r->p < r->end && *r->p == ']')
        r->p++;
    while (r->p < r->end && *r->p != ']') {
        if (*r->p == '\\') {
            r->p++;
            if (r->p < r->end && (*r->p == 'Q' || *r->p == 'E'))
                r->lost = true;
        } else if (*r->p == '[' && r->p + 1 < r->end && r->p[1] == ':') {
            while (r->p < r->end && *r->p != ']')
                r->p++;
        }
        if (r->p < r->end)
            r->p++;
    }
    if (r->p < r->end)
        r->p++;
    else
        r->lost = true;
}

static void skip_braces(struct reader *r)
{
    if (r->p < r->end && *r->p == '{')
        while (r->p < r->end && *r->p++ != '}')
            ;
}

/* After a backslash. true: *ret_c is a literal; false: something else that takes part in no run. */
static bool escape(struct reader *r, uint8_t *ret_c)
{
    if (r->p >= r->end) {
        r->lost = true;
        return false;
    }
    uint8_t c = *r->p++;
    bool alnum = (c >= '0' && c <= '9') || (hm_fold(c) >= 'a' && hm_fold(c) <= 'z');
    if (!alnum && c < 0x80) {
        *ret_c = c;
        return true;
    }
    if (c >= '0' && c <= '9') {
        while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
            r->p++;
    } else if (c == 'x') {
        if (r->p < r->end && *r->p == '{')
            skip_braces(r);
        else
            for (int i = 0; i < 2 && r->p < r->end &&
                            ((*r->p >= '0' && *r->p <= '9') ||
                             (hm_fold(*r->p) >= 'a' && hm_fold(*r->p) <= 'f'));
                 i++)
                r->p++;
    } else if (c == 'p' || c == 'P') {
        if (r->p < r->end && *r->p == '{')
            skip_braces(r);
        else if (r->p < r->end)
            r->p++;
    } else if (!strchr("dDwWsSbBAzZhHvVnrtfeaRG", c)) {
        r->lost = true; /* \Q \K \g \k \N \o \c \X … */
    }
    return false;
}

/* A quantifier at p, if there is one. Returns the least number of times, or -1: none. */
static int quantifier(struct reader *r)
{
    if (r->p >= r->end)
        return -1;
    int min = -1;
    if (*r->p == '?' || *r->p == '*') {
        min = 0;
        r->p++;
    } else if (*r->p == '+') {
        min = 1;
        r->p++;
    } else if (*r->p == '{') {
        const uint8_t *q = r->p + 1;
        int n = 0;
        bool zero = true;
        for (; q < r->end && ((*q >= '0' && *q <= '9') || *q == ',' || *q == ' '); q++) {
            if (*q == ',')
                n = 1;
            else if (*q != '0' && *q != ' ' && !n)
                zero = false;
        }
        if (q >= r->end || *q != '}' || q == r->p + 1)
            return -1;
        min = zero ? 0 : 1;
        r->p = q + 1;
    }
    if (min >= 0 && r->p < r->end && (*r->p == '?' || *r->p == '+'))
        r->p++;
    return min;
}

static struct hm_literals alternatives(struct reader *r);

/* After '(': how the group begins. false: it looks around and consumes nothing. */
static bool group_head(struct reader *r)
{
    if (r->p < r->end && *r->p == '*')
        r->lost = true;
    if (r->p >= r->end || *r->p != '?')
        return true;
    r->p++;
    if (r->p >= r->end) {
        r->lost = true;
        return true;
    }
    uint8_t c = *r->p++;
    if (c == ':' || c == '|' || c == '>')
        return true;
    if (c == '=' || c == '!')
        return false;
    if (c == '<' && r->p < r->end && (*r->p == '=' || *r->p == '!'))
        return false;
    if (c == '<' || c == '\'' || (c == 'P' && r->p < r->end && *r->p == '<')) {
        while (r->p < r->end && *r->p != '>' && *r->p != '\'')
            r->p++;
        if (r->p < r->end)
            r->p++;
        return true;
    }
    for (r->p--; r->p < r->end && *r->p != ')' && *r->p != ':'; r->p++) {
        if (!strchr("imsUJn-^", *r->p))
            r->lost = true; /* x, conditions, recursion, comments */
        if (*r->p == 'i')
            r->caseless = true;
    }
    if (r->p < r->end && *r->p == ':')
        r->p++;
    return true; /* "(?i)": p is at the ')' */
}

static void group(struct reader *r, struct hm_literals *best)
{
    if (++r->depth > HM_REGEX_MAX_DEPTH)
        r->lost = true;
    if (r->lost)
        return;
    bool consumes = group_head(r);
    struct hm_literals inner = alternatives(r);
    if (r->p < r->end && *r->p == ')')
        r->p++;
    else
        r->lost = true;
    r->depth--;
    if (quantifier(r) != 0 && consumes)
        keep_better(best, &inner);
}

static struct hm_literals sequence(struct reader *r)
{
    struct hm_literals best = {0};
    struct run run = {.len = 0};
    while (!r->lost && !r->error && r->p < r->end && *r->p != '|' && *r->p != ')') {
        uint8_t c = *r->p++;
        bool literal = false;
        if (c == '(') {
            flush(r, &run, &best);
            group(r, &best);
            continue;
        }
        if (c == '\\')
            literal = escape(r, &c);
        else if (c == '[')
            skip_class(r);
        else
            literal = !strchr(".^$", c);
        /* in UTF mode K and S fold with U+212A and U+017F, which are no bytes of ours */
        uint8_t f = hm_fold(c);
        if (f >= 0x80 || f <= 2 || (r->caseless && (f == 'k' || f == 's')))
            literal = false;
        int min = quantifier(r);
        if (literal && min != 0) {
            run.bytes[run.len++] = f;
            if (run.len == sizeof run.bytes)
                flush(r, &run, &best);
        }
        if (!literal || min >= 0)
            flush(r, &run, &best);
    }
    flush(r, &run, &best);
    return best;
}

static struct hm_literals alternatives(struct reader *r)
{
    struct hm_literals all = {0};
    bool whole = true;
    for (;;) {
        struct hm_literals one = sequence(r);
        if (one.count == 0 || all.count + one.count > HM_ARRAY_LEN(all.items))
            whole = false;
        for (size_t i = 0; whole && i < one.count; i++)
            all.items[all.count++] = one.items[i];
        if (r->lost || r->error || r->p >= r->end || *r->p != '|')
            break;
        r->p++;
    }
    if (!whole)
        all.count = 0;
    return all;
}

static bool says_caseless(struct hm_slice s)
{
    for (size_t i = 0; i + 2 < s.len; i++)
        if (s.p[i] == '(' && s.p[i + 1] == '?')
            for (size_t k = i + 2; k < s.len && strchr("imsxUJn-^", s.p[k]); k++)
                if (s.p[k] == 'i')
                    return true;
    return false;
}

int hm_regex_literals(struct hm_slice regex, bool caseless, struct hm_arena *a,
                      struct hm_literals *ret_l)
{
    struct reader r = {.p = regex.p,
                       .end = regex.p + regex.len,
                       .caseless = caseless || says_caseless(regex),
                       .arena = a};
    struct hm_literals l = alternatives(&r);
    if (r.lost || r.error || r.p != r.end) /* a ')' that closes nothing */
        l.count = 0;
    *ret_l = l;
    return r.error;
}

void *hm_regex_compile(const uint8_t *text, size_t len, bool i, bool m, bool s)
{
    char flags[4];
    size_t n = 0;
    struct hm_pattern p = {0};
    struct hm_error err;
    struct hm_arena *a = hm_arena_new(len + 65536);
    if (i)
        flags[n++] = 'i';
    if (m)
        flags[n++] = 'm';
    if (s)
        flags[n++] = 's';
    flags[n] = 0;
    if (!a || hm_pattern_regex(hm_slice(text, len), flags, a, &p, &err))
        p.regex = NULL;
    hm_arena_free(a);
    return p.regex;
}

void hm_regex_free(void *regex)
{
    struct hm_pattern p = {.regex = regex};
    hm_pattern_done(&p);
}
