/* Owns the last step of a rule: placeholders are replaced, the condition becomes a tree, filters
 * are joined to it, and what outlives the documents is copied. */
#include "detect/limits.h"
#include "detect/sigma/parts.h"
#include "detect/sigma/pipeline_parts.h"
#include <errno.h>

static int keep(struct hm_arena *a, const char **text)
{
    *text = hm_arena_strndup(a, *text, strlen(*text));
    return *text ? 0 : -ENOMEM;
}

int hm_build_info(struct hm_arena *a, const struct hm_document *d, struct hm_rule *ret)
{
    struct hm_rule r = d->info;
    const char **texts[] = {&r.id,     &r.title,     &r.title_ja,   &r.reason,  &r.reason_ja,
                            &r.advice, &r.advice_ja, &r.techniques, &r.tactics, &r.path};
    int e = 0;
    for (size_t i = 0; !e && i < HM_ARRAY_LEN(texts); i++)
        e = keep(a, texts[i]);
    if (!e)
        *ret = r;
    return e;
}

static int build_head(struct hm_sigma_collection *c, const struct hm_document *d,
                      struct hm_sigma_entry *ret)
{
    struct hm_sigma_entry r = {.name = d->name,
                               .status = d->status,
                               .source = d->source,
                               .field_count = d->field_count,
                               .place = d->place};
    const char **texts[] = {&r.name,           &r.status,
                            &r.source.product, &r.source.category,
                            &r.source.service, &r.source.definition};
    int e = hm_build_info(c->arena, d, &r.info);
    for (size_t i = 0; !e && i < HM_ARRAY_LEN(texts); i++)
        e = keep(c->arena, texts[i]);
    r.fields = hm_arena_alloc(c->arena, (d->field_count + 1) * sizeof *r.fields);
    if (!e && !r.fields)
        e = -ENOMEM;
    for (size_t i = 0; !e && i < d->field_count; i++) {
        r.fields[i] = d->fields[i];
        e = keep(c->arena, &r.fields[i]);
    }
    if (!e)
        *ret = r;
    return e;
}

static int negation(struct hm_tree *t, const struct hm_ast *kid, const struct hm_ast **ret)
{
    struct hm_ast *n = hm_tree_node(t, HM_AST_NOT, kid->place, 1);
    if (!n)
        return -ENOMEM;
    n->kids[0] = (struct hm_ast *)kid; /* trees are not changed once made */
    n->count = 1;
    *ret = n;
    return 0;
}

/* a AND b; either may be NULL: fallen away. */
static int both(struct hm_tree *t, const struct hm_ast *a, const struct hm_ast *b,
                const struct hm_ast **ret)
{
    struct hm_ast *n = a && b ? hm_tree_node(t, HM_AST_AND, a->place, 2) : NULL;
    if (a && b && !n)
        return -ENOMEM;
    if (n) {
        n->kids[0] = (struct hm_ast *)a;
        n->kids[1] = (struct hm_ast *)b;
        n->count = 2;
    }
    *ret = n ? n : a ? a : b;
    return 0;
}

/* "They are logically linked with OR." */
static int conditions(struct hm_tree *t, struct hm_body *b, const struct hm_ast **ret)
{
    if (b->condition_count == 1)
        return hm_tree_condition(t, b, &b->conditions[0], ret);
    struct hm_ast *any = hm_tree_node(t, HM_AST_OR, b->conditions[0].place, b->condition_count);
    int e = any ? 0 : -ENOMEM;
    for (size_t i = 0; !e && i < b->condition_count; i++) {
        const struct hm_ast *one = NULL;
        e = hm_tree_condition(t, b, &b->conditions[i], &one);
        if (!e && one)
            any->kids[any->count++] = (struct hm_ast *)one;
    }
    *ret = any && any->count ? any : NULL;
    return e;
}

static int body_tree(struct hm_tree *t, struct hm_body *b, const struct hm_placeholders *lists,
                     const struct hm_ast **ret)
{
    const struct hm_ast *tree = NULL;
    int e = hm_body_expand(t->l, b, lists);
    if (!e)
        e = conditions(t, b, &tree);
    for (size_t i = 0; !e && i < b->added_count; i++) {
        const struct hm_ast *more = NULL;
        e = hm_tree_search(t, &b->searches[b->added[i].search], &more);
        if (!e && more && b->added[i].negated)
            e = negation(t, more, &more);
        if (!e)
            e = both(t, more, tree, &tree);
    }
    if (!e && !tree)
        return hm_fail_at(t->l->err, -EINVAL, b->conditions[0].place.line,
                          b->conditions[0].place.column, "pipelines left nothing of the condition");
    if (!e)
        *ret = tree;
    return e;
}

static int run_pipelines(struct hm_sigma_collection *c, struct hm_document *d, struct hm_slot *s,
                         struct hm_error *err)
{
    struct hm_lang work = {c->work, err};
    struct hm_run run = {.l = &work, .d = d};
    if (s) {
        run.tracked = s->tracked;
        run.tracked_count = s->tracked_count;
    }
    int e = 0;
    for (size_t i = 0; !e && i < c->pipeline_count; i++)
        e = hm_run_pipeline(&run, c->pipelines[i]);
    return e;
}

/* The filter's tree in the words of one rule's log source. */
static int filter_tree(struct hm_sigma_collection *c, struct hm_tree *t,
                       const struct hm_document *filter, const struct hm_document *rule,
                       const struct hm_ast **ret)
{
    struct hm_document d = *filter;
    struct hm_lang work = {c->work, t->l->err};
    d.source = rule->source;
    d.field_count = 0;
    int e = hm_body_copy(&work, &filter->body, &d.body);
    if (!e)
        e = run_pipelines(c, &d, NULL, t->l->err);
    return e ? e : body_tree(t, &d.body, c->options.placeholders, ret);
}

/* rule AND filter, or rule AND NOT filter. A filter that cannot be applied is told with its own
 * file; the rule stays as it is. */
static int filtered(struct hm_finish *f, struct hm_tree *t, struct hm_slot *s,
                    const struct hm_sigma_source *source, const struct hm_ast **tree)
{
    int r = 0;
    struct hm_document original = s->doc;
    original.source = *source;
    for (struct hm_applied *a = s->filters; !r && a; a = a->next) {
        const struct hm_ast *filter = NULL;
        struct hm_error err = {0}, *outer = t->l->err;
        t->l->err = &err;
        r = filter_tree(f->c, t, a->filter, &original, &filter);
        if (!r && a->suppress)
            r = negation(t, filter, &filter);
        if (!r)
            r = both(t, *tree, filter, tree);
        t->l->err = outer;
        r = hm_collection_report(a->filter->info.path, r, &err, f->problem, f->ctx);
    }
    return r;
}

static int one_rule(struct hm_finish *f, struct hm_slot *s, struct hm_error *err)
{
    struct hm_sigma_collection *c = f->c;
    struct hm_lang l = {c->arena, err};
    struct hm_tree t = {.l = &l, .names = c->options.names, .own = hm_collection_own, .ctx = c};
    struct hm_sigma_entry entry = {0};
    if (c->rule_count >= HM_RULES_MAX)
        return hm_fail(err, -E2BIG, "more than %d rules", HM_RULES_MAX);
    int r = hm_collection_grow((void **)&c->rules, &c->rule_cap, c->rule_count, sizeof *c->rules);
    const struct hm_sigma_source source = s->doc.source; /* as written: pipelines look at it */
    const struct hm_ast *tree = NULL;
    if (!r)
        r = run_pipelines(c, &s->doc, s, err);
    if (!r)
        r = body_tree(&t, &s->doc.body, c->options.placeholders, &tree);
    if (!r)
        r = filtered(f, &t, s, &source, &tree);
    if (!r)
        r = build_head(c, &s->doc, &entry);
    if (r)
        return r;
    entry.condition = tree;
    s->out = (uint32_t)c->rule_count;
    c->rules[c->rule_count++] = entry;
    return 0;
}

int hm_finish_rules(struct hm_finish *f)
{
    int r = 0;
    for (size_t i = 0; !r && i < f->c->doc_count; i++) {
        struct hm_slot *s = &f->c->docs[i];
        struct hm_error err = {0};
        if (s->doc.kind != HM_DOCUMENT_RULE)
            continue;
        r = one_rule(f, s, &err);
        r = hm_collection_report(s->doc.info.path, r, &err, f->problem, f->ctx);
    }
    return r;
}
