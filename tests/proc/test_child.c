/* Drops, filters and Landlock, each tried from inside a child that has really gone through them.
 * The child sends one message: a line for every attempt that was wrongly allowed or refused. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <arpa/inet.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "test_proc.h"

static const struct hm_role roles[] = {
    {"drop", "_hinomi-test-none", 64391},   {"deny", "_hinomi-test-none", 64391},
    {"files", "_hinomi-test-none", 64391},  {"worker", "_hinomi-test-none", 64391},
    {"orphan", "_hinomi-test-none", 64391}, {"foreign", "_hinomi-test-none", 64391},
};

static const struct hm_role *role_named(const char *name)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(roles); i++)
        if (strcmp(roles[i].name, name) == 0)
            return &roles[i];
    return NULL;
}

/* ---- inside the child -------------------------------------------------------------------------
 */

static void want(struct hm_buf *out, bool good, const char *what)
{
    if (!good)
        hm_buf_printf(out, "%s (errno %d)\n", what, errno);
}

static void try_drop(struct hm_buf *out)
{
    char fd_path[32];
    struct rlimit core;
    want(out, getuid() == 64391 && geteuid() == 64391 && getgid() == 64391, "uid and gid");
    want(out, getgroups(0, NULL) == 0, "no groups");
    want(out, setuid(0) < 0 && setgid(0) < 0, "no way back");
    want(out, prctl(PR_GET_DUMPABLE) == 0, "not dumpable");
    want(out, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no new privileges");
    int sig = 0;
    want(out, prctl(PR_GET_PDEATHSIG, &sig) == 0 && sig == SIGKILL, "dies with its parent");
    want(out, getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0, "no core files");
    want(out, prctl(PR_CAPBSET_READ, 21, 0, 0, 0) == 0, "bounding set is empty");
    want(out, open("/etc/shadow", O_RDONLY) < 0, "cannot read a root file");
    want(out, getenv("LD_LIBRARY_PATH") == NULL && getenv("HM_SECRET") == NULL, "environment");
    for (int fd = HM_ROLE_FD + 1; fd < 64; fd++) {
        snprintf(fd_path, sizeof fd_path, "descriptor %d is open", fd);
        want(out, fcntl(fd, F_GETFD) < 0, fd_path);
    }
}

static bool refused(long r)
{
    return r < 0 && (errno == EPERM || errno == EACCES);
}

static void try_denied(struct hm_buf *out)
{
    struct iovec iov = {out, 8};
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    pid_t parent = getppid();
    want(out, refused(ptrace(PTRACE_TRACEME, 0, 0, 0)), "ptrace");
    want(out, refused(process_vm_readv(getpid(), &iov, 1, &iov, 1, 0)), "process_vm_readv");
    want(out, refused(syscall(SYS_bpf, 0, NULL, 0)), "bpf");
    want(out, refused(kill(parent, 0)), "kill of another");
    want(out, kill(getpid(), 0) == 0, "kill of itself stays");
    want(out, refused(syscall(SYS_tgkill, parent, parent, 0)), "tgkill of another");
    want(out, refused(syscall(SYS_pidfd_send_signal, -1, 0, NULL, 0)), "pidfd_send_signal");
    want(out, refused(mount("none", "/", "tmpfs", 0, NULL)), "mount");
    want(out, refused(unshare(CLONE_NEWUSER)), "unshare");
    want(out, refused(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)),
         "clone into a user namespace");
    want(out, syscall(SYS_clone3, &args, sizeof args) < 0 && errno == ENOSYS, "clone3");
    want(out, refused(syscall(SYS_keyctl, 0, 0, 0, 0, 0)), "keyctl");
    want(out, refused(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0)), "perf_event_open");
    want(out, refused(syscall(SYS_io_uring_setup, 1, NULL)), "io_uring");
    want(out, refused(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)), "becoming dumpable again");
    char *argv[] = {"true", NULL};
    want(out, refused(execve("/bin/true", argv, NULL)), "execve");
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    want(out, pid > 0 && waitpid(pid, NULL, 0) == pid, "fork stays");
}

/* allow_exec: a worker may be started, and ended through its pidfd, and still nothing else. */
static void try_worker(struct hm_buf *out)
{
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = {"sleep", "60", NULL};
        execve("/bin/sleep", argv, NULL);
        _exit(99);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int status = 0;
    usleep(50000);
    want(out, syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) == 0, "ending the worker");
    want(out, waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
         "the worker ran and ended by our signal");
    want(out, refused(kill(getppid(), 0)), "kill of another");
    want(out, refused(syscall(SYS_bpf, 0, NULL, 0)), "bpf");
}

static int connect_loopback(void)
{
    hm_autoclose int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(1)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&a, sizeof a) < 0 ? -errno : 0;
}

static bool landlock_there(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static void try_files(struct hm_buf *out, int in_fd, int out_fd)
{
    struct hm_sandbox_path paths[] = {{in_fd, false}, {out_fd, true}};
    struct hm_error err = {0};
    int abi = -1;
    want(out, hm_sandbox_files(paths, 2, false, &abi, &err) == 0, "Landlock");
    want(out, (abi > 0) == landlock_there(), "the ABI is told as it is");
    if (abi == 0)
        return; /* the parent checks that this kernel really has none */
    want(out, openat(in_fd, "in", O_RDONLY) >= 0, "reading inside");
    want(out, refused(openat(in_fd, "in", O_WRONLY)), "writing where only reading is allowed");
    want(out, refused(openat(in_fd, "new", O_CREAT | O_WRONLY, 0600)),
         "creating where only reading is");
    want(out, openat(out_fd, "new", O_CREAT | O_RDWR, 0600) >= 0, "creating inside");
    want(out, renameat(out_fd, "new", out_fd, "newer") == 0, "renaming inside");
    want(out, unlinkat(out_fd, "newer", 0) == 0, "deleting inside");
    want(out, refused(open("/etc/passwd", O_RDONLY)), "reading outside");
    want(out, refused(open("/tmp", O_RDONLY | O_DIRECTORY)), "listing outside");
    if (abi >= 4)
        want(out, connect_loopback() == -EACCES, "TCP");
    if (abi >= 6)
        want(out, refused(kill(getppid(), 0)), "signals out of the domain");
}

static int receive_fds(int fds[2])
{
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(HM_IPC_MAX_BYTES);
    struct hm_ipc_msg m;
    struct pollfd p = {HM_ROLE_FD, POLLIN, 0};
    if (poll(&p, 1, 5000) != 1 || hm_ipc_recv(HM_ROLE_FD, &b, &m) != 1 || m.fd_count != 2)
        return -1;
    fds[0] = m.fds[0];
    fds[1] = m.fds[1];
    return 0;
}

int play_role(const char *name)
{
    const struct hm_role *role = role_named(name);
    struct hm_error err = {0};
    struct hm_buf out = HM_BUF(8192);
    int fds[2] = {-1, -1};
    if (!role)
        return 2;
    if (strcmp(name, "files") == 0 && receive_fds(fds) < 0)
        return 3;
    if (hm_role_drop(role, &err) < 0)
        hm_buf_printf(&out, "drop: %s\n", err.text);
    bool worker = strcmp(name, "worker") == 0;
    if (strcmp(name, "drop") == 0)
        try_drop(&out);
    if (strcmp(name, "files") == 0)
        try_files(&out, fds[0], fds[1]);
    if (strcmp(name, "deny") == 0 || worker) {
        if (hm_sandbox_syscalls(worker, &err) < 0)
            hm_buf_printf(&out, "seccomp: %s\n", err.text);
        worker ? try_worker(&out) : try_denied(&out);
    }
    struct note m = {.id = 1, .text = hm_buf_slice(&out)};
    if (hm_ipc_send(HM_ROLE_FD, &note_desc, &m, NULL, 0) < 0)
        return 4;
    if (strcmp(name, "orphan") == 0)
        pause();
    if (strcmp(name, "foreign") == 0) { /* 32-bit getpid: number 20 of another architecture */
        if (hm_sandbox_syscalls(false, &err) < 0)
            return 5;
        int r = 20;
        __asm__ volatile("int $0x80" : "+a"(r) : : "memory");
        return 0;
    }
    _exit(0); /* no leak checker: it would need ptrace */
}

/* ---- the parent -------------------------------------------------------------------------------
 */

static struct note wait_note(int fd, struct hm_buf *b)
{
    struct hm_ipc_msg m;
    struct note n = {0};
    struct pollfd p = {fd, POLLIN, 0};
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_int_equal(hm_ipc_recv(fd, b, &m), 1);
    assert_int_equal(hm_msg_decode(&note_desc, m.payload, &n), 0);
    return n;
}

static int run_role(const char *name, const int *fds)
{
    pid_t pid;
    int pidfd, fd, status;
    struct hm_error err = {0};
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(HM_IPC_MAX_BYTES);
    if (hm_role_spawn(role_named(name), &pid, &pidfd, &fd, &err) < 0)
        fail_msg("%s", err.text);
    if (fds) {
        struct note m = {.id = 2};
        assert_int_equal(hm_ipc_send(fd, &note_desc, &m, fds, 2), 0);
    }
    struct note n = wait_note(fd, &b);
    if (n.text.len)
        fail_msg("%s: %.*s", name, (int)n.text.len, (const char *)n.text.p);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(pidfd);
    close(fd);
    return status;
}

static void dropped_child_cannot_come_back(void **state)
{
    (void)state;
    setenv("HM_SECRET", "x", 1);
    assert_int_equal(run_role("drop", NULL), 0);
}

static void filtered_child_is_denied(void **state)
{
    (void)state;
    assert_int_equal(run_role("deny", NULL), 0);
    assert_int_equal(run_role("worker", NULL), 0);
}

static void foreign_architecture_kills(void **state)
{
    (void)state;
#ifdef __x86_64__
    int status = run_role("foreign", NULL);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
#endif
}

static void confined_child_sees_two_folders(void **state)
{
    (void)state;
    char dir[] = "/tmp/hm-proc-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0755), 0);
    int fds[2] = {-1, -1};
    static const char *const names[] = {"in", "out"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_int_equal(mkdir(path, 0777), 0);
        assert_int_equal(chmod(path, 0777), 0);
        fds[i] = open(path, O_PATH | O_DIRECTORY);
    }
    int f = openat(fds[0], "in", O_CREAT | O_WRONLY, 0666);
    fchmod(f, 0666);
    close(f);
    assert_int_equal(run_role("files", fds), 0);
    unlinkat(fds[0], "in", 0);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_int_equal(rmdir(path), 0); /* and nothing was left in it */
        close(fds[i]);
    }
    rmdir(dir);
}

static void role_of_a_taken_uid_is_refused(void **state)
{
    (void)state;
    struct hm_role nobody = {"x", "_hinomi-test-none", 65534};
    struct hm_role root = {"x", "root", 0};
    assert_int_equal(hm_role_uid(&nobody), (uid_t)-1);
    assert_int_equal(hm_role_uid(&root), (uid_t)-1);
    assert_int_equal(hm_role_uid(role_named("drop")), 64391);
}

/* A supervisor that dies takes its children along, although they changed their uid since. */
static void child_dies_with_its_supervisor(void **state)
{
    (void)state;
    int report[2];
    assert_int_equal(pipe(report), 0);
    pid_t supervisor = fork();
    if (supervisor == 0) {
        pid_t pid;
        int pidfd, fd;
        struct hm_buf b = HM_BUF(HM_IPC_MAX_BYTES);
        if (hm_role_spawn(role_named("orphan"), &pid, &pidfd, &fd, NULL) < 0)
            _exit(1);
        wait_note(fd, &b); /* it has dropped */
        if (write(report[1], &pid, sizeof pid) != sizeof pid)
            _exit(1);
        pause();
    }
    pid_t child;
    assert_int_equal(read(report[0], &child, sizeof child), sizeof child);
    int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    assert_true(pidfd >= 0);
    kill(supervisor, SIGKILL);
    waitpid(supervisor, NULL, 0);
    struct pollfd p = {pidfd, POLLIN, 0};
    assert_int_equal(poll(&p, 1, 5000), 1);
    close(pidfd);
    close(report[0]);
    close(report[1]);
}

int run_child_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dropped_child_cannot_come_back),
        cmocka_unit_test(filtered_child_is_denied),
        cmocka_unit_test(foreign_architecture_kills),
        cmocka_unit_test(confined_child_sees_two_folders),
        cmocka_unit_test(role_of_a_taken_uid_is_refused),
        cmocka_unit_test(child_dies_with_its_supervisor),
    };
    return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
