/* See args.h. */
#include "detect/view/args.h"
#include "base/cursor.h"

void hm_args_begin(const struct hm_event *e, struct hm_args *ret_a)
{
    *ret_a = (struct hm_args){.rest = hm_event_str(e, HM_F_PROCESS_COMMAND_LINE),
                              .lengths = hm_event_str(e, HM_F_PROCESS_ARG_LENGTHS),
                              .exact = hm_event_has(e, HM_F_PROCESS_ARG_LENGTHS)};
    ret_a->done = ret_a->exact ? !ret_a->lengths.len : !ret_a->rest.len;
}

/* A varint of at most 32 bits; false: malformed, and the vector ends here. */
static bool length(struct hm_args *a, size_t *ret_n)
{
    size_t n = 0;
    for (unsigned i = 0; i < 5 && i < a->lengths.len; i++) {
        n |= (size_t)(a->lengths.p[i] & 0x7f) << (7 * i);
        if (a->lengths.p[i] & 0x80)
            continue;
        a->lengths = hm_slice(a->lengths.p + i + 1, a->lengths.len - i - 1);
        *ret_n = n;
        return true;
    }
    return false;
}

bool hm_args_next(struct hm_args *a, struct hm_slice *ret_arg)
{
    size_t n;
    if (a->done)
        return false;
    if (a->exact) {
        if (!length(a, &n)) {
            a->done = true;
            return false;
        }
        n = n < a->rest.len ? n : a->rest.len;
    } else {
        const uint8_t *space = memchr(a->rest.p, ' ', a->rest.len);
        n = space ? (size_t)(space - a->rest.p) : a->rest.len;
    }
    *ret_arg = hm_slice(a->rest.p, n);
    size_t skip = n < a->rest.len ? n + 1 : n;
    a->done = a->exact ? !a->lengths.len : n == a->rest.len;
    a->rest = hm_slice(a->rest.p + skip, a->rest.len - skip);
    a->next++;
    return true;
}

bool hm_args_at(struct hm_args *a, const struct hm_event *e, size_t i, struct hm_slice *ret_arg)
{
    if (!a->next || i + 1 < a->next)
        hm_args_begin(e, a);
    while (a->next <= i)
        if (!hm_args_next(a, &a->last))
            return false;
    *ret_arg = a->last;
    return true;
}

static bool plain(struct hm_slice raw)
{
    if (memchr(raw.p, ' ', raw.len))
        return false;
    for (size_t i = 0; i < raw.len; i++)
        if (raw.p[i] == 0 && (i == 0 || raw.p[i - 1] == 0))
            return false; /* an empty argument */
    return true;
}

void hm_args_lengths(struct hm_slice raw, struct hm_buf *out)
{
    if (!raw.len || plain(raw))
        return;
    for (size_t at = 0; at < raw.len;) {
        const uint8_t *end = memchr(raw.p + at, 0, raw.len - at);
        size_t n = end ? (size_t)(end - raw.p) - at : raw.len - at;
        hm_buf_put_varint(out, n);
        at += n + 1;
    }
}
