/* Files of a folder as an upload. Follows no link, leaves hidden files out. */
#include "cli/content.h"
#include "wire/bundle.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct pack {
    struct hm_bundle_input *parts;
    size_t n, room;
};

static void pack_done(struct pack *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free((void *)p->parts[i].path);
        free((void *)p->parts[i].data.p);
    }
    free(p->parts);
}

static int add(struct pack *p, const char *path, struct hm_buf *data)
{
    if (p->n == p->room) {
        size_t n = p->room ? p->room * 2 : 64;
        void *v = realloc(p->parts, n * sizeof *p->parts);
        if (!v)
            return -ENOMEM;
        p->parts = v;
        p->room = n;
    }
    char *name = strdup(path);
    if (!name)
        return -ENOMEM;
    p->parts[p->n++] = (struct hm_bundle_input){name, hm_slice(data->data, data->len)};
    data->data = NULL;
    data->len = data->cap = 0;
    return 0;
}

static int read_all(int fd, struct hm_buf *out)
{
    uint8_t chunk[65536];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        hm_buf_put(out, chunk, (size_t)n);
    return n < 0 ? -errno : out->error;
}

static void plain(const char *name, char *ret, size_t len)
{
    snprintf(ret, len, "%s", name);
    for (char *p = ret; *p; p++)
        if (!hm_bundle_path_ok(hm_slice(p, 1)) && (p == ret || !strchr(" .", *p)))
            *p = '_';
}

static int add_folder(struct pack *p, int dir_fd, const char *path, struct hm_error *err);

static int add_entry(struct pack *p, int dir_fd, const char *path, const char *name,
                     struct hm_error *err)
{
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(HM_BUNDLE_RAW_MAX);
    struct stat st;
    char safe[256], full[1024];
    hm_autoclose int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return errno == ELOOP ? 0 : hm_fail(err, -errno, "%s: %s", name, strerror(errno));
    plain(name, safe, sizeof safe);
    if (fstat(fd, &st) < 0 ||
        (size_t)snprintf(full, sizeof full, "%s%s%s", path, *path ? "/" : "", safe) >= sizeof full)
        return hm_fail(err, -ENAMETOOLONG, "%s: name too long", name);
    if (S_ISDIR(st.st_mode))
        return add_folder(p, fd, full, err);
    if (!S_ISREG(st.st_mode))
        return 0;
    int r = read_all(fd, &b);
    if (!r)
        r = add(p, full, &b);
    return r ? hm_fail(err, r, "%s: %s", full, strerror(-r)) : 0;
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static int add_folder(struct pack *p, int dir_fd, const char *path, struct hm_error *err)
{
    struct dirent **names = NULL;
    int n = scandirat(dir_fd, ".", &names, visible, alphasort);
    int r = n < 0 ? hm_fail(err, -errno, "%s: %s", path, strerror(errno)) : 0;

    if (strlen(path) > HM_BUNDLE_PATH_MAX)
        r = hm_fail(err, -ELOOP, "%s: nested too deep", path);
    for (int i = 0; i < n; i++) {
        if (!r)
            r = add_entry(p, dir_fd, path, names[i]->d_name, err);
        free(names[i]);
    }
    free(names);
    return r;
}

static int to_buf(void *ctx, struct hm_slice s)
{
    struct hm_buf *out = ctx;

    hm_buf_put(out, s.p, s.len);
    return out->error;
}

static int pack_file(int fd, const char *path, struct pack *p, struct hm_buf *out)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char safe[256];
    int r = read_all(fd, out);

    size_t known = out->len < 8 ? out->len : 8;

    if (r || (known && memcmp(out->data, HM_BUNDLE_MAGIC, known) == 0))
        return r; /* a bundle travels as it is, also what is left of one */
    plain(name, safe, sizeof safe);
    return add(p, safe, out);
}

int hm_pack(const char *path, struct hm_buf *out, struct hm_error *err)
{
    struct pack p hm_auto(pack_done) = {0};
    struct stat st;
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0)
        return hm_fail(err, -errno, "%s: %s", path, strerror(errno));
    int r = S_ISDIR(st.st_mode) ? add_folder(&p, fd, "", err) : pack_file(fd, path, &p, out);
    if (r || out->len)
        return r;
    hm_bundle_head_write(hm_slice("", 0), out);
    return hm_bundle_write(p.parts, p.n, to_buf, out, err);
}
