/* Which four bytes must be in whatever a pattern matches? A cautious reader of PCRE2's syntax: what
 * it does not understand, it claims nothing about, and the pattern is tried on every path. */
#include "detect/indicator/regex.h"

#define DEPTH_MAX 12

struct choice { /* sets of grams: one of grams[] is in every match */
    uint32_t grams[HM_GRAMS_MAX];
    size_t count;
    unsigned cost; /* UINT32_MAX: no set */
};
struct reader {
    struct hm_slice s;
    size_t at;
    unsigned (*cost)(void *ctx, uint32_t gram);
    void *ctx;
    bool lost; /* syntax that is not read here */
    bool utf;  /* letters then also match others that fold to them: the Kelvin sign is a k */
};

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static uint8_t peek(const struct reader *r)
{
    return r->at < r->s.len ? r->s.p[r->at] : 0;
}

static bool starts(const struct reader *r, const char *with)
{
    size_t n = strlen(with);
    return r->s.len - r->at >= n && memcmp(r->s.p + r->at, with, n) == 0;
}

/* --- a run of plain bytes -----------------------------------------------------------------------
 */
struct run {
    uint32_t gram;
    size_t len;
};

static void add_plain(struct reader *r, struct run *u, uint8_t c, struct choice *best)
{
    if (r->utf && (c >= 0x80 || fold(c) == 'k' || fold(c) == 's')) {
        u->len = 0;
        return;
    }
    u->gram = u->gram << 8 | fold(c);
    if (++u->len < 4)
        return;
    unsigned cost = r->cost(r->ctx, u->gram);
    if (cost < best->cost)
        *best = (struct choice){.grams = {u->gram}, .count = 1, .cost = cost};
}

/* Behind "[": to after "]". Negation, ranges and named classes all claim nothing. */
static void skip_class(struct reader *r)
{
    if (peek(r) == '^')
        r->at++;
    if (peek(r) == ']')
        r->at++;
    while (r->at < r->s.len && peek(r) != ']') {
        if (peek(r) == '[' && r->at + 1 < r->s.len && strchr(":.=", r->s.p[r->at + 1]))
            r->lost = true; /* [:alpha:] */
        r->at += peek(r) == '\\' ? 2 : 1;
    }
    r->at++;
}

/* What may be repeated or left out. min: how often at least; takes the quantifier if there is one.
 */
static bool quantifier(struct reader *r, bool *ret_needed)
{
    uint8_t c = peek(r);
    *ret_needed = true;
    if (c == '{') {
        size_t end = r->at + 1;
        while (end < r->s.len && r->s.p[end] != '}' && strchr("0123456789,", r->s.p[end]))
            end++;
        if (end >= r->s.len || r->s.p[end] != '}')
            return false; /* a plain brace */
        *ret_needed = r->s.p[r->at + 1] >= '1' && r->s.p[r->at + 1] <= '9';
        r->at = end + 1;
    } else if (c == '?' || c == '*' || c == '+') {
        *ret_needed = c == '+';
        r->at++;
    } else {
        return false;
    }
    if (peek(r) == '?' || peek(r) == '+')
        r->at++;
    return true;
}

static struct choice alternatives(struct reader *r, int depth, const struct run *before);

/* Behind "(": flags, look-around or a group. True: its content must occur where it stands. */
static bool open_group(struct reader *r)
{
    if (peek(r) != '?')
        return !starts(r, "*") || !(r->lost = true);
    if (starts(r, "?:")) {
        r->at += 2;
        return true;
    }
    if (starts(r, "?=")) {
        r->at += 2;
        return true;
    }
    if (starts(r, "?!") || starts(r, "?<!")) {
        r->at += starts(r, "?!") ? 2 : 3;
        return false;
    }
    size_t end = r->at + 1;
    while (end < r->s.len && strchr("ims", r->s.p[end]))
        end++;
    if (end < r->s.len && (r->s.p[end] == ')' || r->s.p[end] == ':')) {
        r->at = end + (r->s.p[end] == ':');
        return true;
    }
    r->lost = true; /* names, conditions, recursion, (?x) */
    return false;
}

/* before: what stands directly in front of the group, and so of each of its alternatives. */
static void group(struct reader *r, int depth, const struct run *before, struct choice *best)
{
    bool needed, counts = open_group(r);
    if (r->lost)
        return;
    struct choice inside = alternatives(r, depth + 1, before);
    if (peek(r) != ')') {
        r->lost = true;
        return;
    }
    r->at++;
    quantifier(r, &needed);
    if (counts && needed && inside.count && inside.cost < best->cost)
        *best = inside;
}

/* Behind "\": the byte that it means, or -1 for a class, an assertion, a reference. */
static int escape(struct reader *r)
{
    uint8_t c = peek(r);
    r->at++;
    if (c == 't')
        return '\t';
    if (fold(c) >= 'a' && fold(c) <= 'z') {
        if (strchr("QExXgkNopPuUcC", c))
            r->lost = true;
        return -1;
    }
    if (c >= '0' && c <= '9')
        r->lost = true;
    return c;
}

static struct choice sequence(struct reader *r, int depth, const struct run *before)
{
    struct choice best = {.cost = UINT32_MAX};
    struct run u = *before;
    bool needed;
    while (!r->lost && r->at < r->s.len && peek(r) != '|' && peek(r) != ')') {
        uint8_t c = peek(r);
        int plain = -1;
        r->at++;
        if (c == '(') {
            group(r, depth, &u, &best);
            u.len = 0;
            continue;
        }
        if (c == '\\')
            plain = escape(r);
        else if (c == '[')
            skip_class(r);
        else if (!strchr(".^$", c))
            plain = c;
        size_t at = r->at;
        bool many = quantifier(r, &needed);
        if (plain < 0 || !needed) {
            u.len = 0;
            continue;
        }
        add_plain(r, &u, (uint8_t)plain, &best);
        if (many && r->at > at)
            u.len = 0;
    }
    return best;
}

static void unite(struct choice *all, const struct choice *one)
{
    if (all->count + one->count > HM_GRAMS_MAX || one->count == 0) {
        *all = (struct choice){.cost = UINT32_MAX};
        return;
    }
    memcpy(all->grams + all->count, one->grams, one->count * sizeof one->grams[0]);
    all->count += one->count;
    all->cost = all->cost > one->cost ? all->cost : one->cost;
}

static struct choice alternatives(struct reader *r, int depth, const struct run *before)
{
    if (depth > DEPTH_MAX)
        r->lost = true;
    struct choice all = r->lost ? (struct choice){.cost = UINT32_MAX} : sequence(r, depth, before);
    bool none = all.count == 0;
    while (!r->lost && peek(r) == '|' && r->at < r->s.len) {
        r->at++;
        struct choice one = sequence(r, depth, before);
        if (!none)
            unite(&all, &one);
        none = all.count == 0;
    }
    return all;
}

size_t hm_intel_regex_grams(struct hm_slice pattern, uint32_t ret_grams[HM_GRAMS_MAX],
                            unsigned (*cost)(void *ctx, uint32_t gram), void *ctx)
{
    struct reader r = {.s = pattern, .cost = cost, .ctx = ctx};
    struct run nothing = {0};
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.p[i] == 0 || pattern.p[i] == '#')
            return 0; /* the end, or a comment */
        r.utf |= pattern.p[i] >= 0x80;
    }
    struct choice best = alternatives(&r, 0, &nothing);
    if (r.lost || r.at < r.s.len)
        return 0;
    memcpy(ret_grams, best.grams, best.count * sizeof best.grams[0]);
    return best.count;
}
