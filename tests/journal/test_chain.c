/* The endpoint's journal: chains that go on over restarts and kill -9, epochs, acks, full disks. */
#include "test_journal.h"
#include "base/clock.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct hm_journal *open_journal(const char *dir, uint64_t quota,
                                       struct hm_log_damage *damage)
{
    struct hm_journal_options o = {.boot = 77, .quota_bytes = quota};
    struct hm_journal *j = NULL;
    struct hm_error err = {0};

    memset(o.endpoint, 0xab, sizeof o.endpoint);
    if (hm_journal_open(dir, &o, &j, damage, &err) != 0)
        fail_msg("open: %d %s", err.code, err.text);
    return j;
}

static int put_one(struct hm_journal *j, enum hm_lane lane, uint64_t i)
{
    static struct hm_event e;
    uint8_t noise[200];

    for (size_t k = 0; k < sizeof noise; k++) /* does not compress */
        noise[k] = (uint8_t)((i + 1) * UINT64_C(0x9e3779b97f4a7c15) * (k + 1) >> 40);
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_FILE);
    hm_event_set_u64(&e, HM_F_PROCESS_PID, i);
    hm_event_set(&e, HM_F_FILE_PATH, hm_slice(noise, sizeof noise));
    return hm_journal_put(j, lane, &e);
}

struct chain { /* what one lane holds */
    uint64_t batches, events, epochs, epoch, next_number, next_seq, last_pid;
    uint8_t prev[32];
    bool any;
};

static int see(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    struct chain *c = ctx;

    c->last_pid = hm_event_u64(e, HM_F_PROCESS_PID);
    c->events++;
    return 0;
}

/* Walks a lane: every batch opens, and within an epoch number, seq and prev go on without a gap. */
static struct chain walk(const char *dir, const char *lane)
{
    hm_autofree char *path = strdup(in_folder(dir, lane));
    struct hm_log_reader *r = must_read(path);
    struct hm_buf raw = HM_BUF(HM_BATCH_MAX_BYTES);
    struct chain c = {0};
    struct hm_slice s;
    uint64_t n;
    int e;

    while ((e = hm_log_reader_next(r, &n, &s)) != 0) {
        struct hm_batch_head h;
        uint8_t hash[32];
        if (e == -EBADMSG)
            continue;
        assert_int_equal(e, 1);
        assert_int_equal(hm_batch_head(s, &h, hash), 0);
        if (c.any && h.epoch == c.epoch) {
            assert_true(h.number == c.next_number && h.first_seq == c.next_seq);
            assert_memory_equal(h.prev, c.prev, 32);
        } else if (c.any || h.number == 0) {
            assert_true(h.number == 0 && h.first_seq < 2);
            c.epochs++;
        }
        assert_int_equal(hm_batch_each(s, &raw, see, &c), 0);
        memcpy(c.prev, hash, 32);
        c.next_number = h.number + 1;
        c.next_seq = h.first_seq + 2 * h.count;
        c.epoch = h.epoch;
        c.any = true;
        c.batches++;
    }
    hm_log_reader_close(r);
    hm_buf_done(&raw);
    return c;
}

static void chains_go_on_over_restarts(void **state)
{
    char *dir = folder_make();
    uint64_t epoch = 0;

    for (uint64_t round = 0; round < 4; round++) {
        struct hm_journal *j = open_journal(dir, 0, NULL);
        assert_true(hm_journal_epoch(j) != 0);
        assert_true(round == 0 || hm_journal_epoch(j) == epoch);
        epoch = hm_journal_epoch(j);
        for (uint64_t i = 0; i < 5000; i++)
            assert_int_equal(put_one(j, i % 1000 == 0 ? HM_LANE_ALERT : HM_LANE_BULK, i), 0);
        hm_journal_close(j); /* the open batch is closed with it */
        struct chain bulk = walk(dir, "bulk"), alert = walk(dir, "alert");
        assert_true(bulk.events == (round + 1) * 4995 && bulk.epochs == 1);
        assert_true(alert.events == (round + 1) * 5 && alert.batches == alert.events);
        assert_true(bulk.epoch == epoch && alert.epoch == epoch);
    }
    folder_remove(dir);
}

static void ticks_close_by_age_and_report_what_is_durable(void **state)
{
    char *dir = folder_make();
    struct hm_journal *j = open_journal(dir, 0, NULL);
    uint64_t now = hm_clock_mono_ns();

    assert_int_equal(hm_journal_tick(j, now, 30000), 0);
    assert_int_equal(put_one(j, HM_LANE_BULK, 1), 0);
    assert_int_equal(hm_journal_tick(j, hm_clock_mono_ns(), 30000), 0); /* young: stays open */
    assert_true(walk(dir, "bulk").batches == 0);
    now = hm_clock_mono_ns() + UINT64_C(31000000000);
    assert_int_equal(hm_journal_tick(j, now, 30000), 1);
    assert_true(walk(dir, "bulk").batches == 1);
    assert_true(hm_journal_durable(j, HM_LANE_BULK) == 1);
    assert_true(hm_journal_durable(j, HM_LANE_ALERT) == 0);
    assert_int_equal(hm_journal_tick(j, now, 30000), 0); /* reported once */
    assert_int_equal(put_one(j, HM_LANE_ALERT, 2), 0);   /* alerts do not wait for a tick */
    assert_true(walk(dir, "alert").batches == 1);
    assert_true(hm_journal_durable(j, HM_LANE_ALERT) == 1);
    assert_int_equal(hm_journal_tick(j, now, 30000), 1);
    assert_int_equal(put_one(j, HM_LANE_BULK, 3), 0);
    assert_int_equal(hm_journal_tick(j, now, 0), 0); /* appended, synced less than 1 s ago */
    assert_true(walk(dir, "bulk").batches == 2);
    assert_true(hm_journal_durable(j, HM_LANE_BULK) == 1); /* to be seen, not to be shipped */
    assert_int_equal(hm_journal_tick(j, now + 1000000000u, 0), 1);
    assert_true(hm_journal_durable(j, HM_LANE_BULK) == 2);
    assert_int_equal(put_one(j, HM_LANE_BULK, 4), 0);
    assert_int_equal(hm_journal_new_epoch(j), 0);
    assert_true(walk(dir, "bulk").batches == 3);
    assert_true(hm_journal_durable(j, HM_LANE_BULK) == 0);
    hm_journal_close(j);
    folder_remove(dir);
}

static void kill_nine_in_mid_stream(void **state)
{
    char *dir = folder_make();
    uint64_t epoch = 0;

    for (int round = 0; round < 6; round++) {
        int fds[2], status;
        uint64_t alerts = 0, n;
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0) {
            struct hm_journal *j = open_journal(dir, 0, NULL);
            for (uint64_t i = 0;; i++) {
                enum hm_lane lane = i % 500 == 499 ? HM_LANE_ALERT : HM_LANE_BULK;
                if (put_one(j, lane, i) < 0)
                    _exit(1);
                if (lane == HM_LANE_ALERT && write(fds[1], &i, sizeof i) != sizeof i)
                    _exit(2);
            }
        }
        close(fds[1]);
        uint64_t before = round ? walk(dir, "alert").events : 0;
        for (int i = 0; i < 40 + round; i++, alerts++)
            assert_int_equal(read(fds[0], &n, sizeof n), sizeof n);
        kill(pid, SIGKILL);
        for (; read(fds[0], &n, sizeof n) == sizeof n; alerts++)
            ;
        close(fds[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        struct hm_log_damage d[HM_LANE_COUNT] = {0};
        struct hm_journal *j = open_journal(dir, 0, d);
        assert_true(round == 0 || hm_journal_epoch(j) == epoch); /* no fork: the same epoch */
        epoch = hm_journal_epoch(j);
        hm_journal_close(j);
        struct chain alert = walk(dir, "alert"), bulk = walk(dir, "bulk");
        assert_true(alert.epochs == 1 && bulk.epochs == 1);
        if (round)
            assert_true(alert.events >= before + 40); /* every told alert is there */
        assert_true(alert.events >= alerts);
    }
    folder_remove(dir);
}

static void a_new_epoch_begins_at_zero_and_keeps_the_old(void **state)
{
    char *dir = folder_make();
    struct hm_journal *j = open_journal(dir, 0, NULL);
    uint64_t old = hm_journal_epoch(j);

    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(put_one(j, HM_LANE_BULK, i), 0);
    assert_int_equal(hm_journal_new_epoch(j), 0);
    assert_true(hm_journal_epoch(j) != old);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(put_one(j, HM_LANE_BULK, i), 0);
    old = hm_journal_epoch(j);
    hm_journal_close(j);
    struct chain c = walk(dir, "bulk");
    assert_true(c.epochs == 2 && c.events == 2000 && c.epoch == old);
    j = open_journal(dir, 0, NULL);
    assert_true(hm_journal_epoch(j) == old);
    hm_journal_close(j);
    folder_remove(dir);
}

static void damage_begins_a_new_epoch(void **state)
{
    char *dir = folder_make();
    struct hm_journal *j = open_journal(dir, 0, NULL);
    uint64_t old = hm_journal_epoch(j);
    struct hm_log_damage d[HM_LANE_COUNT] = {0};
    static const uint8_t bad = 0x55;

    for (uint64_t i = 0; i < 3000; i++)
        assert_int_equal(put_one(j, HM_LANE_BULK, i), 0);
    hm_journal_close(j);
    hm_autofree char *seg = strdup(in_folder(dir, "bulk/0000000000000000.seg"));
    file_poke(seg, file_size(seg) - 100, &bad, 1);
    j = open_journal(dir, 0, d);
    assert_string_equal(d[HM_LANE_BULK].reason, "checksum");
    assert_true(d[HM_LANE_ALERT].bytes == 0);
    assert_true(hm_journal_epoch(j) != old);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(put_one(j, HM_LANE_BULK, i), 0);
    hm_journal_close(j);
    struct chain c = walk(dir, "bulk");
    assert_int_equal(c.epochs, 2);
    folder_remove(dir);
}

static void a_lost_or_foreign_epoch_file_begins_a_new_epoch(void **state)
{
    static const struct {
        const char *name;
        size_t cut, at;
        int flip;
    } rows[] = {{"missing", 0, 0, 0}, {"cut", 27, 0, 0}, {"id", 28, 20, 1}, {"endpoint", 28, 3, 1}};

    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        char *dir = folder_make();
        struct hm_journal *j = open_journal(dir, 0, NULL);
        uint64_t old = hm_journal_epoch(j);
        assert_int_equal(put_one(j, HM_LANE_BULK, 1), 0);
        hm_journal_close(j);
        hm_autofree char *file = strdup(in_folder(dir, "epoch"));
        assert_int_equal(file_size(file), 28);
        file_cut(file, rows[i].cut);
        if (rows[i].cut == 0)
            unlink(file);
        if (rows[i].flip)
            file_poke(file, rows[i].at, "\x01", 1);
        j = open_journal(dir, 0, NULL);
        if (hm_journal_epoch(j) == old)
            fail_msg("%s: same epoch", rows[i].name);
        assert_int_equal(put_one(j, HM_LANE_BULK, 1), 0);
        hm_journal_close(j);
        assert_int_equal(walk(dir, "bulk").epochs, 2);
        folder_remove(dir);
    }
}

static void a_second_engine_is_refused(void **state)
{
    char *dir = folder_make();
    struct hm_journal *j = open_journal(dir, 0, NULL), *second = NULL;
    struct hm_journal_options o = {.boot = 1};

    assert_int_equal(hm_journal_open(dir, &o, &second, NULL, NULL), -EBUSY);
    hm_journal_close(j);
    folder_remove(dir);
}

static void the_quota_refuses_then_acks_make_room(void **state)
{
    char *dir = folder_make();
    struct hm_journal *j = open_journal(dir, 8 << 20, NULL);
    uint64_t i = 0, more = 0;
    int r;

    while ((r = put_one(j, HM_LANE_BULK, i)) == 0)
        assert_true(++i < 100000);
    assert_int_equal(r, -ENOSPC);
    assert_int_equal(put_one(j, HM_LANE_ALERT, 0), 0); /* the other lane has its own share */
    struct chain c = walk(dir, "bulk");
    assert_true(c.events <= i && c.events > i / 2);
    hm_journal_acked(j, HM_LANE_BULK, c.next_number + 1000); /* an ack from nowhere: no effect */
    assert_int_equal(put_one(j, HM_LANE_BULK, i), -ENOSPC);
    hm_journal_acked(j, HM_LANE_BULK, c.next_number / 2);
    while ((r = put_one(j, HM_LANE_BULK, i + more)) == 0)
        assert_true(++more < 100000);
    assert_int_equal(r, -ENOSPC);
    assert_true(more > i / 4 && more < i * 3 / 4);
    hm_journal_acked(j, HM_LANE_BULK, walk(dir, "bulk").next_number);
    hm_journal_close(j);
    c = walk(dir, "bulk"); /* what was accepted and not acked is there, to the last event */
    assert_true(c.last_pid == i + more - 1);
    assert_int_equal(c.epochs, 0); /* batch 0 was given up */
    j = open_journal(dir, 8 << 20, NULL);
    hm_journal_acked(j, HM_LANE_BULK,
                     c.next_number); /* numbers still mean the same after a restart */
    for (uint64_t k = 0; k < 5000; k++)
        assert_int_equal(put_one(j, HM_LANE_BULK, k), 0);
    hm_journal_close(j);
    assert_true(walk(dir, "bulk").next_number > c.next_number);
    folder_remove(dir);
}

/* A limit on file sizes stands for the full disk: accepted events wait in memory and are not lost.
 */
static void events_wait_while_the_disk_is_full(void **state)
{
    char *dir = folder_make();
    int status;

    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit rl = {300000, RLIM_INFINITY};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &rl);
        struct hm_journal *j = open_journal(dir, 0, NULL);
        uint64_t i = 0;
        while (put_one(j, HM_LANE_BULK, i) == 0)
            i++;
        if (hm_journal_tick(j, hm_clock_mono_ns(), 30000) == 0 || i < 1000)
            _exit(1);
        rl.rlim_cur = RLIM_INFINITY;
        setrlimit(RLIMIT_FSIZE, &rl);
        for (int k = 0; k < 100; k++, i++)
            if (put_one(j, HM_LANE_BULK, i) != 0)
                _exit(2);
        hm_journal_close(j);
        struct chain c = walk(dir, "bulk");
        _exit(c.events == i && c.epochs == 1 && c.last_pid == i - 1 ? 0 : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    folder_remove(dir);
}

int test_chain(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_go_on_over_restarts),
        cmocka_unit_test(ticks_close_by_age_and_report_what_is_durable),
        cmocka_unit_test(kill_nine_in_mid_stream),
        cmocka_unit_test(a_new_epoch_begins_at_zero_and_keeps_the_old),
        cmocka_unit_test(damage_begins_a_new_epoch),
        cmocka_unit_test(a_lost_or_foreign_epoch_file_begins_a_new_epoch),
        cmocka_unit_test(a_second_engine_is_refused),
        cmocka_unit_test(the_quota_refuses_then_acks_make_room),
        cmocka_unit_test(events_wait_while_the_disk_is_full),
    };

    return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
