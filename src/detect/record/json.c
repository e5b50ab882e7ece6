/* Owns the grammar: one pass over the line with a stack of its own, no recursion. */
#include "detect/record/limits.h"
#include "detect/record/reader.h"
#include <errno.h>
#include <stdio.h>

struct level {
    bool object;
    uint32_t path;  /* length of the path before this level's keys */
    uint32_t array; /* outermost array, 0: none */
    uint32_t field; /* an array's */
    bool empty;     /* an array in which nothing was seen */
};
struct line {
    struct hm_record *r;
    const uint8_t *from, *p, *end;
    struct level levels[HM_RECORD_DEPTH_MAX];
    size_t depth;
    uint32_t path_len;
    uint32_t field; /* of the value that comes next, or HM_NAME_NONE */
    const char *why;
};

static int bad(struct line *l, const char *why)
{
    l->why = why;
    return -EBADMSG;
}

static void space(struct line *l)
{
    while (l->p < l->end && (*l->p == ' ' || *l->p == '\t' || *l->p == '\n' || *l->p == '\r'))
        l->p++;
}

/* From before the quote to after the closing one. */
static int string(struct line *l, struct hm_slice *ret_s)
{
    const uint8_t *from = ++l->p;
    bool high = false, escaped = false;
    for (;;) {
        l->p = hm_text_plain(l->p, l->end, &high);
        if (l->p >= l->end)
            return bad(l, "a string does not end");
        if (*l->p == '"')
            break;
        if (*l->p != '\\')
            return bad(l, "a control byte in a string");
        if (l->end - l->p < 2)
            return bad(l, "a string does not end");
        escaped = true;
        l->p += 2;
    }
    *ret_s = hm_slice(from, (size_t)(l->p - from));
    l->p++;
    if (high && !hm_text_utf8(ret_s->p, ret_s->len))
        return bad(l, "not UTF-8");
    if (!escaped)
        return 0;
    uint8_t *out = l->r->decoded + l->r->decoded_len;
    size_t n = hm_text_unescape(ret_s->p, ret_s->len, out);
    if (n == SIZE_MAX)
        return bad(l, "an escape that JSON does not have");
    l->r->decoded_len += n;
    *ret_s = hm_slice(out, n);
    return 0;
}

static bool digits(struct line *l)
{
    const uint8_t *from = l->p;
    while (l->p < l->end && *l->p >= '0' && *l->p <= '9')
        l->p++;
    return l->p > from;
}

static void read_integer(struct hm_datum *d)
{
    struct hm_slice s = d->text;
    bool minus = s.p[0] == '-';
    uint64_t v = 0, limit = (uint64_t)INT64_MAX + minus;
    for (size_t i = minus; i < s.len && !d->real; i++) {
        unsigned digit = s.p[i] - '0';
        d->real = v > (limit - digit) / 10;
        v = v * 10 + digit;
    }
    if (minus && v == 0)
        d->real = true; /* "-0" is written otherwise than any integer */
    if (!d->real)
        d->number = minus ? (int64_t)(0 - v) : (int64_t)v;
}

static int number(struct line *l, struct hm_datum *ret_d)
{
    const uint8_t *from = l->p;
    bool real = false;
    if (*l->p == '-')
        l->p++;
    const uint8_t *first = l->p;
    if (!digits(l) || (*first == '0' && l->p - first > 1))
        return bad(l, "not a number");
    if (l->p < l->end && *l->p == '.') {
        real = true;
        l->p++;
        if (!digits(l))
            return bad(l, "not a number");
    }
    if (l->p < l->end && (*l->p | 0x20) == 'e') {
        real = true;
        l->p++;
        if (l->p < l->end && (*l->p == '+' || *l->p == '-'))
            l->p++;
        if (!digits(l))
            return bad(l, "not a number");
    }
    *ret_d = (struct hm_datum){
        .kind = HM_DATUM_NUMBER, .real = real, .text = hm_slice(from, (size_t)(l->p - from))};
    if (!real)
        read_integer(ret_d);
    return 0;
}

static bool word(struct line *l, const char *text, size_t len)
{
    if ((size_t)(l->end - l->p) < len || memcmp(l->p, text, len) != 0)
        return false;
    l->p += len;
    return true;
}

static int scalar(struct line *l, struct hm_datum *ret_d)
{
    *ret_d = (struct hm_datum){.kind = HM_DATUM_TEXT};
    switch (*l->p) {
    case '"':
        return string(l, &ret_d->text);
    case 't':
        ret_d->text = hm_slice(l->p, 4);
        return word(l, "true", 4) ? 0 : bad(l, "no such word in JSON");
    case 'f':
        ret_d->text = hm_slice(l->p, 5);
        return word(l, "false", 5) ? 0 : bad(l, "no such word in JSON");
    case 'n':
        ret_d->kind = HM_DATUM_NULL;
        return word(l, "null", 4) ? 0 : bad(l, "no such word in JSON");
    default:
        if (*l->p != '-' && (*l->p < '0' || *l->p > '9'))
            return bad(l, "a value is needed here");
        return number(l, ret_d);
    }
}

/* Texts stand one after the other, so that keywords can be looked for in all of them at once. Each
 * had a quote or comma more in the line than its separator here, so that there is room. */
static struct hm_slice collect(struct hm_record *r, struct hm_slice text)
{
    uint8_t *to = r->decoded + r->decoded_len;
    if (text.p < r->decoded || text.p >= to) {
        memcpy(to, text.p, text.len);
        r->decoded_len += text.len;
        text.p = to;
    }
    r->decoded[r->decoded_len++] = 0;
    return text;
}

static int put_scalar(struct line *l, struct hm_datum *d, bool keyword)
{
    struct level *at = &l->levels[l->depth - 1];
    at->empty = false;
    int e = 0;
    if (keyword) {
        d->text = collect(l->r, d->text);
        e = hm_record_text(l->r, d->text);
    }
    if (!e && l->field != HM_NAME_NONE)
        e = hm_record_put(l->r, l->field, d, at->array);
    return e;
}

static int open_level(struct line *l, bool object)
{
    if (l->depth >= HM_RECORD_DEPTH_MAX) {
        l->why = "nested too deep";
        return -E2BIG;
    }
    uint32_t array = l->depth ? l->levels[l->depth - 1].array : 0;
    if (l->depth)
        l->levels[l->depth - 1].empty = false;
    if (!object && !array)
        array = ++l->r->arrays;
    l->levels[l->depth++] = (struct level){object, l->path_len, array, l->field, !object};
    l->p++;
    return 0;
}

/* The dotted name of a key: the path of the objects around it is in r->path. */
static int key(struct line *l)
{
    struct level *at = &l->levels[l->depth - 1];
    struct hm_slice name;
    if (l->p >= l->end || *l->p != '"')
        return bad(l, "a name in quotes is needed here");
    int e = string(l, &name);
    if (e)
        return e;
    space(l);
    if (l->p >= l->end || *l->p != ':')
        return bad(l, "a colon is needed here");
    l->p++;
    space(l);
    uint32_t before = at->path;
    bool opens = l->p < l->end && (*l->p == '{' || *l->p == '[');
    if (before || opens) {
        if (before + 1 + name.len > HM_RECORD_PATH_MAX) {
            l->why = "names too long";
            return -E2BIG;
        }
        if (before)
            l->r->path[before++] = '.';
        memcpy(l->r->path + before, name.p, name.len);
        l->path_len = before + (uint32_t)name.len;
        name = hm_slice(l->r->path, l->path_len);
    }
    l->field = name.len ? hm_record_field(l->r, name) : HM_NAME_NONE;
    return 0;
}

static int value(struct line *l)
{
    struct hm_datum d;
    if (l->p >= l->end)
        return bad(l, "cut off");
    if (*l->p == '{' || *l->p == '[')
        return open_level(l, *l->p == '{');
    bool quoted = *l->p == '"';
    int e = scalar(l, &d);
    bool keyword = quoted || d.kind == HM_DATUM_NUMBER; /* a rule's words, not JSON's */
    return e ? e : put_scalar(l, &d, keyword);
}

static int close_level(struct line *l)
{
    struct level *at = &l->levels[l->depth - 1];
    int e = 0;
    if (!at->object && at->empty && at->field != HM_NAME_NONE)
        e = hm_record_put(l->r, at->field, NULL, at->array);
    l->p++;
    l->path_len = at->path;
    l->depth--;
    l->field = l->depth ? l->levels[l->depth - 1].field : HM_NAME_NONE;
    return e;
}

/* After a value: a comma and what it promises, or the end of levels. */
static int after(struct line *l)
{
    while (l->depth) {
        struct level *at = &l->levels[l->depth - 1];
        space(l);
        if (l->p >= l->end)
            return bad(l, "cut off");
        if (*l->p == ',') {
            l->p++;
            space(l);
            if (at->object)
                return key(l);
            return 0;
        }
        if (*l->p != (at->object ? '}' : ']'))
            return bad(l, "a comma or the end is needed here");
        int e = close_level(l);
        if (e)
            return e;
    }
    return 0;
}

/* After an opening bracket: the first name or value, or at once the end. */
static int first(struct line *l, bool *ret_closed)
{
    struct level *at = &l->levels[l->depth - 1];
    space(l);
    *ret_closed = l->p < l->end && *l->p == (at->object ? '}' : ']');
    if (*ret_closed)
        return close_level(l);
    return at->object ? key(l) : 0;
}

static int walk(struct line *l)
{
    space(l);
    if (l->p >= l->end || *l->p != '{')
        return bad(l, "an event is an object");
    int e = open_level(l, true);
    bool opened = true;
    while (!e && l->depth) {
        bool closed = false;
        if (opened)
            e = first(l, &closed);
        opened = false;
        if (!e && !closed) {
            size_t depth = l->depth;
            e = value(l);
            opened = l->depth > depth;
        }
        if (!e && !opened)
            e = after(l);
    }
    space(l);
    return e ? e : l->p < l->end ? bad(l, "something after the object") : 0;
}

static int gather(struct hm_record *r)
{
    if (r->node_count > r->item_cap) {
        struct hm_datum *p = reallocarray(r->items, r->node_cap, sizeof *p);
        if (!p)
            return -ENOMEM;
        r->items = p;
        r->item_cap = r->node_cap;
    }
    for (size_t i = 0; i < r->list_count; i++) {
        struct hm_field_slot *f = &r->fields[r->lists[i]];
        if (!f->array || f->list.items)
            continue; /* replaced later in the line, or gathered already */
        f->list = (struct hm_datum){.kind = HM_DATUM_LIST, .items = r->items + r->item_count};
        for (uint32_t n = f->first; n != HM_NAME_NONE; n = r->nodes[n].next) {
            r->items[r->item_count++] = r->nodes[n].datum;
            f->list.count++;
        }
    }
    return 0;
}

static void begin(struct hm_record *r)
{
    memset(r->present, 0, (r->name_count / 64 + 1) * sizeof *r->present);
    r->node_count = r->item_count = r->text_count = r->list_count = r->decoded_len = 0;
    r->arrays = 0;
    r->view.all_texts = (struct hm_slice){0};
    if (++r->stamp == 0) {
        memset(r->fields, 0, r->name_count * sizeof *r->fields);
        r->stamp = 1;
    }
}

static int room(struct hm_record *r, size_t len)
{
    if (len <= r->decoded_cap / 2)
        return 0;
    uint8_t *p = len <= HM_RECORD_MAX_BYTES ? malloc(len * 4) : NULL;
    if (!p)
        return len > HM_RECORD_MAX_BYTES ? -E2BIG : -ENOMEM;
    free(r->decoded);
    r->decoded = p;
    r->decoded_cap = len * 4;
    return 0;
}

int hm_record_parse(struct hm_record *r, struct hm_slice text, struct hm_error *err)
{
    struct line l = {.r = r, .from = text.p, .p = text.p, .end = text.p + text.len};
    l.field = HM_NAME_NONE;
    begin(r);
    int e = room(r, text.len + 1);
    if (e == -E2BIG)
        l.why = "line too long";
    if (!e)
        e = walk(&l);
    if (!e)
        e = gather(r);
    if (!e) {
        r->view.all_texts = hm_slice(r->decoded, r->decoded_len);
        return 0;
    }
    begin(r);
    return hm_fail_at(err, e, 1, (uint32_t)(l.p - l.from) + 1, "%s",
                      l.why         ? l.why
                      : e == -E2BIG ? "more values than are taken in one event"
                                    : "out of memory");
}
