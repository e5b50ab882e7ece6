/* The store and the hunt together: what was fed is found exactly once, whatever happens between. */
#include "world.h"
#include "base/clock.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MANY 120000

static int setup(void **state)
{
    *state = world_new();
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

/* Every seq of one endpoint, by paging through everything: seen[i] counts seq 2*i. */
static uint64_t count_seqs(struct world *w, const char *tenant, const uint8_t *endpoint,
                           uint8_t *seen, uint64_t n)
{
    struct hm_hunt_query q = {.tenant = tenant, .limit = HM_HUNT_LIMIT_MAX, .oldest_first = true};
    struct hunt_answer a;
    char next[64] = "";
    uint64_t rows = 0;
    q.has_endpoint = true;
    memcpy(q.endpoint, endpoint, 16);
    do {
        q.before = next;
        world_hunt(w, &q, &a);
        assert_string_equal(a.error, "");
        assert_true(a.done);
        for (uint64_t i = 0; i < a.rows; i++) {
            uint64_t seq = line_u64(a.lines[i], "seq");
            assert_true(seq / 2 < n && seq % 2 == 0);
            seen[seq / 2]++;
        }
        rows += a.rows;
        snprintf(next, sizeof next, "%s", a.next);
        hunt_answer_done(&a);
    } while (next[0]);
    return rows;
}

static void assert_exactly_once(struct world *w, const char *tenant, const struct feed *f,
                                uint64_t n)
{
    uint8_t *seen = calloc(n, 1);
    assert_int_equal(count_seqs(w, tenant, feed_endpoint(f), seen, n), n);
    for (uint64_t i = 0; i < n; i++)
        if (seen[i] != 1)
            fail_msg("seq %llu was found %u times", (unsigned long long)(2 * i), seen[i]);
    free(seen);
}

static void test_found_in_the_journal_in_files_and_across_both(void **state)
{
    struct world *w = *state;
    struct feed *f = feed_new(w->log, "default", 1);
    feed_many(f, 3000);
    feed_close_batches(f);
    assert_exactly_once(w, "default", f, 3000); /* nothing stored yet */
    world_store_all(w);
    assert_exactly_once(w, "default", f, 3000); /* everything stored */
    feed_many(f, 2500);
    feed_close_batches(f);
    assert_exactly_once(w, "default", f, 5500); /* part of it */
    feed_free(f);
}

/* ---- kill -9 ---- */
static void store_for_ever(struct world *w)
{
    struct hm_parquet_options o = {w->store, w->journal, w->db};
    struct hm_parquet *s = NULL;
    struct hm_error err = {0};
    if (hm_parquet_open(&o, &s, &err) != 0) {
        fprintf(stderr, "store: %s\n", err.text);
        _exit(1);
    }
    for (;;) {
        int r = hm_parquet_step(s, UINT64_MAX, hm_control_now_ms(), true, &err);
        if (r < 0) {
            fprintf(stderr, "store: %s\n", err.text);
            _exit(1);
        }
        if (r == 0 && hm_parquet_compact(s, hm_control_now_ms(), &err) < 0)
            _exit(1);
        if (r == 0)
            usleep(1000);
    }
}

static void test_exactly_once_under_kill_9(void **state)
{
    struct world *w = *state;
    struct feed *f = feed_new(w->log, "default", 1);
    unsigned seed = (unsigned)time(NULL), kills = 0;
    uint64_t made = 0;
    print_message("seed %u\n", seed);
    while (made < MANY || kills < 20) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            store_for_ever(w);
        uint64_t until = hm_clock_mono_ns() + (uint64_t)(rand_r(&seed) % 900) * 1000000;
        while (hm_clock_mono_ns() < until) {
            if (made < MANY) {
                feed_many(f, 500);
                made += 500;
                feed_close_batches(f);
            }
            usleep(2000);
        }
        int status;
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* it did not end by itself */
        kills++;
    }
    world_store_all(w);
    print_message("%u kills, %llu events\n", kills, (unsigned long long)made);
    assert_exactly_once(w, "default", f, made);
    feed_free(f);
}

/* ---- damage ---- */
struct one_file {
    char tenant[64], file[80];
};

static int first_file(void *ctx, const char *tenant, const char *file, uint64_t bytes)
{
    struct one_file *o = ctx;
    snprintf(o->tenant, sizeof o->tenant, "%s", tenant);
    snprintf(o->file, sizeof o->file, "%s", file);
    return 1;
}

static void file_path(struct world *w, char path[300])
{
    struct one_file o;
    assert_int_equal(hm_segment_all(w->c, first_file, &o), 1);
    snprintf(path, 300, "%s/%s/%s", w->store, o.tenant, o.file);
}

static void repair(struct world *w)
{
    struct hm_error err = {0};
    struct hm_parquet *s = world_store(w);
    int r = hm_parquet_repair(s, &err);
    if (r < 0)
        fail_msg("%s", err.text);
    hm_parquet_close(s);
}

static void overwrite(const char *path, off_t from_end, const char *bytes)
{
    struct stat st;
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(pwrite(fd, bytes, strlen(bytes), st.st_size - from_end), strlen(bytes));
    close(fd);
}

static void test_damaged_file_is_named_set_aside_and_rebuilt(void **state)
{
    struct world *w = *state;
    struct feed *f = feed_new(w->log, "default", 1);
    struct hm_hunt_query q = {.tenant = "default"};
    struct hunt_answer a;
    char path[300], aside[320];
    struct one_file o;
    feed_many(f, 4000);
    feed_close_batches(f);
    world_store_all(w);
    feed_many(f, 1000);
    feed_close_batches(f);
    file_path(w, path);
    overwrite(path, 300, "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"); /* in the footer */
    world_hunt(w, &q, &a);
    assert_int_equal(a.damaged, 1);
    assert_true(a.done);
    assert_int_equal(a.rows, 100); /* the rest is answered */
    hunt_answer_done(&a);
    assert_int_equal(hm_segment_all(w->c, first_file, &o), 1);
    assert_int_equal(hm_hunt_report_damage(w->c, "default", o.file), 0);
    repair(w);
    snprintf(aside, sizeof aside, "%s.damaged", path);
    assert_int_equal(access(aside, F_OK), 0);
    assert_exactly_once(w, "default", f, 5000);
    feed_free(f);
}

static void test_a_shortened_file_is_noticed_at_start(void **state)
{
    struct world *w = *state;
    struct feed *f = feed_new(w->log, "default", 1);
    char path[300];
    feed_many(f, 2000);
    feed_close_batches(f);
    world_store_all(w);
    file_path(w, path);
    assert_int_equal(truncate(path, 1000), 0);
    repair(w); /* opening marks it */
    assert_exactly_once(w, "default", f, 2000);
    assert_int_equal(unlink(path), 0);
    repair(w);
    assert_exactly_once(w, "default", f, 2000);
    feed_free(f);
}

static void test_a_wrong_complaint_changes_nothing(void **state)
{
    struct world *w = *state;
    struct feed *f = feed_new(w->log, "default", 1);
    struct one_file o;
    char path[300];
    struct stat before, after;
    feed_many(f, 100);
    feed_close_batches(f);
    world_store_all(w);
    file_path(w, path);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(hm_segment_all(w->c, first_file, &o), 1);
    assert_int_equal(hm_hunt_report_damage(w->c, "default", o.file), 0);
    repair(w);
    assert_int_equal(stat(path, &after), 0);
    assert_true(before.st_ino == after.st_ino);
    assert_exactly_once(w, "default", f, 100);
    feed_free(f);
}

static void test_orphans_go_at_start_and_nothing_else(void **state)
{
    struct world *w = *state;
    struct feed *f = feed_new(w->log, "default", 1);
    char path[300], orphan[400], keep[400];
    feed_many(f, 100);
    feed_close_batches(f);
    world_store_all(w);
    file_path(w, path);
    snprintf(orphan, sizeof orphan, "%.*s/999.parquet", (int)(strrchr(path, '/') - path), path);
    snprintf(keep, sizeof keep, "%s.damaged", path);
    close(open(orphan, O_CREAT | O_WRONLY, 0600));
    close(open(keep, O_CREAT | O_WRONLY, 0600));
    hm_parquet_close(world_store(w));
    assert_int_equal(access(orphan, F_OK), -1);
    assert_int_equal(access(keep, F_OK), 0);
    assert_int_equal(access(path, F_OK), 0);
    feed_free(f);
}

static void test_malformed_records_are_set_aside_and_the_rest_goes_on(void **state)
{
    struct world *w = *state;
    struct feed *f = feed_new(w->log, "default", 1);
    uint64_t n;
    struct hm_log *raw = feed_log_raw(w->log);
    feed_many(f, 100);
    feed_close_batches(f);
    assert_int_equal(hm_log_append(raw, hm_slice_str("garbage"), &n), 0);
    assert_int_equal(
        hm_log_append(raw, hm_slice("\7\0../../x0123456789abcdef01234567\0\0batch", 41), &n), 0);
    feed_many(f, 100);
    feed_close_batches(f);
    world_store_all(w);
    struct hm_completeness k;
    assert_int_equal(hm_control_completeness(w->c, "default", &k), 0);
    assert_int_equal(k.set_aside, 2);
    assert_exactly_once(w, "default", f, 200);
    feed_free(f);
}

static int count_file(void *ctx, const char *tenant, const char *file, uint64_t bytes)
{
    ++*(int *)ctx;
    return 0;
}

static int files(struct world *w)
{
    int n = 0;
    assert_int_equal(hm_segment_all(w->c, count_file, &n), 0);
    return n;
}

static void test_small_files_of_a_day_become_one(void **state)
{
    struct world *w = *state;
    struct feed *f = feed_new(w->log, "default", 1), *other = feed_new(w->log, "other", 2);
    struct hm_error err = {0};
    char path[300], merged[300];
    for (int i = 0; i < 20; i++) {
        feed_many(f, 300);
        feed_close_batches(f);
        if (i % 2) {
            feed_many(other, 10);
            feed_close_batches(other);
        }
        world_store_all(w);
    }
    assert_int_equal(files(w), 30);
    file_path(w, path);
    struct hm_parquet *s = world_store(w);
    assert_int_equal(hm_parquet_compact(s, hm_control_now_ms(), &err), 1);
    assert_int_equal(hm_parquet_compact(s, hm_control_now_ms(), &err), 0);
    assert_int_equal(files(w), 11);
    assert_int_equal(access(path, F_OK), 0); /* a hunt may hold it */
    assert_exactly_once(w, "default", f, 6000);
    assert_int_equal(hm_parquet_compact(s, hm_control_now_ms() + 61000, &err), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_exactly_once(w, "default", f, 6000);
    assert_exactly_once(w, "other", other, 100);
    file_path(w, merged); /* damage to a merged file is repaired from the journal all the same */
    assert_int_equal(truncate(merged, 4000), 0);
    hm_parquet_close(s);
    repair(w);
    assert_exactly_once(w, "default", f, 6000);
    feed_free(f);
    feed_free(other);
}

/* ---- questions ---- */
static uint64_t ask(struct world *w, const struct hm_hunt_query *q)
{
    struct hunt_answer a;
    world_hunt(w, q, &a);
    if (a.error[0])
        fail_msg("%s", a.error);
    assert_true(a.done);
    uint64_t n = a.rows;
    hunt_answer_done(&a);
    return n;
}

static void test_filters(void **state)
{
    struct world *w = *state;
    struct feed *f = feed_new(w->log, "default", 1), *g = feed_new(w->log, "default", 2);
    struct feed *other = feed_new(w->log, "other", 3);
    feed_many(f, 1000);
    feed_many(g, 500);
    feed_many(other, 50);
    feed_close_batches(f);
    world_store_all(w);
    feed_close_batches(g); /* in the journal only */
    feed_close_batches(other);
    struct hm_hunt_query q = {.tenant = "default", .limit = 5000};
    assert_int_equal(ask(w, &q), 1500);
    q.tenant = "other";
    assert_int_equal(ask(w, &q), 50);
    q.tenant = "default";
    q.has_endpoint = true;
    memset(q.endpoint, 2, 16);
    assert_int_equal(ask(w, &q), 500);
    memset(q.endpoint, 3, 16); /* the other tenant's */
    assert_int_equal(ask(w, &q), 0);
    q.has_endpoint = false;
    q.class = HM_CLASS_PROCESS;
    assert_int_equal(ask(w, &q), 1500);
    q.class = HM_CLASS_FILE;
    assert_int_equal(ask(w, &q), 0);
    q.class = 0;
    q.q = "PROG-7 --FLAG 57";
    assert_int_equal(ask(w, &q), 2);
    q.q = NULL;
    q.process_key = 0xabc00000ull + 40; /* itself, and its two children, of both endpoints */
    assert_int_equal(ask(w, &q), 6);
    q.exact_process = true;
    assert_int_equal(ask(w, &q), 2);
    q.process_key = 0;
    q.from_ns = 1790000000000000000ull + 10 * 1000;
    q.to_ns = 1790000000000000000ull + 20 * 1000;
    assert_int_equal(ask(w, &q), 20);
    feed_free(f);
    feed_free(g);
    feed_free(other);
}

static void test_text_of_any_kind_is_a_value_not_sql(void **state)
{
    static const char *const evil[] = {"' OR 1=1 --", "\" OR \"\"=\"",
                                       "%",           "_",
                                       "\\",          "$q",
                                       "?",           "'); COPY (SELECT 1) TO '/tmp/x'; --",
                                       "\xff\xfe",    "{\"a\":1}",
                                       "日本語"};
    struct world *w = *state;
    struct feed *f = feed_new(w->log, "default", 1);
    struct hunt_answer a;
    feed_many(f, 50);
    feed_close_batches(f);
    world_store_all(w);
    for (size_t i = 0; i < HM_ARRAY_LEN(evil); i++) {
        struct hm_hunt_query q = {.tenant = "default", .q = evil[i]};
        world_hunt(w, &q, &a);
        assert_int_equal(a.rows, 0);
        hunt_answer_done(&a);
        q = (struct hm_hunt_query){.tenant = evil[i]};
        world_hunt(w, &q, &a);
        assert_int_equal(a.rows, 0);
        assert_true(strncmp(a.error, "start -22", 9) == 0 || strcmp(evil[i], "_") == 0);
        hunt_answer_done(&a);
        q = (struct hm_hunt_query){.tenant = "default", .before = evil[i]};
        world_hunt(w, &q, &a);
        assert_true(strncmp(a.error, "start -22", 9) == 0);
        hunt_answer_done(&a);
    }
    struct hm_hunt_query q = {.tenant = "../default"};
    world_hunt(w, &q, &a);
    assert_true(strncmp(a.error, "start -22", 9) == 0);
    q = (struct hm_hunt_query){.tenant = "default", .limit = HM_HUNT_LIMIT_MAX + 1};
    world_hunt(w, &q, &a);
    assert_true(strncmp(a.error, "start -22", 9) == 0);
    assert_int_equal(access("/tmp/x", F_OK), -1);
    feed_free(f);
}

static void test_rows_come_back_exactly_as_json_of_the_event(void **state)
{
    struct world *w = *state;
    struct feed *f = feed_new(w->log, "default", 1);
    static const uint8_t ip[4] = {198, 51, 100, 7}, sha[32] = {0xab};
    struct hm_event e = {0};
    struct hm_hunt_query q = {.tenant = "default"};
    struct hunt_answer tail, stored;
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_NETWORK);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_NETWORK_CONNECT);
    hm_event_set_u64(&e, HM_F_WALL_NS, 1790000000123456789ull);
    hm_event_set_u64(&e, HM_F_PROCESS_KEY, UINT64_MAX);
    hm_event_set(&e, HM_F_PROCESS_IMAGE,
                 hm_slice_str("/tmp/\xff\xf4\x8f\xbf\xbf \xe6\x97\xa5\"\\\n"));
    hm_event_set(&e, HM_F_DST_IP, hm_slice(ip, sizeof ip));
    hm_event_set_u64(&e, HM_F_DST_PORT, 4444);
    hm_event_set(&e, HM_F_PROCESS_SHA256, hm_slice(sha, sizeof sha));
    feed_put(f, HM_LANE_BULK, &e);
    feed_close_batches(f);
    world_hunt(w, &q, &tail);
    world_store_all(w);
    world_hunt(w, &q, &stored);
    assert_int_equal(tail.rows, 1);
    assert_int_equal(stored.rows, 1);
    assert_string_equal(tail.lines[0], stored.lines[0]);
    assert_non_null(strstr(stored.lines[0], "\"dst.ip\":\"198.51.100.7\""));
    assert_non_null(strstr(stored.lines[0], "\"process.key\":\"ffffffffffffffff\""));
    assert_non_null(strstr(stored.lines[0], "/tmp/\\u00ff\xf4\x8f\xbf\xbf \xe6\x97\xa5\\\"\\\\"));
    assert_non_null(strstr(stored.lines[0], "\"host\":\"host\""));
    q.q = "198.51.100.7";
    assert_int_equal(ask(w, &q), 1);
    hunt_answer_done(&tail);
    hunt_answer_done(&stored);
    feed_free(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(test_found_in_the_journal_in_files_and_across_both),
        T(test_rows_come_back_exactly_as_json_of_the_event),
        T(test_filters),
        T(test_text_of_any_kind_is_a_value_not_sql),
        T(test_orphans_go_at_start_and_nothing_else),
        T(test_malformed_records_are_set_aside_and_the_rest_goes_on),
        T(test_damaged_file_is_named_set_aside_and_rebuilt),
        T(test_a_shortened_file_is_noticed_at_start),
        T(test_a_wrong_complaint_changes_nothing),
        T(test_small_files_of_a_day_become_one),
        T(test_exactly_once_under_kill_9),
    };
    if (argc == 3 && strcmp(argv[1], "-p") == 0 && strcmp(argv[2], "hunt") == 0)
        return hm_hunt_main(argc, argv);
    if (argc == 2)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
