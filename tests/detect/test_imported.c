/* Words made for rules that bring none: of title, technique, tactic, what happened and the fields
 * that the rule asks for, in both languages. */
#include "detect/attack.h"
#include "detect/folder.h"
#include "detect/ruleset.h"
#include "detect/sigma/imported.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static const char *const curl = "title: Odd {use} of curl\n"
                                "tags: [attack.command-and-control, attack.t1105]\n"
                                "description: Finds curl\n   used oddly.\n"
                                "logsource: {product: linux, category: process_creation}\n"
                                "detection:\n"
                                "  selection:\n"
                                "    - {ParentImage|endswith: /sh, Image|endswith: /curl}\n"
                                "    - {User: root, CommandLine|contains: http}\n"
                                "  condition: selection\n";

static void make(const char *text, struct hm_arena *a, struct hm_rule *r)
{
    struct hm_yaml *doc = NULL;
    assert_int_equal(hm_yaml_parse(hm_slice_str(text), 0, a, &doc, NULL), 0);
    r->title = hm_yaml_str(doc, "title", "");
    assert_int_equal(hm_imported_words(a, doc, r), 0);
}

static void shown(const char *template, const char *expected)
{
    static struct hm_event e;
    struct hm_buf out = HM_BUF(1 << 16);
    hm_event_clear(&e);
    hm_event_set(&e, HM_F_PROCESS_IMAGE, hm_slice_str("/usr/bin/curl"));
    hm_event_set(&e, HM_F_PROCESS_COMMAND_LINE, hm_slice_str("curl x"));
    hm_event_set(&e, HM_F_PARENT_IMAGE, hm_slice_str("/usr/bin/dash"));
    hm_event_set(&e, HM_F_USER_NAME, hm_slice_str("hanako"));
    hm_rule_render(template, &e, &out);
    hm_buf_put_u8(&out, 0);
    assert_int_equal(out.error, 0);
    assert_string_equal((char *)out.data, expected);
    hm_buf_done(&out);
}

static void words_say_what_matched_and_what_happened(void **state)
{
    (void)state;
    struct hm_arena *a = hm_arena_new(1 << 20);
    struct hm_rule r = {.techniques = "T1105", .tactics = "command-and-control"};
    make(curl, a, &r);
    assert_string_equal(r.title_ja, "外部からのツールの持ち込み: Odd {use} of curl");
    shown(r.reason_ja, "「Odd {use} of curl」（T1105 外部からのツールの持ち込み、遠隔操作）"
                       "に当てはまる動作です。/usr/bin/curl が次の内容で実行されました: curl x "
                       "起動元: /usr/bin/dash ユーザー: hanako");
    shown(r.reason,
          "Matches \"Odd {use} of curl\" (T1105 Ingress Tool Transfer, Command and Control). "
          "/usr/bin/curl was run: curl x; started by /usr/bin/dash; user hanako — Finds "
          "curl used oddly.");
    assert_non_null(strstr(r.advice, "Isolate the endpoint"));
    assert_non_null(strstr(r.advice_ja, "隔離"));
    hm_arena_free(a);
}

static void own_words_stay(void **state)
{
    (void)state;
    struct hm_arena *a = hm_arena_new(1 << 20);
    struct hm_rule r = {.techniques = "",
                        .tactics = "",
                        .reason = "own",
                        .reason_ja = "自前",
                        .title_ja = "題",
                        .advice = "do",
                        .advice_ja = "行う"};
    make(curl, a, &r);
    assert_string_equal(r.reason, "own");
    assert_string_equal(r.reason_ja, "自前");
    assert_string_equal(r.title_ja, "題");
    assert_string_equal(r.advice, "do");
    assert_string_equal(r.advice_ja, "行う");
    hm_arena_free(a);
}

static void unknown_names_are_left_out(void **state)
{
    (void)state;
    struct hm_arena *a = hm_arena_new(1 << 20);
    struct hm_rule r = {.techniques = "T9999", .tactics = "nonsense"};
    make("title: A\nlogsource: {service: auditd}\ndetection: {}\n", a, &r);
    shown(r.reason_ja,
          "「A」（T9999）に当てはまる動作です。関係したプログラムは /usr/bin/curl です: curl x");
    assert_string_equal(r.title_ja, "A");
    assert_string_equal(r.advice, "");
    hm_arena_free(a);
}

static void a_long_foreign_text_is_cut_between_characters(void **state)
{
    (void)state;
    struct hm_arena *a = hm_arena_new(1 << 20);
    static char text[64 * 1024];
    size_t n = (size_t)snprintf(text, sizeof text, "title: '");
    while (n + 100 < sizeof text)
        n += (size_t)snprintf(text + n, sizeof text - n, "火{");
    snprintf(text + n, sizeof text - n, "'\nlogsource: {service: x}\ndetection: {}\n");
    struct hm_rule r = {.techniques = "", .tactics = ""};
    make(text, a, &r);
    assert_true(strlen(r.title_ja) <= 600 && strlen(r.reason_ja) < 2000);
    assert_int_equal(strlen(r.title_ja) % 4, 0); /* a character of 3 bytes and a brace */
    hm_arena_free(a);
}

static void the_table_is_in_order_and_whole(void **state)
{
    (void)state;
    static const char *const ids[] = {
#define T(id, name, name_ja) id,
#include "detect/attack.def"
#undef T
    };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        const struct hm_attack_technique *t = hm_attack_technique(hm_slice_str(ids[i]));
        assert_non_null(t);
        assert_string_equal(t->id, ids[i]);
        assert_true(i == 0 || strcmp(ids[i - 1], ids[i]) < 0);
    }
    assert_null(hm_attack_technique(hm_slice_str("T1")));
    assert_null(hm_attack_technique(hm_slice_str("T1059.0044")));
    assert_null(hm_attack_technique(hm_slice_str("")));
}

static unsigned seen, unnamed;

static bool every_technique_named(const char *list)
{
    for (; *list; list += strcspn(list, ","), list += *list == ',')
        if (!hm_attack_technique(hm_slice(list, strcspn(list, ","))))
            return false;
    return true;
}

static void on_problem(void *ctx, const struct hm_rule_problem *p)
{
    (void)ctx;
    fail_msg("%s: %s", p->path, p->error.text);
}

static void check_folder(const char *path, unsigned allowed_unnamed)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    struct hm_ruleset *rs = NULL;
    if (fd < 0) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    assert_int_equal(hm_ruleset_load(fd, on_problem, NULL, &rs), 0);
    close(fd);
    unnamed = 0;
    for (size_t i = 0; i < hm_ruleset_count(rs); i++, seen++) {
        const struct hm_rule *r = hm_ruleset_rule(rs, i);
        if (!strstr(r->reason_ja, "。") || !*r->reason || !*r->title_ja)
            fail_msg("%s: no words", r->path);
        if (*r->tactics && (!*r->advice || !*r->advice_ja))
            fail_msg("%s: no advice for %s", r->path, r->tactics);
        if (!every_technique_named(r->techniques)) {
            print_message("%s: %s\n", r->path, r->techniques);
            unnamed++;
        }
    }
    print_message("%s: %zu rules, %u with a technique that has no name here\n", path,
                  hm_ruleset_count(rs), unnamed);
    assert_true(unnamed <= allowed_unnamed);
    hm_ruleset_free(rs);
}

static void every_rule_that_ships_has_names(void **state)
{
    (void)state;
    check_folder(HM_RULES_DIR, 0);
}

/* Some of SigmaHQ's tags are newer than the ATT&CK list of the corpus: those stay a bare id. */
static void every_linux_rule_of_sigmahq_gets_japanese_words(void **state)
{
    (void)state;
    check_folder(HM_SIGMA_LINUX, 45);
    assert_true(seen > 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_say_what_matched_and_what_happened),
        cmocka_unit_test(own_words_stay),
        cmocka_unit_test(unknown_names_are_left_out),
        cmocka_unit_test(a_long_foreign_text_is_cut_between_characters),
        cmocka_unit_test(the_table_is_in_order_and_whole),
        cmocka_unit_test(every_rule_that_ships_has_names),
        cmocka_unit_test(every_linux_rule_of_sigmahq_gets_japanese_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
