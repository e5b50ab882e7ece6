/* Owns where the practice endpoint lives besides its network: the cgroup, and tmpfs with decoys. */
#include "agent/practice/limits.h"
#include "agent/practice/world.h"
#include "agent/response/kill.h"
#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "hinomi-practice-"

/* ---- cgroup -----------------------------------------------------------------------------------
 */

static void kill_all(const char *path)
{
    char file[512];
    snprintf(file, sizeof file, "%s/cgroup.kill", path);
    hm_autoclose int fd = open(file, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "1", 1) == 1)
        return;
    snprintf(file, sizeof file, "%s/cgroup.procs", path); /* before 5.14 */
    FILE *f = fopen(file, "re");
    int pid;
    while (f && fscanf(f, "%d", &pid) == 1)
        if (pid > 1)
            kill(pid, SIGKILL);
    if (f)
        fclose(f);
}

void hm_world_cgroup_remove(const char *path)
{
    for (int i = 0; i < 50; i++) {
        kill_all(path);
        if (rmdir(path) == 0 || errno == ENOENT)
            return;
        usleep(20000);
    }
    hm_warn("the cgroup %s could not be removed: %s", path, strerror(errno));
}

static void remove_leftovers(const char *mount)
{
    DIR *d = opendir(mount);
    struct dirent *e;
    char path[512];
    while (d && (e = readdir(d))) {
        int pid;
        if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0 ||
            sscanf(e->d_name + strlen(PREFIX), "%d", &pid) != 1 || pid <= 1 || kill(pid, 0) == 0 ||
            errno != ESRCH)
            continue;
        snprintf(path, sizeof path, "%s/%s", mount, e->d_name);
        hm_info("removing what an earlier practice world left: %s", path);
        hm_world_cgroup_remove(path);
    }
    if (d)
        closedir(d);
}

int hm_world_cgroup_make(char *ret_path, size_t len, struct hm_error *err)
{
    char mount[256];
    if (hm_cgroup_mount(mount, sizeof mount) < 0)
        return hm_fail(err, -ENOENT, "cgroup v2 is not mounted");
    remove_leftovers(mount);
    snprintf(ret_path, len, "%s/" PREFIX "%d", mount, (int)getpid());
    if (mkdir(ret_path, 0755) < 0)
        return hm_fail(err, -errno, "cannot make the cgroup %s: %s", ret_path, strerror(errno));
    return 0;
}

/* ---- mounts -----------------------------------------------------------------------------------
 */

static int write_decoy(const char *path, const char *text)
{
    hm_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t n = strlen(text);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n ||
        fchown(fd, HM_PRACTICE_UID, HM_PRACTICE_GID) < 0)
        return -errno;
    return 0;
}

static int make_home(void)
{
    static const char *const folders[] = {"/home/practice", "/home/practice/.aws",
                                          "/home/practice/.ssh", "/home/practice/Documents"};
    for (size_t i = 0; i < HM_ARRAY_LEN(folders); i++)
        if (mkdir(folders[i], 0755) < 0 || chown(folders[i], HM_PRACTICE_UID, HM_PRACTICE_GID) < 0)
            return -errno;
    int r = write_decoy("/home/practice/.aws/credentials",
                        "[default]\naws_access_key_id = AKIAPRACTICEDECOY000\n"
                        "aws_secret_access_key = this-is-a-decoy-and-opens-nothing\n");
    if (r == 0)
        r = write_decoy("/home/practice/.ssh/id_decoy", "a decoy: no key of anybody\n");
    return r == 0 ? write_decoy("/home/practice/Documents/plan.txt", "practice document\n") : r;
}

int hm_world_mounts_make(struct hm_error *err)
{
    static const struct {
        const char *path, *options;
    } mounts[] = {{"/tmp", "mode=1777,size=64m"},
                  {"/var/tmp", "mode=1777,size=64m"},
                  {"/dev/shm", "mode=1777,size=16m"},
                  {"/home", "mode=755,size=64m"},
                  {"/root", "mode=700,size=16m"}};
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return hm_fail(err, -errno, "cannot make a mount namespace");
    for (size_t i = 0; i < HM_ARRAY_LEN(mounts); i++)
        if (mount("hinomi-practice", mounts[i].path, "tmpfs", MS_NOSUID | MS_NODEV,
                  mounts[i].options) < 0 &&
            errno != ENOENT)
            return hm_fail(err, -errno, "cannot mount over %s: %s", mounts[i].path,
                           strerror(errno));
    int r = make_home();
    return r < 0 ? hm_fail(err, r, "cannot lay out the practice home: %s", strerror(-r)) : 0;
}
