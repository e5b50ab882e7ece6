/* Events from conditions: walks the tree, takes one branch of each OR and one value of each test,
 * and puts what that asks for into the rows that the view reads. See sample.h. */
#include "sample.h"
#include "detect/view/args.h"
#include "detect/view/auditd.h"
#include "detect/view/given.h"
#include "detect/view/logs.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#define WANTS_MAX 64
struct want { /* one field and the patterns that it has to satisfy together */
    uint32_t field;
    const struct hm_pattern *patterns[16];
    size_t count;
    bool number;
    int64_t value;
};
struct wants {
    struct want w[WANTS_MAX];
    size_t count;
    uint32_t random;
    bool first; /* the first of everything */
};

static size_t choose(struct wants *w, size_t of)
{
    w->random = w->random * 1664525u + 1013904223u;
    return w->first || !of ? 0 : (w->random >> 16) % of;
}

static struct want *want_of(struct wants *w, uint32_t field)
{
    for (size_t i = 0; field != HM_NAME_NONE && i < w->count; i++)
        if (w->w[i].field == field)
            return &w->w[i];
    if (w->count == WANTS_MAX)
        abort();
    w->w[w->count] = (struct want){.field = field};
    return &w->w[w->count++];
}

static bool usable(const struct hm_pattern *p)
{
    return p->kind != HM_PATTERN_NULL && p->kind != HM_PATTERN_EMPTY;
}

static void ask(struct wants *w, const struct hm_ast_test *t)
{
    struct want *want = want_of(w, t->field);
    if (t->op != HM_AST_ANY_OF) {
        want->number = t->op != HM_AST_EXISTS && t->op != HM_AST_FIELDREF;
        want->value = t->number.i + (t->op == HM_AST_GT) - (t->op == HM_AST_LT);
        return;
    }
    const struct hm_pattern *p = t->count ? &t->patterns[choose(w, t->count)] : NULL;
    if (p && usable(p) && want->count < HM_ARRAY_LEN(want->patterns))
        want->patterns[want->count++] = p;
}

static void gather(struct wants *w, const struct hm_ast *a)
{
    if (a->kind == HM_AST_TEST)
        ask(w, &a->test);
    else if (a->kind == HM_AST_AND)
        for (size_t i = 0; i < a->count; i++)
            gather(w, a->kids[i]);
    else if (a->kind == HM_AST_OR && a->count)
        gather(w, a->kids[choose(w, a->count)]);
}

/* ---- a text for a want
 * -------------------------------------------------------------------------*/

static void add(char *out, const char *text, size_t len)
{
    size_t at = strlen(out);
    for (size_t i = 0; i < len && at + 1 < SAMPLE_BYTES; i++)
        out[at++] = (char)(text[i] == 1 ? 'q' : text[i] == 2 ? 'q' : text[i]);
    out[at] = 0;
}

static void add_kind(char *out, const struct want *w, enum hm_pattern_kind kind)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->patterns[i]->kind == kind)
            add(out, (const char *)w->patterns[i]->text.p, w->patterns[i]->text.len);
}

static void add_regexes(char *out, const struct want *w)
{
    char text[SAMPLE_BYTES];
    for (size_t i = 0; i < w->count; i++) {
        const struct hm_pattern *p = w->patterns[i];
        if (p->kind != HM_PATTERN_REGEX)
            continue;
        sample_regex((const char *)p->text.p, p->text.len, text, sizeof text);
        add(out, text, strlen(text));
    }
}

static bool whole(const struct want *w, char *out)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct hm_pattern *p = w->patterns[i];
        if (p->kind == HM_PATTERN_CIDR) {
            inet_ntop(p->ip_len == 16 ? AF_INET6 : AF_INET, p->ip, out, SAMPLE_BYTES);
            return true;
        }
        if (p->kind == HM_PATTERN_EXACT) {
            add(out, (const char *)p->text.p, p->text.len);
            return true;
        }
    }
    return false;
}

/* A file's name that a rule knows only in part is somewhere: in one of these folders. */
static const char *folder(const struct want *w, uint32_t seed)
{
    static const char *const folders[] = {"", "/tmp/", "/usr/local", "/etc"};
    for (size_t i = 0; i < w->count; i++)
        if (w->patterns[i]->kind == HM_PATTERN_PREFIX)
            return "";
    return folders[seed % HM_ARRAY_LEN(folders)];
}

static char *text_of(struct sample *s, const struct want *w, const char *name)
{
    if (s->used == HM_ARRAY_LEN(s->texts))
        abort();
    char *out = s->texts[s->used++];
    out[0] = 0;
    if (w->number)
        snprintf(out, SAMPLE_BYTES, "%lld", (long long)w->value);
    if (w->number || whole(w, out))
        return out;
    if (strcmp(name, "TargetFilename") == 0 || strcmp(name, "name") == 0)
        add(out, folder(w, s->seed), strlen(folder(w, s->seed)));
    add_kind(out, w, HM_PATTERN_PREFIX);
    add_kind(out, w, HM_PATTERN_GLOB);
    add_kind(out, w, HM_PATTERN_CONTAINS);
    add_regexes(out, w);
    add_kind(out, w, HM_PATTERN_SUFFIX);
    if (!out[0])
        add(out, "there", 5);
    return out;
}

/* ---- into the event
 * ----------------------------------------------------------------------------*/

static void put_row(struct sample *s, enum hm_field f, const char *text, int base)
{
    static const char *const stdio[] = {"closed", "file", "pipe", "socket", "tty", "other"};
    uint8_t *ip = (uint8_t *)s->texts[s->used++ % HM_ARRAY_LEN(s->texts)];
    switch (hm_fields[f].type) {
    case HM_TYPE_U64:
    case HM_TYPE_X64:
        for (size_t i = 0; i < HM_ARRAY_LEN(stdio); i++)
            if (strcmp(text, stdio[i]) == 0) {
                hm_event_set_u64(&s->e, f, i);
                return;
            }
        hm_event_set_u64(&s->e, f, strtoull(text, NULL, base));
        return;
    case HM_TYPE_IP:
        if (inet_pton(AF_INET, text, ip) == 1)
            hm_event_set(&s->e, f, hm_slice(ip, 4));
        else if (inet_pton(AF_INET6, text, ip) == 1)
            hm_event_set(&s->e, f, hm_slice(ip, 16));
        return;
    default:
        hm_event_set(&s->e, f, hm_slice_str(text));
    }
}

static void put_event_name(struct sample *s, const char *name, const char *text)
{
    struct hm_binding b = {0};
    hm_event_bind(hm_slice_str(name), &b);
    if (b.form == HM_FORM_FIELD || b.form == HM_FORM_LOGON)
        put_row(s, (enum hm_field)b.field, text, 10);
    else if (b.form == HM_FORM_INITIATED)
        hm_event_set_u64(&s->e, HM_F_NET_DIRECTION, strcmp(text, "true") == 0 ? 2 : 1);
}

struct line { /* a command line or a log line that grows */
    char *text;
    char args[16][SAMPLE_BYTES];
    bool arg[16];
};

/* A key is not a value of an event: it follows from what happened. */
static void put_key(struct sample *s, const char *key)
{
    if (strcmp(key, "network_connect_4") == 0)
        put_row(s, HM_F_DST_IP, "192.0.2.1", 10);
    else if (!hm_event_has(&s->e, HM_F_PROCESS_IMAGE))
        hm_event_set(&s->e, HM_F_PROCESS_IMAGE, hm_slice_str("/usr/bin/nc"));
}

static void put_column(struct sample *s, struct line *l, uint64_t action,
                       const struct hm_binding *b, const char *name, const char *text)
{
    enum hm_column c = (enum hm_column)b->field;
    if (action == HM_ACTION_FOREIGN_LOG) {
        size_t at = strlen(l->text);
        snprintf(l->text + at, SAMPLE_BYTES - at, " %s=%s", name, text);
        return;
    }
    if (c == HM_COLUMN_KEY)
        put_key(s, text);
    if (c == HM_COLUMN_CALL && action == HM_ACTION_SYSCALL_CALL)
        hm_event_set(&s->e, HM_F_SYSCALL_NAME, hm_slice_str(text));
    if (c == HM_COLUMN_ARG && action == HM_ACTION_SYSCALL_CALL && b->index < 4)
        put_row(s, (enum hm_field)(HM_F_SYSCALL_A0 + b->index), text, 16);
    else if (c == HM_COLUMN_ARG && b->index < HM_ARRAY_LEN(l->args)) {
        snprintf(l->args[b->index], SAMPLE_BYTES, "%s", text);
        l->arg[b->index] = true;
    }
    enum hm_field f;
    const char *one;
    for (int r = 0; r < HM_RECORD_COUNT; r++)
        if (hm_audit_column((enum hm_audit_record)r, c, &f, &one) == HM_COLUMN_ROW &&
            hm_given(action, f)) {
            put_row(s, f, text, 10);
            if (c != HM_COLUMN_NAME)
                return;
        }
}

static void put_args(struct sample *s, const struct line *l, const char *extra)
{
    char raw[16 * SAMPLE_BYTES];
    size_t n = 0, last = 0;
    for (size_t i = 0; i < HM_ARRAY_LEN(l->args); i++)
        last = l->arg[i] ? i + 1 : last;
    for (size_t i = 0; i < last; i++) {
        const char *a = l->arg[i] ? l->args[i] : "x";
        memcpy(raw + n, a, strlen(a) + 1);
        n += strlen(a) + 1;
    }
    if (*extra) {
        memcpy(raw + n, extra, strlen(extra) + 1);
        n += strlen(extra) + 1;
    }
    hm_buf_clear(&s->lengths);
    hm_args_lengths(hm_slice(raw, n), &s->lengths);
    if (s->lengths.len)
        hm_event_set(&s->e, HM_F_PROCESS_ARG_LENGTHS, hm_buf_slice(&s->lengths));
    char *line = s->texts[s->used++];
    for (size_t i = 0; n && i < n - 1 && i + 1 < SAMPLE_BYTES; i++)
        line[i] = raw[i] ? raw[i] : ' ';
    line[n && n < SAMPLE_BYTES ? n - 1 : 0] = 0;
    if (n)
        hm_event_set(&s->e, HM_F_PROCESS_COMMAND_LINE, hm_slice_str(line));
}

/* A program whose lines belong to the service. */
static const char *program_of(uint32_t logs)
{
    static const char *const programs[] = {"sshd", "sudo", "crond", "clamd", "vsftpd", "guacd"};
    struct hm_event e;
    for (size_t i = 0; i < HM_ARRAY_LEN(programs); i++) {
        hm_event_clear(&e);
        hm_event_set(&e, HM_F_FOREIGN_PROGRAM, hm_slice_str(programs[i]));
        if (hm_logs_of_event(&e) & logs)
            return programs[i];
    }
    return "kernel";
}

static void put_log(struct sample *s, const struct hm_route *route, char *line, const char *extra)
{
    add(line, " ", 1);
    add(line, extra, strlen(extra));
    bool audit = route->view == HM_VIEW_AUDITD;
    hm_event_set(&s->e, HM_F_FOREIGN_SOURCE, hm_slice_str(audit ? "audit" : "/var/log/syslog"));
    if (!audit)
        hm_event_set(&s->e, HM_F_FOREIGN_PROGRAM, hm_slice_str(program_of(route->logs)));
    hm_event_set(&s->e, HM_F_FOREIGN_TEXT, hm_slice_str(line));
}

static void put_want(struct sample *s, const struct want *w, const struct hm_names *names,
                     const struct hm_route *route, uint64_t action, struct line *l, char *extra)
{
    const char *name = w->field == HM_NAME_NONE ? "" : hm_names_text(names, w->field);
    const char *text = text_of(s, w, name);
    struct hm_binding b = {0};
    if (w->field == HM_NAME_NONE) {
        add(extra, text, strlen(text));
        add(extra, " ", 1);
        return;
    }
    if (route->view == HM_VIEW_EVENT) {
        put_event_name(s, name, text);
    } else if (route->view == HM_VIEW_AUDITD) {
        hm_audit_bind(hm_slice_str(name), &b);
        put_column(s, l, action, &b, name, text);
    } else {
        size_t at = strlen(l->text);
        snprintf(l->text + at, SAMPLE_BYTES - at, "%s=%s ; ", name, text);
    }
}

void sample_event(struct sample *s, const struct hm_sigma_entry *rule, const struct hm_names *names,
                  const struct hm_route *route, uint64_t action, uint32_t seed)
{
    struct wants w = {.random = seed * 2654435761u, .first = seed == 0};
    struct line *l = calloc(1, sizeof *l);
    char extra[SAMPLE_BYTES] = "";
    gather(&w, rule->condition);
    hm_event_clear(&s->e);
    s->lengths.max = 64 * 1024;
    s->used = 0;
    s->seed = seed;
    hm_event_set_u64(&s->e, HM_F_CLASS, action / 100);
    hm_event_set_u64(&s->e, HM_F_ACTION, action);
    l->text = s->texts[s->used++];
    l->text[0] = 0;
    for (size_t i = 0; i < w.count; i++)
        put_want(s, &w.w[i], names, route, action, l, extra);
    if (action == HM_ACTION_FOREIGN_LOG)
        put_log(s, route, l->text, extra);
    else if (action == HM_ACTION_PROCESS_EXEC && route->view == HM_VIEW_AUDITD)
        put_args(s, l, extra);
    free(l);
}

void sample_done(struct sample *s)
{
    hm_buf_done(&s->lengths);
}
