/* Owns the walk from libyaml's events to our tree; refuses aliases, depth and size over limits.h.
 */
#include "detect/sigma/yaml.h"
#include "detect/limits.h"
#include <errno.h>
#include <yaml.h>

struct builder {
    yaml_parser_t parser;
    struct hm_arena *arena;
    struct hm_error *err;
    size_t nodes;
    int error;
};

static void next_event(struct builder *b, yaml_event_t *ev)
{
    if (yaml_parser_parse(&b->parser, ev))
        return;
    b->error = hm_fail_at(b->err, -EINVAL, (uint32_t)b->parser.problem_mark.line + 1,
                          (uint32_t)b->parser.problem_mark.column + 1, "YAML: %s",
                          b->parser.problem ? b->parser.problem : "malformed");
    *ev = (yaml_event_t){.type = YAML_NO_EVENT};
}

static struct hm_yaml *new_node(struct builder *b, const yaml_event_t *ev, enum hm_yaml_kind kind)
{
    uint32_t line = (uint32_t)ev->start_mark.line + 1, column = (uint32_t)ev->start_mark.column + 1;
    if (++b->nodes > HM_YAML_MAX_NODES) {
        b->error =
            hm_fail_at(b->err, -E2BIG, line, column, "more than %d YAML values", HM_YAML_MAX_NODES);
        return NULL;
    }
    struct hm_yaml *n = hm_arena_alloc(b->arena, sizeof *n);
    if (!n) {
        b->error = -ENOMEM;
        return NULL;
    }
    *n = (struct hm_yaml){.kind = kind, .line = line, .column = column};
    return n;
}

static struct hm_yaml *build(struct builder *b, yaml_event_t *ev, unsigned depth);

static struct hm_yaml *build_scalar(struct builder *b, const yaml_event_t *ev)
{
    struct hm_yaml *n = new_node(b, ev, HM_YAML_SCALAR);
    if (!n)
        return NULL;
    n->quoted = ev->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
                ev->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE ||
                ev->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
                ev->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;
    n->text_len = ev->data.scalar.length;
    n->text = hm_arena_strndup(b->arena, ev->data.scalar.value, n->text_len);
    if (!n->text)
        b->error = -ENOMEM;
    return n;
}

/* Room for one more child in both arrays; they double inside the arena. */
static int grow(struct builder *b, struct hm_yaml *n, size_t *cap)
{
    if (n->count < *cap)
        return 0;
    size_t bigger = *cap ? *cap * 2 : 8;
    struct hm_yaml **keys = hm_arena_alloc(b->arena, bigger * sizeof *keys);
    struct hm_yaml **items = hm_arena_alloc(b->arena, bigger * sizeof *items);
    if (!keys || !items)
        return b->error = -ENOMEM;
    if (n->count) {
        memcpy(keys, n->keys, n->count * sizeof *keys);
        memcpy(items, n->items, n->count * sizeof *items);
    }
    n->keys = keys;
    n->items = items;
    *cap = bigger;
    return 0;
}

static void check_key(struct builder *b, const struct hm_yaml *map, const struct hm_yaml *key)
{
    if (key->kind != HM_YAML_SCALAR) {
        b->error = hm_fail_at(b->err, -EINVAL, key->line, key->column, "a key has to be text");
        return;
    }
    /* Quadratic, but only detection maps are keyed, and those are short. */
    for (size_t i = 0; i < map->count && map->count < 1024; i++)
        if (strcmp(map->keys[i]->text, key->text) == 0)
            b->error = hm_fail_at(b->err, -EINVAL, key->line, key->column,
                                  "key \"%.80s\" is there twice", key->text);
}

static struct hm_yaml *build_children(struct builder *b, const yaml_event_t *start, unsigned depth,
                                      enum hm_yaml_kind kind, yaml_event_type_t end)
{
    struct hm_yaml *n = new_node(b, start, kind);
    size_t cap = 0;
    while (n && !b->error) {
        yaml_event_t ev;
        next_event(b, &ev);
        if (b->error || ev.type == end) {
            yaml_event_delete(&ev);
            break;
        }
        if (grow(b, n, &cap)) {
            yaml_event_delete(&ev);
            break;
        }
        struct hm_yaml *first = build(b, &ev, depth + 1), *value = first;
        if (kind == HM_YAML_MAP && !b->error) {
            check_key(b, n, first);
            if (b->error)
                break;
            next_event(b, &ev);
            value = b->error ? NULL : build(b, &ev, depth + 1);
        }
        n->keys[n->count] = first;
        n->items[n->count++] = value;
    }
    return n;
}

/* Consumes ev. Recursion is bounded by HM_YAML_MAX_DEPTH. */
static struct hm_yaml *build(struct builder *b, yaml_event_t *ev, unsigned depth)
{
    struct hm_yaml *n = NULL;
    uint32_t line = (uint32_t)ev->start_mark.line + 1, column = (uint32_t)ev->start_mark.column + 1;
    if (depth > HM_YAML_MAX_DEPTH)
        b->error =
            hm_fail_at(b->err, -E2BIG, line, column, "nested deeper than %d", HM_YAML_MAX_DEPTH);
    else if (ev->type == YAML_SCALAR_EVENT)
        n = build_scalar(b, ev);
    else if (ev->type == YAML_MAPPING_START_EVENT)
        n = build_children(b, ev, depth, HM_YAML_MAP, YAML_MAPPING_END_EVENT);
    else if (ev->type == YAML_SEQUENCE_START_EVENT)
        n = build_children(b, ev, depth, HM_YAML_LIST, YAML_SEQUENCE_END_EVENT);
    else if (ev->type == YAML_ALIAS_EVENT)
        b->error = hm_fail_at(b->err, -EINVAL, line, column, "aliases are not allowed in rules");
    else
        b->error = hm_fail_at(b->err, -EINVAL, line, column, "unexpected YAML");
    yaml_event_delete(ev);
    return n;
}

int hm_yaml_parse(struct hm_slice text, size_t index, struct hm_arena *arena,
                  struct hm_yaml **ret_root, struct hm_error *err)
{
    struct builder b = {.arena = arena, .err = err};
    struct hm_yaml *root = NULL;
    if (!yaml_parser_initialize(&b.parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&b.parser, text.p, text.len);
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    for (size_t doc = 0; !b.error;) {
        yaml_event_t ev;
        next_event(&b, &ev);
        bool content = ev.type == YAML_SCALAR_EVENT || ev.type == YAML_MAPPING_START_EVENT ||
                       ev.type == YAML_SEQUENCE_START_EVENT || ev.type == YAML_ALIAS_EVENT;
        if (ev.type == YAML_STREAM_END_EVENT || b.error) {
            yaml_event_delete(&ev);
            break;
        }
        if (!content) {
            yaml_event_delete(&ev);
            continue;
        }
        struct hm_yaml *n = build(&b, &ev, 0);
        if (doc++ == index) {
            root = n;
            break;
        }
    }
    yaml_parser_delete(&b.parser);
    if (!b.error)
        *ret_root = root;
    return b.error;
}

const struct hm_yaml *hm_yaml_get(const struct hm_yaml *m, const char *key)
{
    for (size_t i = 0; m && m->kind == HM_YAML_MAP && i < m->count; i++)
        if (strcmp(m->keys[i]->text, key) == 0)
            return m->items[i];
    return NULL;
}

const char *hm_yaml_str(const struct hm_yaml *m, const char *key, const char *fallback)
{
    const struct hm_yaml *n = hm_yaml_get(m, key);
    return n && n->kind == HM_YAML_SCALAR ? n->text : fallback;
}

bool hm_yaml_is_null(const struct hm_yaml *n)
{
    return n->kind == HM_YAML_SCALAR && !n->quoted &&
           (n->text_len == 0 || strcmp(n->text, "null") == 0 || strcmp(n->text, "~") == 0);
}
