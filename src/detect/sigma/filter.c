/* Owns filters: which rules each applies to, and in which sense its condition is meant.
 *
 * The specification's example suppresses what its condition matches ("The valid administrator
 * account start with adm_ … condition: selection"); pySigma joins the condition with AND and its
 * users write "not selection". Both are told apart by the top of the condition: one "not …", or an
 * AND of them, has to hold for a hit; a condition without any "not" names what is suppressed. A
 * mixture could be meant either way and is refused. */
#include "detect/sigma/parts.h"
#include <errno.h>

static bool is_not(const struct hm_ast *n)
{
    return n->kind == HM_AST_NOT && !n->search;
}

static bool has_not(const struct hm_ast *n)
{
    if (n->search || n->kind == HM_AST_TEST)
        return false;
    if (n->kind == HM_AST_NOT)
        return true;
    for (size_t i = 0; i < n->count; i++)
        if (has_not(n->kids[i]))
            return true;
    return false;
}

static bool keeps(const struct hm_ast *n)
{
    if (is_not(n))
        return true;
    if (n->search || n->kind != HM_AST_AND)
        return false;
    for (size_t i = 0; i < n->count; i++)
        if (!is_not(n->kids[i]))
            return false;
    return n->count > 0;
}

static bool same(const char *filter, const char *rule)
{
    return !*filter || strcmp(filter, rule) == 0;
}

static bool source_fits(const struct hm_document *filter, const struct hm_document *rule)
{
    return same(filter->source.product, rule->source.product) &&
           same(filter->source.category, rule->source.category) &&
           same(filter->source.service, rule->source.service);
}

static int apply(struct hm_finish *f, struct hm_document *d, bool suppress, struct hm_slot *rule)
{
    struct hm_applied *a = hm_arena_alloc(f->c->work, sizeof *a);
    if (!a)
        return -ENOMEM;
    *a = (struct hm_applied){d, suppress, rule->filters};
    rule->filters = a;
    return 0;
}

static int apply_named(struct hm_finish *f, struct hm_document *d, bool suppress,
                       const struct hm_reference *ref)
{
    struct hm_error err = {0};
    struct hm_slot *s = hm_collection_find(f->c, ref->name);
    int r = 0;
    if (!s || s->doc.kind != HM_DOCUMENT_RULE)
        r = hm_fail_at(&err, -ENOENT, ref->place.line, ref->place.column,
                       "filter: no rule with id or name \"%.100s\"", ref->name);
    else if (!source_fits(d, &s->doc))
        r = hm_fail_at(&err, -EINVAL, ref->place.line, ref->place.column,
                       "filter: rule \"%.100s\" has another log source", ref->name);
    if (r)
        return hm_collection_report(d->info.path, r, &err, f->problem, f->ctx);
    return apply(f, d, suppress, s);
}

static int polarity(struct hm_finish *f, struct hm_document *d, struct hm_error *err,
                    bool *ret_suppress)
{
    struct hm_lang l = {f->c->work, err};
    struct hm_tree t = {
        .l = &l, .names = f->c->options.names, .own = hm_collection_own, .ctx = f->c};
    struct hm_body body = d->body;
    const struct hm_ast *n = NULL;
    if (d->body.condition_count != 1)
        return hm_fail_at(err, -EINVAL, d->place.line, d->place.column,
                          "a filter has one condition");
    body.searches = hm_arena_alloc(l.arena, (body.search_count + 1) * sizeof *body.searches);
    if (!body.searches)
        return -ENOMEM;
    /* Only the condition's shape counts here: every search is an empty AND. */
    for (size_t i = 0; i < body.search_count; i++) {
        struct hm_search *s = &body.searches[i];
        *s = d->body.searches[i];
        struct hm_ast *stand_in = hm_tree_node(&t, HM_AST_AND, s->place, 0);
        if (!stand_in)
            return -ENOMEM;
        stand_in->search = s->name;
        s->ast = stand_in;
    }
    int r = hm_tree_condition(&t, &body, &d->body.conditions[0], &n);
    if (r)
        return r;
    *ret_suppress = !has_not(n);
    if (!*ret_suppress && !keeps(n))
        return hm_fail_at(err, -EINVAL, d->body.conditions[0].place.line,
                          d->body.conditions[0].place.column,
                          "filter: with \"not\" inside it is unclear whether what matches is kept "
                          "or dropped; write \"not (…)\" around all of it");
    return 0;
}

static int one_filter(struct hm_finish *f, struct hm_document *d)
{
    struct hm_error err = {0};
    bool suppress = false;
    int r = polarity(f, d, &err, &suppress);
    if (r)
        return hm_collection_report(d->info.path, r, &err, f->problem, f->ctx);
    for (size_t i = 0; !r && i < d->filter.rule_count; i++)
        r = apply_named(f, d, suppress, &d->filter.rules[i]);
    for (size_t i = 0; !r && d->filter.any && i < f->c->doc_count; i++)
        if (f->c->docs[i].doc.kind == HM_DOCUMENT_RULE && source_fits(d, &f->c->docs[i].doc))
            r = apply(f, d, suppress, &f->c->docs[i]);
    f->c->filter_count += r == 0;
    return r;
}

int hm_finish_filters(struct hm_finish *f)
{
    int r = 0;
    for (size_t i = 0; !r && i < f->c->doc_count; i++)
        if (f->c->docs[i].doc.kind == HM_DOCUMENT_FILTER)
            r = one_filter(f, &f->c->docs[i].doc);
    return r;
}
