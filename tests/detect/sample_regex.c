/* A text for an expression: literals as they are, the first of alternatives and of a class, each
 * repeated as often as it has to be. */
#include "sample.h"

struct walk {
    const char *re;
    size_t at, len;
    char *out;
    size_t used, size;
    bool silent; /* an alternative that is not taken */
};

static void put(struct walk *w, char c)
{
    if (!w->silent && w->used + 1 < w->size)
        w->out[w->used++] = c;
}

static int peek(const struct walk *w)
{
    return w->at < w->len ? w->re[w->at] : -1;
}

static char escaped(char c)
{
    switch (c) {
    case 'd':
        return '7';
    case 'w':
    case 'S':
    case 'D':
        return 'w';
    case 's':
        return ' ';
    default:
        return c;
    }
}

/* Inside [ ]: the first member; of a negated class something that is rarely in one. */
static char class_member(struct walk *w)
{
    char first = 0, c;
    bool not = peek(w) == '^';
    char refused[128] = "";
    size_t n = 0;
    w->at += not ;
    for (bool begin = true; w->at < w->len && (begin || w->re[w->at] != ']'); begin = false) {
        c = w->re[w->at++];
        if (c == '\\')
            c = escaped(w->re[w->at++]);
        if (!first)
            first = c;
        if (n + 1 < sizeof refused)
            refused[n++] = c;
    }
    w->at++;
    for (const char *t = "wq7%"; not &&*t; t++)
        if (!memchr(refused, *t, n))
            return *t;
    return first;
}

static void alternatives(struct walk *w);

static void atom(struct walk *w)
{
    char c = w->re[w->at++];
    switch (c) {
    case '(':
        if (peek(w) == '?') /* flags, names, non-capturing: to the ':' or '>' */
            while (w->at < w->len && !strchr(":>)", w->re[w->at]))
                w->at++;
        if (w->at && strchr(":>", peek(w)) && w->re[w->at - 1] != '(')
            w->at++;
        alternatives(w);
        w->at++;
        return;
    case '[':
        put(w, class_member(w));
        return;
    case '\\':
        c = w->re[w->at++];
        if (c != 'b' && c != 'B')
            put(w, escaped(c));
        return;
    case '.':
        put(w, 'w');
        return;
    case '^':
    case '$':
        return;
    default:
        put(w, c);
    }
}

/* How often what stood before has to come: at least. */
static unsigned least(struct walk *w)
{
    unsigned n = 1;
    int c = peek(w);
    if (c == '*' || c == '?') {
        n = 0;
        w->at++;
    } else if (c == '+') {
        w->at++;
    } else if (c == '{') {
        n = 0;
        for (w->at++; w->at < w->len && w->re[w->at] >= '0' && w->re[w->at] <= '9'; w->at++)
            n = n * 10 + (unsigned)(w->re[w->at] - '0');
        while (w->at < w->len && w->re[w->at++] != '}')
            ;
    }
    if (c > 0 && strchr("*+?{", c) && (peek(w) == '?' || peek(w) == '+'))
        w->at++;
    return n;
}

static void alternatives(struct walk *w)
{
    bool silent = w->silent;
    while (w->at < w->len && peek(w) != ')') {
        if (peek(w) == '|') {
            w->silent = true; /* the first one is taken */
            w->at++;
            continue;
        }
        size_t from = w->used, at = w->at;
        atom(w);
        size_t after = w->at;
        unsigned n = least(w);
        size_t end = w->at;
        if (n == 0)
            w->used = from;
        for (; n > 1; n--) {
            w->at = at;
            atom(w);
        }
        (void)after;
        w->at = end;
    }
    w->silent = silent;
}

void sample_regex(const char *re, size_t len, char *out, size_t size)
{
    struct walk w = {.re = re, .len = len, .out = out, .size = size};
    alternatives(&w);
    out[w.used] = 0;
}
