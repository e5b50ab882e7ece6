/* Owns the table of folders and files with their owners; refuses to know what is in them. */
#include "server/state.h"

#include "server/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

/* shared: group of core and api (roles.h); such folders are setgid so that new files inherit it. */
struct entry {
    const char *path;
    enum hm_server_role owner;
    mode_t mode;
    bool folder, shared;
};
static const struct entry entries[] = {
    {"signer", HM_ROLE_SIGNER, 0711, true, false}, /* ca.crt in it is for everybody */
    {"signer/ca.key", HM_ROLE_SIGNER, 0600, false, false},
    {"signer/order.key", HM_ROLE_SIGNER, 0600, false, false},
    {"signer/content.key", HM_ROLE_SIGNER, 0600, false, false},
    {"gateway", HM_ROLE_GATEWAY, 0750, true, true},
    {"gateway/tls.key", HM_ROLE_GATEWAY, 0600, false, false},
    {"gateway/journal", HM_ROLE_GATEWAY, 02750, true, true},
    /* api makes SQLite's files beside the database; sticky: it cannot take core's own away. */
    {"core", HM_ROLE_CORE, 03770, true, true},
    {"core/store", HM_ROLE_CORE, 02750, true, true},
    {"core/content", HM_ROLE_CORE, 02750, true, true},
    {"core/control.db", HM_ROLE_CORE, 0660, false, true},
    {"core/control.db-wal", HM_ROLE_CORE, 0660, false, true},
    {"core/control.db-shm", HM_ROLE_CORE, 0660, false, true},
    {"content", HM_ROLE_CONTENT, 0700, true, false}, /* where foreign content is taken apart */
    {"api", HM_ROLE_API, 0700, true, false},
    {"api/tls.key", HM_ROLE_API, 0600, false, false},
};

static int set_one(int state, const struct entry *e, struct hm_error *err)
{
    uid_t uid = hm_role_uid(&hm_server_roles[e->owner].role);
    gid_t gid = e->shared ? hm_role_group(&hm_server_roles[HM_ROLE_CORE].role) : 0;
    struct stat st;

    if (uid == (uid_t)-1 || gid == (gid_t)-1)
        return hm_fail(err, -ENOENT, "no user or group for %s",
                       hm_server_roles[e->owner].role.name);
    if (e->folder && mkdirat(state, e->path, 0700) < 0 && errno != EEXIST)
        return hm_fail(err, -errno, "%s: %s", e->path, strerror(errno));
    if (fstatat(state, e->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return e->folder ? -errno : 0; /* a file that is made later is its role's own */
    if (S_ISLNK(st.st_mode))
        return hm_fail(err, -ELOOP, "%s is a link", e->path);
    if (st.st_uid != uid || st.st_gid != gid)
        if (fchownat(state, e->path, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
            return hm_fail(err, -errno, "%s: %s", e->path, strerror(errno));
    /* Only on a difference: a hardened unit may forbid setting setgid bits once they are there. */
    if ((st.st_mode & 07777) != e->mode || st.st_uid != uid || st.st_gid != gid)
        if (fchmodat(state, e->path, e->mode, 0) < 0)
            return hm_fail(err, -errno, "%s: %s", e->path, strerror(errno));
    return 0;
}

int hm_state_prepare(const char *state, struct hm_error *err)
{
    if (geteuid() != 0)
        return hm_fail(err, -EACCES, "this needs root: every role gets a uid of its own");
    if (mkdir(state, 0711) < 0 && errno != EEXIST)
        return hm_fail(err, -errno, "%s: %s", state, strerror(errno));
    hm_autoclose int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, 0711) < 0)
        return hm_fail(err, -errno, "%s: %s", state, strerror(errno));
    for (size_t i = 0; i < HM_ARRAY_LEN(entries); i++) {
        int r = set_one(fd, &entries[i], err);
        if (r)
            return r;
    }
    return 0;
}

int hm_state_lock(const char *state, int *ret_fd, struct hm_error *err)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/lock", state);
    hm_autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return hm_fail(err, -errno, "%s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return hm_fail(err, errno == EWOULDBLOCK ? -EBUSY : -errno,
                       "another hinomi-server uses %s already", state);
    *ret_fd = hm_steal_fd(&fd);
    return 0;
}
