/* Owns the reading of a correlation section. What it refers to is resolved later (resolve.c). */
#include "detect/limits.h"
#include "detect/sigma/document.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

static const struct {
    const char *name;
    enum hm_correlation_kind kind;
} kinds[] = {
    {"event_count", HM_CORRELATION_EVENT_COUNT},
    {"value_count", HM_CORRELATION_VALUE_COUNT},
    {"temporal", HM_CORRELATION_TEMPORAL},
    {"temporal_ordered", HM_CORRELATION_TEMPORAL_ORDERED},
    {"value_sum", HM_CORRELATION_VALUE_SUM},
    {"value_avg", HM_CORRELATION_VALUE_AVG},
    {"value_percentile", HM_CORRELATION_VALUE_PERCENTILE},
    {"value_median", HM_CORRELATION_VALUE_PERCENTILE},
};
static const char *const operators[] = {"lt",  "lte", "gt",
                                        "gte", "eq",  "neq"}; /* enum hm_bound_op */

static int fail(struct hm_lang *l, const struct hm_yaml *y, const char *what, const char *name)
{
    return hm_fail_at(l->err, -EINVAL, y->line, y->column, what, name);
}

static bool is_temporal(enum hm_correlation_kind k)
{
    return k == HM_CORRELATION_TEMPORAL || k == HM_CORRELATION_TEMPORAL_ORDERED;
}

static bool is_value(enum hm_correlation_kind k)
{
    return !is_temporal(k) && k != HM_CORRELATION_EVENT_COUNT;
}

/* Months and years are those of the Gregorian mean, as pySigma's are. */
int hm_timespan_read(struct hm_lang *l, const char *text, struct hm_place place, uint64_t *ret_ms)
{
    static const struct {
        char unit;
        uint32_t seconds;
    } units[] = {{'s', 1},      {'m', 60},      {'h', 3600},    {'d', 86400},
                 {'w', 604800}, {'M', 2629746}, {'y', 31556952}};
    uint64_t n = 0;
    size_t i = 0;
    for (; text[i] >= '0' && text[i] <= '9' && i < 10; i++)
        n = n * 10 + (uint64_t)(text[i] - '0');
    for (size_t u = 0; i && n && u < HM_ARRAY_LEN(units); u++) {
        if (text[i] != units[u].unit || text[i + 1])
            continue;
        if (n * units[u].seconds > HM_TIMESPAN_MAX_SECONDS)
            return hm_fail_at(l->err, -E2BIG, place.line, place.column,
                              "timespan \"%.20s\" is longer than %d days", text,
                              HM_TIMESPAN_MAX_SECONDS / 86400);
        *ret_ms = n * units[u].seconds * 1000;
        return 0;
    }
    return hm_fail_at(l->err, -EINVAL, place.line, place.column,
                      "timespan \"%.20s\" is not a number and one of s m h d w M y", text);
}

static int texts(struct hm_lang *l, const struct hm_yaml *y, const char ***ret, size_t *ret_count)
{
    struct hm_reference *refs;
    int e = hm_references_read(l, y, &refs, ret_count);
    if (e)
        return e;
    *ret = hm_arena_alloc(l->arena, (*ret_count + 1) * sizeof **ret);
    for (size_t i = 0; *ret && i < *ret_count; i++)
        (*ret)[i] = refs[i].name;
    return *ret ? 0 : -ENOMEM;
}

static int alias(struct hm_lang *l, const struct hm_yaml *key, const struct hm_yaml *map,
                 struct hm_correlation_text *c)
{
    if (map->kind != HM_YAML_MAP || map->count == 0)
        return fail(l, map, "alias \"%.60s\" has to be a map of rules to fields", key->text);
    struct hm_alias *more = hm_arena_alloc(l->arena, (c->alias_count + map->count) * sizeof *more);
    if (!more)
        return -ENOMEM;
    if (c->alias_count)
        memcpy(more, c->aliases, c->alias_count * sizeof *more);
    c->aliases = more;
    for (size_t i = 0; i < map->count; i++) {
        struct hm_alias *a = &more[c->alias_count++];
        const struct hm_yaml *field = map->items[i];
        if (field->kind != HM_YAML_SCALAR || field->text_len == 0)
            return fail(l, field, "alias \"%.60s\" needs a field's name", key->text);
        a->alias = hm_arena_strndup(l->arena, key->text, key->text_len);
        a->field = hm_arena_strndup(l->arena, field->text, field->text_len);
        a->rule.name = hm_arena_strndup(l->arena, map->keys[i]->text, map->keys[i]->text_len);
        a->rule.place = (struct hm_place){map->keys[i]->line, map->keys[i]->column};
        if (!a->alias || !a->field || !a->rule.name)
            return -ENOMEM;
    }
    return 0;
}

static int aliases(struct hm_lang *l, const struct hm_yaml *y, struct hm_correlation_text *c)
{
    if (y && y->kind != HM_YAML_MAP)
        return fail(l, y, "%s has to be a map", "aliases");
    int e = 0;
    for (size_t i = 0; !e && y && i < y->count; i++)
        e = alias(l, y->keys[i], y->items[i], c);
    return e;
}

static int number(struct hm_lang *l, const struct hm_yaml *y, const char *name, double *ret)
{
    char *end = NULL;
    *ret = y->kind == HM_YAML_SCALAR && y->text_len ? strtod(y->text, &end) : 0;
    if (!end || *end || !isfinite(*ret))
        return fail(l, y, "condition: \"%s\" needs a number", name);
    return 0;
}

static int bounds(struct hm_lang *l, const struct hm_yaml *y, struct hm_correlation_text *c)
{
    int e = 0;
    for (size_t i = 0; !e && i < y->count; i++) {
        const char *key = y->keys[i]->text;
        size_t op = 0;
        while (op < HM_ARRAY_LEN(operators) && strcmp(key, operators[op]) != 0)
            op++;
        if (op < HM_ARRAY_LEN(operators)) {
            if (c->bound_count == HM_CORRELATION_BOUNDS_MAX)
                return fail(l, y, "%s has too many bounds", "condition");
            struct hm_bound *b = &c->bounds[c->bound_count++];
            b->op = (enum hm_bound_op)op;
            e = number(l, y->items[i], key, &b->value);
        } else if (strcmp(key, "field") == 0 && is_value(c->kind)) {
            e = texts(l, y->items[i], &c->value_fields, &c->value_field_count);
        } else if (strcmp(key, "percentile") == 0 && c->kind == HM_CORRELATION_VALUE_PERCENTILE) {
            e = number(l, y->items[i], key, &c->percentile);
            if (!e && (c->percentile < 0 || c->percentile > 100))
                return fail(l, y->items[i], "%s has to be between 0 and 100", "percentile");
        } else {
            return fail(l, y->keys[i], "condition: \"%.40s\" has no meaning here", key);
        }
    }
    if (!e && c->bound_count == 0)
        return fail(l, y, "condition needs one of %s", "lt, lte, gt, gte, eq, neq");
    return e;
}

static int condition(struct hm_lang *l, const struct hm_yaml *section,
                     struct hm_correlation_text *c)
{
    const struct hm_yaml *y = hm_yaml_get(section, "condition");
    if (!y && is_temporal(c->kind)) { /* "All events … must occur" */
        c->bounds[c->bound_count++] = (struct hm_bound){HM_BOUND_GTE, (double)c->rule_count};
        return 0;
    }
    if (!y)
        return fail(l, section, "\"%s\" is missing", "condition");
    if (y->kind == HM_YAML_MAP) {
        int e = bounds(l, y, c);
        if (!e && is_value(c->kind) && c->value_field_count == 0)
            return fail(l, y, "condition: \"%s\" is missing", "field");
        if (!e && c->kind != HM_CORRELATION_VALUE_COUNT && c->value_field_count > 1)
            return fail(l, y, "%s of several fields has no meaning", "an amount");
        return e;
    }
    if (y->kind != HM_YAML_SCALAR || !is_temporal(c->kind))
        return fail(l, y, "%s has to be a map here", "condition");
    c->extended = true;
    c->condition.place = (struct hm_place){y->line, y->column};
    c->condition.text = hm_arena_strndup(l->arena, y->text, y->text_len);
    return c->condition.text ? 0 : -ENOMEM;
}

/* The names in an extended condition, for a correlation that lists no rules. */
static int names_of(struct hm_lang *l, struct hm_correlation_text *c)
{
    const char *p = c->condition.text;
    struct hm_reference *refs = hm_arena_alloc(l->arena, HM_REFERENCES_MAX * sizeof *refs);
    if (!refs)
        return -ENOMEM;
    while (*p) {
        size_t n = strcspn(p, " \t\r\n()"), i = 0;
        struct hm_slice w = hm_slice(p, n);
        bool word = n && !hm_slice_eq(w, hm_slice_str("and")) &&
                    !hm_slice_eq(w, hm_slice_str("or")) && !hm_slice_eq(w, hm_slice_str("not"));
        while (word && i < c->rule_count && !hm_slice_eq(w, hm_slice_str(refs[i].name)))
            i++;
        if (word && i == c->rule_count && i < HM_REFERENCES_MAX) {
            refs[i].place = c->condition.place;
            refs[i].name = hm_arena_strndup(l->arena, p, n);
            if (!refs[i].name)
                return -ENOMEM;
            c->rule_count++;
        }
        p += n ? n : 1;
    }
    c->rules = refs;
    return 0;
}

static int rules(struct hm_lang *l, const struct hm_yaml *section, struct hm_correlation_text *c)
{
    const struct hm_yaml *y = hm_yaml_get(section, "rules");
    if (y && (y->kind != HM_YAML_LIST || y->count))
        return hm_references_read(l, y, &c->rules, &c->rule_count);
    const struct hm_yaml *cond = hm_yaml_get(section, "condition");
    if (!cond || cond->kind != HM_YAML_SCALAR || !is_temporal(c->kind))
        return fail(l, section, "\"%s\" are missing", "rules");
    c->condition.place = (struct hm_place){cond->line, cond->column};
    c->condition.text = cond->text;
    return names_of(l, c);
}

static int kind(struct hm_lang *l, const struct hm_yaml *section, struct hm_correlation_text *c)
{
    const char *text = hm_yaml_str(section, "type", "");
    for (size_t i = 0; i < HM_ARRAY_LEN(kinds); i++) {
        if (strcmp(text, kinds[i].name) == 0) {
            c->kind = kinds[i].kind;
            /* "median is a percentile 50"; none given: correlation.h */
            c->percentile = strcmp(text, "value_median") == 0 ? 50 : NAN;
            return 0;
        }
    }
    return fail(l, section, "correlation type \"%.40s\" is not one of Sigma's", text);
}

static int known_keys(struct hm_lang *l, const struct hm_yaml *section)
{
    static const char *const keys[] = {"type",    "rules",     "group-by", "timespan",
                                       "aliases", "condition", "generate"};
    for (size_t i = 0; i < section->count; i++) {
        size_t k = 0;
        while (k < HM_ARRAY_LEN(keys) && strcmp(section->keys[i]->text, keys[k]) != 0)
            k++;
        if (k == HM_ARRAY_LEN(keys))
            return fail(l, section->keys[i], "correlation: \"%.40s\" is not a part of one",
                        section->keys[i]->text);
    }
    return 0;
}

int hm_correlation_read(struct hm_lang *l, const struct hm_yaml *doc,
                        struct hm_correlation_text *ret_c)
{
    struct hm_correlation_text c = {0};
    const struct hm_yaml *s = hm_yaml_get(doc, "correlation");
    if (s->kind != HM_YAML_MAP)
        return fail(l, s, "%s has to be a map", "correlation");
    const struct hm_yaml *group = hm_yaml_get(s, "group-by"), *span = hm_yaml_get(s, "timespan");
    int e = known_keys(l, s);
    if (!e)
        e = kind(l, s, &c);
    if (!e)
        e = rules(l, s, &c);
    if (!e)
        e = !span || span->kind != HM_YAML_SCALAR
                ? fail(l, s, "\"%s\" is missing", "timespan")
                : hm_timespan_read(l, span->text, (struct hm_place){span->line, span->column},
                                   &c.timespan_ms);
    if (!e && group && !(group->kind == HM_YAML_LIST && group->count == 0))
        e = texts(l, group, &c.group_names, &c.group_count);
    if (!e)
        e = aliases(l, hm_yaml_get(s, "aliases"), &c);
    if (!e)
        e = condition(l, s, &c);
    const char *generate = hm_yaml_str(hm_yaml_get(doc, "generate") ? doc : s, "generate", "false");
    c.generate = strcmp(generate, "true") == 0 || strcmp(generate, "True") == 0 ||
                 strcmp(generate, "yes") == 0;
    if (!e)
        *ret_c = c;
    return e;
}
