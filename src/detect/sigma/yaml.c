/* Owns the walk from libyaml's events to our tree; refuses aliases, depth and size over limits.h.
 */
#include "detect/sigma/yaml.h"
#include "detect/limits.h"
#include <errno.h>
#include <stdlib.h>
#include <yaml.h>

struct hm_yaml_stream { /* walks the documents of one text */
    yaml_parser_t parser;
    struct hm_arena *arena;
    struct hm_error *err;
    size_t nodes;
    int error;
};

static void next_event(struct hm_yaml_stream *b, yaml_event_t *ev)
{
    if (yaml_parser_parse(&b->parser, ev))
        return;
    b->error = hm_fail_at(b->err, -EINVAL, (uint32_t)b->parser.problem_mark.line + 1,
                          (uint32_t)b->parser.problem_mark.column + 1, "YAML: %s",
                          b->parser.problem ? b->parser.problem : "malformed");
    *ev = (yaml_event_t){.type = YAML_NO_EVENT};
}

static struct hm_yaml *new_node(struct hm_yaml_stream *b, const yaml_event_t *ev,
                                enum hm_yaml_kind kind)
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

static struct hm_yaml *build(struct hm_yaml_stream *b, yaml_event_t *ev, unsigned depth);

static struct hm_yaml *build_scalar(struct hm_yaml_stream *b, const yaml_event_t *ev)
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
static int grow(struct hm_yaml_stream *b, struct hm_yaml *n, size_t *cap)
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

static void check_key(struct hm_yaml_stream *b, const struct hm_yaml *map,
                      const struct hm_yaml *key)
{
    if (key->kind != HM_YAML_SCALAR) {
        b->error = hm_fail_at(b->err, -EINVAL, key->line, key->column, "a key has to be text");
        return;
    }
    if (map->count >= HM_YAML_MAX_KEYS)
        b->error = hm_fail_at(b->err, -E2BIG, key->line, key->column,
                              "more than %d keys in one map", HM_YAML_MAX_KEYS);
    /* Quadratic, but bounded, and maps of rules are short. */
    for (size_t i = 0; !b->error && i < map->count; i++)
        if (strcmp(map->keys[i]->text, key->text) == 0)
            b->error = hm_fail_at(b->err, -EINVAL, key->line, key->column,
                                  "key \"%.80s\" is there twice", key->text);
}

static struct hm_yaml *build_children(struct hm_yaml_stream *b, const yaml_event_t *start,
                                      unsigned depth, enum hm_yaml_kind kind, yaml_event_type_t end)
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
static struct hm_yaml *build(struct hm_yaml_stream *b, yaml_event_t *ev, unsigned depth)
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

/* Where the first byte that is not UTF-8 stands; len when there is none. */
static size_t first_bad(struct hm_slice s)
{
    for (size_t i = 0; i < s.len;) {
        uint8_t c = s.p[i];
        size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 4;
        if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || i + n > s.len)
            return i;
        for (size_t k = 1; k < n; k++)
            if ((s.p[i + k] & 0xc0) != 0x80)
                return i;
        i += n;
    }
    return s.len;
}

static int check_encoding(struct hm_slice s, struct hm_error *err)
{
    uint32_t line = 1, column = 1;
    bool mark16 =
        s.len >= 2 && ((s.p[0] == 0xff && s.p[1] == 0xfe) || (s.p[0] == 0xfe && s.p[1] == 0xff));
    if (mark16)
        return hm_fail_at(err, -EINVAL, 1, 1, "encoded as UTF-16; rules are UTF-8");
    size_t bad = first_bad(s);
    if (bad == s.len)
        return 0;
    for (size_t i = 0; i < bad; i++, column++) {
        if (s.p[i] == '\n') {
            line++;
            column = 0;
        }
    }
    return hm_fail_at(err, -EINVAL, line, column,
                      "the byte 0x%02x is not UTF-8 (is the file Latin-1?)", s.p[bad]);
}

int hm_yaml_open(struct hm_slice text, struct hm_arena *arena, struct hm_error *err,
                 struct hm_yaml_stream **ret_s)
{
    int r = check_encoding(text, err);
    struct hm_yaml_stream *s = r ? NULL : calloc(1, sizeof *s);
    if (!s)
        return r ? r : -ENOMEM;
    if (!yaml_parser_initialize(&s->parser)) {
        free(s);
        return -ENOMEM;
    }
    s->arena = arena;
    s->err = err;
    yaml_parser_set_input_string(&s->parser, text.p, text.len);
    yaml_parser_set_encoding(&s->parser, YAML_UTF8_ENCODING);
    *ret_s = s;
    return 0;
}

void hm_yaml_close(struct hm_yaml_stream *s)
{
    if (!s)
        return;
    yaml_parser_delete(&s->parser);
    free(s);
}

int hm_yaml_next(struct hm_yaml_stream *s, struct hm_yaml **ret_root)
{
    struct hm_yaml *root = NULL;
    while (!s->error && !root) {
        yaml_event_t ev;
        next_event(s, &ev);
        bool content = ev.type == YAML_SCALAR_EVENT || ev.type == YAML_MAPPING_START_EVENT ||
                       ev.type == YAML_SEQUENCE_START_EVENT || ev.type == YAML_ALIAS_EVENT;
        if (content) {
            root = build(s, &ev, 0);
            /* "---" with nothing behind it is no document of a rule set. */
            if (root && root->kind == HM_YAML_SCALAR && root->text_len == 0 && !root->quoted)
                root = NULL;
            continue;
        }
        bool end = ev.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&ev);
        if (end)
            break;
    }
    if (!s->error)
        *ret_root = root;
    return s->error;
}

int hm_yaml_parse(struct hm_slice text, size_t index, struct hm_arena *arena,
                  struct hm_yaml **ret_root, struct hm_error *err)
{
    struct hm_yaml_stream *s = NULL;
    struct hm_yaml *root = NULL;
    int r = hm_yaml_open(text, arena, err, &s);
    for (size_t doc = 0; !r && doc <= index; doc++) {
        root = NULL;
        r = hm_yaml_next(s, &root);
        if (!root)
            break;
    }
    hm_yaml_close(s);
    if (!r)
        *ret_root = root;
    return r;
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
           (n->text_len == 0 || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0 ||
            strcmp(n->text, "Null") == 0 || strcmp(n->text, "NULL") == 0);
}
