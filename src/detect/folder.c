/* Owns the walk over rule files. Opens beneath the given descriptor only, follows no link. */
#include "detect/folder.h"
#include "detect/limits.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct walk {
    int (*each)(void *ctx, const char *path, struct hm_slice text);
    void *ctx;
};

static bool is_rule(const char *name)
{
    size_t n = strlen(name);
    return (n > 4 && strcmp(name + n - 4, ".yml") == 0) ||
           (n > 5 && strcmp(name + n - 5, ".yaml") == 0);
}

static int give_file(struct walk *w, int fd, const char *path)
{
    struct stat st;
    if (fstat(fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode))
        return 0;
    if (st.st_size > HM_RULE_FILE_MAX_BYTES)
        return w->each(w->ctx, path, (struct hm_slice){0});
    struct hm_buf text = HM_BUF(HM_RULE_FILE_MAX_BYTES + 4096);
    ssize_t n;
    do {
        uint8_t chunk[4096];
        n = read(fd, chunk, sizeof chunk);
        if (n > 0)
            hm_buf_put(&text, chunk, (size_t)n);
    } while (n > 0 && !text.error);
    hm_buf_put_u8(&text, 0); /* so that an empty file has a pointer too */
    int r = n < 0        ? -errno
            : text.error ? text.error
                         : w->each(w->ctx, path, hm_slice(text.data, text.len - 1));
    hm_buf_done(&text);
    return r;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static int walk_dir(struct walk *w, int dir_fd, const char *prefix, unsigned depth);

static int walk_entry(struct walk *w, int dir_fd, const char *prefix, const struct dirent *d,
                      unsigned depth)
{
    char path[512];
    if ((size_t)snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "/" : "", d->d_name) >=
        sizeof path)
        return -ENAMETOOLONG;
    hm_autoclose int fd = openat(dir_fd, d->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ELOOP ? 0 : -errno;
    struct stat st;
    if (fstat(fd, &st))
        return -errno;
    if (S_ISDIR(st.st_mode) && depth == 0 && strcmp(d->d_name, "pipelines") == 0)
        return 0; /* processing pipelines lie beside our rules and are none */
    if (S_ISDIR(st.st_mode))
        return depth < HM_RULE_DIR_DEPTH ? walk_dir(w, fd, path, depth + 1) : -ELOOP;
    return is_rule(d->d_name) ? give_file(w, fd, path) : 0;
}

static int walk_dir(struct walk *w, int dir_fd, const char *prefix, unsigned depth)
{
    struct dirent **names = NULL;
    int n = scandirat(dir_fd, ".", &names, visible, by_name), r = n < 0 ? -errno : 0;
    for (int i = 0; i < n; i++) {
        if (!r)
            r = walk_entry(w, dir_fd, prefix, names[i], depth);
        free(names[i]);
    }
    free(names);
    return r;
}

int hm_folder_each(int dir_fd, int (*each)(void *ctx, const char *path, struct hm_slice text),
                   void *ctx)
{
    struct walk w = {each, ctx};
    return walk_dir(&w, dir_fd, "", 0);
}
