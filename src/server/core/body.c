/* Bodies of versions on the disk: core/content/<tenant>/<version>.body, written aside, synced and
 * named only when they are signed. Refuses to know what is in them. */
#include "server/core/delivery.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define NEXT "next.body"

/* Tenants are names of folders (control.h says what they may be made of). */
static int tenant_folder(const struct hm_delivery *d, const char *tenant)
{
    if (strchr(tenant, '/') || tenant[0] == '.')
        return -EINVAL;
    if (mkdirat(d->dir_fd, tenant, 02750) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(d->dir_fd, tenant, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

int hm_body_open(const struct hm_delivery *d, const char *tenant, uint64_t version)
{
    char name[40];
    hm_autoclose int dir = tenant_folder(d, tenant);
    snprintf(name, sizeof name, "%" PRIu64 ".body", version);
    int fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

/* Copy what was built beside the versions, hashing what is written. */
int hm_body_keep(struct hm_delivery *d, struct hm_delivery_job *j, int from)
{
    uint8_t chunk[65536];
    ssize_t n;
    off_t at = 0;
    hm_autoclose int dir = tenant_folder(d, j->tenant);
    hm_autoclose int to =
        dir < 0 ? -1
                : openat(dir, NEXT, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    struct hm_sha256 *h = to < 0 ? NULL : hm_sha256_new();
    if (!h)
        return to < 0 ? -errno : -ENOMEM;
    int r = 0;
    while (!r && (n = pread(from, chunk, sizeof chunk, at)) > 0) {
        r = write(to, chunk, (size_t)n) == n ? 0 : -ENOSPC;
        hm_sha256_add(h, hm_slice(chunk, (size_t)n));
        at += n;
    }
    if (!r && (n < 0 || fsync(to) < 0))
        r = -EIO;
    hm_sha256_final(h, j->sha256);
    hm_sha256_free(h);
    j->size = (uint64_t)at;
    return r;
}

int hm_body_name(const struct hm_delivery *d, const char *tenant, uint64_t version)
{
    char name[40];
    hm_autoclose int dir = tenant_folder(d, tenant);
    snprintf(name, sizeof name, "%" PRIu64 ".body", version);
    if (dir < 0 || renameat(dir, NEXT, dir, name) < 0 || fsync(dir) < 0)
        return -errno;
    return 0;
}
