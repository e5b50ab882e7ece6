/* Owns the references between correlations and rules: ids and names become indices, aliases become
 * fields of each rule, cycles and missing rules are refused. */
#include "detect/limits.h"
#include "detect/sigma/parts.h"
#include <errno.h>

struct resolver {
    struct hm_finish *f;
    struct hm_slot *slot;
    struct hm_error *err;
    struct hm_correlation corr;
};

static int resolve(struct hm_finish *f, struct hm_slot *s, unsigned depth, struct hm_error *err);

static int fail(struct resolver *r, struct hm_place at, const char *what, const char *name)
{
    return hm_fail_at(r->err, -EINVAL, at.line, at.column, "correlation: %s \"%.100s\"", what,
                      name);
}

static int find(struct resolver *r, const struct hm_reference *ref, unsigned depth,
                struct hm_slot **ret)
{
    struct hm_slot *s = hm_collection_find(r->f->c, ref->name);
    if (!s || s->doc.kind == HM_DOCUMENT_FILTER)
        return fail(r, ref->place, "there is no rule", ref->name);
    if (s->doc.kind == HM_DOCUMENT_CORRELATION) {
        if (s->busy)
            return fail(r, ref->place, "refers to itself by way of", ref->name);
        if (depth >= HM_CORRELATION_MAX_DEPTH)
            return fail(r, ref->place, "the chain is too long at", ref->name);
        struct hm_error own = {0};
        int e = s->done ? 0 : resolve(r->f, s, depth + 1, &own);
        e = hm_collection_report(s->doc.info.path, e, &own, r->f->problem, r->f->ctx);
        if (e)
            return e;
    }
    if (s->out == HM_SLOT_NONE)
        return fail(r, ref->place, "was refused itself: rule", ref->name);
    *ret = s;
    return 0;
}

static const char *aliased(const struct hm_correlation_text *c, const char *name,
                           const struct hm_slot *rule, struct hm_sigma_collection *all,
                           bool *ret_is_alias)
{
    for (size_t i = 0; i < c->alias_count; i++) {
        if (strcmp(c->aliases[i].alias, name) != 0)
            continue;
        *ret_is_alias = true;
        if (hm_collection_find(all, c->aliases[i].rule.name) == rule)
            return c->aliases[i].field;
    }
    return NULL;
}

/* What the pipelines made of a name. */
static const char *renamed(const struct hm_slot *rule, const char *name)
{
    for (size_t i = 0; i < rule->tracked_count; i++)
        if (strcmp(rule->tracked[i].name, name) == 0)
            return rule->tracked[i].mapped;
    return name;
}

/* The field that `name` means in the events of one rule. */
static int field(struct resolver *r, const char *name, const struct hm_slot *rule,
                 struct hm_place at, uint32_t *ret)
{
    bool is_alias = false;
    const char *real = aliased(&r->slot->doc.corr, name, rule, r->f->c, &is_alias);
    if (is_alias && !real)
        return fail(r, at, "the alias does not say which field it is in each rule:", name);
    *ret = hm_names_intern(r->f->c->options.names, hm_slice_str(renamed(rule, real ? real : name)));
    return *ret == HM_NAME_NONE ? -E2BIG : 0;
}

static int reference(struct resolver *r, const struct hm_reference *ref, unsigned depth)
{
    const struct hm_correlation_text *c = &r->slot->doc.corr;
    struct hm_arena *a = r->f->c->arena;
    struct hm_slot *s = NULL;
    int e = find(r, ref, depth, &s);
    if (e)
        return e;
    uint32_t *group = hm_arena_alloc(a, (c->group_count + 1) * sizeof *group);
    uint32_t *values = hm_arena_alloc(a, (c->value_field_count + 1) * sizeof *values);
    if (!group || !values)
        return -ENOMEM;
    for (size_t i = 0; !e && i < c->group_count; i++)
        e = field(r, c->group_names[i], s, ref->place, &group[i]);
    for (size_t i = 0; !e && i < c->value_field_count; i++)
        e = field(r, c->value_fields[i], s, ref->place, &values[i]);
    r->corr.refs[r->corr.ref_count++] =
        (struct hm_correlation_ref){s->out, s->doc.kind == HM_DOCUMENT_CORRELATION, group, values};
    return e;
}

/* A name in an extended condition: which of the rules it is. */
static int leaf(void *ctx, struct hm_slice name, struct hm_place place, const struct hm_ast **ret)
{
    struct resolver *r = ctx;
    const struct hm_correlation_text *c = &r->slot->doc.corr;
    char text[256];
    size_t n = name.len < sizeof text - 1 ? name.len : sizeof text - 1;
    memcpy(text, name.p, n);
    text[n] = 0;
    const struct hm_slot *wanted = hm_collection_find(r->f->c, text);
    for (size_t i = 0; wanted && i < c->rule_count; i++) {
        if (hm_collection_find(r->f->c, c->rules[i].name) != wanted)
            continue;
        struct hm_ast *test = hm_arena_alloc(r->f->c->arena, sizeof *test);
        if (!test)
            return -ENOMEM;
        *test = (struct hm_ast){.kind = HM_AST_TEST, .place = place};
        test->test.field = (uint32_t)i;
        test->test.other = HM_NAME_NONE;
        test->test.op = HM_AST_EXISTS;
        *ret = test;
        return 0;
    }
    return fail(r, place, "the condition names no rule of the list:", text);
}

static int extended(struct resolver *r)
{
    const struct hm_correlation_text *c = &r->slot->doc.corr;
    struct hm_lang l = {r->f->c->arena, r->err};
    struct hm_tree t = {.l = &l, .names = r->f->c->options.names};
    return c->extended ? hm_tree_expression(&t, &c->condition, leaf, r, &r->corr.condition) : 0;
}

static int copy_plain(struct resolver *r)
{
    const struct hm_correlation_text *c = &r->slot->doc.corr;
    struct hm_arena *a = r->f->c->arena;
    struct hm_correlation *out = &r->corr;
    *out = (struct hm_correlation){.kind = c->kind,
                                   .timespan_ms = c->timespan_ms,
                                   .group_count = c->group_count,
                                   .value_field_count = c->value_field_count,
                                   .bound_count = c->bound_count,
                                   .percentile = c->percentile,
                                   .generate = c->generate,
                                   .place = r->slot->doc.place};
    memcpy(out->bounds, c->bounds, sizeof out->bounds);
    out->group_names = hm_arena_alloc(a, (c->group_count + 1) * sizeof *out->group_names);
    out->refs = hm_arena_alloc(a, (c->rule_count + 1) * sizeof *out->refs);
    if (!out->group_names || !out->refs)
        return -ENOMEM;
    for (size_t i = 0; i < c->group_count; i++) {
        out->group_names[i] = hm_arena_strndup(a, c->group_names[i], strlen(c->group_names[i]));
        if (!out->group_names[i])
            return -ENOMEM;
    }
    return 0;
}

static int check_aliases(struct resolver *r)
{
    const struct hm_correlation_text *c = &r->slot->doc.corr;
    for (size_t i = 0; i < c->alias_count; i++) {
        const struct hm_slot *s = hm_collection_find(r->f->c, c->aliases[i].rule.name);
        size_t k = 0;
        while (s && k < c->rule_count && hm_collection_find(r->f->c, c->rules[k].name) != s)
            k++;
        if (!s || k == c->rule_count)
            return fail(r, c->aliases[i].rule.place,
                        "an alias names a rule that is not in the list:", c->aliases[i].rule.name);
    }
    return 0;
}

static int store(struct resolver *r)
{
    struct hm_sigma_collection *c = r->f->c;
    const struct hm_document *d = &r->slot->doc;
    struct hm_sigma_correlation out = {.correlation = r->corr};
    int e = hm_collection_grow((void **)&c->correlations, &c->correlation_cap, c->correlation_count,
                               sizeof *c->correlations);
    if (!e)
        e = hm_build_info(c->arena, d, &out.info);
    out.name = hm_arena_strndup(c->arena, d->name, strlen(d->name));
    out.status = hm_arena_strndup(c->arena, d->status, strlen(d->status));
    if (e || !out.name || !out.status)
        return e ? e : -ENOMEM;
    r->slot->out = (uint32_t)c->correlation_count;
    c->correlations[c->correlation_count++] = out;
    for (size_t i = 0; i < d->corr.rule_count; i++) {
        struct hm_slot *s = hm_collection_find(c, d->corr.rules[i].name);
        s->used = true;
        s->loud = s->loud || d->corr.generate;
    }
    return 0;
}

/* Depth-first, so that a correlation stands behind those it refers to. Recursion is bounded by
 * HM_CORRELATION_MAX_DEPTH. */
static int resolve(struct hm_finish *f, struct hm_slot *s, unsigned depth, struct hm_error *err)
{
    struct resolver r = {.f = f, .slot = s, .err = err};
    s->busy = true;
    int e = copy_plain(&r);
    for (size_t i = 0; !e && i < s->doc.corr.rule_count; i++)
        e = reference(&r, &s->doc.corr.rules[i], depth);
    if (!e)
        e = check_aliases(&r);
    if (!e)
        e = extended(&r);
    if (!e)
        e = store(&r);
    s->busy = false;
    s->done = true;
    return e;
}

static int track(struct hm_finish *f, const struct hm_correlation_text *c, const char *name,
                 struct hm_slot *rule)
{
    bool is_alias;
    const char *real = aliased(c, name, rule, f->c, &is_alias);
    struct hm_tracked *more = hm_arena_alloc(f->c->work, (rule->tracked_count + 1) * sizeof *more);
    if (!more)
        return -ENOMEM;
    if (rule->tracked_count)
        memcpy(more, rule->tracked, rule->tracked_count * sizeof *more);
    more[rule->tracked_count++] = (struct hm_tracked){real ? real : name, real ? real : name};
    rule->tracked = more;
    return 0;
}

int hm_finish_tracking(struct hm_finish *f)
{
    int r = 0;
    for (size_t i = 0; i < f->c->doc_count; i++) {
        const struct hm_correlation_text *c = &f->c->docs[i].doc.corr;
        if (f->c->docs[i].doc.kind != HM_DOCUMENT_CORRELATION || f->c->pipeline_count == 0)
            continue;
        for (size_t k = 0; !r && k < c->rule_count; k++) {
            struct hm_slot *s = hm_collection_find(f->c, c->rules[k].name);
            if (!s || s->doc.kind != HM_DOCUMENT_RULE || s->tracked_count > HM_REFERENCES_MAX)
                continue;
            for (size_t g = 0; !r && g < c->group_count; g++)
                r = track(f, c, c->group_names[g], s);
            for (size_t v = 0; !r && v < c->value_field_count; v++)
                r = track(f, c, c->value_fields[v], s);
        }
    }
    return r;
}

static void silence(struct hm_sigma_collection *c)
{
    for (size_t i = 0; i < c->doc_count; i++) {
        const struct hm_slot *s = &c->docs[i];
        bool silent = (s->used && !s->loud) || s->doc.owner;
        if (s->out == HM_SLOT_NONE)
            continue;
        if (s->doc.kind == HM_DOCUMENT_RULE)
            c->rules[s->out].silent = silent;
        else if (s->doc.kind == HM_DOCUMENT_CORRELATION)
            c->correlations[s->out].silent = silent;
    }
}

int hm_finish_correlations(struct hm_finish *f)
{
    int r = 0;
    for (size_t i = 0; !r && i < f->c->doc_count; i++) {
        struct hm_slot *s = &f->c->docs[i];
        struct hm_error err = {0};
        if (s->doc.kind != HM_DOCUMENT_CORRELATION || s->done)
            continue;
        r = resolve(f, s, 0, &err);
        r = hm_collection_report(s->doc.info.path, r, &err, f->problem, f->ctx);
    }
    if (!r)
        silence(f->c);
    return r;
}
