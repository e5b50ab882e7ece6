/* A collection at work: rules compiled, correlations running, lines of JSON looked through. Owns
 * when an event happened and where in a line it is; what matches is detect's. */
#include "cli/sigma.h"
#include "cli/unwrap.h"
#include "detect/instant.h"
#include <stdlib.h>

/* Where events say when they happened, the most telling first. --time-field goes before. */
static const char *const time_fields[HM_SIGMA_TIMES - 1] = {
    "UtcTime",
    "@timestamp",
    "SystemTime",
    "TimeCreated",
    "EventTime",
    "eventTime",
    "timestamp",
    "event.created",
    "time",
    "_time",
    "datetime",
    "date",
    "Event.System.TimeCreated.#attributes.SystemTime",
    "Timestamp",
    "ts",
};

int hm_sigma_correlator(const struct hm_sigma_set *s,
                        void (*problem)(void *ctx, size_t i, const struct hm_error *err), void *ctx,
                        struct hm_sigma_running *r)
{
    size_t n = hm_sigma_correlation_count(s->collection);
    if (n == 0)
        return 0;
    r->items = calloc(n, sizeof *r->items);
    if (!r->items)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct hm_sigma_correlation *c = hm_sigma_correlation_at(s->collection, i);
        r->items[i] = (struct hm_correlate_item){c->info.id, c->info.version, &c->correlation};
    }
    struct hm_correlate_set set = {.rules = hm_sigma_rule_count(s->collection),
                                   .count = n,
                                   .items = r->items,
                                   .names = s->names};
    return hm_correlator_new(&set, NULL, problem, ctx, &r->correlator);
}

static int compile(const struct hm_sigma_set *s, struct hm_sigma_running *r, struct hm_error *err)
{
    struct hm_ruleset_options o = {
        .target = HM_TARGET_RECORDS,
        .ignore_logsource = r->args->ignore_logsource,
        .table_count = s->table_count,
        .tables = s->tables,
    };
    int e = hm_ruleset_build(s->collection, s->names, &o, &r->rules, err);
    if (e < 0)
        return e;
    r->scratch = hm_match_scratch_sized(r->rules, HM_SIGMA_CACHE_BYTES);
    return r->scratch ? 0 : hm_fail(err, -ENOMEM, "out of memory");
}

static void unrunnable(void *ctx, size_t i, const struct hm_error *err)
{
    const struct hm_sigma_set *s = ctx;
    const struct hm_sigma_correlation *c = hm_sigma_correlation_at(s->collection, i);
    struct hm_rule_problem p = {.error = *err};
    snprintf(p.path, sizeof p.path, "%s", c->info.path);
    p.error.line = c->correlation.place.line;
    p.error.column = c->correlation.place.column;
    hm_sigma_print_problem(&p, stderr);
}

int hm_sigma_start(const struct hm_sigma_args *a, struct hm_sigma_set *s,
                   struct hm_sigma_running *r)
{
    static const struct hm_text failed = {"the rules cannot be compiled: %s",
                                          "ルールをコンパイルできません: %s"};
    struct hm_error err = {0};
    r->args = a;
    for (size_t i = 0; i < HM_SIGMA_TIMES; i++) {
        const char *name = i ? time_fields[i - 1] : a->time_field ? a->time_field : time_fields[0];
        r->times[i] = hm_names_intern(s->names, hm_slice_str(name));
    }
    int e = compile(s, r, &err);
    if (e == 0 && hm_sigma_correlator(s, unrunnable, s, r) < 0)
        e = hm_fail(&err, -ENOMEM, "out of memory");
    if (e == 0 && !(r->record = hm_record_new(s->names)))
        e = hm_fail(&err, -ENOMEM, "out of memory");
    return e == 0 ? HM_EXIT_OK : hm_say(a->cli, HM_EXIT_FAILED, &failed, err.text);
}

void hm_sigma_running_done(struct hm_sigma_running *r)
{
    hm_correlator_free(r->correlator);
    hm_record_free(r->record);
    hm_match_scratch_free(r->scratch);
    hm_ruleset_free(r->rules);
    free(r->items);
    *r = (struct hm_sigma_running){0};
}

int hm_sigma_read(struct hm_sigma_running *r, struct hm_slice line, struct hm_error *err)
{
    struct hm_slice event;
    if (!hm_unwrap(line, r->args->field, &event))
        return hm_fail(err, -EBADMSG, "no object under \"%.100s\"", r->args->field);
    int e = hm_record_parse(r->record, event, err);
    if (e < 0 && err->column)
        err->column += (uint32_t)(event.p - line.p);
    return e;
}

size_t hm_sigma_match(struct hm_sigma_running *r, const uint32_t **ret_rules)
{
    return hm_ruleset_match_record(r->rules, r->scratch, r->record, ret_rules);
}

static bool datum_time(const struct hm_datum *d, uint64_t *ret_ms)
{
    int64_t ms;
    if ((d->kind != HM_DATUM_TEXT && d->kind != HM_DATUM_NUMBER) || !hm_instant_read(d->text, &ms))
        return false;
    *ret_ms = ms > 0 ? (uint64_t)ms : 0;
    return true;
}

/* An event without a time of its own happened when the one before it did. */
static uint64_t event_time(struct hm_sigma_running *r, const struct hm_view *v)
{
    char buf[HM_DATUM_BUF];
    for (size_t i = 0; i < HM_SIGMA_TIMES; i++) {
        struct hm_datum d = {0};
        v->get(v, r->times[i], buf, &d);
        if (datum_time(&d, &r->now_ms))
            break;
    }
    return r->now_ms;
}

void hm_sigma_correlate(struct hm_sigma_running *r, const uint32_t *rules, size_t count,
                        uint64_t line, hm_correlation_hit_fn hit, void *ctx)
{
    const struct hm_view *v = hm_record_view(r->record);
    if (r->correlator)
        hm_correlator_event(r->correlator, v, rules, count, event_time(r, v), line, hit, ctx);
}
