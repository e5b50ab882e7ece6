/* Owns the collection: documents as they come in, and rules and correlations once all are there.
 * A refused document is reported and left out; what refers to it is refused with it. */
#include "detect/sigma/collection.h"
#include "base/map.h"
#include "detect/limits.h"
#include "detect/sigma/parts.h"
#include <errno.h>
#include <stdlib.h>

/* By priority; those of the same one keep their order. */
static int sort_pipelines(struct hm_sigma_collection *c)
{
    size_t n = 0;
    while (c->options.pipelines && c->options.pipelines[n])
        n++;
    c->pipelines = calloc(n + 1, sizeof *c->pipelines);
    if (!c->pipelines)
        return -ENOMEM;
    for (; c->pipeline_count < n; c->pipeline_count++) {
        const struct hm_pipeline *p = c->options.pipelines[c->pipeline_count];
        size_t at = c->pipeline_count;
        for (; at > 0 && hm_pipeline_priority(c->pipelines[at - 1]) > hm_pipeline_priority(p); at--)
            c->pipelines[at] = c->pipelines[at - 1];
        c->pipelines[at] = p;
    }
    return 0;
}

int hm_sigma_collection_new(const struct hm_sigma_options *o, struct hm_sigma_collection **ret_c)
{
    struct hm_sigma_collection *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->options = *o;
    c->arena = hm_arena_new(HM_RULESET_MAX_BYTES);
    c->work = hm_arena_new(HM_RULESET_MAX_BYTES);
    c->yaml = hm_arena_new(HM_RULESET_MAX_BYTES);
    c->ids = hm_map_new(sizeof(uint32_t), HM_RULES_MAX * 2 + 1);
    c->names = hm_map_new(sizeof(uint32_t), HM_RULES_MAX * 2 + 1);
    if (!c->arena || !c->work || !c->yaml || !c->ids || !c->names || sort_pipelines(c)) {
        hm_sigma_collection_free(c);
        return -ENOMEM;
    }
    *ret_c = c;
    return 0;
}

static void forget_work(struct hm_sigma_collection *c)
{
    hm_arena_free(c->work);
    hm_arena_free(c->yaml);
    hm_map_free(c->ids);
    hm_map_free(c->names);
    free(c->docs);
    c->work = c->yaml = NULL;
    c->ids = c->names = NULL;
    c->docs = NULL;
}

void hm_sigma_collection_free(struct hm_sigma_collection *c)
{
    if (!c)
        return;
    forget_work(c);
    for (size_t i = 0; i < c->regex_count; i++)
        hm_pattern_done(&c->regexes[i]);
    free(c->regexes);
    free(c->pipelines);
    free(c->rules);
    free(c->correlations);
    hm_arena_free(c->arena);
    free(c);
}

int hm_collection_grow(void **array, size_t *cap, size_t count, size_t size)
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

int hm_collection_own(void *ctx, struct hm_pattern *p)
{
    struct hm_sigma_collection *c = ctx;
    if (hm_collection_grow((void **)&c->regexes, &c->regex_cap, c->regex_count,
                           sizeof *c->regexes)) {
        hm_pattern_done(p);
        return -ENOMEM;
    }
    c->regexes[c->regex_count++] = *p;
    return 0;
}

/* -ENOMEM goes on; everything else is told and forgotten. */
int hm_collection_report(const char *path, int r, struct hm_error *err,
                         hm_sigma_problem_fn *problem, void *ctx)
{
    struct hm_rule_problem p = {{0}};
    if (r == 0 || r == -ENOMEM)
        return r;
    if (!err->code)
        hm_fail(err, r, "cannot be read");
    p.error = *err;
    size_t n = strnlen(path, sizeof p.path - 1);
    memcpy(p.path, path, n);
    *err = (struct hm_error){0};
    if (problem)
        problem(ctx, &p);
    return 0;
}

static int know(struct hm_map *m, const char *text, uint32_t doc, const char *what,
                struct hm_place place, struct hm_error *err)
{
    int fresh = 0;
    uint32_t *v = hm_map_put(m, hm_hash64(text, strlen(text), 0), &fresh);
    if (!v)
        return -ENOMEM;
    if (!fresh)
        return hm_fail_at(err, -EEXIST, place.line, place.column, "rule %s %.100s is there twice",
                          what, text);
    *v = doc;
    return 0;
}

struct hm_slot *hm_collection_find(struct hm_sigma_collection *c, const char *name)
{
    uint64_t h = hm_hash64(name, strlen(name), 0);
    const uint32_t *i = hm_map_get(c->ids, h);
    if (!i)
        i = hm_map_get(c->names, h);
    return i ? &c->docs[*i] : NULL;
}

static int add_document(struct hm_sigma_collection *c, const struct hm_document *d,
                        struct hm_error *err)
{
    if (c->doc_count >= HM_RULES_MAX * 2)
        return hm_fail(err, -E2BIG, "more than %d rules", HM_RULES_MAX);
    int r = hm_collection_grow((void **)&c->docs, &c->doc_cap, c->doc_count, sizeof *c->docs);
    if (!r)
        r = know(c->ids, d->info.id, (uint32_t)c->doc_count, "id", d->place, err);
    if (!r && *d->name)
        r = know(c->names, d->name, (uint32_t)c->doc_count, "name", d->place, err);
    if (!r)
        c->docs[c->doc_count++] = (struct hm_slot){.doc = *d, .out = HM_SLOT_NONE};
    return r;
}

static int read_document(struct hm_sigma_collection *c, const struct hm_yaml *y, const char *path,
                         uint64_t version, struct hm_error *err)
{
    struct hm_lang l = {c->work, err};
    struct hm_document d, parts[HM_AGGREGATION_DOCUMENTS];
    size_t count = 0;
    int r = hm_document_read(&l, y, path, version, &d);
    if (!r && d.kind == HM_DOCUMENT_RULE)
        r = hm_aggregation_split(&l, &d, parts, &count);
    if (!r && count == 0)
        r = add_document(c, &d, err);
    for (size_t i = 0; !r && i < count; i++)
        r = add_document(c, &parts[i], err);
    return r;
}

int hm_sigma_collection_add(struct hm_sigma_collection *c, const char *path, struct hm_slice text,
                            hm_sigma_problem_fn *problem, void *ctx)
{
    struct hm_yaml_stream *s = NULL;
    struct hm_error err = {0};
    uint64_t version = hm_hash64(text.p, text.len, 0);
    hm_arena_reset(c->yaml);
    int r = text.len > HM_RULE_FILE_MAX_BYTES
                ? hm_fail(&err, -E2BIG, "file is over %d bytes", HM_RULE_FILE_MAX_BYTES)
                : hm_yaml_open(text, c->yaml, &err, &s);
    if (r)
        return hm_collection_report(path, r, &err, problem, ctx);
    for (;;) {
        struct hm_yaml *y = NULL;
        r = hm_yaml_next(s, &y); /* the rest of a malformed file cannot be trusted */
        if (r || !y)
            break;
        r = read_document(c, y, path, version, &err);
        r = hm_collection_report(path, r, &err, problem, ctx);
        if (r)
            break;
    }
    hm_yaml_close(s);
    return hm_collection_report(path, r, &err, problem, ctx);
}

int hm_sigma_collection_finish(struct hm_sigma_collection *c, hm_sigma_problem_fn *problem,
                               void *ctx)
{
    struct hm_finish f = {c, problem, ctx};
    int r = hm_finish_filters(&f);
    if (!r)
        r = hm_finish_tracking(&f);
    if (!r)
        r = hm_finish_rules(&f);
    if (!r)
        r = hm_finish_correlations(&f);
    forget_work(c);
    return r;
}

size_t hm_sigma_rule_count(const struct hm_sigma_collection *c)
{
    return c->rule_count;
}

const struct hm_sigma_entry *hm_sigma_rule_at(const struct hm_sigma_collection *c, size_t i)
{
    return i < c->rule_count ? &c->rules[i] : NULL;
}

size_t hm_sigma_filter_count(const struct hm_sigma_collection *c)
{
    return c->filter_count;
}

size_t hm_sigma_correlation_count(const struct hm_sigma_collection *c)
{
    return c->correlation_count;
}

const struct hm_sigma_correlation *hm_sigma_correlation_at(const struct hm_sigma_collection *c,
                                                           size_t i)
{
    return i < c->correlation_count ? &c->correlations[i] : NULL;
}
