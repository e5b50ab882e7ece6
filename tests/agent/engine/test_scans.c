/* Scans: what is asked for once, what waits, what is told of each result. The results are made here
 * as monitor would send them; matching itself is tested with libyara and with the real agent. */
#include "agent/engine/scans.h"
#include "agent/engine/limits.h"
#include "detect/yara/hits.h"
#include "detect/yara/yara.h"
#include "rig.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

/* ---- the queue ---- */

struct peer {
    uint64_t ids[2048], last;
    size_t asked;
    bool slow;
};

static bool ask(void *ctx, const struct hm_scan_job *j)
{
    struct peer *p = ctx;
    if (p->slow)
        return false;
    p->last = j->id;
    p->ids[p->asked++ % HM_ARRAY_LEN(p->ids)] = j->id;
    return true;
}

static struct hm_scans *queue(struct peer *p)
{
    struct hm_scans *s = hm_scans_new(&(struct hm_scan_ops){.file = ask, .memory = ask, .ctx = p});
    assert_non_null(s);
    hm_scans_rules(s, 7, 1);
    return s;
}

static const struct hm_hash_key file_a = {1, 100, 5}, file_b = {1, 101, 5};

static void a_known_clean_program_is_asked_once(void **state)
{
    (void)state;
    struct peer p = {0};
    struct hm_scans *s = queue(&p);
    struct hm_slice path = hm_slice_str("/usr/bin/x");
    hm_scans_image(s, &file_a, 1, 10, path, 1);
    hm_scans_image(s, &file_a, 2, 11, path, 1); /* waits for the same answer */
    assert_int_equal(p.asked, 1);
    assert_int_equal(hm_scans_take(s, p.last)->waiter_count, 1);
    hm_scans_release(s, p.last, &file_a, true);
    hm_scans_image(s, &file_a, 3, 12, path, 2);
    assert_int_equal(p.asked, 1);
    struct hm_hash_key changed = file_a;
    changed.change_ns++;
    hm_scans_image(s, &changed, 3, 12, path, 2); /* another content */
    assert_int_equal(p.asked, 2);
    hm_scans_release(s, p.last, &changed, false); /* it matched: each start asks */
    hm_scans_image(s, &changed, 4, 13, path, 2);
    assert_int_equal(p.asked, 3);
    hm_scans_release(s, p.last, &changed, true);
    hm_scans_rules(s, 8, 1); /* other rules: every verdict is forgotten */
    hm_scans_image(s, &file_a, 5, 14, path, 3);
    assert_int_equal(p.asked, 4);
    hm_scans_free(s);
}

static void without_rules_nothing_is_asked(void **state)
{
    (void)state;
    struct peer p = {0};
    struct hm_scans *s = queue(&p);
    hm_scans_rules(s, 9, 0);
    hm_scans_image(s, &file_a, 1, 10, hm_slice_str("/x"), 1);
    hm_scans_written(s, &(struct hm_fan_handle){0}, hm_slice_str("/x"), 1, 10, 1);
    hm_scans_memory(s, 1, 10, 5, 1);
    assert_int_equal(p.asked, 0);
    assert_int_equal(hm_scans_counts(s)->dropped, 0);
    hm_scans_free(s);
}

static void a_flood_waits_in_order_and_is_counted_when_it_overflows(void **state)
{
    (void)state;
    struct peer p = {0};
    struct hm_scans *s = queue(&p);
    for (uint64_t i = 0; i < HM_SCANS_WAITING_MAX + 100; i++) {
        struct hm_hash_key k = {1, 1000 + i, 1};
        hm_scans_image(s, &k, i + 1, 10, hm_slice_str("/x"), 1);
    }
    assert_int_equal(p.asked, HM_SCANS_ASKED_MAX);
    assert_int_equal(hm_scans_counts(s)->dropped, 100);
    for (size_t i = 0; i < HM_SCANS_WAITING_MAX; i++) {
        assert_true(i < p.asked);
        hm_scans_release(s, p.ids[i], &(struct hm_hash_key){1, 1000 + i, 1}, true);
        hm_scans_tick(s, 2);
    }
    assert_int_equal(p.asked, HM_SCANS_WAITING_MAX);
    for (size_t i = 1; i < p.asked; i++)
        assert_true(p.ids[i] > p.ids[i - 1]);
    hm_scans_free(s);
}

static void a_slow_peer_is_asked_again_and_a_lost_answer_given_up(void **state)
{
    (void)state;
    struct peer p = {.slow = true};
    struct hm_scans *s = queue(&p);
    hm_scans_image(s, &file_b, 1, 10, hm_slice_str("/x"), 1);
    assert_int_equal(p.asked, 0);
    p.slow = false;
    hm_scans_tick(s, 2);
    assert_int_equal(p.asked, 1);
    hm_scans_tick(s, 3 + HM_SCANS_ANSWER_NS);
    assert_int_equal(hm_scans_counts(s)->dropped, 1);
    assert_null(hm_scans_take(s, p.last));
    hm_scans_release(s, p.last, &file_b, true); /* the late answer is nobody's */
    hm_scans_image(s, &file_b, 1, 10, hm_slice_str("/x"), 4);
    assert_int_equal(p.asked, 2);
    hm_scans_free(s);
}

static void a_file_written_all_the_time_is_scanned_now_and_then(void **state)
{
    (void)state;
    struct peer p = {0};
    struct hm_scans *s = queue(&p);
    struct hm_fan_handle h = {hm_slice("12345678", 8), hm_slice("handle", 6)};
    for (int i = 0; i < 1000; i++) {
        hm_scans_written(s, &h, hm_slice_str("/tmp/log"), 1, 10, SECOND);
        if (i == 500)
            hm_scans_release(s, p.last, &file_a, true);
    }
    assert_int_equal(p.asked, 1);
    hm_scans_tick(s, SECOND + HM_SCANS_WRITE_REST_NS);
    assert_int_equal(p.asked, 2); /* once more, for the last of them */
    hm_scans_release(s, p.last, &file_a, true);
    hm_scans_tick(s, 2 * SECOND + 2 * HM_SCANS_WRITE_REST_NS);
    hm_scans_tick(s, 3 * SECOND + 3 * HM_SCANS_WRITE_REST_NS);
    assert_int_equal(p.asked, 2);
    hm_scans_written(s, &h, hm_slice_str("/tmp/log"), 1, 10, 60 * SECOND);
    hm_scans_written(s, &h, hm_slice_str("/tmp/log.php"), 1, 10, 60 * SECOND); /* renamed */
    assert_int_equal(p.asked, 4);
    hm_scans_free(s);
}

static void a_flood_of_writes_leaves_room_for_what_is_started(void **state)
{
    (void)state;
    struct peer p = {.slow = true};
    struct hm_scans *s = queue(&p);
    for (int i = 0; i < 1000; i++) {
        char path[32];
        snprintf(path, sizeof path, "/tmp/%d", i);
        hm_scans_written(s, &(struct hm_fan_handle){0}, hm_slice_str(path), 1, 10, 1);
    }
    assert_int_equal(hm_scans_counts(s)->dropped, 1000 - HM_SCANS_WRITES_MAX);
    hm_scans_image(s, &file_a, 1, 10, hm_slice_str("/x"), 1);
    assert_int_equal(hm_scans_counts(s)->dropped, 1000 - HM_SCANS_WRITES_MAX);
    p.slow = false;
    hm_scans_tick(s, 2);
    assert_int_equal(hm_scans_take(s, p.ids[0])->kind, HM_SCAN_IMAGE); /* it came last */
    hm_scans_free(s);
}

/* ---- what is told ---- */

static struct hm_scan_job last_job;
static char last_path[128];

static bool core_ask(void *ctx, const struct hm_scan_job *j)
{
    (void)ctx;
    last_job = *j;
    snprintf(last_path, sizeof last_path, "%.*s", (int)j->path.len, (const char *)j->path.p);
    return true;
}

static struct hm_buf hits(size_t count)
{
    struct hm_buf b = HM_BUF(HM_YARA_HITS_BYTES);
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "rule_%zu", i);
        struct hm_yara_hit h = {
            .rule = hm_slice_str(name), .space = hm_slice_str("a/b.yar"), .meta_count = 3};
        h.metas[0] =
            (struct hm_yara_meta){hm_slice_str("description"), hm_slice_str("does {bad} things")};
        h.metas[1] = (struct hm_yara_meta){hm_slice_str("severity"),
                                           hm_slice_str(i == count - 1 ? "critical" : "low")};
        h.metas[2] = (struct hm_yara_meta){hm_slice_str("mitre"), hm_slice_str("T1105")};
        h.string_count = 1;
        h.strings[0] = (struct hm_yara_found){hm_slice_str("$a"), 1, 1, {16}};
        hm_yara_hit_put(&h, &b);
    }
    return b;
}

static struct rig *started(void)
{
    struct rig *r = rig_new(&(struct rig_options){.scan = core_ask});
    hm_core_scan_rules(r->core, 7, 1);
    rig_exec(
        r,
        &(struct rig_exec){
            .pid = 20, .start_ns = 20, .boot_ns = 20, .inode = 77, .path = "/opt/x", .args = "x"});
    assert_int_equal(last_job.key.inode, 77);
    assert_string_equal(last_path, "/opt/x");
    return r;
}

static void matches_become_one_event_and_the_gravest_alerts(void **state)
{
    (void)state;
    struct rig *r = started();
    struct hm_buf b = hits(6);
    uint8_t sum[32] = {0xab};
    struct hm_scan_result a = {.id = last_job.id,
                               .inode = 77,
                               .size = 9,
                               .version = 7,
                               .hits = hm_buf_slice(&b),
                               .sha256 = hm_slice(sum, 32)};
    assert_int_equal(hm_core_scan_result(r->core, &a), 0);
    rig_read(r);
    const struct hm_event *e = rig_find(r, HM_ACTION_FINDING_SCAN, 0);
    assert_int_equal(hm_event_u64(e, HM_F_SCAN_RESULT), HM_SCAN_MATCHED);
    rig_assert_text(e, HM_F_SCAN_RULES, "rule_0,rule_1,rule_2,rule_3,rule_4,rule_5");
    assert_int_equal(rig_text(e, HM_F_FILE_SHA256).len, 32);
    assert_int_equal(rig_count(r, HM_ACTION_FINDING_SCAN), 1);
    assert_int_equal(rig_count(r, HM_ACTION_FINDING_ALERT), HM_SCAN_ALERTS_MAX);
    const struct hm_event *first = rig_find(r, HM_ACTION_FINDING_ALERT, 0);
    rig_assert_text(first, HM_F_RULE_ID, "yara:a/b.yar:rule_5");
    rig_assert_text(first, HM_F_ALERT_TECHNIQUES, "T1105");
    assert_int_equal(hm_event_u64(first, HM_F_ALERT_SEVERITY), 5);
    assert_non_null(memmem(rig_text(first, HM_F_ALERT_REASON).p,
                           rig_text(first, HM_F_ALERT_REASON).len, "(does {bad} things)", 19));
    hm_buf_done(&b);
    rig_free(r);
}

static void no_verdict_is_never_silent(void **state)
{
    (void)state;
    static const struct {
        uint64_t error;
        uint32_t cut;
        size_t told;
        uint64_t result;
    } rows[] = {{0, 0, 0, 0},
                {ETIME, HM_YARA_CUT_TIME, 1, HM_SCAN_FAILED},
                {ECANCELED, 0, 1, HM_SCAN_FAILED},
                {ESTALE, 0, 1, HM_SCAN_FAILED}, /* started, and gone: told */
                {4711, 0, 1, HM_SCAN_FAILED},
                {ENOENT, 0, 0, 0},
                {0, HM_YARA_CUT_SIZE, 1, HM_SCAN_PARTIAL}};
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct rig *r = started();
        struct hm_scan_result a = {.id = last_job.id,
                                   .inode = 77,
                                   .error = rows[i].error,
                                   .cut = rows[i].cut,
                                   .version = 7};
        assert_int_equal(hm_core_scan_result(r->core, &a), 0);
        assert_int_equal(hm_core_scan_result(r->core, &a), 0); /* twice: nobody asked */
        rig_read(r);
        assert_int_equal(rig_count(r, HM_ACTION_FINDING_SCAN), rows[i].told);
        assert_int_equal(rig_count(r, HM_ACTION_FINDING_ALERT), 0);
        if (rows[i].told)
            assert_int_equal(hm_event_u64(rig_find(r, HM_ACTION_FINDING_SCAN, 0), HM_F_SCAN_RESULT),
                             rows[i].result);
        rig_free(r);
    }
}

static void malformed_matches_are_counted(void **state)
{
    (void)state;
    struct rig *r = started();
    struct hm_scan_result a = {.id = last_job.id, .hits = hm_slice("\xff\xff\xff", 3)};
    assert_int_equal(hm_core_scan_result(r->core, &a), -EBADMSG);
    assert_int_equal(hm_core_counts(r->core).malformed, 1);
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FINDING_SCAN), 0);
    last_job = (struct hm_scan_job){0}; /* and are no clean verdict: the next start asks again */
    rig_exec(
        r,
        &(struct rig_exec){
            .pid = 21, .start_ns = 21, .boot_ns = 21, .inode = 77, .path = "/opt/x", .args = "x"});
    assert_int_equal(last_job.key.inode, 77);
    rig_free(r);
}

static void memory_is_asked_of_the_living_only(void **state)
{
    (void)state;
    struct rig *r = started();
    last_job = (struct hm_scan_job){0};
    hm_core_scan_memory(r->core, hm_process_key(RIG_BOOT, 20, 20));
    assert_int_equal(last_job.kind, HM_SCAN_MEMORY);
    assert_int_equal(last_job.start_ns, 20);
    last_job = (struct hm_scan_job){0};
    hm_core_scan_memory(r->core, hm_process_key(RIG_BOOT, 20, 20)); /* one is on its way */
    hm_core_scan_memory(r->core, 4711);
    rig_exit(r, 20, 20, 30);
    hm_core_scan_memory(r->core, hm_process_key(RIG_BOOT, 20, 20));
    assert_int_equal(last_job.id, 0);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_clean_program_is_asked_once),
        cmocka_unit_test(without_rules_nothing_is_asked),
        cmocka_unit_test(a_flood_waits_in_order_and_is_counted_when_it_overflows),
        cmocka_unit_test(a_slow_peer_is_asked_again_and_a_lost_answer_given_up),
        cmocka_unit_test(a_file_written_all_the_time_is_scanned_now_and_then),
        cmocka_unit_test(a_flood_of_writes_leaves_room_for_what_is_started),
        cmocka_unit_test(matches_become_one_event_and_the_gravest_alerts),
        cmocka_unit_test(no_verdict_is_never_silent),
        cmocka_unit_test(malformed_matches_are_counted),
        cmocka_unit_test(memory_is_asked_of_the_living_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
