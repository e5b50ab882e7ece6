/* see parquet_file.h. DuckDB's COPY never fsyncs, so everything that makes a file durable is here.
 */
#include "server/core/parquet_file.h"
#include "base/crypto.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define READ_BYTES 65536

static int sync_folder(int dir_fd, const char *path)
{
    hm_autoclose int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return fsync(fd) < 0 ? -errno : 0;
}

/* tenant/ and tenant/day/: group-readable, so that hunt can read them. */
static int make_folders(int dir_fd, const char *tenant, const char *file)
{
    char path[HM_TENANT_MAX + 80];
    if (mkdirat(dir_fd, tenant, 02750) == 0) {
        int r = sync_folder(dir_fd, ".");
        if (r)
            return r;
    } else if (errno != EEXIST)
        return -errno;
    snprintf(path, sizeof path, "%s/%.*s", tenant, (int)strcspn(file, "/"), file);
    if (mkdirat(dir_fd, path, 02750) == 0)
        return sync_folder(dir_fd, tenant);
    return errno == EEXIST ? 0 : -errno;
}

static int digest_fd(int fd, uint8_t ret_sha256[32], uint64_t *ret_bytes)
{
    uint8_t buf[READ_BYTES];
    struct hm_sha256 *h = hm_sha256_new();
    uint64_t bytes = 0;
    ssize_t n;
    if (!h)
        return -ENOMEM;
    while ((n = read(fd, buf, sizeof buf)) > 0) {
        hm_sha256_add(h, hm_slice(buf, (size_t)n));
        bytes += (uint64_t)n;
    }
    int r = n < 0 ? -errno : 0;
    hm_sha256_final(h, ret_sha256);
    hm_sha256_free(h);
    *ret_bytes = bytes;
    return r;
}

int hm_parquet_digest(int dir_fd, const char *tenant, const char *file, uint8_t ret_sha256[32],
                      uint64_t *ret_bytes)
{
    char path[HM_TENANT_MAX + 80];
    snprintf(path, sizeof path, "%s/%s", tenant, file);
    hm_autoclose int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : digest_fd(fd, ret_sha256, ret_bytes);
}

int hm_parquet_publish(int dir_fd, struct hm_segment *seg)
{
    char path[HM_TENANT_MAX + 80], folder[HM_TENANT_MAX + 80];
    hm_autoclose int fd = openat(dir_fd, HM_STORE_ASIDE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fchmod(fd, 0640) < 0 || fsync(fd) < 0)
        return -errno;
    int r = digest_fd(fd, seg->sha256, &seg->bytes);
    if (!r)
        r = make_folders(dir_fd, seg->tenant, seg->file);
    if (r)
        return r;
    snprintf(path, sizeof path, "%s/%s", seg->tenant, seg->file);
    if (renameat(dir_fd, HM_STORE_ASIDE, dir_fd, path) < 0)
        return -errno;
    snprintf(folder, sizeof folder, "%s/%.*s", seg->tenant, (int)strcspn(seg->file, "/"),
             seg->file);
    return sync_folder(dir_fd, folder);
}

int hm_parquet_put_aside(int dir_fd, const char *tenant, const char *file)
{
    char from[HM_TENANT_MAX + 80], to[HM_TENANT_MAX + 96];
    snprintf(from, sizeof from, "%s/%s", tenant, file);
    snprintf(to, sizeof to, "%s.damaged", from);
    return renameat(dir_fd, from, dir_fd, to) == 0 || errno == ENOENT ? 0 : -errno;
}

/* ---- orphans: two levels of folders, no recursion ---- */
static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static DIR *open_folder(int dir_fd, const char *path)
{
    int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0)
        close(fd);
    return d;
}

static int orphans_of_day(int dir_fd, struct hm_control *c, const char *tenant, const char *day)
{
    char path[HM_TENANT_MAX + 300], file[300];
    struct dirent *e;
    int n = 0;
    snprintf(path, sizeof path, "%s/%s", tenant, day);
    DIR *d = open_folder(dir_fd, path);
    while (d && (e = readdir(d))) {
        if (!ends_with(e->d_name, ".parquet"))
            continue;
        snprintf(file, sizeof file, "%.32s/%.255s", day, e->d_name);
        int r = hm_segment_has(c, tenant, file);
        if (r == 0 && unlinkat(dirfd(d), e->d_name, 0) == 0)
            n++;
        if (r < 0) {
            n = r;
            break;
        }
    }
    if (d)
        closedir(d);
    return n;
}

static int orphans_of_tenant(int dir_fd, struct hm_control *c, const char *tenant)
{
    struct dirent *e;
    int n = 0, r = 0;
    DIR *d = open_folder(dir_fd, tenant);
    while (d && r >= 0 && (e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        r = orphans_of_day(dir_fd, c, tenant, e->d_name);
        n += r > 0 ? r : 0;
    }
    if (d)
        closedir(d);
    return r < 0 ? r : n;
}

int hm_parquet_remove_orphans(int dir_fd, struct hm_control *c)
{
    struct dirent *e;
    int n = unlinkat(dir_fd, HM_STORE_ASIDE, 0) == 0, r = 0;
    DIR *d = open_folder(dir_fd, ".");
    if (!d)
        return -errno;
    while (r >= 0 && (e = readdir(d))) {
        if (e->d_name[0] == '.' || strlen(e->d_name) >= HM_TENANT_MAX)
            continue;
        r = orphans_of_tenant(dir_fd, c, e->d_name);
        n += r > 0 ? r : 0;
    }
    closedir(d);
    return r < 0 ? r : n;
}
