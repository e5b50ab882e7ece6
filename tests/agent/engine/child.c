#include "child.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define WAIT_MS 5000

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
    for (int fd = HM_ROLE_FD + 1; fd < 256; fd++)
        close(fd);
    hm_log_init("engine", 2);
    _exit(hm_engine_main());
}

static int list_of_descriptors(const struct engine_fds *f, int journal, int rules, int uplink,
                               int *fds, uint64_t *mask)
{
    const int all[] = {f->ring, f->args_ring, f->counters, f->fanotify, journal, rules, uplink};
    int n = 0;
    *mask = 0;
    for (size_t i = 0; i < HM_ARRAY_LEN(all); i++) {
        if (all[i] < 0)
            continue;
        fds[n++] = all[i];
        *mask |= 1u << i;
    }
    return n;
}

void engine_start(struct engine *g, struct engine_fds f, const char *policy)
{
    int pair[2], link[2], fds[HM_IPC_MAX_FDS];
    uint8_t endpoint[16] = {1, 2, 3};
    uint64_t mask;
    hm_autoclose int journal =
        sub(g->dir, "journal", hm_role_uid(&hm_agent_roles[HM_AGENT_ENGINE]));
    hm_autoclose int rules = sub(g->dir, "rules", 0);
    assert_int_equal(hm_ipc_pair(pair), 0);
    assert_int_equal(hm_ipc_pair(link), 0);
    g->pid = spawn(pair[1]);
    assert_true(g->pid > 0);
    close(pair[1]);
    g->fd = pair[0];
    g->uplink = link[0];
    int n = list_of_descriptors(&f, journal, rules, link[1], fds, &mask);
    struct hm_msg_engine_start s = {.endpoint = hm_slice(endpoint, 16),
                                    .boot = CHILD_BOOT,
                                    .agent_version = hm_slice_str("0.1"),
                                    .policy_paths = hm_slice_str(policy),
                                    .sensors = hm_slice_str("{\"tier\":1}"),
                                    .quota_bytes = 256 << 20,
                                    .fds = mask};
    assert_int_equal(hm_ipc_send(g->fd, &hm_desc_engine_start, &s, fds, n), 0);
    close(link[1]);
}

struct engine *engine_new(struct engine_fds fds, const char *policy, const char *rule)
{
    struct engine *g = calloc(1, sizeof *g);
    assert_non_null(g);
    snprintf(g->dir, sizeof g->dir, "/tmp/hm-engine-XXXXXX");
    assert_non_null(mkdtemp(g->dir));
    assert_int_equal(chmod(g->dir, 0755), 0);
    g->in = HM_BUF(HM_IPC_MAX_BYTES);
    hm_autoclose int rules = sub(g->dir, "rules", 0);
    hm_autoclose int file = openat(rules, "rule.yml", O_WRONLY | O_CREAT, 0644);
    assert_int_equal(write(file, rule, strlen(rule)), (ssize_t)strlen(rule));
    engine_start(g, fds, policy);
    return g;
}

int engine_finish(struct engine *g)
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

void engine_free(struct engine *g)
{
    nftw(g->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    hm_buf_done(&g->in);
    free(g);
}

void engine_hear(struct engine *g, int fd, uint16_t number, const struct hm_msg_desc *d, void *ret)
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

static void remember(struct found *f, const struct hm_event *e)
{
    bool file = hm_event_has(e, HM_F_FILE_PATH);
    struct hm_slice s = hm_event_str(e, file ? HM_F_FILE_PATH : HM_F_PROCESS_COMMAND_LINE);
    struct hm_slice user = hm_event_str(e, HM_F_USER_NAME);
    snprintf(f->user, sizeof f->user, "%.*s", (int)user.len, (const char *)user.p);
    f->count++;
    f->boot_ns = hm_event_u64(e, HM_F_BOOT_NS);
    if (s.len > f->longest)
        f->longest = s.len;
    if (s.len < sizeof f->text)
        snprintf(f->text, sizeof f->text, "%.*s", (int)s.len, (const char *)s.p);
}

static int look(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    struct found *f = ctx;
    uint64_t seq = hm_event_u64(e, HM_F_SEQ);
    (void)canonical;
    f->gaps += f->all > 0 && seq != f->last_seq + 2;
    f->last_seq = seq;
    f->all++;
    if (hm_event_u64(e, HM_F_CLASS) == HM_CLASS_LOSS)
        f->losses += hm_event_u64(e, HM_F_LOSS_COUNT);
    if (hm_event_u64(e, HM_F_ACTION) == f->action)
        remember(f, e);
    return 0;
}

struct found engine_journal(struct engine *g, const char *lane, uint64_t action)
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
