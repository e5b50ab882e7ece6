/* Owns how a role comes to life: fork, exec of our own image, and in the child the way down from
 * root to a uid of its own. Refuses to know which roles there are. */
#include "proc/proc.h"
#include "proc/limits.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

/* What a child may inherit. Loader and allocator variables of whoever started the supervisor have
 * no business in a process that reads foreign bytes. */
static const char *const env_names[] = {"HINOMI_LOG",    "HINOMI_LANG", "LC_ALL", "LC_MESSAGES",
                                        "LANG",          "TZ",          "PATH",   "ASAN_OPTIONS",
                                        "UBSAN_OPTIONS", "LSAN_OPTIONS"};

static bool env_allowed(const char *entry)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(env_names); i++) {
        size_t n = strlen(env_names[i]);
        if (strncmp(entry, env_names[i], n) == 0 && entry[n] == '=')
            return true;
    }
    return false;
}

static void pick_env(char *ret_env[HM_ROLE_ENV_MAX + 1])
{
    size_t n = 0;
    for (char **e = environ; e && *e && n < HM_ROLE_ENV_MAX; e++)
        if (env_allowed(*e))
            ret_env[n++] = *e;
    ret_env[n] = NULL;
}

/* Between fork and exec: async-signal-safe calls only. */
static void become_child(int sock, char *const argv[], char *const env[])
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* lost again when the uid changes; hm_role_drop renews it */
    if (sock == HM_ROLE_FD) {
        if (fcntl(sock, F_SETFD, 0) < 0)
            _exit(126);
    } else if (dup2(sock, HM_ROLE_FD) < 0) {
        _exit(126);
    }
    if (syscall(SYS_close_range, HM_ROLE_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        for (int fd = HM_ROLE_FD + 1; fd < 1024; fd++)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    execve("/proc/self/exe", argv, env);
    _exit(127);
}

static int pidfd_of(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : fd;
}

/* Start a role. Owns: *ret_pidfd and *ret_fd are the caller's to close, the child his to reap.
 * Errors: negative errno; nothing is left running. Threads: call from one thread only. */
int hm_role_spawn(const struct hm_role *role, pid_t *ret_pid, int *ret_pidfd, int *ret_fd,
                  struct hm_error *err)
{
    char title[96];
    snprintf(title, sizeof title, "%s: %s", program_invocation_short_name, role->name);
    char *argv[] = {title, "-p", (char *)role->name, NULL}, *env[HM_ROLE_ENV_MAX + 1];
    pick_env(env);
    int pair[2];
    int r = hm_ipc_pair(pair);
    if (r < 0)
        return hm_fail(err, r, "no socket pair for %s", role->name);
    hm_autoclose int ours = pair[0];
    hm_autoclose int theirs = pair[1];
    pid_t pid = fork();
    if (pid < 0)
        return hm_fail(err, -errno, "cannot fork for %s", role->name);
    if (pid == 0)
        become_child(theirs, argv, env);
    int pidfd = pidfd_of(pid); /* safe: the child is ours and not reaped */
    if (pidfd < 0) {
        kill(pid, SIGKILL);
        return hm_fail(err, pidfd, "no pidfd for %s", role->name);
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    *ret_fd = hm_steal_fd(&ours);
    return 0;
}

static int resolve(const struct hm_role *role, uid_t *ret_uid, gid_t *ret_gid)
{
    const struct passwd *pw = getpwnam(role->user);
    if (pw) {
        *ret_uid = pw->pw_uid;
        *ret_gid = pw->pw_gid;
        return pw->pw_uid ? 0 : -EINVAL; /* a role is never root */
    }
    if (!role->fallback_uid || getpwuid(role->fallback_uid) || getgrgid(role->fallback_uid))
        return -ENOENT;
    *ret_uid = role->fallback_uid;
    *ret_gid = role->fallback_uid;
    return 0;
}

/* The uid a role will have, (uid_t)-1 when there is none for it. */
uid_t hm_role_uid(const struct hm_role *role)
{
    uid_t uid;
    gid_t gid;
    return resolve(role, &uid, &gid) < 0 ? (uid_t)-1 : uid;
}

/* The supplementary group of a role, (gid_t)-1 when it has none or the number is somebody's. */
gid_t hm_role_group(const struct hm_role *role)
{
    if (!role->group)
        return (gid_t)-1;
    const struct group *g = getgrnam(role->group);
    if (g)
        return g->gr_gid ? g->gr_gid : (gid_t)-1;
    return getgrgid(role->fallback_gid) ? (gid_t)-1 : role->fallback_gid;
}

/* The bounding set only matters for an exec that gains privileges, which no_new_privs rules out: a
 * service unit that took CAP_SETPCAP from us has not weakened anything. */
static int drop_capabilities(void)
{
    for (int cap = 0; cap <= 63; cap++)
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
            errno != EPERM)
            return -errno;
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* kernels without it have none */
    return 0;
}

static int change_ids(uid_t uid, gid_t gid, gid_t extra)
{
    if (setgroups(extra == (gid_t)-1 ? 0 : 1, &extra) < 0 || setresgid(gid, gid, gid) < 0 ||
        setresuid(uid, uid, uid) < 0)
        return -errno;
    return 0;
}

static int check_dropped(uid_t uid, gid_t gid)
{
    uid_t r, e, s;
    gid_t gr, ge, gs;
    if (getresuid(&r, &e, &s) < 0 || getresgid(&gr, &ge, &gs) < 0)
        return -errno;
    if (r != uid || e != uid || s != uid || gr != gid || ge != gid || gs != gid)
        return -EPERM;
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[2] = {{0}};
    if (syscall(SYS_capget, &h, d) < 0)
        return -errno;
    if (d[0].permitted | d[1].permitted | d[0].effective | d[1].effective)
        return -EPERM;
    return setuid(0) == 0 ? -EPERM : 0;
}

static int set_process_flags(void)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) < 0)
        return -errno;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return -errno;
    return 0;
}

/* In the child: from root to the role's uid for good. A supervisor that is already dead shows as
 * end of file on HM_ROLE_FD. Errors: anything short of fully dropped; the caller must exit. */
int hm_role_drop(const struct hm_role *role, struct hm_error *err)
{
    uid_t uid;
    gid_t gid;
    int r = resolve(role, &uid, &gid);
    if (r < 0)
        return hm_fail(err, r, "no user %s, and uid %u belongs to somebody", role->user,
                       role->fallback_uid);
    if ((r = drop_capabilities()) < 0)
        return hm_fail(err, r, "cannot drop capabilities of %s", role->name);
    if ((r = change_ids(uid, gid, hm_role_group(role))) < 0)
        return hm_fail(err, r, "cannot become uid %u for %s", uid, role->name);
    if ((r = set_process_flags()) < 0)
        return hm_fail(err, r, "cannot set the process flags of %s", role->name);
    if ((r = check_dropped(uid, gid)) < 0)
        return hm_fail(err, r, "%s kept privileges after dropping them", role->name);
    return 0;
}
