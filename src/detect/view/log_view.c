/* Owns the reading of a log line: who wrote it, what it says, and the KEY=value pairs in it
 * (sudo's "TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=…", audit's acct="x"). */
#include "detect/view/bindings.h"
#include "detect/view/logs.h"
#include "detect/view/sentences.h"

/* Names that are not looked for in the line. */
static const struct {
    const char *name;
    uint16_t field;
} rows[] = {
    {"program", HM_F_FOREIGN_PROGRAM},
    {"Program", HM_F_FOREIGN_PROGRAM},
    {"process.name", HM_F_FOREIGN_PROGRAM},
    {"message", HM_F_FOREIGN_TEXT},
    {"Message", HM_F_FOREIGN_TEXT},
    {"msg", HM_F_FOREIGN_TEXT},
    {"foreign.text", HM_F_FOREIGN_TEXT},
    {"foreign.source", HM_F_FOREIGN_SOURCE},
    {"foreign.program", HM_F_FOREIGN_PROGRAM},
};

void hm_log_bind(struct hm_slice name, struct hm_binding *ret_b)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        if (hm_slice_eq(name, hm_slice_str(rows[i].name))) {
            ret_b->form = HM_FORM_FIELD;
            ret_b->field = rows[i].field;
            return;
        }
    }
    ret_b->form = HM_FORM_KEY;
}

/* A key begins where nothing that could belong to a longer name stands before it. */
static bool key_begin(struct hm_slice line, size_t at)
{
    return at == 0 || strchr(" ;,:'\"[({\t", line.p[at - 1]) != NULL;
}

static struct hm_slice value_at(struct hm_slice line, size_t at)
{
    uint8_t quote = at < line.len ? line.p[at] : 0;
    size_t end;
    if (quote == '"' || quote == '\'') {
        for (end = ++at; end < line.len && line.p[end] != quote; end++)
            ;
        return hm_slice(line.p + at, end - at);
    }
    /* sudo's pairs are set apart by " ; ", and its command is the rest of the line */
    bool sudo = memmem(line.p, line.len, " ; ", 3) != NULL;
    for (end = at; end < line.len; end++) {
        if (sudo ? line.len - end >= 3 && memcmp(line.p + end, " ; ", 3) == 0
                 : strchr(" ,;'\"])}", line.p[end]) != NULL && line.p[end])
            break;
    }
    return hm_slice(line.p + at, end - at);
}

bool hm_log_value(struct hm_slice line, const char *key, struct hm_slice *ret_value)
{
    size_t n = strlen(key);
    for (size_t at = 0; n && at + n < line.len; at++) {
        const uint8_t *found = memmem(line.p + at, line.len - at, key, n);
        if (!found)
            return false;
        at = (size_t)(found - line.p);
        if (at + n >= line.len || line.p[at + n] != '=' || !key_begin(line, at))
            continue;
        *ret_value = value_at(line, at + n + 1);
        return true;
    }
    return false;
}

static void get(const struct hm_view *v, uint32_t id, char buf[HM_DATUM_BUF],
                struct hm_datum *ret_d)
{
    const struct hm_reading *r = (const struct hm_reading *)v;
    const struct hm_binding *b = hm_binding_of(r, HM_VIEW_LOG, id);
    struct hm_slice value;
    ret_d->kind = HM_DATUM_ABSENT;
    if (b->form == HM_FORM_FIELD)
        hm_event_datum(r->bindings, r->event, (enum hm_field)b->field, buf, ret_d);
    else if (b->form == HM_FORM_KEY && hm_log_value(r->text, b->key, &value))
        hm_datum_text(value, ret_d);
}

static bool each_text(const struct hm_view *v, bool (*each)(void *ctx, struct hm_slice text),
                      void *ctx)
{
    const struct hm_reading *r = (const struct hm_reading *)v;
    return each(ctx, r->text);
}

size_t hm_log_readings(const struct hm_bindings *b, const struct hm_event *e,
                       struct hm_reading *ret_r)
{
    if (hm_event_u64(e, HM_F_ACTION) != HM_ACTION_FOREIGN_LOG)
        return 0;
    *ret_r = (struct hm_reading){
        .view = {.get = get, .each_text = each_text, .present = b->present[HM_VIEW_LOG]},
        .bindings = b,
        .event = e,
        .logs = hm_logs_of_event(e),
        .text = hm_event_str(e, HM_F_FOREIGN_TEXT)};
    return 1;
}
