/* The tree read aloud and the compiled program agree, rule by rule and event by event, on all of
 * the corpus; and what the tree says of single values. */
#include "detect/folder.h"
#include "detect/instant.h"
#include "detect/match/match.h"
#include "detect/record/record.h"
#include "detect/sigma/collection.h"
#include "detect/walk.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void times_are_read_in_all_their_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
        bool ok;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0, true},
        {"2020-06-10T02:50:56.538Z", 1591757456538, true},
        {"2020-06-10 02:50:56.538", 1591757456538, true},
        {"2020-06-10T11:50:56.538+09:00", 1591757456538, true},
        {"2020-06-10T02:50:56.538123456Z", 1591757456538, true},
        {"2020/06/10 02:50:56", 1591757456000, true},
        {"2020-06-10", 1591747200000, true},
        {"1969-12-31T23:59:59.500Z", -500, true},
        {"1591757456", 1591757456000, true},
        {"1591757456.538", 1591757456538, true},
        {"1591757456538", 1591757456538, true},
        {"1591757456538000", 1591757456538, true},
        {"1591757456538000000", 1591757456538, true},
        {"9999-12-31T23:59:59Z", 253402300799000, true},
        {"", 0, false},
        {"-", 0, false},
        {"now", 0, false},
        {"2020-13-10", 0, false},
        {"2020-06-10T", 0, false},
        {"2020-06-10T02:50:56Zx", 0, false},
        {"99999999999999999999", 0, false},
        {"9223372036854775808", 0, false},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        int64_t ms = 0;
        bool ok = hm_instant_read(hm_slice_str(rows[i].text), &ms);
        if (ok != rows[i].ok || (ok && ms != rows[i].ms))
            fail_msg("%s: %d %lld", rows[i].text, ok, (long long)ms);
    }
    int64_t newyear; /* the first week of 2021 began on January 4 */
    assert_true(hm_instant_read(hm_slice_str("2021-01-03T23:59:59Z"), &newyear));
    assert_int_equal(hm_instant_part(newyear, HM_PART_WEEK), 53);
    assert_int_equal(hm_instant_part(newyear, HM_PART_DAY), 3);
    assert_int_equal(hm_instant_part(newyear, HM_PART_YEAR), 2021);
    assert_int_equal(hm_instant_part(newyear + 1000, HM_PART_WEEK), 1);
    assert_int_equal(hm_instant_part(-1, HM_PART_MINUTE), 59);
}

/* --- the corpus ------------------------------------------------------------------------------ */
struct load {
    struct hm_sigma_collection *c;
    size_t refused;
};

static void problem(void *ctx, const struct hm_rule_problem *p)
{
    (void)p;
    ++((struct load *)ctx)->refused;
}

static int add(void *ctx, const char *path, struct hm_slice text)
{
    struct load *l = ctx;
    return hm_sigma_collection_add(l->c, path, text, problem, l);
}

static const uint32_t every[1];

struct both {
    const struct hm_sigma_collection *c;
    struct hm_program *program;
    struct hm_scratch *scratch;
    struct hm_record *record;
    size_t events, hits;
};

static void compare(struct both *b, struct hm_slice line)
{
    struct hm_error err = {0};
    const uint32_t *hit = NULL;
    assert_int_equal(hm_record_parse(b->record, line, &err), 0);
    const struct hm_view *v = hm_record_view(b->record);
    size_t n = hm_program_match(b->program, b->scratch, v, every, 1, NULL, &hit), at = 0;
    for (uint32_t i = 0; i < hm_sigma_rule_count(b->c); i++) {
        bool fast = at < n && hit[at] == i;
        bool slow = hm_walk(hm_sigma_rule_at(b->c, i)->condition, v);
        at += fast;
        if (fast != slow)
            fail_msg("%s: the program says %d, the tree %d on %.*s",
                     hm_sigma_rule_at(b->c, i)->info.path, fast, slow, (int)line.len, line.p);
    }
    b->events++;
    b->hits += n;
}

/* {"must_fire": …, "event": {…}} and the like: the event is the object after its key. */
static void compare_file(struct both *b, const char *path)
{
    static const char key[] = "\"event\": {";
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while ((n = getline(&line, &cap, f)) > 0) {
        char *at = strstr(line, key), *end = strstr(line, "}, \"peer_fired\"");
        assert_non_null(at);
        at += sizeof key - 2;
        end = end ? end + 1 : line + n - 2; /* the last brace is the line's own */
        compare(b, hm_slice(at, (size_t)(end - at)));
    }
    free(line);
    fclose(f);
}

static void program_and_tree_agree_on_the_corpus(void **state)
{
    (void)state;
    int dir = open(HM_CORPUS_DIR "/sigma", O_RDONLY | O_DIRECTORY);
    if (dir < 0) {
        print_message("skipped: no corpus at %s\n", HM_CORPUS_DIR);
        skip();
    }
    struct hm_names *names = hm_names_new();
    struct hm_sigma_options o = {.names = names};
    struct load l = {0};
    assert_int_equal(hm_sigma_collection_new(&o, &l.c), 0);
    assert_int_equal(hm_folder_each(dir, add, &l), 0);
    assert_int_equal(hm_sigma_collection_finish(l.c, problem, &l), 0);
    size_t n = hm_sigma_rule_count(l.c);
    struct hm_program_rule *rules = calloc(n, sizeof *rules);
    for (size_t i = 0; i < n; i++)
        rules[i] = (struct hm_program_rule){hm_sigma_rule_at(l.c, i)->condition, 1, every};
    struct both b = {.c = l.c};
    struct hm_error err = {0};
    assert_int_equal(hm_program_compile(rules, n, 1, names, &b.program, &err), 0);
    b.scratch = hm_scratch_new(b.program, 1 << 20);
    b.record = hm_record_new(names);
    compare_file(&b, HM_CORPUS_DIR "/sigma-regression/windows.ndjson");
    compare_file(&b, HM_CORPUS_DIR "/sigma-regression/linux.ndjson");
    print_message("%zu rules, %zu events, %zu hits\n", n, b.events, b.hits);
    assert_true(n > 3700 && b.events > 400 && b.hits > 300);
    hm_record_free(b.record);
    hm_scratch_free(b.scratch);
    hm_program_free(b.program);
    free(rules);
    hm_sigma_collection_free(l.c);
    hm_names_free(names);
    close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_in_all_their_forms),
        cmocka_unit_test(program_and_tree_agree_on_the_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
