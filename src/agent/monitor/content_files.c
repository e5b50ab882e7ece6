/* See content_files.h. */
#include "agent/monitor/content_files.h"
#include "agent/monitor/ledger.h"
#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define CURRENT   "current"
#define DEPTH_MAX (HM_BUNDLE_DEPTH_MAX + 1)

/* ---- removing ---- */

static void remove_tree(int dir, const char *name, int depth);

static void remove_all_in(int fd, int depth)
{
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            remove_tree(dirfd(d), e->d_name, depth);
    closedir(d);
}

/* Follows no link and stays as deep as a bundle can be. */
static void remove_tree(int dir, const char *name, int depth)
{
    if (unlinkat(dir, name, 0) == 0 || (errno != EISDIR && errno != EPERM))
        return;
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && depth < DEPTH_MAX)
        remove_all_in(fd, depth + 1);
    else if (fd >= 0)
        close(fd);
    if (unlinkat(dir, name, AT_REMOVEDIR) < 0)
        hm_warn("content/%s could not be removed: %s", name, strerror(errno));
}

void hm_content_remove(int dir_fd, uint64_t version)
{
    char name[32];
    snprintf(name, sizeof name, "%" PRIu64, version);
    if (version)
        remove_tree(dir_fd, name, 0);
}

static bool keeps(const struct hm_content_current *c, const char *name)
{
    char active[32], previous[32];
    snprintf(active, sizeof active, "%" PRIu64, c->version);
    snprintf(previous, sizeof previous, "%" PRIu64, c->previous);
    return name[0] == '.' || strcmp(name, CURRENT) == 0 || strcmp(name, active) == 0 ||
           strcmp(name, previous) == 0;
}

static void clean(int dir_fd, const struct hm_content_current *c)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(d));)
        if (!keeps(c, e->d_name))
            remove_tree(dir_fd, e->d_name, 0);
    closedir(d);
}

/* ---- current ---- */

int hm_content_store(int dir_fd, const struct hm_content_current *c)
{
    char text[128];
    int n = snprintf(text, sizeof text,
                     "version %" PRIu64 " floor %" PRIu64 " previous %" PRIu64 " key %" PRIu64 "\n",
                     c->version, c->floor, c->previous, c->key_version);
    return hm_file_replace(dir_fd, CURRENT, text, (size_t)n);
}

int hm_content_open(int dir_fd, struct hm_content_current *ret_c, struct hm_error *err)
{
    struct hm_content_current c = {0};
    char text[256];
    int used = 0;
    hm_autoclose int fd = openat(dir_fd, CURRENT, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if ((fd < 0 && errno != ENOENT) || n < 0)
        return hm_fail(err, -errno, "content/" CURRENT ": %s", strerror(errno));
    text[n] = 0;
    if (fd >= 0 &&
        (sscanf(text,
                "version %" SCNu64 " floor %" SCNu64 " previous %" SCNu64 " key %" SCNu64 "\n%n",
                &c.version, &c.floor, &c.previous, &c.key_version, &used) != 4 ||
         used != n || c.version > c.floor)) {
        *ret_c = (struct hm_content_current){.floor = UINT64_MAX};
        return hm_fail(err, -EBADMSG,
                       "content/" CURRENT " is damaged: the package's rules are used and no "
                       "content is taken until the folder content is removed");
    }
    clean(dir_fd, &c);
    *ret_c = c;
    return 0;
}

int hm_content_folder(int dir_fd, uint64_t version)
{
    char name[32];
    snprintf(name, sizeof name, "%" PRIu64, version);
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

/* ---- unpacking ---- */

struct unpack {
    int spool, dir; /* dir: <version>.new */
    int file;       /* the part being written */
};

static int read_spool(void *ctx, void *p, size_t len)
{
    struct unpack *u = ctx;
    while (len) {
        ssize_t n = read(u->spool, p, len);
        if (n <= 0)
            return n < 0 ? -errno : -ENODATA;
        p = (uint8_t *)p + n;
        len -= (size_t)n;
    }
    return 0;
}

/* Folders on the way are made; the reader has checked every name. */
static int begin_part(void *ctx, const struct hm_bundle_part *part)
{
    struct unpack *u = ctx;
    char path[HM_BUNDLE_PATH_MAX + 1];
    snprintf(path, sizeof path, "%s", part->path);
    for (char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
        *p = 0;
        if (mkdirat(u->dir, path, 0750) < 0 && errno != EEXIST)
            return -errno;
        *p = '/';
    }
    u->file = openat(u->dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    return u->file < 0 ? -errno : 0;
}

static int write_part(void *ctx, struct hm_slice s)
{
    struct unpack *u = ctx;
    while (s.len) {
        ssize_t n = write(u->file, s.p, s.len);
        if (n < 0)
            return -errno;
        s = hm_slice(s.p + n, s.len - (size_t)n);
    }
    return 0;
}

static int end_part(void *ctx)
{
    struct unpack *u = ctx;
    int fd = u->file;
    u->file = -1;
    return close(fd) < 0 ? -errno : 0;
}

static int unpack_into(struct unpack *u, uint64_t size, struct hm_error *err)
{
    struct hm_bundle_ops ops = {read_spool, begin_part, write_part, end_part, u};
    int r = hm_bundle_read(size, &ops, err);
    if (u->file >= 0)
        close(u->file);
    /* One sync for thousands of small files; their folders are in it. */
    if (r == 0 && syncfs(u->dir) < 0)
        r = hm_fail(err, -errno, "syncfs: %s", strerror(errno));
    return r;
}

int hm_content_unpack(int dir_fd, uint64_t version, uint64_t size, struct hm_error *err)
{
    char name[32], aside[40];
    snprintf(name, sizeof name, "%" PRIu64, version);
    snprintf(aside, sizeof aside, "%" PRIu64 ".new", version);
    remove_tree(dir_fd, aside, 0);
    remove_tree(dir_fd, name, 0); /* of a time before, never made current */
    if (mkdirat(dir_fd, aside, 0750) < 0)
        return hm_fail(err, -errno, "content/%s: %s", aside, strerror(errno));
    hm_autoclose int spool = openat(dir_fd, HM_CONTENT_SPOOL, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    hm_autoclose int dir = openat(dir_fd, aside, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (spool < 0 || dir < 0)
        return hm_fail(err, -errno, "content/%s: %s", aside, strerror(errno));
    struct unpack u = {spool, dir, -1};
    int r = unpack_into(&u, size, err);
    if (r == 0 && (renameat(dir_fd, aside, dir_fd, name) < 0 || fsync(dir_fd) < 0))
        r = hm_fail(err, -errno, "content/%s: %s", name, strerror(errno));
    return r;
}
