/* Owns the condition language: and, or, not, parentheses, "1 of x*", "all of them".
 *   or := and ("or" and)*     and := not ("and" not)*     not := "not" not | "(" or ")" | of | name
 */
#include "detect/limits.h"
#include "detect/sigma/search.h"
#include <errno.h>

struct parser {
    struct hm_sigma *s;
    const struct hm_yaml *detection, *at; /* at: the condition's scalar, for places */
    const char *p;
    struct hm_slice tok;
    unsigned depth;
};

static bool word_byte(char c)
{
    return c && c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '(' && c != ')';
}

static void advance(struct parser *c)
{
    while (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r')
        c->p++;
    const char *start = c->p;
    if (*c->p == '(' || *c->p == ')')
        c->p++;
    else
        while (word_byte(*c->p))
            c->p++;
    c->tok = hm_slice(start, (size_t)(c->p - start));
}

static bool is(const struct parser *c, const char *word)
{
    return hm_slice_eq(c->tok, hm_slice_str(word));
}

static int bad(struct parser *c, const char *what)
{
    return hm_fail_at(c->s->err, -EINVAL, c->at->line,
                      c->at->column + (uint32_t)((const char *)c->tok.p - c->at->text),
                      "condition: %s near \"%.*s\"", what, (int)(c->tok.len > 60 ? 60 : c->tok.len),
                      (const char *)c->tok.p);
}

static int parse_or(struct parser *c, struct hm_node **ret);

/* "them" excludes names that begin with an underscore, as the specification says. */
static bool selected(struct hm_slice pattern, const char *name)
{
    if (strcmp(name, "condition") == 0 || strcmp(name, "timeframe") == 0)
        return false;
    if (hm_slice_eq(pattern, hm_slice_str("them")))
        return name[0] != '_';
    struct hm_pattern p = {.kind = HM_PATTERN_GLOB, .cased = true};
    char buf[128];
    if (pattern.len > sizeof buf)
        return false;
    for (size_t i = 0; i < pattern.len; i++)
        buf[i] = pattern.p[i] == '*' ? 0x01 : (char)pattern.p[i];
    p.text = hm_slice(buf, pattern.len);
    return hm_pattern_match(&p, hm_slice_str(name));
}

static int parse_of(struct parser *c, bool all, struct hm_node **ret)
{
    advance(c); /* "of" */
    advance(c);
    struct hm_slice pattern = c->tok;
    struct hm_node *n = hm_sigma_node(c->s, all ? HM_NODE_AND : HM_NODE_OR, c->detection->count);
    if (!n)
        return -ENOMEM;
    for (size_t i = 0; i < c->detection->count; i++) {
        if (!selected(pattern, c->detection->keys[i]->text))
            continue;
        int r = hm_sigma_search(c->s, c->detection->items[i], &n->kids[n->count]);
        if (r)
            return r;
        n->count++;
    }
    if (n->count == 0)
        return bad(c, "no search has such a name");
    advance(c);
    *ret = n;
    return 0;
}

static int parse_name(struct parser *c, struct hm_node **ret)
{
    char name[128];
    if (c->tok.len == 0 || c->tok.len >= sizeof name)
        return bad(c, c->tok.len ? "name too long" : "something is missing");
    memcpy(name, c->tok.p, c->tok.len);
    name[c->tok.len] = 0;
    const struct hm_yaml *search = hm_yaml_get(c->detection, name);
    if (!search || strcmp(name, "condition") == 0)
        return bad(c, "no such search");
    int r = hm_sigma_search(c->s, search, ret);
    if (!r)
        advance(c);
    return r;
}

static bool of_follows(const struct parser *c)
{
    const char *p = c->p;
    while (*p == ' ')
        p++;
    return strncmp(p, "of", 2) == 0 && !word_byte(p[2]);
}

static int parse_not(struct parser *c, struct hm_node **ret)
{
    int r;
    if (++c->depth > HM_CONDITION_MAX_DEPTH)
        return bad(c, "nested too deeply");
    if (is(c, "not")) {
        struct hm_node *n = hm_sigma_node(c->s, HM_NODE_NOT, 1);
        if (!n)
            return -ENOMEM;
        n->count = 1;
        advance(c);
        r = parse_not(c, &n->kids[0]);
        *ret = n;
    } else if (is(c, "(")) {
        advance(c);
        r = parse_or(c, ret);
        if (!r && !is(c, ")"))
            r = bad(c, "a closing parenthesis is missing");
        else if (!r)
            advance(c);
    } else if ((is(c, "1") || is(c, "any") || is(c, "all")) && of_follows(c)) {
        r = parse_of(c, is(c, "all"), ret);
    } else {
        r = parse_name(c, ret);
    }
    c->depth--;
    return r;
}

static int parse_chain(struct parser *c, enum hm_node_kind kind, const char *word,
                       int (*part)(struct parser *, struct hm_node **), struct hm_node **ret)
{
    struct hm_node *left;
    int r = part(c, &left);
    while (!r && is(c, word)) {
        struct hm_node *n = hm_sigma_node(c->s, kind, 2);
        if (!n)
            return -ENOMEM;
        advance(c);
        n->kids[0] = left;
        n->count = 2;
        r = part(c, &n->kids[1]);
        left = n;
        if (!r &&
            ++c->depth > HM_CONDITION_MAX_DEPTH) /* a left-leaning chain is depth to the matcher */
            r = bad(c, "too many terms");
    }
    if (!r)
        *ret = left;
    return r;
}

static int parse_and(struct parser *c, struct hm_node **ret)
{
    return parse_chain(c, HM_NODE_AND, "and", parse_not, ret);
}

static int parse_or(struct parser *c, struct hm_node **ret)
{
    return parse_chain(c, HM_NODE_OR, "or", parse_and, ret);
}

int hm_sigma_condition(struct hm_sigma *s, const struct hm_yaml *detection, struct hm_node **ret_n)
{
    const struct hm_yaml *cond = hm_yaml_get(detection, "condition");
    if (!cond || cond->kind != HM_YAML_SCALAR)
        return hm_fail_at(s->err, -EINVAL, detection->line, detection->column,
                          cond ? "a list of conditions is not supported by this version"
                               : "condition is missing");
    struct parser c = {.s = s, .detection = detection, .at = cond, .p = cond->text};
    advance(&c);
    int r = parse_or(&c, ret_n);
    if (!r && c.tok.len)
        r = bad(&c, c.tok.p[0] == '|' ? "aggregations are not supported by this version:"
                                      : "unexpected text");
    return r;
}
