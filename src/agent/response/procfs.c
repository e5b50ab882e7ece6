/* Owns the few things read from /proc about a process or the cgroup tree. */
#include "agent/response/kill.h"
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <unistd.h>

#define PF_KTHREAD 0x00200000

static ssize_t read_file(pid_t pid, const char *name, char *buf, size_t len)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, len - 1);
    buf[n > 0 ? n : 0] = 0;
    return n;
}

/* The name in parentheses may hold anything, also parentheses: the last one ends it. */
int hm_proc_stat_read(pid_t pid, struct hm_proc_stat *ret)
{
    char text[1024];
    int parent;
    char state;
    unsigned flags;
    unsigned long long start;
    const char *rest = read_file(pid, "stat", text, sizeof text) > 0 ? strrchr(text, ')') : NULL;
    if (!rest ||
        sscanf(rest + 1,
               " %c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &state, &parent, &flags, &start) != 4)
        return -ESRCH;
    *ret = (struct hm_proc_stat){parent, start, (flags & PF_KTHREAD) != 0, state};
    return 0;
}

bool hm_proc_in_cgroup(pid_t pid, const char *scope)
{
    char text[4096];
    size_t n = strlen(scope);
    if (read_file(pid, "cgroup", text, sizeof text) <= 0)
        return false;
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "0::", 3) == 0)
            return strncmp(line + 3, scope, n) == 0 && (line[3 + n] == '/' || line[3 + n] == '\n');
    }
    return false;
}

int hm_cgroup_mount(char *ret, size_t len)
{
    struct mntent e, *m;
    char strings[4096];
    int r = -ENOENT;
    FILE *f = setmntent("/proc/self/mounts", "re");
    while (f && (m = getmntent_r(f, &e, strings, sizeof strings)))
        if (strcmp(m->mnt_type, "cgroup2") == 0 && r < 0 && strlen(m->mnt_dir) < len) {
            snprintf(ret, len, "%s", m->mnt_dir);
            r = 0;
        }
    if (f)
        endmntent(f);
    return r;
}

int hm_cgroup_relative(const char *path, char *ret, size_t len)
{
    char mount[256];
    int r = hm_cgroup_mount(mount, sizeof mount);
    size_t n = r == 0 ? strlen(mount) : 0;
    if (r < 0 || strncmp(path, mount, n) != 0 || (path[n] != '/' && path[n] != 0))
        return -EINVAL;
    size_t end = strlen(path);
    while (end > n + 1 && path[end - 1] == '/')
        end--;
    if (end - n >= len)
        return -EINVAL;
    memcpy(ret, path + n, end - n);
    ret[end - n] = 0;
    return 0;
}
