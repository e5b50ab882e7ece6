/* The log after accidents: kill -9, torn, zeroed and flipped bytes, and readers meanwhile. */
#include "test_journal.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

/* Reads to the end; every record must be its pattern. Counts the damage reports on the way. */
static uint64_t read_around(const char *dir, uint64_t *ret_last, unsigned *ret_damage)
{
    struct hm_log_reader *r = must_read(dir);
    struct hm_slice s;
    uint64_t n = 0, count = 0, last = 0;
    unsigned damage = 0;

    for (;;) {
        int e = hm_log_reader_next(r, &n, &s);
        if (e == 0)
            break;
        if (e == -EBADMSG) {
            assert_true(++damage < 100);
            continue;
        }
        assert_int_equal(e, 1);
        assert_true(is_pattern(n, s));
        assert_true(count == 0 || n > last);
        last = n;
        count++;
    }
    hm_log_reader_close(r);
    *ret_last = last;
    *ret_damage = damage;
    return count;
}

/* --- kill -9 --------------------------------------------------------------------------------- */

static void write_until_killed(const char *dir, int tell)
{
    struct hm_log_options o = {.segment_bytes = 128 * 1024};
    struct hm_log *l = NULL;
    uint8_t buf[PATTERN_MAX];

    if (hm_log_open(dir, &o, &l, NULL, NULL) < 0)
        _exit(1);
    for (;;) {
        uint64_t n = hm_log_next(l);
        if (hm_log_append(l, hm_slice(buf, pattern(n, buf)), NULL) < 0)
            _exit(2);
        if (n % 512 == 511 && (hm_log_sync(l) < 0 || write(tell, &n, sizeof n) != sizeof n))
            _exit(3);
    }
}

static uint64_t kill_a_writer(const char *dir, unsigned ms)
{
    int pipe_fds[2], status;
    uint64_t synced = 0, n;
    struct timespec t = {0, (long)ms * 1000000 + 137};

    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0)
        write_until_killed(dir, pipe_fds[1]);
    close(pipe_fds[1]);
    assert_int_equal(read(pipe_fds[0], &n, sizeof n), sizeof n); /* it is in mid stream now */
    synced = n;
    nanosleep(&t, NULL);
    kill(pid, SIGKILL);
    while (read(pipe_fds[0], &n, sizeof n) == sizeof n)
        synced = n;
    close(pipe_fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return synced;
}

static void kill_nine_loses_nothing_that_was_synced(void **state)
{
    char *dir = folder_make();
    struct hm_log_options o = {.segment_bytes = 128 * 1024};
    uint64_t last = 0;
    unsigned damage;

    for (unsigned round = 0; round < 15; round++) {
        uint64_t synced = kill_a_writer(dir, round * 3);
        struct hm_log_damage d = {0};
        struct hm_log *l = must_open(dir, &o, &d);
        assert_true(hm_log_next(l) > synced);
        if (d.bytes)
            assert_string_equal(d.reason, "torn tail");
        append_patterns(l, 100); /* writing goes on */
        uint64_t next = hm_log_next(l);
        hm_log_close(l);
        assert_true(read_around(dir, &last, &damage) == next); /* no gap, no damage, all patterns */
        assert_int_equal(damage, 0);
        assert_true(last == next - 1);
    }
    folder_remove(dir);
}

/* --- a reader in another process -----------------------------------------------------------------
 */

static void a_reader_elsewhere_never_sees_a_torn_record(void **state)
{
    char *dir = folder_make();
    struct hm_log_options o = {.segment_bytes = 300 * 1024};
    enum { RECORDS = 120000 };
    int status;

    pid_t pid = fork();
    if (pid == 0) { /* the reader: races the writer from the first record to the last */
        struct hm_log_reader *r = NULL;
        struct hm_slice s;
        uint64_t n, want = 0;
        if (hm_log_reader_open(dir, &r, NULL) < 0)
            _exit(1);
        while (want < RECORDS) {
            int e = hm_log_reader_next(r, &n, &s);
            if (e < 0 || (e == 1 && (n != want || !is_pattern(n, s))))
                _exit(e < 0 ? 2 : 3);
            want += (uint64_t)e;
        }
        _exit(0);
    }
    struct hm_log *l = must_open(dir, &o, NULL);
    append_patterns(l, RECORDS);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    hm_log_close(l);
    folder_remove(dir);
}

/* --- damaged tails -----------------------------------------------------------------------------
 */

/* A log of 40 records in one segment; the sizes of its prefixes in ends[]. */
static char *make_log(size_t ends[41])
{
    char *dir = folder_make();
    struct hm_log *l = must_open(dir, NULL, NULL);

    ends[0] = 0;
    for (int i = 1; i <= 40; i++) {
        append_patterns(l, 1);
        ends[i] = file_size(in_folder(dir, "0000000000000000.seg"));
    }
    hm_log_close(l);
    return dir;
}

static void torn_tails_are_cut_at_every_byte(void **state)
{
    size_t ends[41];
    char *dir = make_log(ends), *seg = strdup(in_folder(dir, "0000000000000000.seg"));
    uint64_t last;
    unsigned damage;

    for (size_t cut = ends[40] - 1; cut > ends[38]; cut -= 1 + (cut % 5)) {
        uint64_t whole = cut >= ends[39] ? 39 : 38;
        struct hm_log_damage d = {0};
        file_cut(seg, cut);
        struct hm_log *l = must_open(dir, NULL, &d);
        assert_true(hm_log_next(l) == whole);
        assert_true(d.bytes == cut - ends[whole]);
        if (d.bytes) {
            assert_string_equal(d.reason, "torn tail");
            assert_true(d.first_record == whole);
            assert_true(file_size(in_folder(dir, "0000000000000000.seg.damaged")) == d.bytes);
        }
        append_patterns(l, 40 - whole); /* the number of the torn record is used again */
        hm_log_close(l);
        assert_true(read_around(dir, &last, &damage) == 40);
        assert_int_equal(damage, 0);
    }
    free(seg);
    folder_remove(dir);
}

static void zeroed_tails_are_set_aside(void **state)
{
    static const uint8_t zeros[5000];
    static const size_t lengths[] = {1, 7, 8, 9, 4096, 5000};

    for (size_t i = 0; i < HM_ARRAY_LEN(lengths); i++) {
        size_t ends[41];
        char *dir = make_log(ends);
        struct hm_log_damage d = {0};
        uint64_t last;
        unsigned damage;
        file_append(in_folder(dir, "0000000000000000.seg"), zeros, lengths[i]);
        struct hm_log *l = must_open(dir, NULL, &d);
        assert_string_equal(d.reason, "zeroed tail");
        assert_true(d.bytes == lengths[i] && d.first_record == 40);
        assert_true(hm_log_next(l) > 40); /* readers may have seen 40: never again */
        append_patterns(l, 10);
        uint64_t next = hm_log_next(l);
        hm_log_close(l);
        assert_true(read_around(dir, &last, &damage) == 50);
        assert_int_equal(damage, 1); /* the gap, told once */
        assert_true(last == next - 1);
        l = must_open(dir, NULL, &d);
        assert_true(d.bytes == 0 && hm_log_next(l) == next);
        hm_log_close(l);
        folder_remove(dir);
    }
}

/* A byte anywhere in the last segment: the prefix stays, the rest is aside byte for byte. */
static void flipped_bytes_in_the_last_segment(void **state)
{
    for (size_t step = 0; step < 60; step++) {
        size_t ends[41], whole = 0;
        char *dir = make_log(ends), *seg = strdup(in_folder(dir, "0000000000000000.seg"));
        size_t at = step * 131 % ends[40];
        uint8_t byte;
        struct hm_log_damage d = {0};
        FILE *f = fopen(seg, "rb");
        fseek(f, (long)at, SEEK_SET);
        byte = (uint8_t)(fgetc(f) ^ (1 << step % 8));
        fclose(f);
        file_poke(seg, at, &byte, 1);
        while (ends[whole + 1] <= at)
            whole++;
        struct hm_log *l = must_open(dir, NULL, &d);
        assert_true(d.first_record == whole && d.bytes == ends[40] - ends[whole]);
        /* a flip in a length may look like a record that was cut, or a good log cut short */
        assert_true(strcmp(d.reason, "checksum") == 0 || strcmp(d.reason, "torn tail") == 0);
        if (strcmp(d.reason, "checksum") == 0)
            assert_true(hm_log_next(l) >= 40); /* not one of the lost numbers comes again */
        assert_true(file_size(in_folder(dir, "0000000000000000.seg.damaged")) == d.bytes);
        assert_true(file_size(seg) == ends[whole]);
        append_patterns(l, 5);
        hm_log_close(l);
        uint64_t last;
        unsigned damage;
        assert_true(read_around(dir, &last, &damage) == whole + 5);
        assert_true(damage <= 1);
        free(seg);
        folder_remove(dir);
    }
}

static void damage_in_the_middle_is_told_once_and_passed(void **state)
{
    static const size_t places[] = {0, 5, 9, 2000,
                                    2003}; /* length, checksum, payload, further in */

    for (size_t i = 0; i < HM_ARRAY_LEN(places); i++) {
        char *dir = folder_make(), names[200][64];
        struct hm_log_options o = {.segment_bytes = 16384};
        struct hm_log *l = must_open(dir, &o, NULL);
        append_patterns(l, 2000);
        uint8_t bad[1] = {0xff};
        size_t segments = list_files(dir, ".seg", names, 200);
        assert_true(segments > 5);
        file_poke(in_folder(dir, names[2]), places[i], bad, 1);
        uint64_t last, first = strtoull(names[2], NULL, 16), end = strtoull(names[3], NULL, 16);
        unsigned damage;
        uint64_t count = read_around(dir, &last, &damage);
        assert_int_equal(damage, 1);
        assert_true(last == 1999);
        assert_true(count < 2000 && count >= 2000 - (end - first));
        if (places[i] == 9)
            assert_true(count == 1999); /* one payload: one record */
        append_patterns(l, 10);         /* the writer is not concerned */
        hm_log_close(l);
        struct hm_log_damage d;
        l = must_open(dir, &o, &d);
        assert_true(d.bytes == 0 && hm_log_next(l) == 2010);
        hm_log_close(l);
        folder_remove(dir);
    }
}

static void a_missing_segment_is_a_gap(void **state)
{
    char *dir = folder_make(), names[200][64];
    struct hm_log_options o = {.segment_bytes = 16384};
    struct hm_log *l = must_open(dir, &o, NULL);
    uint64_t last;
    unsigned damage;

    append_patterns(l, 2000);
    hm_log_close(l);
    list_files(dir, ".seg", names, 200);
    unlink(in_folder(dir, names[3]));
    uint64_t lost = strtoull(names[4], NULL, 16) - strtoull(names[3], NULL, 16);
    assert_true(read_around(dir, &last, &damage) == 2000 - lost);
    assert_int_equal(damage, 1);
    struct hm_log_reader *r = must_read(dir);
    struct hm_slice s;
    uint64_t n, inside = strtoull(names[3], NULL, 16) + 1;
    assert_int_equal(hm_log_reader_seek(r, inside), 0); /* into the hole */
    assert_int_equal(hm_log_reader_next(r, &n, &s), -EBADMSG);
    assert_int_equal(hm_log_reader_next(r, &n, &s), 1);
    assert_true(n == strtoull(names[4], NULL, 16));
    hm_log_reader_close(r);
    folder_remove(dir);
}

static void damaged_tails_do_not_pile_up(void **state)
{
    char *dir = folder_make(), names[100][64];
    static const uint8_t junk[] = {1, 0, 0, 0, 9, 9, 9, 9, 'x', 'y'};

    for (int i = 0; i < 30; i++) {
        struct hm_log *l = must_open(dir, NULL, NULL);
        append_patterns(l, 3);
        hm_log_close(l);
        size_t n = list_files(dir, ".seg", names, 100);
        file_append(in_folder(dir, names[n - 1]), junk, sizeof junk);
    }
    assert_int_equal(list_files(dir, ".damaged", names, 100), 8);
    uint64_t last;
    unsigned damage;
    struct hm_log *l = must_open(dir, NULL, NULL);
    hm_log_close(l);
    assert_true(read_around(dir, &last, &damage) == 90);
    folder_remove(dir);
}

int test_recover(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_nine_loses_nothing_that_was_synced),
        cmocka_unit_test(a_reader_elsewhere_never_sees_a_torn_record),
        cmocka_unit_test(torn_tails_are_cut_at_every_byte),
        cmocka_unit_test(zeroed_tails_are_set_aside),
        cmocka_unit_test(flipped_bytes_in_the_last_segment),
        cmocka_unit_test(damage_in_the_middle_is_told_once_and_passed),
        cmocka_unit_test(a_missing_segment_is_a_gap),
        cmocka_unit_test(damaged_tails_do_not_pile_up),
    };

    return cmocka_run_group_tests_name("recover", tests, NULL, NULL);
}
