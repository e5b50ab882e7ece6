/* Owns which rules are tried on a JSON record: the pipelines' tables, made to small conditions that
 * the matcher itself answers, and the other names under which records have a field. */
#include "detect/record/record.h"
#include "detect/match/limits.h"
#include "detect/set/set.h"
#include <errno.h>

struct routing {
    struct hm_ruleset *rs;
    struct hm_arena *arena; /* of the conditions */
    struct hm_program_rule *rules;
    size_t count;
    const uint32_t *zero;
};

static struct hm_ast *node(struct hm_arena *a, enum hm_ast_kind kind, size_t room)
{
    struct hm_ast *n = hm_arena_alloc(a, sizeof *n);
    if (!n)
        return NULL;
    n->kind = kind;
    n->kids = hm_arena_alloc(a, (room + 1) * sizeof *n->kids);
    return n->kids ? n : NULL;
}

static int note_hint(struct hm_ruleset *rs, uint32_t field)
{
    for (size_t i = 0; i < rs->hint_count; i++)
        if (rs->hints[i] == field)
            return 0;
    if (rs->hint_count >= HM_SET_KEYS_MAX)
        return -E2BIG;
    rs->hints[rs->hint_count++] = field;
    return 0;
}

/* "is not there, or is one of the values". */
static int hint(struct routing *g, const struct hm_source_hint *h, struct hm_ast **ret_fits)
{
    struct hm_ast *is = node(g->arena, HM_AST_TEST, 0), *there = node(g->arena, HM_AST_TEST, 0);
    struct hm_ast *not = node(g->arena, HM_AST_NOT, 1), *fits = node(g->arena, HM_AST_OR, 2);
    uint32_t field = hm_names_intern(g->rs->names, hm_slice_str(h->field));
    if (!is || !there || !not || !fits || field == HM_NAME_NONE)
        return -ENOMEM;
    int r = note_hint(g->rs, field);
    is->test.field = there->test.field = field;
    there->test.op = HM_AST_EXISTS;
    is->test.patterns = hm_arena_alloc(g->arena, (h->count + 1) * sizeof *is->test.patterns);
    if (!is->test.patterns)
        return -ENOMEM;
    for (size_t i = 0; !r && i < h->count; i++)
        r = hm_pattern_string(hm_slice_str(h->values[i]), HM_AFFIX_NONE, false, g->arena,
                              &is->test.patterns[is->test.count++]);
    not ->kids[not ->count++] = there;
    fits->kids[fits->count++] = is;
    fits->kids[fits->count++] = not ;
    *ret_fits = fits;
    return r;
}

/* None of the hints that are there is wrong. */
static int source(struct routing *g, const struct hm_source *s)
{
    struct hm_ast *all = node(g->arena, HM_AST_AND, s->hint_count), *fits;
    int r = all ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < s->hint_count; i++)
        if (!(r = hint(g, &s->hints[i], &fits)))
            all->kids[all->count++] = fits;
    if (r)
        return r;
    g->rules[g->count++] = (struct hm_program_rule){all, 1, g->zero};
    return 0;
}

static int aliases(struct hm_ruleset *rs, const struct hm_source *s, uint32_t number)
{
    for (size_t i = 0; i < s->alias_count; i++) {
        struct hm_set_alias a = {number, hm_names_find(rs->names, hm_slice_str(s->aliases[i].name)),
                                 HM_NAME_NONE};
        if (a.name == HM_NAME_NONE)
            continue; /* no rule says it */
        a.real = hm_names_intern(rs->names, hm_slice_str(s->aliases[i].real));
        if (a.real == HM_NAME_NONE)
            return -ENOMEM;
        rs->aliases[rs->alias_count++] = a;
    }
    return 0;
}

static int all_sources(struct routing *g, const struct hm_ruleset_options *o)
{
    for (size_t t = 0; t < o->table_count; t++)
        for (size_t i = 0; i < o->tables[t].count; i++) {
            int r = source(g, &o->tables[t].items[i]);
            if (!r)
                r = aliases(g->rs, &o->tables[t].items[i], (uint32_t)g->rs->source_count);
            if (r)
                return r;
            g->rs->source_count++;
        }
    return 0;
}

int hm_set_router(struct hm_ruleset *rs, const struct hm_ruleset_options *o, struct hm_error *err)
{
    static const uint32_t zero[1] = {0};
    size_t count = 0, alias_count = 0;
    for (size_t t = 0; t < o->table_count; t++)
        for (size_t i = 0; i < o->tables[t].count; i++, count++)
            alias_count += o->tables[t].items[i].alias_count;
    if (count == 0) {
        rs->routed = false;
        return 0;
    }
    if (count + 2 > HM_SOURCES_MAX)
        return hm_fail(err, -E2BIG, "more than %d log sources", HM_SOURCES_MAX);
    struct routing g = {.rs = rs, .arena = hm_arena_new(HM_BUILD_MAX_BYTES), .zero = zero};
    rs->aliases = hm_arena_alloc(rs->arena, (alias_count + 1) * sizeof *rs->aliases);
    rs->hints = hm_arena_alloc(rs->arena, HM_SET_KEYS_MAX * sizeof *rs->hints);
    g.rules = g.arena ? hm_arena_alloc(g.arena, count * sizeof *g.rules) : NULL;
    int r = rs->aliases && rs->hints && g.rules ? all_sources(&g, o) : -ENOMEM;
    if (!r)
        r = hm_program_compile(g.rules, g.count, 1, rs->names, &rs->router, err);
    hm_arena_free(g.arena);
    return r;
}

/* --- one record --------------------------------------------------------------------------------
 */

static bool has(const struct hm_view *v, uint32_t field)
{
    return v->present[field / 64] >> (field % 64) & 1;
}

static bool has_hint(const struct hm_ruleset *rs, const struct hm_view *v)
{
    for (size_t i = 0; i < rs->hint_count; i++)
        if (has(v, rs->hints[i]))
            return true;
    return false;
}

static void lend_names(const struct hm_ruleset *rs, struct hm_record *r, const uint32_t *sources,
                       size_t count)
{
    const struct hm_view *v = hm_record_view(r);
    for (size_t i = 0, k = 0; i < rs->alias_count && k < count;) {
        const struct hm_set_alias *a = &rs->aliases[i];
        if (a->source > sources[k]) {
            k++;
            continue;
        }
        if (a->source == sources[k] && !has(v, a->name) && has(v, a->real))
            hm_record_alias(r, a->name, a->real);
        i++;
    }
}

/* The record's sources, and its fields under the names that their rules use. */
static size_t route(const struct hm_ruleset *rs, struct hm_match_scratch *s, struct hm_record *r)
{
    const struct hm_view *v = hm_record_view(r);
    s->sources[0] = 0;
    if (!rs->routed || !has_hint(rs, v))
        return 1;
    const uint32_t *hits, all = 0;
    size_t n = hm_program_match(rs->router, s->router, v, &all, 1, NULL, &hits);
    if (n == 0) {
        s->sources[0] = 1;
        return 1;
    }
    for (size_t i = 0; i < n; i++)
        s->sources[i] = hits[i] + 2;
    lend_names(rs, r, s->sources, n);
    return n;
}

size_t hm_ruleset_match_record(const struct hm_ruleset *rs, struct hm_match_scratch *s,
                               struct hm_record *r, const uint32_t **ret_rules)
{
    size_t n = route(rs, s, r);
    return hm_program_match(rs->program, s->s, hm_record_view(r), s->sources, n,
                            rs->any_off ? rs->off : NULL, ret_rules);
}
