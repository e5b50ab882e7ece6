/* Owns the renaming of fields: mappings (one name may become several: OR), prefixes, suffixes. */
#include "detect/sigma/pipeline_parts.h"
#include <errno.h>
#include <stdio.h>

struct names { /* what a name becomes */
    size_t count;
    const char **items;
};

static int join(struct hm_run *r, const char *a, const char *b, const char **ret)
{
    size_t n = strlen(a) + strlen(b) + 1;
    char *s = hm_arena_alloc(r->l->arena, n);
    if (!s)
        return -ENOMEM;
    snprintf(s, n, "%s%s", a, b);
    *ret = s;
    return 0;
}

/* New names out of a mapping's value; rest is what followed a mapped prefix. */
static int mapped(struct hm_run *r, const struct hm_yaml *to, const char *rest, struct names *ret)
{
    size_t n = to->kind == HM_YAML_LIST ? to->count : 1;
    ret->items = hm_arena_alloc(r->l->arena, n * sizeof *ret->items);
    int e = ret->items ? 0 : -ENOMEM;
    for (; !e && ret->count < n; ret->count++)
        e = join(r, to->kind == HM_YAML_LIST ? to->items[ret->count]->text : to->text, rest,
                 &ret->items[ret->count]);
    return e;
}

static int prefixed(struct hm_run *r, const struct hm_yaml *m, const char *name, struct names *ret)
{
    for (size_t i = 0; i < m->count; i++)
        if (strncmp(name, m->keys[i]->text, m->keys[i]->text_len) == 0)
            return mapped(r, m->items[i], name + m->keys[i]->text_len, ret);
    return 0;
}

/* ret->count stays 0 when the step leaves the name as it is. */
static int rename_one(struct hm_run *r, const struct hm_step *s, const char *name,
                      struct names *ret)
{
    const struct hm_yaml *m = hm_yaml_get(s->y, "mapping");
    *ret = (struct names){0};
    if (!hm_tests_field(r, &s->field, name))
        return 0;
    if (s->kind == HM_STEP_FIELD_MAPPING) {
        const struct hm_yaml *to = hm_yaml_get(m, name);
        return to ? mapped(r, to, "", ret) : 0;
    }
    if (s->kind == HM_STEP_FIELD_PREFIX_MAPPING)
        return prefixed(r, m, name, ret);
    ret->items = hm_arena_alloc(r->l->arena, sizeof *ret->items);
    if (!ret->items)
        return -ENOMEM;
    ret->count = 1;
    return s->kind == HM_STEP_FIELD_PREFIX
               ? join(r, hm_yaml_str(s->y, "prefix", ""), name, &ret->items[0])
               : join(r, name, hm_yaml_str(s->y, "suffix", ""), &ret->items[0]);
}

int hm_step_rename_text(struct hm_run *r, const struct hm_step *s, const char *name,
                        const char **ret)
{
    struct names to;
    int e = rename_one(r, s, name, &to);
    if (!e && to.count)
        *ret = to.items[0];
    return e;
}

/* References to other fields are names too. */
static int references(struct hm_run *r, const struct hm_step *s, struct hm_item *it)
{
    int e = 0;
    for (size_t i = 0; !e && i < it->count; i++) {
        for (size_t k = 0; !e && k < it->values[i].count; k++) {
            struct hm_sigma_value *v = &it->values[i].items[k];
            const char *name = hm_text_bytes(r->l, v->text), *to = name;
            e = name ? hm_step_rename_text(r, s, name, &to) : -ENOMEM;
            if (!e && to != name)
                e = hm_text_parse(r->l, hm_slice_str(to), true, &v->text);
        }
    }
    return e;
}

/* "Different from" and "does not exist" have to hold for every field that the name may be. */
static int several(struct hm_run *r, struct hm_detection **d, const struct names *to)
{
    struct hm_detection *any = hm_arena_alloc(r->l->arena, sizeof *any);
    if (!any)
        return -ENOMEM;
    *any = (struct hm_detection){.kind = (*d)->item.negate ? HM_DETECTION_AND : HM_DETECTION_OR,
                                 .place = (*d)->place};
    any->kids = hm_arena_alloc(r->l->arena, to->count * sizeof *any->kids);
    if (!any->kids)
        return -ENOMEM;
    for (; any->count < to->count; any->count++) {
        struct hm_detection *one = hm_arena_alloc(r->l->arena, sizeof *one);
        if (!one)
            return -ENOMEM;
        *one = **d;
        one->item.field = to->items[any->count];
        any->kids[any->count] = one;
    }
    *d = any;
    return 0;
}

int hm_step_rename(struct hm_run *r, const struct hm_step *s, struct hm_detection **d)
{
    struct hm_item *it = &(*d)->item;
    struct names to;
    int e = it->op == HM_AST_FIELDREF ? references(r, s, it) : 0;
    if (e || !it->field)
        return e;
    e = rename_one(r, s, it->field, &to);
    if (e || to.count == 0)
        return e;
    if (to.count > 1)
        return several(r, d, &to);
    it->field = to.items[0];
    return 0;
}
