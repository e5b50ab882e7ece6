/* The shared corpus: what has to fire fires, what another engine fired is what fires here, and the
 * matcher agrees with the plain reading of the trees. Each exception is in the lists below and in
 * docs/modules/sigma-differences.md; the lists are exact in both directions. */
#include "base/clock.h"
#include "corpus.h"
#include "detect/record/record.h"
#include "reference.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct difference {
    size_t line; /* 1-based */
    const char *rule;
    bool ours; /* fires here and not there */
};

/* windows.ndjson: events of a rule's recording that its own condition does not describe. */
static const struct difference not_fired[] = {
    {12, "8fbf3271-1ef6-4e94-8210-03c2317947f6", false},
    {14, "8fbf3271-1ef6-4e94-8210-03c2317947f6", false},
    {16, "8fbf3271-1ef6-4e94-8210-03c2317947f6", false},
    {68, "4fe074b4-b833-4081-8f24-7dcfeca72b42", false},
    {69, "4fe074b4-b833-4081-8f24-7dcfeca72b42", false},
};

struct set {
    struct corpus_rules rules;
    struct hm_ruleset *rs;
    struct hm_match_scratch *s;
    struct hm_record *record;
};

static bool open_set(struct set *t, const char *folder)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", HM_CORPUS_DIR, folder);
    if (!corpus_rules(&t->rules, path, NULL, false)) {
        print_message("SKIPPED: no corpus at %s\n", path);
        return false;
    }
    struct hm_ruleset_options o = {.target = HM_TARGET_RECORDS, .ignore_logsource = true};
    struct hm_error err = {0};
    assert_int_equal(hm_ruleset_build(t->rules.collection, t->rules.names, &o, &t->rs, &err), 0);
    t->s = hm_match_scratch_new(t->rs);
    t->record = hm_record_new(t->rules.names);
    assert_non_null(t->s);
    assert_non_null(t->record);
    return true;
}

static void close_set(struct set *t)
{
    hm_record_free(t->record);
    hm_match_scratch_free(t->s);
    hm_ruleset_free(t->rs);
    corpus_rules_done(&t->rules);
}

static size_t match(struct set *t, struct hm_slice event, const uint32_t **ret_rules)
{
    struct hm_error err = {0};
    if (hm_record_parse(t->record, event, &err))
        fail_msg("column %u: %s", err.column, err.text);
    return hm_ruleset_match_record(t->rs, t->s, t->record, ret_rules);
}

static bool has_rule(const struct set *t, const uint32_t *rules, size_t n, struct hm_slice id)
{
    for (size_t i = 0; i < n; i++)
        if (hm_slice_eq(hm_slice_str(hm_ruleset_rule(t->rs, rules[i])->id), id))
            return true;
    return false;
}

static bool listed(const struct difference *list, size_t count, size_t line, struct hm_slice id,
                   bool ours)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].line == line && list[i].ours == ours &&
            hm_slice_eq(hm_slice_str(list[i].rule), id))
            return true;
    return false;
}

static void what_has_to_fire_fires(void **state)
{
    struct set t = {0};
    struct corpus_lines l;
    size_t fired = 0, missing = 0;
    if (!open_set(&t, "sigma"))
        skip();
    assert_true(corpus_lines(&l, HM_CORPUS_DIR "/sigma-regression/windows.ndjson"));
    for (size_t i = 0; i < l.count; i++) {
        const uint32_t *rules;
        struct hm_slice id = corpus_member(l.lines[i], "must_fire");
        size_t n = match(&t, corpus_member(l.lines[i], "event"), &rules);
        bool fires = has_rule(&t, rules, n, id);
        if (fires == listed(not_fired, HM_ARRAY_LEN(not_fired), i + 1, id, false))
            fail_msg("line %zu: %.*s %s", i + 1, (int)id.len, id.p, fires ? "fires" : "is missing");
        fires ? fired++ : missing++;
    }
    print_message("%zu of %zu fire\n", fired, l.count);
    assert_int_equal(l.count, 140);
    assert_int_equal(missing, HM_ARRAY_LEN(not_fired));
    corpus_lines_done(&l);
    close_set(&t);
}

/* ["id", …] as the peer wrote it, against ours; every id of either side is on both, or listed. */
static size_t compare_peer(struct set *t, size_t line, struct hm_slice peer, struct hm_slice event)
{
    const uint32_t *rules;
    size_t n = match(t, event, &rules), peers = 0;
    for (size_t at = 0; at + 38 <= peer.len; at++) {
        if (peer.p[at] != '"')
            continue;
        struct hm_slice id = hm_slice(peer.p + at + 1, 36);
        if (!has_rule(t, rules, n, id))
            fail_msg("line %zu: %.36s fires there, not here", line, id.p);
        peers++;
        at += 37;
    }
    if (peers != n)
        fail_msg("line %zu: %zu rules fire there, %zu here", line, peers, n);
    return n;
}

static void windows_events_as_another_engine(void **state)
{
    struct set t = {0};
    struct corpus_lines l, p;
    size_t hits = 0;
    if (!open_set(&t, "sigma/rules/windows"))
        skip();
    assert_true(corpus_lines(&l, HM_CORPUS_DIR "/windows-events/otrf.ndjson.zst"));
    assert_true(corpus_lines(&p, HM_CORPUS_DIR "/windows-events/otrf.peer_fired.ndjson"));
    assert_int_equal(l.count, p.count);
    for (size_t i = 0; i < l.count; i++)
        hits += compare_peer(&t, i + 1, p.lines[i], l.lines[i]);
    print_message("%zu events, %zu hits, no difference\n", l.count, hits);
    assert_int_equal(hits, 1323);
    corpus_lines_done(&l);
    corpus_lines_done(&p);
    close_set(&t);
}

static void linux_events_as_another_engine(void **state)
{
    struct set t = {0};
    struct corpus_lines l;
    size_t hits = 0;
    if (!open_set(&t, "sigma/rules/linux"))
        skip();
    assert_true(corpus_lines(&l, HM_CORPUS_DIR "/sigma-regression/linux.ndjson"));
    for (size_t i = 0; i < l.count; i++)
        hits += compare_peer(&t, i + 1, corpus_member(l.lines[i], "peer_fired"),
                             corpus_member(l.lines[i], "event"));
    print_message("%zu events, %zu hits, no difference\n", l.count, hits);
    assert_int_equal(hits, 109);
    corpus_lines_done(&l);
    close_set(&t);
}

static void the_matcher_reads_trees_as_the_reference(void **state)
{
    struct set t = {0};
    struct corpus_lines l;
    size_t events = 0;
    if (!open_set(&t, "sigma/rules/windows"))
        skip();
    assert_true(corpus_lines(&l, HM_CORPUS_DIR "/windows-events/otrf.ndjson.zst"));
    for (size_t i = 0; i < l.count; i += 59, events++) {
        const uint32_t *rules;
        size_t n = match(&t, l.lines[i], &rules), at = 0;
        for (uint32_t r = 0; r < hm_ruleset_count(t.rs); r++) {
            bool want = reference_match(hm_sigma_rule_at(t.rules.collection, r)->condition,
                                        hm_record_view(t.record));
            bool got = at < n && rules[at] == r;
            at += got;
            if (want != got)
                fail_msg("line %zu, %s: wanted %d", i + 1, hm_ruleset_rule(t.rs, r)->path, want);
        }
    }
    print_message("%zu events, every rule\n", events);
    corpus_lines_done(&l);
    close_set(&t);
}

/* Written, opened, and the same in every answer. */
static void a_set_survives_the_way_through_bytes(void **state)
{
    struct set t = {0};
    struct corpus_lines l;
    struct hm_buf blob = HM_BUF(64u << 20);
    struct hm_ruleset *again = NULL;
    if (!open_set(&t, "sigma"))
        skip();
    uint64_t from = hm_clock_mono_ns();
    assert_int_equal(hm_ruleset_write(t.rs, &blob), 0);
    assert_int_equal(hm_ruleset_open(hm_buf_slice(&blob), &again), 0);
    print_message("%zu bytes, written and opened in %llu ms\n", blob.len,
                  (unsigned long long)(hm_clock_mono_ns() - from) / 1000000);
    struct hm_match_scratch *s = hm_match_scratch_sized(again, 0);
    struct hm_record *record = hm_record_new(hm_ruleset_names(again));
    assert_true(corpus_lines(&l, HM_CORPUS_DIR "/sigma-regression/windows.ndjson"));
    for (size_t i = 0; i < l.count; i++) {
        const uint32_t *a, *b;
        struct hm_error err;
        struct hm_slice event = corpus_member(l.lines[i], "event");
        size_t n = match(&t, event, &a);
        assert_int_equal(hm_record_parse(record, event, &err), 0);
        assert_int_equal(hm_ruleset_match_record(again, s, record, &b), n);
        assert_memory_equal(a, b, n * sizeof *a);
    }
    for (size_t cut = 0; cut < blob.len; cut += blob.len / 50 + 1) {
        struct hm_ruleset *bad = NULL;
        assert_int_not_equal(hm_ruleset_open(hm_slice(blob.data, cut), &bad), 0);
    }
    hm_record_free(record);
    hm_match_scratch_free(s);
    hm_ruleset_free(again);
    hm_buf_done(&blob);
    corpus_lines_done(&l);
    close_set(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_to_fire_fires),
        cmocka_unit_test(windows_events_as_another_engine),
        cmocka_unit_test(linux_events_as_another_engine),
        cmocka_unit_test(the_matcher_reads_trees_as_the_reference),
        cmocka_unit_test(a_set_survives_the_way_through_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
