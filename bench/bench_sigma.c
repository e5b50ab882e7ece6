/* sigma · windows_events_per_s, linux_events_per_s and what belongs to them (architecture.md,
 * "Budgets"): real rules on real events, one core. Prints one JSON line a metric. Cold: a new
 * scratch, so that no value was seen before. Warm: the same scratch once more. Medians. */
#include "../tests/detect/corpus.h"
#include "base/arena.h"
#include "detect/match/match.h"
#include "detect/record/record.h"
#include "detect/ruleset.h"
#include "detect/walk.h"
#include "event/event.h"
#include <stdlib.h>
#include <time.h>

#define CORPUS   "../shared/corpus/"
#define PASSES   7
#define VARIANTS 40 /* of each Linux command line */

static const uint32_t every[1];

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bench sigma: %s\n", what);
    exit(1);
}

/* CPU time of this thread: other work on the machine is not ours to measure. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return v[n / 2];
}

static void say(const char *metric, double value, const char *unit, double budget, bool at_least,
                const char *peer, double peer_value)
{
    printf("{\"bench\":\"sigma\",\"metric\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"", metric, value,
           unit);
    if (budget > 0)
        printf(",\"budget\":%.6g,\"met\":%s", budget,
               (at_least ? value >= budget : value <= budget) ? "true" : "false");
    if (peer)
        printf(",\"peer\":\"%s\",\"peer_value\":%.6g", peer, peer_value);
    puts("}");
    fflush(stdout);
}

/* --- records parsed beforehand -----------------------------------------------------------------
 */

struct frozen { /* a view that keeps what a record said */
    struct hm_view view;
    uint16_t *before; /* values in the words before */
    struct hm_datum *values;
    struct hm_slice *texts;
    size_t words, text_count;
};

static void frozen_get(const struct hm_view *v, uint32_t field, char buf[HM_DATUM_BUF],
                       struct hm_datum *ret_d)
{
    const struct frozen *f = (const struct frozen *)v;
    uint64_t bit = UINT64_C(1) << (field % 64);
    if (field / 64 >= f->words || !(v->present[field / 64] & bit)) {
        *ret_d = (struct hm_datum){.kind = HM_DATUM_ABSENT};
        return;
    }
    unsigned rank = (unsigned)__builtin_popcountll(v->present[field / 64] & (bit - 1));
    *ret_d = f->values[f->before[field / 64] + rank];
}

static bool frozen_each(const struct hm_view *v, bool (*each)(void *ctx, struct hm_slice text),
                        void *ctx)
{
    const struct frozen *f = (const struct frozen *)v;
    for (size_t i = 0; i < f->text_count; i++)
        if (each(ctx, f->texts[i]))
            return true;
    return false;
}

static struct hm_slice keep(struct hm_arena *a, struct hm_slice s)
{
    return hm_slice(hm_arena_strndup(a, s.p ? s.p : (const uint8_t *)"", s.len), s.len);
}

/* As in a record, values are the texts that keywords are looked for in. */
static struct hm_slice moved(struct hm_slice text, struct hm_slice from, struct hm_slice to,
                             struct hm_arena *a)
{
    if (text.len && text.p >= from.p && text.p < from.p + from.len)
        return hm_slice(to.p + (text.p - from.p), text.len);
    return keep(a, text);
}

static void keep_datum(struct hm_arena *a, struct hm_datum *d, struct hm_slice from,
                       struct hm_slice to)
{
    d->text = moved(d->text, from, to, a);
    if (d->kind != HM_DATUM_LIST)
        return;
    struct hm_datum *items = hm_arena_alloc(a, (d->count + 1) * sizeof *items);
    for (size_t i = 0; i < d->count; i++) {
        items[i] = d->items[i];
        items[i].text = moved(items[i].text, from, to, a);
    }
    d->items = items;
}

struct keeping {
    struct frozen *f;
    struct hm_arena *a;
    struct hm_slice from, to;
    size_t cap;
};

static bool keep_text(void *ctx, struct hm_slice text)
{
    struct keeping *k = ctx;
    if (k->f->text_count == k->cap) {
        size_t bigger = k->cap ? k->cap * 2 : 32;
        struct hm_slice *t = hm_arena_alloc(k->a, bigger * sizeof *t);
        memcpy(t, k->f->texts, k->cap * sizeof *t);
        k->f->texts = t;
        k->cap = bigger;
    }
    k->f->texts[k->f->text_count++] = moved(text, k->from, k->to, k->a);
    return false;
}

static void freeze(struct frozen *f, const struct hm_view *v, size_t names, struct hm_arena *a)
{
    char buf[HM_DATUM_BUF];
    size_t n = 0;
    struct hm_slice all = keep(a, v->all_texts);
    memset(f, 0, sizeof *f);
    f->words = names / 64 + 1;
    f->before = hm_arena_alloc(a, f->words * sizeof *f->before);
    uint64_t *present = hm_arena_alloc(a, f->words * 8);
    memcpy(present, v->present, f->words * 8);
    for (size_t w = 0; w < f->words; w++) {
        f->before[w] = (uint16_t)n;
        n += (size_t)__builtin_popcountll(present[w]);
    }
    f->values = hm_arena_alloc(a, (n + 1) * sizeof *f->values);
    n = 0;
    for (uint32_t i = 0; i < names; i++) {
        if (!(present[i / 64] >> (i % 64) & 1))
            continue;
        v->get(v, i, buf, &f->values[n]);
        keep_datum(a, &f->values[n++], v->all_texts, all);
    }
    struct keeping k = {f, a, v->all_texts, all, 0};
    v->each_text(v, keep_text, &k);
    f->view = (struct hm_view){frozen_get, frozen_each, present, all};
}

/* --- windows -------------------------------------------------------------------------------------
 */

struct windows {
    struct corpus_rules rules;
    struct corpus_lines lines;
    struct hm_ruleset *all, *routed;
    struct hm_record *record;
    struct hm_arena *arena;
    struct frozen *events;
};

static struct hm_ruleset *build(struct windows *w, bool ignore)
{
    struct hm_source_table table = hm_pipeline_sources(w->rules.pipeline);
    struct hm_ruleset_options o = {.target = HM_TARGET_RECORDS,
                                   .ignore_logsource = ignore,
                                   .table_count = 1,
                                   .tables = &table};
    struct hm_ruleset *rs = NULL;
    struct hm_error err = {0};
    must(hm_ruleset_build(w->rules.collection, w->rules.names, &o, &rs, &err) == 0, "compile");
    return rs;
}

static size_t pass_parsed(struct windows *w, const struct hm_ruleset *rs,
                          struct hm_match_scratch *s)
{
    size_t hits = 0;
    const uint32_t *rules;
    for (size_t i = 0; i < w->lines.count; i++)
        hits += hm_ruleset_match_view(rs, s, &w->events[i].view, &rules);
    return hits;
}

static size_t pass_lines(struct windows *w, const struct hm_ruleset *rs, struct hm_match_scratch *s)
{
    size_t hits = 0;
    const uint32_t *rules;
    struct hm_error err;
    for (size_t i = 0; i < w->lines.count; i++)
        if (hm_record_parse(w->record, w->lines.lines[i], &err) == 0)
            hits += hm_ruleset_match_record(rs, s, w->record, &rules);
    return hits;
}

static double parse_only(struct windows *w)
{
    double t[PASSES];
    struct hm_error err;
    for (int p = 0; p < PASSES; p++) {
        double from = now();
        for (size_t i = 0; i < w->lines.count; i++)
            must(hm_record_parse(w->record, w->lines.lines[i], &err) == 0, "parse");
        t[p] = now() - from;
    }
    return (double)w->lines.count / median(t, PASSES);
}

static void measure(struct windows *w, const struct hm_ruleset *rs,
                    size_t (*pass)(struct windows *, const struct hm_ruleset *,
                                   struct hm_match_scratch *),
                    double *ret_cold, double *ret_warm, size_t *ret_hits)
{
    double cold[PASSES], warm[PASSES];
    for (int p = 0; p < PASSES; p++) {
        struct hm_match_scratch *s = hm_match_scratch_new(rs);
        must(s, "memory");
        double a = now();
        *ret_hits = pass(w, rs, s);
        double b = now();
        pass(w, rs, s);
        cold[p] = b - a;
        warm[p] = now() - b;
        hm_match_scratch_free(s);
    }
    *ret_cold = (double)w->lines.count / median(cold, PASSES);
    *ret_warm = (double)w->lines.count / median(warm, PASSES);
}

/* The same rules without any index: each tree asked about a share of the events. */
static double naive(struct windows *w)
{
    size_t count = hm_sigma_rule_count(w->rules.collection), events = 0, hits = 0;
    double from = now();
    for (size_t i = 0; i < w->lines.count; i += 211, events++)
        for (size_t r = 0; r < count; r++)
            hits +=
                hm_walk(hm_sigma_rule_at(w->rules.collection, r)->condition, &w->events[i].view);
    must(hits > 0, "the baseline matched nothing");
    return (double)events / (now() - from);
}

/* --- twice the rules
 * ------------------------------------------------------------------------------- */

static void other_text(struct hm_arena *a, struct hm_pattern *p)
{
    if (p->kind == HM_PATTERN_REGEX || !p->text.len)
        return;
    uint8_t *t = hm_arena_alloc(a, p->text.len);
    for (size_t i = 0; i < p->text.len; i++) {
        uint8_t c = p->text.p[i];
        t[i] = c >= 'a' && c <= 'z'   ? (uint8_t)('a' + (c - 'a' + 7) % 26)
               : c >= 'A' && c <= 'Z' ? (uint8_t)('A' + (c - 'A' + 7) % 26)
               : c >= '0' && c <= '9' ? (uint8_t)('0' + (c - '0' + 3) % 10)
                                      : c;
    }
    p->text.p = t;
    p->is_number = false;
}

static struct hm_ast *other_rule(struct hm_arena *a, const struct hm_ast *from)
{
    struct hm_ast *to = hm_arena_alloc(a, sizeof *to);
    *to = *from;
    to->kids = hm_arena_alloc(a, (from->count + 1) * sizeof *to->kids);
    for (size_t i = 0; from->kind != HM_AST_TEST && i < from->count; i++)
        to->kids[i] = other_rule(a, from->kids[i]);
    if (from->kind != HM_AST_TEST)
        return to;
    to->test.patterns = hm_arena_alloc(a, (from->test.count + 1) * sizeof *to->test.patterns);
    for (size_t i = 0; i < from->test.count; i++) {
        to->test.patterns[i] = from->test.patterns[i];
        other_text(a, &to->test.patterns[i]);
    }
    return to;
}

static double rate_of(struct windows *w, const struct hm_program_rule *rules, size_t count)
{
    struct hm_program *p = NULL;
    struct hm_error err = {0};
    const uint32_t *hits;
    double cold[PASSES];
    must(hm_program_compile(rules, count, 1, w->rules.names, &p, &err) == 0, "compile");
    for (int k = 0; k < PASSES; k++) {
        struct hm_scratch *s = hm_scratch_new(p, 1 << 20);
        double from = now();
        for (size_t i = 0; i < w->lines.count; i++)
            hm_program_match(p, s, &w->events[i].view, every, 1, NULL, &hits);
        cold[k] = now() - from;
        hm_scratch_free(s);
    }
    hm_program_free(p);
    return median(cold, PASSES);
}

static void doubling(struct windows *w)
{
    size_t n = hm_sigma_rule_count(w->rules.collection);
    struct hm_arena *a = hm_arena_new(1u << 30);
    struct hm_program_rule *rules = calloc(2 * n, sizeof *rules);
    for (size_t i = 0; i < n; i++) {
        const struct hm_ast *c = hm_sigma_rule_at(w->rules.collection, i)->condition;
        rules[i] = (struct hm_program_rule){c, 1, every};
        rules[n + i] = (struct hm_program_rule){other_rule(a, c), 1, every};
    }
    double once = rate_of(w, rules, n), twice = rate_of(w, rules, 2 * n);
    say("windows_rules_doubled_cost_ratio", twice / once, "x", 1.3, false, NULL, 0);
    free(rules);
    hm_arena_free(a);
}

static bool prepare(struct windows *w)
{
    if (!corpus_rules(&w->rules, CORPUS "sigma/rules/windows", "rules/pipelines/windows.yml",
                      true) ||
        !corpus_lines(&w->lines, CORPUS "windows-events/otrf.ndjson.zst"))
        return false;
    double from = now();
    w->all = build(w, true);
    double compile_s = now() - from;
    w->routed = build(w, false);
    w->record = hm_record_new(w->rules.names);
    w->arena = hm_arena_new(2u << 30);
    w->events = calloc(w->lines.count, sizeof *w->events);
    must(w->record && w->arena && w->events, "memory");
    for (size_t i = 0; i < w->lines.count; i++) {
        struct hm_error err;
        must(hm_record_parse(w->record, w->lines.lines[i], &err) == 0, "parse");
        freeze(&w->events[i], hm_record_view(w->record), hm_names_count(w->rules.names), w->arena);
    }
    say("windows_rules", (double)hm_ruleset_count(w->all), "rules", 0, true, NULL, 0);
    say("windows_read_s", w->rules.read_s, "s", 0, false, NULL, 0);
    say("windows_compile_s", compile_s, "s", 0, false, NULL, 0);
    return true;
}

/* For perf: the measured loop alone. */
static void profile(void)
{
    struct windows w = {0};
    double cold, warm;
    size_t hits;
    must(prepare(&w), "no corpus");
    for (int i = 0; i < 5; i++)
        measure(&w, w.all, pass_parsed, &cold, &warm, &hits);
    say("windows_events_per_s", cold, "events/s", 300000, true, NULL, 0);
}

static void windows(void)
{
    static const char peer[] = "RSigma 0.21 on this file, JSON parse included (published in the "
                               "issue: 18,800-20,500)";
    struct windows w = {0};
    double cold, warm;
    size_t hits;
    if (!prepare(&w)) {
        fprintf(stderr, "bench sigma: no corpus at " CORPUS ": nothing was measured\n");
        return;
    }
    measure(&w, w.all, pass_parsed, &cold, &warm, &hits);
    say("windows_events_per_s", cold, "events/s", 300000, true, peer, 20500);
    say("windows_events_per_s_warm", warm, "events/s", 300000, true, peer, 20500);
    say("windows_hits", (double)hits, "hits", 0, true, NULL, 0);
    say("windows_naive_events_per_s", naive(&w), "events/s", 0, true, NULL, 0);
    measure(&w, w.all, pass_lines, &cold, &warm, &hits);
    say("windows_json_events_per_s", cold, "events/s", 0, true, peer, 20500);
    say("windows_json_events_per_s_warm", warm, "events/s", 0, true, peer, 20500);
    measure(&w, w.routed, pass_lines, &cold, &warm, &hits);
    say("windows_json_routed_events_per_s", cold, "events/s", 0, true, peer, 20500);
    say("windows_json_routed_events_per_s_warm", warm, "events/s", 0, true, peer, 20500);
    say("windows_routed_hits", (double)hits, "hits", 0, true, NULL, 0);
    say("json_parse_events_per_s", parse_only(&w), "events/s", 0, true, NULL, 0);
    struct hm_match_scratch *s = hm_match_scratch_new(w.all);
    say("windows_ruleset_mib", (double)hm_ruleset_bytes(w.all) / 1048576, "MiB", 0, false, NULL, 0);
    say("windows_scratch_mib", (double)hm_match_scratch_bytes(s) / 1048576, "MiB", 0, false, NULL,
        0);
    hm_match_scratch_free(s);
    doubling(&w);
    hm_ruleset_free(w.all);
    hm_ruleset_free(w.routed);
    hm_record_free(w.record);
    hm_arena_free(w.arena);
    free(w.events);
    corpus_lines_done(&w.lines);
    corpus_rules_done(&w.rules);
}

/* --- linux
 * ----------------------------------------------------------------------------------------- */

/* As the engine has them: one event in memory, filled anew each time (that is measured too). All of
 * them at once as struct hm_event, 4 KiB each, would measure the memory bus. */
struct filled {
    uint32_t count;
    struct {
        enum hm_field field;
        union hm_value value;
    } fields[12];
};
struct linux_events {
    struct hm_arena *arena;
    struct filled *events;
    size_t count;
};

static void fill(struct hm_event *e, const struct filled *f)
{
    hm_event_clear(e);
    for (uint32_t i = 0; i < f->count; i++) {
        e->present[f->fields[i].field / 64] |= UINT64_C(1) << (f->fields[i].field % 64);
        e->v[f->fields[i].field] = f->fields[i].value;
    }
}

static void add_bytes(struct filled *e, enum hm_field f, struct hm_slice s)
{
    e->fields[e->count].field = f;
    e->fields[e->count++].value.bytes = s;
}

static void add_u64(struct filled *e, enum hm_field f, uint64_t v)
{
    e->fields[e->count].field = f;
    e->fields[e->count++].value.u64 = v;
}

static void put(struct linux_events *l, struct filled *e, enum hm_field f, const char *fmt,
                struct hm_slice s, size_t variant)
{
    char text[4096];
    int n = snprintf(text, sizeof text, fmt, (int)s.len, s.p ? (const char *)s.p : "", variant);
    size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    add_bytes(e, f, hm_slice(hm_arena_strndup(l->arena, text, len), len));
}

static struct filled *new_event(struct linux_events *l, uint64_t class, uint64_t action)
{
    struct filled *e = &l->events[l->count++];
    e->count = 0;
    add_u64(e, HM_F_CLASS, class);
    add_u64(e, HM_F_ACTION, action);
    add_u64(e, HM_F_WALL_NS, UINT64_C(1795305600000000000) + l->count * 1000);
    return e;
}

/* Of each recorded command: the exec itself, a file that it writes, a connection that it opens. */
static void three_events(struct linux_events *l, struct hm_slice line, size_t variant)
{
    struct hm_slice event = corpus_member(line, "event"), none = {0};
    struct hm_slice image = corpus_member(event, "Image");
    struct hm_slice command = corpus_member(event, "CommandLine");
    struct filled *e = new_event(l, HM_CLASS_PROCESS, HM_ACTION_PROCESS_EXEC);
    put(l, e, HM_F_PROCESS_IMAGE, "%.*s", image, 0);
    /* every second one was not seen before: a job number behind it */
    put(l, e, HM_F_PROCESS_COMMAND_LINE, variant % 2 ? "%.*s --job %zu" : "%.*s", command, variant);
    put(l, e, HM_F_PROCESS_CWD, "%.*s", corpus_member(event, "CurrentDirectory"), 0);
    put(l, e, HM_F_USER_NAME, "%.*s", corpus_member(event, "User"), 0);
    put(l, e, HM_F_PARENT_IMAGE, "%.*s", corpus_member(event, "ParentImage"), 0);
    put(l, e, HM_F_PARENT_COMMAND_LINE, "%.*s", corpus_member(event, "ParentCommandLine"), 0);
    add_u64(e, HM_F_PROCESS_PID, 1000 + variant);
    e = new_event(l, HM_CLASS_FILE, HM_ACTION_FILE_CREATE);
    put(l, e, HM_F_PROCESS_IMAGE, "%.*s", image, 0);
    put(l, e, HM_F_FILE_PATH, "%.*s/home/hanako/work/out-%zu.txt", none, variant * 977 + l->count);
    e = new_event(l, HM_CLASS_NETWORK, HM_ACTION_NETWORK_CONNECT);
    put(l, e, HM_F_PROCESS_IMAGE, "%.*s", image, 0);
    uint8_t ip[4] = {192, 0, 2, (uint8_t)(l->count * 31)};
    add_bytes(e, HM_F_DST_IP, hm_slice(hm_arena_strndup(l->arena, ip, 4), 4));
    add_u64(e, HM_F_DST_PORT, variant % 3 ? 443 : 22);
}

static void make_events(struct linux_events *l, const struct corpus_lines *lines)
{
    l->arena = hm_arena_new(1u << 30);
    l->events = calloc(lines->count * VARIANTS * 3, sizeof *l->events);
    must(l->arena && l->events, "memory");
    for (size_t v = 0; v < VARIANTS; v++)
        for (size_t i = 0; i < lines->count; i++)
            three_events(l, lines->lines[i], v);
}

static double linux_pass(const struct linux_events *l, const struct hm_ruleset *rs,
                         struct hm_match_scratch *s, uint64_t action, size_t *ret_hits)
{
    static struct hm_event e;
    const uint32_t *rules;
    size_t n = 0;
    *ret_hits = 0;
    double from = now();
    for (size_t i = 0; i < l->count; i++) {
        if (action && l->events[i].fields[1].value.u64 != action)
            continue;
        fill(&e, &l->events[i]);
        *ret_hits += hm_ruleset_match_event(rs, s, &e, &rules);
        n++;
    }
    return (double)n / (now() - from);
}

static void linux_rate(const struct linux_events *l, const struct hm_ruleset *rs,
                       const char *metric, uint64_t action, double budget)
{
    static const char peer[] = "RSigma 0.21 on Linux events, JSON parse included (published in the "
                               "issue: 73,000-95,000)";
    double cold[PASSES], warm[PASSES];
    char name[64];
    size_t hits;
    for (int p = 0; p < PASSES; p++) {
        struct hm_match_scratch *s = hm_match_scratch_new(rs);
        must(s, "memory");
        cold[p] = linux_pass(l, rs, s, action, &hits);
        warm[p] = linux_pass(l, rs, s, action, &hits);
        hm_match_scratch_free(s);
    }
    say(metric, median(cold, PASSES), "events/s", budget, true, peer, 95000);
    snprintf(name, sizeof name, "%s_warm", metric);
    say(name, median(warm, PASSES), "events/s", budget, true, peer, 95000);
}

/* The same recordings as lines of JSON, which is what the peer was measured with. Every second line
 * was not seen before: a job number behind its command. In an order in which no line follows its
 * own variant. */
static void make_lines(struct windows *w, const struct corpus_lines *from, struct hm_arena *a)
{
    size_t room = 64, at = 0, n = from->count * VARIANTS;
    for (size_t i = 0; i < from->count; i++)
        room += (from->lines[i].len + 24) * VARIANTS;
    w->lines.data = calloc(1, room); /* corpus_lines_done() frees both */
    w->lines.lines = calloc(n, sizeof *w->lines.lines);
    must(a && w->lines.data && w->lines.lines, "memory");
    for (size_t k = 0; k < n; k++) {
        size_t mixed = k * 7919 % n, variant = mixed / from->count;
        struct hm_slice event = corpus_member(from->lines[mixed % from->count], "event");
        struct hm_slice command = corpus_member(event, "CommandLine");
        size_t head = command.len ? (size_t)(command.p + command.len - event.p) : 0;
        uint8_t *to = w->lines.data + at;
        int job = 0;
        memcpy(to, event.p, head);
        if (head && variant % 2)
            job = snprintf((char *)to + head, 24, " --job %zu", variant);
        memcpy(to + head + job, event.p + head, event.len - head);
        w->lines.lines[w->lines.count++] = hm_slice(to, event.len + (size_t)job);
        at += event.len + (size_t)job;
    }
}

static void say_records(struct windows *w, const struct hm_ruleset *rs)
{
    static const char peer[] = "RSigma 0.21 on Linux events, JSON parse included (published in the "
                               "issue: 73,000-95,000)";
    double cold, warm;
    size_t hits;
    measure(w, rs, pass_parsed, &cold, &warm, &hits);
    say("linux_records_events_per_s", cold, "events/s", 1000000, true, peer, 95000);
    say("linux_records_events_per_s_warm", warm, "events/s", 1000000, true, peer, 95000);
    say("linux_records_hits", (double)hits, "hits", 0, true, NULL, 0);
    measure(w, rs, pass_lines, &cold, &warm, &hits);
    say("linux_records_with_json_events_per_s", cold, "events/s", 0, true, peer, 95000);
    say("linux_records_with_json_events_per_s_warm", warm, "events/s", 0, true, peer, 95000);
}

/* Every rule on every record, whatever its log source says. */
static void linux_records(struct corpus_rules *rules, const struct corpus_lines *from)
{
    struct windows w = {.arena = hm_arena_new(1u << 30)};
    struct hm_ruleset_options o = {.target = HM_TARGET_RECORDS, .ignore_logsource = true};
    struct hm_ruleset *rs = NULL;
    struct hm_error err = {0};
    must(hm_ruleset_build(rules->collection, rules->names, &o, &rs, &err) == 0, "compile");
    make_lines(&w, from, w.arena);
    w.record = hm_record_new(rules->names);
    w.events = calloc(w.lines.count, sizeof *w.events);
    must(w.record && w.events, "memory");
    for (size_t i = 0; i < w.lines.count; i++) {
        must(hm_record_parse(w.record, w.lines.lines[i], &err) == 0, "parse");
        freeze(&w.events[i], hm_record_view(w.record), hm_names_count(rules->names), w.arena);
    }
    say_records(&w, rs);
    hm_ruleset_free(rs);
    hm_record_free(w.record);
    hm_arena_free(w.arena);
    free(w.events);
    corpus_lines_done(&w.lines);
}

static void on_linux(void)
{
    struct corpus_rules rules;
    struct corpus_lines lines;
    struct linux_events l = {0};
    if (!corpus_rules(&rules, CORPUS "sigma/rules/linux", NULL, true) ||
        !corpus_lines(&lines, CORPUS "sigma-regression/linux.ndjson")) {
        fprintf(stderr, "bench sigma: no corpus at " CORPUS ": nothing was measured\n");
        return;
    }
    struct hm_ruleset_options o = {.target = HM_TARGET_EVENTS};
    struct hm_ruleset *rs = NULL;
    struct hm_error err = {0};
    double from = now();
    must(hm_ruleset_build(rules.collection, rules.names, &o, &rs, &err) == 0, "compile");
    say("linux_rules", (double)hm_ruleset_count(rs), "rules", 0, true, NULL, 0);
    say("linux_read_and_compile_s", now() - from + rules.read_s, "s", 1, false, NULL, 0);
    make_events(&l, &lines);
    linux_rate(&l, rs, "linux_events_per_s", 0, 1000000);
    linux_rate(&l, rs, "linux_exec_events_per_s", HM_ACTION_PROCESS_EXEC, 0);
    linux_rate(&l, rs, "linux_file_events_per_s", HM_ACTION_FILE_CREATE, 0);
    linux_rate(&l, rs, "linux_connect_events_per_s", HM_ACTION_NETWORK_CONNECT, 0);
    size_t hits;
    struct hm_match_scratch *s = hm_match_scratch_new(rs);
    linux_pass(&l, rs, s, 0, &hits);
    say("linux_hits", (double)hits, "hits", 0, true, NULL, 0);
    say("linux_ruleset_mib", (double)(hm_ruleset_bytes(rs) + hm_match_scratch_bytes(s)) / 1048576,
        "MiB", 24, false, NULL, 0);
    hm_match_scratch_free(s);
    hm_ruleset_free(rs);
    hm_arena_free(l.arena);
    free(l.events);
    linux_records(&rules, &lines);
    corpus_lines_done(&lines);
    corpus_rules_done(&rules);
}

static void everything(void)
{
    struct corpus_rules rules;
    if (!corpus_rules(&rules, CORPUS "sigma", NULL, false))
        return;
    struct hm_ruleset_options o = {.target = HM_TARGET_RECORDS};
    struct hm_ruleset *rs = NULL;
    struct hm_error err = {0};
    double from = now();
    must(hm_ruleset_build(rules.collection, rules.names, &o, &rs, &err) == 0, "compile");
    say("all_rules", (double)hm_ruleset_count(rs), "rules", 0, true, NULL, 0);
    say("all_read_and_compile_s", now() - from + rules.read_s, "s", 10, false, NULL, 0);
    hm_ruleset_free(rs);
    corpus_rules_done(&rules);
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "windows") == 0)
        windows();
    if (argc < 2 || strcmp(argv[1], "linux") == 0)
        on_linux();
    if (argc < 2 || strcmp(argv[1], "all") == 0)
        everything();
    if (argc == 2 && strcmp(argv[1], "profile") == 0)
        profile();
    return 0;
}
