/* The role `content`: takes jobs from core one at a time and forks a process for each. Owns the
 * confinement, the limits of a job and that its end is always told; job.c does the work. */
#include "server/content/content.h"
#include "server/roles.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct content {
    int core, rules_fd, feeds_fd, dir_fd; /* -1: not there */
    pid_t pid;                            /* of the job under way; 0 none */
    int pidfd;
    uint64_t job;
    struct hm_buf in;
};

static void close_fds(const struct hm_ipc_msg *m)
{
    for (int i = 0; i < m->fd_count; i++)
        close(m->fds[i]);
}

/* ---- in the job's process ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
    (void)st;
    (void)kind;
    if (f->level > 0 && remove(path) < 0)
        hm_debug("%s: %s", path, strerror(errno));
    return 0;
}

/* The role's folder is the present one. */
static int fresh_folder(void)
{
    if (nftw("work", remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
        return -errno;
    if (mkdir("work", 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = open("work", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

static void set_limits(void)
{
    struct rlimit memory = {(rlim_t)HM_CONTENT_JOB_MIB << 20, (rlim_t)HM_CONTENT_JOB_MIB << 20};
    if (setrlimit(RLIMIT_AS, &memory) < 0)
        hm_warn("no limit on a job's memory: %s", strerror(errno));
    alarm(HM_CONTENT_JOB_S);
}

static void run_job(const struct content *s, const struct hm_msg_content_job *ask,
                    const struct hm_ipc_msg *m)
{
    struct hm_buf report = HM_BUF(HM_CONTENT_REPORT_MAX);
    struct hm_error err = {0};
    struct hm_content_job j = {.ask = ask, .rules_fd = s->rules_fd, .feeds_fd = s->feeds_fd};
    int body = -1, next = 0;
    set_limits();
    for (int i = 0; i < HM_CONTENT_FDS; i++)
        j.fds[i] = ask->fds >> i & 1 && next < m->fd_count ? m->fds[next++] : -1;
    j.work_fd = fresh_folder();
    struct hm_msg_content_done done = {.id = ask->id, .code = HM_CONTENT_REFUSED};
    if (j.work_fd < 0)
        hm_fail(&err, j.work_fd, "no scratch folder: %s", strerror(-j.work_fd));
    else
        done.code = hm_content_run(&j, &body, &report, &err);
    done.text = hm_slice_str(err.text);
    done.report = hm_buf_slice(&report);
    int r = hm_ipc_send(s->core, &hm_desc_content_done, &done, &body, body >= 0);
    if (r)
        hm_err("core did not take the result: %s", strerror(-r));
    _exit(r ? 1 : 0);
}

/* ---- in the role ---- */

static void tell_failed(struct content *s, uint64_t id, const char *why)
{
    struct hm_msg_content_done done = {
        .id = id, .code = HM_CONTENT_REFUSED, .text = hm_slice_str(why)};
    if (s->core >= 0 && hm_ipc_send(s->core, &hm_desc_content_done, &done, NULL, 0))
        hm_warn("core did not take an answer");
}

static void job_ended(struct content *s)
{
    siginfo_t si = {0};
    char why[96];
    if (waitid(P_PIDFD, (id_t)s->pidfd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
        return;
    close(s->pidfd);
    s->pidfd = -1;
    s->pid = 0;
    if (si.si_code == CLD_EXITED && si.si_status == 0)
        return; /* it has told */
    if (si.si_code != CLD_EXITED && si.si_status == SIGALRM)
        snprintf(why, sizeof why, "it took longer than %d s", HM_CONTENT_JOB_S);
    else
        snprintf(why, sizeof why, "its process ended with %s %d",
                 si.si_code == CLD_EXITED ? "code" : "signal", si.si_status);
    hm_warn("job %llu: %s", (unsigned long long)s->job, why);
    tell_failed(s, s->job, why);
}

static void begin_job(struct content *s, const struct hm_ipc_msg *m)
{
    struct hm_msg_content_job ask;
    if (m->number != HM_MSG_CONTENT_JOB || hm_msg_decode(&hm_desc_content_job, m->payload, &ask) ||
        __builtin_popcountll(ask.fds) != m->fd_count || ask.fds >> HM_CONTENT_FDS ||
        ask.layer.len > HM_CONTENT_LAYER_MAX) {
        hm_warn("core sent what is no job");
        return;
    }
    s->job = ask.id;
    pid_t pid = fork();
    if (pid == 0)
        run_job(s, &ask, m);
    s->pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    s->pid = pid > 0 ? pid : 0;
    if (s->pidfd < 0)
        tell_failed(s, ask.id, "no process for it");
}

static void on_core(struct content *s)
{
    struct hm_ipc_msg m;
    int r = hm_ipc_recv(s->core, &s->in, &m);
    if (r > 0) {
        begin_job(s, &m);
        close_fds(&m);
    } else if (r < 0) {
        close(s->core);
        s->core = -1;
    }
}

/* False: the supervisor wants us to stop. */
static bool on_supervisor(struct content *s)
{
    struct hm_ipc_msg m;
    int r = hm_ipc_recv(HM_ROLE_FD, &s->in, &m);
    if (r <= 0)
        return r == 0;
    if (m.number == HM_MSG_PEER && m.fd_count == 1) {
        if (s->core >= 0)
            close(s->core);
        s->core = m.fds[0];
    } else {
        close_fds(&m);
    }
    return true;
}

/* While a job runs core's next one waits in the socket. */
static void serve(struct content *s)
{
    for (;;) {
        struct pollfd p[3] = {{.fd = HM_ROLE_FD, .events = POLLIN},
                              {.fd = s->pid ? -1 : s->core, .events = POLLIN},
                              {.fd = s->pid ? s->pidfd : -1, .events = POLLIN}};
        if (poll(p, 3, -1) < 0 && errno != EINTR)
            return;
        if (p[0].revents && !on_supervisor(s))
            return;
        if (p[1].revents && p[1].fd == s->core)
            on_core(s);
        if (p[2].revents)
            job_ended(s);
    }
}

/* A folder that does not exist was handed over as something else. */
static void allow_folder(int *fd, struct hm_sandbox_path *paths, size_t *n)
{
    struct stat st;
    if (fstat(*fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        paths[(*n)++] = (struct hm_sandbox_path){*fd, false};
    } else {
        close(*fd);
        *fd = -1;
    }
}

/* Feeds need the resolver and the certificates of this machine. */
static int confine(struct content *s, const char *state, struct hm_error *err)
{
    static const char *const needed[] = {"/etc", "/lib", "/usr/lib", "/run", "/usr/share"};
    struct hm_sandbox_path paths[3 + HM_ARRAY_LEN(needed)];
    char dir[HM_CONFIG_VALUE_MAX + 16];
    size_t n = 0;
    int abi = 0;
    snprintf(dir, sizeof dir, "%s/content", state);
    s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0 || fchdir(s->dir_fd) < 0)
        return hm_fail(err, -errno, "%s: %s", dir, strerror(errno));
    paths[n++] = (struct hm_sandbox_path){s->dir_fd, true};
    allow_folder(&s->rules_fd, paths, &n);
    allow_folder(&s->feeds_fd, paths, &n);
    for (size_t i = 0; i < HM_ARRAY_LEN(needed); i++) {
        int fd = open(needed[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
            paths[n++] = (struct hm_sandbox_path){fd, false};
    }
    int r = hm_sandbox_files(paths, n, true, &abi, err);
    if (!r && abi == 0)
        hm_warn("this kernel has no Landlock: files are guarded by the uid alone");
    return r ? r : hm_sandbox_syscalls(false, err);
}

int hm_content_main(int argc, char **argv)
{
    struct hm_role_boot boot;
    struct hm_error err = {0};
    struct content s = {.core = -1,
                        .rules_fd = -1,
                        .feeds_fd = -1,
                        .dir_fd = -1,
                        .pidfd = -1,
                        .in = HM_BUF(HM_IPC_MAX_BYTES)};
    (void)argc;
    (void)argv;
    int r = hm_role_begin(HM_ROLE_CONTENT, &boot, &err);
    if (!r && boot.fd_count != 2)
        r = hm_fail(&err, -EBADMSG, "no folders of rules and feeds");
    if (!r) {
        s.rules_fd = boot.fds[0];
        s.feeds_fd = boot.fds[1];
        r = confine(&s, boot.config.state, &err);
    }
    if (r) {
        hm_err("cannot start: %s", err.text[0] ? err.text : strerror(-r));
        return 1;
    }
    serve(&s);
    hm_buf_done(&s.in);
    return 0;
}
