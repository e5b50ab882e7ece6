/* os.h over POSIX. */
#include "base/os.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

struct hm_dir {
    int fd;
};

static int wrap(int fd, struct hm_dir **ret_d)
{
    if (fd < 0)
        return -errno;
    struct hm_dir *d = malloc(sizeof *d);
    if (!d) {
        close(fd);
        return -ENOMEM;
    }
    d->fd = fd;
    *ret_d = d;
    return 0;
}

/* The new directory's own name must survive a power loss, too. A parent that we may not read is
 * somebody else's, and so is its durability. */
static int sync_parent(const struct hm_dir *d)
{
    hm_autoclose int fd = openat(d->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return errno == EACCES || errno == EPERM ? 0 : -errno;
    return fsync(fd) < 0 ? -errno : 0;
}

int hm_dir_open(const char *path, bool create, struct hm_dir **ret_d)
{
    bool made = create && mkdir(path, 0750) == 0;
    struct hm_dir *d = NULL;

    if (create && !made && errno != EEXIST)
        return -errno;
    int r = wrap(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &d);
    if (r == 0 && made)
        r = sync_parent(d);
    if (r < 0) {
        hm_dir_close(d);
        return r;
    }
    *ret_d = d;
    return 0;
}

int hm_dir_from_fd(int fd, struct hm_dir **ret_d)
{
    return wrap(fcntl(fd, F_DUPFD_CLOEXEC, 3), ret_d);
}

void hm_dir_close(struct hm_dir *d)
{
    if (!d)
        return;
    close(d->fd);
    free(d);
}

int hm_dir_sync(const struct hm_dir *d)
{
    return fsync(d->fd) < 0 ? -errno : 0;
}

int hm_dir_list(const struct hm_dir *d, int (*each)(void *ctx, const char *name), void *ctx)
{
    /* an own open file description: the position must not be shared with other readers */
    int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir) {
        r = -errno;
        if (fd >= 0)
            close(fd);
        return r;
    }
    while (r == 0) {
        errno = 0;
        struct dirent *de = readdir(dir);
        if (!de) {
            r = -errno;
            break;
        }
        r = each(ctx, de->d_name);
    }
    closedir(dir);
    return r;
}

int hm_dir_remove(const struct hm_dir *d, const char *name)
{
    return unlinkat(d->fd, name, 0) < 0 ? -errno : 0;
}

int hm_dir_rename(const struct hm_dir *d, const char *from, const char *to)
{
    return renameat(d->fd, from, d->fd, to) < 0 ? -errno : 0;
}

int hm_dir_file(const struct hm_dir *d, const char *name, enum hm_open how)
{
    static const int flags[] = {
        [HM_OPEN_READ] = O_RDONLY,
        [HM_OPEN_WRITE] = O_RDWR,
        [HM_OPEN_NEW] = O_RDWR | O_CREAT | O_EXCL,
        [HM_OPEN_REPLACE] = O_RDWR | O_CREAT | O_TRUNC,
    };
    int fd = openat(d->fd, name, flags[how] | O_CLOEXEC | O_NOFOLLOW, 0640);

    if (fd < 0)
        return errno == EDQUOT ? -ENOSPC : -errno;
    return fd;
}

int hm_dir_lock(const struct hm_dir *d, const char *name)
{
    int fd = openat(d->fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int r = errno == EWOULDBLOCK ? -EBUSY : -errno;
        close(fd);
        return r;
    }
    return fd;
}

ssize_t hm_file_read_at(int fd, void *p, size_t len, uint64_t offset)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, (uint8_t *)p + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int hm_file_write_at(int fd, struct hm_slice s, uint64_t offset)
{
    size_t done = 0;

    while (done < s.len) {
        ssize_t n = pwrite(fd, s.p + done, s.len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EFBIG || errno == EDQUOT ? -ENOSPC : -errno;
        done += (size_t)n;
    }
    return 0;
}

int hm_file_truncate(int fd, uint64_t size)
{
    return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

int hm_file_sync(int fd)
{
    return fdatasync(fd) < 0 ? -errno : 0;
}

int hm_file_dup(int fd)
{
    int r = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    return r < 0 ? -errno : r;
}

int64_t hm_file_size(int fd)
{
    struct stat st;

    return fstat(fd, &st) < 0 ? -errno : (int64_t)st.st_size;
}
