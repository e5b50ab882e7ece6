/* Behaviours of execution: arguments, environment, scripts, memfd, deleted and setuid files,
 * standard descriptors, 32-bit system calls. */
#include "behaviour.h"
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

static pid_t spawn(struct world *w, const char *path, char *const argv[], char *const env[])
{
    pid_t p = fork();
    if (p == 0) {
        execve(path, argv, env);
        _exit(126);
    }
    w->note->pid[0] = p;
    wait_for(p);
    return p;
}

static char *const no_env[] = {NULL};

static void act_arguments(struct world *w)
{
    char *argv[] = {"true", "one", "two words", "", "four", NULL};
    char *env[] = {"HOME=/secret",
                   "LD_LIBRARY_PATH=/nowhere",
                   "TOKEN=LD_PRELOAD=/evil",
                   "LD_PRELOAD=",
                   "BASH_ENV=/x",
                   NULL};
    int pipes[2], file = open("/bin/true", O_RDONLY), null = open("/dev/null", O_RDWR);
    if (pipe(pipes) < 0 || chdir("/usr/bin") < 0)
        _exit(124);
    dup2(null, 0);
    dup2(pipes[1], 1);
    dup2(file, 2);
    spawn(w, "../../bin/true", argv, env);
}

static void check_arguments(struct world *w)
{
    static const char args[] = "true\0one\0two words\0\0four",
                      env[] = "LD_LIBRARY_PATH=/nowhere\0LD_PRELOAD=\0BASH_ENV=/x";
    const struct hm_rec_exec *e = exec_of(w, w->note->pid[0], 0);
    struct stat st;
    char real[4096];
    expect_exactly(w, "exec 1 fork 1 exit 2");
    expect_str(w, "args", e, e->args, args, sizeof args);
    expect_str(w, "env", e, e->env, env, sizeof env);
    EXPECT_STR(w, e, filename, "../../bin/true");
    EXPECT_STR(w, e, cwd, "/usr/bin");
    EXPECT_STR(w, e, path, realpath("/bin/true", real) ? real : "?");
    EXPECT(w, e->argc == 5 && e->args_total == sizeof args, "argc %u, %u bytes", e->argc,
           e->args_total);
    EXPECT(w, e->interp.len == 0 && e->proc_flags == 0, "flags 0x%x", e->proc_flags);
    EXPECT(w, stat("/bin/true", &st) == 0, "stat");
    EXPECT(w, e->inode == st.st_ino && e->size == (uint64_t)st.st_size && e->mode == st.st_mode,
           "inode");
    EXPECT(w,
           e->dev == ((minor(st.st_dev) & 0xff) | major(st.st_dev) << 8 |
                      (minor(st.st_dev) & ~0xffu) << 12),
           "dev 0x%x", e->dev);
    EXPECT(w,
           e->mtime_ns == (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec,
           "mtime");
    EXPECT(w,
           e->stdio[0] == HM_STDIO_OTHER && e->stdio[1] == HM_STDIO_PIPE &&
               e->stdio[2] == HM_STDIO_FILE,
           "standard descriptors %u %u %u", e->stdio[0], e->stdio[1], e->stdio[2]);
    EXPECT(w, e->h.uid == 0 && e->h.ppid == (uint32_t)w->actor && memcmp(e->h.comm, "true", 5) == 0,
           "identity");
    EXPECT(w, e->h.ns_mnt && e->h.ns_pid && e->h.ns_net, "name spaces");
    EXPECT(w,
           strncmp((const char *)hm_record_str(&e->h, e->cgroup).p, "hinomi-behaviour-", 17) == 0,
           "cgroup name");
}

static char *filled(size_t len)
{
    char *p = malloc(len + 1);
    for (size_t i = 0; i < len; i++)
        p[i] = (char)('a' + i % 26);
    p[len] = 0;
    return p;
}

static void act_long(struct world *w)
{
    char *argv[] = {"true", filled(32768 - 6), NULL}; /* "true" NUL … NUL: exactly 32 KiB */
    spawn(w, "/bin/true", argv, no_env);
    w->note->pid[1] = w->note->pid[0];
    argv[1] = filled(100000);
    spawn(w, "/bin/true", argv, no_env);
    argv[1] = filled(4096 - 6);
    w->note->pid[2] = w->note->pid[0];
    spawn(w, "/bin/true", argv, no_env);
}

static void check_long(struct world *w)
{
    const struct hm_rec_exec *whole = exec_of(w, w->note->pid[1], 0),
                             *cut = exec_of(w, w->note->pid[2], 0),
                             *small = exec_of(w, w->note->pid[0], 0);
    struct hm_slice a = hm_record_str(&whole->h, whole->args);
    expect_exactly(w, "exec 3 fork 3 exit 4");
    EXPECT(w, a.len == 32768 && whole->h.flags & HM_REC_F_LONG, "32 KiB: %zu bytes", a.len);
    EXPECT(w, (whole->proc_flags & HM_PROC_ARGS_TRUNCATED) == 0, "cut");
    for (size_t i = 5; i + 1 < a.len; i++)
        if (a.p[i] != 'a' + (i - 5) % 26) {
            EXPECT(w, false, "byte %zu", i);
            break;
        }
    EXPECT(w, cut->args.len == 32768 && cut->args_total == 100006, "%u of %u", cut->args.len,
           cut->args_total);
    EXPECT(w, cut->proc_flags & HM_PROC_ARGS_TRUNCATED, "not marked as cut");
    EXPECT(w, small->args.len == 4096 && !(small->h.flags & HM_REC_F_LONG),
           "4 KiB stay in the main ring");
}

static void act_script(struct world *w)
{
    char path[128], *argv[] = {"script", "a", NULL};
    snprintf(path, sizeof path, "%s/script", w->dir);
    write_file(path, "#!/bin/sh -e\nexit 7\n", 0755);
    spawn(w, path, argv, no_env);
}

static void check_script(struct world *w)
{
    const struct hm_rec_exec *e = exec_of(w, w->note->pid[0], 0);
    const struct hm_rec_exit *x = (const void *)record_of(w, HM_REC_EXIT, w->note->pid[0], 0);
    char real[4096], path[128], args[256];
    snprintf(path, sizeof path, "%s/script", w->dir);
    int n = snprintf(args, sizeof args, "/bin/sh%c-e%c%s%ca", 0, 0, path, 0);
    expect_exactly(w, "exec 1 fork 1 exit 2");
    EXPECT_STR(w, e, filename, path);
    EXPECT_STR(w, e, interp, "/bin/sh");
    EXPECT_STR(w, e, path, realpath("/bin/sh", real) ? real : "?");
    expect_str(w, "args", e, e->args, args, (size_t)n + 1);
    EXPECT(w, e->proc_flags == HM_PROC_SCRIPT && e->argc == 4, "flags 0x%x argc %u", e->proc_flags,
           e->argc);
    EXPECT(w, x->code == 7, "code %u", x->code);
}

static void exec_fd(struct world *w, int fd)
{
    char *argv[] = {"innocent", NULL};
    pid_t p = fork();
    if (p == 0) {
        fexecve(fd, argv, no_env);
        _exit(126);
    }
    w->note->pid[0] = p;
    EXPECT(w, wait_for(p) == 0, "the program did not run");
}

/* The writable descriptor has to be gone before the exec: ETXTBSY. */
static void act_memfd(struct world *w)
{
    char path[64];
    int fd = memfd_create("payload", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    copy_file("/bin/true", path, 0755);
    int ro = open(path, O_RDONLY | O_CLOEXEC);
    close(fd);
    exec_fd(w, ro);
}

static void check_memfd(struct world *w)
{
    const struct hm_rec_exec *e = exec_of(w, w->note->pid[0], 0);
    EXPECT_STR(w, e, path, "memfd:payload");
    EXPECT(w, e->proc_flags == HM_PROC_MEMFD, "flags 0x%x", e->proc_flags);
    EXPECT(w, strncmp((const char *)hm_record_str(&e->h, e->filename).p, "/dev/fd/", 8) == 0,
           "file name");
}

static void act_deleted(struct world *w)
{
    char path[128];
    snprintf(path, sizeof path, "%s/gone", w->dir);
    copy_file("/bin/true", path, 0755);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    unlink(path);
    exec_fd(w, fd);
}

static void check_deleted(struct world *w)
{
    const struct hm_rec_exec *e = exec_of(w, w->note->pid[0], 0);
    char path[128];
    snprintf(path, sizeof path, "%s/gone", w->dir);
    EXPECT_STR(w, e, path, path);
    EXPECT(w, e->proc_flags == HM_PROC_DELETED, "flags 0x%x", e->proc_flags);
}

static void act_setuid(struct world *w)
{
    char path[128], *argv[] = {"su", NULL};
    snprintf(path, sizeof path, "%s/su", w->dir);
    copy_file("/bin/true", path, 04755);
    pid_t p = fork();
    if (p == 0) {
        if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
            _exit(124);
        execve(path, argv, no_env);
        _exit(126);
    }
    w->note->pid[0] = p;
    wait_for(p);
    spawn(w, path, argv, no_env); /* root gains nothing by it */
}

static void check_setuid(struct world *w)
{
    const struct hm_rec_exec *gained = (const void *)record_of(w, HM_REC_EXEC, 0, 0),
                             *same = (const void *)record_of(w, HM_REC_EXEC, 0, 1);
    EXPECT(w, gained->proc_flags == HM_PROC_SETUID, "flags 0x%x", gained->proc_flags);
    EXPECT(w, gained->h.uid == 65534 && gained->h.euid == 0 && gained->h.gid == 65534,
           "uid %u euid %u", gained->h.uid, gained->h.euid);
    EXPECT(w, same->proc_flags == 0, "root: flags 0x%x", same->proc_flags);
}

static void act_terminal(struct world *w)
{
    int master, slave;
    if (openpty(&master, &slave, NULL, NULL, NULL) < 0) {
        unsupported(w, "no pseudo terminal here");
        return;
    }
    pid_t p = fork();
    if (p == 0) {
        char *argv[] = {"true", NULL};
        setsid();
        ioctl(slave, TIOCSCTTY, 0);
        for (int i = 0; i < 3; i++)
            dup2(slave, i);
        execve("/bin/true", argv, no_env);
        _exit(126);
    }
    w->note->pid[0] = p;
    snprintf(w->note->why, sizeof w->note->why, "%s", ttyname(slave) + strlen("/dev/"));
    wait_for(p);
}

static void check_terminal(struct world *w)
{
    const struct hm_rec_exec *e = exec_of(w, w->note->pid[0], 0);
    EXPECT(w, strcmp(e->tty, w->note->why) == 0, "terminal %s, not %s", e->tty, w->note->why);
    EXPECT(w, e->stdio[0] == HM_STDIO_TTY && e->stdio[2] == HM_STDIO_TTY, "descriptors");
    EXPECT(w, e->session == (uint32_t)w->note->pid[0], "session %u", e->session);
}

static void act_closed(struct world *w)
{
    char *argv[] = {"true", NULL};
    close(0);
    close(1);
    close(2);
    spawn(w, "/bin/true", argv, no_env);
}

static void check_closed(struct world *w)
{
    const struct hm_rec_exec *e = exec_of(w, w->note->pid[0], 0);
    EXPECT(w,
           e->stdio[0] == HM_STDIO_CLOSED && e->stdio[1] == HM_STDIO_CLOSED &&
               e->stdio[2] == HM_STDIO_CLOSED,
           "descriptors");
}

/* A loader variable behind more variables than are searched: the record says that it did not look.
 */
static void act_padded_env(struct world *w)
{
    static char names[1000][16];
    char *env[1002], *argv[] = {"true", NULL};
    for (int i = 0; i < 1000; i++) {
        snprintf(names[i], sizeof names[i], "V%d=x", i);
        env[i] = names[i];
    }
    env[1000] = "LD_PRELOAD=";
    env[1001] = NULL;
    spawn(w, "/bin/true", argv, env);
}

static void check_padded_env(struct world *w)
{
    EXPECT(w, exec_of(w, w->note->pid[0], 0)->h.flags & HM_REC_F_ENV_PARTIAL, "not marked");
}

static void act_failed(struct world *w)
{
    char path[128], *argv[] = {"x", NULL};
    snprintf(path, sizeof path, "%s/no-program", w->dir);
    write_file(path, "neither ELF nor script", 0755);
    spawn(w, path, argv, no_env);
    spawn(w, "/nonexistent", argv, no_env);
}

static void check_failed(struct world *w)
{
    expect_exactly(w, "fork 2 exit 3"); /* an exec that did not happen is none */
}

static uint64_t inode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* A mount and a network of its own: the path is the one that process knows, the numbers are its
 * own. */
static void act_namespaces(struct world *w)
{
    char path[128], *argv[] = {"true", NULL};
    pid_t p = fork();
    if (p == 0) {
        if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", w->dir, "tmpfs", 0, NULL) < 0)
            _exit(124);
        w->note->number[0] = inode_of("/proc/self/ns/mnt");
        w->note->number[1] = inode_of("/proc/self/ns/net");
        w->note->number[2] = inode_of("/proc/self/ns/pid");
        snprintf(path, sizeof path, "%s/deep", w->dir);
        mkdir(path, 0755);
        snprintf(path, sizeof path, "%s/deep/true", w->dir);
        copy_file("/bin/true", path, 0755);
        if (chdir(w->dir) < 0 || execve(path, argv, no_env) < 0)
            _exit(126);
    }
    w->note->pid[0] = p;
    EXPECT(w, wait_for(p) == 0, "the program did not run");
}

static void check_namespaces(struct world *w)
{
    const struct hm_rec_exec *e = exec_of(w, w->note->pid[0], 0);
    char path[128];
    snprintf(path, sizeof path, "%s/deep/true", w->dir);
    EXPECT_STR(w, e, path, path);
    EXPECT_STR(w, e, cwd, w->dir);
    EXPECT(w,
           e->h.ns_mnt == w->note->number[0] && e->h.ns_net == w->note->number[1] &&
               e->h.ns_pid == w->note->number[2],
           "mnt %u net %u pid %u", e->h.ns_mnt, e->h.ns_net, e->h.ns_pid);
    EXPECT(w, e->h.ns_mnt != record_of(w, HM_REC_EXIT, w->actor, 0)->ns_mnt,
           "the actor's name space");
}

#ifdef __x86_64__
/* execve through the 32-bit entry: goes past syscall tracepoints, must not go past the sensor. */
static void act_compat(struct world *w)
{
    char *low =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    uint32_t *argv = (uint32_t *)(void *)(low + 64);
    memcpy(low, "/bin/true", 10);
    argv[0] = (uint32_t)(uintptr_t)low;
    argv[1] = 0;
    pid_t p = fork();
    if (p == 0) {
        long r;
        __asm__ volatile("int $0x80"
                         : "=a"(r)
                         : "a"(11), "b"(low), "c"(argv), "d"(0)
                         : "memory", "r8", "r9", "r10", "r11");
        _exit(r == -ENOSYS ? 99 : 126);
    }
    w->note->pid[0] = p;
    int status = wait_for(p);
    if (WIFSIGNALED(status) || WEXITSTATUS(status) == 99)
        unsupported(w, "the kernel has no 32-bit system calls");
}

static void check_compat(struct world *w)
{
    expect_exactly(w, "exec 1 fork 1 exit 2");
    EXPECT_STR(w, exec_of(w, w->note->pid[0], 0), filename, "/bin/true");
}
#endif

const struct behaviour image_behaviours[] = {
    {.name = "arguments, environment, folder", .act = act_arguments, .check = check_arguments},
    {.name = "arguments of 32 KiB", .act = act_long, .check = check_long},
    {.name = "script and interpreter", .act = act_script, .check = check_script},
    {.name = "memfd", .act = act_memfd, .check = check_memfd},
    {.name = "deleted file", .act = act_deleted, .check = check_deleted},
    {.name = "setuid", .act = act_setuid, .check = check_setuid},
    {.name = "terminal and session", .act = act_terminal, .check = check_terminal},
    {.name = "closed descriptors", .act = act_closed, .check = check_closed},
    {.name = "exec that fails", .act = act_failed, .check = check_failed},
    {.name = "mount and network of its own", .act = act_namespaces, .check = check_namespaces},
    {.name = "padded environment", .act = act_padded_env, .check = check_padded_env},
#ifdef __x86_64__
    {.name = "exec by int 0x80", .act = act_compat, .check = check_compat},
#endif
    {0},
};
