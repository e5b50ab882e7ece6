/* Owns the condition language: and, or, not, parentheses, "1 of x*", "all of them".
 *   or := and ("or" and)*     and := not ("and" not)*
 *   not := "not" not | "(" or ")" | ("1" | "any" | "all") "of" pattern | name
 * Operators are lower case, as the specification writes them. */
#include "detect/limits.h"
#include "detect/sigma/detection.h"
#include <errno.h>
#include <strings.h>

struct parser {
    struct hm_tree *t;
    struct hm_body *body; /* NULL: an expression over other names */
    const struct hm_condition *at;
    int (*leaf)(void *ctx, struct hm_slice name, struct hm_place place, const struct hm_ast **ret);
    void *ctx;
    const char *p;
    struct hm_slice tok;
    unsigned depth;
};
struct list { /* the terms of one "and" or "or" */
    size_t count, cap;
    struct hm_ast **kids;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool word_byte(char c)
{
    return c && !is_space(c) && c != '(' && c != ')' && c != '|';
}

static void advance(struct parser *c)
{
    while (is_space(*c->p))
        c->p++;
    const char *start = c->p;
    if (*c->p && !word_byte(*c->p))
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

static struct hm_place place(const struct parser *c)
{
    struct hm_place p = c->at->place;
    p.column += (uint32_t)((const char *)c->tok.p - c->at->text);
    return p;
}

static int bad(const struct parser *c, const char *what)
{
    struct hm_place p = place(c);
    return hm_fail_at(c->t->l->err, -EINVAL, p.line, p.column, "condition: %s near \"%.*s\"", what,
                      (int)(c->tok.len > 60 ? 60 : c->tok.len), (const char *)c->tok.p);
}

static int new_node(struct parser *c, enum hm_ast_kind kind, size_t room, struct hm_ast **ret)
{
    *ret = hm_tree_node(c->t, kind, place(c), room);
    if (*ret)
        return 0;
    return c->t->l->err && c->t->l->err->code == -E2BIG ? -E2BIG : -ENOMEM;
}

static int push(struct parser *c, struct list *list, const struct hm_ast *kid)
{
    if (!kid) /* dropped by a pipeline */
        return 0;
    if (list->count == list->cap) {
        size_t bigger = list->cap ? list->cap * 2 : 4;
        struct hm_ast **kids = hm_arena_alloc(c->t->l->arena, bigger * sizeof *kids);
        if (!kids)
            return -ENOMEM;
        if (list->count)
            memcpy(kids, list->kids, list->count * sizeof *kids);
        list->kids = kids;
        list->cap = bigger;
    }
    list->kids[list->count++] = (struct hm_ast *)kid; /* trees are not changed once made */
    return 0;
}

static int parse_or(struct parser *c, const struct hm_ast **ret);

static bool glob(struct hm_slice pattern, const char *name)
{
    const char *star = NULL, *mark = NULL;
    size_t i = 0, back = 0;
    while (*name) {
        if (i < pattern.len && pattern.p[i] == '*') {
            back = ++i;
            star = mark = name;
        } else if (i < pattern.len && pattern.p[i] == (uint8_t)*name) {
            i++;
            name++;
        } else if (star) {
            i = back;
            name = ++mark;
        } else {
            return false;
        }
    }
    while (i < pattern.len && pattern.p[i] == '*')
        i++;
    return i == pattern.len;
}

/* "them" and patterns leave out names that begin with '_', unless the pattern asks for them. */
bool hm_search_selected(struct hm_slice pattern, const char *name)
{
    bool hidden = name[0] == '_', asks = pattern.len && pattern.p[0] == '_';
    if (hidden && !asks)
        return false;
    return hm_slice_eq(pattern, hm_slice_str("them")) || glob(pattern, name);
}

static int parse_of(struct parser *c, const struct hm_ast **ret)
{
    bool all = is(c, "all"), found = false;
    struct list list = {0};
    struct hm_ast *n;
    int e = new_node(c, all ? HM_AST_AND : HM_AST_OR, 0, &n);
    advance(c); /* "of" */
    advance(c);
    for (size_t i = 0; !e && i < c->body->search_count; i++) {
        const struct hm_ast *one;
        if (!hm_search_selected(c->tok, c->body->searches[i].name))
            continue;
        found = true;
        e = hm_tree_search(c->t, &c->body->searches[i], &one);
        if (!e)
            e = push(c, &list, one);
    }
    if (e)
        return e;
    if (!found)
        return bad(c, c->tok.len ? "no search has such a name" : "a name is missing");
    n->kids = list.kids;
    n->count = list.count;
    *ret = list.count == 0 ? NULL : list.count == 1 ? list.kids[0] : n;
    advance(c);
    return 0;
}

static int parse_name(struct parser *c, const struct hm_ast **ret)
{
    if (c->tok.len == 0 || !word_byte((char)c->tok.p[0]))
        return bad(c, "a name is missing");
    int e = 0;
    if (c->body) {
        size_t i = 0, n = c->body->search_count;
        while (i < n && !hm_slice_eq(c->tok, hm_slice_str(c->body->searches[i].name)))
            i++;
        bool shouted = i == n && c->tok.len < 4 &&
                       (!strncasecmp((const char *)c->tok.p, "and", c->tok.len) ||
                        !strncasecmp((const char *)c->tok.p, "or", c->tok.len) ||
                        !strncasecmp((const char *)c->tok.p, "not", c->tok.len));
        if (i == n)
            return bad(c, shouted ? "operators are written in lower case," : "no such search");
        e = hm_tree_search(c->t, &c->body->searches[i], ret);
    } else {
        e = c->leaf(c->ctx, c->tok, place(c), ret);
    }
    if (!e)
        advance(c);
    return e;
}

static bool of_follows(const struct parser *c)
{
    const char *p = c->p;
    while (is_space(*p))
        p++;
    return strncmp(p, "of", 2) == 0 && !word_byte(p[2]);
}

static int parse_primary(struct parser *c, const struct hm_ast **ret)
{
    if (is(c, "(")) {
        advance(c);
        int e = parse_or(c, ret);
        if (!e && !is(c, ")"))
            return bad(c, "a closing parenthesis is missing");
        if (!e)
            advance(c);
        return e;
    }
    if (c->body && of_follows(c)) {
        if (is(c, "1") || is(c, "any") || is(c, "all"))
            return parse_of(c, ret);
        return bad(c, "only \"1 of\", \"any of\" and \"all of\" are defined,");
    }
    return parse_name(c, ret);
}

static int parse_not(struct parser *c, const struct hm_ast **ret)
{
    if (++c->depth > HM_CONDITION_MAX_DEPTH)
        return bad(c, "nested too deeply");
    int e;
    if (is(c, "not")) {
        struct hm_ast *n;
        const struct hm_ast *kid = NULL;
        e = new_node(c, HM_AST_NOT, 1, &n);
        advance(c);
        if (!e)
            e = parse_not(c, &kid);
        if (!e && kid) {
            n->kids[0] = (struct hm_ast *)kid;
            n->count = 1;
        }
        *ret = kid ? n : NULL;
    } else {
        e = parse_primary(c, ret);
    }
    c->depth--;
    return e;
}

static int parse_chain(struct parser *c, enum hm_ast_kind kind, const char *word,
                       int (*part)(struct parser *, const struct hm_ast **),
                       const struct hm_ast **ret)
{
    struct list list = {0};
    const struct hm_ast *one = NULL;
    struct hm_ast *n;
    int e = part(c, &one);
    if (e || !is(c, word)) {
        *ret = one;
        return e;
    }
    e = new_node(c, kind, 0, &n);
    if (!e)
        e = push(c, &list, one);
    while (!e && is(c, word)) {
        advance(c);
        e = part(c, &one);
        if (!e)
            e = push(c, &list, one);
        if (!e && list.count > HM_CONDITION_MAX_TERMS)
            e = bad(c, "too many terms");
    }
    if (e)
        return e;
    n->kids = list.kids;
    n->count = list.count;
    *ret = list.count == 0 ? NULL : list.count == 1 ? list.kids[0] : n;
    return 0;
}

static int parse_and(struct parser *c, const struct hm_ast **ret)
{
    return parse_chain(c, HM_AST_AND, "and", parse_not, ret);
}

static int parse_or(struct parser *c, const struct hm_ast **ret)
{
    return parse_chain(c, HM_AST_OR, "or", parse_and, ret);
}

static int parse(struct parser *c, const struct hm_ast **ret)
{
    c->p = c->at->text;
    advance(c);
    int e = parse_or(c, ret);
    return !e && c->tok.len ? bad(c, "unexpected text") : e;
}

int hm_tree_condition(struct hm_tree *t, struct hm_body *b, const struct hm_condition *cond,
                      const struct hm_ast **ret)
{
    struct parser c = {.t = t, .body = b, .at = cond};
    return parse(&c, ret);
}

int hm_tree_expression(struct hm_tree *t, const struct hm_condition *cond,
                       int (*leaf)(void *ctx, struct hm_slice name, struct hm_place place,
                                   const struct hm_ast **ret),
                       void *ctx, const struct hm_ast **ret)
{
    struct parser c = {.t = t, .at = cond, .leaf = leaf, .ctx = ctx};
    return parse(&c, ret);
}
