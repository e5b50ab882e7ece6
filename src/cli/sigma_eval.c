/* `hinomi sigma eval`: events in, one line per line out. The contract of the output is
 * docs/modules/sigma-cli.md; scripts rely on it. */
#include "cli/lines.h"
#include "cli/sigma.h"

#define OUT_BYTES (64u << 10) /* written at once */

struct eval {
    struct hm_sigma_set set;
    struct hm_sigma_running run;
    struct hm_buf out;
    struct hm_slice *ids; /* per rule, then per correlation: its id as JSON */
    uint8_t *fired;       /* per correlation, in this line */
    bool any_fired;
    uint64_t line, bad;
    size_t refused;
    bool closed; /* nobody reads our output any more */
};

/* A rule with a deprecated aggregation is read as a correlation and a part of it ("id#1"): nobody
 * wrote that part, so nobody is told of it. */
static bool is_part(const struct eval *e, const struct hm_sigma_entry *rule)
{
    const char *mark = rule->silent ? strrchr(rule->info.id, '#') : NULL;
    size_t n = hm_sigma_correlation_count(e->set.collection), len;
    for (size_t i = 0; mark && i < n; i++) {
        const char *id = hm_sigma_correlation_at(e->set.collection, i)->info.id;
        len = (size_t)(mark - rule->info.id);
        if (strlen(id) == len && memcmp(id, rule->info.id, len) == 0)
            return true;
    }
    return false;
}

static int render_ids(struct eval *e, struct hm_buf *texts)
{
    size_t rules = hm_sigma_rule_count(e->set.collection);
    size_t n = rules + hm_sigma_correlation_count(e->set.collection);
    size_t *ends = calloc(n + 1, sizeof *ends);
    e->ids = calloc(n + 1, sizeof *e->ids);
    e->fired = calloc(n + 1, 1);
    for (size_t i = 0; ends && i < n; i++) {
        const char *id = i < rules ? hm_sigma_rule_at(e->set.collection, i)->info.id
                                   : hm_sigma_correlation_at(e->set.collection, i - rules)->info.id;
        bool part = i < rules && is_part(e, hm_sigma_rule_at(e->set.collection, i));
        if (!part) /* no text: not told */
            hm_sigma_json(hm_slice_str(id), texts);
        ends[i + 1] = texts->len;
    }
    bool ok = ends && e->ids && e->fired && !texts->error;
    for (size_t i = 0; ok && i < n; i++)
        e->ids[i] = hm_slice(texts->data + ends[i], ends[i + 1] - ends[i]);
    free(ends);
    return ok ? 0 : -ENOMEM;
}

static void flush(struct eval *e)
{
    size_t at = 0;
    while (at < e->out.len && !e->closed) {
        ssize_t n = write(STDOUT_FILENO, e->out.data + at, e->out.len - at);
        if (n > 0)
            at += (size_t)n;
        else if (errno != EINTR)
            e->closed = true;
    }
    hm_buf_clear(&e->out);
}

static void put_id(struct eval *e, size_t i, bool more)
{
    if (more)
        hm_buf_put_u8(&e->out, ',');
    hm_buf_put(&e->out, e->ids[i].p, e->ids[i].len);
}

static void put_line(struct eval *e, const char *key)
{
    char text[64];
    int n = snprintf(text, sizeof text, "{\"line\":%llu,\"%s\":", (unsigned long long)e->line, key);
    hm_buf_put(&e->out, text, (size_t)n);
}

static void on_hit(void *ctx, const struct hm_correlation_hit *h)
{
    struct eval *e = ctx;
    e->fired[h->correlation] = 1;
    e->any_fired = true;
}

static void put_correlations(struct eval *e)
{
    size_t rules = hm_sigma_rule_count(e->set.collection);
    size_t n = hm_sigma_correlation_count(e->set.collection), put = 0;
    put_line(e, "correlations");
    hm_buf_put_u8(&e->out, '[');
    for (size_t i = 0; i < n; i++)
        if (e->fired[i])
            put_id(e, rules + i, put++ > 0);
    hm_buf_puts(&e->out, "]}\n");
    memset(e->fired, 0, n);
    e->any_fired = false;
}

static void put_rules(struct eval *e, const uint32_t *rules, size_t count)
{
    put_line(e, "rules");
    hm_buf_put_u8(&e->out, '[');
    for (size_t i = 0, put = 0; i < count; i++)
        if (e->ids[rules[i]].len)
            put_id(e, rules[i], put++ > 0);
    hm_buf_puts(&e->out, "]}\n");
}

static void put_error(struct eval *e, const struct hm_error *err)
{
    char text[sizeof err->text + 32];
    if (err->column)
        snprintf(text, sizeof text, "column %u: %s", err->column, err->text);
    else
        snprintf(text, sizeof text, "%s", err->text);
    e->bad++;
    put_line(e, "error");
    hm_sigma_json(hm_slice_str(text), &e->out);
    hm_buf_puts(&e->out, "}\n");
}

static bool is_blank(struct hm_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] != ' ' && s.p[i] != '\t')
            return false;
    return true;
}

static void one_line(struct eval *e, struct hm_slice line)
{
    struct hm_error err = {0};
    const uint32_t *rules = NULL;
    if (is_blank(line)) { /* no event, nothing wrong; the numbers stay in step */
        put_rules(e, NULL, 0);
        return;
    }
    if (hm_sigma_read(&e->run, line, &err) < 0) {
        put_error(e, &err);
        return;
    }
    size_t n = hm_sigma_match(&e->run, &rules);
    put_rules(e, rules, n);
    if (n)
        hm_sigma_correlate(&e->run, rules, n, e->line, on_hit, e);
    if (e->any_fired)
        put_correlations(e);
}

static int read_failed(struct eval *e, const char *path, int r)
{
    static const struct hm_text cannot = {"%s: line %llu: %s", "%s: %llu 行目: %s"};
    return hm_say(e->run.args->cli, HM_EXIT_FAILED, &cannot, path, (unsigned long long)e->line,
                  r == -EBADMSG ? "the compressed data is damaged or cut off" : strerror(-r));
}

static int each_line(struct eval *e, struct hm_lines *l, const char *path)
{
    struct hm_slice line;
    int r = 1;
    while (!e->closed) {
        if (e->out.len >= OUT_BYTES || hm_lines_waits(l))
            flush(e);
        r = hm_lines_next(l, &line);
        if (r == 0)
            break;
        e->line++;
        if (r == -EMSGSIZE) {
            struct hm_error err = {0};
            (void)hm_fail(&err, r, "the line is over %u bytes", HM_LINE_MAX);
            put_error(e, &err);
        } else if (r < 0) {
            flush(e);
            return read_failed(e, path, r);
        } else {
            one_line(e, line);
        }
    }
    flush(e);
    return e->bad || e->closed ? HM_EXIT_FAILED : HM_EXIT_OK;
}

/* What was not counted is said: nobody should take silence for absence. */
static void tell_limits(const struct eval *e)
{
    static const struct hm_text lost = {
        "%s: %llu events came too late, %llu groups were forgotten, %llu windows were cut, %llu "
        "events could not be kept",
        "%s: 遅すぎたイベント %llu、忘れたグループ %llu、切り詰めた窓 "
        "%llu、保持できなかったイベント "
        "%llu"};
    size_t n = hm_sigma_correlation_count(e->set.collection);
    for (size_t i = 0; e->run.correlator && i < n; i++) {
        struct hm_correlate_counts c;
        hm_correlator_counts(e->run.correlator, i, &c);
        if (c.late || c.evicted || c.truncated || c.dropped)
            (void)hm_say(e->run.args->cli, 0, &lost,
                         hm_sigma_correlation_at(e->set.collection, i)->info.id,
                         (unsigned long long)c.late, (unsigned long long)c.evicted,
                         (unsigned long long)c.truncated, (unsigned long long)c.dropped);
    }
}

static int prepare(const struct hm_sigma_args *a, struct eval *e, struct hm_buf *texts)
{
    static const struct hm_text none = {"no rules there", "ルールが見つかりません"};
    int code = hm_sigma_load(a, &a->rules, hm_sigma_tell_stderr, &e->refused, &e->set);
    if (code == HM_EXIT_OK && e->set.files == 0)
        code = hm_say(a->cli, HM_EXIT_USAGE, &none);
    if (code == HM_EXIT_OK)
        code = hm_sigma_start(a, &e->set, &e->run);
    if (code == HM_EXIT_OK && render_ids(e, texts) < 0)
        code = HM_EXIT_FAILED;
    return code;
}

int hm_sigma_eval(const struct hm_sigma_args *a)
{
    static const struct hm_text words = {
        "eval needs --rules and one file of events (or -)",
        "eval には --rules とイベントのファイル（または -）が必要です"};
    static const struct hm_text cannot = {"%s: %s", "%s: %s"};
    struct eval e = {.out = HM_BUF(64u << 20)};
    struct hm_buf texts = HM_BUF(64u << 20);
    struct hm_lines *lines = NULL;
    if (a->rules.count == 0 || a->words.count != 1)
        return hm_say(a->cli, HM_EXIT_USAGE, &words);
    int r = hm_lines_open(a->words.at[0], &lines);
    int code = r < 0 ? hm_say(a->cli, HM_EXIT_USAGE, &cannot, a->words.at[0], strerror(-r))
                     : prepare(a, &e, &texts);
    if (code == HM_EXIT_OK) {
        code = each_line(&e, lines, a->words.at[0]);
        tell_limits(&e);
    }
    hm_lines_free(lines);
    hm_sigma_running_done(&e.run);
    hm_sigma_set_done(&e.set);
    hm_buf_done(&e.out);
    hm_buf_done(&texts);
    free(e.ids);
    free(e.fired);
    return code;
}
