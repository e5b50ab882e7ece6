/* api's half of a hunt: checks the query, takes the snapshot, starts the worker. Runs in api's
 * process, so it opens what the worker may read and passes nothing else on. */
#include "server/hunt/hunt.h"
#include "server/core/control_core.h"
#include "server/core/limits.h"
#include "server/core/record.h"
#include "server/hunt/spec.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char **environ;

/* 1 to 16 hex digits and then `end`; *p moves behind it. */
static bool take_hex(const char **p, char end, uint64_t *ret)
{
    uint64_t v = 0;
    int n = 0;
    for (; isxdigit((unsigned char)**p) && n < 16; n++, ++*p)
        v = v << 4 | (uint64_t)(**p <= '9' ? **p - '0' : (**p | 0x20) - 'a' + 10);
    if (n == 0 || **p != end)
        return false;
    *p += end != 0;
    *ret = v;
    return true;
}

static int parse_page(const char *before, struct hm_msg_hunt_spec *m)
{
    if (!before || !before[0])
        return 0;
    if (!take_hex(&before, '-', &m->page_time) || !take_hex(&before, '-', &m->page_epoch) ||
        !take_hex(&before, 0, &m->page_seq))
        return -EINVAL;
    m->paged = 1;
    return 0;
}

static int check(const struct hm_hunt_query *q, struct hm_msg_hunt_spec *m, struct hm_error *err)
{
    if (!hm_tenant_valid(hm_slice_str(q->tenant)))
        return hm_fail(err, -EINVAL, "tenant");
    if (q->limit > HM_HUNT_LIMIT_MAX)
        return hm_fail(err, -EINVAL, "limit is over %d", HM_HUNT_LIMIT_MAX);
    if (q->q && strlen(q->q) > HM_HUNT_TEXT_MAX)
        return hm_fail(err, -EINVAL, "q is longer than %d bytes", HM_HUNT_TEXT_MAX);
    if (q->to_ns && q->to_ns <= q->from_ns)
        return hm_fail(err, -EINVAL, "to is not after from");
    *m = (struct hm_msg_hunt_spec){.tenant = hm_slice_str(q->tenant),
                                   .class = q->class,
                                   .action = q->action,
                                   .process_key = q->process_key,
                                   .exact_process = q->exact_process,
                                   .q = hm_slice_str(q->q),
                                   .from_ns = q->from_ns,
                                   .to_ns = q->to_ns,
                                   .limit = q->limit ? q->limit : 100,
                                   .oldest_first = q->oldest_first};
    if (q->has_endpoint)
        m->endpoint = hm_slice(q->endpoint, HM_ID_BYTES);
    return parse_page(q->before, m) ? hm_fail(err, -EINVAL, "before is none of ours") : 0;
}

struct files {
    struct hm_buf list;
    uint32_t count;
};

static int add_file(void *ctx, const char *file, uint64_t rows)
{
    struct files *f = ctx;
    if (++f->count > HM_HUNT_FILES)
        return -E2BIG;
    if (f->list.len)
        hm_buf_put_u8(&f->list, '\n');
    hm_buf_puts(&f->list, file);
    return f->list.error;
}

/* Files and cursor in one transaction: no row is missing and none is there twice. */
static int snapshot(struct hm_control *c, struct hm_msg_hunt_spec *m, struct files *f)
{
    char tenant[HM_TENANT_MAX];
    uint64_t to = m->to_ns ? m->to_ns : INT64_MAX;
    snprintf(tenant, sizeof tenant, "%.*s", (int)m->tenant.len, (const char *)m->tenant.p);
    int r = hm_control_snapshot_begin(c);
    if (r)
        return r;
    r = hm_cursor_get(c, "store", &m->first_record);
    if (!r)
        r = hm_segment_snapshot(c, tenant, m->from_ns, to, add_file, f);
    hm_control_rollback(c);
    m->files = hm_buf_slice(&f->list);
    return r;
}

/* The worker's stdin: a file in memory, so that nobody waits for a reader. */
static int write_spec(const struct hm_msg_hunt_spec *m, int *ret_fd)
{
    hm_auto(hm_buf_done) struct hm_buf b = HM_BUF(HM_HUNT_SPEC_BYTES);
    hm_autoclose int fd = memfd_create("hunt", MFD_CLOEXEC);
    hm_msg_encode(&hm_desc_hunt_spec, m, &b);
    if (fd < 0 || b.error)
        return b.error ? b.error : -errno;
    for (size_t at = 0; at < b.len;) {
        ssize_t n = write(fd, b.data + at, b.len - at);
        if (n < 0)
            return -errno;
        at += (size_t)n;
    }
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    *ret_fd = hm_steal_fd(&fd);
    return 0;
}

static int open_store(const struct hm_hunt_paths *paths, const char *tenant, int *ret_fd)
{
    char path[4096 + HM_TENANT_MAX];
    snprintf(path, sizeof path, "%s/%s", paths->store, tenant);
    *ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_fd < 0 && errno == ENOENT) /* nothing stored yet */
        *ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return *ret_fd < 0 ? -errno : 0;
}

/* fds: 0 spec, 1 answer, 2 as it is, 3 store, 4 journal; nothing else of api's. The four are first
 * moved out of the way of their targets. */
static int spawn(const int from[4], pid_t *ret_pid)
{
    static const int to[4] = {STDIN_FILENO, STDOUT_FILENO, HM_HUNT_FD_STORE, HM_HUNT_FD_JOURNAL};
    char *argv[] = {"hinomi-server", "-p", "hunt", NULL};
    posix_spawn_file_actions_t a;
    int high[4] = {-1, -1, -1, -1}, r = posix_spawn_file_actions_init(&a);
    for (int i = 0; !r && i < 4; i++) {
        high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 16);
        r = high[i] < 0 ? errno : posix_spawn_file_actions_adddup2(&a, high[i], to[i]);
    }
    if (!r)
        r = posix_spawn_file_actions_addclosefrom_np(&a, 5);
    if (!r)
        r = posix_spawn(ret_pid, "/proc/self/exe", &a, NULL, argv, environ);
    for (int i = 0; i < 4; i++)
        if (high[i] >= 0)
            close(high[i]);
    posix_spawn_file_actions_destroy(&a);
    return -r;
}

static int run(const struct hm_hunt_paths *paths, const struct hm_msg_hunt_spec *m,
               const char *tenant, pid_t *ret_pid, int *ret_fd, struct hm_error *err)
{
    hm_autoclose int spec = -1, store = -1, answer = -1, out = -1;
    hm_autoclose int journal = open(paths->journal, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fds[2];
    if (journal < 0)
        return hm_fail(err, -errno, "%s: %s", paths->journal, strerror(errno));
    int r = write_spec(m, &spec);
    if (!r)
        r = open_store(paths, tenant, &store);
    if (!r && pipe2(fds, O_CLOEXEC) < 0)
        r = -errno;
    if (r)
        return hm_fail(err, r, "hunt: %s", strerror(-r));
    answer = fds[0];
    out = fds[1];
    if (fcntl(answer, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    r = spawn((const int[4]){spec, out, store, journal}, ret_pid);
    if (r)
        return hm_fail(err, r, "cannot start a hunt: %s", strerror(-r));
    *ret_fd = hm_steal_fd(&answer);
    return 0;
}

int hm_hunt_start(struct hm_control *c, const struct hm_hunt_paths *paths,
                  const struct hm_hunt_query *q, pid_t *ret_pid, int *ret_fd, struct hm_error *err)
{
    struct hm_msg_hunt_spec m = {0};
    struct files f = {.list = HM_BUF(HM_HUNT_SPEC_BYTES)};
    int r = check(q, &m, err);
    if (!r && (r = snapshot(c, &m, &f)))
        hm_fail(err, r, "snapshot: %s", strerror(-r));
    if (!r)
        r = run(paths, &m, q->tenant, ret_pid, ret_fd, err);
    hm_buf_done(&f.list);
    return r;
}

int hm_hunt_report_damage(struct hm_control *c, const char *tenant, const char *file)
{
    return hm_segment_suspect(c, tenant, file);
}
