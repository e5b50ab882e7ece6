/* Owns the immutable rule set: rules in load order, and for every action the rules to try. */
#include "detect/ruleset.h"
#include "base/map.h"
#include "detect/folder.h"
#include "detect/limits.h"
#include "detect/sigma/rule.h"
#include <errno.h>

struct bucket { /* rules for one action */
    size_t count, cap;
    uint32_t *rules;
};

struct hm_ruleset {
    struct hm_arena *arena;
    size_t count, cap;
    struct hm_sigma_rule *rules;
    size_t regex_count, regex_cap;
    struct hm_pattern *regexes; /* copies that own the compiled expressions */
    struct hm_map *ids;         /* hash of the id → 1 */
    struct hm_map *buckets;     /* action → struct bucket */
    struct bucket every;        /* rules without a category */
};

struct hm_match_scratch {
    uint64_t evaluations; /* counted for the cost report of a rule set */
};

struct loader {
    struct hm_ruleset *rs;
    void (*problem)(void *ctx, const struct hm_rule_problem *p);
    void *ctx;
    struct hm_arena *scratch; /* the YAML tree of one file */
};

static int grow(void **array, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return 0;
    size_t bigger = *cap ? *cap * 2 : 16;
    void *p = reallocarray(*array, bigger, size);
    if (!p)
        return -ENOMEM;
    *array = p;
    *cap = bigger;
    return 0;
}

static int own_regex(void *ctx, struct hm_pattern *p)
{
    struct hm_ruleset *rs = ctx;
    if (grow((void **)&rs->regexes, &rs->regex_cap, rs->regex_count, sizeof *rs->regexes)) {
        hm_pattern_done(p);
        return -ENOMEM;
    }
    rs->regexes[rs->regex_count++] = *p;
    return 0;
}

static int bucket_add(struct bucket *b, uint32_t rule)
{
    int r = grow((void **)&b->rules, &b->cap, b->count, sizeof *b->rules);
    if (!r)
        b->rules[b->count++] = rule;
    return r;
}

static int route(struct hm_ruleset *rs, const struct hm_route *route, uint32_t rule)
{
    for (size_t i = 0; i < route->count; i++) {
        struct bucket *b =
            route->actions[i] ? hm_map_put(rs->buckets, route->actions[i], NULL) : &rs->every;
        if (!b || bucket_add(b, rule))
            return -ENOMEM;
    }
    return 0;
}

static int add_rule(struct loader *l, const struct hm_yaml *doc, const char *path, uint64_t version,
                    struct hm_error *err)
{
    struct hm_ruleset *rs = l->rs;
    struct hm_sigma s = {.arena = rs->arena, .err = err, .own_regex = own_regex, .ctx = rs};
    struct hm_sigma_rule rule;
    int r = hm_sigma_rule(&s, doc, path, version, &rule), fresh = 0;
    if (r)
        return r;
    if (rs->count >= HM_RULES_MAX)
        return hm_fail(err, -E2BIG, "more than %d rules", HM_RULES_MAX);
    uint64_t *seen = hm_map_put(rs->ids, hm_hash64(rule.info.id, strlen(rule.info.id), 0), &fresh);
    if (!seen || grow((void **)&rs->rules, &rs->cap, rs->count, sizeof *rs->rules))
        return -ENOMEM;
    if (!fresh)
        return hm_fail_at(err, -EEXIST, doc->line, doc->column, "rule id %s is there twice",
                          rule.info.id);
    rs->rules[rs->count] = rule;
    r = rule.live ? route(rs, &rule.route, (uint32_t)rs->count) : 0;
    rs->count++;
    return r;
}

static void report(struct loader *l, const char *path, const struct hm_error *err)
{
    struct hm_rule_problem p = {.error = *err};
    size_t n = strnlen(path, sizeof p.path - 1);
    memcpy(p.path, path, n);
    if (l->problem)
        l->problem(l->ctx, &p);
}

/* Every document of one file. A refused rule is reported and the next one is read. */
static int load_file(void *ctx, const char *path, struct hm_slice text)
{
    struct loader *l = ctx;
    struct hm_error err = {0};
    if (!text.p) {
        hm_fail(&err, -E2BIG, "file is over %d bytes", HM_RULE_FILE_MAX_BYTES);
        report(l, path, &err);
        return 0;
    }
    uint64_t version = hm_hash64(text.p, text.len, 0);
    for (size_t i = 0;; i++) {
        struct hm_yaml *doc = NULL;
        hm_arena_reset(l->scratch);
        err = (struct hm_error){0};
        int r = hm_yaml_parse(text, i, l->scratch, &doc, &err), broken = r;
        if (!r && !doc)
            return 0;
        if (!r)
            r = add_rule(l, doc, path, version, &err);
        if (r == -ENOMEM)
            return r;
        if (r) {
            if (!err.code)
                hm_fail(&err, r, "cannot be compiled");
            report(l, path, &err);
        }
        if (broken) /* the rest of a malformed file cannot be trusted */
            return 0;
    }
}

static struct hm_ruleset *ruleset_new(void)
{
    struct hm_ruleset *rs = calloc(1, sizeof *rs);
    if (!rs)
        return NULL;
    rs->arena = hm_arena_new(HM_RULESET_MAX_BYTES);
    rs->ids = hm_map_new(sizeof(uint64_t), HM_RULES_MAX + 1);
    rs->buckets = hm_map_new(sizeof(struct bucket), 1024);
    if (!rs->arena || !rs->ids || !rs->buckets) {
        hm_ruleset_free(rs);
        return NULL;
    }
    return rs;
}

int hm_ruleset_load(int dir_fd, void (*problem)(void *ctx, const struct hm_rule_problem *p),
                    void *ctx, struct hm_ruleset **ret_rs)
{
    struct loader l = {ruleset_new(), problem, ctx, hm_arena_new(HM_RULESET_MAX_BYTES)};
    int r = l.rs && l.scratch ? hm_folder_each(dir_fd, load_file, &l) : -ENOMEM;
    hm_arena_free(l.scratch);
    if (r)
        hm_ruleset_free(l.rs);
    else
        *ret_rs = l.rs;
    return r;
}

void hm_ruleset_free(struct hm_ruleset *rs)
{
    if (!rs)
        return;
    size_t pos = 0;
    struct bucket *b;
    while (rs->buckets && (b = hm_map_next(rs->buckets, &pos, NULL)))
        free(b->rules);
    for (size_t i = 0; i < rs->regex_count; i++)
        hm_pattern_done(&rs->regexes[i]);
    free(rs->regexes);
    free(rs->every.rules);
    free(rs->rules);
    hm_map_free(rs->buckets);
    hm_map_free(rs->ids);
    hm_arena_free(rs->arena);
    free(rs);
}

size_t hm_ruleset_count(const struct hm_ruleset *rs)
{
    return rs->count;
}

const struct hm_rule *hm_ruleset_rule(const struct hm_ruleset *rs, size_t i)
{
    return i < rs->count ? &rs->rules[i].info : NULL;
}

struct hm_match_scratch *hm_match_scratch_new(const struct hm_ruleset *rs)
{
    return calloc(1, sizeof(struct hm_match_scratch));
}

void hm_match_scratch_free(struct hm_match_scratch *s)
{
    free(s);
}

static void try_bucket(const struct hm_ruleset *rs, struct hm_match_scratch *s,
                       const struct bucket *b, const struct hm_event *e,
                       void (*hit)(void *ctx, const struct hm_rule *r), void *ctx)
{
    for (size_t i = 0; b && i < b->count; i++) {
        const struct hm_sigma_rule *r = &rs->rules[b->rules[i]];
        s->evaluations++;
        if (hm_node_match(r->condition, e))
            hit(ctx, &r->info);
    }
}

void hm_ruleset_match(const struct hm_ruleset *rs, struct hm_match_scratch *s,
                      const struct hm_event *e, void (*hit)(void *ctx, const struct hm_rule *r),
                      void *ctx)
{
    try_bucket(rs, s, hm_map_get(rs->buckets, hm_event_u64(e, HM_F_ACTION)), e, hit, ctx);
    try_bucket(rs, s, &rs->every, e, hit, ctx);
}
