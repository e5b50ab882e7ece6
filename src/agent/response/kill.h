/* End processes, and whole trees, without ever hitting the wrong one. Owns pidfds, start times,
 * the never-list and the order of stopping; refuses to know orders and process tables. */
#pragma once
#include "agent/response/limits.h"
#include "base/buf.h"
#include "base/error.h"
#include <sys/types.h>

struct hm_kill_target { /* start_ns: the kernel's start_boottime; 0: not known, then only the child
                         * of another victim is taken */
    pid_t pid;
    uint64_t start_ns, key;
};
struct hm_kill_options {
    const struct hm_kill_target *targets; /* [0] is the process that was named */
    size_t count;
    bool tree;         /* also what /proc shows as their descendants */
    const char *scope; /* cgroup path as in /proc/PID/cgroup ("/hinomi-practice-1"): others are
                          left; NULL: all */
    bool (*is_own)(void *ctx, pid_t pid); /* the agent's own processes */
    /* Fill in start_ns and key of victims that /proc showed; may be NULL. Called once, when all of
     * them are stopped. */
    void (*describe)(void *ctx, struct hm_kill_target *victims, size_t n);
    void *ctx;
};
/* Move the process with this key to [0], if it is among them. */
void hm_kill_name(struct hm_kill_target *targets, size_t n, uint64_t key);
/* Appends {"killed":[…],"survived":[…]} to detail; past HM_KILL_NAMED_MAX also the counts. A target
 * that is gone already is no error. Errors: -ESRCH nothing was there to kill; -EPERM the named one
 * is on the never-list or outside of the scope; -ENOMEM. *ret_survived counts those that did not
 * die. */
int hm_kill(const struct hm_kill_options *o, struct hm_buf *detail, size_t *ret_survived,
            struct hm_error *err) HM_CHECK;
/* Start time in clock ticks as /proc tells it, parent, and whether it is a kernel thread.
 * Errors: -ESRCH. */
struct hm_proc_stat {
    pid_t parent;
    uint64_t start_ticks;
    bool kernel_thread;
    char state; /* the letter of proc(5): T stopped, Z ended, … */
};
int hm_proc_stat_read(pid_t pid, struct hm_proc_stat *ret) HM_CHECK;
bool hm_proc_in_cgroup(pid_t pid, const char *scope);
/* "/sys/fs/cgroup/unified/x/y" → "/x/y". Errors: -EINVAL not beneath a cgroup v2 mount. */
int hm_cgroup_relative(const char *path, char *ret, size_t len) HM_CHECK;
/* Where cgroup v2 is mounted. Errors: -ENOENT. */
int hm_cgroup_mount(char *ret, size_t len) HM_CHECK;
