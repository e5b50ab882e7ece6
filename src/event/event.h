/* One event in memory: a presence bitmap and one 16-byte slot a field, straight from fields.def.
 * Strings are borrowed: whoever fills the event keeps the bytes alive while it is used.
 * Threads: plain data, no locks. */
#pragma once
#include "base/buf.h"
#include "base/cursor.h"
#include "base/error.h"
#include "base/slice.h"

enum hm_type { HM_TYPE_U64, HM_TYPE_X64, HM_TYPE_STR, HM_TYPE_BYTES, HM_TYPE_IP, HM_TYPE_EVENTS };
enum hm_privacy { HM_PRIVACY_NONE, HM_PRIVACY_PERSON, HM_PRIVACY_CONTENT };

enum hm_field {
#define F(num, id, ...) HM_F_##id,
#include "event/fields.def"
#undef F
    HM_FIELD_COUNT
};

enum hm_class {
#define C(num, id, ...) HM_CLASS_##id = num,
#include "event/classes.def"
#undef C
};

enum hm_action {
#define A(num, id, ...) HM_ACTION_##id = num,
#include "event/actions.def"
#undef A
};

/* process.flags */
enum {
    HM_PROC_ARGS_TRUNCATED = 1 << 0,
    HM_PROC_MEMFD = 1 << 1,
    HM_PROC_DELETED = 1 << 2,
    HM_PROC_SETUID = 1 << 3, /* effective ids changed by the exec */
    HM_PROC_SCRIPT = 1 << 4,
    HM_PROC_KERNEL_THREAD = 1 << 5,
    HM_PROC_PATH_TRUNCATED = 1 << 6,
};
/* process.stdin, .stdout, .stderr */
enum {
    HM_STDIO_CLOSED,
    HM_STDIO_FILE,
    HM_STDIO_PIPE,
    HM_STDIO_SOCKET,
    HM_STDIO_TTY,
    HM_STDIO_OTHER
};
/* scan.result */
enum { HM_SCAN_MATCHED = 1, HM_SCAN_PARTIAL, HM_SCAN_FAILED };

struct hm_field_info {
    uint32_t number;
    enum hm_type type;
    enum hm_privacy privacy;
    bool envelope;
    const char *id, *name, *column, *sigma, *ocsf, *unit, *meaning;
};
extern const struct hm_field_info hm_fields[HM_FIELD_COUNT];

union hm_value {
    uint64_t u64;          /* U64, X64 */
    struct hm_slice bytes; /* STR, BYTES, IP, EVENTS */
};

#define HM_PRESENT_WORDS ((HM_FIELD_COUNT + 63) / 64)
#define HM_UNKNOWN_MAX   16 /* fields of a newer agent that are carried along unread */

struct hm_event {
    uint64_t present[HM_PRESENT_WORDS];
    union hm_value v[HM_FIELD_COUNT];
    uint32_t unknown_count;
    struct {
        uint32_t number;
        struct hm_slice raw; /* tag and value as received */
    } unknown[HM_UNKNOWN_MAX];
};

static inline void hm_event_clear(struct hm_event *e)
{
    memset(e->present, 0, sizeof e->present);
    e->unknown_count = 0;
}
static inline bool hm_event_has(const struct hm_event *e, enum hm_field f)
{
    return e->present[f / 64] >> (f % 64) & 1;
}
static inline void hm_event_set_u64(struct hm_event *e, enum hm_field f, uint64_t v)
{
    e->present[f / 64] |= UINT64_C(1) << (f % 64);
    e->v[f].u64 = v;
}
static inline void hm_event_set(struct hm_event *e, enum hm_field f, struct hm_slice s)
{
    e->present[f / 64] |= UINT64_C(1) << (f % 64);
    e->v[f].bytes = s;
}
static inline void hm_event_unset(struct hm_event *e, enum hm_field f)
{
    e->present[f / 64] &= ~(UINT64_C(1) << (f % 64));
}
/* Absent reads as 0 / the empty slice. */
static inline uint64_t hm_event_u64(const struct hm_event *e, enum hm_field f)
{
    return hm_event_has(e, f) ? e->v[f].u64 : 0;
}
static inline struct hm_slice hm_event_str(const struct hm_event *e, enum hm_field f)
{
    return hm_event_has(e, f) ? e->v[f].bytes : (struct hm_slice){0};
}

/* --- codec.c: canonical protobuf wire format ------------------------------------------------ */
#define HM_EVENT_MAX_BYTES (256 * 1024)

/* Append the canonical bytes (no length prefix, envelope fields left out). Errors stick in out. */
void hm_event_encode(const struct hm_event *e, struct hm_buf *out);
/* Decode; strings point into data. Refuses whatever would not re-encode to itself, envelope fields
 * included: -EBADMSG, and ret_e is empty then. Threads: reentrant. */
int hm_event_decode(struct hm_slice data, struct hm_event *ret_e) HM_CHECK;
/* Lists of events (EVENTS fields, batches): each event after its length as a varint. */
void hm_event_pack(const struct hm_event *e, struct hm_buf *out);
int hm_event_unpack(struct hm_cursor *c, struct hm_event *ret_e) HM_CHECK;

/* --- names.c -------------------------------------------------------------------------------- */
/* -1 when unknown. Sigma names are matched exactly, as the specification says. */
int hm_field_by_name(struct hm_slice json_name);
int hm_field_by_sigma(struct hm_slice sigma_name);
const char *hm_class_name(uint64_t c); /* "unknown" when unknown */
const char *hm_action_name(uint64_t a);
uint64_t hm_class_by_name(struct hm_slice name); /* 0 unknown */
uint64_t hm_action_by_name(uint64_t class, struct hm_slice name);

/* --- json.c --------------------------------------------------------------------------------- */
/* One flat object with dotted names in the order of fields.def. X64 keys as 16 hex digits, times
 * ("time", "received") as decimal strings of nanoseconds plus ISO text in "@time"; BYTES as hex;
 * IP as text; class and action by name; EVENTS as an array of objects. Invalid UTF-8 and control
 * bytes are written as \u00XX so that the output is always valid JSON. */
void hm_event_to_json(const struct hm_event *e, struct hm_buf *out);
/* Append s as the inside of a JSON string (no quotes). */
void hm_json_escape(struct hm_slice s, struct hm_buf *out);

/* --- schema.c ------------------------------------------------------------------------------- */
void hm_schema_proto(struct hm_buf *out);    /* a .proto any language can read */
void hm_schema_markdown(struct hm_buf *out); /* docs/events.md */
