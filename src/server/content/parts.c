/* Owns the list of parts a version is put together from. Foreign bytes come through the bounded
 * reader of bundles or from files; every path is checked again when it is written. */
#include "server/content/content.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool room(struct hm_content_job *j)
{
    if (j->part_count < j->part_room)
        return true;
    size_t n = j->part_room ? j->part_room * 2 : 256;
    void *p = realloc(j->parts, n * sizeof *j->parts);
    if (!p)
        return false;
    j->parts = p;
    j->part_room = n;
    return true;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* What an endpoint looks for in a folder of its own stands there, with the layer beneath it. */
static const char *shelf_of(const char *path)
{
    if (ends_with(path, ".yar") || ends_with(path, ".yara"))
        return HM_CONTENT_SHELF_YARA;
    if (strncmp(path, HM_CONTENT_SHELF_PIPES "/", sizeof HM_CONTENT_SHELF_PIPES) == 0)
        return HM_CONTENT_SHELF_PIPES;
    bool blob = strncmp(path, HM_CONTENT_SHELF_INTEL "/", sizeof HM_CONTENT_SHELF_INTEL) == 0 &&
                ends_with(path, ".bin");
    return blob ? HM_CONTENT_SHELF_INTEL : NULL;
}

static const char *without_shelf(const char *path)
{
    static const char *const shelves[] = {HM_CONTENT_SHELF_YARA "/", HM_CONTENT_SHELF_INTEL "/",
                                          HM_CONTENT_SHELF_PIPES "/"};
    for (size_t i = 0; i < HM_ARRAY_LEN(shelves); i++)
        if (strncmp(path, shelves[i], strlen(shelves[i])) == 0)
            return path + strlen(shelves[i]);
    return path;
}

struct hm_slice hm_parts_layer(const char *path)
{
    const char *p = without_shelf(path);
    return hm_slice(p, strcspn(p, p == path ? "/" : "/."));
}

static char *joined(struct hm_content_job *j, const char *prefix, const char *path)
{
    char text[HM_BUNDLE_PATH_MAX * 2];
    const char *shelf = prefix ? shelf_of(path) : NULL;
    int n;
    if (!prefix)
        n = snprintf(text, sizeof text, "%s", path);
    else if (!shelf)
        n = snprintf(text, sizeof text, "%s/%s", prefix, path);
    else /* a blob is one file a layer, or several with a dot between */
        n = snprintf(text, sizeof text, "%s/%s%s%s", shelf, prefix,
                     strcmp(shelf, HM_CONTENT_SHELF_INTEL) == 0 ? "." : "/", without_shelf(path));
    return n > 0 && (size_t)n < sizeof text ? hm_arena_strndup(j->arena, text, (size_t)n) : NULL;
}

int hm_parts_add(struct hm_content_job *j, const char *prefix, const char *path,
                 struct hm_slice data, struct hm_error *err)
{
    if (j->part_count == HM_BUNDLE_PARTS_MAX || (j->bytes += data.len) > HM_BUNDLE_RAW_MAX)
        return hm_fail(err, -E2BIG, "more content than a bundle may hold (%d parts, %llu MiB)",
                       HM_BUNDLE_PARTS_MAX, HM_BUNDLE_RAW_MAX >> 20);
    char *name = joined(j, prefix, path);
    uint8_t *copy = hm_arena_alloc(j->arena, data.len ? data.len : 1);
    if (!name || !copy || !room(j))
        return hm_fail(err, -ENOMEM, "out of memory");
    if (data.len)
        memcpy(copy, data.p, data.len);
    j->parts[j->part_count++] = (struct hm_bundle_input){name, hm_slice(copy, data.len)};
    return 0;
}

/* ---- from a body ---- */

struct body {
    struct hm_content_job *j;
    int fd;
    const char *prefix;
    const char *const *without;
    struct hm_error *err;
    char path[HM_BUNDLE_PATH_MAX + 1];
    bool skip;
    struct hm_buf data;
};

static int body_read(void *ctx, void *p, size_t len)
{
    struct body *b = ctx;
    while (len) {
        ssize_t n = read(b->fd, p, len);
        if (n <= 0)
            return n < 0 ? -errno : -ENODATA;
        p = (uint8_t *)p + n;
        len -= (size_t)n;
    }
    return 0;
}

static int body_begin(void *ctx, const struct hm_bundle_part *part)
{
    struct body *b = ctx;
    snprintf(b->path, sizeof b->path, "%s", part->path);
    b->skip = false;
    for (const char *const *w = b->without; w && *w; w++)
        b->skip |= hm_slice_eq(hm_parts_layer(part->path), hm_slice_str(*w));
    hm_buf_clear(&b->data);
    return 0;
}

static int body_data(void *ctx, struct hm_slice s)
{
    struct body *b = ctx;
    if (!b->skip)
        hm_buf_put(&b->data, s.p, s.len);
    return b->data.error;
}

static int body_end(void *ctx)
{
    struct body *b = ctx;
    return b->skip ? 0 : hm_parts_add(b->j, b->prefix, b->path, hm_buf_slice(&b->data), b->err);
}

int hm_parts_body(struct hm_content_job *j, int fd, uint64_t offset, const char *prefix,
                  const char *const *without, struct hm_error *err)
{
    struct stat st;
    struct body b = {.j = j,
                     .fd = fd,
                     .prefix = prefix,
                     .without = without,
                     .err = err,
                     .data = HM_BUF(HM_CONTENT_FILE_MAX)};
    struct hm_bundle_ops ops = {body_read, body_begin, body_data, body_end, &b};
    if (fstat(fd, &st) < 0 || lseek(fd, (off_t)offset, SEEK_SET) < 0)
        return hm_fail(err, -errno, "the content before cannot be read");
    int r = (uint64_t)st.st_size < offset
                ? hm_fail(err, -EBADMSG, "the bundle is cut off")
                : hm_bundle_read((uint64_t)st.st_size - offset, &ops, err);
    hm_buf_done(&b.data);
    if (r && err && !err->text[0])
        hm_fail(err, r, "%s", strerror(-r));
    return r;
}

/* ---- from a folder ---- */

/* A name as a bundle may hold it. */
static void plain_name(const char *name, char *ret, size_t len)
{
    snprintf(ret, len, "%s", name);
    for (char *p = ret; *p; p++)
        if (!hm_bundle_path_ok(hm_slice(p, 1)) && (p == ret || !strchr(" .", *p)))
            *p = '_';
}

static int add_file(struct hm_content_job *j, int fd, const char *prefix, const char *path,
                    uint64_t size, struct hm_error *err)
{
    if (size > HM_CONTENT_FILE_MAX)
        return hm_fail(err, -E2BIG, "%s: over %u MiB", path, HM_CONTENT_FILE_MAX >> 20);
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(HM_CONTENT_FILE_MAX);
    uint8_t *p = size ? hm_buf_extend(&b, size) : NULL;
    size_t got = 0;
    while (p && got < size) {
        ssize_t n = read(fd, p + got, size - got);
        if (n <= 0)
            return hm_fail(err, n < 0 ? -errno : -EAGAIN, "%s: cannot be read to its end", path);
        got += (size_t)n;
    }
    return b.error ? b.error : hm_parts_add(j, prefix, path, hm_slice(b.data, size), err);
}

static int add_folder(struct hm_content_job *j, int dir_fd, const char *prefix, const char *path,
                      int depth, struct hm_error *err);

static int add_entry(struct hm_content_job *j, int dir_fd, const char *prefix, const char *path,
                     const char *name, int depth, struct hm_error *err)
{
    struct stat st;
    char plain[256], full[512];
    hm_autoclose int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ELOOP ? 0 : hm_fail(err, -errno, "%s: %s", name, strerror(errno));
    plain_name(name, plain, sizeof plain);
    if (fstat(fd, &st) < 0 ||
        (size_t)snprintf(full, sizeof full, "%s%s%s", path, *path ? "/" : "", plain) >= sizeof full)
        return hm_fail(err, -ENAMETOOLONG, "%s: name too long", name);
    if (S_ISDIR(st.st_mode))
        return depth < HM_BUNDLE_DEPTH_MAX ? add_folder(j, fd, prefix, full, depth + 1, err)
                                           : hm_fail(err, -ELOOP, "%s: nested too deep", full);
    return S_ISREG(st.st_mode) ? add_file(j, fd, prefix, full, (uint64_t)st.st_size, err) : 0;
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_folder(struct hm_content_job *j, int dir_fd, const char *prefix, const char *path,
                      int depth, struct hm_error *err)
{
    struct dirent **names = NULL;
    int n = scandirat(dir_fd, ".", &names, visible, by_name), r = n < 0 ? -errno : 0;
    if (r)
        hm_fail(err, r, "%s: %s", *path ? path : "folder", strerror(-r));
    for (int i = 0; i < n; i++) {
        if (!r)
            r = add_entry(j, dir_fd, prefix, path, names[i]->d_name, depth, err);
        free(names[i]);
    }
    free(names);
    return r;
}

int hm_parts_folder(struct hm_content_job *j, int dir_fd, const char *prefix, struct hm_error *err)
{
    return add_folder(j, dir_fd, prefix, "", 0, err);
}
