/* Owns the shape of a detection section: maps are AND, lists are OR, lists of plain values are
 * keywords; everything that is none of these is refused. */
#include "detect/sigma/detection.h"
#include "detect/limits.h"
#include <errno.h>

static struct hm_detection *node(struct hm_lang *l, enum hm_detection_kind kind,
                                 const struct hm_yaml *y, size_t room)
{
    struct hm_detection *d = hm_arena_alloc(l->arena, sizeof *d);
    if (!d)
        return NULL;
    *d = (struct hm_detection){.kind = kind, .place = {y->line, y->column}};
    d->kids = room ? hm_arena_alloc(l->arena, room * sizeof *d->kids) : NULL;
    return room && !d->kids ? NULL : d;
}

static int read_map(struct hm_lang *l, struct hm_body *b, const struct hm_yaml *m,
                    struct hm_detection **ret)
{
    struct hm_detection *both = node(l, HM_DETECTION_AND, m, m->count);
    int e = both ? 0 : -ENOMEM;
    if (m->count == 0)
        return hm_fail_at(l->err, -EINVAL, m->line, m->column, "an empty search");
    for (size_t i = 0; !e && i < m->count; i++) {
        struct hm_detection *item = node(l, HM_DETECTION_ITEM, m->keys[i], 0);
        if (!item)
            return -ENOMEM;
        e = hm_item_read(l, b, m->keys[i], m->items[i], &item->item);
        both->kids[both->count++] = item;
    }
    *ret = both;
    return e;
}

/* Plain values without a field: the key of the item is empty. */
static int read_keywords(struct hm_lang *l, struct hm_body *b, const struct hm_yaml *v,
                         struct hm_detection **ret)
{
    const struct hm_yaml key = {
        .kind = HM_YAML_SCALAR, .line = v->line, .column = v->column, .text = ""};
    struct hm_detection *item = node(l, HM_DETECTION_ITEM, v, 0);
    if (!item)
        return -ENOMEM;
    *ret = item;
    return hm_item_read(l, b, &key, v, &item->item);
}

static bool only_scalars(const struct hm_yaml *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i]->kind != HM_YAML_SCALAR)
            return false;
    return true;
}

/* Recursion is bounded by the depth of the YAML tree. */
int hm_detection_read(struct hm_lang *l, struct hm_body *b, const struct hm_yaml *y,
                      struct hm_detection **ret)
{
    if (y->kind == HM_YAML_MAP)
        return read_map(l, b, y, ret);
    if (y->kind == HM_YAML_LIST && y->count == 0)
        return hm_fail_at(l->err, -EINVAL, y->line, y->column, "an empty search");
    if (y->kind == HM_YAML_SCALAR || only_scalars(y))
        return read_keywords(l, b, y, ret);
    struct hm_detection *any = node(l, HM_DETECTION_OR, y, y->count);
    int e = any ? 0 : -ENOMEM;
    for (size_t i = 0; !e && i < y->count; i++)
        e = hm_detection_read(l, b, y->items[i], &any->kids[any->count++]);
    *ret = any;
    return e;
}

static int read_condition(struct hm_lang *l, const struct hm_yaml *y, struct hm_condition *ret)
{
    if (y->kind != HM_YAML_SCALAR || y->text_len == 0)
        return hm_fail_at(l->err, -EINVAL, y->line, y->column, "a condition has to be text");
    *ret = (struct hm_condition){{y->line, y->column},
                                 hm_arena_strndup(l->arena, y->text, y->text_len)};
    return ret->text ? 0 : -ENOMEM;
}

static int read_conditions(struct hm_lang *l, const struct hm_yaml *section, struct hm_body *b)
{
    const struct hm_yaml *y = hm_yaml_get(section, "condition");
    bool list = y && y->kind == HM_YAML_LIST;
    if (!y || (list && y->count == 0))
        return hm_fail_at(l->err, -EINVAL, section->line, section->column, "condition is missing");
    size_t n = list ? y->count : 1;
    b->conditions = hm_arena_alloc(l->arena, n * sizeof *b->conditions);
    int e = b->conditions ? 0 : -ENOMEM;
    for (size_t i = 0; !e && i < n; i++)
        e = read_condition(l, list ? y->items[i] : y, &b->conditions[b->condition_count++]);
    return e;
}

static bool is_search(const char *key)
{
    return strcmp(key, "condition") != 0 && strcmp(key, "timeframe") != 0 &&
           strcmp(key, "rules") != 0;
}

int hm_body_read(struct hm_lang *l, const struct hm_yaml *section, struct hm_body *ret_b)
{
    struct hm_body b = {0};
    const char *timeframe = hm_yaml_str(section, "timeframe", "");
    b.timeframe = hm_arena_strndup(l->arena, timeframe, strlen(timeframe));
    b.searches = hm_arena_alloc(l->arena, (section->count + 1) * sizeof *b.searches);
    int e = b.searches && b.timeframe ? read_conditions(l, section, &b) : -ENOMEM;
    for (size_t i = 0; !e && i < section->count; i++) {
        const struct hm_yaml *key = section->keys[i];
        if (!is_search(key->text))
            continue;
        struct hm_search *s = &b.searches[b.search_count++];
        *s = (struct hm_search){.place = {key->line, key->column}};
        s->name = hm_arena_strndup(l->arena, key->text, key->text_len);
        e = s->name ? hm_detection_read(l, &b, section->items[i], &s->detection) : -ENOMEM;
    }
    if (!e)
        *ret_b = b;
    return e;
}

static int copy_text(struct hm_lang *l, struct hm_text *t)
{
    uint16_t *u = hm_arena_alloc(l->arena, (t->n + 1) * sizeof *u);
    if (!u)
        return -ENOMEM;
    if (t->n)
        memcpy(u, t->u, t->n * sizeof *u);
    t->u = u;
    return 0;
}

static int copy_values(struct hm_lang *l, struct hm_values *vs)
{
    struct hm_sigma_value *items = hm_arena_alloc(l->arena, (vs->count + 1) * sizeof *items);
    int e = items ? 0 : -ENOMEM;
    for (size_t i = 0; !e && i < vs->count; i++) {
        items[i] = vs->items[i];
        e = copy_text(l, &items[i].text);
    }
    vs->items = items;
    vs->cap = 0;
    return e;
}

static int copy_detection(struct hm_lang *l, const struct hm_detection *d,
                          struct hm_detection **ret)
{
    struct hm_detection *n = hm_arena_alloc(l->arena, sizeof *n);
    if (!n)
        return -ENOMEM;
    *n = *d;
    n->kids = hm_arena_alloc(l->arena, (d->count + 1) * sizeof *n->kids);
    n->item.values = hm_arena_alloc(l->arena, (d->item.count + 1) * sizeof *n->item.values);
    int e = n->kids && n->item.values ? 0 : -ENOMEM;
    for (size_t i = 0; !e && i < d->item.count; i++) {
        n->item.values[i] = d->item.values[i];
        e = copy_values(l, &n->item.values[i]);
    }
    for (size_t i = 0; !e && i < d->count; i++)
        e = copy_detection(l, d->kids[i], &n->kids[i]);
    *ret = n;
    return e;
}

int hm_body_copy(struct hm_lang *l, const struct hm_body *b, struct hm_body *ret_b)
{
    struct hm_body n = *b;
    n.searches = hm_arena_alloc(l->arena, (b->search_count + 1) * sizeof *n.searches);
    int e = n.searches ? 0 : -ENOMEM;
    for (size_t i = 0; !e && i < b->search_count; i++) {
        n.searches[i] = b->searches[i];
        n.searches[i].ast = NULL;
        if (b->searches[i].detection)
            e = copy_detection(l, b->searches[i].detection, &n.searches[i].detection);
    }
    if (!e)
        *ret_b = n;
    return e;
}
