/* Owns the reading of our own event by Sigma's generic names: which row of fields.def a name means,
 * and how its value is written in rules. */
#include "detect/view/bindings.h"
#include "base/clock.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <time.h>

#define HM_LINES_MAX 8 /* values of a list; a static assertion keeps buf large enough for them */
_Static_assert((HM_LINES_MAX + 1) * sizeof(struct hm_datum) <= HM_DATUM_BUF, "room for a list");

/* Names whose value is not simply a row's. */
static const struct {
    const char *name;
    uint8_t form;
    uint16_t field;
} special[] = {
    {"Hashes", HM_FORM_HASHES, HM_F_PROCESS_SHA256},
    {"sha256", HM_FORM_FIELD, HM_F_PROCESS_SHA256},
    {"SHA256", HM_FORM_FIELD, HM_F_PROCESS_SHA256},
    {"Initiated", HM_FORM_INITIATED, HM_F_NET_DIRECTION},
    {"LogonId", HM_FORM_LOGON, HM_F_USER_ID},
    {"class", HM_FORM_CLASS, HM_F_CLASS},
    {"action", HM_FORM_ACTION, HM_F_ACTION},
};

/* "process.ancestors", or "process.ancestors.3": the nearest three. */
static bool bind_lines(struct hm_slice name, struct hm_binding *ret_b)
{
    static const struct {
        const char *name;
        uint16_t field;
    } lists[] = {{"process.ancestors", HM_F_CONTEXT_ANCESTORS},
                 {"process.masquerade", HM_F_CONTEXT_MASQUERADE}};
    for (size_t i = 0; i < HM_ARRAY_LEN(lists); i++) {
        size_t n = strlen(lists[i].name), max = HM_LINES_MAX;
        if (name.len < n || memcmp(name.p, lists[i].name, n) != 0)
            continue;
        if (name.len == n + 2 && name.p[n] == '.' && name.p[n + 1] > '0' &&
            name.p[n + 1] <= '0' + HM_LINES_MAX)
            max = (size_t)(name.p[n + 1] - '0');
        else if (name.len != n)
            continue;
        *ret_b = (struct hm_binding){
            .form = HM_FORM_LINES, .field = lists[i].field, .index = (uint16_t)max};
        return true;
    }
    return false;
}

void hm_event_bind(struct hm_slice name, struct hm_binding *ret_b)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(special); i++) {
        if (hm_slice_eq(name, hm_slice_str(special[i].name))) {
            ret_b->form = special[i].form;
            ret_b->field = special[i].field;
            return;
        }
    }
    if (bind_lines(name, ret_b))
        return;
    int f = hm_field_by_name(name);
    if (f < 0)
        f = hm_field_by_sigma(name);
    if (f < 0)
        return;
    ret_b->form = HM_FORM_FIELD;
    ret_b->field = (uint16_t)f;
}

/* Decimal without printf: this runs for every number of every event. */
void hm_datum_number(uint64_t v, char buf[HM_DATUM_BUF], struct hm_datum *ret_d)
{
    char *at = buf + 24, *end = at;
    uint64_t rest = v;
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    *ret_d = (struct hm_datum){.kind = HM_DATUM_NUMBER,
                               .text = hm_slice(at, (size_t)(end - at)),
                               .number = v > INT64_MAX ? INT64_MAX : (int64_t)v};
}

static struct hm_slice hex(struct hm_slice s, const char digits[17], char *buf, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len && n + 2 <= room; i++) {
        buf[n++] = digits[s.p[i] >> 4];
        buf[n++] = digits[s.p[i] & 15];
    }
    return hm_slice(buf, n);
}

/* inet_ntop() goes through printf, and there is one or two in each event of the network. */
static struct hm_slice dotted(const uint8_t ip[4], char buf[HM_DATUM_BUF])
{
    size_t n = 0;
    for (int i = 0; i < 4; i++) {
        if (i)
            buf[n++] = '.';
        if (ip[i] >= 100)
            buf[n++] = (char)('0' + ip[i] / 100);
        if (ip[i] >= 10)
            buf[n++] = (char)('0' + ip[i] / 10 % 10);
        buf[n++] = (char)('0' + ip[i] % 10);
    }
    return hm_slice(buf, n);
}

static void address(struct hm_slice ip, char buf[HM_DATUM_BUF], struct hm_datum *ret_d)
{
    if (ip.len == 4) {
        *ret_d = (struct hm_datum){.kind = HM_DATUM_IP, .text = dotted(ip.p, buf), .ip = ip};
        return;
    }
    if (!inet_ntop(ip.len == 16 ? AF_INET6 : AF_INET, ip.p, buf, HM_DATUM_BUF))
        return;
    *ret_d = (struct hm_datum){.kind = HM_DATUM_IP, .text = hm_slice_str(buf), .ip = ip};
}

/* Times since 1970 as ISO 8601 in UTC, which the time modifiers read; others as they are. */
static void fixed64(enum hm_field f, uint64_t v, char buf[HM_DATUM_BUF], struct hm_datum *ret_d)
{
    struct tm tm;
    time_t s = (time_t)(v / 1000000000);
    if (strncmp(hm_fields[f].unit, "ns since 1970", 13) == 0 && gmtime_r(&s, &tm)) {
        size_t n = strftime(buf, HM_DATUM_BUF, "%Y-%m-%dT%H:%M:%SZ", &tm);
        hm_datum_text(hm_slice(buf, n), ret_d);
        return;
    }
    if (strncmp(hm_fields[f].unit, "ns", 2) == 0) {
        hm_datum_number(v, buf, ret_d);
        return;
    }
    hm_datum_text(
        hm_slice(buf, (size_t)snprintf(buf, HM_DATUM_BUF, "%016llx", (unsigned long long)v)),
        ret_d);
}

static void number(const struct hm_bindings *b, enum hm_field f, uint64_t v, char buf[HM_DATUM_BUF],
                   struct hm_datum *ret_d)
{
    size_t count;
    const struct hm_datum *words = hm_words_of(b->words, f, v, &count);
    if (words)
        *ret_d = (struct hm_datum){.kind = HM_DATUM_LIST, .count = count, .items = words};
    else
        hm_datum_number(v, buf, ret_d);
}

void hm_event_datum(const struct hm_bindings *b, const struct hm_event *e, enum hm_field f,
                    char buf[HM_DATUM_BUF], struct hm_datum *ret_d)
{
    ret_d->kind = HM_DATUM_ABSENT;
    if (!hm_event_has(e, f))
        return;
    union hm_value v = e->v[f];
    switch (hm_fields[f].type) {
    case HM_TYPE_STR:
        hm_datum_text(v.bytes, ret_d);
        return;
    case HM_TYPE_U64:
        number(b, f, v.u64, buf, ret_d);
        return;
    case HM_TYPE_X64:
        fixed64(f, v.u64, buf, ret_d);
        return;
    case HM_TYPE_IP:
        address(v.bytes, buf, ret_d);
        return;
    case HM_TYPE_BYTES:
        hm_datum_text(hex(v.bytes, "0123456789abcdef", buf, HM_DATUM_BUF), ret_d);
        return;
    case HM_TYPE_EVENTS:
        return;
    }
}

static void hashes(const struct hm_event *e, char buf[HM_DATUM_BUF], struct hm_datum *ret_d)
{
    static const char name[] = "SHA256=";
    struct hm_slice sha = hm_event_str(e, HM_F_PROCESS_SHA256);
    ret_d->kind = HM_DATUM_ABSENT;
    if (!sha.len)
        return;
    memcpy(buf, name, sizeof name - 1);
    struct hm_slice digits =
        hex(sha, "0123456789ABCDEF", buf + sizeof name - 1, HM_DATUM_BUF - sizeof name);
    hm_datum_text(hm_slice(buf, sizeof name - 1 + digits.len), ret_d);
}

static void initiated(const struct hm_event *e, struct hm_datum *ret_d)
{
    ret_d->kind = HM_DATUM_ABSENT;
    if (hm_event_has(e, HM_F_NET_DIRECTION))
        hm_datum_text(hm_slice_str(hm_event_u64(e, HM_F_NET_DIRECTION) == 2 ? "true" : "false"),
                      ret_d);
}

/* The items are made in buf, which has room for HM_LINES_MAX of them. */
static void lines(struct hm_slice text, size_t max, char buf[HM_DATUM_BUF], struct hm_datum *ret_d)
{
    uintptr_t at =
        ((uintptr_t)buf + _Alignof(struct hm_datum) - 1) & ~(_Alignof(struct hm_datum) - 1);
    struct hm_datum *item = (struct hm_datum *)at;
    size_t n = 0;
    for (size_t from = 0; n < max && from < text.len;) {
        const uint8_t *end = memchr(text.p + from, '\n', text.len - from);
        size_t len = end ? (size_t)(end - text.p) - from : text.len - from;
        hm_datum_text(hm_slice(text.p + from, len), &item[n++]);
        from += len + 1;
    }
    *ret_d =
        (struct hm_datum){.kind = n ? HM_DATUM_LIST : HM_DATUM_ABSENT, .count = n, .items = item};
}

static void get(const struct hm_view *v, uint32_t id, char buf[HM_DATUM_BUF],
                struct hm_datum *ret_d)
{
    const struct hm_reading *r = (const struct hm_reading *)v;
    const struct hm_binding *b = hm_binding_of(r, HM_VIEW_EVENT, id);
    switch ((enum hm_form)b->form) {
    case HM_FORM_FIELD:
        hm_event_datum(r->bindings, r->event, (enum hm_field)b->field, buf, ret_d);
        return;
    case HM_FORM_HASHES:
        hashes(r->event, buf, ret_d);
        return;
    case HM_FORM_INITIATED:
        initiated(r->event, ret_d);
        return;
    case HM_FORM_LINES:
        lines(hm_event_str(r->event, (enum hm_field)b->field), b->index, buf, ret_d);
        return;
    case HM_FORM_LOGON:
        hm_event_datum(r->bindings, r->event,
                       hm_event_has(r->event, HM_F_PROCESS_LOGON_ID) ? HM_F_PROCESS_LOGON_ID
                                                                     : HM_F_USER_ID,
                       buf, ret_d);
        return;
    case HM_FORM_CLASS:
        hm_datum_text(hm_slice_str(hm_class_name(hm_event_u64(r->event, HM_F_CLASS))), ret_d);
        return;
    case HM_FORM_ACTION:
        hm_datum_text(hm_slice_str(hm_action_name(hm_event_u64(r->event, HM_F_ACTION))), ret_d);
        return;
    default:
        ret_d->kind = HM_DATUM_ABSENT;
    }
}

/* What the event itself says. Who acted was told when it began: the parent's command line in each
 * of its children, or the actor's in each of its files, would be the same hit again and again. */
static bool says(const struct hm_event *e, enum hm_field f)
{
    bool begins = hm_event_u64(e, HM_F_CLASS) == HM_CLASS_PROCESS &&
                  hm_event_u64(e, HM_F_ACTION) == HM_ACTION_PROCESS_EXEC;
    if (hm_fields[f].type != HM_TYPE_STR || !hm_event_has(e, f))
        return false;
    uint32_t n = hm_fields[f].number;
    if (n >= hm_fields[HM_F_CONTEXT_ANCESTORS].number)
        return false; /* what we know beside the event is not in it */
    if (n >= hm_fields[HM_F_PARENT_KEY].number && n <= hm_fields[HM_F_PARENT_COMMAND_LINE].number)
        return false;
    if (n >= hm_fields[HM_F_CONTEXT_ANCESTORS].number)
        return false; /* lent by the engine, not said by the event */
    return begins || strncmp(hm_fields[f].name, "process.", 8) != 0;
}

static bool each_text(const struct hm_view *v, bool (*each)(void *ctx, struct hm_slice text),
                      void *ctx)
{
    const struct hm_reading *r = (const struct hm_reading *)v;
    for (int word = 0; word < HM_PRESENT_WORDS; word++)
        for (uint64_t bits = r->event->present[word]; bits; bits &= bits - 1) {
            enum hm_field f = (enum hm_field)(word * 64 + __builtin_ctzll(bits));
            if (says(r->event, f) && each(ctx, r->event->v[f].bytes))
                return true;
        }
    return false;
}

size_t hm_event_readings(const struct hm_bindings *b, const struct hm_event *e,
                         struct hm_reading *ret_r)
{
    *ret_r = (struct hm_reading){
        .view = {.get = get, .each_text = each_text, .present = b->present[HM_VIEW_EVENT]},
        .bindings = b,
        .event = e};
    return 1;
}
