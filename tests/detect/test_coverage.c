/* Which rules can fire on our own events, and what is said about those that cannot. */
#include "linux_rules.h"
#include "detect/coverage.h"

static struct hm_coverage cover(const struct reading *r, size_t i)
{
    struct hm_bindings *b = NULL;
    struct hm_coverage c;
    assert_int_equal(hm_bindings_new(r->names, &b), 0);
    hm_coverage(hm_sigma_rule_at(r->c, i), r->names, b, &c);
    hm_bindings_free(b);
    return c;
}

static struct hm_coverage cover_text(const char *logsource, const char *detection, char *ret_fields,
                                     size_t len)
{
    struct reading r;
    char text[4096];
    snprintf(text, sizeof text,
             "title: t\nid: 00000000-0000-4000-8000-000000000001\nlogsource: %s\n"
             "detection:\n%s\nlevel: low\n",
             logsource, detection);
    reading_open(&r, NULL);
    reading_add(&r, text);
    reading_finish(&r);
    if (r.problems)
        fail_msg("%s: %s", text, r.first.error.text);
    struct hm_coverage c = cover(&r, 0);
    ret_fields[0] = 0;
    for (size_t i = 0; i < c.field_count; i++)
        snprintf(ret_fields + strlen(ret_fields), len - strlen(ret_fields), "%s%s", i ? " " : "",
                 hm_names_text(r.names, c.fields[i]));
    reading_close(&r);
    return c;
}

static void every_linux_rule_is_live(void **state)
{
    struct reading r;
    if (!linux_rules_there())
        skip();
    reading_open(&r, NULL);
    linux_rules_add_all(&r);
    reading_finish(&r);
    assert_int_equal(r.problems, 0);
    assert_true(hm_sigma_rule_count(r.c) >= LINUX_RULES);
    size_t live = 0;
    for (size_t i = 0; i < hm_sigma_rule_count(r.c); i++) {
        struct hm_coverage c = cover(&r, i);
        const struct hm_sigma_entry *e = hm_sigma_rule_at(r.c, i);
        live += c.state == HM_COVERAGE_LIVE;
        for (size_t k = 0; k < c.field_count; k++)
            print_message("%s: %s: %s %s\n", e->info.path, hm_coverage_state_name(c.state),
                          c.state == HM_COVERAGE_LIVE ? "unseen" : "decides",
                          hm_names_text(r.names, c.fields[k]));
        if (c.state != HM_COVERAGE_LIVE && !c.field_count)
            print_message("%s: %s\n", e->info.path, hm_coverage_state_name(c.state));
    }
    print_message("%zu of %zu Linux rules are live\n", live, hm_sigma_rule_count(r.c));
    assert_int_equal(live, hm_sigma_rule_count(r.c));
    reading_close(&r);
}

static void what_decides_is_named(void **state)
{
    static const struct {
        const char *what, *logsource, *detection;
        enum hm_coverage_state state;
        const char *fields;
    } rows[] = {
        {"plain", "{product: linux, category: process_creation}",
         "  s:\n    Image|endswith: /x\n  condition: s", HM_COVERAGE_LIVE, ""},
        {"missing field alone", "{product: linux, category: process_creation}",
         "  s:\n    Image: /x\n    Signature: Evil\n  condition: s", HM_COVERAGE_FIELD,
         "Signature"},
        {"missing in a filter", "{product: linux, category: process_creation}",
         "  s:\n    Image: /x\n  f:\n    Company: Good\n  condition: s and not f", HM_COVERAGE_LIVE,
         "Company"},
        {"missing in one branch", "{product: linux, category: process_creation}",
         "  a:\n    Image: /x\n  b:\n    Imphash: 1\n  condition: a or b", HM_COVERAGE_LIVE,
         "Imphash"},
        {"missing but wanted missing", "{product: linux, category: process_creation}",
         "  s:\n    Image: /x\n    Signature: null\n  condition: s", HM_COVERAGE_LIVE, "Signature"},
        {"two are missing", "{product: linux, category: process_creation}",
         "  s:\n    Signature: a\n    Company: b\n  condition: s", HM_COVERAGE_FIELD,
         "Signature Company"},
        {"a field of another action", "{product: linux, category: file_event}",
         "  s:\n    TargetFilename: /x\n    DestinationIp: 192.0.2.1\n  condition: s",
         HM_COVERAGE_FIELD, "DestinationIp"},
        {"another product", "{product: windows, category: process_creation}",
         "  s:\n    Image: /x\n  condition: s", HM_COVERAGE_PRODUCT, ""},
        {"a service that is not ours", "{product: linux, service: nosuchd}",
         "  s:\n    - x\n  condition: s", HM_COVERAGE_SOURCE, ""},
        {"an action that is never seen", "{product: linux, category: driver_load}",
         "  s:\n    ImageLoaded: x\n  condition: s", HM_COVERAGE_SOURCE, ""},
        {"a record that is never there", "{product: linux, service: auditd}",
         "  s:\n    type: BPRM_FCAPS\n    a0: x\n  condition: s", HM_COVERAGE_VALUE, "type"},
        {"a call that nobody watches", "{product: linux, service: auditd}",
         "  s:\n    type: SYSCALL\n    SYSCALL: getpid\n  condition: s", HM_COVERAGE_VALUE,
         "SYSCALL"},
        {"a column of another record", "{product: linux, service: auditd}",
         "  s:\n    type: EXECVE\n    name: /x\n  condition: s", HM_COVERAGE_VALUE, "type name"},
        {"an argument that a call has not", "{product: linux, service: auditd}",
         "  s:\n    SYSCALL: personality\n    a4: 1\n  condition: s", HM_COVERAGE_VALUE,
         "SYSCALL a4"},
        {"a key of nobody's", "{product: linux, service: auditd}",
         "  s:\n    key: mykey\n  condition: s", HM_COVERAGE_VALUE, "key"},
        {"keywords", "{product: linux, service: sshd}", "  s:\n    - x\n  condition: s",
         HM_COVERAGE_LIVE, ""},
    };
    char fields[512];
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_coverage c =
            cover_text(rows[i].logsource, rows[i].detection, fields, sizeof fields);
        if (c.state != rows[i].state || strcmp(fields, rows[i].fields) != 0)
            fail_msg("%s: %s \"%s\", not %s \"%s\"", rows[i].what, hm_coverage_state_name(c.state),
                     fields, hm_coverage_state_name(rows[i].state), rows[i].fields);
    }
}

/* Only what a loaded rule asks for is watched in the kernel. */
static void rare_calls_are_wanted_by_their_rules(void **state)
{
    struct reading r;
    struct hm_bindings *b = NULL;
    reading_open(&r, NULL);
    reading_add(&r,
                "title: t\nid: 00000000-0000-4000-8000-000000000002\nlevel: low\n"
                "logsource: {product: linux, service: auditd}\n"
                "detection:\n  a:\n    SYSCALL: mknod\n  b:\n    type: EXECVE\n    a0: sysinfo\n"
                "  condition: a or b\n");
    reading_finish(&r);
    assert_int_equal(r.problems, 0);
    assert_int_equal(hm_bindings_new(r.names, &b), 0);
    const struct hm_ast *a = hm_sigma_rule_at(r.c, 0)->condition;
    size_t wanted = 0;
    const char *call;
    for (size_t i = 0; (call = hm_call_at(i)); i++)
        wanted += hm_wants_call(a, b, call);
    assert_int_equal(wanted, 2); /* mknod, and mknodat, which does the same */
    assert_true(hm_wants_call(a, b, "mknod"));
    assert_true(hm_wants_call(a, b, "mknodat"));
    assert_false(hm_wants_call(a, b, "sysinfo"));
    hm_bindings_free(b);
    reading_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_linux_rule_is_live),
        cmocka_unit_test(what_decides_is_named),
        cmocka_unit_test(rare_calls_are_wanted_by_their_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
