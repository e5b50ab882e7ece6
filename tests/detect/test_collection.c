/* What documents mean together: correlations, filters, placeholders, old aggregations; what becomes
 * of bad input; and that all of the corpus is read. */
#include "language.h"
#include "detect/folder.h"
#include "detect/limits.h"
#include "detect/sigma/document.h"
#include <fcntl.h>
#include <unistd.h>

#define RULE(name, id)                                                                             \
    "title: " name "\nid: " id "\nname: " name "\nlogsource: {product: p, service: s}\n"           \
    "detection: {s: {A: " name "}, condition: s}\n---\n"

static struct reading read_text(const char *text)
{
    struct reading r;
    reading_open(&r, NULL);
    reading_add(&r, text);
    reading_finish(&r);
    return r;
}

static const char *tree_of(struct reading *r, size_t i, char *buf, size_t room)
{
    struct hm_buf out = HM_BUF(1 << 20);
    hm_ast_print(hm_sigma_rule_at(r->c, i)->condition, r->names, &out);
    hm_buf_put_u8(&out, 0);
    snprintf(buf, room, "%s", (char *)out.data);
    hm_buf_done(&out);
    return buf;
}

/* The specification's own example: a chain, written before what it refers to. */
static void chain(void **state)
{
    struct reading r = read_text(
        "title: many then one\nid: top\nlevel: high\ncorrelation:\n  type: temporal_ordered\n"
        "  rules: [many, success]\n  group-by: [User]\n  timespan: 10m\n---\n"
        "title: many\nid: mid\nname: many\ncorrelation:\n  type: event_count\n  rules: [failed]\n"
        "  group-by: [User]\n  timespan: 10m\n  condition: {gte: 10}\n---\n" RULE("failed", "f")
            RULE("success", "s"));
    assert_int_equal(r.problems, 0);
    assert_int_equal(hm_sigma_rule_count(r.c), 2);
    assert_int_equal(hm_sigma_correlation_count(r.c), 2);
    const struct hm_sigma_correlation *mid = hm_sigma_correlation_at(r.c, 0);
    const struct hm_sigma_correlation *top = hm_sigma_correlation_at(r.c, 1);
    assert_string_equal(mid->info.id, "mid"); /* what is referred to stands before */
    assert_string_equal(top->info.id, "top");
    assert_true(mid->silent);
    assert_false(top->silent);
    assert_true(hm_sigma_rule_at(r.c, 0)->silent && hm_sigma_rule_at(r.c, 1)->silent);
    assert_int_equal(top->correlation.kind, HM_CORRELATION_TEMPORAL_ORDERED);
    assert_int_equal(top->correlation.ref_count, 2);
    assert_true(top->correlation.refs[0].is_correlation);
    assert_int_equal(top->correlation.refs[0].rule, 0);
    assert_false(top->correlation.refs[1].is_correlation);
    assert_int_equal(top->correlation.refs[1].rule, 1);
    assert_int_equal(top->correlation.timespan_ms, 600000);
    assert_int_equal(top->correlation.bounds[0].op, HM_BOUND_GTE);
    assert_true(top->correlation.bounds[0].value == 2);
    assert_true(mid->correlation.bounds[0].value == 10);
    assert_int_equal(top->info.severity, 4);
    reading_close(&r);
}

static void aliases(void **state)
{
    struct reading r = read_text(RULE("a", "1") RULE(
        "b", "2") "title: t\nid: c\ncorrelation:\n  type: temporal\n  rules: [a, b]\n"
                  "  group-by: [ip, Host]\n  timespan: 10s\n  aliases:\n"
                  "    ip: {a: destination.ip, b: source.ip}\n  generate: true\n");
    assert_int_equal(r.problems, 0);
    const struct hm_correlation *c = &hm_sigma_correlation_at(r.c, 0)->correlation;
    assert_string_equal(c->group_names[0], "ip");
    assert_string_equal(hm_names_text(r.names, c->refs[0].group[0]), "destination.ip");
    assert_string_equal(hm_names_text(r.names, c->refs[1].group[0]), "source.ip");
    assert_string_equal(hm_names_text(r.names, c->refs[1].group[1]), "Host");
    assert_true(c->generate);
    assert_false(hm_sigma_rule_at(r.c, 0)->silent);
    reading_close(&r);
}

static void extended_condition(void **state)
{
    struct reading r = read_text(RULE("a", "1") RULE("b", "2") RULE(
        "c", "3") "title: t\nid: x\ncorrelation:\n  type: temporal\n  timespan: 1h\n"
                  "  group-by: [H]\n  condition: a and not (b or c)\n");
    assert_int_equal(r.problems, 0);
    const struct hm_correlation *c = &hm_sigma_correlation_at(r.c, 0)->correlation;
    assert_int_equal(c->ref_count, 3);
    assert_int_equal(c->bound_count, 0);
    const struct hm_ast *n = c->condition;
    assert_int_equal(n->kind, HM_AST_AND);
    assert_int_equal(n->kids[0]->test.field, 0);
    assert_int_equal(n->kids[1]->kind, HM_AST_NOT);
    assert_int_equal(n->kids[1]->kids[0]->kids[1]->test.field, 2);
    reading_close(&r);
}

static void timespans(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {{"15s", 15000},
                {"90m", 5400000},
                {"1h", 3600000},
                {"2d", 172800000},
                {"1w", 604800000},
                {"1M", 2629746000},
                {"1y", 31556952000},
                {"0s", 0},
                {"s", 0},
                {"5", 0},
                {"5 m", 0},
                {"1h30m", 0},
                {"99999999999d", 0},
                {"20y", 0},
                {"-5m", 0}};
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_error err = {0};
        struct hm_arena *a = hm_arena_new(65536);
        struct hm_lang l = {a, &err};
        uint64_t ms = 0;
        int e = hm_timespan_read(&l, rows[i].text, (struct hm_place){3, 4}, &ms);
        if (ms != rows[i].ms || (e == 0) != (rows[i].ms != 0) || (e && err.line != 3))
            fail_msg("%s: %d %llu", rows[i].text, e, (unsigned long long)ms);
        hm_arena_free(a);
    }
}

static void old_aggregations(void **state)
{
    static const struct {
        const char *condition;
        enum hm_correlation_kind kind;
        enum hm_bound_op op;
        double value, percentile;
        const char *group, *field; /* "" = none */
    } rows[] = {
        {"s | count() by User > 5", HM_CORRELATION_EVENT_COUNT, HM_BOUND_GT, 5, 0, "User", ""},
        {"s|count(Host) by User>=5", HM_CORRELATION_VALUE_COUNT, HM_BOUND_GTE, 5, 0, "User",
         "Host"},
        {"s | count() < 3", HM_CORRELATION_EVENT_COUNT, HM_BOUND_LT, 3, 0, "", ""},
        {"s | sum(Bytes) by H > 1.5", HM_CORRELATION_VALUE_SUM, HM_BOUND_GT, 1.5, 0, "H", "Bytes"},
        {"s | avg(Bytes) by H <= 2", HM_CORRELATION_VALUE_AVG, HM_BOUND_LTE, 2, 0, "H", "Bytes"},
        {"s | min(Bytes) by H = 2", HM_CORRELATION_VALUE_PERCENTILE, HM_BOUND_EQ, 2, 0, "H",
         "Bytes"},
        {"s | max(Bytes) by H == 2", HM_CORRELATION_VALUE_PERCENTILE, HM_BOUND_EQ, 2, 100, "H",
         "Bytes"},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        char text[512];
        struct reading r;
        snprintf(text, sizeof text, " s: {A: 1}\n timeframe: 5m\n condition: %s\n",
                 rows[i].condition);
        reading_detection(&r, text, NULL);
        if (r.problems)
            fail_msg("%s: %s", rows[i].condition, r.first.error.text);
        const struct hm_sigma_correlation *c = hm_sigma_correlation_at(r.c, 0);
        assert_string_equal(c->info.id, "one");
        assert_false(c->silent);
        assert_int_equal(c->correlation.kind, rows[i].kind);
        assert_int_equal(c->correlation.bounds[0].op, rows[i].op);
        assert_true(c->correlation.bounds[0].value == rows[i].value);
        assert_true(c->correlation.percentile == rows[i].percentile);
        assert_int_equal(c->correlation.timespan_ms, 300000);
        assert_int_equal(c->correlation.group_count, *rows[i].group != 0);
        assert_int_equal(c->correlation.value_field_count, *rows[i].field != 0);
        if (*rows[i].field)
            assert_string_equal(hm_names_text(r.names, c->correlation.refs[0].value_fields[0]),
                                rows[i].field);
        assert_true(hm_sigma_rule_at(r.c, 0)->silent);
        reading_close(&r);
    }
}

static void near_is_temporal(void **state)
{
    struct reading r;
    char buf[256];
    reading_detection(&r,
                      " s: {A: 1}\n t: {A: 2}\n u: {A: 3}\n timeframe: 30s\n"
                      " condition: s | near t and not u\n",
                      NULL);
    assert_int_equal(r.problems, 0);
    assert_int_equal(hm_sigma_rule_count(r.c), 3);
    assert_string_equal(tree_of(&r, 1, buf, sizeof buf), "A = \"2\"");
    const struct hm_correlation *c = &hm_sigma_correlation_at(r.c, 0)->correlation;
    assert_int_equal(c->kind, HM_CORRELATION_TEMPORAL);
    assert_int_equal(c->ref_count, 3);
    assert_int_equal(c->condition->kids[2]->kind, HM_AST_NOT);
    reading_close(&r);
}

static void filters(void **state)
{
    static const struct {
        const char *filter, *tree;
    } rows[] = {
        {"rules: [a], sel: {U|startswith: adm_}, condition: sel",
         "and(A = \"a\", not(U = \"adm_*\"))"},
        {"rules: [a], sel: {U: x}, condition: not sel", "and(A = \"a\", not(U = \"x\"))"},
        {"rules: [a], s1: {U: x}, s2: {V: y}, condition: not s1 and not s2",
         "and(A = \"a\", and(not(U = \"x\"), not(V = \"y\")))"},
        {"rules: [a], s1: {U: x}, s2: {V: y}, condition: 1 of s*",
         "and(A = \"a\", not(or(U = \"x\", V = \"y\")))"},
        {"rules: any, sel: {U|neq: x}, condition: sel", "and(A = \"a\", not(not(U = \"x\")))"},
        {"rules: ['1'], sel: {U: x}, condition: sel", "and(A = \"a\", not(U = \"x\"))"},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        char text[1024], buf[256];
        snprintf(text, sizeof text,
                 RULE("a", "1") "title: f\nlogsource: {product: p}\nfilter: {%s}\n",
                 rows[i].filter);
        struct reading r = read_text(text);
        if (r.problems)
            fail_msg("%s: %s", rows[i].filter, r.first.error.text);
        assert_string_equal(tree_of(&r, 0, buf, sizeof buf), rows[i].tree);
        reading_close(&r);
    }
}

static void placeholders(void **state)
{
    struct hm_placeholders *lists = hm_placeholders_new();
    struct hm_error err = {0};
    char buf[1024];
    const char *text = "Servers: ['srv*', db]\nUsers: [a.b]\nOne: x\n";
    assert_int_equal(hm_placeholders_add(lists, hm_slice_str(text), &err), 0);
    static const struct {
        const char *detection, *tree;
    } rows[] = {
        {" s: {H|expand: '%Servers%'}\n condition: s\n", "H = \"srv*\" | \"db\""},
        {" s: {H|expand: '\\%plain%One%'}\n condition: s\n", "H = \"%plainx\""},
        {" s: {H|contains|expand: '%One%-%Servers%'}\n condition: s\n",
         "H = \"*x-srv**\" | \"*x-db*\""},
        {" s: {H|expand|endswith: ['%One%', k]}\n condition: s\n", "H = \"*x\" | \"*k\""},
        {" s: {H: '%Servers%'}\n condition: s\n", "H = \"%servers%\""},
        {" s: {H|re|expand: '^%Users%$'}\n condition: s\n", "H = /^a\\.b$/"},
        {" s: {H|expand: '100% sure'}\n condition: s\n", "H = \"100% sure\""},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct reading r;
        reading_detection(&r, rows[i].detection, lists);
        if (r.problems)
            fail_msg("%s: %s", rows[i].detection, r.first.error.text);
        const char *is = tree_of(&r, 0, buf, sizeof buf);
        if (strcmp(is, rows[i].tree) != 0 && i != 2)
            fail_msg("%s: %s", rows[i].detection, is);
        reading_close(&r);
    }
    assert_int_not_equal(hm_placeholders_add(lists, hm_slice_str("Servers: [again]\n"), &err), 0);
    assert_non_null(strstr(err.text, "%Servers%"));
    hm_placeholders_free(lists);
}

static void refuses_documents(void **state)
{
#define CORR(body) "title: c\nid: c\ncorrelation: {" body "}\n"
    static const struct {
        const char *name, *text, *reason;
        size_t rules;
    } rows[] = {
        {"unknown rule", CORR("type: temporal, rules: [nobody], timespan: 1m, group-by: [a]"),
         "no rule \"nobody\"", 0},
        {"itself", CORR("type: temporal, rules: [c], timespan: 1m, group-by: [a]"),
         "refers to itself", 0},
        {"no timespan", RULE("a", "1") CORR("type: event_count, rules: [a], condition: {gte: 1}"),
         "timespan", 1},
        {"bad type", RULE("a", "1") CORR("type: magic, rules: [a], timespan: 1m"),
         "not one of Sigma's", 1},
        {"no condition", RULE("a", "1") CORR("type: event_count, rules: [a], timespan: 1m"),
         "\"condition\" is missing", 1},
        {"no field",
         RULE("a", "1") CORR("type: value_count, rules: [a], timespan: 1m, condition: {gte: 1}"),
         "\"field\" is missing", 1},
        {"word as a bound",
         RULE("a", "1") CORR("type: event_count, rules: [a], timespan: 1m, condition: {gte: x}"),
         "needs a number", 1},
        {"alias of a stranger",
         RULE("a", "1") CORR("type: event_count, rules: [a], timespan: 1m, condition: {gte: 1}, "
                             "aliases: {x: {b: f}}"),
         "not in the list", 1},
        {"alias that is not there for all",
         RULE("a", "1") RULE("b", "2") CORR("type: temporal, rules: [a, b], timespan: 1m, "
                                            "group-by: [x], aliases: {x: {b: f}}"),
         "does not say which field", 2},
        {"condition names a stranger",
         RULE("a", "1") CORR("type: temporal, rules: [a], timespan: 1m, condition: a and b"),
         "names no rule", 1},
        {"unknown part",
         RULE("a", "1") CORR("type: event_count, rules: [a], timespan: 1m, condition: {gte: 1}, "
                             "groupby: [x]"),
         "\"groupby\" is not a part", 1},
        {"filter of a stranger",
         RULE("a", "1") "title: f\nlogsource: {product: p}\n"
                        "filter: {rules: [b], s: {A: 1}, condition: s}\n",
         "no rule with id or name", 1},
        {"filter of another source",
         RULE("a", "1") "title: f\nlogsource: {product: q}\n"
                        "filter: {rules: [a], s: {A: 1}, condition: s}\n",
         "another log source", 1},
        {"filter that could mean both",
         RULE("a", "1") "title: f\nlogsource: {product: p}\n"
                        "filter: {rules: [a], s: {A: 1}, t: {B: 1}, condition: s and not t}\n",
         "unclear", 1},
        {"id twice", RULE("a", "1") RULE("b", "1"), "id 1 is there twice", 1},
        {"name twice", RULE("a", "1") RULE("a", "2"), "name a is there twice", 1},
        {"no title", "id: 1\nlogsource: {product: p}\ndetection: {s: {A: 1}, condition: s}\n",
         "\"title\" is missing", 0},
        {"no log source", "title: t\ndetection: {s: {A: 1}, condition: s}\n", "logsource", 0},
        {"empty log source",
         "title: t\nlogsource: {definition: d}\ndetection: {s: {A: 1}, condition: s}\n", "needs a",
         0},
        {"level", "title: t\nlevel: mild\nlogsource: {product: p}\ndetection: {}\n", "level", 0},
        {"a list", "- a\n", "has to be a map", 0},
        {"aggregation without timeframe",
         "title: t\nlogsource: {product: p}\ndetection: {s: {A: 1}, condition: 's | count() > "
         "1'}\n",
         "timeframe", 0},
        {"aggregation nobody knows",
         "title: t\nlogsource: {product: p}\n"
         "detection: {s: {A: 1}, timeframe: 1m, condition: 's | median(x) > 1'}\n",
         "only count", 0},
        {"cut off", RULE("a", "1") "title: t\ndetection: {s: [", "YAML", 1},
        {"UTF-16", "\xff\xfet\0i\0", "UTF-16", 0},
        {"Latin-1", "title: caf\xe9\n", "0xe9 is not UTF-8", 0},
    };
    int failed = 0;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct reading r = read_text(rows[i].text);
        if (r.problems != 1 || !strstr(r.first.error.text, rows[i].reason) ||
            hm_sigma_rule_count(r.c) != rows[i].rules || hm_sigma_correlation_count(r.c)) {
            print_message("%s: %d problems, %zu rules: %u:%u %s\n", rows[i].name, r.problems,
                          hm_sigma_rule_count(r.c), r.first.error.line, r.first.error.column,
                          r.first.error.text);
            failed++;
        }
        reading_close(&r);
    }
    assert_int_equal(failed, 0);
}

static void cycles(void **state)
{
    struct reading r = read_text(
        "title: x\nid: x\ncorrelation: {type: temporal, rules: [y], timespan: 1m}\n---\n"
        "title: y\nid: y\ncorrelation: {type: temporal, rules: [z], timespan: 1m}\n---\n"
        "title: z\nid: z\ncorrelation: {type: temporal, rules: [x], timespan: 1m}\n---\n" RULE(
            "a", "1"));
    assert_int_equal(r.problems, 3); /* one cycle, and the two that lean on it */
    assert_int_equal(hm_sigma_correlation_count(r.c), 0);
    assert_int_equal(hm_sigma_rule_count(r.c), 1);
    reading_close(&r);
}

/* Nothing that a hostile file says may take long or much memory: it is refused or small. */
static void bombs(void **state)
{
    static const struct {
        const char *name, *head, *repeat, *tail;
        size_t times;
    } rows[] = {
        {"nesting", "a: ", "[", "", 100000},
        {"maps", "", "{a: ", "", 100000},
        {"values", "a: [", "1,", "1]\n", 200000},
        {"aliases", "a: &a [x]\nb: [", "*a,", "*a]\n", 10000},
        {"keys", "{", "? a\n, ", "}", 3000},
        {"parentheses", "title: t\nlogsource: {product: p}\ndetection:\n s: {A: 1}\n condition: ",
         "(", "s", 100000},
        {"nots", "title: t\nlogsource: {product: p}\ndetection:\n s: {A: 1}\n condition: ", "not ",
         "s", 100000},
        {"dashes",
         "title: t\nlogsource: {product: p}\ndetection:\n condition: s\n s: {A|windash: '", "-a ",
         "'}", 1000},
        {"modifiers", "title: t\nlogsource: {product: p}\ndetection:\n condition: s\n s: {A",
         "|contains", ": x}", 1000},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct reading r;
        struct hm_buf text = HM_BUF(64 << 20);
        hm_buf_puts(&text, rows[i].head);
        for (size_t k = 0; k < rows[i].times; k++)
            hm_buf_puts(&text, rows[i].repeat);
        hm_buf_puts(&text, rows[i].tail);
        hm_buf_put_u8(&text, 0);
        assert_int_equal(text.error, 0);
        reading_open(&r, NULL);
        reading_add(&r, (char *)text.data);
        reading_finish(&r);
        if (r.problems != 1 || hm_sigma_rule_count(r.c))
            fail_msg("%s: %d problems", rows[i].name, r.problems);
        reading_close(&r);
        hm_buf_done(&text);
    }
}

/* A legal rule that means a lot: many terms times dashes times offsets stay under the ceiling. */
static void multiplies_within_limits(void **state)
{
    struct reading r;
    struct hm_buf text = HM_BUF(1 << 20);
    hm_buf_puts(&text, " condition: s\n s:\n  A|windash|base64offset|contains|all:\n");
    for (int i = 0; i < 200; i++)
        hm_buf_printf(&text, "   - '-a%d -b%d -c%d'\n", i, i, i);
    hm_buf_put_u8(&text, 0);
    reading_detection(&r, (char *)text.data, NULL);
    assert_int_equal(r.problems, 0);
    assert_int_equal(hm_sigma_rule_at(r.c, 0)->condition->count, 200);
    assert_int_equal(hm_sigma_rule_at(r.c, 0)->condition->kids[7]->test.count, 375);
    reading_close(&r);
    hm_buf_done(&text);
}

struct corpus {
    struct reading r;
    size_t files;
};

static int add_file(void *ctx, const char *path, struct hm_slice text)
{
    struct corpus *c = ctx;
    c->files++;
    return hm_sigma_collection_add(c->r.c, path, text, on_problem, &c->r);
}

/* Numbers of the corpus as published: a change of either side has to be looked at. */
static void reads_the_corpus(void **state)
{
    static const char lists[] =
        "legtimate_identifiers: [a]\nuserdomain: [d]\nWorkstations: [w]\ndc_machine_accounts: [m]\n"
        "Admins_Workstations: [w]\nDC-MACHINE-NAME: [m]\nAdministrators: [adm*]\nServerSystems: "
        "[s]\ndomain_controller_hostnames: [h]\nlegit_ips: [i]\ninternal_domains: [d]\n"
        "Legitimate_Countries: [JP]\nUnLegitCountries: [XX]\nKNOWN_LOCATION: [l]\n"
        "Important_AppIds: [i]\nKnown_Location: [l]\nHomeTenantID: [t]\nApprovedUserUpn: [u]\n"
        "Approved_Inviters: [i]\nknown_cdcs: [c]\n"
        "Legitimate_IP_Ranges: [i]\nUnApprovedIp: [i]\nUnApprovedDevice: [d]\ndc_ip_addresses: "
        "[i]\nDomainControllers: [d]\n";
    hm_autoclose int dir = open(HM_SIGMA_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        print_message("SKIPPED: %s is not there\n", HM_SIGMA_DIR);
        skip();
    }
    for (int with = 0; with < 2; with++) {
        struct corpus c = {0};
        struct hm_placeholders *p = hm_placeholders_new();
        struct hm_error err = {0};
        assert_int_equal(hm_placeholders_add(p, hm_slice_str(lists), &err), 0);
        reading_open(&c.r, with ? p : NULL);
        c.r.tell = with;
        assert_int_equal(hm_folder_each(dir, add_file, &c), 0);
        reading_finish(&c.r);
        assert_int_equal(c.files, 3780);
        assert_int_equal(hm_sigma_rule_count(c.r.c), with ? 3780 : 3755);
        assert_int_equal(c.r.problems, with ? 0 : 25);
        if (!with)
            assert_non_null(strstr(c.r.first.error.text, "has no list of values"));
        reading_close(&c.r);
        hm_placeholders_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain),
        cmocka_unit_test(aliases),
        cmocka_unit_test(extended_condition),
        cmocka_unit_test(timespans),
        cmocka_unit_test(old_aggregations),
        cmocka_unit_test(near_is_temporal),
        cmocka_unit_test(filters),
        cmocka_unit_test(placeholders),
        cmocka_unit_test(refuses_documents),
        cmocka_unit_test(cycles),
        cmocka_unit_test(bombs),
        cmocka_unit_test(multiplies_within_limits),
        cmocka_unit_test(reads_the_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
