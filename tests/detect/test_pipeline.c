/* What pipelines make of rules, which log sources they know, and what they refuse. */
#include "language.h"
#include "detect/sigma/pipeline.h"

static struct hm_pipeline *parse(const char *text)
{
    struct hm_pipeline *p = NULL;
    struct hm_error err = {0};
    if (hm_pipeline_parse(hm_slice_str(text), &p, &err))
        print_message("%u:%u %s\n", err.line, err.column, err.text);
    return p;
}

struct row {
    const char *name, *steps, *detection, *tree; /* or the refusal's text after '!' */
};
static const struct row rows[] = {
    {"mapping", "{type: field_name_mapping, mapping: {A: x.a}}",
     " s: {A: 1, B: 2}\n condition: s\n", "and(x.a = \"1\", B = \"2\")"},
    {"one to many is or", "{type: field_name_mapping, mapping: {A: [x, y]}}",
     " s: {A: 1, B: 2}\n condition: s\n", "and(or(x = \"1\", y = \"1\"), B = \"2\")"},
    {"not equal holds for all", "{type: field_name_mapping, mapping: {A: [x, y]}}",
     " s: {A|neq: 1}\n condition: s\n", "and(not(x = \"1\"), not(y = \"1\"))"},
    {"references are names", "{type: field_name_mapping, mapping: {A: x, B: y}}",
     " s: {A|fieldref: B}\n condition: s\n", "x = field y"},
    {"prefix mapping", "{type: field_name_prefix_mapping, mapping: {win.: winlog.}}",
     " s: {win.A: 1, B: 2}\n condition: s\n", "and(winlog.A = \"1\", B = \"2\")"},
    {"prefix and suffix",
     "{type: field_name_prefix, prefix: p.}, {type: field_name_suffix, suffix: .k}",
     " s: {A: 1}\n condition: s\n", "p.A.k = \"1\""},
    {"only included fields",
     "{type: field_name_prefix, prefix: p., field_name_conditions: [{type: include_fields, fields: "
     "[A]}]}",
     " s: {A: 1, B: 2}\n condition: s\n", "and(p.A = \"1\", B = \"2\")"},
    {"excluded by expression",
     "{type: field_name_prefix, prefix: p., field_name_conditions: [{type: exclude_fields, fields: "
     "['^A'], mode: re}]}",
     " s: {A1: 1, B: 2}\n condition: s\n", "and(A1 = \"1\", p.B = \"2\")"},
    {"drop",
     "{type: drop_detection_item, field_name_conditions: [{type: include_fields, fields: [A]}]}",
     " s: {A: 1, B: 2}\n condition: s\n", "B = \"2\""},
    {"a dropped search falls away",
     "{type: drop_detection_item, field_name_conditions: [{type: include_fields, fields: [A]}]}",
     " s: {A: 1}\n t: {B: 2}\n condition: t and not s\n", "B = \"2\""},
    {"nothing left",
     "{type: drop_detection_item, field_name_conditions: [{type: include_fields, fields: [A]}]}",
     " s: {A: 1}\n condition: not s\n", "!left nothing"},
    {"drop by value",
     "{type: drop_detection_item, detection_item_conditions: [{type: match_string, cond: any, "
     "pattern: '^x'}]}",
     " s: {A: xy, B: 2}\n condition: s\n", "B = \"2\""},
    {"add condition", "{type: add_condition, conditions: {index: [a, b]}}",
     " s: {A: 1}\n condition: s\n", "and(index = \"a\" | \"b\", A = \"1\")"},
    {"add negated condition", "{type: add_condition, conditions: {index: a}, negated: true}",
     " s: {A: 1}\n t: {B: 2}\n condition: s or t\n",
     "and(not(index = \"a\"), or(A = \"1\", B = \"2\"))"},
    {"condition of the log source",
     "{type: add_condition, conditions: {i: a}, rule_conditions: [{type: logsource, category: "
     "process_creation}]}, {type: add_condition, conditions: {i: b}, rule_conditions: [{type: "
     "logsource, product: macos}]}",
     " s: {A: 1}\n condition: s\n", "and(i = \"a\", A = \"1\")"},
    {"or of conditions",
     "{type: field_name_prefix, prefix: p., rule_cond_op: or, rule_conditions: [{type: "
     "contains_field, field: Z}, {type: contains_detection_item, field: A, value: 1}]}",
     " s: {A: 1}\n condition: s\n", "p.A = \"1\""},
    {"not the condition",
     "{type: field_name_prefix, prefix: p., rule_cond_not: true, rule_conditions: [{type: "
     "is_sigma_rule}]}",
     " s: {A: 1}\n condition: s\n", "A = \"1\""},
    {"a step that was applied",
     "{id: one, type: set_state, key: k, val: v}, {type: field_name_prefix, prefix: p., "
     "rule_conditions: [{type: processing_item_applied, processing_item_id: one}, {type: "
     "processing_state, key: k, val: v}]}",
     " s: {A: 1}\n condition: s\n", "p.A = \"1\""},
    {"attributes",
     "{type: set_custom_attribute, attribute: z, value: y}, {type: field_name_prefix, prefix: p., "
     "rule_conditions: [{type: rule_attribute, attribute: z, value: y}, {type: rule_attribute, "
     "attribute: level, op: gte, value: low}]}",
     " s: {A: 1}\n condition: s\n", "p.A = \"1\""},
    {"replace", "{type: replace_string, regex: '^C:.(\\w+)', replacement: 'D:\\1'}",
     " s: {A: 'C:\\Windows\\*', B|contains: x}\n condition: s\n",
     "and(A = \"d:windows\\*\", B = \"*x*\")"},
    {"replace keeps escapes", "{type: replace_string, regex: a, replacement: b}",
     " s: {A: 'a\\*c\\\\*'}\n condition: s\n", "A = \"b\\*c\\\\*\""},
    {"replace plain parts only",
     "{type: replace_string, regex: '\\*|a', replacement: '?', skip_special: true}",
     " s: {A: 'xa*'}\n condition: s\n", "A = \"x\\?*\""},
    {"map string", "{type: map_string, mapping: {one: '1', two: ['2', '3']}}",
     " s: {A: [one, two, three]}\n condition: s\n", "A = \"1\" | \"2\" | \"3\" | \"three\""},
    {"set value",
     "{type: set_value, value: 7, field_name_conditions: [{type: include_fields, fields: [A]}]}",
     " s: {A: [x, y]}\n condition: s\n", "A = \"7\""},
    {"case", "{type: case, method: upper}", " s: {A|cased: ab}\n condition: s\n",
     "A = cased \"AB\""},
    {"values of placeholders", "{type: value_placeholders, include: [v]}",
     " s: {A|expand: 'x%v%'}\n condition: s\n", "A = \"x1\" | \"x2*\""},
    {"wildcards of placeholders", "{type: wildcard_placeholders}",
     " s: {A|expand: 'x%unknown%'}\n condition: s\n", "A = \"x*\""},
    {"placeholder not included", "{type: value_placeholders, include: [w]}",
     " s: {A|expand: 'x%v%'}\n condition: s\n", "!%v%"},
    {"change log source",
     "{type: change_logsource, product: p, category: c}, {type: add_condition, conditions: {i: a}, "
     "rule_conditions: [{type: logsource, product: p}]}",
     " s: {A: 1}\n condition: s\n", "and(i = \"a\", A = \"1\")"},
    {"rule failure", "{type: rule_failure, message: never this}", " s: {A: 1}\n condition: s\n",
     "!never this"},
    {"item failure",
     "{type: detection_item_failure, message: no A please, field_name_conditions: [{type: "
     "include_fields, fields: [A]}]}",
     " s: {A: 1}\n condition: s\n", "!no A please"},
};

static void one(const struct row *w, struct hm_buf *out)
{
    char text[4096];
    struct reading r = {.names = hm_names_new()};
    snprintf(text, sizeof text, "name: t\nvars: {v: ['1', '2*']}\ntransformations: [%s]\n",
             w->steps);
    struct hm_pipeline *p = parse(text);
    assert_non_null(p);
    const struct hm_pipeline *list[] = {p, NULL};
    struct hm_sigma_options o = {.names = r.names, .pipelines = list};
    assert_int_equal(hm_sigma_collection_new(&o, &r.c), 0);
    snprintf(text, sizeof text,
             "title: t\nid: one\nlogsource: {category: process_creation}\ndetection:\n%s",
             w->detection);
    reading_add(&r, text);
    reading_finish(&r);
    if (r.problems)
        hm_buf_printf(out, "!%s", r.first.error.text);
    else
        hm_ast_print(hm_sigma_rule_at(r.c, 0)->condition, r.names, out);
    hm_buf_put_u8(out, 0);
    reading_close(&r);
    hm_pipeline_free(p);
}

static void transforms(void **state)
{
    int failed = 0;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_buf out = HM_BUF(1 << 20);
        one(&rows[i], &out);
        const char *is = (char *)out.data, *wanted = rows[i].tree;
        if (*wanted == '!' ? *is != '!' || !strstr(is, wanted + 1) : strcmp(is, wanted) != 0) {
            print_message("%s:\n  is     %s\n  wanted %s\n", rows[i].name, is, wanted);
            failed++;
        }
        hm_buf_done(&out);
    }
    assert_int_equal(failed, 0);
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *reason;
        uint32_t line;
    } bad[] = {
        {"transformations:\n- {type: magic}\n", "no such transformation", 2},
        {"transformations:\n- {type: field_name_prefix}\n", "\"prefix\" is missing", 2},
        {"transformations:\n- {type: field_name_prefix, prefix: a, foo: b}\n", "no \"foo\"", 2},
        {"transformations:\n- {type: field_name_mapping, mapping: [a]}\n", "another form", 2},
        {"transformations:\n- {type: field_name_mapping, mapping: {a: {b: c}}}\n", "list of names",
         2},
        {"transformations:\n- type: drop_detection_item\n  rule_conditions:\n  - {type: magic}\n",
         "no such condition", 4},
        {"transformations:\n- type: drop_detection_item\n  rule_cond_op: xor\n", "\"and\" or", 2},
        {"transformations:\n- {type: replace_string, regex: '(', replacement: x}\n",
         "regular expression", 2},
        {"transformations: {}\n", "has to be a list", 1},
        {"finalizers: []\n", "not supported", 1},
        {"priority: high\n", "not a number", 1},
        {"logsources:\n- {when: {EventID: 1}}\n", "logsource", 2},
        {"logsources:\n- {logsource: {product: w}}\n", "when", 2},
        {"", "empty", 1},
        {"- a\n", "has to be a map", 1},
        {"\xff\xfe"
         "a",
         "UTF-16", 1},
        {"name: caf\xe9\n", "not UTF-8", 1},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(bad); i++) {
        struct hm_pipeline *p = NULL;
        struct hm_error err = {0};
        assert_int_not_equal(hm_pipeline_parse(hm_slice_str(bad[i].text), &p, &err), 0);
        if (err.line != bad[i].line || !strstr(err.text, bad[i].reason))
            fail_msg("%s: %u:%u %s", bad[i].text, err.line, err.column, err.text);
        assert_null(p);
    }
}

static void orders_by_priority(void **state)
{
    struct hm_pipeline *late = parse("priority: 20\ntransformations: [{type: field_name_suffix, "
                                     "suffix: .late}]\n");
    struct hm_pipeline *early = parse("priority: 10\ntransformations: [{type: field_name_suffix, "
                                      "suffix: .early}]\n");
    const struct hm_pipeline *list[] = {late, early, NULL};
    struct reading r = {.names = hm_names_new()};
    struct hm_sigma_options o = {.names = r.names, .pipelines = list};
    assert_int_equal(hm_sigma_collection_new(&o, &r.c), 0);
    reading_add(&r, "title: t\nid: one\nname: n\nlogsource: {category: c}\nfields: [F]\n"
                    "detection: {s: {A: 1}, condition: s}\n---\n"
                    "title: c\nid: two\ncorrelation: {type: event_count, rules: [n], group-by: "
                    "[G], timespan: 1m, condition: {gte: 2}}\n---\n"
                    "title: f\nid: three\nlogsource: {category: c}\n"
                    "filter: {rules: [n], s: {B: 1}, condition: s}\n");
    reading_finish(&r);
    assert_int_equal(r.problems, 0);
    struct hm_buf out = HM_BUF(4096);
    hm_ast_print(hm_sigma_rule_at(r.c, 0)->condition, r.names, &out);
    hm_buf_put_u8(&out, 0);
    assert_string_equal((char *)out.data, "and(A.early.late = \"1\", not(B.early.late = \"1\"))");
    hm_buf_done(&out);
    assert_string_equal(hm_sigma_rule_at(r.c, 0)->fields[0], "F.early.late");
    const struct hm_correlation *c = &hm_sigma_correlation_at(r.c, 0)->correlation;
    assert_string_equal(hm_names_text(r.names, c->refs[0].group[0]), "G.early.late");
    assert_string_equal(c->group_names[0], "G");
    reading_close(&r);
    hm_pipeline_free(late);
    hm_pipeline_free(early);
}

static char *read_whole(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    char *text = malloc(1 << 20);
    assert_non_null(f);
    assert_non_null(text);
    *ret_len = fread(text, 1, 1 << 20, f);
    fclose(f);
    return text;
}

static void ships_windows(void **state)
{
    size_t len, services = 0;
    char *text = read_whole(HM_RULES_DIR "/pipelines/windows.yml", &len);
    struct hm_pipeline *p = NULL;
    struct hm_error err = {0};
    assert_int_equal(hm_pipeline_parse(hm_slice(text, len), &p, &err), 0);
    struct hm_source_table t = hm_pipeline_sources(p);
    for (size_t i = 0; i < t.count; i++) {
        assert_string_equal(t.items[i].product, "windows");
        assert_true(t.items[i].hint_count > 0);
        services += *t.items[i].service != 0;
    }
    assert_true(services > 45 && t.count - services > 35);
    assert_true(hm_source_included("windows", "process_creation", "", &t.items[0]));
    assert_true(hm_source_included("", "", "", &t.items[0]));
    assert_false(hm_source_included("windows", "", "security", &t.items[0]));
    hm_pipeline_free(p);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transforms),
        cmocka_unit_test(refuses),
        cmocka_unit_test(orders_by_priority),
        cmocka_unit_test(ships_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
