/* Inside of struct hm_bindings, shared by the files of this folder only: for each view and each
 * field id, how its value is made. Made once a rule set; nothing here is looked up by name later.
 */
#pragma once
#include "detect/view/reading.h"

enum hm_form {
    HM_FORM_NONE,      /* this view has no such field */
    HM_FORM_FIELD,     /* a row of fields.def */
    HM_FORM_HASHES,    /* SHA256=HEX, as Sysmon writes it */
    HM_FORM_INITIATED, /* "true" when the connection goes out */
    HM_FORM_LOGON,     /* Windows' logon id; on Linux, as Sysmon has it, the user's id */
    HM_FORM_CLASS,     /* name of the event's class */
    HM_FORM_ACTION,    /* name of what happened */
    HM_FORM_COLUMN,    /* a column of audit records (auditd.def), or one that came as text */
    HM_FORM_KEY,       /* KEY=value somewhere in a log line */
    HM_FORM_LINES,     /* a row whose text is a list, newline between; index: how many at most */
};
struct hm_binding {
    uint8_t form;
    uint16_t field;  /* enum hm_field; HM_FORM_COLUMN: enum hm_column */
    uint16_t index;  /* HM_COLUMN_ARG: which argument */
    const char *key; /* the name, for what is looked for in text; owned by the bindings */
};

struct hm_words; /* words.c */
struct hm_bindings {
    size_t count, word_count; /* field ids; 64-bit words of a set of them */
    struct hm_binding *of[HM_VIEW_KINDS];
    uint64_t *present[HM_VIEW_KINDS];
    uint32_t *bound[HM_VIEW_KINDS];
    size_t bound_count[HM_VIEW_KINDS];
    uint64_t **shapes; /* per audit record, the ids it has */
    struct hm_words *words;
    char *names; /* all keys, NUL between */
};
static inline const struct hm_binding *hm_binding_of(const struct hm_reading *r,
                                                     enum hm_view_kind kind, uint32_t id)
{
    static const struct hm_binding none;
    return id < r->bindings->count ? &r->bindings->of[kind][id] : &none;
}

/* event_view.c: how a name is bound, and the value of a row of fields.def as rules write it. */
void hm_event_bind(struct hm_slice name, struct hm_binding *ret_b);
void hm_event_datum(const struct hm_bindings *b, const struct hm_event *e, enum hm_field f,
                    char buf[HM_DATUM_BUF], struct hm_datum *ret_d);
size_t hm_event_readings(const struct hm_bindings *b, const struct hm_event *e,
                         struct hm_reading *ret_r);
/* auditd.c */
void hm_audit_bind(struct hm_slice name, struct hm_binding *ret_b);
size_t hm_audit_shapes(void);
bool hm_audit_shape_has(size_t shape, const struct hm_binding *b);
/* records: bits over enum hm_audit_record, those worth reading. */
size_t hm_audit_readings(const struct hm_bindings *b, const struct hm_event *e, uint64_t records,
                         struct hm_reading *ret_r);
/* log_view.c */
void hm_log_bind(struct hm_slice name, struct hm_binding *ret_b);
size_t hm_log_readings(const struct hm_bindings *b, const struct hm_event *e,
                       struct hm_reading *ret_r);
/* The value of KEY=value in a line: quoted, or to the next separator. false: no such key. */
bool hm_log_value(struct hm_slice line, const char *key, struct hm_slice *ret_value);

/* words.c: numbers that rules write as words. NULL: this number has no word. */
struct hm_words *hm_words_new(void);
void hm_words_free(struct hm_words *w);
const struct hm_datum *hm_words_of(const struct hm_words *w, enum hm_field f, uint64_t value,
                                   size_t *ret_count);

static inline void hm_datum_text(struct hm_slice s, struct hm_datum *ret_d)
{
    *ret_d = (struct hm_datum){.kind = HM_DATUM_TEXT, .text = s};
}
void hm_datum_number(uint64_t v, char buf[HM_DATUM_BUF], struct hm_datum *ret_d);
