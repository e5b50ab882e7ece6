/* Events as JSON for people, consoles and pipes. Output is valid JSON whatever bytes an event
 * holds: names of files are chosen by attackers. Never parsed back by us. */
#include "base/clock.h"
#include "base/cursor.h"
#include "base/ip.h"
#include "event/event.h"
#include <inttypes.h>

#define NEST_MAX 1 /* evidence holds events, and these hold none */

/* Length of the well-formed UTF-8 sequence at p (Unicode 15, table 3-7), 0 when there is none. */
static size_t utf8_len(const uint8_t *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    size_t n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (left < n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

static size_t plain_run(struct hm_slice s, size_t at)
{
    size_t i = at;

    while (i < s.len && s.p[i] != '"' && s.p[i] != '\\' && s.p[i] >= 0x20 && s.p[i] != 0x7f) {
        size_t n = utf8_len(s.p + i, s.len - i);
        if (!n)
            break;
        i += n;
    }
    return i - at;
}

void hm_json_escape(struct hm_slice s, struct hm_buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        size_t n = plain_run(s, i);
        hm_buf_put(out, s.p + i, n);
        i += n;
        if (i == s.len)
            break;
        if (s.p[i] == '"' || s.p[i] == '\\')
            hm_buf_printf(out, "\\%c", s.p[i]);
        else
            hm_buf_printf(out, "\\u%04x", s.p[i]);
    }
}

static void put_hex(struct hm_slice s, struct hm_buf *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < s.len; i++) {
        hm_buf_put_u8(out, (uint8_t)digits[s.p[i] >> 4]);
        hm_buf_put_u8(out, (uint8_t)digits[s.p[i] & 15]);
    }
}

static void put_object(const struct hm_event *e, struct hm_buf *out, int depth);

/* false when the bytes are no list of events: the caller shows them as they are */
static bool put_events(struct hm_slice list, struct hm_buf *out, int depth)
{
    struct hm_cursor c = hm_cursor(list);
    struct hm_event *e = malloc(sizeof *e); /* 2.5 KiB: not on the stack at every depth */
    size_t before = out->len;
    bool ok = e != NULL;

    hm_buf_put_u8(out, '[');
    for (bool first = true; ok && hm_cursor_left(&c); first = false) {
        ok = hm_event_unpack(&c, e) == 0;
        if (!first && ok)
            hm_buf_put_u8(out, ',');
        if (ok)
            put_object(e, out, depth + 1);
    }
    hm_buf_put_u8(out, ']');
    free(e);
    if (!ok && !out->error)
        out->len = before;
    return ok;
}

static void put_x64(enum hm_field f, uint64_t v, struct hm_buf *out)
{
    bool time = hm_fields[f].unit[0] == 'n';

    hm_buf_printf(out, time ? "\"%" PRIu64 "\"" : "\"%016" PRIx64 "\"", v);
}

static void put_u64(enum hm_field f, uint64_t v, struct hm_buf *out)
{
    if (f == HM_F_CLASS || f == HM_F_LOSS_CLASS)
        hm_buf_printf(out, "\"%s\"", v || f == HM_F_CLASS ? hm_class_name(v) : "several");
    else if (f == HM_F_ACTION)
        hm_buf_printf(out, "\"%s\"", hm_action_name(v));
    else
        hm_buf_printf(out, "%" PRIu64, v);
}

static void put_bytes(enum hm_field f, struct hm_slice s, struct hm_buf *out, int depth)
{
    char ip[HM_IP_TEXT_BYTES];

    if (hm_fields[f].type == HM_TYPE_EVENTS && depth < NEST_MAX && put_events(s, out, depth))
        return;
    hm_buf_put_u8(out, '"');
    if (hm_fields[f].type == HM_TYPE_STR)
        hm_json_escape(s, out);
    else if (hm_fields[f].type == HM_TYPE_IP)
        hm_buf_puts(out, hm_ip_format(s, ip));
    else
        put_hex(s, out);
    hm_buf_put_u8(out, '"');
}

static void put_value(const struct hm_event *e, enum hm_field f, struct hm_buf *out, int depth)
{
    switch (hm_fields[f].type) {
    case HM_TYPE_U64:
        put_u64(f, e->v[f].u64, out);
        break;
    case HM_TYPE_X64:
        put_x64(f, e->v[f].u64, out);
        break;
    default:
        put_bytes(f, e->v[f].bytes, out, depth);
    }
}

static void put_object(const struct hm_event *e, struct hm_buf *out, int depth)
{
    const char *comma = "";
    char iso[32];

    hm_buf_put_u8(out, '{');
    for (int f = 0; f < HM_FIELD_COUNT; f++) {
        if (!hm_event_has(e, f))
            continue;
        hm_buf_printf(out, "%s\"%s\":", comma, hm_fields[f].name);
        put_value(e, f, out, depth);
        comma = ",";
        if (f == HM_F_WALL_NS)
            hm_buf_printf(out, ",\"@time\":\"%s\"", hm_clock_format(e->v[f].u64, iso, sizeof iso));
    }
    if (e->unknown_count)
        hm_buf_printf(out, "%s\"@unknown\":%u", comma, e->unknown_count);
    hm_buf_put_u8(out, '}');
}

void hm_event_to_json(const struct hm_event *e, struct hm_buf *out)
{
    put_object(e, out, 0);
}
