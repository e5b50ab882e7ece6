/* The engine as a process: real descriptors, real drop and sandbox, messages of agent/messages.def.
 * Needs root for the drop; without it the test says so and counts as skipped. */
#include "agent/engine/key.h"
#include "agent/messages.h"
#include "agent/roles.h"
#include "agent/sensor/record.h"
#include "base/clock.h"
#include "base/log.h"
#include "journal/journal.h"
#include "child.h"
#include "rig.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <ftw.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define WAIT_MS 5000

static const char rule[] =
    "title: t\nid: 11111111-2222-4333-8444-555555555555\nstatus: test\ndescription: test\nauthor: "
    "t\n"
    "logsource: {product: linux, category: process_creation}\n"
    "detection:\n  selection:\n    Image|startswith: /tmp/\n  condition: selection\nlevel: high\n"
    "hinomi:\n  title_ja: t\n  reason: r\n  reason_ja: r\n";

static void send_exec(struct engine *g, uint32_t pid, uint64_t start_ns, const char *path,
                      uint64_t inode)
{
    _Alignas(8) uint8_t bytes[1024];
    size_t n = rig_exec_bytes(&(struct rig_exec){.pid = pid,
                                                 .start_ns = start_ns,
                                                 .boot_ns = hm_clock_boot_ns(),
                                                 .path = path,
                                                 .args = "a b",
                                                 .inode = inode},
                              bytes, sizeof bytes);
    struct hm_msg_record m = {.data = hm_slice(bytes, n)};
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_record, &m, NULL, 0), 0);
}

static void answers_beats_names_processes_and_stops_when_told(void **state)
{
    (void)state;
    struct engine *g = engine_new(NO_FDS, "/tmp", rule);
    struct hm_msg_beat beat = {.id = 77};
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_beat, &beat, NULL, 0), 0);
    beat.id = 0;
    engine_hear(g, g->fd, HM_MSG_BEAT, &hm_desc_beat, &beat);
    assert_int_equal(beat.id, 77);

    send_exec(g, 4000, 10, "/usr/bin/prog", 42);
    struct hm_msg_hash_image h;
    engine_hear(g, g->fd, HM_MSG_HASH_IMAGE, &hm_desc_hash_image, &h);
    assert_int_equal(h.pid, 4000);
    assert_int_equal(h.inode, 42);
    uint8_t sha[32] = {9};
    struct hm_msg_image_hash answer = {.id = h.id, .sha256 = hm_slice(sha, 32)};
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_image_hash, &answer, NULL, 0), 0);

    struct hm_msg_who_is q = {
        .id = 5, .process_key = hm_process_key(RIG_BOOT, 4000, 10), .tree = 1};
    struct hm_msg_know_process k;
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_who_is, &q, NULL, 0), 0);
    engine_hear(g, g->fd, HM_MSG_KNOW_PROCESS, &hm_desc_know_process, &k);
    assert_int_equal(k.pid, 4000);
    assert_int_equal(k.start_ns, 10);
    assert_int_equal(k.more, 0);
    assert_int_equal(engine_finish(g), 0);
    assert_int_equal(engine_journal(g, "bulk", HM_ACTION_AGENT_START).count, 1);
    assert_int_equal(engine_journal(g, "bulk", HM_ACTION_AGENT_SENSORS).count, 1);
    assert_int_equal(engine_journal(g, "bulk", HM_ACTION_PROCESS_EXEC).count, 1);
    assert_int_equal(engine_journal(g, "bulk", HM_ACTION_PROCESS_IMAGE).count, 1);
    assert_int_equal(engine_journal(g, "bulk", HM_ACTION_AGENT_STOP).count, 1);
    engine_free(g);
}

static void alert_is_durable_and_told_to_uplink_at_once(void **state)
{
    (void)state;
    struct engine *g = engine_new(NO_FDS, "/tmp", rule);
    struct hm_msg_durable d;
    engine_hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d); /* hello: it has started */
    uint64_t epoch = d.epoch, before = hm_clock_mono_ns();
    send_exec(g, 4001, 11, "/tmp/x", 0);
    while (engine_journal(g, "alert", HM_ACTION_FINDING_ALERT).count == 0 &&
           hm_clock_mono_ns() - before < 3000000000u)
        engine_hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
    print_message("record to durable alert: %.1f ms\n",
                  (double)(hm_clock_mono_ns() - before) / 1e6);
    assert_int_equal(engine_journal(g, "alert", HM_ACTION_FINDING_ALERT).count, 1);

    struct hm_msg_forked f = {.epoch = epoch};
    assert_int_equal(hm_ipc_send(g->uplink, &hm_desc_forked, &f, NULL, 0), 0);
    do
        engine_hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
    while (d.epoch == epoch);
    assert_int_equal(engine_finish(g), 0);
    assert_int_equal(engine_journal(g, "alert", HM_ACTION_AGENT_EPOCH).count, 1);
    engine_free(g);
}

static void new_users_have_names(void **state)
{
    (void)state;
    struct engine *g = engine_new(NO_FDS, "/tmp", rule);
    char path[] = "/tmp/hm-passwd-XXXXXX";
    hm_autoclose int fd = mkstemp(path);
    assert_int_equal(write(fd, "newcomer:x:0:0::/:/bin/sh\n", 26), 26);
    struct hm_msg_users u = {.changed_ns = 1};
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_users, &u, &fd, 1), 0);
    send_exec(g, 4010, 20, "/usr/bin/a", 0);
    struct hm_msg_beat beat = {.id = 1};
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_beat, &beat, NULL, 0), 0);
    engine_hear(g, g->fd, HM_MSG_BEAT, &hm_desc_beat, &beat);
    assert_int_equal(engine_finish(g), 0);
    assert_string_equal(engine_journal(g, "bulk", HM_ACTION_PROCESS_EXEC).user, "newcomer");
    unlink(path);
    engine_free(g);
}

static void uplink_may_break_and_come_back(void **state)
{
    (void)state;
    struct engine *g = engine_new(NO_FDS, "/tmp", rule);
    struct hm_msg_durable d;
    engine_hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
    struct hm_msg_beat wrong = {.id = 1}; /* not a message of uplink */
    assert_int_equal(hm_ipc_send(g->uplink, &hm_desc_beat, &wrong, NULL, 0), 0);
    struct pollfd p = {.fd = g->uplink, .events = POLLIN};
    struct hm_ipc_msg m;
    int r;
    do {
        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        r = hm_ipc_recv(g->uplink, &g->in, &m);
    } while (r == 1);
    assert_int_equal(r, -ECONNRESET); /* closed by the engine, which goes on */
    close(g->uplink);
    int pair[2];
    assert_int_equal(hm_ipc_pair(pair), 0);
    struct hm_msg_new_uplink n = {.restarts = 1};
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_new_uplink, &n, &pair[1], 1), 0);
    close(pair[1]);
    g->uplink = pair[0];
    engine_hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
    assert_int_equal(engine_finish(g), 0);
    engine_free(g);
}

static void killed_engine_goes_on_where_it_stopped(void **state)
{
    (void)state;
    struct engine *g = engine_new(NO_FDS, "/tmp", rule);
    struct hm_msg_durable d;
    engine_hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
    send_exec(g, 4002, 12, "/usr/bin/a", 0);
    while (engine_journal(g, "bulk", HM_ACTION_PROCESS_EXEC).count == 0)
        usleep(20000);
    uint64_t epoch = d.epoch;
    struct hm_msg_beat beat = {.id = 1};
    send_exec(g, 4003, 13, "/usr/bin/b", 0);
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_beat, &beat, NULL, 0), 0);
    engine_hear(g, g->fd, HM_MSG_BEAT, &hm_desc_beat, &beat); /* the record before it was taken */
    assert_int_equal(kill(g->pid, SIGKILL), 0);
    engine_finish(g);
    uint64_t kept = engine_journal(g, "bulk", HM_ACTION_PROCESS_EXEC).count;
    engine_start(g, NO_FDS, "/tmp");
    engine_hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
    assert_int_equal(d.epoch, epoch);
    assert_int_equal(engine_finish(g), 0);
    /* the second is in the journal, or the ledger says that one is missing */
    assert_int_equal(kept - 1 + engine_journal(g, "bulk", HM_ACTION_LOSS_QUEUE).count, 1);
    engine_free(g);
}

/* rules.policy beside the rules is read by the engine itself, in its sandbox. */
static void a_rule_that_the_policy_names_is_off(void **state)
{
    (void)state;
    static const char policy[] = "off=11111111-2222-4333-8444-555555555555\n";
    struct engine *g = engine_new(NO_FDS, "/tmp", rule);
    struct hm_msg_durable d;
    engine_hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
    assert_int_equal(engine_finish(g), 0);
    assert_int_equal(engine_journal(g, "alert", HM_ACTION_AGENT_RULE_COST).count, 0);
    char path[128];
    snprintf(path, sizeof path, "%s/rules/rules.policy", g->dir);
    hm_autoclose int fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_int_equal(write(fd, policy, sizeof policy - 1), (ssize_t)sizeof policy - 1);
    engine_start(g, NO_FDS, "/tmp");
    struct hm_msg_beat beat = {.id = 1};
    send_exec(g, 4100, 30, "/tmp/x", 0);
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_beat, &beat, NULL, 0), 0);
    engine_hear(g, g->fd, HM_MSG_BEAT, &hm_desc_beat, &beat);
    assert_int_equal(engine_finish(g), 0);
    assert_int_equal(engine_journal(g, "alert", HM_ACTION_AGENT_RULE_COST).count, 1);
    assert_int_equal(engine_journal(g, "alert", HM_ACTION_FINDING_ALERT).count, 0);
    engine_free(g);
}

/* A real fanotify group on a tmpfs in a mount namespace of our own. */
static void real_fanotify_events_get_their_paths(void **state)
{
    (void)state;
    char dir[] = "/tmp/hm-engine-fs-XXXXXX", path[128];
    assert_non_null(mkdtemp(dir));
    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    assert_int_equal(mount("tmpfs", dir, "tmpfs", 0, "size=1m"), 0);
    int fan = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME |
                                FAN_REPORT_FID | FAN_REPORT_TARGET_FID,
                            O_RDONLY);
    assert_true(fan >= 0);
    assert_int_equal(fanotify_mark(fan, FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
                                   FAN_CREATE | FAN_DELETE | FAN_CLOSE_WRITE | FAN_ATTRIB |
                                       FAN_ONDIR | FAN_RENAME,
                                   AT_FDCWD, dir),
                     0);
    struct engine *g = engine_new((struct engine_fds){-1, -1, -1, fan}, dir, rule);
    snprintf(path, sizeof path, "%s/new", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/new/file", dir);
    hm_autoclose int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(hm_steal_fd(&fd));
    struct hm_msg_resolve_dir q;
    engine_hear(g, g->fd, HM_MSG_RESOLVE_DIR, &hm_desc_resolve_dir,
                &q); /* the root only: the rest it learns */
    struct hm_msg_dir_path a = {.id = q.id, .path = hm_slice_str(dir)};
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_dir_path, &a, NULL, 0), 0);
    struct found f;
    for (int i = 0; i < 100 && (f = engine_journal(g, "bulk", HM_ACTION_FILE_WRITE)).count == 0;
         i++)
        usleep(50000);
    assert_string_equal(f.text, path);
    assert_int_equal(engine_finish(g), 0);
    close(fan);
    umount(dir);
    rmdir(dir);
    engine_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_beats_names_processes_and_stops_when_told),
        cmocka_unit_test(alert_is_durable_and_told_to_uplink_at_once),
        cmocka_unit_test(new_users_have_names),
        cmocka_unit_test(a_rule_that_the_policy_names_is_off),
        cmocka_unit_test(uplink_may_break_and_come_back),
        cmocka_unit_test(killed_engine_goes_on_where_it_stopped),
        cmocka_unit_test(real_fanotify_events_get_their_paths),
    };
    if (geteuid() != 0) {
        fprintf(stderr, "skipped: dropping to another user needs root\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
