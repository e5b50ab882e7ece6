/* Owns the way from a collection to a rule set: what a hit tells is copied, log sources become
 * numbers, trees are compiled. */
#include "base/clock.h"
#include "detect/coverage.h"
#include "detect/folder.h"
#include "detect/limits.h"
#include "detect/match/limits.h"
#include "detect/set/set.h"
#include "detect/sigma/collection.h"
#include <errno.h>

struct hm_ruleset *hm_set_new(void)
{
    struct hm_ruleset *rs = calloc(1, sizeof *rs);
    if (rs)
        rs->arena = hm_arena_new(HM_RULESET_MAX_BYTES);
    if (rs && !rs->arena) {
        free(rs);
        return NULL;
    }
    return rs;
}

void hm_ruleset_free(struct hm_ruleset *rs)
{
    if (!rs)
        return;
    hm_set_parts_free(rs);
    hm_program_free(rs->program);
    hm_program_free(rs->router);
    hm_bindings_free(rs->bindings);
    free(rs->by_action[0]);
    free(rs->by_action[1]);
    free(rs->off);
    if (rs->own_names)
        hm_names_free(rs->names);
    hm_arena_free(rs->arena);
    free(rs);
}

static const char *keep(struct hm_arena *a, const char *s, bool *good)
{
    const char *copy = hm_arena_strndup(a, s ? s : "", s ? strlen(s) : 0);
    *good = *good && copy;
    return copy;
}

int hm_set_copy_info(struct hm_arena *a, const struct hm_rule *from, struct hm_rule *to)
{
    bool good = true;
    *to = (struct hm_rule){
        .id = keep(a, from->id, &good),
        .title = keep(a, from->title, &good),
        .title_ja = keep(a, from->title_ja, &good),
        .reason = keep(a, from->reason, &good),
        .reason_ja = keep(a, from->reason_ja, &good),
        .advice = keep(a, from->advice, &good),
        .advice_ja = keep(a, from->advice_ja, &good),
        .techniques = keep(a, from->techniques, &good),
        .tactics = keep(a, from->tactics, &good),
        .path = keep(a, from->path, &good),
        .version = from->version,
        .severity = from->severity,
        .scan_memory = from->scan_memory,
    };
    return good ? 0 : -ENOMEM;
}

static int copy_infos(struct hm_ruleset *rs, const struct hm_sigma_collection *c)
{
    rs->rules = hm_arena_alloc(rs->arena, (rs->count + 1) * sizeof *rs->rules);
    rs->silent = hm_arena_alloc(rs->arena, rs->count + 1);
    rs->live = hm_arena_alloc(rs->arena, rs->count + 1);
    int r = rs->rules && rs->silent && rs->live ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < rs->count; i++) {
        const struct hm_sigma_entry *e = hm_sigma_rule_at(c, i);
        rs->silent[i] = e->silent;
        r = hm_set_copy_info(rs->arena, &e->info, &rs->rules[i]);
    }
    return r ? r : hm_set_copy_correlations(rs, c);
}

struct plan { /* rules with their sources, while they are compiled */
    struct hm_ruleset *rs;
    const struct hm_sigma_collection *c;
    const struct hm_ruleset_options *o;
    struct hm_arena *arena;
    struct hm_program_rule *rules;
};

static int source_of(struct plan *p, enum hm_view_kind view, uint64_t key, uint32_t *ret_source)
{
    struct hm_ruleset *rs = p->rs;
    for (uint32_t i = 1; i < rs->source_count; i++) {
        if (rs->keys[i].view == view && rs->keys[i].key == key) {
            *ret_source = i;
            return 0;
        }
    }
    if (rs->source_count >= HM_SET_KEYS_MAX)
        return -E2BIG;
    rs->keys[rs->source_count] = (struct hm_source_key){view, key};
    *ret_source = (uint32_t)rs->source_count++;
    return 0;
}

static int event_sources(struct plan *p, const struct hm_sigma_source *s, uint32_t *list,
                         size_t *count)
{
    struct hm_route route;
    int r = 0;
    if (!hm_logsource_route(s->product, s->category, s->service, &route))
        return 0;
    if (route.view == HM_VIEW_LOG) {
        for (unsigned bit = 0; !r && bit < HM_SET_LOGS; bit++)
            if (route.logs >> bit & 1)
                r = source_of(p, HM_VIEW_LOG, bit, &list[(*count)++]);
        return r;
    }
    for (size_t i = 0; !r && i < route.count; i++)
        r = source_of(p, route.view, route.actions[i], &list[(*count)++]);
    return r;
}

static int record_sources(struct plan *p, const struct hm_sigma_source *s, uint32_t *list,
                          size_t *count)
{
    uint32_t at = 2;
    for (size_t t = 0; t < p->o->table_count; t++)
        for (size_t i = 0; i < p->o->tables[t].count; i++, at++)
            if (hm_source_included(s->product, s->category, s->service, &p->o->tables[t].items[i]))
                list[(*count)++] = at;
    if (*count == 1)
        list[(*count)++] = 1;
    return 0;
}

static int plan_rule(struct plan *p, size_t i, size_t room)
{
    const struct hm_sigma_entry *e = hm_sigma_rule_at(p->c, i);
    uint32_t *list = hm_arena_alloc(p->arena, room * sizeof *list);
    size_t count = 1; /* source 0: all rules */
    int r = list ? 0 : -ENOMEM;
    if (!r && p->rs->target == HM_TARGET_EVENTS)
        r = event_sources(p, &e->source, list, &count);
    else if (!r)
        r = record_sources(p, &e->source, list, &count);
    p->rs->live[i] = p->o->ignore_logsource || count > 1;
    p->rules[i] =
        (struct hm_program_rule){.condition = e->condition, .source_count = count, .sources = list};
    return r;
}

static int plan_rules(struct plan *p, struct hm_error *err)
{
    size_t room = HM_ROUTE_MAX + HM_SET_LOGS;
    for (size_t t = 0; t < p->o->table_count; t++)
        room += p->o->tables[t].count;
    p->rules = hm_arena_alloc(p->arena, (p->rs->count + 1) * sizeof *p->rules);
    int r = p->rules ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < p->rs->count; i++)
        r = plan_rule(p, i, room);
    return r ? r
             : hm_program_compile(p->rules, p->rs->count, p->rs->source_count, p->rs->names,
                                  &p->rs->program, err);
}

static void index_sources(struct hm_ruleset *rs)
{
    for (uint32_t i = 1; i < rs->source_count; i++) {
        const struct hm_source_key *k = &rs->keys[i];
        if (k->view == HM_VIEW_LOG && k->key < HM_SET_LOGS)
            rs->by_log[k->key] = (uint16_t)i;
        else if (k->view != HM_VIEW_LOG && k->key == 0)
            rs->every[k->view] = (uint16_t)i;
        else if (k->view != HM_VIEW_LOG && k->key < HM_SET_ACTIONS)
            rs->by_action[k->view][k->key] = (uint16_t)i;
    }
}

int hm_set_finish(struct hm_ruleset *rs)
{
    rs->off = calloc(rs->count / 64 + 1, sizeof *rs->off);
    if (!rs->off || hm_set_finish_correlations(rs))
        return -ENOMEM;
    if (rs->target == HM_TARGET_RECORDS)
        return 0;
    for (int v = 0; v < 2; v++)
        if (!(rs->by_action[v] = calloc(HM_SET_ACTIONS, sizeof *rs->by_action[v])))
            return -ENOMEM;
    index_sources(rs);
    int r = hm_bindings_new(rs->names, &rs->bindings);
    return r ? r : hm_set_parts(rs);
}

/* From the trees, which the finished set no longer has. */
static void note_calls(struct hm_ruleset *rs, const struct hm_sigma_collection *c)
{
    const char *call;
    for (size_t i = 0; i < rs->count && rs->target == HM_TARGET_EVENTS; i++)
        for (size_t k = 0; rs->live[i] && (call = hm_call_at(k)); k++)
            if (hm_wants_call(hm_sigma_rule_at(c, i)->condition, rs->bindings, call))
                rs->calls |= UINT64_C(1) << k;
}

static int build(struct hm_ruleset *rs, const struct hm_sigma_collection *c,
                 const struct hm_ruleset_options *o, struct hm_error *err)
{
    struct plan p = {rs, c, o, hm_arena_new(HM_BUILD_MAX_BYTES), NULL};
    rs->count = hm_sigma_rule_count(c);
    rs->target = o->target;
    rs->source_count = o->target == HM_TARGET_RECORDS ? 2 : 1;
    rs->keys = hm_arena_alloc(rs->arena, HM_SET_KEYS_MAX * sizeof *rs->keys);
    int r = p.arena && rs->keys ? copy_infos(rs, c) : -ENOMEM;
    if (!r && o->target == HM_TARGET_RECORDS)
        r = hm_set_router(rs, o, err);
    if (o->ignore_logsource) /* source 0 is asked for */
        rs->routed = false;
    if (!r)
        r = plan_rules(&p, err);
    hm_arena_free(p.arena);
    if (!r)
        r = hm_set_finish(rs);
    if (!r)
        note_calls(rs, c);
    return r;
}

int hm_ruleset_build(const struct hm_sigma_collection *c, struct hm_names *names,
                     const struct hm_ruleset_options *o, struct hm_ruleset **ret_rs,
                     struct hm_error *err)
{
    struct hm_ruleset *rs = hm_set_new();
    if (!rs)
        return -ENOMEM;
    rs->names = names;
    rs->routed = !o->ignore_logsource;
    int r = build(rs, c, o, err);
    if (r)
        hm_ruleset_free(rs);
    else
        *ret_rs = rs;
    return r;
}

/* --- a folder of files -------------------------------------------------------------------------
 */

struct loading {
    struct hm_sigma_collection *c;
    hm_sigma_problem_fn *problem;
    void *ctx;
};

static void no_problem(void *ctx, const struct hm_rule_problem *p)
{
}

static int load_file(void *ctx, const char *path, struct hm_slice text)
{
    struct loading *l = ctx;
    if (text.p)
        return hm_sigma_collection_add(l->c, path, text, l->problem, l->ctx);
    struct hm_rule_problem p = {0};
    size_t n = strnlen(path, sizeof p.path - 1);
    memcpy(p.path, path, n);
    hm_fail(&p.error, -E2BIG, "file is over %d bytes", HM_RULE_FILE_MAX_BYTES);
    l->problem(l->ctx, &p);
    return 0;
}

static int load(struct loading *l, int dir_fd, struct hm_names *names, struct hm_ruleset **ret_rs)
{
    struct hm_sigma_options so = {.names = names};
    struct hm_ruleset_options o = {.target = HM_TARGET_EVENTS};
    struct hm_error err = {0};
    int r = hm_sigma_collection_new(&so, &l->c);
    if (!r)
        r = hm_folder_each(dir_fd, load_file, l);
    if (!r)
        r = hm_sigma_collection_finish(l->c, l->problem, l->ctx);
    if (!r)
        r = hm_ruleset_build(l->c, names, &o, ret_rs, &err);
    hm_sigma_collection_free(l->c);
    return r;
}

int hm_ruleset_load(int dir_fd, void (*problem)(void *ctx, const struct hm_rule_problem *p),
                    void *ctx, struct hm_ruleset **ret_rs)
{
    struct loading l = {.problem = problem ? problem : no_problem, .ctx = ctx};
    struct hm_names *names = hm_names_new();
    struct hm_ruleset *rs = NULL;
    int r = names ? load(&l, dir_fd, names, &rs) : -ENOMEM;
    if (r) {
        hm_names_free(names);
        return r;
    }
    rs->own_names = true;
    *ret_rs = rs;
    return 0;
}
