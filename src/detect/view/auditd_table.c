/* Owns auditd.def as data: what each record's columns are made of, and which keys, types and system
 * calls there are. How a value is made is auditd.c's. */
#include "detect/view/auditd.h"

/* ---- the table ----------------------------------------------------------------------------- */
const char *const hm_audit_columns[HM_COLUMN_COUNT] = {
#define COLUMN(id, name) [HM_COLUMN_##id] = name,
#include "detect/view/auditd.def"
};

const struct hm_audit_source hm_audit_sources[HM_RECORD_COUNT][HM_COLUMN_COUNT] = {
#define VALUE_FIELD(f)                                                                             \
    {                                                                                              \
        HM_AUDIT_FIELD, f, NULL                                                                    \
    }
#define VALUE_OCTAL(f)                                                                             \
    {                                                                                              \
        HM_AUDIT_OCTAL, f, NULL                                                                    \
    }
#define VALUE_TEXT(t)                                                                              \
    {                                                                                              \
        HM_AUDIT_TEXT, 0, t                                                                        \
    }
#define VALUE_CALL(x)                                                                              \
    {                                                                                              \
        HM_AUDIT_CALL, x, NULL                                                                     \
    }
#define VALUE_NUMBER(x)                                                                            \
    {                                                                                              \
        HM_AUDIT_NUMBER, x, NULL                                                                   \
    }
#define VALUE_ARCH(x)                                                                              \
    {                                                                                              \
        HM_AUDIT_ARCH, x, NULL                                                                     \
    }
#define VALUE_SUCCESS(x)                                                                           \
    {                                                                                              \
        HM_AUDIT_SUCCESS, x, NULL                                                                  \
    }
#define VALUE_EXIT(x)                                                                              \
    {                                                                                              \
        HM_AUDIT_EXIT, x, NULL                                                                     \
    }
#define VALUE_KEY(x)                                                                               \
    {                                                                                              \
        HM_AUDIT_KEY, x, NULL                                                                      \
    }
#define VALUE_ARG(x)                                                                               \
    {                                                                                              \
        HM_AUDIT_ARG, x, NULL                                                                      \
    }
#define VALUE_ARGC(x)                                                                              \
    {                                                                                              \
        HM_AUDIT_ARGC, x, NULL                                                                     \
    }
#define VALUE_CALL_ARG(x)                                                                          \
    {                                                                                              \
        HM_AUDIT_CALL_ARG, x, NULL                                                                 \
    }
#define VALUE_DEV(f)                                                                               \
    {                                                                                              \
        HM_AUDIT_DEV, f, NULL                                                                      \
    }
#define VALUE_FAMILY(f)                                                                            \
    {                                                                                              \
        HM_AUDIT_FAMILY, f, NULL                                                                   \
    }
#define VALUE_RESULT(f)                                                                            \
    {                                                                                              \
        HM_AUDIT_RESULT, f, NULL                                                                   \
    }
#define VALUE_CAME(x)                                                                              \
    {                                                                                              \
        HM_AUDIT_CAME, x, NULL                                                                     \
    }
#define VALUE_UNIT(x)                                                                              \
    {                                                                                              \
        HM_AUDIT_UNIT, x, NULL                                                                     \
    }
#define VALUE_ADDED(x)                                                                             \
    {                                                                                              \
        HM_AUDIT_ADDED, x, NULL                                                                    \
    }
#define HAS(record, column, form, x) [HM_RECORD_##record][HM_COLUMN_##column] = VALUE_##form(x),
#define RECORD(id, type)             [HM_RECORD_##id][HM_COLUMN_TYPE] = {HM_AUDIT_TEXT, 0, type},
#include "detect/view/auditd.def"
};

const struct hm_audit_event hm_audit_events[] = {
#define R(id)                        HM_RECORD_##id,
#define COUNT_OF(...)                (uint8_t)(sizeof((const uint8_t[]){__VA_ARGS__}))
#define EVENT(action, call, records) {HM_ACTION_##action, call, COUNT_OF(records), {records}},
#include "detect/view/auditd.def"
};
const size_t hm_audit_event_count = HM_ARRAY_LEN(hm_audit_events);

static const struct {
    const char *key;
    struct hm_slice path;
} watches[] = {
#define WATCH(key, path) {key, {(const uint8_t *)(path), sizeof(path) - 1}},
#include "detect/view/auditd.def"
};

static const struct {
    const char *key, *call;
    int64_t a0;
} calls[] = {
#define CALL(key, call, a0) {key, call, a0},
#include "detect/view/auditd.def"
};

static const struct {
    const char *type, *names;
} came[] = {
#define CAME(type, names) {type, names},
#include "detect/view/auditd.def"
};

static const struct {
    const char *call;
    size_t count;
    struct hm_datum names[3];
} same[] = {
#define T(s)                                                                                       \
    {                                                                                              \
        .kind = HM_DATUM_TEXT, .text = {(const uint8_t *)(s), sizeof(s) - 1 }                      \
    }
#define NAMES(...)                                                                                 \
    sizeof((struct hm_datum[]){__VA_ARGS__}) / sizeof(struct hm_datum),                            \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define SAME(call, ...) {call, NAMES(__VA_ARGS__)},
#include "detect/view/auditd.def"
};

static const char *const sensed[] = {
#define SENSED(call) call,
#include "detect/view/auditd.def"
};

bool hm_audit_same(struct hm_slice call, struct hm_datum *ret_list)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(same); i++) {
        if (!hm_slice_eq(call, hm_slice_str(same[i].call)))
            continue;
        *ret_list = (struct hm_datum){
            .kind = HM_DATUM_LIST, .count = same[i].count, .items = same[i].names};
        return true;
    }
    return false;
}

const char *hm_audit_sensed(size_t i)
{
    return i < HM_ARRAY_LEN(sensed) ? sensed[i] : NULL;
}

const char *hm_audit_key(size_t i)
{
    static const char connect[] = "network_connect_4";
    if (i == 0)
        return connect;
    i--;
    if (i < HM_ARRAY_LEN(watches))
        return watches[i].key;
    i -= HM_ARRAY_LEN(watches);
    return i < HM_ARRAY_LEN(calls) ? calls[i].key : NULL;
}

const char *hm_audit_came(size_t i, const char **ret_names)
{
    if (i >= HM_ARRAY_LEN(came))
        return NULL;
    *ret_names = came[i].names;
    return came[i].type;
}

enum hm_column_source hm_audit_column(enum hm_audit_record r, enum hm_column c,
                                      enum hm_field *ret_field, const char **ret_text)
{
    const struct hm_audit_source *s = &hm_audit_sources[r][c];
    switch ((enum hm_audit_form)s->form) {
    case HM_AUDIT_NONE:
        return HM_COLUMN_NONE;
    case HM_AUDIT_FIELD:
    case HM_AUDIT_OCTAL:
    case HM_AUDIT_DEV:
    case HM_AUDIT_FAMILY:
    case HM_AUDIT_RESULT:
        *ret_field = (enum hm_field)s->field;
        return HM_COLUMN_ROW;
    case HM_AUDIT_TEXT:
        *ret_text = s->text;
        return *s->text ? HM_COLUMN_ONE : HM_COLUMN_TYPES;
    case HM_AUDIT_CALL:
        return HM_COLUMN_CALLS;
    case HM_AUDIT_KEY:
        return HM_COLUMN_KEYS;
    default:
        return HM_COLUMN_ANY;
    }
}

/* /usr/bin/nc and /bin/nc are one file, and audit watches files. */
static bool watched(struct hm_slice path, struct hm_slice watch)
{
    static const char usr[] = "/usr";
    if (path.len > sizeof usr - 1 && memcmp(path.p, usr, sizeof usr - 1) == 0)
        path = hm_slice(path.p + sizeof usr - 1, path.len - (sizeof usr - 1));
    return hm_slice_eq(path, watch);
}

const char *hm_audit_key_of(const struct hm_event *e, struct hm_slice call)
{
    uint64_t action = hm_event_u64(e, HM_F_ACTION);
    struct hm_slice image = hm_event_str(e, HM_F_PROCESS_IMAGE);
    if (action == HM_ACTION_NETWORK_CONNECT)
        return hm_event_str(e, HM_F_DST_IP).len == 4 && !hm_event_u64(e, HM_F_NET_RESULT)
                   ? hm_audit_key(0)
                   : NULL;
    for (size_t i = 0; action == HM_ACTION_PROCESS_EXEC && i < HM_ARRAY_LEN(watches); i++)
        if (watched(image, watches[i].path))
            return watches[i].key;
    for (size_t i = 0; action == HM_ACTION_SYSCALL_CALL && i < HM_ARRAY_LEN(calls); i++)
        if (hm_slice_eq(call, hm_slice_str(calls[i].call)) &&
            (calls[i].a0 < 0 || (uint64_t)calls[i].a0 == hm_event_u64(e, HM_F_SYSCALL_A0)))
            return calls[i].key;
    return NULL;
}
