/* Loss is data: sensor counters, a killed engine, a full disk. */
#include "rig.h"
#include "agent/engine/ledger.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void sensor_loss_has_class_count_and_interval(void **state)
{
    (void)state;
    struct hm_sensor_counter counters[HM_PROG_COUNT] = {0};
    struct rig *r = rig_new(&(struct rig_options){0});
    assert_true(hm_core_tick(r->core, counters, 0) >= 0);
    counters[HM_PROG_EXEC].lost = 3;
    counters[HM_PROG_FORK].lost = 4;
    counters[HM_PROG_ACCEPT].lost = 5;
    assert_true(hm_core_tick(r->core, counters, 0) >= 0);
    assert_true(hm_core_tick(r->core, counters, 0) >= 0); /* nothing new */
    counters[HM_PROG_EXEC].lost = 4;
    assert_true(hm_core_tick(r->core, counters, 0) >= 0);
    rig_read(r);
    static const uint64_t want[][2] = {
        {HM_CLASS_PROCESS, 7}, {HM_CLASS_NETWORK, 5}, {HM_CLASS_PROCESS, 1}};
    assert_int_equal(rig_count(r, HM_ACTION_LOSS_SENSOR), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct hm_event *e = rig_find(r, HM_ACTION_LOSS_SENSOR, i);
        assert_int_equal(hm_event_u64(e, HM_F_LOSS_CLASS), want[i][0]);
        assert_int_equal(hm_event_u64(e, HM_F_LOSS_COUNT), want[i][1]);
        assert_true(hm_event_u64(e, HM_F_LOSS_FROM_NS) < hm_event_u64(e, HM_F_LOSS_TO_NS));
    }
    rig_free(r);
}

static void reported_losses_are_remembered_over_a_restart(void **state)
{
    (void)state;
    char dir[] = "/tmp/hm-ledger-XXXXXX";
    struct hm_sensor_counter counters[HM_PROG_COUNT] = {0};
    struct hm_ledger l;
    struct hm_ledger_past past;
    assert_non_null(mkdtemp(dir));
    hm_autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(hm_ledger_open(fd, RIG_BOOT, 5, &l, &past), 0);
    assert_int_equal(past.next_seq, 0);
    struct rig *r = rig_new(&(struct rig_options){.ledger = &l});
    counters[HM_PROG_EXEC].lost = 9;
    assert_true(hm_core_tick(r->core, counters, 0) >= 0);
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_LOSS_SENSOR), 1);
    rig_free(r);
    hm_ledger_close(&l);

    assert_int_equal(hm_ledger_open(fd, RIG_BOOT, 5, &l, &past), 0);
    assert_int_not_equal(past.next_seq, 0);
    assert_false(past.other_boot);
    r = rig_new(&(struct rig_options){.ledger = &l});
    assert_true(hm_core_tick(r->core, counters, 0) >= 0);
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_LOSS_SENSOR), 0);
    rig_free(r);
    hm_ledger_close(&l);

    /* a new sensor counts from zero: its first nine are not the nine of before */
    assert_int_equal(hm_ledger_open(fd, RIG_BOOT, 6, &l, &past), 0);
    r = rig_new(&(struct rig_options){.ledger = &l});
    assert_true(hm_core_tick(r->core, counters, 0) >= 0);
    rig_read(r);
    assert_int_equal(hm_event_u64(rig_find(r, HM_ACTION_LOSS_SENSOR, 0), HM_F_LOSS_COUNT), 9);
    rig_free(r);
    hm_ledger_close(&l);
    unlinkat(fd, "ledger", 0);
    rmdir(dir);
}

static void seqs_that_are_not_in_the_journal_are_what_is_missing(void **state)
{
    (void)state;
    static const struct {
        struct hm_ledger_past past;
        uint64_t epoch, first_seq, want;
    } rows[] = {
        {{.epoch = 7, .next_seq = 100}, 7, 100, 0}, /* ended in order */
        {{.epoch = 7, .next_seq = 100}, 7, 90, 5},  /* seqs step by two */
        {{.epoch = 7, .next_seq = 100, .busy = true}, 7, 90, 6},
        {{.epoch = 7, .next_seq = 100, .busy = true}, 7, 100, 1},
        {{.epoch = 7, .next_seq = 100},
         7,
         102,
         0},                                      /* the file was behind: a crash of the machine */
        {{.epoch = 7, .next_seq = 100}, 8, 0, 0}, /* another epoch speaks for itself */
        {{0}, 8, 0, 0},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        assert_int_equal(hm_ledger_missing(&rows[i].past, rows[i].epoch, rows[i].first_seq),
                         rows[i].want);
}

static const char rule[] =
    "title: t\nid: 11111111-2222-4333-8444-555555555555\nstatus: test\ndescription: test\nauthor: "
    "t\n"
    "logsource: {product: linux, category: process_creation}\n"
    "detection:\n  selection:\n    Image|startswith: /tmp/\n  condition: selection\nlevel: high\n"
    "hinomi:\n  title_ja: t\n  reason: r\n  reason_ja: r\n";

/* Random text: the journal compresses, the disk must fill nevertheless. */
static void noisy_exec(struct rig *r, uint32_t pid)
{
    static uint64_t seed = 1;
    char args[2001];
    for (size_t i = 0; i < sizeof args - 1; i++) {
        seed = hm_key_mix(seed + i);
        args[i] = (char)(33 + seed % 90);
    }
    args[2000] = 0;
    rig_exec(r, &(struct rig_exec){
                    .pid = pid, .start_ns = pid, .boot_ns = pid, .path = "/bin/n", .args = args});
}

/* The quota is a full disk in small: nothing was acknowledged, so nothing may go. */
static void full_journal_loses_countably_and_detection_goes_on(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.rules_yaml = rule, .quota = 2 << 20});
    uint32_t pid = 100;
    while (hm_core_counts(r->core).sink.lost < 100 && pid < 20000)
        noisy_exec(r, pid++);
    assert_true(hm_core_counts(r->core).sink.lost >= 100);
    rig_exec(r, &(struct rig_exec){
                    .pid = pid, .start_ns = pid, .boot_ns = pid, .path = "/tmp/x", .args = "x"});
    assert_int_equal(hm_core_counts(r->core).alerts.raised, 1);
    uint64_t lost = hm_core_counts(r->core).sink.lost;
    /* the server has it all: room again */
    for (uint64_t n = 1; n < 10000; n++)
        hm_journal_acked(r->journal, HM_LANE_BULK, n);
    rig_read(r);
    const struct hm_event *l = rig_find(r, HM_ACTION_LOSS_JOURNAL, 0);
    assert_int_equal(hm_event_u64(l, HM_F_LOSS_CLASS), HM_CLASS_PROCESS);
    assert_int_equal(hm_event_u64(l, HM_F_LOSS_COUNT), lost);
    assert_int_equal(rig_count(r, HM_ACTION_FINDING_ALERT), 1);
    rig_free(r);
}

/* The alert lane itself is full: alerts wait, in order, and what is too much is counted. */
static void alerts_wait_for_room(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.rules_yaml = rule, .quota = 2 << 20});
    struct hm_sink_counts n = {0};
    for (uint32_t pid = 100; pid < 20000 && n.held < 10; pid++) {
        char args[1800];
        for (size_t i = 0; i < sizeof args - 1; i++)
            args[i] = (char)(33 + hm_key_mix(pid * 4096u + i) % 90);
        args[sizeof args - 1] = 0;
        rig_exec(r,
                 &(struct rig_exec){
                     .pid = pid, .start_ns = pid, .boot_ns = pid, .path = "/tmp/x", .args = args});
        n = hm_core_counts(r->core).sink;
    }
    assert_int_equal(n.held, 10);
    uint64_t raised = hm_core_counts(r->core).alerts.raised;
    assert_true(hm_core_tick(r->core, NULL, 0) >= 0);
    assert_int_equal(hm_core_counts(r->core).sink.held, 10); /* still no room */
    for (uint64_t b = 1; b < 10000; b++)
        for (int lane = 0; lane < HM_LANE_COUNT; lane++)
            hm_journal_acked(r->journal, lane, b);
    rig_read(r);
    n = hm_core_counts(r->core).sink;
    assert_int_equal(n.held, 0);
    const struct hm_event *last = NULL;
    for (size_t i = 0; i < r->count; i++) {
        const struct hm_event *e = &r->events[i].e;
        if (hm_event_u64(e, HM_F_ACTION) != HM_ACTION_FINDING_ALERT)
            continue;
        if (last) /* older ones may be gone with their segment; what is there has no gap and its
                     order */
            assert_int_equal(hm_event_u64(e, HM_F_SEQ), hm_event_u64(last, HM_F_SEQ) + 2);
        last = e;
    }
    assert_non_null(last);
    assert_int_equal(hm_event_u64(last, HM_F_SEQ) / 2 + 1,
                     raised); /* the last one raised is there */
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sensor_loss_has_class_count_and_interval),
        cmocka_unit_test(reported_losses_are_remembered_over_a_restart),
        cmocka_unit_test(seqs_that_are_not_in_the_journal_are_what_is_missing),
        cmocka_unit_test(alerts_wait_for_room),
        cmocka_unit_test(full_journal_loses_countably_and_detection_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
