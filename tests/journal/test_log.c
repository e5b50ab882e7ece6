/* The log when all is well: numbers, segments, readers, quota, one writer. */
#include "test_journal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static uint64_t read_all(struct hm_log_reader *r, uint64_t from)
{
    struct hm_slice s;
    uint64_t n;
    int e;

    while ((e = hm_log_reader_next(r, &n, &s)) == 1) {
        assert_true(n == from);
        assert_true(is_pattern(n, s));
        from++;
    }
    assert_int_equal(e, 0);
    return from;
}

static void keeps_150000_records_over_restarts(void **state)
{
    char *dir = folder_make(), names[2000][64];
    struct hm_log_options o = {.segment_bytes = 256 * 1024};
    struct hm_log_damage d;

    for (int round = 0; round < 3; round++) {
        struct hm_log *l = must_open(dir, &o, &d);
        assert_true(d.bytes == 0 && hm_log_next(l) == (uint64_t)round * 50000);
        append_patterns(l, 50000);
        assert_int_equal(hm_log_sync(l), 0);
        hm_log_close(l);
    }
    size_t segments = list_files(dir, ".seg", names, 2000);
    assert_true(segments > 20);
    for (size_t i = 0; i < segments; i++)
        assert_true(file_size(in_folder(dir, names[i])) <= 256 * 1024);
    struct hm_log_reader *r = must_read(dir);
    assert_true(read_all(r, 0) == 150000);
    for (uint64_t n = 0; n < 150000; n += 7919) {
        assert_int_equal(hm_log_reader_seek(r, n), 0);
        uint64_t got;
        struct hm_slice s;
        assert_int_equal(hm_log_reader_next(r, &got, &s), 1);
        assert_true(got == n && is_pattern(n, s));
    }
    assert_int_equal(hm_log_reader_seek(r, 150000), 0);
    assert_true(read_all(r, 150000) == 150000);
    hm_log_reader_close(r);
    folder_remove(dir);
}

static void a_reader_follows_the_writer(void **state)
{
    char *dir = folder_make();
    struct hm_log_options o = {.segment_bytes = 2000};
    struct hm_log_reader *r = must_read(dir); /* before there is any segment */
    uint64_t n = 0;

    assert_true(read_all(r, 0) == 0);
    struct hm_log *l = must_open(dir, &o, NULL);
    for (int i = 0; i < 500; i++) {
        append_patterns(l, (uint64_t)i % 4);
        n = read_all(r, n);
        assert_true(n == hm_log_next(l));
    }
    hm_log_close(l);
    hm_log_reader_close(r);
    assert_int_equal(hm_log_reader_open(in_folder(dir, "nowhere"), &r, NULL), -ENOENT);
    folder_remove(dir);
}

static void the_last_record_is_found(void **state)
{
    char *dir = folder_make();
    struct hm_log_options o = {.segment_bytes = 1000};
    struct hm_log *l = must_open(dir, &o, NULL);
    struct hm_buf b = HM_BUF(100000);
    uint64_t n;

    assert_int_equal(hm_log_last(l, &n, &b), -ENOENT);
    for (uint64_t i = 0; i < 300; i++) {
        append_patterns(l, 1);
        assert_int_equal(hm_log_last(l, &n, &b), 0);
        assert_true(n == i && is_pattern(i, hm_buf_slice(&b)));
    }
    hm_buf_done(&b);
    hm_log_close(l);
    folder_remove(dir);
}

static void odd_sizes_are_refused(void **state)
{
    char *dir = folder_make();
    struct hm_log *l = must_open(dir, NULL, NULL);
    size_t big = (4u << 20) + 1;
    uint8_t *p = calloc(1, big);

    assert_int_equal(hm_log_append(l, hm_slice(p, 0), NULL), -EINVAL);
    assert_int_equal(hm_log_append(l, hm_slice(p, big), NULL), -E2BIG);
    assert_int_equal(hm_log_append(l, hm_slice(p, big - 1), NULL), 0);
    assert_true(hm_log_next(l) == 1);
    free(p);
    hm_log_close(l);
    folder_remove(dir);
}

static void a_second_writer_is_refused(void **state)
{
    char *dir = folder_make();
    struct hm_log *l = must_open(dir, NULL, NULL), *second = NULL;
    struct hm_error err = {0};

    append_patterns(l, 10);
    assert_int_equal(hm_log_open(dir, NULL, &second, NULL, &err), -EBUSY);
    assert_non_null(strstr(err.text, "writer already"));
    pid_t pid = fork();
    if (pid == 0)
        _exit(hm_log_open(dir, NULL, &second, NULL, NULL) == -EBUSY ? 0 : 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    append_patterns(l, 10); /* the first one was not disturbed */
    hm_log_close(l);
    l = must_open(dir, NULL, NULL);
    assert_true(hm_log_next(l) == 20);
    hm_log_close(l);
    folder_remove(dir);
}

static uint64_t total(const char *dir)
{
    static char names[3000][64];
    uint64_t sum = 0;

    for (size_t n = list_files(dir, ".seg", names, 3000); n > 0; n--)
        sum += file_size(in_folder(dir, names[n - 1]));
    return sum;
}

static int append_one(struct hm_log *l)
{
    uint8_t buf[PATTERN_MAX];

    return hm_log_append(l, hm_slice(buf, pattern(hm_log_next(l), buf)), NULL);
}

static void the_quota_deletes_released_segments_only(void **state)
{
    char *dir = folder_make();
    struct hm_log_options o = {.segment_bytes = 8192, .quota_bytes = 65536};
    struct hm_log *l = must_open(dir, &o, NULL);
    struct hm_log_reader *r = must_read(dir);
    int e;

    while ((e = append_one(l)) == 0)
        assert_true(total(dir) <= o.quota_bytes && hm_log_next(l) < 100000);
    assert_int_equal(e, -ENOSPC);
    assert_true(hm_log_first(l) == 0); /* nothing was released: nothing went */
    uint64_t full = hm_log_next(l);
    assert_true(read_all(r, 0) == full);
    assert_int_equal(append_one(l), -ENOSPC);
    hm_log_release(l, full / 2);
    hm_log_release(l, 3); /* going back does nothing */
    while ((e = append_one(l)) == 0)
        assert_true(total(dir) <= o.quota_bytes && hm_log_next(l) < 100000);
    assert_int_equal(e, -ENOSPC);
    assert_true(hm_log_first(l) > 0 && hm_log_first(l) <= full / 2);
    assert_true(hm_log_next(l) > full);
    assert_true(read_all(r, full) == hm_log_next(l));
    hm_log_release(l, UINT64_MAX);
    for (int i = 0; i < 5000; i++) { /* with everything released it never stops */
        assert_int_equal(append_one(l), 0);
        assert_true(total(dir) <= o.quota_bytes);
    }
    hm_log_reader_close(r);
    hm_log_close(l);
    folder_remove(dir);
}

static void a_reader_learns_what_was_deleted_under_it(void **state)
{
    char *dir = folder_make();
    struct hm_log_options o = {.segment_bytes = 4096, .quota_bytes = 32768};
    struct hm_log *l = must_open(dir, &o, NULL);
    struct hm_log_reader *r = must_read(dir);
    struct hm_slice s;
    uint64_t n;

    append_patterns(l, 5);
    assert_int_equal(hm_log_reader_next(r, &n, &s), 1);
    hm_log_release(l, UINT64_MAX);
    append_patterns(l, 2000);
    for (uint64_t want = 1;; want++) { /* what is in the file it holds open is still there */
        int e = hm_log_reader_next(r, &n, &s);
        if (e == -ENOENT)
            break;
        assert_int_equal(e, 1);
        assert_true(n == want);
    }
    assert_int_equal(hm_log_reader_next(r, &n, &s), 1); /* told once, goes on */
    assert_true(n == hm_log_first(l));
    assert_true(read_all(r, n + 1) == hm_log_next(l));
    assert_int_equal(hm_log_reader_seek(r, 0), -ENOENT);
    assert_true(read_all(r, hm_log_first(l)) == hm_log_next(l));
    hm_log_reader_close(r);
    hm_log_close(l);
    folder_remove(dir);
}

static void foreign_files_are_left_alone(void **state)
{
    char *dir = folder_make();
    static const char *const names[] = {"0000000000000000.SEG", "000000000000000g.seg", "x.seg",
                                        "00000000000000001.seg", "0000000000000000.seg~"};

    for (size_t i = 0; i < HM_ARRAY_LEN(names); i++) {
        FILE *f = fopen(in_folder(dir, names[i]), "w");
        assert_non_null(f);
        fputs("not a segment", f);
        fclose(f);
    }
    struct hm_log *l = must_open(dir, NULL, NULL);
    append_patterns(l, 3);
    hm_log_close(l);
    struct hm_log_reader *r = must_read(dir);
    assert_true(read_all(r, 0) == 3);
    hm_log_reader_close(r);
    for (size_t i = 0; i < HM_ARRAY_LEN(names); i++)
        assert_int_equal(file_size(in_folder(dir, names[i])), 13);
    folder_remove(dir);
}

int test_log(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_150000_records_over_restarts),
        cmocka_unit_test(a_reader_follows_the_writer),
        cmocka_unit_test(the_last_record_is_found),
        cmocka_unit_test(odd_sizes_are_refused),
        cmocka_unit_test(a_second_writer_is_refused),
        cmocka_unit_test(the_quota_deletes_released_segments_only),
        cmocka_unit_test(a_reader_learns_what_was_deleted_under_it),
        cmocka_unit_test(foreign_files_are_left_alone),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
