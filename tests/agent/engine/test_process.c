/* The engine as a process: real descriptors, real drop and sandbox, messages of agent/messages.def.
 * Needs root for the drop; without it the test says so and counts as skipped. */
#include "agent/engine/key.h"
#include "agent/messages.h"
#include "agent/roles.h"
#include "agent/sensor/record.h"
#include "base/clock.h"
#include "base/log.h"
#include "journal/journal.h"
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

struct engine {
    char dir[64];
    int fd, uplink;
    pid_t pid;
    struct hm_buf in;
};

static const char rule[] =
    "title: t\nid: 11111111-2222-4333-8444-555555555555\nstatus: test\ndescription: test\nauthor: "
    "t\n"
    "logsource: {product: linux, category: process_creation}\n"
    "detection:\n  selection:\n    Image|startswith: /tmp/\n  condition: selection\nlevel: high\n"
    "hinomi:\n  title_ja: t\n  reason: r\n  reason_ja: r\n";

static int sub(const char *dir, const char *name, uid_t uid)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (mkdir(path, 0755) < 0)
        assert_int_equal(errno, EEXIST);
    assert_int_equal(chown(path, uid, (gid_t)-1), 0);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static pid_t spawn(int child_end)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    if (dup2(child_end, HM_ROLE_FD) < 0)
        _exit(99);
    for (int fd = HM_ROLE_FD + 1; fd < 64; fd++)
        close(fd);
    hm_log_init("engine", 2);
    _exit(hm_engine_main());
}

static void start(struct engine *g, int fanotify, const char *policy)
{
    int pair[2], link[2], fds[4];
    uint8_t endpoint[16] = {1, 2, 3};
    int n = 0;
    hm_autoclose int journal =
        sub(g->dir, "journal", hm_role_uid(&hm_agent_roles[HM_AGENT_ENGINE]));
    hm_autoclose int rules = sub(g->dir, "rules", 0);
    hm_autoclose int file = openat(rules, "rule.yml", O_WRONLY | O_CREAT, 0644);
    assert_int_equal(write(file, rule, sizeof rule - 1), sizeof rule - 1);
    assert_int_equal(hm_ipc_pair(pair), 0);
    assert_int_equal(hm_ipc_pair(link), 0);
    g->pid = spawn(pair[1]);
    assert_true(g->pid > 0);
    close(pair[1]);
    g->fd = pair[0];
    g->uplink = link[0];
    if (fanotify >= 0)
        fds[n++] = fanotify;
    fds[n++] = journal;
    fds[n++] = rules;
    fds[n++] = link[1];
    struct hm_msg_engine_start s = {.endpoint = hm_slice(endpoint, 16),
                                    .boot = RIG_BOOT,
                                    .agent_version = hm_slice_str("0.1"),
                                    .policy_paths = hm_slice_str(policy),
                                    .sensors = hm_slice_str("{\"tier\":1}"),
                                    .quota_bytes = 8 << 20,
                                    .fds = (fanotify >= 0 ? 8 : 0) | 16 | 32 | 64};
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_engine_start, &s, fds, n), 0);
    close(link[1]);
}

static struct engine *engine_new(int fanotify, const char *policy)
{
    struct engine *g = calloc(1, sizeof *g);
    snprintf(g->dir, sizeof g->dir, "/tmp/hm-engine-XXXXXX");
    assert_non_null(mkdtemp(g->dir));
    assert_int_equal(chmod(g->dir, 0755), 0);
    g->in = HM_BUF(HM_IPC_MAX_BYTES);
    start(g, fanotify, policy);
    return g;
}

static int finish(struct engine *g)
{
    int status = -1;
    close(g->fd);
    close(g->uplink);
    assert_int_equal(waitpid(g->pid, &status, 0), g->pid);
    return status;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

static void engine_free(struct engine *g)
{
    nftw(g->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    hm_buf_done(&g->in);
    free(g);
}

/* The next message with this number; others before it are passed by. */
static void hear(struct engine *g, int fd, uint16_t number, const struct hm_msg_desc *d, void *ret)
{
    uint64_t end = hm_clock_mono_ns() + WAIT_MS * UINT64_C(1000000);
    while (hm_clock_mono_ns() < end) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        struct hm_ipc_msg m;
        poll(&p, 1, 50);
        int r = hm_ipc_recv(fd, &g->in, &m);
        assert_true(r >= 0);
        if (r == 1 && m.number == number) {
            assert_int_equal(hm_msg_decode(d, m.payload, ret), 0);
            return;
        }
    }
    fail_msg("no message %u in %d ms", number, WAIT_MS);
}

struct found {
    uint64_t action, count;
    char text[256]; /* file path of the last one */
};

static int look(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    struct found *f = ctx;
    (void)canonical;
    if (hm_event_u64(e, HM_F_ACTION) != f->action)
        return 0;
    f->count++;
    struct hm_slice s = hm_event_str(e, HM_F_FILE_PATH);
    if (s.len && s.len < sizeof f->text)
        snprintf(f->text, sizeof f->text, "%.*s", (int)s.len, (const char *)s.p);
    return 0;
}

static struct found in_journal(struct engine *g, const char *lane, uint64_t action)
{
    char path[128];
    struct found f = {.action = action};
    struct hm_log_reader *reader = NULL;
    struct hm_buf raw = HM_BUF(HM_BATCH_MAX_BYTES * 4);
    struct hm_slice batch;
    uint64_t number;
    snprintf(path, sizeof path, "%s/journal/%s", g->dir, lane);
    assert_int_equal(hm_log_reader_open(path, &reader, NULL), 0);
    (void)!hm_log_reader_seek(reader, 0);
    while (hm_log_reader_next(reader, &number, &batch) == 1)
        assert_int_equal(hm_batch_each(batch, &raw, look, &f), 0);
    hm_log_reader_close(reader);
    hm_buf_done(&raw);
    return f;
}

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
    struct engine *g = engine_new(-1, "/tmp");
    struct hm_msg_beat beat = {.id = 77};
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_beat, &beat, NULL, 0), 0);
    beat.id = 0;
    hear(g, g->fd, HM_MSG_BEAT, &hm_desc_beat, &beat);
    assert_int_equal(beat.id, 77);

    send_exec(g, 4000, 10, "/usr/bin/prog", 42);
    struct hm_msg_hash_image h;
    hear(g, g->fd, HM_MSG_HASH_IMAGE, &hm_desc_hash_image, &h);
    assert_int_equal(h.pid, 4000);
    assert_int_equal(h.inode, 42);
    uint8_t sha[32] = {9};
    struct hm_msg_image_hash answer = {.id = h.id, .sha256 = hm_slice(sha, 32)};
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_image_hash, &answer, NULL, 0), 0);

    struct hm_msg_who_is q = {
        .id = 5, .process_key = hm_process_key(RIG_BOOT, 4000, 10), .tree = 1};
    struct hm_msg_know_process k;
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_who_is, &q, NULL, 0), 0);
    hear(g, g->fd, HM_MSG_KNOW_PROCESS, &hm_desc_know_process, &k);
    assert_int_equal(k.pid, 4000);
    assert_int_equal(k.start_ns, 10);
    assert_int_equal(k.more, 0);
    assert_int_equal(finish(g), 0);
    assert_int_equal(in_journal(g, "bulk", HM_ACTION_AGENT_START).count, 1);
    assert_int_equal(in_journal(g, "bulk", HM_ACTION_AGENT_SENSORS).count, 1);
    assert_int_equal(in_journal(g, "bulk", HM_ACTION_PROCESS_EXEC).count, 1);
    assert_int_equal(in_journal(g, "bulk", HM_ACTION_PROCESS_IMAGE).count, 1);
    assert_int_equal(in_journal(g, "bulk", HM_ACTION_AGENT_STOP).count, 1);
    engine_free(g);
}

static void alert_is_durable_and_told_to_uplink_at_once(void **state)
{
    (void)state;
    struct engine *g = engine_new(-1, "/tmp");
    struct hm_msg_durable d;
    hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d); /* hello: it has started */
    uint64_t epoch = d.epoch, before = hm_clock_mono_ns();
    send_exec(g, 4001, 11, "/tmp/x", 0);
    while (in_journal(g, "alert", HM_ACTION_FINDING_ALERT).count == 0 &&
           hm_clock_mono_ns() - before < 3000000000u)
        hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
    print_message("record to durable alert: %.1f ms\n",
                  (double)(hm_clock_mono_ns() - before) / 1e6);
    assert_int_equal(in_journal(g, "alert", HM_ACTION_FINDING_ALERT).count, 1);

    struct hm_msg_forked f = {.epoch = epoch};
    assert_int_equal(hm_ipc_send(g->uplink, &hm_desc_forked, &f, NULL, 0), 0);
    do
        hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
    while (d.epoch == epoch);
    assert_int_equal(finish(g), 0);
    assert_int_equal(in_journal(g, "alert", HM_ACTION_AGENT_EPOCH).count, 1);
    engine_free(g);
}

static void uplink_may_break_and_come_back(void **state)
{
    (void)state;
    struct engine *g = engine_new(-1, "/tmp");
    struct hm_msg_durable d;
    hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
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
    hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
    assert_int_equal(finish(g), 0);
    engine_free(g);
}

static void killed_engine_goes_on_where_it_stopped(void **state)
{
    (void)state;
    struct engine *g = engine_new(-1, "/tmp");
    struct hm_msg_durable d;
    hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
    send_exec(g, 4002, 12, "/usr/bin/a", 0);
    while (in_journal(g, "bulk", HM_ACTION_PROCESS_EXEC).count == 0)
        usleep(20000);
    uint64_t epoch = d.epoch;
    struct hm_msg_beat beat = {.id = 1};
    send_exec(g, 4003, 13, "/usr/bin/b", 0);
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_beat, &beat, NULL, 0), 0);
    hear(g, g->fd, HM_MSG_BEAT, &hm_desc_beat, &beat); /* the record before it was taken */
    assert_int_equal(kill(g->pid, SIGKILL), 0);
    finish(g);
    uint64_t kept = in_journal(g, "bulk", HM_ACTION_PROCESS_EXEC).count;
    start(g, -1, "/tmp");
    hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
    assert_int_equal(d.epoch, epoch);
    assert_int_equal(finish(g), 0);
    /* the second is in the journal, or the ledger says that one is missing */
    assert_int_equal(kept - 1 + in_journal(g, "bulk", HM_ACTION_LOSS_QUEUE).count, 1);
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
    struct engine *g = engine_new(fan, dir);
    snprintf(path, sizeof path, "%s/new", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/new/file", dir);
    hm_autoclose int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(hm_steal_fd(&fd));
    struct hm_msg_resolve_dir q;
    hear(g, g->fd, HM_MSG_RESOLVE_DIR, &hm_desc_resolve_dir,
         &q); /* the root only: the rest it learns */
    struct hm_msg_dir_path a = {.id = q.id, .path = hm_slice_str(dir)};
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_dir_path, &a, NULL, 0), 0);
    struct found f;
    for (int i = 0; i < 100 && (f = in_journal(g, "bulk", HM_ACTION_FILE_WRITE)).count == 0; i++)
        usleep(50000);
    assert_string_equal(f.text, path);
    assert_int_equal(finish(g), 0);
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
