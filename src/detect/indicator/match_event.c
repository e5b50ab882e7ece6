/* Which fields of an event hold what kind of value. Two uses: every value is asked for, and the
 * terms of a join are compared with every value. Bounded by limits.h whatever an event holds. */
#include "base/cursor.h"
#include "detect/indicator/set.h"

/* One value in normal form; shown: as the event has it. False: enough. */
typedef bool value_fn(void *ctx, int field, const struct hm_intel_value *v, struct hm_slice shown);
struct walk {
    const struct hm_event *e;
    value_fn *each;
    void *ctx;
    struct hm_intel_value v;
    bool stop;
};

static void give(struct walk *w, int field, struct hm_slice shown)
{
    if (!w->stop)
        w->stop = !w->each(w->ctx, field, &w->v, shown);
}

static void give_digest(struct walk *w, enum hm_field f, enum hm_intel_kind kind, size_t len)
{
    struct hm_slice s = hm_event_str(w->e, f);
    if (s.len != len)
        return;
    w->v.kind = kind;
    w->v.len = len;
    memcpy(w->v.bytes, s.p, len);
    give(w, f, s);
}

static void give_address(struct walk *w, enum hm_field f)
{
    struct hm_slice s = hm_event_str(w->e, f);
    if (hm_intel_value_address(s, &w->v))
        give(w, f, s);
}

static void give_host(struct walk *w, int f, struct hm_slice s)
{
    if (s.len > 2 && s.p[0] == '[' && s.p[s.len - 1] == ']')
        s = hm_slice(s.p + 1, s.len - 2);
    if (hm_intel_value_ip(s, &w->v) || hm_intel_value_domain(s, &w->v))
        give(w, f, s);
}

static void give_path(struct walk *w, enum hm_field f)
{
    struct hm_slice s = hm_event_str(w->e, f), name = hm_intel_base_name(s);
    if (s.len > HM_INTEL_VALUE_MAX_BYTES) /* the end says more than the beginning */
        s = hm_slice(s.p + (s.len - HM_INTEL_VALUE_MAX_BYTES), HM_INTEL_VALUE_MAX_BYTES);
    if (hm_intel_value_path(HM_INTEL_PATH, s, &w->v))
        give(w, f, s);
    if (hm_intel_value_path(HM_INTEL_NAME, name, &w->v))
        give(w, f, name);
}

/* --- URLs within a text ----------------------------------------------------------------------- */
static bool ends_url(uint8_t c)
{
    return c <= ' ' || c == 0x7f || strchr("\"'`<>|\\^{}", c);
}

static bool scheme_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* The URL around "://" at `at`; punctuation behind it belongs to the sentence. */
static struct hm_slice url_around(struct hm_slice s, size_t at)
{
    size_t from = at, to = at + 3;
    while (from > 0 && at - from < 16 && scheme_byte(s.p[from - 1]))
        from--;
    while (to < s.len && to - from < HM_INTEL_VALUE_MAX_BYTES && !ends_url(s.p[to]))
        to++;
    while (to > at + 3 && strchr(".,;:!?)]&", s.p[to - 1]) &&
           !(s.p[to - 1] == ']' && memchr(s.p + at, '[', to - at)))
        to--;
    return hm_slice(s.p + from, from == at ? 0 : to - from);
}

static void give_url(struct walk *w, int f, struct hm_slice url)
{
    struct hm_slice host = {0};
    uint8_t copy[256];
    if (!hm_intel_value_url(url, &w->v, &host))
        return;
    size_t n = host.len <= sizeof copy ? host.len : 0;
    memcpy(copy, host.p, n);
    give(w, f, url);
    const uint8_t *query = memchr(w->v.bytes, '?', w->v.len);
    if (query) { /* the page itself, whatever is asked of it */
        w->v.len = (size_t)(query - w->v.bytes);
        give(w, f, url);
    }
    give_host(w, f, hm_slice(copy, n));
}

static void give_urls(struct walk *w, enum hm_field f)
{
    struct hm_slice s = hm_event_str(w->e, f);
    size_t found = 0;
    if (s.len > HM_INTEL_TEXT_SCAN_BYTES)
        s.len = HM_INTEL_TEXT_SCAN_BYTES;
    for (size_t at = 0; found < HM_INTEL_EVENT_URLS_MAX && at < s.len;) {
        const uint8_t *p = memmem(s.p + at, s.len - at, "://", 3);
        if (!p)
            return;
        struct hm_slice url = url_around(s, (size_t)(p - s.p));
        if (url.len) {
            give_url(w, f, url);
            found++;
        }
        at = (size_t)(p - s.p) + 3;
    }
}

static void give_names(struct walk *w, enum hm_field f)
{
    struct hm_slice s = hm_event_str(w->e, f);
    for (int n = 0; n < HM_INTEL_EVENT_NAMES_MAX && s.len; n++) {
        const uint8_t *gap = memchr(s.p, ' ', s.len);
        size_t len = gap ? (size_t)(gap - s.p) : s.len;
        give_host(w, f, hm_slice(s.p, len));
        s = hm_slice(s.p + len + (gap != NULL), s.len - len - (gap != NULL));
    }
}

/* --- events ----------------------------------------------------------------------------------- */
/* A process' own fields are in every event of it: they are looked at where it begins. */
static bool tells_of_process(const struct hm_event *e)
{
    switch (hm_event_u64(e, HM_F_ACTION)) {
    case HM_ACTION_PROCESS_EXEC:
    case HM_ACTION_PROCESS_SNAPSHOT:
    case HM_ACTION_PROCESS_IMAGE:
        return true;
    default:
        return !hm_event_has(e, HM_F_CLASS);
    }
}

static void walk_process(struct walk *w)
{
    give_digest(w, HM_F_PROCESS_SHA256, HM_INTEL_SHA256, 32);
    give_path(w, HM_F_PROCESS_IMAGE);
    give_path(w, HM_F_PROCESS_INTERPRETER);
    give_urls(w, HM_F_PROCESS_COMMAND_LINE);
    give_address(w, HM_F_PROCESS_STDIO_IP);
}

static void walk_network(struct walk *w)
{
    bool inbound = hm_event_u64(w->e, HM_F_NET_DIRECTION) == 1;
    give_address(w, inbound ? HM_F_SRC_IP : HM_F_DST_IP);
    if (hm_event_has(w->e, HM_F_DST_DOMAIN))
        give_host(w, HM_F_DST_DOMAIN, hm_event_str(w->e, HM_F_DST_DOMAIN));
    if (hm_event_has(w->e, HM_F_DNS_QUERY_NAME))
        give_host(w, HM_F_DNS_QUERY_NAME, hm_event_str(w->e, HM_F_DNS_QUERY_NAME));
    give_names(w, HM_F_DNS_ANSWERS);
}

static void walk_files(struct walk *w)
{
    give_digest(w, HM_F_FILE_SHA256, HM_INTEL_SHA256, 32);
    give_path(w, HM_F_FILE_PATH);
    give_path(w, HM_F_FILE_SOURCE_PATH);
    give_path(w, HM_F_MODULE_PATH);
    give_urls(w, HM_F_SERVICE_PATH);
    give_urls(w, HM_F_SCRIPT_TEXT);
}

static void walk_event(struct walk *w)
{
    uint64_t class = hm_event_u64(w->e, HM_F_CLASS);
    if (class == HM_CLASS_FINDING || class == HM_CLASS_AGENT || class == HM_CLASS_LOSS)
        return;
    if (tells_of_process(w->e))
        walk_process(w);
    walk_network(w);
    walk_files(w);
}

/* --- joins ------------------------------------------------------------------------------------ */
struct term {
    uint8_t kind, flags, prefix;
    struct hm_slice value;
    bool held;
};

static bool same_block(const struct term *t, const struct hm_intel_value *v)
{
    struct hm_blob_block k = {.prefix = t->prefix};
    uint8_t wide[16] = {0};
    if (t->value.len != v->len || t->value.len > sizeof wide)
        return false;
    memcpy(k.start, t->value.p, t->value.len);
    memcpy(wide, v->bytes, v->len);
    return hm_blob_within(&k, hm_blob_be64(wide), hm_blob_be64(wide + 8));
}

static bool compare(void *ctx, int field, const struct hm_intel_value *v, struct hm_slice shown)
{
    struct term *t = ctx;
    struct hm_slice value = hm_slice(v->bytes, v->len);
    (void)field, (void)shown;
    if (t->kind != v->kind)
        return true;
    t->held = t->kind == HM_INTEL_IP       ? same_block(t, v)
              : t->kind == HM_INTEL_DOMAIN ? hm_intel_domain_within(value, t->value)
                                           : hm_slice_eq(value, t->value);
    return !t->held;
}

static bool port_is(const struct hm_event *e, enum hm_field f, struct hm_slice value)
{
    return value.len == 2 && hm_event_has(e, f) &&
           hm_event_u64(e, f) == ((uint64_t)value.p[0] | (uint64_t)value.p[1] << 8);
}

static bool term_holds(const struct hm_event *e, struct term *t)
{
    struct walk w = {.e = e, .each = compare, .ctx = t};
    if (t->kind == HM_TERM_DST_PORT || t->kind == HM_TERM_SRC_PORT)
        t->held = port_is(e, t->kind == HM_TERM_DST_PORT ? HM_F_DST_PORT : HM_F_SRC_PORT, t->value);
    else
        walk_event(&w);
    return t->held != (t->flags & HM_TERM_NOT);
}

static bool holds(const struct hm_intel_ask *a, uint32_t terms)
{
    struct hm_slice s = a->i->s[HM_BLOB_TERMS];
    if (terms >= s.len)
        return false;
    struct hm_cursor c = hm_cursor(hm_slice(s.p + terms, s.len - terms));
    size_t count = hm_cursor_u8(&c);
    for (size_t i = 0; i < count; i++) {
        struct term t = {.kind = hm_cursor_u8(&c)};
        t.flags = hm_cursor_u8(&c);
        t.value = hm_cursor_take(&c, hm_cursor_le16(&c));
        if (c.error)
            return false;
        if (t.kind == HM_INTEL_IP && t.value.len)
            t.prefix = t.value.p[--t.value.len];
        if (!term_holds(a->event, &t))
            return false;
    }
    return count > 0 && !c.error;
}

/* --- asking ----------------------------------------------------------------------------------- */
static bool ask(void *ctx, int field, const struct hm_intel_value *v, struct hm_slice shown)
{
    struct hm_intel_ask *a = ctx;
    a->field = field;
    a->shown = shown;
    hm_intel_ask(a, v);
    if (v->kind == HM_INTEL_PATH)
        hm_intel_ask_path(a, shown);
    return true;
}

size_t hm_intel_match_event(const struct hm_intel *i, const struct hm_event *e, uint64_t now_s,
                            hm_intel_hit_fn *hit, void *ctx)
{
    struct hm_intel_ask a = {
        .i = i, .now_s = now_s, .hit = hit, .ctx = ctx, .holds = holds, .event = e, .field = -1};
    struct walk w = {.e = e, .each = ask, .ctx = &a};
    walk_event(&w);
    return a.hits;
}
