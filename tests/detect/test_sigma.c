/* What a rule means: each row is a detection, an event, and whether they match; then what is
 * refused, and with which words. Rules go through files and the real loader. */
#include "event_from.h"
#include "detect/ruleset.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

struct result {
    struct hm_ruleset *rs;
    struct hm_error error;
    int problems, hits;
};

static void on_problem(void *ctx, const struct hm_rule_problem *p)
{
    struct result *r = ctx;
    r->problems++;
    r->error = p->error;
}

static void on_hit(void *ctx, const struct hm_rule *rule)
{
    ((struct result *)ctx)->hits++;
}

static void write_file(const char *dir, const char *name, const char *text, size_t len)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
}

static struct result load_text(const char *text, size_t len)
{
    char dir[] = "/tmp/hinomi-sigma-XXXXXX", path[256];
    struct result r = {0};
    assert_non_null(mkdtemp(dir));
    write_file(dir, "rule.yml", text, len);
    int fd = open(dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(hm_ruleset_load(fd, on_problem, &r, &r.rs), 0);
    close(fd);
    snprintf(path, sizeof path, "%s/rule.yml", dir);
    unlink(path);
    rmdir(dir);
    return r;
}

static struct result load_detection(const char *detection)
{
    char text[8192];
    int n = snprintf(text, sizeof text,
                     "title: t\nid: 11111111-2222-3333-4444-555555555555\nlevel: high\n"
                     "logsource: {product: linux, category: process_creation}\ndetection:\n%s",
                     detection);
    return load_text(text, (size_t)n);
}

#define EV(...)                                                                                    \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
struct row {
    const char *name, *detection;
    const char *event[9]; /* name, value, … */
    bool match;
};
static const struct row rows[] = {
    {"exact folds case", " s: {Image: /bin/SH}\n condition: s\n", EV("Image", "/bin/sh"), true},
    {"cased does not", " s: {Image|cased: /bin/SH}\n condition: s\n", EV("Image", "/bin/sh"),
     false},
    {"exact is whole", " s: {Image: /bin/s}\n condition: s\n", EV("Image", "/bin/sh"), false},
    {"startswith", " s: {Image|startswith: /BIN}\n condition: s\n", EV("Image", "/bin/sh"), true},
    {"endswith", " s: {Image|endswith: /sh}\n condition: s\n", EV("Image", "/bin/sh"), true},
    {"endswith needs the end", " s: {Image|endswith: /sh}\n condition: s\n", EV("Image", "/sh/x"),
     false},
    {"contains", " s: {CommandLine|contains: ' -E '}\n condition: s\n",
     EV("CommandLine", "nc -e sh"), true},
    {"list is or", " s: {Image|endswith: [/a, /sh]}\n condition: s\n", EV("Image", "/bin/sh"),
     true},
    {"all is and", " s: {CommandLine|contains|all: [a, z]}\n condition: s\n",
     EV("CommandLine", "a b"), false},
    {"all is and, both", " s: {CommandLine|contains|all: [a, b]}\n condition: s\n",
     EV("CommandLine", "a b"), true},
    {"map is and", " s: {Image: /a, User: root}\n condition: s\n", EV("Image", "/a", "User", "eve"),
     false},
    {"list of maps is or", " s: [{Image: /a}, {User: eve}]\n condition: s\n", EV("User", "eve"),
     true},
    {"wildcard inside", " s: {Image: '/us*/b?n/sh'}\n condition: s\n", EV("Image", "/usr/bin/sh"),
     true},
    {"question mark is one", " s: {Image: '/b?/sh'}\n condition: s\n", EV("Image", "/bin/sh"),
     false},
    {"escaped star", " s: {Image: '/a\\*'}\n condition: s\n", EV("Image", "/abc"), false},
    {"escaped star, literal", " s: {Image: '/a\\*'}\n condition: s\n", EV("Image", "/a*"), true},
    {"backslash before wildcard", " s: {Image: 'C:\\\\*'}\n condition: s\n", EV("Image", "C:\\x"),
     true},
    {"lone star is contains nothing", " s: {Image: '*'}\n condition: s\n", EV("Image", "x"), true},
    {"star needs the field", " s: {Image: '*'}\n condition: s\n", EV("User", "x"), false},
    {"null is absent", " s: {Image: null}\n condition: s\n", EV("User", "x"), true},
    {"null is not present", " s: {Image: null}\n condition: s\n", EV("Image", "x"), false},
    {"empty string", " s: {Image: ''}\n condition: s\n", EV("Image", ""), true},
    {"quoted null is text", " s: {Image: 'null'}\n condition: s\n", EV("Image", "null"), true},
    {"number", " s: {DestinationPort: 443}\n condition: s\n", EV("DestinationPort", "443"), true},
    {"number with wildcard", " s: {DestinationPort: '44*'}\n condition: s\n",
     EV("DestinationPort", "443"), true},
    {"lt", " s: {DestinationPort|lt: 1024}\n condition: s\n", EV("DestinationPort", "443"), true},
    {"lt is strict", " s: {DestinationPort|lt: 443}\n condition: s\n", EV("DestinationPort", "443"),
     false},
    {"gte", " s: {DestinationPort|gte: 443}\n condition: s\n", EV("DestinationPort", "443"), true},
    {"gt absent", " s: {DestinationPort|gt: 1}\n condition: s\n", EV("User", "a"), false},
    {"cidr 4", " s: {DestinationIp|cidr: 192.0.2.0/25}\n condition: s\n",
     EV("DestinationIp", "192.0.2.127"), true},
    {"cidr 4 outside", " s: {DestinationIp|cidr: 192.0.2.0/25}\n condition: s\n",
     EV("DestinationIp", "192.0.2.128"), false},
    {"cidr 6", " s: {DestinationIp|cidr: '2001:db8::/33'}\n condition: s\n",
     EV("DestinationIp", "2001:db8:7fff::1"), true},
    {"address as text", " s: {DestinationIp|startswith: '192.0.2.'}\n condition: s\n",
     EV("DestinationIp", "192.0.2.9"), true},
    {"regex", " s: {CommandLine|re: 'a.+z$'}\n condition: s\n", EV("CommandLine", "xabz"), true},
    {"regex is cased", " s: {CommandLine|re: 'A.+z$'}\n condition: s\n", EV("CommandLine", "xabz"),
     false},
    {"regex flag", " s: {CommandLine|re|i: 'A.+z$'}\n condition: s\n", EV("CommandLine", "xabz"),
     true},
    {"exists", " s: {Image|exists: true}\n condition: s\n", EV("Image", ""), true},
    {"exists false", " s: {Image|exists: false}\n condition: s\n", EV("User", "x"), true},
    {"neq", " s: {Image|neq: /a}\n condition: s\n", EV("Image", "/b"), true},
    {"windash", " s: {CommandLine|windash|contains: ' -enc'}\n condition: s\n",
     EV("CommandLine", "p /enc"), true},
    {"keywords anywhere", " s: [evil, bad]\n condition: s\n", EV("CommandLine", "an EVIL thing"),
     true},
    {"keywords nowhere", " s: [evil, bad]\n condition: s\n", EV("CommandLine", "fine"), false},
    {"not", " s: {Image: /a}\n condition: not s\n", EV("Image", "/b"), true},
    {"and binds before or",
     " a: {Image: /a}\n b: {Image: /b}\n c: {Image: /c}\n condition: a or b and c\n",
     EV("Image", "/a"), true},
    {"parentheses",
     " a: {Image: /a}\n b: {Image: /b}\n c: {Image: /c}\n condition: (a or b) and c\n",
     EV("Image", "/a"), false},
    {"not binds first", " a: {Image: /a}\n b: {Image: /b}\n condition: not a and b\n",
     EV("Image", "/b"), true},
    {"1 of pattern",
     " s_a: {Image: /a}\n s_b: {Image: /b}\n f: {User: x}\n condition: 1 of s_* and not f\n",
     EV("Image", "/b"), true},
    {"all of pattern", " s_a: {Image: /a}\n s_b: {User: x}\n condition: all of s_*\n",
     EV("Image", "/a"), false},
    {"1 of them skips underscore", " _h: {Image: /a}\n b: {Image: /b}\n condition: 1 of them\n",
     EV("Image", "/a"), false},
    {"word of an enumeration", " s: {process.stdin: socket}\n condition: s\n",
     EV("process.stdin", "socket"), true},
    {"another word", " s: {process.stdin: socket}\n condition: s\n", EV("process.stdin", "tty"),
     false},
    {"bit set", " s: {process.flags: [memfd, deleted]}\n condition: s\n",
     EV("process.flags", "deleted"), true},
    {"bit not set", " s: {process.flags: memfd}\n condition: s\n", EV("process.flags", "deleted"),
     false},
};

static void build(struct hm_event *e, struct hm_arena *a, const char *const *pairs)
{
    hm_event_clear(e);
    hm_event_set_u64(e, HM_F_CLASS, HM_CLASS_PROCESS);
    hm_event_set_u64(e, HM_F_ACTION, HM_ACTION_PROCESS_EXEC);
    for (; *pairs; pairs += 2)
        event_put(e, a, pairs[0], pairs[1]);
}

static void rules_mean_what_they_say(void **state)
{
    static struct hm_event e;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct result r = load_detection(rows[i].detection);
        if (r.problems)
            fail_msg("%s: refused: %s", rows[i].name, r.error.text);
        struct hm_match_scratch *s = hm_match_scratch_new(r.rs);
        struct hm_arena *a = hm_arena_new(1 << 20);
        build(&e, a, rows[i].event);
        hm_ruleset_match(r.rs, s, &e, on_hit, &r);
        if (r.hits != rows[i].match)
            fail_msg("%s: expected %d", rows[i].name, rows[i].match);
        hm_arena_free(a);
        hm_match_scratch_free(s);
        hm_ruleset_free(r.rs);
    }
}

static const struct {
    const char *detection, *words;
    uint32_t line;
} refused[] = {
    {" s: {Image|nonsense: x}\n condition: s\n", "no such modifier", 6},
    {" s: {Image: x}\n condition: s and\n", "a name is missing", 7},
    {" s: {Image: x}\n condition: (s\n", "parenthesis", 7},
    {" s: {Image: x}\n condition: t\n", "no such search", 7},
    {" s: {Image: x}\n condition: 1 of t_*\n", "no search has such a name", 7},
    {" s: {Image|re: '('}\n condition: s\n", "regular expression", 6},
    {" s: {DestinationIp|cidr: 300.0.0.0/8}\n condition: s\n", "not an address range", 6},
    {" s: {DestinationIp|cidr: 10.0.0.0/33}\n condition: s\n", "not an address range", 6},
    {" s: {DestinationPort|lt: many}\n condition: s\n", "needs a number", 6},
    {" s: {Image: &a x, User: *a}\n condition: s\n", "aliases are not allowed", 6},
    {" s: {Image: x, Image: y}\n condition: s\n", "is there twice", 6},
    {" s: {Image: {a: b}}\n condition: s\n", "a value has to be text", 6},
    {" s: {}\n condition: s\n", "empty search", 6},
    {" s: {Image: x}\n", "condition is missing", 6},
    {" s: [[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]\n condition: s\n", "nested deeper", 6},
};

static void what_cannot_be_done_is_refused_with_its_place(void **state)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(refused); i++) {
        struct result r = load_detection(refused[i].detection);
        assert_int_equal(hm_ruleset_count(r.rs), 0);
        assert_int_equal(r.problems, 1);
        if (!strstr(r.error.text, refused[i].words))
            fail_msg("row %zu: said \"%s\"", i, r.error.text);
        if (r.error.line != refused[i].line)
            fail_msg("row %zu: line %u: %s", i, r.error.line, r.error.text);
        hm_ruleset_free(r.rs);
    }
}

static void a_long_condition_is_bounded(void **state)
{
    char text[8000] = " s: {Image: x}\n condition: s";
    size_t n = strlen(text);
    for (int i = 0; i < 500; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " and (s");
    snprintf(text + n, sizeof text - n, "\n");
    struct result r = load_detection(text);
    assert_int_equal(r.problems, 1);
    hm_ruleset_free(r.rs);
}

static void a_bad_rule_does_not_take_the_others_along(void **state)
{
    static const char text[] = "title: a\nid: a\nlogsource: {category: "
                               "process_creation}\ndetection: {s: {Image: x}, condition: s}\n"
                               "---\ntitle: b\nid: b\nlogsource: {category: "
                               "process_creation}\ndetection: {s: {Image: x}, condition: t}\n"
                               "---\ntitle: c\nid: c\nlogsource: {category: "
                               "process_creation}\ndetection: {s: {Image: y}, condition: s}\n"
                               "---\ntitle: a again\nid: a\nlogsource: {category: "
                               "process_creation}\ndetection: {s: {Image: y}, condition: s}\n";
    struct result r = load_text(text, sizeof text - 1);
    assert_int_equal(hm_ruleset_count(r.rs), 2);
    assert_int_equal(r.problems, 2);
    hm_ruleset_free(r.rs);
}

static void rules_for_other_systems_sleep(void **state)
{
    static const char text[] =
        "title: w\nid: w\nlogsource: {product: windows, category: process_creation}\n"
        "detection: {s: {Image: /a}, condition: s}\n";
    static struct hm_event e;
    struct result r = load_text(text, sizeof text - 1);
    struct hm_arena *a = hm_arena_new(1 << 20);
    struct hm_match_scratch *s = hm_match_scratch_new(r.rs);
    const char *pairs[] = {"Image", "/a", NULL};
    build(&e, a, pairs);
    hm_ruleset_match(r.rs, s, &e, on_hit, &r);
    assert_int_equal(hm_ruleset_count(r.rs), 1);
    assert_int_equal(r.hits, 0);
    hm_match_scratch_free(s);
    hm_arena_free(a);
    hm_ruleset_free(r.rs);
}

/* Any prefix and any flipped byte of a rule loads or is refused; it never crashes (ASan watches).
 */
static void damaged_rules_never_crash(void **state)
{
    static const char text[] =
        "title: t\nid: i\nlogsource: {category: process_creation}\ndetection:\n"
        "  a: {Image|contains|all: ['x*', y], CommandLine|re: 'a+'}\n  b: [k, '']\n"
        "  condition: 1 of them and not (a or b)\n";
    char copy[sizeof text];
    for (size_t i = 0; i < sizeof text; i++) {
        hm_ruleset_free(load_text(text, i).rs);
        memcpy(copy, text, sizeof text);
        copy[i] ^= 0x15;
        hm_ruleset_free(load_text(copy, sizeof text - 1).rs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_mean_what_they_say),
        cmocka_unit_test(what_cannot_be_done_is_refused_with_its_place),
        cmocka_unit_test(a_long_condition_is_bounded),
        cmocka_unit_test(a_bad_rule_does_not_take_the_others_along),
        cmocka_unit_test(rules_for_other_systems_sleep),
        cmocka_unit_test(damaged_rules_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
