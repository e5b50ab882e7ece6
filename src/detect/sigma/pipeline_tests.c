/* Owns the conditions of a step: about the rule, about one item, about one field name. */
#include "detect/sigma/pipeline_parts.h"
#include <errno.h>
#include <stdio.h>

static const struct row {
    const char *what, *type;
    enum hm_test_kind kind;
    const char *keys[5];
} rows[] = {
    {"rule", "logsource", HM_TEST_LOGSOURCE, {"category", "product", "service"}},
    {"rule", "contains_detection_item", HM_TEST_CONTAINS_ITEM, {"field", "value"}},
    {"rule", "contains_field", HM_TEST_CONTAINS_FIELD, {"field"}},
    {"rule", "is_sigma_rule", HM_TEST_IS_RULE, {NULL}},
    {"rule", "is_sigma_correlation_rule", HM_TEST_IS_CORRELATION, {NULL}},
    {"rule", "rule_attribute", HM_TEST_ATTRIBUTE, {"attribute", "value", "op"}},
    {"rule", "tag", HM_TEST_TAG, {"tag"}},
    {"rule", "processing_state", HM_TEST_STATE, {"key", "val"}},
    {"rule", "processing_item_applied", HM_TEST_APPLIED, {"processing_item_id"}},
    {"detection_item", "match_string", HM_TEST_MATCH_STRING, {"cond", "pattern", "negate"}},
    {"detection_item", "match_value", HM_TEST_MATCH_VALUE, {"cond", "value"}},
    {"detection_item", "contains_wildcard", HM_TEST_WILDCARD, {"cond"}},
    {"detection_item", "is_null", HM_TEST_NULL, {"cond"}},
    {"detection_item", "processing_state", HM_TEST_STATE, {"key", "val"}},
    {"field_name", "include_fields", HM_TEST_INCLUDE_FIELDS, {"fields", "mode"}},
    {"field_name", "exclude_fields", HM_TEST_EXCLUDE_FIELDS, {"fields", "mode"}},
    {"field_name", "processing_state", HM_TEST_STATE, {"key", "val"}},
};

static int fail(struct hm_error *err, const struct hm_yaml *y, const char *what, const char *name)
{
    return hm_fail_at(err, -EINVAL, y->line, y->column, what, name);
}

static int check_keys(const struct row *row, const struct hm_yaml *y, struct hm_error *err)
{
    for (size_t i = 0; i < y->count; i++) {
        size_t k = 0;
        if (strcmp(y->keys[i]->text, "type") == 0)
            continue;
        while (k < HM_ARRAY_LEN(row->keys) && row->keys[k] &&
               strcmp(row->keys[k], y->keys[i]->text) != 0)
            k++;
        if (k == HM_ARRAY_LEN(row->keys) || !row->keys[k])
            return fail(err, y->keys[i], "pipeline: a condition has no \"%.60s\"",
                        y->keys[i]->text);
    }
    return 0;
}

static int compile(struct hm_arena *a, struct hm_test_step *t, struct hm_error *err)
{
    const struct hm_yaml *fields = hm_yaml_get(t->y, "fields");
    bool list = fields && fields->kind == HM_YAML_LIST;
    bool re = strcmp(hm_yaml_str(t->y, "mode", "plain"), "re") == 0;
    size_t n = t->kind == HM_TEST_MATCH_STRING ? 1 : re && list ? fields->count : 0;
    if ((t->kind == HM_TEST_INCLUDE_FIELDS || t->kind == HM_TEST_EXCLUDE_FIELDS) && !list)
        return fail(err, t->y, "pipeline: \"%s\" has to be a list", "fields");
    t->rx = hm_arena_alloc(a, (n + 1) * sizeof *t->rx);
    int r = t->rx ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < n; i++) {
        const struct hm_yaml *y =
            t->kind == HM_TEST_MATCH_STRING ? hm_yaml_get(t->y, "pattern") : fields->items[i];
        r = y ? hm_rx_new(y, &t->rx[i], err)
              : fail(err, t->y, "pipeline: \"%s\" is missing", "pattern");
        t->rx_count += !r;
    }
    return r;
}

static int parse_one(struct hm_arena *a, const struct hm_yaml *y, const char *what,
                     struct hm_test_step *t, struct hm_error *err)
{
    const char *type = hm_yaml_str(y, "type", "");
    size_t i = 0;
    while (i < HM_ARRAY_LEN(rows) &&
           (strcmp(rows[i].what, what) != 0 || strcmp(rows[i].type, type) != 0))
        i++;
    if (i == HM_ARRAY_LEN(rows))
        return fail(err, y, "pipeline: no such condition as \"%.60s\" here", type);
    *t = (struct hm_test_step){.kind = rows[i].kind, .y = y};
    int r = check_keys(&rows[i], y, err);
    return r ? r : compile(a, t, err);
}

int hm_tests_parse(struct hm_arena *a, const struct hm_yaml *step, const char *what,
                   struct hm_tests *ret_t, struct hm_error *err)
{
    char key[64];
    snprintf(key, sizeof key, "%s_conditions", what);
    const struct hm_yaml *list = hm_yaml_get(step, key);
    snprintf(key, sizeof key, "%s_cond_op", what);
    const char *op = hm_yaml_str(step, key, "and");
    snprintf(key, sizeof key, "%s_cond_not", what);
    *ret_t = (struct hm_tests){.any = strcmp(op, "or") == 0,
                               .negate = strcmp(hm_yaml_str(step, key, "false"), "true") == 0};
    if (!ret_t->any && strcmp(op, "and") != 0)
        return fail(err, step, "pipeline: conditions are linked with \"and\" or \"or\", not %.40s",
                    op);
    if (!list)
        return 0;
    if (list->kind != HM_YAML_LIST)
        return fail(err, list, "pipeline: conditions of a %s have to be a list", what);
    ret_t->items = hm_arena_alloc(a, (list->count + 1) * sizeof *ret_t->items);
    int r = ret_t->items ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < list->count; i++)
        r = parse_one(a, list->items[i], what, &ret_t->items[ret_t->count++], err);
    return r;
}

void hm_tests_done(struct hm_tests *t)
{
    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; k < t->items[i].rx_count; k++)
            hm_rx_free(t->items[i].rx[k]);
}

static bool part(const struct hm_yaml *y, const char *key, const char *is)
{
    const char *wanted = hm_yaml_str(y, key, "");
    return !*wanted || strcmp(wanted, is) == 0;
}

static bool logsource(const struct hm_document *d, const struct hm_yaml *y)
{
    return part(y, "product", d->source.product) && part(y, "category", d->source.category) &&
           part(y, "service", d->source.service);
}

static bool has_value(const struct hm_run *r, const struct hm_item *it, const char *value)
{
    for (size_t i = 0; i < it->count; i++) {
        for (size_t k = 0; k < it->values[i].count; k++) {
            const char *s = hm_text_string(r->l->arena, it->values[i].items[k].text, false);
            if (s && strcmp(s, value) == 0)
                return true;
        }
    }
    return false;
}

static bool contains(const struct hm_run *r, const struct hm_detection *d, const char *field,
                     const char *value)
{
    if (!d)
        return false;
    if (d->kind == HM_DETECTION_ITEM)
        return d->item.field && strcmp(d->item.field, field) == 0 &&
               (!value || has_value(r, &d->item, value));
    for (size_t i = 0; i < d->count; i++)
        if (contains(r, d->kids[i], field, value))
            return true;
    return false;
}

static bool in_rule(const struct hm_run *r, const struct hm_yaml *y, const char *value)
{
    const struct hm_body *b = &r->d->body;
    for (size_t i = 0; i < b->search_count; i++)
        if (contains(r, b->searches[i].detection, hm_yaml_str(y, "field", ""), value))
            return true;
    return false;
}

static bool state(const struct hm_run *r, const struct hm_yaml *y)
{
    for (size_t i = r->state_count; i-- > 0;)
        if (strcmp(r->states[i].key, hm_yaml_str(y, "key", "")) == 0)
            return strcmp(r->states[i].value, hm_yaml_str(y, "val", "")) == 0;
    return false;
}

static const char *attribute(const struct hm_run *r, const char *name)
{
    static const char *const levels[] = {"", "informational", "low", "medium", "high", "critical"};
    const struct hm_document *d = r->d;
    const struct {
        const char *name, *value;
    } known[] = {{"id", d->info.id},
                 {"title", d->info.title},
                 {"name", d->name},
                 {"status", d->status},
                 {"path", d->info.path},
                 {"level", levels[d->info.severity % 6]},
                 {"description", d->info.reason}};
    for (size_t i = 0; i < HM_ARRAY_LEN(known); i++)
        if (strcmp(name, known[i].name) == 0)
            return known[i].value;
    for (size_t i = r->state_count; i-- > 0;)
        if (strncmp(r->states[i].key, "attribute:", 10) == 0 &&
            strcmp(r->states[i].key + 10, name) == 0)
            return r->states[i].value;
    return NULL;
}

static int order(const char *name, const char *value)
{
    static const char *const levels[] = {"informational", "low", "medium", "high", "critical"};
    static const char *const statuses[] = {"unsupported", "deprecated", "experimental", "test",
                                           "stable"};
    const char *const *list = strcmp(name, "status") == 0 ? statuses : levels;
    for (int i = 0; i < 5; i++)
        if (strcmp(list[i], value) == 0)
            return i;
    return -1;
}

static bool compare_attribute(const struct hm_run *r, const struct hm_yaml *y)
{
    const char *name = hm_yaml_str(y, "attribute", ""), *op = hm_yaml_str(y, "op", "eq");
    const char *wanted = hm_yaml_str(y, "value", ""), *is = attribute(r, name);
    if (!is)
        return false;
    if (strcmp(op, "eq") == 0)
        return strcmp(is, wanted) == 0;
    if (strcmp(op, "ne") == 0)
        return strcmp(is, wanted) != 0;
    int a = order(name, is), b = order(name, wanted);
    if (a < 0 || b < 0)
        return false;
    return strcmp(op, "gte") == 0   ? a >= b
           : strcmp(op, "gt") == 0  ? a > b
           : strcmp(op, "lte") == 0 ? a <= b
                                    : a < b;
}

/* Tags are kept as what ATT&CK calls them: T1059.004 among techniques, names among tactics. */
static bool tagged(const struct hm_document *d, const char *tag)
{
    const char *list = d->info.tactics;
    char wanted[128];
    if (strncmp(tag, "attack.", 7) != 0)
        return false;
    tag += 7;
    bool technique = tag[0] == 't' && tag[1] >= '0' && tag[1] <= '9';
    snprintf(wanted, sizeof wanted, "%c%s", technique ? 'T' : tag[0], *tag ? tag + 1 : "");
    if (technique)
        list = d->info.techniques;
    for (size_t n = strlen(wanted); *list;) {
        size_t len = strcspn(list, ",");
        if (len == n && memcmp(list, wanted, n) == 0)
            return true;
        list += len + (list[len] == ',');
    }
    return false;
}

static bool applied(const struct hm_run *r, const char *id)
{
    for (size_t i = 0; i < r->applied_count; i++)
        if (strcmp(r->applied[i], id) == 0)
            return true;
    return false;
}

static bool one_rule(const struct hm_run *r, const struct hm_test_step *t)
{
    switch (t->kind) {
    case HM_TEST_LOGSOURCE:
        return logsource(r->d, t->y);
    case HM_TEST_CONTAINS_ITEM:
        return in_rule(r, t->y, hm_yaml_str(t->y, "value", ""));
    case HM_TEST_CONTAINS_FIELD:
        return in_rule(r, t->y, NULL);
    case HM_TEST_IS_RULE:
        return true; /* correlations have no searches of their own and are never run */
    case HM_TEST_ATTRIBUTE:
        return compare_attribute(r, t->y);
    case HM_TEST_TAG:
        return tagged(r->d, hm_yaml_str(t->y, "tag", ""));
    case HM_TEST_STATE:
        return state(r, t->y);
    case HM_TEST_APPLIED:
        return applied(r, hm_yaml_str(t->y, "processing_item_id", ""));
    default:
        return false;
    }
}

static bool one_value(const struct hm_run *r, const struct hm_test_step *t,
                      const struct hm_sigma_value *v)
{
    const char *s = hm_text_string(r->l->arena, v->text, false);
    bool negate = strcmp(hm_yaml_str(t->y, "negate", "false"), "true") == 0;
    switch (t->kind) {
    case HM_TEST_MATCH_STRING:
        return (v->type == HM_VALUE_STRING && s && hm_rx_match(t->rx[0], s, true)) != negate;
    case HM_TEST_MATCH_VALUE:
        return s && strcmp(s, hm_yaml_str(t->y, "value", "")) == 0;
    case HM_TEST_WILDCARD:
        return v->type == HM_VALUE_STRING && hm_text_has_wildcards(v->text);
    case HM_TEST_NULL:
        return v->type == HM_VALUE_NULL;
    default:
        return false;
    }
}

static bool one_item(const struct hm_run *r, const struct hm_test_step *t, const struct hm_item *it)
{
    if (t->kind == HM_TEST_STATE)
        return state(r, t->y);
    bool all = strcmp(hm_yaml_str(t->y, "cond", "any"), "all") == 0;
    for (size_t i = 0; i < it->count; i++)
        for (size_t k = 0; k < it->values[i].count; k++)
            if (one_value(r, t, &it->values[i].items[k]) != all)
                return !all;
    return all;
}

static bool one_field(const struct hm_run *r, const struct hm_test_step *t, const char *field)
{
    if (t->kind == HM_TEST_STATE)
        return state(r, t->y);
    const struct hm_yaml *fields = hm_yaml_get(t->y, "fields");
    bool in = false;
    for (size_t i = 0; field && !in && i < t->rx_count; i++)
        in = hm_rx_match(t->rx[i], field, true);
    for (size_t i = 0; field && !in && !t->rx_count && i < fields->count; i++)
        in = fields->items[i]->kind == HM_YAML_SCALAR && !strcmp(fields->items[i]->text, field);
    return in == (t->kind == HM_TEST_INCLUDE_FIELDS);
}

bool hm_tests_rule(const struct hm_run *r, const struct hm_tests *t)
{
    bool hit = t->count == 0 || !t->any;
    for (size_t i = 0; i < t->count && hit != t->any; i++)
        hit = one_rule(r, &t->items[i]);
    return t->count == 0 || hit != t->negate;
}

bool hm_tests_item(const struct hm_run *r, const struct hm_tests *t, const struct hm_item *it)
{
    bool hit = t->count == 0 || !t->any;
    for (size_t i = 0; i < t->count && hit != t->any; i++)
        hit = one_item(r, &t->items[i], it);
    return t->count == 0 || hit != t->negate;
}

bool hm_tests_field(const struct hm_run *r, const struct hm_tests *t, const char *field)
{
    bool hit = t->count == 0 || !t->any;
    for (size_t i = 0; i < t->count && hit != t->any; i++)
        hit = one_field(r, &t->items[i], field);
    return t->count == 0 || hit != t->negate;
}
