/* Owns the reading of a pipeline file: steps and their parameters are checked here, once, so that
 * applying them cannot fail for a reason that lies in the file. */
#include "detect/sigma/pipeline_parts.h"
#include "detect/limits.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define COMMON                                                                                     \
    "id", "type", "rule_conditions", "rule_cond_op", "rule_cond_not", "detection_item_conditions", \
        "detection_item_cond_op", "detection_item_cond_not", "field_name_conditions",              \
        "field_name_cond_op", "field_name_cond_not"
static const char *const common[] = {COMMON};

enum shape { ANY, TEXT, MAP, LIST };
static const struct row {
    const char *type;
    enum hm_step_kind kind;
    struct {
        const char *key;
        enum shape shape;
        bool required;
    } keys[4];
} rows[] = {
    {"field_name_mapping", HM_STEP_FIELD_MAPPING, {{"mapping", MAP, true}}},
    {"field_name_prefix_mapping", HM_STEP_FIELD_PREFIX_MAPPING, {{"mapping", MAP, true}}},
    {"field_name_prefix", HM_STEP_FIELD_PREFIX, {{"prefix", TEXT, true}}},
    {"field_name_suffix", HM_STEP_FIELD_SUFFIX, {{"suffix", TEXT, true}}},
    {"drop_detection_item", HM_STEP_DROP_ITEM, {{NULL}}},
    {"add_condition",
     HM_STEP_ADD_CONDITION,
     {{"conditions", MAP, true}, {"name", TEXT, false}, {"negated", TEXT, false}}},
    {"change_logsource",
     HM_STEP_CHANGE_LOGSOURCE,
     {{"category", TEXT, false}, {"product", TEXT, false}, {"service", TEXT, false}}},
    {"replace_string",
     HM_STEP_REPLACE_STRING,
     {{"regex", TEXT, true}, {"replacement", TEXT, true}, {"skip_special", TEXT, false}}},
    {"map_string", HM_STEP_MAP_STRING, {{"mapping", MAP, true}}},
    {"set_value", HM_STEP_SET_VALUE, {{"value", TEXT, true}}},
    {"case", HM_STEP_CASE, {{"method", TEXT, true}}},
    {"value_placeholders",
     HM_STEP_VALUE_PLACEHOLDERS,
     {{"include", LIST, false}, {"exclude", LIST, false}}},
    {"wildcard_placeholders",
     HM_STEP_WILDCARD_PLACEHOLDERS,
     {{"include", LIST, false}, {"exclude", LIST, false}}},
    {"set_state", HM_STEP_SET_STATE, {{"key", TEXT, true}, {"val", TEXT, true}}},
    {"set_custom_attribute",
     HM_STEP_SET_ATTRIBUTE,
     {{"attribute", TEXT, true}, {"value", TEXT, true}}},
    {"add_field", HM_STEP_ADD_FIELD, {{"field", ANY, true}}},
    {"remove_field", HM_STEP_REMOVE_FIELD, {{"field", ANY, true}}},
    {"rule_failure", HM_STEP_RULE_FAILURE, {{"message", TEXT, true}}},
    {"detection_item_failure", HM_STEP_ITEM_FAILURE, {{"message", TEXT, true}}},
};

static int fail(struct hm_error *err, const struct hm_yaml *y, const char *what, const char *name)
{
    return hm_fail_at(err, -EINVAL, y->line, y->column, what, name);
}

static bool has_shape(const struct hm_yaml *y, enum shape shape)
{
    return shape == ANY || (shape == TEXT && y->kind == HM_YAML_SCALAR) ||
           (shape == MAP && y->kind == HM_YAML_MAP) || (shape == LIST && y->kind == HM_YAML_LIST);
}

static bool is_common(const char *key)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(common); i++)
        if (strcmp(common[i], key) == 0)
            return true;
    return false;
}

static int check_keys(const struct row *row, const struct hm_yaml *y, struct hm_error *err)
{
    for (size_t i = 0; i < y->count; i++) {
        const char *key = y->keys[i]->text;
        size_t k = 0;
        while (k < HM_ARRAY_LEN(row->keys) && row->keys[k].key && strcmp(row->keys[k].key, key))
            k++;
        bool known = k < HM_ARRAY_LEN(row->keys) && row->keys[k].key;
        if (!known && !is_common(key))
            return fail(err, y->keys[i], "pipeline: this transformation has no \"%.60s\"", key);
        if (known && !has_shape(y->items[i], row->keys[k].shape))
            return fail(err, y->items[i], "pipeline: \"%.60s\" has another form", key);
    }
    for (size_t k = 0; k < HM_ARRAY_LEN(row->keys) && row->keys[k].key; k++)
        if (row->keys[k].required && !hm_yaml_get(y, row->keys[k].key))
            return fail(err, y, "pipeline: \"%.60s\" is missing", row->keys[k].key);
    return 0;
}

/* The values of a mapping are text or lists of text. */
static int check_mapping(const struct hm_yaml *step, struct hm_error *err)
{
    const struct hm_yaml *m = hm_yaml_get(step, "mapping");
    for (size_t i = 0; m && i < m->count; i++) {
        const struct hm_yaml *v = m->items[i];
        bool good = v->kind == HM_YAML_SCALAR || (v->kind == HM_YAML_LIST && v->count);
        for (size_t k = 0; good && v->kind == HM_YAML_LIST && k < v->count; k++)
            good = v->items[k]->kind == HM_YAML_SCALAR;
        if (!good)
            return fail(err, v, "pipeline: \"%.60s\" has to map to a name or a list of names",
                        m->keys[i]->text);
    }
    return 0;
}

static int parse_step(struct hm_pipeline *p, const struct hm_yaml *y, struct hm_step *s,
                      struct hm_error *err)
{
    const char *type = hm_yaml_str(y, "type", "");
    size_t i = 0;
    while (i < HM_ARRAY_LEN(rows) && strcmp(rows[i].type, type) != 0)
        i++;
    if (i == HM_ARRAY_LEN(rows))
        return fail(err, y, "pipeline: no such transformation as \"%.60s\"", type);
    *s = (struct hm_step){.kind = rows[i].kind, .y = y, .place = {y->line, y->column}};
    s->id = hm_yaml_str(y, "id", "");
    int r = check_keys(&rows[i], y, err);
    if (!r)
        r = check_mapping(y, err);
    if (!r)
        r = hm_tests_parse(p->arena, y, "rule", &s->rule, err);
    if (!r)
        r = hm_tests_parse(p->arena, y, "detection_item", &s->item, err);
    if (!r)
        r = hm_tests_parse(p->arena, y, "field_name", &s->field, err);
    if (!r && s->kind == HM_STEP_REPLACE_STRING)
        r = hm_rx_new(hm_yaml_get(y, "regex"), &s->rx, err);
    const char *method = hm_yaml_str(y, "method", "lower");
    if (!r && s->kind == HM_STEP_CASE && strcmp(method, "lower") != 0 &&
        strcmp(method, "upper") != 0)
        return fail(err, y, "pipeline: case \"%.40s\" is neither lower nor upper", method);
    return r;
}

static int parse_steps(struct hm_pipeline *p, const struct hm_yaml *list, struct hm_error *err)
{
    if (!list || hm_yaml_is_null(list))
        return 0;
    if (list->kind != HM_YAML_LIST)
        return fail(err, list, "pipeline: \"%s\" has to be a list", "transformations");
    p->steps = hm_arena_alloc(p->arena, (list->count + 1) * sizeof *p->steps);
    int r = p->steps ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < list->count; i++)
        r = list->items[i]->kind == HM_YAML_MAP
                ? parse_step(p, list->items[i], &p->steps[p->count++], err)
                : fail(err, list->items[i], "pipeline: %s has to be a map", "a transformation");
    return r;
}

static int parse_vars(struct hm_pipeline *p, const struct hm_yaml *vars, struct hm_error *err)
{
    p->vars = hm_placeholders_new();
    int r = p->vars ? 0 : -ENOMEM;
    for (size_t i = 0; !r && vars && i < vars->count; i++)
        r = hm_placeholders_add_list(p->vars, vars->keys[i], vars->items[i], err);
    return r;
}

static int check_top(const struct hm_yaml *root, struct hm_error *err)
{
    static const char *const keys[] = {"name",        "priority",        "allowed_backends",
                                       "vars",        "transformations", "logsources",
                                       "description", "author"};
    if (root->kind != HM_YAML_MAP)
        return fail(err, root, "pipeline: %s has to be a map", "a file");
    for (size_t i = 0; i < root->count; i++) {
        size_t k = 0;
        while (k < HM_ARRAY_LEN(keys) && strcmp(keys[k], root->keys[i]->text) != 0)
            k++;
        if (k == HM_ARRAY_LEN(keys)) /* postprocessing, finalizers: of query texts */
            return fail(err, root->keys[i], "pipeline: \"%.60s\" is not supported",
                        root->keys[i]->text);
    }
    const struct hm_yaml *vars = hm_yaml_get(root, "vars");
    if (vars && vars->kind != HM_YAML_MAP)
        return fail(err, vars, "pipeline: \"%s\" has to be a map", "vars");
    return 0;
}

static int parse(struct hm_pipeline *p, struct hm_slice text, struct hm_error *err)
{
    struct hm_yaml *root = NULL;
    char *end = NULL;
    const char *copy = hm_arena_strndup(p->arena, text.p, text.len);
    if (!copy)
        return -ENOMEM;
    int r = text.len > HM_RULE_FILE_MAX_BYTES
                ? hm_fail(err, -E2BIG, "file is over %d bytes", HM_RULE_FILE_MAX_BYTES)
                : hm_yaml_parse(hm_slice(copy, text.len), 0, p->arena, &root, err);
    if (!r && !root)
        r = hm_fail_at(err, -EINVAL, 1, 1, "pipeline: the file is empty");
    if (!r)
        r = check_top(root, err);
    if (r)
        return r;
    p->name = hm_yaml_str(root, "name", "");
    const char *priority = hm_yaml_str(root, "priority", "0");
    p->priority = strtoll(priority, &end, 10);
    if (!*priority || *end)
        return fail(err, root, "pipeline: priority \"%.40s\" is not a number", priority);
    r = parse_vars(p, hm_yaml_get(root, "vars"), err);
    if (!r)
        r = parse_steps(p, hm_yaml_get(root, "transformations"), err);
    return r ? r : hm_sources_parse(p, hm_yaml_get(root, "logsources"), err);
}

int hm_pipeline_parse(struct hm_slice text, struct hm_pipeline **ret_p, struct hm_error *err)
{
    struct hm_pipeline *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->arena = hm_arena_new(HM_RULESET_MAX_BYTES);
    int r = p->arena ? parse(p, text, err) : -ENOMEM;
    if (r)
        hm_pipeline_free(p);
    else
        *ret_p = p;
    return r;
}

void hm_pipeline_free(struct hm_pipeline *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++) {
        hm_tests_done(&p->steps[i].rule);
        hm_tests_done(&p->steps[i].item);
        hm_tests_done(&p->steps[i].field);
        hm_rx_free(p->steps[i].rx);
    }
    hm_placeholders_free(p->vars);
    hm_arena_free(p->arena);
    free(p);
}

const char *hm_pipeline_name(const struct hm_pipeline *p)
{
    return p->name;
}

int64_t hm_pipeline_priority(const struct hm_pipeline *p)
{
    return p->priority;
}

struct hm_source_table hm_pipeline_sources(const struct hm_pipeline *p)
{
    return (struct hm_source_table){p->source_count, p->sources};
}
