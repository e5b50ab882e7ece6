/* Records → events: every field finds its place, hostile lengths find none. */
#include "rig.h"
#include "agent/engine/container.h"
#include "agent/engine/ledger.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#define KEY(pid, start) hm_process_key(RIG_BOOT, pid, start)
#define CONTAINER       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void exec_becomes_a_whole_event(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){0});
    rig_exec(r, &(struct rig_exec){.pid = 9,
                                   .start_ns = 1,
                                   .boot_ns = 2,
                                   .path = "/usr/sbin/nginx",
                                   .args = "nginx",
                                   .snapshot = true});
    rig_exec(r, &(struct rig_exec){.pid = 10,
                                   .ppid = 9,
                                   .parent_start_ns = 1,
                                   .start_ns = 3,
                                   .boot_ns = 1234567,
                                   .session = 8,
                                   .uid = 1000,
                                   .path = "/usr/bin/dash",
                                   .args = "sh -c id",
                                   .cwd = "/srv",
                                   .comm = "sh",
                                   .cgroup = "docker-" CONTAINER ".scope",
                                   .env = "LD_PRELOAD=/tmp/x.so LD_DEBUG=all",
                                   .inode = 42,
                                   .mtime_ns = 7,
                                   .socket = true});
    rig_read(r);
    const struct hm_event *e = rig_find(r, HM_ACTION_PROCESS_EXEC, 0);
    rig_assert_text(e, HM_F_PROCESS_IMAGE, "/usr/bin/dash");
    rig_assert_text(e, HM_F_PROCESS_COMMAND_LINE, "sh -c id");
    rig_assert_text(e, HM_F_PROCESS_CWD, "/srv");
    rig_assert_text(e, HM_F_PROCESS_NAME, "sh");
    rig_assert_text(e, HM_F_PROCESS_ENV, "LD_PRELOAD=/tmp/x.so\nLD_DEBUG=all");
    rig_assert_text(e, HM_F_CONTAINER_ID, CONTAINER);
    rig_assert_text(e, HM_F_USER_NAME, "hanako");
    rig_assert_text(e, HM_F_PARENT_IMAGE, "/usr/sbin/nginx");
    rig_assert_text(e, HM_F_PROCESS_STDIO_IP, "\xc6\x33\x64\x07");
    assert_int_equal(hm_event_u64(e, HM_F_PROCESS_STDIO_PORT), 4444);
    assert_int_equal(hm_event_u64(e, HM_F_PROCESS_STDIN), HM_STDIO_SOCKET);
    assert_int_equal(hm_event_u64(e, HM_F_PROCESS_KEY), KEY(10, 3));
    assert_int_equal(hm_event_u64(e, HM_F_PARENT_KEY), KEY(9, 1));
    assert_int_equal(hm_event_u64(e, HM_F_PROCESS_SESSION), 8);
    assert_int_equal(hm_event_u64(e, HM_F_PROCESS_INODE), 42);
    assert_int_equal(hm_event_u64(e, HM_F_BOOT_NS), 1234567);
    assert_true(hm_event_u64(e, HM_F_WALL_NS) > UINT64_C(1600000000) * 1000000000);
    assert_false(hm_event_has(e, HM_F_USER_AUDIT_ID)); /* -1: nobody logged in */
    assert_false(hm_event_has(e, HM_F_PROCESS_SHA256));
    rig_free(r);
}

static void long_command_line_stays_whole_in_its_event(void **state)
{
    (void)state;
    static char args[30001];
    struct rig *r = rig_new(&(struct rig_options){0});
    memset(args, 'a', 30000);
    rig_exec(r, &(struct rig_exec){
                    .pid = 10, .start_ns = 3, .boot_ns = 4, .path = "/bin/echo", .args = args});
    rig_exec(r, &(struct rig_exec){.pid = 11,
                                   .ppid = 10,
                                   .parent_start_ns = 3,
                                   .start_ns = 5,
                                   .boot_ns = 6,
                                   .path = "/bin/b",
                                   .args = "b"});
    rig_read(r);
    assert_int_equal(
        rig_text(rig_find(r, HM_ACTION_PROCESS_EXEC, 0), HM_F_PROCESS_COMMAND_LINE).len, 30000);
    assert_int_equal(rig_text(rig_find(r, HM_ACTION_PROCESS_EXEC, 1), HM_F_PARENT_COMMAND_LINE).len,
                     4096);
    rig_free(r);
}

static void connection_has_its_ends_and_its_process(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){0});
    r->uid = 1000;
    rig_exec(r, &(struct rig_exec){.pid = 10,
                                   .start_ns = 3,
                                   .boot_ns = 4,
                                   .path = "/usr/bin/curl",
                                   .args = "curl http://x"});
    rig_connect(r, 10, 3, 5, (const uint8_t *)"\xc0\x00\x02\x05", 443, 0);
    rig_connect(r, 10, 3, 6, (const uint8_t *)"\xc0\x00\x02\x05", 80, -ECONNREFUSED);
    rig_connect(r, 99, 7, 8, (const uint8_t *)"\xc0\x00\x02\x05", 22, 0); /* nobody we know */
    rig_read(r);
    const struct hm_event *e = rig_find(r, HM_ACTION_NETWORK_CONNECT, 0);
    assert_true(hm_slice_eq(rig_text(e, HM_F_DST_IP), hm_slice("\xc0\x00\x02\x05", 4)));
    assert_int_equal(hm_event_u64(e, HM_F_DST_PORT), 443);
    assert_int_equal(hm_event_u64(e, HM_F_SRC_PORT), 40000);
    assert_int_equal(hm_event_u64(e, HM_F_NET_DIRECTION), 2);
    rig_assert_text(e, HM_F_PROCESS_IMAGE, "/usr/bin/curl");
    assert_int_equal(hm_event_u64(rig_find(r, HM_ACTION_NETWORK_CONNECT, 1), HM_F_NET_RESULT),
                     ECONNREFUSED);
    const struct hm_event *u = rig_find(r, HM_ACTION_NETWORK_CONNECT, 2);
    rig_assert_text(u, HM_F_PROCESS_NAME, "prog");
    assert_int_equal(hm_event_u64(u, HM_F_PROCESS_KEY), KEY(99, 7));
    rig_free(r);
}

static void hash_is_asked_once_a_file_and_told_later(void **state)
{
    (void)state;
    uint8_t sha[32];
    memset(sha, 0xab, sizeof sha);
    struct rig *r = rig_new(&(struct rig_options){0});
    struct rig_exec x = {.pid = 10,
                         .start_ns = 3,
                         .boot_ns = 4,
                         .path = "/bin/a",
                         .args = "a",
                         .inode = 42,
                         .mtime_ns = 1};
    rig_exec(r, &x);
    x.pid = 11;
    rig_exec(r, &x);
    assert_int_equal(r->hash_count, 1);
    assert_int_equal(r->hashes[0].pid, 10);
    assert_int_equal(r->hashes[0].inode, 42);
    hm_core_image_hash(r->core, r->hashes[0].id, hm_slice(sha, 32));
    hm_core_image_hash(r->core, r->hashes[0].id, hm_slice(sha, 32)); /* answers count once */
    x.pid = 12;
    rig_exec(r, &x); /* known now */
    x.pid = 13;
    x.mtime_ns = 2;
    rig_exec(r, &x); /* the file changed */
    assert_int_equal(r->hash_count, 2);
    hm_core_image_hash(r->core, r->hashes[1].id, hm_slice(NULL, 0)); /* unreadable */
    x.pid = 14;
    rig_exec(r, &x); /* not in the same second again */
    assert_int_equal(r->hash_count, 2);
    usleep(1100000);
    x.pid = 15;
    rig_exec(r, &x);
    assert_int_equal(r->hash_count, 3);
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_PROCESS_IMAGE), 2);
    assert_int_equal(hm_event_u64(rig_find(r, HM_ACTION_PROCESS_IMAGE, 1), HM_F_PROCESS_KEY),
                     KEY(11, 3));
    assert_int_equal(rig_text(rig_find(r, HM_ACTION_PROCESS_IMAGE, 0), HM_F_PROCESS_SHA256).len,
                     32);
    assert_true(hm_event_has(rig_find(r, HM_ACTION_PROCESS_EXEC, 2), HM_F_PROCESS_SHA256));
    assert_false(hm_event_has(rig_find(r, HM_ACTION_PROCESS_EXEC, 3), HM_F_PROCESS_SHA256));
    rig_free(r);
}

static void late_hash_is_not_told_of_the_next_program(void **state)
{
    (void)state;
    uint8_t sha[32] = {1};
    struct rig *r = rig_new(&(struct rig_options){0});
    rig_exec(
        r, &(struct rig_exec){
               .pid = 10, .start_ns = 3, .boot_ns = 4, .path = "/bin/a", .args = "a", .inode = 42});
    rig_exec(
        r, &(struct rig_exec){
               .pid = 10, .start_ns = 3, .boot_ns = 5, .path = "/bin/b", .args = "b", .inode = 43});
    hm_core_image_hash(r->core, r->hashes[0].id, hm_slice(sha, 32));
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_PROCESS_IMAGE), 0);
    rig_free(r);
}

static void hostile_records_are_counted_and_change_nothing(void **state)
{
    (void)state;
    _Alignas(8) static uint8_t good[4096];
    struct rig *r = rig_new(&(struct rig_options){0});
    size_t n = rig_exec_bytes(
        &(struct rig_exec){
            .pid = 10, .start_ns = 3, .boot_ns = 4, .path = "/bin/a", .args = "a b", .cwd = "/"},
        good, sizeof good);
    size_t bad = 0;
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *copy = aligned_alloc(8, (cut + 8) & ~(size_t)7);
        memcpy(copy, good, cut);
        assert_int_equal(hm_core_record(r->core, hm_slice(copy, cut)), -EBADMSG);
        bad++;
        free(copy);
    }
    /* strings that point outside, types and versions of nobody: refused or read within bounds */
    for (size_t at = 0; at < sizeof(struct hm_rec_exec); at++)
        for (int v = 1; v < 256; v += 127) {
            uint8_t *copy = aligned_alloc(8, (n + 8) & ~(size_t)7);
            memcpy(copy, good, n);
            copy[at] ^= (uint8_t)v;
            bad += hm_core_record(r->core, hm_slice(copy, n)) < 0;
            free(copy);
        }
    assert_int_equal(hm_core_counts(r->core).malformed, bad);
    rig_read(r);
    assert_int_equal(hm_event_u64(rig_find(r, HM_ACTION_LOSS_QUEUE, 0), HM_F_LOSS_COUNT), bad);
    rig_free(r);
}

static void container_id_is_what_runtimes_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *want;
    } rows[] = {
        {CONTAINER, CONTAINER},
        {"docker-" CONTAINER ".scope", CONTAINER},
        {"cri-containerd-" CONTAINER ".scope", CONTAINER},
        {"libpod-" CONTAINER ".scope", CONTAINER},
        {"session-3.scope", ""},
        {CONTAINER "0", ""},
        {"deadbeef", ""},
        {"", ""},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        assert_true(
            hm_slice_eq(hm_container_id(hm_slice_str(rows[i].name)), hm_slice_str(rows[i].want)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exec_becomes_a_whole_event),
        cmocka_unit_test(long_command_line_stays_whole_in_its_event),
        cmocka_unit_test(connection_has_its_ends_and_its_process),
        cmocka_unit_test(hash_is_asked_once_a_file_and_told_later),
        cmocka_unit_test(late_hash_is_not_told_of_the_next_program),
        cmocka_unit_test(hostile_records_are_counted_and_change_nothing),
        cmocka_unit_test(container_id_is_what_runtimes_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
