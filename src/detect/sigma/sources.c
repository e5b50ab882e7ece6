/* Owns the `logsources` section of a pipeline: which JSON records belong to a log source, and what
 * its records call the fields that rules name.
 *   - logsource: {product: windows, category: process_creation}
 *     when: {EventID: 4688, Channel: Security}
 *     fields: {Image: NewProcessName} */
#include "detect/sigma/pipeline_parts.h"
#include <errno.h>
#include <stdio.h>

static int fail(struct hm_error *err, const struct hm_yaml *y, const char *what, const char *name)
{
    return hm_fail_at(err, -EINVAL, y->line, y->column, what, name);
}

static int read_hint(struct hm_pipeline *p, const struct hm_yaml *key, const struct hm_yaml *y,
                     struct hm_source_hint *ret, struct hm_error *err)
{
    size_t n = y->kind == HM_YAML_LIST ? y->count : 1;
    *ret = (struct hm_source_hint){.field = key->text};
    ret->values = hm_arena_alloc(p->arena, (n + 1) * sizeof *ret->values);
    if (!ret->values)
        return -ENOMEM;
    for (; ret->count < n; ret->count++) {
        const struct hm_yaml *one = y->kind == HM_YAML_LIST ? y->items[ret->count] : y;
        if (one->kind != HM_YAML_SCALAR || one->text_len == 0)
            return fail(err, one, "pipeline: \"%.60s\" needs a value or a list of values",
                        key->text);
        ret->values[ret->count] = one->text;
    }
    return n ? 0 : fail(err, y, "pipeline: \"%.60s\" has an empty list", key->text);
}

static int read_hints(struct hm_pipeline *p, const struct hm_yaml *item, struct hm_source *s,
                      struct hm_error *err)
{
    const struct hm_yaml *when = hm_yaml_get(item, "when");
    if (!when || when->kind != HM_YAML_MAP || when->count == 0)
        return fail(err, when ? when : item, "pipeline: \"%s\" has to be a map of fields", "when");
    s->hints = hm_arena_alloc(p->arena, when->count * sizeof *s->hints);
    int r = s->hints ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < when->count; i++)
        r = read_hint(p, when->keys[i], when->items[i], &s->hints[s->hint_count++], err);
    return r;
}

static int read_aliases(struct hm_pipeline *p, const struct hm_yaml *item, struct hm_source *s,
                        struct hm_error *err)
{
    const struct hm_yaml *fields = hm_yaml_get(item, "fields");
    if (!fields)
        return 0;
    if (fields->kind != HM_YAML_MAP)
        return fail(err, fields, "pipeline: \"%s\" has to be a map of names", "fields");
    s->aliases = hm_arena_alloc(p->arena, (fields->count + 1) * sizeof *s->aliases);
    if (!s->aliases)
        return -ENOMEM;
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->items[i]->kind != HM_YAML_SCALAR || fields->items[i]->text_len == 0)
            return fail(err, fields->items[i], "pipeline: \"%.60s\" needs a field's name",
                        fields->keys[i]->text);
        s->aliases[s->alias_count++] =
            (struct hm_source_alias){fields->keys[i]->text, fields->items[i]->text};
    }
    return 0;
}

static int read_source(struct hm_pipeline *p, const struct hm_yaml *item, struct hm_source *s,
                       struct hm_error *err)
{
    const struct hm_yaml *source = hm_yaml_get(item, "logsource");
    if (!source || source->kind != HM_YAML_MAP)
        return fail(err, item, "pipeline: \"%s\" has to be a map", "logsource");
    *s = (struct hm_source){.product = hm_yaml_str(source, "product", ""),
                            .category = hm_yaml_str(source, "category", ""),
                            .service = hm_yaml_str(source, "service", "")};
    for (size_t i = 0; i < item->count; i++)
        if (strcmp(item->keys[i]->text, "logsource") && strcmp(item->keys[i]->text, "when") &&
            strcmp(item->keys[i]->text, "fields"))
            return fail(err, item->keys[i], "pipeline: a log source has no \"%.60s\"",
                        item->keys[i]->text);
    int r = read_hints(p, item, s, err);
    return r ? r : read_aliases(p, item, s, err);
}

int hm_sources_parse(struct hm_pipeline *p, const struct hm_yaml *list, struct hm_error *err)
{
    if (!list)
        return 0;
    if (list->kind != HM_YAML_LIST)
        return fail(err, list, "pipeline: \"%s\" has to be a list", "logsources");
    p->sources = hm_arena_alloc(p->arena, (list->count + 1) * sizeof *p->sources);
    int r = p->sources ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < list->count; i++)
        r = read_source(p, list->items[i], &p->sources[p->source_count++], err);
    return r;
}
