/* `hinomi sigma test`: rules held to the examples they carry (hinomi.examples.match and .miss).
 * A rule's example is one event; a correlation's is a sequence of them. Rules for our own events
 * take our field names and are looked at as every action their log source means; rules for others
 * take their own names, as a record. */
#include "cli/sigma.h"
#include "detect/correlate/correlate.h"
#include "detect/example.h"
#include "detect/view/reading.h"
#include "detect/walk.h"

#define ARENA_BYTES (64u << 20)

struct test {
    const struct hm_sigma_args *args;
    struct hm_sigma_set set;
    struct hm_sigma_running run;
    struct hm_bindings *bindings;
    struct hm_arena *yaml, *values;
    const char *prefix;
    char path[512];
    size_t refused, tested, examples, without, failed;
    struct hm_buf json;
    struct hm_event event;
    uint32_t hits[256];
};
struct subject { /* what the document at hand defines; one of the two */
    const struct hm_sigma_entry *rule;
    const struct hm_sigma_correlation *correlation;
    size_t index;
};

static void complain(struct test *t, const struct hm_yaml *at, const char *id, const char *why)
{
    t->failed++;
    if (!t->args->json) {
        hm_sigma_say(hm_slice_str(t->path), stdout);
        printf(":%u:%u: ", at->line, at->column);
        hm_sigma_say(hm_slice_str(id), stdout);
        printf(": ");
        hm_sigma_say(hm_slice_str(why), stdout);
        puts("");
        return;
    }
    hm_buf_puts(&t->json, t->json.len ? ",\n{\"path\":" : "\n{\"path\":");
    hm_sigma_json(hm_slice_str(t->path), &t->json);
    hm_buf_printf(&t->json, ",\"line\":%u,\"column\":%u,\"id\":", at->line, at->column);
    hm_sigma_json(hm_slice_str(id), &t->json);
    hm_buf_puts(&t->json, ",\"reason\":");
    hm_sigma_json(hm_slice_str(why), &t->json);
    hm_buf_puts(&t->json, "}");
}

/* --- one of our events ----------------------------------------------------------------------- */
static bool route_has(const struct hm_route *r, uint64_t action)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->actions[i] == 0 || r->actions[i] == action)
            return true;
    return false;
}

static bool matches_event(const struct test *t, const struct hm_sigma_entry *rule,
                          const struct hm_route *route)
{
    struct hm_reading r[HM_READINGS_MAX];
    size_t n = hm_readings(t->bindings, route->view, &t->event, r);
    for (size_t i = 0; i < n; i++)
        if ((route->view != HM_VIEW_LOG || (route->logs & r[i].logs)) &&
            hm_walk(rule->condition, &r[i].view))
            return true;
    return false;
}

static int own_example(struct test *t, const struct hm_sigma_entry *rule,
                       const struct hm_route *route, const struct hm_yaml *example, bool wanted,
                       struct hm_error *err)
{
    struct hm_example x;
    int r = hm_example_read(example, &x, err);
    uint64_t said = r == 0 ? x.action : 0;
    for (size_t i = 0; r == 0 && i < route->count; i++) {
        x.action = said ? said : route->actions[i];
        hm_arena_reset(t->values);
        r = hm_example_event(example, &x, 0, t->values, &t->event, err);
        if (r == 0 && matches_event(t, rule, route) != wanted)
            complain(t, example, rule->info.id,
                     wanted ? "this example has to match and does not"
                            : "this example must not match and does");
        if (said)
            break;
    }
    return r;
}

/* --- a record of somebody else's ------------------------------------------------------------- */
static void put_json(const struct hm_yaml *y, struct hm_buf *out)
{
    if (y->kind == HM_YAML_SCALAR) {
        if (hm_yaml_is_null(y))
            hm_buf_puts(out, "null");
        else
            hm_sigma_json(hm_slice(y->text, y->text_len), out);
        return;
    }
    hm_buf_puts(out, y->kind == HM_YAML_MAP ? "{" : "[");
    for (size_t i = 0; i < y->count; i++) {
        hm_buf_puts(out, i ? "," : "");
        if (y->kind == HM_YAML_MAP) {
            hm_sigma_json(hm_slice_str(y->keys[i]->text), out);
            hm_buf_puts(out, ":");
        }
        put_json(y->items[i], out);
    }
    hm_buf_puts(out, y->kind == HM_YAML_MAP ? "}" : "]");
}

static int foreign_example(struct test *t, const struct hm_sigma_entry *rule,
                           const struct hm_yaml *example, bool wanted, struct hm_error *err)
{
    struct hm_buf json hm_auto(hm_buf_done) = HM_BUF(1u << 20);
    put_json(example, &json);
    int r = json.error ? json.error : hm_record_parse(t->run.record, hm_buf_slice(&json), err);
    if (r == 0 && hm_walk(rule->condition, hm_record_view(t->run.record)) != wanted)
        complain(t, example, rule->info.id,
                 wanted ? "this example has to match and does not"
                        : "this example must not match and does");
    return r;
}

/* --- a sequence ------------------------------------------------------------------------------ */
/* The rules that the event at hand matches and that some correlation wants. */
static size_t base_hits(struct test *t)
{
    size_t n = hm_sigma_rule_count(t->set.collection), hits = 0;
    uint64_t action = t->event.v[HM_F_ACTION].u64;
    for (uint32_t i = 0; i < n && hits < HM_ARRAY_LEN(t->hits); i++) {
        const struct hm_sigma_entry *e = hm_sigma_rule_at(t->set.collection, i);
        struct hm_route route;
        if (hm_correlator_feeds(t->run.correlator, i) &&
            hm_logsource_route(e->source.product, e->source.category, e->source.service, &route) &&
            route_has(&route, action) && matches_event(t, e, &route))
            t->hits[hits++] = i;
    }
    return hits;
}

struct fired {
    size_t index;
    bool yes;
};

static void on_hit(void *ctx, const struct hm_correlation_hit *h)
{
    struct fired *f = ctx;
    f->yes |= h->correlation == f->index;
}

static int one_step(struct test *t, const struct hm_yaml *step, struct fired *f,
                    struct hm_error *err)
{
    struct hm_example x;
    int r = hm_example_read(step, &x, err);
    if (r == 0 && !x.action)
        return hm_fail_at(err, -EINVAL, step->line, step->column,
                          "example: a step says its action (process/exec …)");
    for (unsigned i = 0; r == 0 && i < x.repeat; i++) {
        struct hm_reading view[HM_READINGS_MAX];
        hm_arena_reset(t->values);
        r = hm_example_event(step, &x, i, t->values, &t->event, err);
        size_t hits = r == 0 ? base_hits(t) : 0;
        enum hm_view_kind kind = x.action == HM_ACTION_FOREIGN_LOG ? HM_VIEW_LOG : HM_VIEW_EVENT;
        if (hits && hm_readings(t->bindings, kind, &t->event, view))
            hm_correlator_event(t->run.correlator, &view[0].view, t->hits, hits,
                                1000000 + x.at_ms + i * x.every_ms, i, on_hit, f);
    }
    return r;
}

/* Every sequence begins with empty windows. */
static int sequence(struct test *t, const struct subject *s, const struct hm_yaml *example,
                    bool wanted, struct hm_error *err)
{
    struct fired f = {.index = s->index};
    hm_correlator_free(t->run.correlator);
    free(t->run.items);
    t->run.correlator = NULL;
    int r = hm_sigma_correlator(&t->set, NULL, NULL, &t->run);
    if (example->kind != HM_YAML_LIST)
        return hm_fail_at(err, -EINVAL, example->line, example->column,
                          "example: a correlation's example is a list of events");
    for (size_t i = 0; r == 0 && i < example->count; i++)
        r = one_step(t, example->items[i], &f, err);
    if (r == 0 && f.yes != wanted)
        complain(t, example, s->correlation->info.id,
                 wanted ? "this sequence has to raise it and does not"
                        : "this sequence must not raise it and does");
    return r;
}

/* --- documents ------------------------------------------------------------------------------- */
static int one_example(struct test *t, const struct subject *s, const struct hm_yaml *example,
                       bool wanted, struct hm_error *err)
{
    struct hm_route route;
    t->examples++;
    if (s->correlation)
        return sequence(t, s, example, wanted, err);
    const struct hm_sigma_source *src = &s->rule->source;
    if (hm_logsource_route(src->product, src->category, src->service, &route))
        return own_example(t, s->rule, &route, example, wanted, err);
    return foreign_example(t, s->rule, example, wanted, err);
}

static bool find(const struct test *t, const struct hm_yaml *doc, struct subject *ret_s)
{
    const char *id = hm_yaml_str(doc, "id", "");
    *ret_s = (struct subject){0};
    for (size_t i = 0; i < hm_sigma_rule_count(t->set.collection); i++)
        if (strcmp(hm_sigma_rule_at(t->set.collection, i)->info.id, id) == 0)
            return ret_s->rule = hm_sigma_rule_at(t->set.collection, i), true;
    for (size_t i = 0; i < hm_sigma_correlation_count(t->set.collection); i++)
        if (strcmp(hm_sigma_correlation_at(t->set.collection, i)->info.id, id) == 0) {
            ret_s->correlation = hm_sigma_correlation_at(t->set.collection, i);
            ret_s->index = i;
            return true;
        }
    return false;
}

static int document(struct test *t, const struct hm_yaml *doc)
{
    static const char *const kinds[] = {"miss", "match"};
    const struct hm_yaml *examples = hm_yaml_get(hm_yaml_get(doc, "hinomi"), "examples");
    struct subject s;
    if (!examples || !*hm_yaml_str(doc, "id", "")) {
        t->without++;
        return 0;
    }
    if (!find(t, doc, &s))
        return 0; /* refused: told already */
    t->tested++;
    for (size_t k = 0; k < HM_ARRAY_LEN(kinds); k++) {
        const struct hm_yaml *list = hm_yaml_get(examples, kinds[k]);
        for (size_t i = 0; list && i < list->count; i++) {
            struct hm_error err = {0};
            int r = one_example(t, &s, list->items[i], k, &err);
            if (r == -ENOMEM)
                return r;
            if (r < 0)
                complain(t, list->items[i], hm_yaml_str(doc, "id", ""), err.text);
        }
    }
    return 0;
}

static int file(void *ctx, const char *path, struct hm_slice text)
{
    struct test *t = ctx;
    struct hm_yaml_stream *s = NULL;
    struct hm_yaml *doc = NULL;
    struct hm_error err = {0};
    hm_sigma_path(t->prefix, path, t->path, sizeof t->path);
    hm_arena_reset(t->yaml);
    if (!text.p || hm_yaml_open(text, t->yaml, &err, &s) < 0)
        return 0; /* refused: told already */
    int r = 0;
    while (r == 0 && hm_yaml_next(s, &doc) == 0 && doc)
        r = document(t, doc);
    hm_yaml_close(s);
    return r;
}

static void sum(const struct test *t)
{
    static const struct hm_text words = {
        "%zu rules with %zu examples tested, %zu without examples, %zu refused; %zu failures\n",
        "ルール %zu 件（例 %zu 件）を検証、例なし %zu 件、不可 %zu 件、失敗 %zu 件\n"};
    if (t->args->json)
        printf("{\"tested\":%zu,\"examples\":%zu,\"without\":%zu,\"refused\":%zu,\"failed\":%zu,"
               "\"failures\":[%.*s]}\n",
               t->tested, t->examples, t->without, t->refused, t->failed, (int)t->json.len,
               (const char *)t->json.data);
    else
        printf(hm_text(&words, t->args->cli->lang), t->tested, t->examples, t->without, t->refused,
               t->failed);
}

static int run(struct test *t)
{
    static const struct hm_text none = {"no rules there", "ルールが見つかりません"};
    const struct hm_sigma_args *a = t->args;
    int code = hm_sigma_load(a, &a->words, hm_sigma_tell_stderr, &t->refused, &t->set);
    if (code == HM_EXIT_OK && t->set.files == 0)
        return hm_say(a->cli, HM_EXIT_USAGE, &none);
    if (code == HM_EXIT_OK)
        code = hm_sigma_start(a, &t->set, &t->run);
    if (code != HM_EXIT_OK)
        return code;
    t->yaml = hm_arena_new(ARENA_BYTES);
    t->values = hm_arena_new(ARENA_BYTES);
    if (!t->yaml || !t->values || hm_bindings_new(t->set.names, &t->bindings) < 0)
        return HM_EXIT_FAILED;
    for (size_t i = 0; code == HM_EXIT_OK && i < a->words.count; i++) {
        t->prefix = a->words.at[i];
        code = hm_sigma_each_file(a, a->words.at[i], file, t);
    }
    if (code != HM_EXIT_OK)
        return code;
    sum(t);
    return t->failed || t->refused || t->json.error ? HM_EXIT_FAILED : HM_EXIT_OK;
}

int hm_sigma_test(const struct hm_sigma_args *a)
{
    struct test *t = calloc(1, sizeof *t);
    if (!t)
        return HM_EXIT_FAILED;
    t->args = a;
    t->json = HM_BUF(64u << 20);
    int code = run(t);
    hm_sigma_running_done(&t->run);
    hm_bindings_free(t->bindings);
    hm_sigma_set_done(&t->set);
    hm_arena_free(t->yaml);
    hm_arena_free(t->values);
    hm_buf_done(&t->json);
    free(t);
    return code;
}
