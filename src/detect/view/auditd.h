/* The table of audit records (auditd.def) as data, for auditd.c and for coverage. */
#pragma once
#include "detect/view/bindings.h"

enum hm_column {
#define COLUMN(id, name) HM_COLUMN_##id,
#include "detect/view/auditd.def"
    HM_COLUMN_COUNT
};
enum hm_audit_record {
#define RECORD(id, type) HM_RECORD_##id,
#include "detect/view/auditd.def"
    HM_RECORD_COUNT
};
#define HM_EVENT_RECORDS_MAX 6
struct hm_audit_event { /* one of our events and the records that it gives */
    uint64_t action;
    const char *call;
    uint8_t count, records[HM_EVENT_RECORDS_MAX];
};
extern const struct hm_audit_event hm_audit_events[];
extern const size_t hm_audit_event_count;

_Static_assert(HM_RECORD_COUNT <= 64, "records are bits");
const struct hm_audit_event *hm_audit_event_of(uint64_t action); /* NULL: no record */
/* Has the column the same value in this record of each usual event of the action? */
bool hm_audit_fixed(const struct hm_audit_event *a, enum hm_audit_record record, enum hm_column c);
/* false: the event itself says which system call it was, and hm_audit_fixed() is not about it. */
bool hm_audit_usual(const struct hm_audit_event *a, const struct hm_event *e);
/* The event as this record, whether or not it gives one. */
void hm_audit_reading(const struct hm_bindings *b, const struct hm_event *e,
                      enum hm_audit_record record, struct hm_reading *ret_r);

enum hm_audit_form {
    HM_AUDIT_NONE,
    HM_AUDIT_FIELD,
    HM_AUDIT_OCTAL,
    HM_AUDIT_TEXT,
    HM_AUDIT_CALL,
    HM_AUDIT_NUMBER,
    HM_AUDIT_ARCH,
    HM_AUDIT_SUCCESS,
    HM_AUDIT_EXIT,
    HM_AUDIT_KEY,
    HM_AUDIT_ARG,
    HM_AUDIT_ARGC,
    HM_AUDIT_CALL_ARG,
    HM_AUDIT_DEV,
    HM_AUDIT_FAMILY,
    HM_AUDIT_RESULT,
    HM_AUDIT_CAME,
    HM_AUDIT_UNIT,
    HM_AUDIT_ADDED,
};

struct hm_audit_source {
    uint8_t form;
    uint16_t field;
    const char *text;
};
extern const struct hm_audit_source hm_audit_sources[HM_RECORD_COUNT][HM_COLUMN_COUNT];
extern const char *const hm_audit_columns[HM_COLUMN_COUNT];
/* The key that auditd's usual rules would have given the event; NULL: none. */
const char *hm_audit_key_of(const struct hm_event *e, struct hm_slice call);

/* What a column of a record can be, for coverage. */
enum hm_column_source {
    HM_COLUMN_NONE,  /* the record has no such column */
    HM_COLUMN_ROW,   /* the value of a row of fields.def */
    HM_COLUMN_ONE,   /* always the text */
    HM_COLUMN_CALLS, /* a name of a system call */
    HM_COLUMN_KEYS,  /* a key of the table */
    HM_COLUMN_TYPES, /* a type of the records that come as text */
    HM_COLUMN_ANY,   /* depends on the event, anything is possible */
};
enum hm_column_source hm_audit_column(enum hm_audit_record r, enum hm_column c,
                                      enum hm_field *ret_field, const char **ret_text);
/* All names of the call, as a list to match. false: it has only its own. */
bool hm_audit_same(struct hm_slice call, struct hm_datum *ret_list);
/* i-th entry of a table, NULL at its end. */
const char *hm_audit_sensed(size_t i);
const char *hm_audit_key(size_t i);
const char *hm_audit_came(size_t i, const char **ret_names);
