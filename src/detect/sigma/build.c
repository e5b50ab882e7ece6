/* Owns the last step of a rule: placeholders are replaced, the condition becomes a tree, filters
 * are joined to it, and what outlives the documents is copied. */
#include "detect/limits.h"
#include "detect/sigma/parts.h"
#include "detect/sigma/placeholder.h"
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

/* "They are logically linked with OR." */
static int body_tree(struct hm_tree *t, struct hm_body *b, const struct hm_placeholders *lists,
                     const struct hm_ast **ret)
{
    struct hm_lang work = *t->l;
    int e = hm_body_expand(&work, b, lists, NULL, NULL, false);
    if (e)
        return e;
    if (b->condition_count == 1)
        return hm_tree_condition(t, b, &b->conditions[0], ret);
    struct hm_ast *any = hm_tree_node(t, HM_AST_OR, b->conditions[0].place, b->condition_count);
    if (!any)
        return -ENOMEM;
    for (size_t i = 0; !e && i < b->condition_count; i++) {
        const struct hm_ast *one = NULL;
        e = hm_tree_condition(t, b, &b->conditions[i], &one);
        any->kids[any->count++] = (struct hm_ast *)one;
    }
    *ret = any;
    return e;
}

/* rule AND filter, or rule AND NOT filter. */
static int join(struct hm_tree *t, const struct hm_ast *rule, const struct hm_ast *filter,
                bool suppress, const struct hm_ast **ret)
{
    struct hm_ast *both = hm_tree_node(t, HM_AST_AND, rule->place, 2);
    struct hm_ast *negation = suppress ? hm_tree_node(t, HM_AST_NOT, filter->place, 1) : NULL;
    if (!both || (suppress && !negation))
        return -ENOMEM;
    if (negation) {
        negation->kids[0] = (struct hm_ast *)filter;
        negation->count = 1;
    }
    both->kids[0] = (struct hm_ast *)rule;
    both->kids[1] = negation ? negation : (struct hm_ast *)filter;
    both->count = 2;
    *ret = both;
    return 0;
}

/* A filter that cannot be applied is told with its own file; the rule stays as it is. */
static int filtered(struct hm_finish *f, struct hm_tree *t, struct hm_slot *s,
                    const struct hm_ast **tree)
{
    int r = 0;
    for (struct hm_applied *a = s->filters; !r && a; a = a->next) {
        const struct hm_ast *filter = NULL;
        struct hm_error err = {0}, *outer = t->l->err;
        t->l->err = &err;
        r = body_tree(t, &a->filter->body, f->c->options.placeholders, &filter);
        if (!r)
            r = join(t, *tree, filter, a->suppress, tree);
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
    if (!r)
        r = body_tree(&t, &s->doc.body, c->options.placeholders, &entry.condition);
    const struct hm_ast *tree = entry.condition;
    if (!r)
        r = filtered(f, &t, s, &tree);
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
