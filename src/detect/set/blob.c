/* Owns the rule set as bytes: names, what hits tell, sources, programs. Written by one process and
 * opened by another that trusts it no further than its checks go. */
#include "base/crc32c.h"
#include "base/cursor.h"
#include "detect/limits.h"
#include "detect/match/limits.h"
#include "detect/set/set.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAGIC   UINT64_C(0x31534c55524d4848) /* "HHMRULS1" */
#define VERSION 2

static void put_text(struct hm_buf *out, const char *s)
{
    size_t n = strlen(s);
    hm_buf_put_varint(out, n);
    hm_buf_put(out, s, n);
}

void hm_set_put_info(struct hm_buf *out, const struct hm_rule *r)
{
    const char *const texts[] = {r->id,     r->title,     r->title_ja,   r->reason,  r->reason_ja,
                                 r->advice, r->advice_ja, r->techniques, r->tactics, r->path};
    for (size_t k = 0; k < HM_ARRAY_LEN(texts); k++)
        put_text(out, texts[k]);
    hm_buf_put_le64(out, r->version);
    hm_buf_put_u8(out, r->severity);
    hm_buf_put_u8(out, r->scan_memory);
}

static void put_rule(struct hm_buf *out, const struct hm_ruleset *rs, size_t i)
{
    hm_set_put_info(out, &rs->rules[i]);
    hm_buf_put_u8(out, (uint8_t)(rs->silent[i] | rs->live[i] << 1));
}

static void put_program(struct hm_buf *out, const struct hm_program *p)
{
    struct hm_slice bytes = p ? hm_program_bytes(p) : (struct hm_slice){0};
    hm_buf_put_le64(out, bytes.len);
    hm_buf_put(out, bytes.p, bytes.len);
}

static void put_body(const struct hm_ruleset *rs, struct hm_buf *out)
{
    size_t names = hm_names_count(rs->names);
    hm_buf_put_u8(out, (uint8_t)rs->target);
    hm_buf_put_u8(out, rs->routed);
    hm_buf_put_varint(out, names);
    for (size_t i = 0; i < names; i++)
        put_text(out, hm_names_text(rs->names, (uint32_t)i));
    hm_buf_put_varint(out, rs->count);
    for (size_t i = 0; i < rs->count; i++)
        put_rule(out, rs, i);
    hm_set_put_correlations(rs, out);
    hm_buf_put_varint(out, rs->calls);
    hm_buf_put_varint(out, rs->source_count);
    for (size_t i = 1; rs->target == HM_TARGET_EVENTS && i < rs->source_count; i++) {
        hm_buf_put_u8(out, (uint8_t)rs->keys[i].view);
        hm_buf_put_varint(out, rs->keys[i].key);
    }
    hm_buf_put_varint(out, rs->hint_count);
    for (size_t i = 0; i < rs->hint_count; i++)
        hm_buf_put_varint(out, rs->hints[i]);
    hm_buf_put_varint(out, rs->alias_count);
    for (size_t i = 0; i < rs->alias_count; i++) {
        hm_buf_put_varint(out, rs->aliases[i].source);
        hm_buf_put_varint(out, rs->aliases[i].name);
        hm_buf_put_varint(out, rs->aliases[i].real);
    }
    put_program(out, rs->program);
    put_program(out, rs->router);
}

int hm_ruleset_write(const struct hm_ruleset *rs, struct hm_buf *out)
{
    size_t from = out->len;
    hm_buf_put_le64(out, MAGIC);
    hm_buf_put_le32(out, VERSION);
    hm_buf_put_le32(out, 0);
    size_t body = out->len;
    put_body(rs, out);
    if (out->error)
        return out->error;
    uint32_t crc = hm_crc32c(0, hm_slice(out->data + body, out->len - body));
    for (int i = 0; i < 4; i++)
        out->data[from + 12 + i] = (uint8_t)(crc >> (8 * i));
    return 0;
}

/* --- reading -----------------------------------------------------------------------------------
 */

static size_t get_count(struct hm_cursor *c, size_t max)
{
    uint64_t n = hm_cursor_varint(c);
    if (n > max || n > hm_cursor_left(c))
        hm_cursor_fail(c);
    return c->error ? 0 : (size_t)n;
}

static struct hm_slice get_slice(struct hm_cursor *c)
{
    return hm_cursor_take(c, get_count(c, SIZE_MAX));
}

static const char *get_text(struct hm_cursor *c, struct hm_arena *a)
{
    struct hm_slice s = get_slice(c);
    if (s.len && memchr(s.p, 0, s.len))
        hm_cursor_fail(c);
    const char *text = hm_arena_strndup(a, s.len ? s.p : (const uint8_t *)"", s.len);
    if (!text)
        hm_cursor_fail(c);
    return text;
}

static int get_names(struct hm_ruleset *rs, struct hm_cursor *c)
{
    size_t n = get_count(c, HM_NAMES_MAX);
    rs->names = hm_names_new();
    rs->own_names = true;
    if (!rs->names)
        return -ENOMEM;
    for (size_t i = 0; i < n && !c->error; i++) {
        struct hm_slice s = get_slice(c);
        if ((s.len && memchr(s.p, 0, s.len)) || hm_names_intern(rs->names, s) != i)
            hm_cursor_fail(c); /* twice the same, or out of memory */
    }
    return 0;
}

void hm_set_get_info(struct hm_cursor *c, struct hm_arena *a, struct hm_rule *r)
{
    const char **texts[] = {&r->id,     &r->title,     &r->title_ja,   &r->reason,  &r->reason_ja,
                            &r->advice, &r->advice_ja, &r->techniques, &r->tactics, &r->path};
    for (size_t k = 0; k < HM_ARRAY_LEN(texts); k++)
        *texts[k] = get_text(c, a);
    r->version = hm_cursor_le64(c);
    r->severity = hm_cursor_u8(c);
    r->scan_memory = hm_cursor_u8(c) == 1;
}

static void get_rule(struct hm_ruleset *rs, struct hm_cursor *c, size_t i)
{
    hm_set_get_info(c, rs->arena, &rs->rules[i]);
    uint8_t flags = hm_cursor_u8(c);
    rs->silent[i] = flags & 1;
    rs->live[i] = flags >> 1 & 1;
}

static int get_rules(struct hm_ruleset *rs, struct hm_cursor *c)
{
    rs->count = get_count(c, HM_RULES_MAX);
    rs->rules = hm_arena_alloc(rs->arena, (rs->count + 1) * sizeof *rs->rules);
    rs->silent = hm_arena_alloc(rs->arena, rs->count + 1);
    rs->live = hm_arena_alloc(rs->arena, rs->count + 1);
    if (!rs->rules || !rs->silent || !rs->live)
        return -ENOMEM;
    for (size_t i = 0; i < rs->count && !c->error; i++)
        get_rule(rs, c, i);
    return 0;
}

static int get_sources(struct hm_ruleset *rs, struct hm_cursor *c)
{
    rs->calls = hm_cursor_varint(c);
    uint64_t n = hm_cursor_varint(c);
    bool events = rs->target == HM_TARGET_EVENTS;
    if (n < 1 || n > (events ? HM_SET_KEYS_MAX : HM_SOURCES_MAX))
        hm_cursor_fail(c);
    rs->source_count = c->error ? 1 : (size_t)n;
    rs->keys = hm_arena_alloc(rs->arena, HM_SET_KEYS_MAX * sizeof *rs->keys);
    if (!rs->keys)
        return -ENOMEM;
    for (size_t i = 1; events && i < rs->source_count && !c->error; i++) {
        rs->keys[i].view = hm_cursor_u8(c);
        rs->keys[i].key = hm_cursor_varint(c);
        if (rs->keys[i].view >= HM_VIEW_KINDS)
            hm_cursor_fail(c);
    }
    return 0;
}

static uint32_t get_below(struct hm_cursor *c, size_t limit)
{
    uint64_t v = hm_cursor_varint(c);
    if (v >= limit)
        hm_cursor_fail(c);
    return c->error ? 0 : (uint32_t)v;
}

static int get_lends(struct hm_ruleset *rs, struct hm_cursor *c)
{
    size_t names = hm_names_count(rs->names);
    rs->hint_count = get_count(c, HM_SET_KEYS_MAX);
    rs->hints = hm_arena_alloc(rs->arena, (rs->hint_count + 1) * sizeof *rs->hints);
    for (size_t i = 0; rs->hints && i < rs->hint_count; i++)
        rs->hints[i] = get_below(c, names);
    rs->alias_count = get_count(c, HM_NAMES_MAX);
    rs->aliases = hm_arena_alloc(rs->arena, (rs->alias_count + 1) * sizeof *rs->aliases);
    for (size_t i = 0; rs->aliases && i < rs->alias_count; i++) {
        rs->aliases[i].source = get_below(c, rs->source_count);
        rs->aliases[i].name = get_below(c, names);
        rs->aliases[i].real = get_below(c, names);
    }
    return rs->hints && rs->aliases ? 0 : -ENOMEM;
}

static int get_program(struct hm_cursor *c, bool optional, struct hm_program **ret_p)
{
    uint64_t n = hm_cursor_le64(c);
    if (n > hm_cursor_left(c))
        hm_cursor_fail(c);
    struct hm_slice bytes = hm_cursor_take(c, c->error ? 0 : (size_t)n);
    if (c->error)
        return -EBADMSG;
    return optional && n == 0 ? 0 : hm_program_open(bytes, ret_p);
}

/* The programs count rules, names and sources themselves: they have to be these. */
static bool agree(const struct hm_ruleset *rs)
{
    struct hm_program_counts p = hm_program_counts(rs->program), r = {0};
    size_t names = hm_names_count(rs->names);
    if (p.rules != rs->count || p.names > names || p.sources != rs->source_count)
        return false;
    if (!rs->router)
        return rs->target == HM_TARGET_EVENTS || !rs->routed;
    r = hm_program_counts(rs->router);
    return rs->target == HM_TARGET_RECORDS && r.rules + 2 == rs->source_count && r.names <= names &&
           r.sources == 1;
}

static int get_body(struct hm_ruleset *rs, struct hm_cursor *c)
{
    uint8_t target = hm_cursor_u8(c);
    rs->routed = hm_cursor_u8(c) == 1;
    rs->target = target;
    if (target > HM_TARGET_RECORDS)
        hm_cursor_fail(c);
    int r = get_names(rs, c);
    if (!r)
        r = get_rules(rs, c);
    if (!r)
        r = hm_set_get_correlations(rs, c);
    if (!r)
        r = get_sources(rs, c);
    if (!r)
        r = get_lends(rs, c);
    if (!r)
        r = get_program(c, false, &rs->program);
    if (!r)
        r = get_program(c, true, &rs->router);
    if (!r)
        r = hm_cursor_end(c);
    return r ? r : agree(rs) ? 0 : -EBADMSG;
}

int hm_ruleset_open(struct hm_slice blob, struct hm_ruleset **ret_rs)
{
    struct hm_cursor c = hm_cursor(blob);
    uint64_t magic = hm_cursor_le64(&c);
    uint32_t version = hm_cursor_le32(&c), crc = hm_cursor_le32(&c);
    if (c.error || magic != MAGIC || version != VERSION ||
        crc != hm_crc32c(0, hm_slice(c.p, hm_cursor_left(&c))))
        return -EBADMSG;
    struct hm_ruleset *rs = hm_set_new();
    if (!rs)
        return -ENOMEM;
    int r = get_body(rs, &c);
    if (!r)
        r = hm_set_finish(rs);
    if (r)
        hm_ruleset_free(rs);
    else
        *ret_rs = rs;
    return r;
}

int hm_ruleset_serialize(const struct hm_ruleset *rs, int fd)
{
    struct hm_buf out = HM_BUF(HM_RULESET_MAX_BYTES);
    int r = hm_ruleset_write(rs, &out);
    for (size_t at = 0; !r && at < out.len;) {
        ssize_t n = write(fd, out.data + at, out.len - at);
        if (n < 0 && errno != EINTR)
            r = -errno;
        at += n > 0 ? (size_t)n : 0;
    }
    hm_buf_done(&out);
    return r;
}

/* Read, not mapped: whoever still holds the descriptor could change a mapping under us. */
int hm_ruleset_map(int fd, struct hm_ruleset **ret_rs)
{
    struct stat st;
    if (fstat(fd, &st))
        return -errno;
    if (st.st_size < 0 || (uint64_t)st.st_size > HM_RULESET_MAX_BYTES)
        return -E2BIG;
    size_t len = (size_t)st.st_size, at = 0;
    hm_autofree uint8_t *data = malloc(len + 1);
    if (!data)
        return -ENOMEM;
    while (at < len) {
        ssize_t n = pread(fd, data + at, len - at, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EBADMSG;
        at += (size_t)n;
    }
    return hm_ruleset_open(hm_slice(data, len), ret_rs);
}
