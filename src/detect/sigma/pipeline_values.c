/* Owns the steps that change values: replacing, mapping, setting, case, placeholders. */
#include "detect/sigma/pipeline_parts.h"
#include <errno.h>
#include <stdio.h>

const char *hm_text_string(struct hm_arena *a, struct hm_text t, bool escaped)
{
    char *s = hm_arena_alloc(a, t.n * 2 + 1);
    size_t n = 0;
    for (size_t i = 0; s && i < t.n; i++) {
        uint8_t c = (uint8_t)(t.u[i] & 0xff);
        bool wildcard = HM_UNIT_IS_WILDCARD(t.u[i]);
        /* A backslash is doubled only where it could be read as an escape. */
        bool next =
            i + 1 == t.n || HM_UNIT_IS_WILDCARD(t.u[i + 1]) || strchr("\\*?", t.u[i + 1] & 0xff);
        if (escaped && !wildcard && (c == '*' || c == '?' || (c == '\\' && next)))
            s[n++] = '\\';
        s[n++] = (char)(t.u[i] == HM_UNIT_ANY ? '*' : t.u[i] == HM_UNIT_ONE ? '?' : c);
    }
    return s;
}

static int replace_text(struct hm_run *r, const struct hm_step *s, struct hm_text *t)
{
    const char *in = hm_text_string(r->l->arena, *t, true), *out = NULL;
    int e = in ? hm_rx_replace(s->rx, in, hm_yaml_str(s->y, "replacement", ""), r->l->arena, &out)
               : -ENOMEM;
    if (e == -EINVAL)
        return hm_fail_at(
            r->l->err, -EINVAL, r->d->place.line, r->d->place.column,
            "pipeline \"%.60s\", line %u: the replacement does not fit the expression", r->p->name,
            s->place.line);
    return e ? e : hm_text_parse(r->l, hm_slice_str(out), false, t);
}

/* Only the plain runs between wildcards and placeholders. */
static int replace_plain(struct hm_run *r, const struct hm_step *s, struct hm_text *t)
{
    struct hm_text out = {0, NULL};
    for (size_t i = 0; i < t->n;) {
        struct hm_text run = {0, t->u + i};
        while (i + run.n < t->n && HM_UNIT_IS_BYTE(t->u[i + run.n]))
            run.n++;
        i += run.n ? run.n : 1;
        if (run.n == 0) {
            run.n = 1; /* the wildcard itself */
        } else {
            const char *in = hm_text_string(r->l->arena, run, false), *to = NULL;
            int e = in ? hm_rx_replace(s->rx, in, hm_yaml_str(s->y, "replacement", ""), r->l->arena,
                                       &to)
                       : -ENOMEM;
            if (!e)
                e = hm_text_parse(r->l, hm_slice_str(to), true, &run);
            if (e)
                return e;
        }
        uint16_t *more = hm_arena_alloc(r->l->arena, (out.n + run.n + 1) * sizeof *more);
        if (!more)
            return -ENOMEM;
        if (out.n)
            memcpy(more, out.u, out.n * sizeof *more);
        if (run.n)
            memcpy(more + out.n, run.u, run.n * sizeof *more);
        out.u = more;
        out.n += run.n;
    }
    *t = out;
    return 0;
}

static bool is_true(const struct hm_step *s, const char *key)
{
    return strcmp(hm_yaml_str(s->y, key, "false"), "true") == 0;
}

static void fold(struct hm_text *t, bool upper)
{
    for (size_t i = 0; i < t->n; i++) {
        uint16_t c = t->u[i];
        if (upper && c >= 'a' && c <= 'z')
            t->u[i] = c - 32;
        else if (!upper && c >= 'A' && c <= 'Z')
            t->u[i] = c + 32;
    }
}

/* A value may become several: alternatives. */
static int map_values(struct hm_run *r, const struct hm_yaml *m, struct hm_values *vs)
{
    struct hm_values out = {0};
    for (size_t i = 0; i < vs->count; i++) {
        const char *is = hm_text_string(r->l->arena, vs->items[i].text, false);
        const struct hm_yaml *to =
            is && vs->items[i].type == HM_VALUE_STRING ? hm_yaml_get(m, is) : NULL;
        size_t n = to && to->kind == HM_YAML_LIST ? to->count : 1;
        struct hm_sigma_value *more = hm_arena_alloc(r->l->arena, (out.count + n) * sizeof *more);
        if (!more || !is)
            return -ENOMEM;
        if (out.count)
            memcpy(more, out.items, out.count * sizeof *more);
        out.items = more;
        for (size_t k = 0; k < n; k++) {
            struct hm_sigma_value *v = &more[out.count++];
            const struct hm_yaml *one = to && to->kind == HM_YAML_LIST ? to->items[k] : to;
            *v = vs->items[i];
            if (one && hm_text_parse(r->l, hm_slice(one->text, one->text_len), false, &v->text))
                return -ENOMEM;
        }
    }
    *vs = out;
    return 0;
}

static bool wanted(void *ctx, const char *name)
{
    const struct hm_step *s = ctx;
    const struct hm_yaml *in = hm_yaml_get(s->y, "include"), *ex = hm_yaml_get(s->y, "exclude");
    bool hit = !in;
    for (size_t i = 0; in && i < in->count; i++)
        hit = hit || (in->items[i]->kind == HM_YAML_SCALAR && !strcmp(in->items[i]->text, name));
    for (size_t i = 0; ex && i < ex->count; i++)
        hit = hit && !(ex->items[i]->kind == HM_YAML_SCALAR && !strcmp(ex->items[i]->text, name));
    return hit;
}

static void wildcards(struct hm_run *r, const struct hm_step *s, struct hm_text *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (HM_UNIT_IS_PLACEHOLDER(t->u[i]) &&
            wanted((void *)s, r->d->body.placeholders[t->u[i] - HM_UNIT_PLACEHOLDER]))
            t->u[i] = HM_UNIT_ANY;
}

static int set_value(struct hm_run *r, const struct hm_step *s, struct hm_item *it)
{
    struct hm_values *vs = hm_arena_alloc(r->l->arena, sizeof *vs);
    struct hm_sigma_value *v = hm_arena_alloc(r->l->arena, sizeof *v);
    if (!vs || !v)
        return -ENOMEM;
    int e = hm_value_read(r->l, hm_yaml_get(s->y, "value"), false, v);
    *vs = (struct hm_values){.count = 1, .items = v};
    it->values = vs;
    it->count = 1;
    it->all = false;
    return e;
}

static int one_value(struct hm_run *r, const struct hm_step *s, struct hm_sigma_value *v)
{
    bool string = v->type == HM_VALUE_STRING;
    switch (s->kind) {
    case HM_STEP_REPLACE_STRING:
        if (!string || hm_text_has_placeholders(v->text))
            return 0;
        return is_true(s, "skip_special") ? replace_plain(r, s, &v->text)
                                          : replace_text(r, s, &v->text);
    case HM_STEP_CASE:
        if (string)
            fold(&v->text, strcmp(hm_yaml_str(s->y, "method", ""), "upper") == 0);
        return 0;
    case HM_STEP_WILDCARD_PLACEHOLDERS:
        if (v->type == HM_VALUE_REGEX && hm_text_has_placeholders(v->text))
            return hm_fail_at(r->l->err, -EINVAL, v->place.line, v->place.column,
                              "pipeline \"%.60s\": an expression's placeholder cannot be '*'",
                              r->p->name);
        wildcards(r, s, &v->text);
        return 0;
    default:
        return 0;
    }
}

int hm_step_values(struct hm_run *r, const struct hm_step *s, struct hm_item *it)
{
    if (it->op != HM_AST_ANY_OF || !hm_tests_field(r, &s->field, it->field))
        return 0;
    if (s->kind == HM_STEP_SET_VALUE)
        return set_value(r, s, it);
    if (s->kind == HM_STEP_VALUE_PLACEHOLDERS)
        return hm_item_expand(r->l, &r->d->body, it, r->p->vars, wanted, (void *)s);
    int e = 0;
    for (size_t i = 0; !e && i < it->count; i++) {
        struct hm_values *vs = &it->values[i];
        if (s->kind == HM_STEP_MAP_STRING)
            e = map_values(r, hm_yaml_get(s->y, "mapping"), vs);
        for (size_t k = 0; !e && k < vs->count; k++)
            e = one_value(r, s, &vs->items[k]);
    }
    return e;
}
