/* The process table, fed with records: reuse of pids, chains of exec, exits out of order, eviction.
 */
#include "rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define KEY(pid, start) hm_process_key(RIG_BOOT, pid, start)

static void key_depends_on_each_part_and_is_never_zero(void **state)
{
    (void)state;
    uint64_t k = KEY(100, 5);
    assert_int_not_equal(k, KEY(101, 5));
    assert_int_not_equal(k, KEY(100, 6));
    assert_int_not_equal(k, hm_process_key(RIG_BOOT + 1, 100, 5));
    assert_int_not_equal(hm_process_key(0, 0, 0), 0);
    /* part of the format: stored trees depend on it */
    assert_int_equal(hm_process_key(1, 2, 3), UINT64_C(0x64e675d75383880e));
}

static void reused_pid_is_another_process(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){0});
    rig_exec(r, &(struct rig_exec){
                    .pid = 50, .start_ns = 100, .boot_ns = 110, .path = "/bin/old", .args = "old"});
    rig_exit(r, 50, 100, 120);
    rig_exec(r, &(struct rig_exec){
                    .pid = 50, .start_ns = 200, .boot_ns = 210, .path = "/bin/new", .args = "new"});
    /* a late fork still belongs to the first one */
    rig_fork(r, 51, 118, 50, 100, 118);
    rig_fork(r, 52, 230, 50, 200, 230);
    rig_read(r);
    const struct hm_event *a = rig_find(r, HM_ACTION_PROCESS_FORK, 0),
                          *b = rig_find(r, HM_ACTION_PROCESS_FORK, 1);
    assert_int_equal(hm_event_u64(a, HM_F_PARENT_KEY), KEY(50, 100));
    assert_int_equal(hm_event_u64(b, HM_F_PARENT_KEY), KEY(50, 200));
    rig_assert_text(a, HM_F_PARENT_IMAGE, "/bin/old");
    rig_assert_text(b, HM_F_PARENT_IMAGE, "/bin/new");
    uint32_t pid;
    uint64_t start;
    assert_false(hm_core_who_is(r->core, KEY(50, 100), &pid, &start));
    assert_true(hm_core_who_is(r->core, KEY(50, 200), &pid, &start));
    assert_int_equal(pid, 50);
    assert_int_equal(start, 200);
    rig_free(r);
}

static void fork_shares_the_image_until_exec(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){0});
    rig_exec(r, &(struct rig_exec){.pid = 10,
                                   .start_ns = 1,
                                   .boot_ns = 2,
                                   .path = "/bin/sh",
                                   .args = "sh -c x",
                                   .uid = 1000});
    rig_fork(r, 11, 3, 10, 1, 3);
    rig_exec(r, &(struct rig_exec){.pid = 11,
                                   .start_ns = 3,
                                   .ppid = 10,
                                   .parent_start_ns = 1,
                                   .boot_ns = 4,
                                   .path = "/bin/ls",
                                   .args = "ls -l"});
    rig_exec(r, &(struct rig_exec){.pid = 11,
                                   .start_ns = 3,
                                   .ppid = 10,
                                   .parent_start_ns = 1,
                                   .boot_ns = 5,
                                   .path = "/bin/cat",
                                   .args = "cat f"});
    rig_read(r);
    rig_assert_text(rig_find(r, HM_ACTION_PROCESS_FORK, 0), HM_F_PROCESS_IMAGE, "/bin/sh");
    const struct hm_event *ls = rig_find(r, HM_ACTION_PROCESS_EXEC, 1),
                          *cat = rig_find(r, HM_ACTION_PROCESS_EXEC, 2);
    rig_assert_text(ls, HM_F_PROCESS_COMMAND_LINE, "ls -l");
    rig_assert_text(ls, HM_F_PARENT_COMMAND_LINE, "sh -c x");
    rig_assert_text(cat, HM_F_PROCESS_IMAGE, "/bin/cat");
    assert_int_equal(hm_event_u64(ls, HM_F_PROCESS_KEY), hm_event_u64(cat, HM_F_PROCESS_KEY));
    rig_assert_text(rig_find(r, HM_ACTION_PROCESS_EXEC, 0), HM_F_USER_NAME, "hanako");
    rig_free(r);
}

static void exit_before_exec_leaves_one_tombstone(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){0});
    rig_exit(r, 77, 10, 30);
    rig_exec(r,
             &(struct rig_exec){
                 .pid = 77, .start_ns = 10, .boot_ns = 20, .path = "/bin/quick", .args = "quick"});
    rig_exit(r, 77, 10, 31);
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_PROCESS_EXIT), 1);
    assert_int_equal(rig_count(r, HM_ACTION_PROCESS_EXEC), 1);
    assert_int_equal(hm_core_counts(r->core).live, 0);
    assert_int_equal(hm_core_counts(r->core).exited, 1);
    assert_int_equal(hm_event_u64(rig_find(r, HM_ACTION_PROCESS_EXIT, 0), HM_F_PROCESS_EXIT_CODE),
                     3);
    rig_free(r);
}

static void parent_is_who_forked_it_even_after_adoption(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){0});
    rig_exec(r, &(struct rig_exec){
                    .pid = 20, .start_ns = 5, .boot_ns = 6, .path = "/bin/bash", .args = "bash"});
    rig_fork(r, 21, 7, 20, 5, 7);
    rig_exit(r, 20, 5, 8);
    /* by now the kernel says pid 1 */
    rig_exec(r, &(struct rig_exec){.pid = 21,
                                   .start_ns = 7,
                                   .ppid = 1,
                                   .parent_start_ns = 1,
                                   .boot_ns = 9,
                                   .path = "/tmp/x",
                                   .args = "x"});
    rig_read(r);
    const struct hm_event *x = rig_find(r, HM_ACTION_PROCESS_EXEC, 1);
    assert_int_equal(hm_event_u64(x, HM_F_PARENT_KEY), KEY(20, 5));
    rig_assert_text(x, HM_F_PARENT_IMAGE, "/bin/bash");
    rig_free(r);
}

static void full_table_evicts_the_longest_silent_and_counts_it(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.live_max = 8, .exited_max = 4});
    for (uint32_t pid = 1; pid <= 8; pid++)
        rig_exec(
            r,
            &(struct rig_exec){
                .pid = pid, .start_ns = pid, .boot_ns = 100 + pid, .path = "/bin/a", .args = "a"});
    uint32_t pid;
    uint64_t start;
    assert_true(hm_core_who_is(r->core, KEY(1, 1), &pid,
                               &start)); /* 1 was used just now: 2 is the oldest */
    rig_exec(r, &(struct rig_exec){
                    .pid = 9, .start_ns = 9, .boot_ns = 109, .path = "/bin/a", .args = "a"});
    assert_true(hm_core_who_is(r->core, KEY(1, 1), &pid, &start));
    assert_false(hm_core_who_is(r->core, KEY(2, 2), &pid, &start));
    assert_int_equal(hm_core_counts(r->core).table.evicted_live, 1);
    assert_int_equal(hm_core_counts(r->core).live, 8);
    rig_read(r);
    const struct hm_event *loss = rig_find(r, HM_ACTION_LOSS_QUEUE, 0);
    assert_int_equal(hm_event_u64(loss, HM_F_LOSS_CLASS), HM_CLASS_PROCESS);
    assert_int_equal(hm_event_u64(loss, HM_F_LOSS_COUNT), 1);
    rig_free(r);
}

static void tombstones_have_a_ceiling(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.live_max = 8, .exited_max = 4});
    for (uint32_t pid = 1; pid <= 500; pid++) {
        rig_exec(
            r,
            &(struct rig_exec){
                .pid = pid, .start_ns = pid, .boot_ns = 100 + pid, .path = "/bin/a", .args = "a"});
        rig_exit(r, pid, pid, 101 + pid);
    }
    assert_int_equal(hm_core_counts(r->core).exited, 4);
    assert_int_equal(hm_core_counts(r->core).live, 0);
    assert_int_equal(hm_core_counts(r->core).table.evicted_live, 0);
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_LOSS_QUEUE), 0); /* ageing is no loss */
    rig_free(r);
}

static void snapshot_does_not_overwrite_what_the_ring_told(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){0});
    rig_exec(r, &(struct rig_exec){
                    .pid = 5, .start_ns = 1, .boot_ns = 50, .path = "/bin/new", .args = "new"});
    rig_exec(r, &(struct rig_exec){.pid = 5,
                                   .start_ns = 1,
                                   .boot_ns = 40,
                                   .path = "/bin/old",
                                   .args = "old",
                                   .snapshot = true});
    rig_exec(r, &(struct rig_exec){.pid = 6,
                                   .start_ns = 2,
                                   .ppid = 5,
                                   .parent_start_ns = 1,
                                   .boot_ns = 41,
                                   .path = "/bin/child",
                                   .args = "c",
                                   .snapshot = true});
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_PROCESS_SNAPSHOT), 1);
    rig_assert_text(rig_find(r, HM_ACTION_PROCESS_SNAPSHOT, 0), HM_F_PARENT_IMAGE, "/bin/new");
    rig_free(r);
}

static void unknown_parent_of_a_fork_is_met(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.policy = "/tmp"});
    rig_fork(r, 31, 9, 30, 5, 9);
    uint32_t pid;
    uint64_t start;
    assert_true(hm_core_who_is(r->core, KEY(30, 5), &pid, &start));
    rig_exec(r, &(struct rig_exec){.pid = 30,
                                   .start_ns = 5,
                                   .boot_ns = 4,
                                   .path = "/bin/sh",
                                   .args = "sh",
                                   .snapshot = true});
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_PROCESS_SNAPSHOT),
                     1); /* a snapshot still tells it all */
    rig_free(r);
}

static bool collect(void *ctx, uint64_t key, uint32_t pid, uint64_t start_ns)
{
    uint32_t *pids = ctx;
    assert_int_equal(key, KEY(pid, start_ns));
    pids[pid]++;
    return true;
}

static void tree_holds_living_descendants_through_dead_parents(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){0});
    uint32_t seen[64] = {0};
    rig_fork(r, 10, 10, 1, 1, 10);
    rig_fork(r, 11, 11, 10, 10, 11);
    rig_fork(r, 12, 12, 11, 11, 12);
    rig_fork(r, 13, 13, 1, 1, 13); /* a stranger */
    rig_exit(r, 11, 11, 14);
    hm_core_tree(r->core, KEY(10, 10), collect, seen);
    assert_int_equal(seen[10] + seen[11] + seen[13], 0);
    assert_int_equal(seen[12], 1);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_depends_on_each_part_and_is_never_zero),
        cmocka_unit_test(reused_pid_is_another_process),
        cmocka_unit_test(fork_shares_the_image_until_exec),
        cmocka_unit_test(exit_before_exec_leaves_one_tombstone),
        cmocka_unit_test(parent_is_who_forked_it_even_after_adoption),
        cmocka_unit_test(full_table_evicts_the_longest_silent_and_counts_it),
        cmocka_unit_test(tombstones_have_a_ceiling),
        cmocka_unit_test(snapshot_does_not_overwrite_what_the_ring_told),
        cmocka_unit_test(unknown_parent_of_a_fork_is_met),
        cmocka_unit_test(tree_holds_living_descendants_through_dead_parents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
