/* Owns placeholder lists and their replacement in a rule's values. */
#include "detect/sigma/placeholder.h"
#include "detect/sigma/detection.h"
#include "detect/limits.h"
#include <errno.h>
#include <stdlib.h>

struct list {
    const char *name;
    size_t count;
    const char **values;
};
struct hm_placeholders {
    struct hm_arena *arena;
    size_t count, cap;
    struct list *lists;
};

struct hm_placeholders *hm_placeholders_new(void)
{
    struct hm_placeholders *p = calloc(1, sizeof *p);
    if (p && !(p->arena = hm_arena_new(HM_RULESET_MAX_BYTES))) {
        free(p);
        return NULL;
    }
    return p;
}

void hm_placeholders_free(struct hm_placeholders *p)
{
    if (!p)
        return;
    hm_arena_free(p->arena);
    free(p->lists);
    free(p);
}

const char *const *hm_placeholders_get(const struct hm_placeholders *p, const char *name,
                                       size_t *ret_count)
{
    for (size_t i = 0; p && i < p->count; i++) {
        if (strcmp(p->lists[i].name, name) == 0) {
            *ret_count = p->lists[i].count;
            return p->lists[i].values;
        }
    }
    return NULL;
}

int hm_placeholders_put(struct hm_placeholders *p, const char *name, const char *const *values,
                        size_t count)
{
    struct list l = {.name = hm_arena_strndup(p->arena, name, strlen(name))};
    l.values = hm_arena_alloc(p->arena, (count + 1) * sizeof *l.values);
    if (!l.name || !l.values)
        return -ENOMEM;
    for (; l.count < count; l.count++) {
        l.values[l.count] = hm_arena_strndup(p->arena, values[l.count], strlen(values[l.count]));
        if (!l.values[l.count])
            return -ENOMEM;
    }
    if (p->count == p->cap) {
        size_t bigger = p->cap ? p->cap * 2 : 16;
        struct list *lists = reallocarray(p->lists, bigger, sizeof *lists);
        if (!lists)
            return -ENOMEM;
        p->lists = lists;
        p->cap = bigger;
    }
    p->lists[p->count++] = l;
    return 0;
}

int hm_placeholders_add_list(struct hm_placeholders *p, const struct hm_yaml *key,
                             const struct hm_yaml *y, struct hm_error *err)
{
    size_t n = y->kind == HM_YAML_LIST ? y->count : 1, known;
    if (hm_placeholders_get(p, key->text, &known))
        return hm_fail_at(err, -EINVAL, key->line, key->column, "placeholder %%%.80s%% is known",
                          key->text);
    if (n == 0 || y->kind == HM_YAML_MAP)
        return hm_fail_at(err, -EINVAL, y->line, y->column,
                          "placeholder %%%.80s%% needs a list of values", key->text);
    if (n > HM_PLACEHOLDER_VALUES_MAX)
        return hm_fail_at(err, -E2BIG, y->line, y->column, "more than %d values",
                          HM_PLACEHOLDER_VALUES_MAX);
    const char **values = calloc(n, sizeof *values);
    int r = values ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < n; i++) {
        const struct hm_yaml *one = y->kind == HM_YAML_LIST ? y->items[i] : y;
        if (one->kind != HM_YAML_SCALAR || hm_yaml_is_null(one))
            r = hm_fail_at(err, -EINVAL, one->line, one->column, "a value has to be text");
        else
            values[i] = one->text;
    }
    if (!r)
        r = hm_placeholders_put(p, key->text, values, n);
    free(values);
    return r;
}

int hm_placeholders_add(struct hm_placeholders *p, struct hm_slice text, struct hm_error *err)
{
    struct hm_arena *scratch = hm_arena_new(HM_RULESET_MAX_BYTES);
    struct hm_yaml *root = NULL;
    int r = scratch ? hm_yaml_parse(text, 0, scratch, &root, err) : -ENOMEM;
    if (!r && (!root || root->kind != HM_YAML_MAP))
        r = hm_fail_at(err, -EINVAL, 1, 1, "a file of placeholders is a map of names to lists");
    for (size_t i = 0; !r && i < root->count; i++)
        r = hm_placeholders_add_list(p, root->keys[i], root->items[i], err);
    hm_arena_free(scratch);
    return r;
}

struct expansion {
    struct hm_lang *l;
    const struct hm_body *body;
    const struct hm_placeholders *lists;
    bool (*wanted)(void *ctx, const char *name);
    void *ctx;
    bool missing_ok;
};

/* The first placeholder of the text that is to be replaced now; t.n when there is none. */
static size_t find(const struct expansion *x, struct hm_text t)
{
    for (size_t i = 0; i < t.n; i++) {
        if (!HM_UNIT_IS_PLACEHOLDER(t.u[i]))
            continue;
        const char *name = x->body->placeholders[t.u[i] - HM_UNIT_PLACEHOLDER];
        size_t n;
        bool left = (x->wanted && !x->wanted(x->ctx, name)) ||
                    (x->missing_ok && !hm_placeholders_get(x->lists, name, &n));
        if (!left)
            return i;
    }
    return t.n;
}

/* In an expression a list's value stands for itself. */
static int escaped(struct hm_lang *l, const char *value, struct hm_text *ret)
{
    size_t n = strlen(value);
    ret->n = 0;
    ret->u = hm_arena_alloc(l->arena, (2 * n + 1) * sizeof *ret->u);
    if (!ret->u)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (strchr("\\^$.[]|()?*+{}", value[i]))
            ret->u[ret->n++] = '\\';
        ret->u[ret->n++] = (uint8_t)value[i];
    }
    return 0;
}

static int splice(const struct expansion *x, const struct hm_sigma_value *v, size_t at,
                  const char *value, struct hm_sigma_value *ret)
{
    struct hm_text in;
    int e = v->type == HM_VALUE_REGEX ? escaped(x->l, value, &in)
                                      : hm_text_parse(x->l, hm_slice_str(value), false, &in);
    if (e)
        return e;
    *ret = *v;
    ret->text.n = v->text.n - 1 + in.n;
    ret->text.u = hm_arena_alloc(x->l->arena, (ret->text.n + 1) * sizeof *ret->text.u);
    if (!ret->text.u)
        return -ENOMEM;
    memcpy(ret->text.u, v->text.u, at * sizeof *in.u);
    memcpy(ret->text.u + at, in.u, in.n * sizeof *in.u);
    memcpy(ret->text.u + at + in.n, v->text.u + at + 1, (v->text.n - at - 1) * sizeof *in.u);
    return 0;
}

/* Replace one placeholder of alternative k: it is replaced in place by the first value, the others
 * go behind. */
static int replace(const struct expansion *x, struct hm_values *vs, size_t k, size_t at)
{
    struct hm_sigma_value v = vs->items[k];
    const char *name = x->body->placeholders[v.text.u[at] - HM_UNIT_PLACEHOLDER];
    size_t n = 0;
    const char *const *values = hm_placeholders_get(x->lists, name, &n);
    if (!values)
        return hm_fail_at(x->l->err, -EINVAL, v.place.line, v.place.column,
                          "placeholder %%%.80s%% has no list of values", name);
    if (vs->count + n > HM_ALTERNATIVES_MAX)
        return hm_fail_at(x->l->err, -E2BIG, v.place.line, v.place.column,
                          "placeholders make more than %d values of one", HM_ALTERNATIVES_MAX);
    if (vs->count + n > vs->cap) {
        size_t bigger = (vs->count + n) * 2;
        struct hm_sigma_value *more = hm_arena_alloc(x->l->arena, bigger * sizeof *more);
        if (!more)
            return -ENOMEM;
        memcpy(more, vs->items, vs->count * sizeof *more);
        vs->items = more;
        vs->cap = bigger;
    }
    for (size_t i = 0; i < n; i++) {
        int e = splice(x, &v, at, values[i], &vs->items[i == 0 ? k : vs->count++]);
        if (e)
            return e;
    }
    return 0;
}

static int expand_values(const struct expansion *x, struct hm_values *vs)
{
    for (size_t k = 0; k < vs->count; k++) {
        for (;;) {
            size_t at = find(x, vs->items[k].text);
            if (at == vs->items[k].text.n)
                break;
            int e = replace(x, vs, k, at);
            if (e)
                return e;
        }
    }
    return 0;
}

static int expand(const struct expansion *x, struct hm_detection *d)
{
    int e = 0;
    for (size_t i = 0; d && !e && i < d->item.count; i++)
        e = expand_values(x, &d->item.values[i]);
    for (size_t i = 0; d && !e && i < d->count; i++)
        e = expand(x, d->kids[i]);
    return e;
}

int hm_body_expand(struct hm_lang *l, struct hm_body *b, const struct hm_placeholders *p)
{
    struct expansion x = {.l = l, .body = b, .lists = p};
    int e = 0;
    for (size_t i = 0; b->placeholder_count && !e && i < b->search_count; i++)
        e = expand(&x, b->searches[i].detection);
    return e;
}

int hm_item_expand(struct hm_lang *l, const struct hm_body *b, struct hm_item *it,
                   const struct hm_placeholders *p, bool (*wanted)(void *ctx, const char *name),
                   void *ctx)
{
    struct expansion x = {l, b, p, wanted, ctx, true};
    int e = 0;
    for (size_t i = 0; !e && i < it->count; i++)
        e = expand_values(&x, &it->values[i]);
    return e;
}
