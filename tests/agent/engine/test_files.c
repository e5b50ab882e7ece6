/* File events: waiting for paths, order, policy, directories that move, are made and vanish. */
#include "rig.h"
#include "agent/engine/fanotify.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>
#include <sys/fanotify.h>

#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif

static void policy_is_by_component_with_one_star(void **state)
{
    (void)state;
    static const struct {
        const char *dir;
        enum hm_policy_verdict want;
    } rows[] = {
        {"/etc", HM_POLICY_ALL},         {"/etc/cron.d", HM_POLICY_ALL},
        {"/etcetera", HM_POLICY_NONE},   {"/", HM_POLICY_SOME},
        {"/home", HM_POLICY_NONE},       {"/home/a", HM_POLICY_SOME},
        {"/home/a/.ssh", HM_POLICY_ALL}, {"/home/a/.ssh/x/y", HM_POLICY_ALL},
        {"/home/a/src", HM_POLICY_NONE}, {"/var/www/html", HM_POLICY_ALL},
        {"/var/www", HM_POLICY_SOME},    {"/var", HM_POLICY_NONE},
    };
    struct hm_policy *p = NULL;
    assert_int_equal(hm_policy_new(hm_slice_str("/etc/\n\n/home/*/.ssh\n/var/www/html"), &p, NULL),
                     0);
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        if (hm_policy_dir(p, hm_slice_str(rows[i].dir)) != rows[i].want)
            fail_msg("%s", rows[i].dir);
    assert_true(hm_policy_path(p, hm_slice_str("/home/b/.ssh")));
    assert_false(hm_policy_path(p, hm_slice_str("/home/b/.sshx")));
    hm_policy_free(p);
    assert_int_equal(hm_policy_new(hm_slice_str("etc"), &p, NULL), -EINVAL);
}

static void event_waits_for_its_directory_and_keeps_its_process(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){0});
    rig_exec(r, &(struct rig_exec){.pid = 30,
                                   .start_ns = 1,
                                   .boot_ns = 2,
                                   .path = "/bin/cp",
                                   .args = "cp a b",
                                   .uid = 1000});
    rig_fan(r, &(struct rig_fan){
                   .mask = FAN_CREATE | FAN_CLOSE_WRITE, .pid = 30, .dir = 1, .name = "b"});
    r->uid = 1000;
    rig_exit(r, 30, 1, 3); /* gone before the answer */
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FILE_CREATE), 0);
    rig_answer(r, 1, "/tmp/in");
    rig_read(r);
    const struct hm_event *c = rig_find(r, HM_ACTION_FILE_CREATE, 0),
                          *w = rig_find(r, HM_ACTION_FILE_WRITE, 0);
    rig_assert_text(c, HM_F_FILE_PATH, "/tmp/in/b");
    rig_assert_text(w, HM_F_PROCESS_IMAGE, "/bin/cp");
    rig_assert_text(w, HM_F_USER_NAME, "hanako");
    assert_true(c < w);
    /* known by now: no question, no waiting */
    rig_fan(r, &(struct rig_fan){.mask = FAN_DELETE, .pid = 30, .dir = 1, .name = "b"});
    assert_false(rig_asked(r, 1));
    rig_read(r);
    rig_assert_text(rig_find(r, HM_ACTION_FILE_DELETE, 0), HM_F_PROCESS_IMAGE,
                    "/bin/cp"); /* tombstone */
    rig_free(r);
}

static void outside_the_policy_nothing_is_told(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.policy = "/home/*/.ssh"});
    rig_fan(r, &(struct rig_fan){.mask = FAN_CLOSE_WRITE, .pid = 1, .dir = 1, .name = "notes"});
    rig_answer(r, 1, "/home/a");
    rig_fan(r,
            &(struct rig_fan){
                .mask = FAN_CREATE | FAN_ONDIR, .pid = 1, .dir = 1, .name = ".ssh", .target = 2});
    rig_fan(r, &(struct rig_fan){
                   .mask = FAN_CLOSE_WRITE, .pid = 1, .dir = 2, .name = "authorized_keys"});
    assert_false(rig_asked(r, 2)); /* learnt from the event that made it */
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FILE_WRITE), 1);
    rig_assert_text(rig_find(r, HM_ACTION_FILE_WRITE, 0), HM_F_FILE_PATH,
                    "/home/a/.ssh/authorized_keys");
    rig_assert_text(rig_find(r, HM_ACTION_FILE_CREATE, 0), HM_F_FILE_PATH, "/home/a/.ssh");
    rig_free(r);
}

static void rename_has_both_names_when_either_is_covered(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.policy = "/etc"});
    rig_fan(r, &(struct rig_fan){.mask = FAN_RENAME,
                                 .pid = 1,
                                 .dir = 1,
                                 .name = "p",
                                 .new_dir = 2,
                                 .new_name = "passwd"});
    rig_answer(r, 2, "/etc");
    rig_answer(r, 1, "/srv");
    rig_fan(
        r, &(struct rig_fan){
               .mask = FAN_RENAME, .pid = 1, .dir = 1, .name = "a", .new_dir = 1, .new_name = "b"});
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FILE_RENAME), 1);
    const struct hm_event *e = rig_find(r, HM_ACTION_FILE_RENAME, 0);
    rig_assert_text(e, HM_F_FILE_PATH, "/etc/passwd");
    rig_assert_text(e, HM_F_FILE_SOURCE_PATH, "/srv/p");
    rig_free(r);
}

static void renamed_directory_moves_all_paths_beneath_it(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.policy = "/tmp"});
    rig_fan(r, &(struct rig_fan){.mask = FAN_CREATE, .pid = 1, .dir = 1, .name = "x"});
    rig_answer(r, 1, "/tmp");
    rig_fan(r, &(struct rig_fan){
                   .mask = FAN_CREATE | FAN_ONDIR, .pid = 1, .dir = 1, .name = "a", .target = 2});
    rig_fan(r,
            &(struct rig_fan){
                .mask = FAN_CREATE | FAN_ONDIR, .pid = 1, .dir = 2, .name = "deep", .target = 3});
    rig_fan(r, &(struct rig_fan){
                   .mask = FAN_CREATE | FAN_ONDIR, .pid = 1, .dir = 1, .name = "ab", .target = 4});
    rig_fan(r, &(struct rig_fan){.mask = FAN_RENAME | FAN_ONDIR,
                                 .pid = 1,
                                 .dir = 1,
                                 .name = "a",
                                 .new_dir = 1,
                                 .new_name = "b"});
    rig_fan(r, &(struct rig_fan){.mask = FAN_CLOSE_WRITE, .pid = 1, .dir = 3, .name = "f"});
    rig_fan(r, &(struct rig_fan){.mask = FAN_CLOSE_WRITE, .pid = 1, .dir = 4, .name = "g"});
    rig_read(r);
    rig_assert_text(rig_find(r, HM_ACTION_FILE_WRITE, 0), HM_F_FILE_PATH, "/tmp/b/deep/f");
    rig_assert_text(rig_find(r, HM_ACTION_FILE_WRITE, 1), HM_F_FILE_PATH,
                    "/tmp/ab/g"); /* a neighbour by name only */
    rig_free(r);
}

static void answer_that_crosses_a_rename_is_asked_again(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.policy = "/tmp"});
    rig_fan(r, &(struct rig_fan){.mask = FAN_RENAME | FAN_ONDIR,
                                 .pid = 1,
                                 .dir = 1,
                                 .name = "old",
                                 .new_dir = 1,
                                 .new_name = "new"});
    rig_fan(r, &(struct rig_fan){.mask = FAN_CLOSE_WRITE, .pid = 1, .dir = 2, .name = "f"});
    assert_true(rig_asked(r, 1) && rig_asked(r, 2));
    rig_answer(r, 1, "/tmp");     /* only now the rename is applied */
    rig_answer(r, 2, "/tmp/old"); /* named before it */
    assert_true(rig_asked(r, 2));
    rig_answer(r, 2, "/tmp/new");
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FILE_WRITE), 1);
    rig_assert_text(rig_find(r, HM_ACTION_FILE_WRITE, 0), HM_F_FILE_PATH, "/tmp/new/f");
    rig_free(r);
}

static void removed_directory_is_forgotten(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.policy = "/tmp"});
    rig_fan(r, &(struct rig_fan){.mask = FAN_CREATE, .pid = 1, .dir = 1, .name = "x"});
    rig_answer(r, 1, "/tmp");
    rig_fan(r, &(struct rig_fan){
                   .mask = FAN_CREATE | FAN_ONDIR, .pid = 1, .dir = 1, .name = "a", .target = 2});
    rig_fan(r, &(struct rig_fan){.mask = FAN_DELETE | FAN_ONDIR, .pid = 1, .dir = 1, .name = "a"});
    rig_fan(r, &(struct rig_fan){.mask = FAN_CLOSE_WRITE, .pid = 1, .dir = 2, .name = "f"});
    assert_true(rig_asked(r, 2)); /* the handle may mean another directory by now */
    rig_answer(r, 2, "/tmp/other");
    rig_read(r);
    rig_assert_text(rig_find(r, HM_ACTION_FILE_WRITE, 0), HM_F_FILE_PATH, "/tmp/other/f");
    rig_free(r);
}

static void removed_directory_is_forgotten_by_its_handle(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.policy = "/tmp"});
    rig_fan(r, &(struct rig_fan){.mask = FAN_CREATE, .pid = 1, .dir = 1, .name = "x"});
    rig_answer(r, 1, "/tmp");
    rig_fan(r, &(struct rig_fan){
                   .mask = FAN_CREATE | FAN_ONDIR, .pid = 1, .dir = 1, .name = "a", .target = 2});
    rig_fan(r, &(struct rig_fan){
                   .mask = FAN_CREATE | FAN_ONDIR, .pid = 1, .dir = 1, .name = "b", .target = 3});
    rig_fan(r, &(struct rig_fan){
                   .mask = FAN_DELETE | FAN_ONDIR, .pid = 1, .dir = 1, .name = "a", .target = 2});
    rig_fan(r, &(struct rig_fan){.mask = FAN_CLOSE_WRITE, .pid = 1, .dir = 3, .name = "f"});
    assert_false(rig_asked(r, 3)); /* its neighbour is still known */
    rig_fan(r, &(struct rig_fan){.mask = FAN_CLOSE_WRITE, .pid = 1, .dir = 2, .name = "f"});
    assert_true(rig_asked(r, 2));
    rig_free(r);
}

static void what_cannot_be_named_is_counted(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.policy = "/tmp", .files_max = 4});
    rig_fan(r, &(struct rig_fan){.mask = FAN_CLOSE_WRITE, .pid = 1, .dir = 1, .name = "f"});
    rig_answer(r, 1, ""); /* gone */
    assert_int_equal(hm_core_counts(r->core).files.unplaced, 1);
    for (int i = 0; i < 6; i++)
        rig_fan(r, &(struct rig_fan){.mask = FAN_CLOSE_WRITE, .pid = 1, .dir = 2, .name = "g"});
    assert_int_equal(hm_core_counts(r->core).files.dropped, 2);
    rig_answer(r, 2, "/tmp/g");
    rig_fan(r, &(struct rig_fan){.mask = FAN_Q_OVERFLOW});
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FILE_WRITE), 4);
    const struct hm_event *q = rig_find(r, HM_ACTION_LOSS_QUEUE, 0),
                          *s = rig_find(r, HM_ACTION_LOSS_SENSOR, 0);
    assert_int_equal(hm_event_u64(q, HM_F_LOSS_COUNT), 3);
    assert_int_equal(hm_event_u64(q, HM_F_LOSS_CLASS), HM_CLASS_FILE);
    assert_int_equal(hm_event_u64(s, HM_F_LOSS_CLASS), HM_CLASS_FILE);
    assert_true(hm_event_u64(s, HM_F_LOSS_FROM_NS) < hm_event_u64(s, HM_F_LOSS_TO_NS));
    rig_free(r);
}

static void question_without_room_is_asked_later(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.policy = "/tmp"});
    r->refuse = true;
    rig_fan(r, &(struct rig_fan){.mask = FAN_CLOSE_WRITE, .pid = 1, .dir = 1, .name = "f"});
    r->refuse = false;
    assert_false(rig_asked(r, 1));
    assert_true(hm_core_tick(r->core, NULL, 0) >= 0);
    rig_answer(r, 1, "/tmp");
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FILE_WRITE), 1);
    rig_free(r);
}

static void small_cache_keeps_working(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.policy = "/tmp", .dirs_max = 4});
    char path[32];
    for (int i = 1; i <= 64; i++) {
        rig_fan(r, &(struct rig_fan){.mask = FAN_CLOSE_WRITE, .pid = 1, .dir = i, .name = "f"});
        snprintf(path, sizeof path, "/tmp/%d", i);
        rig_answer(r, i, path);
    }
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FILE_WRITE), 64);
    rig_assert_text(rig_find(r, HM_ACTION_FILE_WRITE, 63), HM_F_FILE_PATH, "/tmp/64/f");
    rig_free(r);
}

static void chmod_says_the_new_mode(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.policy = "/tmp"});
    rig_exec(r, &(struct rig_exec){
                    .pid = 30, .start_ns = 1, .boot_ns = 2, .path = "/bin/chmod", .args = "chmod"});
    rig_fan(r,
            &(struct rig_fan){.mask = FAN_ATTRIB, .pid = 30, .dir = 1, .name = "f", .target = 5});
    rig_answer(r, 1, "/tmp");
    assert_int_equal(r->stat_count, 1);
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FILE_ATTRIB), 0); /* waits */
    struct hm_file_stat st = {.mode = 04755, .owner = 1000, .size = 7, .inode = 9, .dev = 3};
    hm_core_file_stat(r->core, r->stats[0] + 1, &st); /* nobody's */
    hm_core_file_stat(r->core, r->stats[0], &st);
    hm_core_file_stat(r->core, r->stats[0], &st); /* once */
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FILE_ATTRIB), 1);
    const struct hm_event *e = rig_find(r, HM_ACTION_FILE_ATTRIB, 0);
    assert_int_equal(hm_event_u64(e, HM_F_FILE_MODE), 04755);
    assert_int_equal(hm_event_u64(e, HM_F_FILE_OWNER_ID), 1000);
    rig_assert_text(e, HM_F_FILE_PATH, "/tmp/f");
    rig_assert_text(e, HM_F_PROCESS_IMAGE, "/bin/chmod");
    rig_free(r);
}

static void change_of_mode_is_told_without_it_when_nobody_answers(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){.policy = "/tmp"});
    rig_fan(r, &(struct rig_fan){.mask = FAN_CREATE, .pid = 1, .dir = 1, .name = "x"});
    rig_answer(r, 1, "/tmp");
    struct rig_fan f = {.mask = FAN_ATTRIB, .pid = 1, .dir = 1, .name = "f", .target = 5};
    for (int i = 0; i < 300; i++) /* more than may wait */
        rig_fan(r, &f);
    r->refuse = true;
    rig_fan(r, &f);
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FILE_ATTRIB), 300 - 256 + 1);
    hm_core_file_stat(r->core, r->stats[0], NULL); /* gone */
    usleep(1100000);
    rig_read(r);
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FILE_ATTRIB), 301);
    assert_false(hm_event_has(rig_find(r, HM_ACTION_FILE_ATTRIB, 300), HM_F_FILE_MODE));
    rig_free(r);
}

/* Every length the kernel could send wrongly: no read past the end (ASan says), no endless loop. */
static void hostile_lengths_are_refused(void **state)
{
    (void)state;
    uint8_t good[4096];
    size_t n = rig_fan_bytes(&(struct rig_fan){.mask = FAN_RENAME,
                                               .pid = 1,
                                               .dir = 1,
                                               .name = "old",
                                               .new_dir = 2,
                                               .new_name = "new",
                                               .target = 3},
                             good, sizeof good);
    struct hm_fan_event e;
    for (size_t cut = 1; cut < n; cut++) {
        hm_autofree uint8_t *copy = malloc(cut);
        memcpy(copy, good, cut);
        struct hm_cursor c = hm_cursor(hm_slice(copy, cut));
        assert_int_equal(hm_fan_next(&c, &e), -EBADMSG);
    }
    for (size_t at = 0; at < n; at++)
        for (int v = 0; v < 256; v += 51) {
            hm_autofree uint8_t *copy = malloc(n);
            memcpy(copy, good, n);
            copy[at] = (uint8_t)v;
            struct hm_cursor c = hm_cursor(hm_slice(copy, n));
            while (hm_fan_next(&c, &e) == 1)
                assert_true(e.name.len < n && e.dir.handle.len <= n);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_is_by_component_with_one_star),
        cmocka_unit_test(event_waits_for_its_directory_and_keeps_its_process),
        cmocka_unit_test(outside_the_policy_nothing_is_told),
        cmocka_unit_test(rename_has_both_names_when_either_is_covered),
        cmocka_unit_test(renamed_directory_moves_all_paths_beneath_it),
        cmocka_unit_test(answer_that_crosses_a_rename_is_asked_again),
        cmocka_unit_test(removed_directory_is_forgotten),
        cmocka_unit_test(removed_directory_is_forgotten_by_its_handle),
        cmocka_unit_test(what_cannot_be_named_is_counted),
        cmocka_unit_test(question_without_room_is_asked_later),
        cmocka_unit_test(small_cache_keeps_working),
        cmocka_unit_test(chmod_says_the_new_mode),
        cmocka_unit_test(change_of_mode_is_told_without_it_when_nobody_answers),
        cmocka_unit_test(hostile_lengths_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
