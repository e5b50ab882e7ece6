/* Owns one rule's way through a pipeline: which steps apply, and the walk over its searches. */
#include "detect/sigma/pipeline_parts.h"
#include <errno.h>
#include <stdio.h>

static int refuse(struct hm_run *r, const struct hm_step *s, struct hm_place at)
{
    return hm_fail_at(r->l->err, -EINVAL, at.line, at.column,
                      "pipeline \"%.60s\" refuses it: %.150s", r->p->name,
                      hm_yaml_str(s->y, "message", ""));
}

static bool is_rename(enum hm_step_kind k)
{
    return k == HM_STEP_FIELD_MAPPING || k == HM_STEP_FIELD_PREFIX_MAPPING ||
           k == HM_STEP_FIELD_PREFIX || k == HM_STEP_FIELD_SUFFIX;
}

/* *d becomes NULL when the item is dropped. */
static int one_item(struct hm_run *r, const struct hm_step *s, struct hm_detection **d)
{
    struct hm_item *it = &(*d)->item;
    if (!hm_tests_item(r, &s->item, it))
        return 0;
    if (is_rename(s->kind))
        return hm_step_rename(r, s, d);
    if (!hm_tests_field(r, &s->field, it->field))
        return 0;
    if (s->kind == HM_STEP_ITEM_FAILURE)
        return refuse(r, s, it->place);
    if (s->kind == HM_STEP_DROP_ITEM) {
        *d = NULL;
        return 0;
    }
    return hm_step_values(r, s, it);
}

/* Recursion is bounded by the depth of the YAML tree and the number of steps. */
static int walk(struct hm_run *r, const struct hm_step *s, struct hm_detection **d)
{
    if (!*d || (*d)->kind == HM_DETECTION_ITEM)
        return *d ? one_item(r, s, d) : 0;
    size_t kept = 0;
    int e = 0;
    for (size_t i = 0; !e && i < (*d)->count; i++) {
        e = walk(r, s, &(*d)->kids[i]);
        if (!e && (*d)->kids[i])
            (*d)->kids[kept++] = (*d)->kids[i];
    }
    (*d)->count = kept;
    if (!e && kept == 0)
        *d = NULL;
    return e;
}

static int add_condition(struct hm_run *r, const struct hm_step *s)
{
    struct hm_body *b = &r->d->body;
    char made[32];
    struct hm_search *searches =
        hm_arena_alloc(r->l->arena, (b->search_count + 2) * sizeof *searches);
    struct hm_added *added = hm_arena_alloc(r->l->arena, (b->added_count + 1) * sizeof *added);
    if (!searches || !added)
        return -ENOMEM;
    memcpy(searches, b->searches, b->search_count * sizeof *searches);
    if (b->added_count)
        memcpy(added, b->added, b->added_count * sizeof *added);
    snprintf(made, sizeof made, "_cond_%zu", b->added_count);
    const char *name = hm_yaml_str(s->y, "name", made);
    struct hm_search *n = &searches[b->search_count];
    *n = (struct hm_search){.place = s->place};
    n->name = hm_arena_strndup(r->l->arena, name, strlen(name));
    added[b->added_count] = (struct hm_added){
        b->search_count, strcmp(hm_yaml_str(s->y, "negated", "false"), "true") == 0};
    b->searches = searches;
    b->added = added;
    int e = n->name ? hm_detection_read(r->l, b, hm_yaml_get(s->y, "conditions"), &n->detection)
                    : -ENOMEM;
    b->search_count++;
    b->added_count++;
    return e;
}

static int change_source(struct hm_run *r, const struct hm_step *s)
{
    const struct {
        const char *key, **to;
    } parts[] = {{"product", &r->d->source.product},
                 {"category", &r->d->source.category},
                 {"service", &r->d->source.service}};
    for (size_t i = 0; i < HM_ARRAY_LEN(parts); i++) {
        const char *text = hm_yaml_str(s->y, parts[i].key, "");
        *parts[i].to = hm_arena_strndup(r->l->arena, text, strlen(text));
        if (!*parts[i].to)
            return -ENOMEM;
    }
    return 0;
}

int hm_run_state(struct hm_run *r, const char *key, const char *value)
{
    struct hm_state *more = hm_arena_alloc(r->l->arena, (r->state_count + 1) * sizeof *more);
    if (!more)
        return -ENOMEM;
    if (r->state_count)
        memcpy(more, r->states, r->state_count * sizeof *more);
    more[r->state_count++] = (struct hm_state){key, value};
    r->states = more;
    return 0;
}

static int set_attribute(struct hm_run *r, const struct hm_step *s)
{
    const char *name = hm_yaml_str(s->y, "attribute", "");
    size_t n = strlen(name) + sizeof "attribute:";
    char *key = hm_arena_alloc(r->l->arena, n);
    if (!key)
        return -ENOMEM;
    snprintf(key, n, "attribute:%s", name);
    return hm_run_state(r, key, hm_yaml_str(s->y, "value", ""));
}

static int add_field(struct hm_run *r, const struct hm_yaml *y)
{
    struct hm_document *d = r->d;
    size_t n = y->kind == HM_YAML_LIST ? y->count : 1;
    const char **more = hm_arena_alloc(r->l->arena, (d->field_count + n + 1) * sizeof *more);
    if (!more)
        return -ENOMEM;
    if (d->field_count)
        memcpy(more, d->fields, d->field_count * sizeof *more);
    for (size_t i = 0; i < n; i++) {
        const struct hm_yaml *one = y->kind == HM_YAML_LIST ? y->items[i] : y;
        if (one->kind == HM_YAML_SCALAR)
            more[d->field_count++] = one->text;
    }
    d->fields = more;
    return 0;
}

static void remove_field(struct hm_run *r, const struct hm_yaml *y)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->d->field_count; i++) {
        bool hit = y->kind == HM_YAML_SCALAR && strcmp(y->text, r->d->fields[i]) == 0;
        for (size_t k = 0; y->kind == HM_YAML_LIST && k < y->count; k++)
            hit = hit || strcmp(hm_yaml_is_null(y->items[k]) ? "" : y->items[k]->text,
                                r->d->fields[i]) == 0;
        if (!hit)
            r->d->fields[kept++] = r->d->fields[i];
    }
    r->d->field_count = kept;
}

/* Names that do not stand in searches: the rule's field list, and what correlations group by. */
static int rename_others(struct hm_run *r, const struct hm_step *s)
{
    int e = 0;
    for (size_t i = 0; !e && i < r->d->field_count; i++)
        e = hm_step_rename_text(r, s, r->d->fields[i], &r->d->fields[i]);
    for (size_t i = 0; !e && i < r->tracked_count; i++)
        e = hm_step_rename_text(r, s, r->tracked[i].mapped, &r->tracked[i].mapped);
    return e;
}

static int one_step(struct hm_run *r, const struct hm_step *s)
{
    struct hm_body *b = &r->d->body;
    int e = 0;
    switch (s->kind) {
    case HM_STEP_RULE_FAILURE:
        return refuse(r, s, r->d->place);
    case HM_STEP_ADD_CONDITION:
        return add_condition(r, s);
    case HM_STEP_CHANGE_LOGSOURCE:
        return change_source(r, s);
    case HM_STEP_SET_STATE:
        return hm_run_state(r, hm_yaml_str(s->y, "key", ""), hm_yaml_str(s->y, "val", ""));
    case HM_STEP_SET_ATTRIBUTE:
        return set_attribute(r, s);
    case HM_STEP_ADD_FIELD:
        return add_field(r, hm_yaml_get(s->y, "field"));
    case HM_STEP_REMOVE_FIELD:
        remove_field(r, hm_yaml_get(s->y, "field"));
        return 0;
    default:
        break;
    }
    for (size_t i = 0; !e && i < b->search_count; i++)
        e = walk(r, s, &b->searches[i].detection);
    return !e && is_rename(s->kind) ? rename_others(r, s) : e;
}

int hm_run_pipeline(struct hm_run *r, const struct hm_pipeline *p)
{
    int e = 0;
    r->p = p;
    const char **ids = hm_arena_alloc(r->l->arena, (r->applied_count + p->count + 1) * sizeof *ids);
    if (!ids)
        return -ENOMEM;
    if (r->applied_count)
        memcpy(ids, r->applied, r->applied_count * sizeof *ids);
    r->applied = ids;
    for (size_t i = 0; !e && i < p->count; i++) {
        if (!hm_tests_rule(r, &p->steps[i].rule))
            continue;
        e = one_step(r, &p->steps[i]);
        ids[r->applied_count++] = p->steps[i].id;
    }
    return e;
}
