/* Owns the file system view of a process: Landlock as far as this kernel's ABI goes. The constants
 * are here because the C library's headers are older than the kernels we run on. */
#include "proc/proc.h"
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ruleset_attr { /* ABI 6; older kernels are given a shorter size */
    uint64_t fs, net, scoped;
};
struct __attribute__((packed)) path_attr {
    uint64_t allowed;
    int32_t parent_fd;
};

#define FS_EXECUTE            (1u << 0)
#define FS_WRITE_FILE         (1u << 1)
#define FS_READ_FILE          (1u << 2)
#define FS_READ_DIR           (1u << 3)
#define FS_MAKE_CHAR          (1u << 6)
#define FS_MAKE_BLOCK         (1u << 11)
#define FS_REFER              (1u << 13)
#define FS_TRUNCATE           (1u << 14)
#define FS_IOCTL_DEV          (1u << 15)
#define FS_ABI1               ((1u << 13) - 1)
#define NET_BIND_CONNECT      3u
#define SCOPE_ABSTRACT_SIGNAL 3u
#define RULE_PATH_BENEATH     1
#define CREATE_VERSION        1u

static uint64_t handled_fs(int abi)
{
    uint64_t fs = FS_ABI1;
    if (abi >= 2)
        fs |= FS_REFER;
    if (abi >= 3)
        fs |= FS_TRUNCATE;
    if (abi >= 5)
        fs |= FS_IOCTL_DEV;
    return fs;
}

/* A path is either to be written or to be executed from, never both. */
static uint64_t allowed_fs(const struct hm_sandbox_path *p, uint64_t handled)
{
    uint64_t a = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR;
    if (p->write)
        a = handled & ~(uint64_t)(FS_EXECUTE | FS_MAKE_CHAR | FS_MAKE_BLOCK);
    struct stat st;
    if (fstat(p->dir_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        a &= FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV;
    return a & handled;
}

static int add_paths(int ruleset, const struct hm_sandbox_path *paths, size_t n, uint64_t handled)
{
    for (size_t i = 0; i < n; i++) {
        struct path_attr a = {allowed_fs(&paths[i], handled), paths[i].dir_fd};
        if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &a, 0) < 0)
            return -errno;
    }
    return 0;
}

/* Confine this process to paths, and to no TCP unless net. Owns: nothing is taken.
 * Errors: negative errno; a kernel without Landlock is not one: *ret_abi is 0 then and the caller
 * says so. Threads: the calling thread and those it starts later: call it early. */
int hm_sandbox_files(const struct hm_sandbox_path *paths, size_t n, bool net, int *ret_abi,
                     struct hm_error *err)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    if (abi < 0) {
        *ret_abi = 0;
        return 0;
    }
    struct ruleset_attr attr = {.fs = handled_fs(abi)};
    size_t size = abi >= 6 ? sizeof attr : abi >= 4 ? 16 : 8;
    if (abi >= 4 && !net)
        attr.net = NET_BIND_CONNECT;
    if (abi >= 6)
        attr.scoped = SCOPE_ABSTRACT_SIGNAL;
    hm_autoclose int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (ruleset < 0)
        return hm_fail(err, -errno, "Landlock (ABI %d) refused its rule set", abi);
    int r = add_paths(ruleset, paths, n, attr.fs);
    if (r < 0)
        return hm_fail(err, r, "Landlock refused a path");
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return hm_fail(err, -errno, "Landlock refused to confine this process");
    *ret_abi = abi;
    return 0;
}
