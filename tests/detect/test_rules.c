/* The rules that ship: all load, each says why in both languages, and each one's own examples hold.
 */
#include "event_from.h"
#include "detect/correlate/correlate.h"
#include "detect/folder.h"
#include "detect/limits.h"
#include "detect/logsource.h"
#include "detect/ruleset.h"
#include "detect/sigma/yaml.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct hm_ruleset *rules;
static struct hm_match_scratch *scratch;

static void on_problem(void *ctx, const struct hm_rule_problem *p)
{
    fail_msg("%s:%u:%u: %s", p->path, p->error.line, p->error.column, p->error.text);
}

struct wanted {
    const char *id;
    bool hit;
};

static void on_hit(void *ctx, const struct hm_rule *r)
{
    struct wanted *w = ctx;
    if (strcmp(r->id, w->id) == 0)
        w->hit = true;
}

/* All that is wrong is told in one run. */
static unsigned complaints;

static void complain(const char *path, const char *what, const char *kind)
{
    print_error("%s: %s (%s)\n", path, what, kind);
    complaints++;
}

static bool example_hits(const struct hm_yaml *doc, const struct hm_yaml *example, uint64_t action)
{
    static struct hm_event e;
    struct hm_arena *a = hm_arena_new(1 << 20);
    struct wanted w = {hm_yaml_str(doc, "id", ""), false};
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_ACTION, action);
    for (size_t i = 0; i < example->count; i++)
        event_put(&e, a, example->keys[i]->text, example->items[i]->text);
    hm_ruleset_match(rules, scratch, &e, on_hit, &w);
    hm_arena_free(a);
    return w.hit;
}

static void check_examples(const char *path, const struct hm_yaml *doc, const char *kind,
                           bool expected)
{
    const struct hm_yaml *list =
        hm_yaml_get(hm_yaml_get(hm_yaml_get(doc, "hinomi"), "examples"), kind);
    struct hm_route route;
    if (!list || list->count == 0)
        complain(path, "examples are missing", kind);
    assert_true(hm_logsource_route(
        "linux", hm_yaml_str(hm_yaml_get(doc, "logsource"), "category", ""), "", &route));
    for (size_t i = 0; list && i < list->count; i++)
        for (size_t k = 0; k < route.count; k++)
            if (example_hits(doc, list->items[i], route.actions[k]) != expected)
                complain(path, (const char[]){'#', (char)('1' + i), 0}, kind);
}

static const char *const words[] = {"title_ja", "reason", "reason_ja", "advice", "advice_ja"};

static int check_file(void *ctx, const char *path, struct hm_slice text)
{
    struct hm_arena *a = hm_arena_new(16 << 20);
    struct hm_error err = {0};
    struct hm_yaml *doc = NULL;
    assert_int_equal(hm_yaml_parse(text, 0, a, &doc, &err), 0);
    /* A correlation's sequences are run by `hinomi sigma test` (tests/cli/sigma.sh). */
    if (!hm_yaml_get(doc, "correlation")) {
        check_examples(path, doc, "match", true);
        check_examples(path, doc, "miss", false);
        ++*(int *)ctx;
    }
    for (size_t i = 0; i < HM_ARRAY_LEN(words); i++)
        if (!*hm_yaml_str(hm_yaml_get(doc, "hinomi"), words[i], ""))
            complain(path, words[i], "missing");
    if (!hm_yaml_get(doc, "falsepositives") || !hm_yaml_get(doc, "tags"))
        complain(path, "falsepositives or tags", "missing");
    hm_arena_free(a);
    return 0;
}

static int open_rules(void **state)
{
    int fd = open(HM_RULES_DIR, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    assert_int_equal(hm_ruleset_load(fd, on_problem, NULL, &rules), 0);
    scratch = hm_match_scratch_new(rules);
    *state = (void *)(intptr_t)fd;
    return 0;
}

static int close_rules(void **state)
{
    hm_match_scratch_free(scratch);
    hm_ruleset_free(rules);
    close((int)(intptr_t)*state);
    return 0;
}

static void every_rule_keeps_its_own_examples(void **state)
{
    int files = 0;
    complaints = 0;
    assert_int_equal(hm_folder_each((int)(intptr_t)*state, check_file, &files), 0);
    size_t loud = 0; /* all but the material of correlations */
    for (size_t i = 0; i < hm_ruleset_count(rules); i++)
        loud += !hm_ruleset_silent(rules, i);
    assert_int_equal(files, loud);
    assert_int_equal(complaints, 0);
}

static void every_rule_has_a_technique_and_a_severity(void **state)
{
    for (size_t i = 0; i < hm_ruleset_count(rules); i++) {
        const struct hm_rule *r = hm_ruleset_rule(rules, i);
        if (hm_ruleset_silent(rules, i))
            continue;
        assert_true(r->techniques[0] == 'T' && r->tactics[0] && r->severity >= 1 &&
                    r->severity <= 5);
    }
}

static bool same_before(size_t i, const char *id)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(hm_ruleset_rule(rules, k)->id, id) == 0)
            return true;
    return false;
}

static void every_id_is_there_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < hm_ruleset_count(rules); i++)
        if (same_before(i, hm_ruleset_rule(rules, i)->id))
            fail_msg("%s: its id is there twice", hm_ruleset_rule(rules, i)->path);
}

/* Every distinct technique of the rules, as ",T1059.004,T1095," */
static size_t techniques(struct hm_buf *all)
{
    size_t n = 0;
    hm_buf_puts(all, ",");
    for (size_t i = 0; i < hm_ruleset_count(rules); i++) {
        const char *t = hm_ruleset_rule(rules, i)->techniques;
        for (; *t; t += strcspn(t, ","), t += *t == ',') {
            char one[16];
            snprintf(one, sizeof one, ",%.*s,", (int)strcspn(t, ","), t);
            hm_buf_put_u8(all, 0);
            bool known = strstr((const char *)all->data, one);
            all->len--;
            if (known)
                continue;
            hm_buf_puts(all, one + 1);
            n++;
        }
    }
    hm_buf_put_u8(all, 0);
    assert_int_equal(all->error, 0);
    return n;
}

static void there_are_enough_of_them(void **state)
{
    (void)state;
    struct hm_buf all = HM_BUF(64 * 1024);
    size_t n = techniques(&all);
    print_message("%zu rules, %zu techniques\n", hm_ruleset_count(rules), n);
    assert_true(hm_ruleset_count(rules) >= 120 && n >= 80);
    hm_buf_done(&all);
}

static void every_technique_exists(void **state)
{
    (void)state;
    struct hm_buf all = HM_BUF(64 * 1024), text = HM_BUF(4 << 20);
    int fd = open(HM_ATTACK_JSON, O_RDONLY);
    if (fd < 0) {
        print_message("skipped: %s is not there\n", HM_ATTACK_JSON);
        skip();
    }
    uint8_t chunk[8192];
    for (ssize_t got; (got = read(fd, chunk, sizeof chunk)) > 0;)
        hm_buf_put(&text, chunk, (size_t)got);
    close(fd);
    hm_buf_put_u8(&text, 0);
    (void)techniques(&all);
    for (char *t = (char *)all.data + 1; *t; t += strcspn(t, ",") + 1) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "\"id\": \"%.*s\"", (int)strcspn(t, ","), t);
        if (!strstr((const char *)text.data, wanted))
            fail_msg("no such technique: %s", wanted);
    }
    hm_buf_done(&all);
    hm_buf_done(&text);
}

static void refused(void *ctx, size_t i, const struct hm_error *err)
{
    (void)ctx;
    fail_msg("correlation %zu: %s", i, err->text);
}

/* What another process opens is the same set, correlations included; damage is refused. */
static void the_set_with_its_correlations_survives_as_bytes(void **state)
{
    (void)state;
    struct hm_buf bytes = HM_BUF(64 << 20), again = HM_BUF(64 << 20);
    struct hm_ruleset *copy = NULL;
    struct hm_correlator *c = NULL;
    assert_int_equal(hm_ruleset_write(rules, &bytes), 0);
    assert_int_equal(hm_ruleset_open(hm_buf_slice(&bytes), &copy), 0);
    assert_true(hm_ruleset_correlation_count(copy) >= 7);
    assert_int_equal(hm_ruleset_correlation_count(copy), hm_ruleset_correlation_count(rules));
    assert_int_equal(hm_ruleset_write(copy, &again), 0);
    assert_true(hm_slice_eq(hm_buf_slice(&bytes), hm_buf_slice(&again)));
    struct hm_correlate_set set = hm_ruleset_correlations(copy);
    assert_int_equal(hm_correlator_new(&set, NULL, refused, NULL, &c), 0);
    size_t loud = 0;
    for (size_t i = 0; i < hm_ruleset_correlation_count(copy); i++) {
        bool silent;
        const struct hm_rule *r = hm_ruleset_correlation(copy, i, &silent);
        loud += !silent;
        assert_true(silent || (*r->reason && *r->reason_ja && *r->advice && *r->advice_ja));
    }
    assert_int_equal(loud, 7);
    hm_correlator_free(c);
    hm_ruleset_free(copy);
    bytes.data[bytes.len / 2] ^= 1;
    assert_int_equal(hm_ruleset_open(hm_buf_slice(&bytes), &copy), -EBADMSG);
    hm_buf_done(&bytes);
    hm_buf_done(&again);
}

static void a_reason_is_filled_in_and_bounded(void **state)
{
    static struct hm_event e;
    static char long_line[2000];
    struct hm_buf out = HM_BUF(1 << 16);
    memset(long_line, 'x', sizeof long_line - 1);
    hm_event_clear(&e);
    hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("/bin/{x}"));
    hm_event_set(&e, HM_F_PROCESS_COMMAND_LINE, hm_slice_str(long_line));
    hm_rule_render("a {process.image} {user.name} {{b} {nope} {process.command_line}", &e, &out);
    hm_buf_put_u8(&out, 0);
    assert_int_equal(out.error, 0);
    assert_memory_equal(out.data, "a /bin/{x} - {b} - xxx", 22);
    assert_true(out.len < 500);
    hm_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_keeps_its_own_examples),
        cmocka_unit_test(every_id_is_there_once),
        cmocka_unit_test(there_are_enough_of_them),
        cmocka_unit_test(every_technique_exists),
        cmocka_unit_test(every_rule_has_a_technique_and_a_severity),
        cmocka_unit_test(the_set_with_its_correlations_survives_as_bytes),
        cmocka_unit_test(a_reason_is_filled_in_and_bounded),
    };
    return cmocka_run_group_tests(tests, open_rules, close_rules);
}
