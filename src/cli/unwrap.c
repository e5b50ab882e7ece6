/* See unwrap.h. Looks only at the keys of the outermost object. */
#include "cli/unwrap.h"

struct scan {
    const uint8_t *p, *end;
};

static void blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n'))
        s->p++;
}

static bool take(struct scan *s, uint8_t c)
{
    blanks(s);
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

/* Behind the string that begins here; *ret_text is between the quotes, escapes as they are. */
static bool string(struct scan *s, struct hm_slice *ret_text)
{
    const uint8_t *from = s->p + 1;
    if (!take(s, '"'))
        return false;
    from = s->p;
    for (; s->p < s->end && *s->p != '"'; s->p++)
        if (*s->p == '\\' && ++s->p == s->end)
            return false;
    *ret_text = hm_slice(from, (size_t)(s->p - from));
    return s->p++ < s->end;
}

/* Behind the value that begins here. */
static bool value(struct scan *s, struct hm_slice *ret_value)
{
    struct hm_slice text;
    size_t depth = 0;
    blanks(s);
    const uint8_t *from = s->p;
    while (s->p < s->end && (depth || (*s->p != ',' && *s->p != '}'))) {
        if (*s->p == '"') {
            if (!string(s, &text))
                return false;
            continue;
        }
        depth += *s->p == '{' || *s->p == '[';
        depth -= depth && (*s->p == '}' || *s->p == ']');
        s->p++;
    }
    *ret_value = hm_slice(from, (size_t)(s->p - from));
    return s->p < s->end;
}

static bool is(struct hm_slice s, const char *word)
{
    return hm_slice_eq(s, hm_slice_str(word));
}

static bool annotation(struct hm_slice key)
{
    return is(key, "must_fire") || is(key, "peer_fired") || is(key, "technique");
}

/* The object under the key; *ret_alone: no key but annotations is beside it. */
static bool find(struct hm_slice line, const char *key, struct hm_slice *ret_v, bool *ret_alone)
{
    struct scan s = {line.p, line.p + line.len};
    struct hm_slice name, v;
    bool found = false;
    *ret_alone = true;
    if (!take(&s, '{'))
        return false;
    do {
        blanks(&s);
        if (!string(&s, &name) || !take(&s, ':') || !value(&s, &v))
            return false;
        if (is(name, key) && v.len && v.p[0] == '{') {
            *ret_v = v;
            found = true;
        } else if (!annotation(name)) {
            *ret_alone = false;
        }
    } while (take(&s, ','));
    return found && take(&s, '}') && (blanks(&s), s.p == s.end);
}

bool hm_unwrap(struct hm_slice line, const char *field, struct hm_slice *ret_event)
{
    struct hm_slice inner;
    bool alone;
    *ret_event = line;
    if (field && strcmp(field, ".") != 0) {
        if (!find(line, field, ret_event, &alone))
            return false;
        return true;
    }
    if (!field && line.len && memmem(line.p, line.len, "\"event\"", 7) &&
        find(line, "event", &inner, &alone) && alone)
        *ret_event = inner;
    return true;
}
