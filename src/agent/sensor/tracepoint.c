/* Syscall tracepoints by id. See tracepoint.h. */
#include "agent/sensor/tracepoint.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

/* A mount of tracefs that is in no namespace: only this descriptor reaches it. */
static int detached_tracefs(void)
{
    hm_autoclose int fs = (int)syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);
    if (fs < 0)
        return -errno;
    if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    int mnt = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    return mnt < 0 ? -errno : mnt;
}

int hm_tracepoint_id(const char *name, int *ret_id)
{
    char path[128], text[32] = {0};
    hm_autoclose int mnt = detached_tracefs();
    if (mnt < 0)
        return mnt;
    snprintf(path, sizeof path, "events/syscalls/%s/id", name);
    hm_autoclose int fd = openat(mnt, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (read(fd, text, sizeof text - 1) <= 0)
        return -EIO;
    int id = (int)strtol(text, NULL, 10);
    if (id <= 0)
        return -EBADMSG;
    *ret_id = id;
    return 0;
}

int hm_tracepoint_open(const char *name, int *ret_fd)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof attr};
    int id = 0, e = hm_tracepoint_id(name, &id);
    if (e < 0)
        return e;
    attr.config = (uint64_t)id;
    attr.sample_period = 1;
    attr.wakeup_events = 1;
    int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}
