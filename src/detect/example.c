/* See example.h. */
#include "detect/example.h"
#include "detect/view/reading.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const beside[] = {"action", "at", "repeat", "every"};

static bool is_field(const char *key)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(beside); i++)
        if (strcmp(key, beside[i]) == 0)
            return false;
    return true;
}

static int bad(const struct hm_yaml *y, const char *what, struct hm_error *err)
{
    return hm_fail_at(err, -EINVAL, y->line, y->column, "example: %s", what);
}

/* Seconds, with fractions, as milliseconds; at most a year. */
static int seconds(const struct hm_yaml *map, const char *key, uint64_t *ret_ms,
                   struct hm_error *err)
{
    const struct hm_yaml *y = hm_yaml_get(map, key);
    char *end = NULL;
    *ret_ms = 0;
    if (!y)
        return 0;
    double v = y->kind == HM_YAML_SCALAR ? strtod(y->text, &end) : -1;
    if (!end || end == y->text || *end || !(v >= 0 && v <= 366.0 * 86400))
        return bad(y, "a number of seconds is wanted", err);
    *ret_ms = (uint64_t)(v * 1000 + 0.5);
    return 0;
}

static uint64_t action_of(const char *text)
{
    const char *slash = strchr(text, '/');
    if (!slash)
        return 0;
    uint64_t class = hm_class_by_name(hm_slice(text, (size_t)(slash - text)));
    return class ? hm_action_by_name(class, hm_slice_str(slash + 1)) : 0;
}

int hm_example_read(const struct hm_yaml *map, struct hm_example *ret_x, struct hm_error *err)
{
    struct hm_example x = {.repeat = 1};
    if (map->kind != HM_YAML_MAP)
        return bad(map, "a map of fields is wanted", err);
    const struct hm_yaml *action = hm_yaml_get(map, "action"), *repeat = hm_yaml_get(map, "repeat");
    if (action && !(x.action = action_of(hm_yaml_str(map, "action", ""))))
        return bad(action, "no such action (process/exec …)", err);
    if (repeat) {
        char *end = NULL;
        unsigned long n = strtoul(hm_yaml_str(map, "repeat", ""), &end, 10);
        if (*end || n < 1 || n > HM_EXAMPLE_REPEAT_MAX)
            return bad(repeat, "repeat is out of range", err);
        x.repeat = (unsigned)n;
    }
    int r = seconds(map, "at", &x.at_ms, err);
    if (r == 0)
        r = seconds(map, "every", &x.every_ms, err);
    if (r == 0)
        *ret_x = x;
    return r;
}

/* "{n}" in a value is the number of the repetition, from 1. */
static int numbered(const struct hm_yaml *y, unsigned n, struct hm_arena *a, struct hm_slice *ret)
{
    const char *at = strstr(y->text, "{n}");
    char digits[16];
    int len = snprintf(digits, sizeof digits, "%u", n + 1);
    if (!at) {
        char *copy = hm_arena_strndup(a, y->text, y->text_len);
        *ret = hm_slice(copy, y->text_len);
        return copy ? 0 : -ENOMEM;
    }
    size_t before = (size_t)(at - y->text), after = y->text_len - before - 3;
    uint8_t *out = hm_arena_alloc(a, before + (size_t)len + after + 1);
    if (!out)
        return -ENOMEM;
    memcpy(out, y->text, before);
    memcpy(out + before, digits, (size_t)len);
    memcpy(out + before + len, at + 3, after);
    *ret = hm_slice(out, before + (size_t)len + after);
    return 0;
}

static int put_number(struct hm_event *e, enum hm_field f, struct hm_slice v,
                      const struct hm_yaml *y, struct hm_error *err)
{
    uint64_t number;
    char *end;
    if (!hm_words_number(f, v, &number)) {
        number = strtoull((const char *)v.p, &end, hm_fields[f].type == HM_TYPE_X64 ? 16 : 10);
        if (v.len == 0 || *end)
            return bad(y, "a number or a word of this field is wanted", err);
    }
    hm_event_set_u64(e, f, number);
    return 0;
}

static int put_address(struct hm_event *e, enum hm_field f, struct hm_slice v, struct hm_arena *a,
                       const struct hm_yaml *y, struct hm_error *err)
{
    uint8_t *ip = hm_arena_alloc(a, 16);
    bool six = memchr(v.p, ':', v.len);
    if (!ip)
        return -ENOMEM;
    if (inet_pton(six ? AF_INET6 : AF_INET, (const char *)v.p, ip) != 1)
        return bad(y, "an address is wanted", err);
    hm_event_set(e, f, hm_slice(ip, six ? 16 : 4));
    return 0;
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

static int put_bytes(struct hm_event *e, enum hm_field f, struct hm_slice v, struct hm_arena *a,
                     const struct hm_yaml *y, struct hm_error *err)
{
    uint8_t *out = hm_arena_alloc(a, v.len / 2 + 1);
    if (!out)
        return -ENOMEM;
    for (size_t i = 0; i + 1 < v.len; i += 2) {
        int hi = hex_digit(v.p[i]), lo = hex_digit(v.p[i + 1]);
        if (hi < 0 || lo < 0)
            return bad(y, "hexadecimal digits are wanted", err);
        out[i / 2] = (uint8_t)(hi << 4 | lo);
    }
    if (v.len % 2)
        return bad(y, "hexadecimal digits are wanted", err);
    hm_event_set(e, f, hm_slice(out, v.len / 2));
    return 0;
}

static int put(struct hm_event *e, const struct hm_yaml *key, const struct hm_yaml *y, unsigned n,
               struct hm_arena *a, struct hm_error *err)
{
    struct hm_slice v;
    int f = hm_field_by_name(hm_slice_str(key->text));
    if (f < 0)
        f = hm_field_by_sigma(hm_slice_str(key->text));
    if (f < 0)
        return hm_fail_at(err, -EINVAL, key->line, key->column, "example: no field \"%.80s\"",
                          key->text);
    if (y->kind != HM_YAML_SCALAR)
        return bad(y, "a single value is wanted", err);
    int r = numbered(y, n, a, &v);
    if (r < 0)
        return r;
    switch (hm_fields[f].type) {
    case HM_TYPE_U64:
    case HM_TYPE_X64:
        return put_number(e, (enum hm_field)f, v, y, err);
    case HM_TYPE_IP:
        return put_address(e, (enum hm_field)f, v, a, y, err);
    case HM_TYPE_BYTES:
        return put_bytes(e, (enum hm_field)f, v, a, y, err);
    default:
        hm_event_set(e, (enum hm_field)f, v);
        return 0;
    }
}

int hm_example_event(const struct hm_yaml *map, const struct hm_example *x, unsigned n,
                     struct hm_arena *a, struct hm_event *e, struct hm_error *err)
{
    hm_event_clear(e);
    if (x->action) {
        hm_event_set_u64(e, HM_F_CLASS, x->action / 100); /* actions.def: hundreds are the class */
        hm_event_set_u64(e, HM_F_ACTION, x->action);
    }
    for (size_t i = 0; i < map->count; i++) {
        int r = is_field(map->keys[i]->text) ? put(e, map->keys[i], map->items[i], n, a, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}
