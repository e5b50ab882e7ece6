/* Owns the fanotify group: which file systems and files carry marks, and the way from a directory
 * handle to its path. A scoped agent marks only tmpfs of its own mount namespace: a mark on a
 * shared file system would watch the whole host. There are no permission marks. */
#include "agent/monitor/policy.h"
#include "agent/monitor/state.h"
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TMPFS_MAGIC_NUMBER 0x01021994
#define CHANGES            (FAN_CREATE | FAN_DELETE | FAN_CLOSE_WRITE | FAN_ATTRIB | FAN_ONDIR)

struct file_system {
    uint8_t fsid[8];
    int fd; /* anything on it: what open_by_handle_at starts from */
    bool marked;
};
struct hm_watch {
    int fd;
    bool scoped, renames; /* renames: FAN_RENAME, else a pair of moves */
    struct file_system fs[HM_MON_FILESYSTEMS_MAX];
    size_t fs_count, sensitive;
    uint64_t marked_ns;
    struct hm_buf policy;
    struct hm_buf refused; /* JSON strings: what is not watched and why */
};

int hm_watch_fd(const struct hm_watch *w)
{
    return w->fd;
}

const char *hm_watch_policy(const struct hm_watch *w)
{
    return (const char *)w->policy.data;
}

static void refuse(struct hm_watch *w, const char *path, const char *why)
{
    hm_buf_printf(&w->refused, "%s\"%s: %s\"", w->refused.len ? "," : "", path, why);
    hm_debug("files of %s are not watched: %s", path, why);
}

/* The mounts of the host: those of process 1, or, where that one may not be read, of our parent
 * when it lives in another mount namespace than we do. NULL: cannot tell. */
static FILE *host_mounts(void)
{
    struct stat own, other;
    char path[48];
    FILE *f = fopen("/proc/1/mountinfo", "re");
    if (f)
        return f;
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)getppid());
    if (stat("/proc/self/ns/mnt", &own) < 0 || stat(path, &other) < 0 || own.st_ino == other.st_ino)
        return NULL;
    snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)getppid());
    return fopen(path, "re");
}

static bool on_host(dev_t dev)
{
    char line[4096];
    unsigned maj, min;
    bool found = false;
    FILE *f = host_mounts();
    if (!f)
        return true; /* treat it as shared */
    while (!found && fgets(line, sizeof line, f))
        found = sscanf(line, "%*d %*d %u:%u", &maj, &min) == 2 && makedev(maj, min) == dev;
    fclose(f);
    return found;
}

/* NULL: a mark may be set; else why not. */
static const char *objection(const struct hm_watch *w, const struct stat *st,
                             const struct statfs *fs)
{
    if (!w->scoped)
        return NULL;
    if (fs->f_type != TMPFS_MAGIC_NUMBER)
        return "not a tmpfs of the scope";
    return on_host(st->st_dev) ? "shared with the host" : NULL;
}

static struct file_system *find_fs(struct hm_watch *w, const void *fsid)
{
    for (size_t i = 0; i < w->fs_count; i++)
        if (memcmp(w->fs[i].fsid, fsid, 8) == 0)
            return &w->fs[i];
    return NULL;
}

/* The file system of path, known from now on. NULL: it may not or cannot be watched. */
static struct file_system *enter_fs(struct hm_watch *w, const char *path, bool say)
{
    struct stat st;
    struct statfs fs;
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
        return NULL; /* not there on this machine */
    const char *why = objection(w, &st, &fs);
    if (why) {
        if (say)
            refuse(w, path, why);
        return NULL;
    }
    struct file_system *known = find_fs(w, &fs.f_fsid);
    if (known || w->fs_count == HM_MON_FILESYSTEMS_MAX)
        return known;
    struct file_system *n = &w->fs[w->fs_count++];
    memcpy(n->fsid, &fs.f_fsid, 8);
    n->fd = hm_steal_fd(&fd);
    n->marked = false;
    return n;
}

static int mark_changes(struct hm_watch *w, const char *path)
{
    uint64_t mask = CHANGES | (w->renames ? FAN_RENAME : FAN_MOVED_FROM | FAN_MOVED_TO);
    return fanotify_mark(w->fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, mask, AT_FDCWD, path) < 0
               ? -errno
               : 0;
}

/* The nearest folder that is there: a pattern's part before its `*`, or a parent of what may come
 * to be. Its file system is where the row's events will happen. */
static void existing_part(const char *row, char *ret, size_t len)
{
    snprintf(ret, len, "%.*s", (int)strcspn(row, "*"), row);
    while (strlen(ret) > 1 && (ret[strlen(ret) - 1] == '/' || access(ret, F_OK) < 0)) {
        char *slash = strrchr(ret, '/');
        slash[slash == ret] = 0;
    }
}

static void watch_changes(struct hm_watch *w, const char *row)
{
    char path[PATH_MAX];
    existing_part(row, path, sizeof path);
    struct file_system *fs = enter_fs(w, path, strcmp(path, row) == 0);
    if (!fs || fs->marked)
        return;
    int r = mark_changes(w, path);
    fs->marked = r == 0;
    if (r < 0)
        refuse(w, path, strerror(-r));
}

/* Marks on what exists now; adding one again changes nothing. */
static void watch_reads(struct hm_watch *w, const char *pattern)
{
    glob_t g;
    if (glob(pattern, GLOB_NOSORT, NULL, &g) != 0)
        return;
    for (size_t i = 0; i < g.gl_pathc && w->sensitive < HM_MON_SENSITIVE_MAX; i++) {
        struct stat st;
        if (lstat(g.gl_pathv[i], &st) < 0 || S_ISLNK(st.st_mode) ||
            !enter_fs(w, g.gl_pathv[i], false))
            continue;
        uint64_t mask = S_ISDIR(st.st_mode) ? FAN_OPEN | FAN_EVENT_ON_CHILD : FAN_OPEN;
        if (fanotify_mark(w->fd, FAN_MARK_ADD | FAN_MARK_DONT_FOLLOW, mask, AT_FDCWD,
                          g.gl_pathv[i]) == 0)
            w->sensitive++;
    }
    globfree(&g);
}

static void mark_sensitive(struct hm_watch *w)
{
    w->sensitive = 0;
    for (const struct hm_watch_row *row = hm_watch_rows; row->path; row++)
        if (row->read)
            watch_reads(w, row->path);
}

static int open_group(struct hm_watch *w)
{
    unsigned base = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK;
    w->renames = true;
    w->fd = fanotify_init(base | FAN_REPORT_DFID_NAME_TARGET, O_RDONLY | O_CLOEXEC | O_LARGEFILE);
    if (w->fd < 0) { /* before 5.17 */
        w->renames = false;
        w->fd = fanotify_init(base | FAN_REPORT_DFID_NAME, O_RDONLY | O_CLOEXEC | O_LARGEFILE);
    }
    return w->fd < 0 ? -errno : 0;
}

/* A machine without fanotify is watched without its files, and the report says so. */
int hm_watch_open(const char *scope, struct hm_watch **ret_w, struct hm_error *err)
{
    struct hm_watch *w = calloc(1, sizeof *w);
    if (!w)
        return hm_fail(err, -ENOMEM, "no memory for the watches");
    w->scoped = scope != NULL;
    w->policy = HM_BUF(16 * 1024);
    w->refused = HM_BUF(16 * 1024);
    for (const struct hm_watch_row *row = hm_watch_rows; row->path; row++)
        hm_buf_printf(&w->policy, "%s%s", row == hm_watch_rows ? "" : "\n", row->path);
    hm_buf_put_u8(&w->policy, 0);
    int r = open_group(w);
    if (r < 0)
        refuse(w, "/", strerror(-r));
    for (const struct hm_watch_row *row = hm_watch_rows; r == 0 && row->path; row++)
        watch_changes(w, row->path);
    *ret_w = w;
    return 0;
}

void hm_watch_close(struct hm_watch *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->fs_count; i++)
        close(w->fs[i].fd);
    if (w->fd >= 0)
        close(w->fd);
    hm_buf_done(&w->policy);
    hm_buf_done(&w->refused);
    free(w);
}

void hm_watch_tick(struct hm_watch *w, uint64_t now_ns)
{
    if (w->fd < 0 || (w->marked_ns && now_ns - w->marked_ns < HM_MON_REMARK_NS))
        return;
    w->marked_ns = now_ns;
    mark_sensitive(w);
}

static size_t marked(const struct hm_watch *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->fs_count; i++)
        n += w->fs[i].marked;
    return n;
}

bool hm_watch_active(const struct hm_watch *w)
{
    return w->fd >= 0 && marked(w) > 0;
}

void hm_watch_report(const struct hm_watch *w, struct hm_buf *out)
{
    hm_buf_printf(out, "{\"fanotify\":%s,\"file_systems\":%zu,\"sensitive\":%zu,\"not_watched\":[",
                  w->fd >= 0 ? "true" : "false", marked(w), w->sensitive);
    hm_buf_put(out, w->refused.data, w->refused.len);
    hm_buf_puts(out, "]}");
}

/* By handle, so that no name is followed: a watched file or folder, only to look at. */
static int open_handle(const struct hm_watch *w, struct hm_slice fsid, struct hm_slice handle,
                       struct stat *ret_st)
{
    union {
        struct file_handle h;
        uint8_t bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } u = {0};
    const size_t head = sizeof(struct file_handle);
    if (fsid.len != 8 || handle.len < head || handle.len > sizeof u.bytes)
        return -1;
    memcpy(u.bytes, handle.p, handle.len);
    struct file_system *fs = find_fs((struct hm_watch *)w, fsid.p);
    if (!fs || u.h.handle_bytes != handle.len - head)
        return -1;
    hm_autoclose int fd = open_by_handle_at(fs->fd, &u.h, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, ret_st) < 0 || ret_st->st_nlink == 0)
        return -1;
    return hm_steal_fd(&fd);
}

int hm_watch_open_file(const struct hm_watch *w, struct hm_slice fsid, struct hm_slice handle,
                       struct stat *ret_st)
{
    return open_handle(w, fsid, handle, ret_st);
}

bool hm_watch_stat(const struct hm_watch *w, struct hm_slice fsid, struct hm_slice handle,
                   struct stat *ret_st)
{
    hm_autoclose int fd = open_handle(w, fsid, handle, ret_st);
    return fd >= 0;
}

size_t hm_watch_resolve(const struct hm_watch *w, struct hm_slice fsid, struct hm_slice handle,
                        char *buf, size_t len)
{
    struct stat st;
    hm_autoclose int fd = open_handle(w, fsid, handle, &st);
    if (fd < 0 || !S_ISDIR(st.st_mode))
        return 0;
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, buf, len);
    return n > 0 && (size_t)n < len && buf[0] == '/' ? (size_t)n : 0;
}
