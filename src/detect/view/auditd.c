/* Owns the reading of our events as audit records. Which records and columns there are is the table
 * auditd.def; here is how a column's value is made. */
#include "detect/view/auditd.h"
#include "detect/view/args.h"
#include "detect/view/logs.h"
#include "detect/view/sentences.h"
#include <stdio.h>
#include <sys/syscall.h>

/* The number of a call on this machine; calls that newer machines lack stay without. */
static const struct {
    const char *name;
    int number;
} numbers[] = {
    {"execve", SYS_execve},   {"openat", SYS_openat}, {"connect", SYS_connect},
    {"accept4", SYS_accept4}, {"listen", SYS_listen},
#ifdef SYS_rename
    {"rename", SYS_rename},   {"unlink", SYS_unlink}, {"chmod", SYS_chmod},
#endif
};

/* Records whose values are told by the line they came in. */
static bool from_text(enum hm_audit_record r)
{
    return r == HM_RECORD_CAME || r == HM_RECORD_UNIT_STOPPED || r == HM_RECORD_UNIT_STARTED ||
           r == HM_RECORD_USER_ADDED;
}

/* ---- binding ------------------------------------------------------------------------------- */

/* "a0" … "a999" */
static bool argument(struct hm_slice name, uint16_t *ret_index)
{
    uint16_t n = 0;
    if (name.len < 2 || name.len > 4 || name.p[0] != 'a' || (name.len > 2 && name.p[1] == '0'))
        return false;
    for (size_t i = 1; i < name.len; i++) {
        if (name.p[i] < '0' || name.p[i] > '9')
            return false;
        n = (uint16_t)(n * 10 + (name.p[i] - '0'));
    }
    *ret_index = n;
    return true;
}

void hm_audit_bind(struct hm_slice name, struct hm_binding *ret_b)
{
    if (argument(name, &ret_b->index)) {
        ret_b->form = HM_FORM_COLUMN;
        ret_b->field = HM_COLUMN_ARG;
        return;
    }
    for (uint16_t c = 0; c < HM_COLUMN_COUNT; c++) {
        if (c != HM_COLUMN_ARG && hm_slice_eq(name, hm_slice_str(hm_audit_columns[c]))) {
            ret_b->form = HM_FORM_COLUMN;
            ret_b->field = c;
            return;
        }
    }
}

size_t hm_audit_shapes(void)
{
    return HM_RECORD_COUNT;
}

bool hm_audit_shape_has(size_t shape, const struct hm_binding *b)
{
    return b->form == HM_FORM_COLUMN && hm_audit_sources[shape][b->field].form != HM_AUDIT_NONE;
}

bool hm_audit_fixed(const struct hm_audit_event *a, enum hm_audit_record record, enum hm_column c)
{
    const struct hm_audit_source *s = &hm_audit_sources[record][c];
    switch ((enum hm_audit_form)s->form) {
    case HM_AUDIT_TEXT:
        return *s->text != 0;
    case HM_AUDIT_CALL:
    case HM_AUDIT_NUMBER:
        return *a->call != 0;
    case HM_AUDIT_ARCH:
        return true;
    default:
        return false;
    }
}

bool hm_audit_usual(const struct hm_audit_event *a, const struct hm_event *e)
{
    return !*a->call ||
           (!hm_event_has(e, HM_F_SYSCALL_NAME) && !hm_event_has(e, HM_F_SYSCALL_NUMBER));
}

/* ---- values -------------------------------------------------------------------------------- */

const struct hm_audit_event *hm_audit_event_of(uint64_t action)
{
    for (size_t i = 0; i < hm_audit_event_count; i++)
        if (hm_audit_events[i].action == action)
            return &hm_audit_events[i];
    return NULL;
}

static struct hm_slice call_of(const struct hm_event *e)
{
    if (hm_event_has(e, HM_F_SYSCALL_NAME))
        return hm_event_str(e, HM_F_SYSCALL_NAME);
    const struct hm_audit_event *a = hm_audit_event_of(hm_event_u64(e, HM_F_ACTION));
    return hm_slice_str(a ? a->call : "");
}

static void number_of(const struct hm_event *e, char buf[HM_DATUM_BUF], struct hm_datum *ret_d)
{
    struct hm_slice call = call_of(e);
    if (hm_event_has(e, HM_F_SYSCALL_NUMBER)) {
        hm_datum_number(hm_event_u64(e, HM_F_SYSCALL_NUMBER), buf, ret_d);
        return;
    }
    for (size_t i = 0; i < HM_ARRAY_LEN(numbers); i++)
        if (hm_slice_eq(call, hm_slice_str(numbers[i].name)))
            hm_datum_number((uint64_t)numbers[i].number, buf, ret_d);
}

static void format(char buf[HM_DATUM_BUF], const char *fmt, uint64_t v, struct hm_datum *ret_d)
{
    int n = snprintf(buf, HM_DATUM_BUF, fmt, (unsigned long long)v);
    hm_datum_text(hm_slice(buf, (size_t)n), ret_d);
}

static void device(uint64_t dev, char buf[HM_DATUM_BUF], struct hm_datum *ret_d)
{
    unsigned major = (unsigned)(dev >> 8 & 0xfff),
             minor = (unsigned)((dev & 0xff) | (dev >> 12 & ~0xffu));
    int n = snprintf(buf, HM_DATUM_BUF, "%02x:%02x", major, minor);
    hm_datum_text(hm_slice(buf, (size_t)n), ret_d);
}

/* A call's a0..a3 in hexadecimal without 0x, as auditd has them. */
static void call_arg(const struct hm_event *e, unsigned i, char buf[HM_DATUM_BUF],
                     struct hm_datum *ret_d)
{
    enum hm_field f = (enum hm_field)(HM_F_SYSCALL_A0 + i);
    if (i < 4 && hm_event_has(e, f))
        format(buf, "%llx", hm_event_u64(e, f), ret_d);
}

static void optional(const char *text, struct hm_datum *ret_d)
{
    if (text)
        hm_datum_text(hm_slice_str(text), ret_d);
}

static void slice_if(bool there, struct hm_slice s, struct hm_datum *ret_d)
{
    if (there)
        hm_datum_text(s, ret_d);
}

#ifdef __aarch64__
#define AUDIT_ARCH_TEXT "c00000b7"
#else
#define AUDIT_ARCH_TEXT "c000003e"
#endif

static void field_value(const struct hm_reading *r, const struct hm_audit_source *s,
                        char buf[HM_DATUM_BUF], struct hm_datum *ret_d)
{
    enum hm_field f = (enum hm_field)s->field;
    uint64_t v = hm_event_u64(r->event, f);
    if (!hm_event_has(r->event, f))
        return;
    switch ((enum hm_audit_form)s->form) {
    case HM_AUDIT_OCTAL:
        format(buf, "0%llo", v, ret_d);
        return;
    case HM_AUDIT_DEV:
        device(v, buf, ret_d);
        return;
    case HM_AUDIT_FAMILY:
        optional(hm_event_str(r->event, f).len == 4 ? "inet" : "inet6", ret_d);
        return;
    case HM_AUDIT_RESULT:
        optional(v == 1 ? "success" : "failed", ret_d);
        return;
    default:
        hm_event_datum(r->bindings, r->event, f, buf, ret_d);
    }
}

/* Where the last argument was found: rules ask for a0, a1, … one after the other. The reading is
 * its maker's own and never constant. */
static struct hm_args *args_of(const struct hm_reading *r)
{
    return (struct hm_args *)&r->args;
}

static void exec_or_call(const struct hm_reading *r, const struct hm_binding *b,
                         enum hm_audit_form form, char buf[HM_DATUM_BUF], struct hm_datum *ret_d)
{
    const struct hm_event *e = r->event;
    struct hm_slice text;
    uint64_t result = hm_event_u64(e, HM_F_NET_RESULT);
    switch (form) {
    case HM_AUDIT_CALL:
        text = call_of(e);
        if (!hm_audit_same(text, ret_d))
            slice_if(text.len, text, ret_d);
        return;
    case HM_AUDIT_NUMBER:
        number_of(e, buf, ret_d);
        return;
    case HM_AUDIT_ARCH:
        optional(AUDIT_ARCH_TEXT, ret_d);
        return;
    case HM_AUDIT_SUCCESS:
        optional(result ? "no" : "yes", ret_d);
        return;
    case HM_AUDIT_EXIT:
        if (result)
            format(buf, "-%llu", result, ret_d);
        else
            hm_datum_number(0, buf, ret_d);
        return;
    case HM_AUDIT_KEY:
        optional(hm_audit_key_of(e, call_of(e)), ret_d);
        return;
    case HM_AUDIT_ARG:
        slice_if(hm_args_at(args_of(r), e, b->index, &text), text, ret_d);
        return;
    case HM_AUDIT_ARGC:
        if (hm_event_has(e, HM_F_PROCESS_ARGC))
            hm_datum_number(hm_event_u64(e, HM_F_PROCESS_ARGC), buf, ret_d);
        return;
    case HM_AUDIT_CALL_ARG:
        call_arg(e, b->index, buf, ret_d);
        return;
    default:
        return;
    }
}

/* /run and /var/run are one folder; rules know it by its older name. */
static void aliased(const struct hm_reading *r, char buf[HM_DATUM_BUF], struct hm_datum *ret_d)
{
    if (!r->text.len || ret_d->kind != HM_DATUM_TEXT ||
        r->text.len + ret_d->text.len > HM_DATUM_BUF)
        return;
    memcpy(buf, r->text.p, r->text.len);
    memcpy(buf + r->text.len, ret_d->text.p, ret_d->text.len);
    hm_datum_text(hm_slice(buf, r->text.len + ret_d->text.len), ret_d);
}

static void get(const struct hm_view *v, uint32_t id, char buf[HM_DATUM_BUF],
                struct hm_datum *ret_d)
{
    const struct hm_reading *r = (const struct hm_reading *)v;
    const struct hm_binding *b = hm_binding_of(r, HM_VIEW_AUDITD, id);
    struct hm_slice text;
    ret_d->kind = HM_DATUM_ABSENT;
    if (b->form != HM_FORM_COLUMN)
        return;
    const struct hm_audit_source *s = &hm_audit_sources[r->record][b->field];
    switch ((enum hm_audit_form)s->form) {
    case HM_AUDIT_NONE:
        return;
    case HM_AUDIT_TEXT:
        if (*s->text) {
            optional(s->text, ret_d);
            return;
        }
        slice_if(hm_log_value(r->text, b->key, &text), text, ret_d); /* it came as text */
        return;
    case HM_AUDIT_CAME:
        slice_if(hm_log_value(r->text, b->key, &text), text, ret_d);
        return;
    case HM_AUDIT_UNIT:
    case HM_AUDIT_ADDED:
        hm_datum_text(r->text, ret_d);
        return;
    case HM_AUDIT_FIELD:
    case HM_AUDIT_OCTAL:
    case HM_AUDIT_DEV:
    case HM_AUDIT_FAMILY:
    case HM_AUDIT_RESULT:
        field_value(r, s, buf, ret_d);
        if (b->field == HM_COLUMN_NAME)
            aliased(r, buf, ret_d);
        return;
    default:
        exec_or_call(r, b, (enum hm_audit_form)s->form, buf, ret_d);
    }
}

/* ---- keywords: what stands in the record ---------------------------------------------------- */

static bool each_argument(const struct hm_reading *r, bool (*each)(void *ctx, struct hm_slice text),
                          void *ctx)
{
    struct hm_args a;
    struct hm_slice arg;
    struct hm_slice line = hm_event_str(r->event, HM_F_PROCESS_COMMAND_LINE);
    if (line.len && each(ctx, line))
        return true;
    hm_args_begin(r->event, &a);
    while (hm_args_next(&a, &arg))
        if (each(ctx, arg))
            return true;
    return false;
}

static bool each_text(const struct hm_view *v, bool (*each)(void *ctx, struct hm_slice text),
                      void *ctx)
{
    const struct hm_reading *r = (const struct hm_reading *)v;
    if (from_text((enum hm_audit_record)r->record))
        return each(ctx, hm_event_str(r->event, HM_F_FOREIGN_TEXT));
    if (r->record == HM_RECORD_EXECVE)
        return each_argument(r, each, ctx);
    for (int c = 0; c < HM_COLUMN_COUNT; c++) {
        const struct hm_audit_source *s = &hm_audit_sources[r->record][c];
        enum hm_field f = (enum hm_field)s->field;
        if (s->form == HM_AUDIT_FIELD && hm_fields[f].type == HM_TYPE_STR &&
            hm_event_has(r->event, f) && each(ctx, r->event->v[f].bytes))
            return true;
    }
    return false;
}

/* ---- readings ------------------------------------------------------------------------------ */

struct out {
    struct hm_reading *r;
    size_t count;
};

static void add(struct out *o, const struct hm_bindings *b, const struct hm_event *e,
                enum hm_audit_record record, struct hm_slice text)
{
    if (o->count == HM_READINGS_MAX)
        return;
    o->r[o->count++] = (struct hm_reading){
        .view = {.get = get, .each_text = each_text, .present = b->shapes[record]},
        .bindings = b,
        .event = e,
        .record = record,
        .text = text};
    if (record == HM_RECORD_EXECVE) { /* every argument lies in it */
        o->r[o->count - 1].view.all_texts = hm_event_str(e, HM_F_PROCESS_COMMAND_LINE);
        o->r[o->count - 1].view.all_is_text = true;
    }
}

/* A record that only some events of the action give, or whose values stand in the line. */
static bool given(const struct hm_event *e, enum hm_audit_record record, struct hm_slice *ret_text)
{
    struct hm_slice line = hm_event_str(e, HM_F_FOREIGN_TEXT),
                    program = hm_event_str(e, HM_F_FOREIGN_PROGRAM);
    switch (record) {
    case HM_RECORD_SCRIPT:
        return hm_event_has(e, HM_F_PROCESS_SCRIPT);
    case HM_RECORD_CWD:
        return hm_event_has(e, HM_F_PROCESS_CWD);
    case HM_RECORD_CAME:
        *ret_text = line;
        return hm_logs_of_event(e) == HM_LOG_AUDIT;
    case HM_RECORD_UNIT_STOPPED:
        return hm_sentence_unit(program, line, "Stopped ", ret_text);
    case HM_RECORD_UNIT_STARTED:
        return hm_sentence_unit(program, line, "Started ", ret_text);
    case HM_RECORD_USER_ADDED:
        return hm_sentence_new_user(program, line, ret_text);
    default:
        return true;
    }
}

static bool below_run(const struct hm_event *e, enum hm_audit_record record)
{
    const struct hm_audit_source *s = &hm_audit_sources[record][HM_COLUMN_NAME];
    if (s->form != HM_AUDIT_FIELD)
        return false;
    struct hm_slice path = hm_event_str(e, (enum hm_field)s->field);
    return path.len > 5 && memcmp(path.p, "/run/", 5) == 0;
}

void hm_audit_reading(const struct hm_bindings *b, const struct hm_event *e,
                      enum hm_audit_record record, struct hm_reading *ret_r)
{
    struct out o = {ret_r, 0};
    add(&o, b, e, record, (struct hm_slice){0});
}

size_t hm_audit_readings(const struct hm_bindings *b, const struct hm_event *e, uint64_t records,
                         struct hm_reading *ret_r)
{
    const struct hm_audit_event *a = hm_audit_event_of(hm_event_u64(e, HM_F_ACTION));
    struct out o = {ret_r, 0};
    for (size_t i = 0; a && i < a->count; i++) {
        enum hm_audit_record record = (enum hm_audit_record)a->records[i];
        struct hm_slice text = {0};
        if (!(records >> record & 1) || !given(e, record, &text))
            continue;
        add(&o, b, e, record, text);
        if (below_run(e, record))
            add(&o, b, e, record, hm_slice_str("/var"));
    }
    return o.count;
}
