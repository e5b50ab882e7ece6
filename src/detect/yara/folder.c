/* See folder.h. */
#include "detect/yara/folder.h"
#include "detect/yara/limits.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct walk {
    int (*each)(void *ctx, const char *path, int fd);
    void *ctx;
    size_t files;
};

static bool is_rule(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcmp(dot, ".yar") == 0 || strcmp(dot, ".yara") == 0);
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

static int walk_entry(struct walk *w, int dir_fd, const char *prefix, const char *name,
                      unsigned depth)
{
    char path[512];
    struct stat st;
    if ((size_t)snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "/" : "", name) >=
        sizeof path)
        return -ENAMETOOLONG;
    hm_autoclose int fd =
        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ELOOP || errno == ENOENT ? 0 : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return depth < HM_YARA_DIR_DEPTH ? walk_dir(w, fd, path, depth + 1) : -ELOOP;
    if (!S_ISREG(st.st_mode) || !is_rule(name))
        return 0;
    return w->files++ < HM_YARA_FILES_MAX ? w->each(w->ctx, path, fd) : -E2BIG;
}

static int walk_dir(struct walk *w, int dir_fd, const char *prefix, unsigned depth)
{
    struct dirent **names = NULL;
    int n = scandirat(dir_fd, ".", &names, visible, by_name), r = n < 0 ? -errno : 0;
    for (int i = 0; i < n; i++) {
        if (!r)
            r = walk_entry(w, dir_fd, prefix, names[i]->d_name, depth);
        free(names[i]);
    }
    free(names);
    return r;
}

int hm_yara_folder_each(int dir_fd, int (*each)(void *ctx, const char *path, int fd), void *ctx)
{
    struct walk w = {each, ctx, 0};
    return walk_dir(&w, dir_fd, "", 0);
}
