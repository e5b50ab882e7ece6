/* See policy.h. Paths are compared component by component, so "/etc" does not mean "/etcetera". */
#include "agent/engine/policy.h"
#include "agent/engine/limits.h"
#include <errno.h>
#include <stdlib.h>

struct hm_policy {
    char *text;
    size_t count;
    struct hm_slice prefixes[HM_POLICY_PATHS_MAX];
};

/* The next component of *rest; false at the end. Doubled slashes mean one. */
static bool component(struct hm_slice *rest, struct hm_slice *ret)
{
    while (rest->len && rest->p[0] == '/')
        *rest = hm_slice(rest->p + 1, rest->len - 1);
    if (!rest->len)
        return false;
    const uint8_t *end = memchr(rest->p, '/', rest->len);
    size_t n = end ? (size_t)(end - rest->p) : rest->len;
    *ret = hm_slice(rest->p, n);
    *rest = hm_slice(rest->p + n, rest->len - n);
    return true;
}

static bool fits(struct hm_slice pattern, struct hm_slice part)
{
    return (pattern.len == 1 && pattern.p[0] == '*') || hm_slice_eq(pattern, part);
}

static int add(struct hm_policy *p, struct hm_slice line, struct hm_error *err)
{
    if (!line.len)
        return 0;
    if (line.p[0] != '/')
        return hm_fail(err, -EINVAL, "policy path is not absolute: %.*s", (int)line.len,
                       (const char *)line.p);
    if (p->count == HM_POLICY_PATHS_MAX)
        return hm_fail(err, -E2BIG, "more than %d policy paths", HM_POLICY_PATHS_MAX);
    p->prefixes[p->count++] = line;
    return 0;
}

static int split(struct hm_policy *p, struct hm_slice text, struct hm_error *err)
{
    while (text.len) {
        const uint8_t *end = memchr(text.p, '\n', text.len);
        size_t n = end ? (size_t)(end - text.p) : text.len;
        int r = add(p, hm_slice(text.p, n), err);
        if (r < 0)
            return r;
        n += end != NULL;
        text = hm_slice(text.p + n, text.len - n);
    }
    return 0;
}

int hm_policy_new(struct hm_slice text, struct hm_policy **ret_p, struct hm_error *err)
{
    struct hm_policy *p = calloc(1, sizeof *p);
    if (!p || !(p->text = malloc(text.len + 1))) {
        free(p);
        return hm_fail(err, -ENOMEM, "out of memory");
    }
    if (text.len)
        memcpy(p->text, text.p, text.len);
    int r = split(p, hm_slice(p->text, text.len), err);
    if (r < 0) {
        hm_policy_free(p);
        return r;
    }
    *ret_p = p;
    return 0;
}

void hm_policy_free(struct hm_policy *p)
{
    if (!p)
        return;
    free(p->text);
    free(p);
}

/* How a path stands to one prefix: at or beneath it, exactly one component short of it, or apart.
 */
static enum hm_policy_verdict stands(struct hm_slice prefix, struct hm_slice path)
{
    struct hm_slice want, have;
    while (component(&prefix, &want)) {
        if (!component(&path, &have))
            return component(&prefix, &want) ? HM_POLICY_NONE : HM_POLICY_SOME;
        if (!fits(want, have))
            return HM_POLICY_NONE;
    }
    return HM_POLICY_ALL;
}

enum hm_policy_verdict hm_policy_dir(const struct hm_policy *p, struct hm_slice dir)
{
    enum hm_policy_verdict best = HM_POLICY_NONE;
    for (size_t i = 0; i < p->count && best != HM_POLICY_ALL; i++) {
        enum hm_policy_verdict v = stands(p->prefixes[i], dir);
        if (v > best)
            best = v;
    }
    return best;
}

bool hm_policy_path(const struct hm_policy *p, struct hm_slice path)
{
    return hm_policy_dir(p, path) == HM_POLICY_ALL;
}
