/* What rules may ask beyond an event: ancestors, deceiving names, who wrote the program, root from
 * nowhere. Through the core: records in, alerts out. */
#include "rig.h"
#include "agent/engine/masquerade.h"
#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <sys/fanotify.h>

#define RULE(selection)                                                                            \
    "title: t\nid: 11111111-2222-4333-8444-555555555555\nstatus: test\n"                           \
    "logsource: {product: linux, category: process_creation}\n"                                    \
    "detection:\n  selection:\n    " selection "\n  condition: selection\nlevel: high\n"

/* init(1) → nginx master(10, root) → nginx worker(20, www) */
static void web(struct rig *r, uint64_t at)
{
    rig_exec(r, &(struct rig_exec){.pid = 1,
                                   .start_ns = 1,
                                   .boot_ns = 1,
                                   .snapshot = true,
                                   .path = "/usr/lib/systemd/systemd",
                                   .args = "init"});
    rig_exec(r, &(struct rig_exec){.pid = 10,
                                   .ppid = 1,
                                   .parent_start_ns = 1,
                                   .start_ns = 10,
                                   .boot_ns = 10,
                                   .session = 10,
                                   .snapshot = true,
                                   .path = "/usr/sbin/nginx",
                                   .args = "nginx"});
    rig_exec(r, &(struct rig_exec){.pid = 20,
                                   .ppid = 10,
                                   .parent_start_ns = 10,
                                   .start_ns = 20,
                                   .boot_ns = at,
                                   .session = 10,
                                   .uid = 33,
                                   .path = "/usr/bin/php",
                                   .args = "php worker"});
}

static void shell(struct rig *r, uint32_t pid, uint32_t ppid, uint64_t parent_start, uint32_t uid,
                  uint64_t at, const char *path, const char *args)
{
    rig_exec(r, &(struct rig_exec){.pid = pid,
                                   .ppid = ppid,
                                   .parent_start_ns = parent_start,
                                   .start_ns = at,
                                   .boot_ns = at,
                                   .session = 10,
                                   .uid = uid,
                                   .path = path,
                                   .args = args});
}

static void ancestors_are_named_to_rules_and_in_evidence_only(void **state)
{
    (void)state;
    struct rig *r = rig_new(&(struct rig_options){
        .rules_yaml = RULE("Image|endswith: /id\n    process.ancestors|contains: /nginx")});
    uint64_t at = hm_clock_boot_ns();
    web(r, at);
    shell(r, 30, 20, 20, 33, at + 1, "/usr/bin/dash", "sh -c id");
    shell(r, 31, 30, at + 1, 33, at + 2, "/usr/bin/id", "id");
    shell(r, 40, 1, 1, 33, at + 3, "/usr/bin/id", "id");
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FINDING_ALERT), 1);
    const struct hm_event *stored = rig_find(r, HM_ACTION_PROCESS_EXEC, 2);
    rig_assert_text(stored, HM_F_PROCESS_IMAGE, "/usr/bin/id");
    assert_false(hm_event_has(stored, HM_F_CONTEXT_ANCESTORS));
    struct hm_cursor c =
        hm_cursor(rig_text(rig_find(r, HM_ACTION_FINDING_ALERT, 0), HM_F_ALERT_EVIDENCE));
    struct hm_event e;
    assert_int_equal(hm_event_unpack(&c, &e), 0);
    rig_assert_text(&e, HM_F_CONTEXT_ANCESTORS,
                    "/usr/bin/dash\n/usr/bin/php\n/usr/sbin/nginx\n/usr/lib/systemd/systemd");
    rig_free(r);
}

static void root_from_nowhere_is_noticed_and_inherited(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t first, then;
        bool want;
    } rows[] = {{"user becomes root", 33, 0, true},
                {"user stays", 33, 33, false},
                {"root stays", 0, 0, false},
                {"root drops", 0, 33, false}};
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct rig *r = rig_new(&(struct rig_options){
            .rules_yaml = RULE("Image|endswith: /sh\n    privilege.gained: unexplained")});
        uint64_t at = hm_clock_boot_ns();
        shell(r, 50, 1, 1, rows[i].first, at, "/usr/local/bin/app", "app");
        shell(r, 50, 1, 1, rows[i].then, at, "/usr/local/bin/next", "next");
        r->uid = rows[i].then;
        rig_fork(r, 51, at + 5, 50, at, at + 5);
        shell(r, 51, 50, at, rows[i].then, at + 5, "/bin/sh", "sh");
        rig_read(r);
        if (rig_count(r, HM_ACTION_FINDING_ALERT) != rows[i].want)
            fail_msg("%s", rows[i].name);
        rig_free(r);
    }
}

static void write_file(struct rig *r, uint32_t pid, bool known)
{
    rig_fan(r, &(struct rig_fan){
                   .mask = FAN_CREATE | FAN_CLOSE_WRITE, .pid = pid, .dir = 1, .name = "x"});
    if (!known)
        rig_answer(r, 1, "/tmp");
}

static struct rig *dropper(const char *selection)
{
    struct rig *r = rig_new(&(struct rig_options){.rules_yaml = selection});
    uint64_t at = hm_clock_boot_ns();
    web(r, at);
    shell(r, 30, 20, 20, 33, at + 1, "/usr/bin/dash", "sh");
    shell(r, 90, 1, 1, 1000, at + 2, "/usr/bin/bash", "-bash");
    return r;
}

static void program_written_by_its_own_tree_is_told_apart(void **state)
{
    (void)state;
    static const char tree[] = RULE("process.image_written_by: tree\n    process.image_age|lt: 60"),
                      other[] = RULE("process.image_written_by: other");
    static const struct {
        const char *name, *rule, *args, *path;
        uint32_t writer, runner;
        bool late, want;
    } rows[] = {
        {"same tree", tree, "/tmp/x", "/tmp/x", 30, 30, false, true},
        {"same tree, told late", tree, "/tmp/x", "/tmp/x", 30, 30, true, true},
        {"somebody else's", tree, "/tmp/x", "/tmp/x", 90, 30, false, false},
        {"somebody else's", other, "/tmp/x", "/tmp/x", 90, 30, false, true},
        {"somebody else's, told late", other, "/tmp/x", "/tmp/x", 90, 30, true, true},
        {"by its interpreter", tree, "sh /tmp/x", "/usr/bin/sh", 30, 30, false, true},
        {"by its interpreter, late", tree, "python3.11 /tmp/x", "/usr/bin/python3.11", 30, 30, true,
         true},
        {"as an argument only", tree, "cat /tmp/x", "/usr/bin/cat", 30, 30, false, false},
        {"another file", tree, "/tmp/y", "/tmp/y", 30, 30, false, false},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct rig *r = dropper(rows[i].rule);
        uint64_t parent = rows[i].runner == 30 ? 20 : 1;
        if (!rows[i].late)
            write_file(r, rows[i].writer, false);
        uint64_t at = hm_clock_boot_ns();
        rig_exec(r, &(struct rig_exec){.pid = 31,
                                       .ppid = 20,
                                       .parent_start_ns = parent,
                                       .start_ns = at,
                                       .boot_ns = at,
                                       .session = 10,
                                       .uid = 33,
                                       .path = rows[i].path,
                                       .args = rows[i].args,
                                       .cwd = "/tmp"});
        if (rows[i].late)
            write_file(r, rows[i].writer, false);
        rig_read(r);
        if (rig_count(r, HM_ACTION_FINDING_ALERT) != rows[i].want)
            fail_msg("%zu: %s", i, rows[i].name);
        rig_free(r);
    }
}

static void a_late_write_journals_nothing_twice(void **state)
{
    (void)state;
    struct rig *r = dropper(RULE("process.image_written_by: tree"));
    uint64_t at = hm_clock_boot_ns();
    shell(r, 31, 20, 20, 33, at, "/tmp/x", "/tmp/x");
    write_file(r, 30, false);
    write_file(r, 30, true);
    rig_read(r);
    assert_int_equal(rig_count(r, HM_ACTION_FINDING_ALERT), 1);
    assert_int_equal(rig_count(r, HM_ACTION_PROCESS_EXEC), 4);
    rig_free(r);
}

static void deceiving_names_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *path, *line, *comm;
        unsigned want;
    } rows[] = {
        {"/usr/bin/bash", "-bash", "bash", 0},
        {"/tmp/x", "[kworker/0:1]", "x", HM_MASQUERADE_KERNEL_THREAD},
        {"/tmp/x", "[kworker/u8:2-events] -p 1", "x", HM_MASQUERADE_KERNEL_THREAD},
        {"/tmp/kswapd0", "kswapd0", "kswapd0", HM_MASQUERADE_KERNEL_THREAD},
        {"/usr/bin/[", "[ -f x ]", "[", 0},
        {"/usr/bin/test", "[ a = b ]", "test", 0},
        {"/usr/bin/sshd ", "sshd", "sshd ", HM_MASQUERADE_INVISIBLE},
        {"/usr/bin/ls\xe2\x80\x8b", "ls", "ls", HM_MASQUERADE_INVISIBLE},
        {"/tmp/\xe2\x80\xae"
         "gpj.sh",
         "x", "x", HM_MASQUERADE_INVISIBLE},
        {"/tmp/b\xd0\xb0sh", "x", "x", HM_MASQUERADE_CONFUSABLE}, /* b + Cyrillic a + sh */
        {"/opt/\xd0\xbf\xd1\x80\xd0\xbe\xd0\xb3\xd1\x80\xd0\xb0\xd0\xbc\xd0\xbc\xd0\xb0-x", "x",
         "x", 0},
        {"/opt/\xe5\x8f\xb0\xe5\xb8\xb3.sh", "x", "x", 0}, /* Japanese */
        {"/opt/\xef\xbc\xa1\xef\xbc\xa2.sh", "x", "x", 0}, /* full width */
        {"/home/a/\xe8\xab\x8b\xe6\xb1\x82\xe6\x9b\xb8.pdf", "x", "x", HM_MASQUERADE_DOCUMENT},
        {"/home/a/notes.txt.sh", "x", "x", 0},
        {"/tmp/...", "x", "x", HM_MASQUERADE_DOTS},
        {"/tmp/.. ", "x", "x", HM_MASQUERADE_DOTS | HM_MASQUERADE_INVISIBLE},
        {"/tmp/.hidden", "x", "x", 0},
        {"", "", "", 0},
        {"/tmp/\xff\xfe\xf0\x9f", "x", "x", 0},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        unsigned got = hm_masquerade(hm_slice_str(rows[i].path), hm_slice_str(rows[i].line),
                                     hm_slice_str(rows[i].comm));
        if (got != rows[i].want)
            fail_msg("%zu %s: %x, not %x", i, rows[i].path, got, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ancestors_are_named_to_rules_and_in_evidence_only),
        cmocka_unit_test(root_from_nowhere_is_noticed_and_inherited),
        cmocka_unit_test(program_written_by_its_own_tree_is_told_apart),
        cmocka_unit_test(a_late_write_journals_nothing_twice),
        cmocka_unit_test(deceiving_names_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
