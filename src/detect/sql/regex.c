/* Owns the way from PCRE2's syntax to RE2's: what both write alike goes through, what differs in
 * spelling is rewritten, what RE2 cannot do (or does otherwise) is refused with its name. */
#include "detect/sql/parts.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

struct reader {
    const char *p, *end;
    struct hm_buf out;
    const char *why;
};

static bool refuse(struct reader *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return false;
}

/* PCRE2's \s has the vertical tab, RE2's has not. */
static bool escape(struct reader *r, bool in_class)
{
    char c = r->p + 1 < r->end ? r->p[1] : 0;
    if (c == 's' || c == 'S') {
        if (in_class && c == 'S')
            return refuse(r, "\\S inside [] has no equal in RE2");
        hm_buf_puts(&r->out, in_class   ? "\\t\\n\\v\\f\\r "
                             : c == 's' ? "[\\t\\n\\v\\f\\r ]"
                                        : "[^\\t\\n\\v\\f\\r ]");
        r->p += 2;
        return true;
    }
    if (c >= '1' && c <= '9')
        return refuse(r, "RE2 has no references to groups");
    if (in_class && (c == 'b' || c == 'B'))
        return refuse(r, "\\b inside [] has no equal in RE2");
    if (isalnum((unsigned char)c) && !strchr("dDwWbBAztnrfvax", c))
        return refuse(r, "RE2 does not know this escape");
    if (!c)
        return refuse(r, "the expression ends in a backslash");
    hm_buf_put(&r->out, r->p, 2);
    r->p += 2;
    return true;
}

static bool class(struct reader *r)
{
    hm_buf_put_u8(&r->out, (uint8_t)*r->p++);
    if (r->p < r->end && *r->p == '^')
        hm_buf_put_u8(&r->out, (uint8_t)*r->p++);
    if (r->p < r->end && *r->p == ']') {
        hm_buf_puts(&r->out, "\\]");
        r->p++;
    }
    while (r->p < r->end && *r->p != ']') {
        if (*r->p == '\\') {
            if (!escape(r, true))
                return false;
        } else if (*r->p == '[' && r->p + 1 < r->end && strchr(":.=", r->p[1])) {
            const char *close = memmem(r->p, (size_t)(r->end - r->p), ":]", 2);
            if (r->p[1] != ':' || !close || r->p[2] == '<' || r->p[2] == '>')
                return refuse(r, "RE2 does not know this class");
            hm_buf_put(&r->out, r->p, (size_t)(close + 2 - r->p));
            r->p = close + 2;
        } else if (*r->p == '[') {
            hm_buf_puts(&r->out, "\\[");
            r->p++;
        } else {
            hm_buf_put_u8(&r->out, (uint8_t)*r->p++);
        }
    }
    if (r->p == r->end)
        return refuse(r, "a class without end");
    hm_buf_put_u8(&r->out, (uint8_t)*r->p++);
    return true;
}

/* After '(': "?:", "?i)", "?i:" and plain groups; no looking around, no names, no recursion. */
static bool group(struct reader *r)
{
    hm_buf_put_u8(&r->out, (uint8_t)*r->p++);
    if (r->p < r->end && *r->p == '*')
        return refuse(r, "RE2 has no verbs");
    if (r->p == r->end || *r->p != '?')
        return true;
    const char *q = r->p + 1;
    while (q < r->end && strchr("ims-", *q))
        q++;
    if (q == r->end || (*q != ':' && *q != ')') || (*q == ')' && q == r->p + 1))
        return refuse(r, "RE2 can neither look around nor name groups");
    hm_buf_put(&r->out, r->p, (size_t)(q - r->p));
    r->p = q;
    return true;
}

/* PCRE2's '$' also stands before a last newline. Consuming it changes nothing at an end. */
static bool dollar(struct reader *r, bool multiline)
{
    char next = r->p + 1 < r->end ? r->p[1] : 0;
    r->p++;
    if (multiline) {
        hm_buf_put_u8(&r->out, '$');
        return true;
    }
    if (next && next != ')' && next != '|')
        return refuse(r, "\"$\" within an expression means something else to RE2");
    hm_buf_puts(&r->out, "(?:\\n?\\z)");
    return true;
}

/* "{n}", "{n,}", "{n,m}" up to RE2's 1000. Another '{' stands for itself to PCRE2. */
static bool braces(struct reader *r)
{
    const char *q = r->p + 1;
    bool digits = q < r->end && isdigit((unsigned char)*q);
    unsigned long n = 0, most = 0;
    while (q < r->end && (isdigit((unsigned char)*q) || *q == ',')) {
        n = *q == ',' ? 0 : n * 10 + (unsigned long)(*q - '0');
        most = n > most ? n : most;
        if (most > 100000)
            break;
        q++;
    }
    if (!digits || q == r->end || *q != '}') {
        if (r->p[1] == ',')
            return refuse(r, "\"{,n}\" is read in two ways");
        hm_buf_puts(&r->out, "\\{");
        r->p++;
        return true;
    }
    if (most > 1000)
        return refuse(r, "RE2 repeats at most 1000 times");
    hm_buf_put(&r->out, r->p, (size_t)(q + 1 - r->p));
    r->p = q + 1;
    return true;
}

static bool quantifier_before(const struct reader *r, const char *begin)
{
    return r->p > begin && strchr("*+?}", r->p[-1]) && !(r->p - 1 > begin && r->p[-2] == '\\');
}

static bool translate(struct reader *r, bool multiline)
{
    const char *begin = r->p;
    bool good = true;
    while (good && r->p < r->end) {
        switch (*r->p) {
        case '\\':
            good = escape(r, false);
            break;
        case '[':
            good = class(r);
            break;
        case '(':
            good = group(r);
            break;
        case '$':
            good = dollar(r, multiline);
            break;
        case '{':
            good = braces(r);
            break;
        case '+':
            if (quantifier_before(r, begin))
                return refuse(r, "RE2 has no possessive repetition");
            hm_buf_put_u8(&r->out, (uint8_t)*r->p++);
            break;
        default:
            hm_buf_put_u8(&r->out, (uint8_t)*r->p++);
        }
    }
    return good;
}

int hm_sql_regex(const struct hm_pattern *p, struct hm_arena *a, const char **ret,
                 const char **ret_why)
{
    struct reader r = {.p = (const char *)p->text.p,
                       .end = (const char *)p->text.p + p->text.len,
                       .out = HM_BUF(1 << 20)};
    if (p->re_i || p->re_m || p->re_s)
        hm_buf_printf(&r.out, "(?%s%s%s)", p->re_i ? "i" : "", p->re_m ? "m" : "",
                      p->re_s ? "s" : "");
    bool good = translate(&r, p->re_m);
    int e = r.out.error;
    *ret = !e && good ? hm_arena_strndup(a, r.out.data ? (const void *)r.out.data : "", r.out.len)
                      : NULL;
    hm_buf_done(&r.out);
    if (!e && !good) {
        *ret_why = r.why;
        return -ENOTSUP;
    }
    return e ? e : *ret ? 0 : -ENOMEM;
}
