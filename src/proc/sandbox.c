/* Owns the list of system calls none of our dropped processes makes. A deny list, because libc,
 * OpenSSL and DuckDB call what they like; what matters is here by name. */
#include "proc/proc.h"
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#define S(name) SCMP_SYS(name)

/* Never, by anybody. io_uring is here because it makes calls seccomp does not see. */
static const int denied[] = {
    /* other processes */
    S(ptrace),
    S(process_vm_readv),
    S(process_vm_writev),
    S(process_madvise),
    S(kcmp),
    S(pidfd_getfd),
    S(tkill),
    /* the kernel */
    S(bpf),
    S(perf_event_open),
    S(init_module),
    S(finit_module),
    S(delete_module),
    S(kexec_load),
    S(kexec_file_load),
    S(reboot),
    S(iopl),
    S(ioperm),
    S(userfaultfd),
    S(io_uring_setup),
    S(io_uring_enter),
    S(io_uring_register),
    S(syslog),
    S(personality),
    /* mounts and namespaces */
    S(mount),
    S(umount2),
    S(pivot_root),
    S(chroot),
    S(move_mount),
    S(open_tree),
    S(fsopen),
    S(fsconfig),
    S(fsmount),
    S(fspick),
    S(mount_setattr),
    S(setns),
    S(unshare),
    S(swapon),
    S(swapoff),
    S(quotactl),
    S(acct),
    /* file handles and watches are monitor's */
    S(open_by_handle_at),
    S(name_to_handle_at),
    S(fanotify_init),
    /* keys, clocks, names */
    S(add_key),
    S(request_key),
    S(keyctl),
    S(settimeofday),
    S(clock_settime),
    S(clock_adjtime),
    S(adjtimex),
    S(sethostname),
    S(setdomainname),
};
static const int exec_calls[] = {S(execve), S(execveat), S(pidfd_send_signal)};

static int deny_all(scmp_filter_ctx ctx, const int *calls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
        if (r < 0 && r != -EDOM) /* EDOM: this architecture has no such call */
            return r;
    }
    return 0;
}

/* Signals to oneself stay: abort() and raise() are made of them. */
static int deny_signals(scmp_filter_ctx ctx)
{
    static const int calls[] = {S(kill), S(tgkill), S(rt_sigqueueinfo), S(rt_tgsigqueueinfo)};
    scmp_datum_t self = (scmp_datum_t)getpid();
    for (size_t i = 0; i < HM_ARRAY_LEN(calls); i++) {
        int r =
            seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), calls[i], 1, SCMP_A0(SCMP_CMP_NE, self));
        if (r < 0)
            return r;
    }
    return 0;
}

/* clone3 hides its flags behind a pointer: ENOSYS makes libc fall back to clone, which is read. */
static int deny_namespaces(scmp_filter_ctx ctx)
{
    static const scmp_datum_t flags[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                         CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
    int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), S(clone3), 0);
    for (size_t i = 0; r == 0 && i < HM_ARRAY_LEN(flags); i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), S(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
    return r;
}

/* Undumpable stays undumpable: otherwise a sibling of the same uid could attach again. */
static int deny_dumpable(scmp_filter_ctx ctx)
{
    return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), S(prctl), 2,
                            SCMP_A0(SCMP_CMP_EQ, PR_SET_DUMPABLE), SCMP_A1(SCMP_CMP_NE, 0));
}

static int load(scmp_filter_ctx ctx, bool allow_exec)
{
    int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (r == 0)
        r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    if (r == 0)
        r = deny_all(ctx, denied, HM_ARRAY_LEN(denied));
    if (r == 0 && !allow_exec)
        r = deny_all(ctx, exec_calls, HM_ARRAY_LEN(exec_calls));
    if (r == 0)
        r = deny_signals(ctx);
    if (r == 0)
        r = deny_namespaces(ctx);
    if (r == 0)
        r = deny_dumpable(ctx);
    return r == 0 ? seccomp_load(ctx) : r;
}

/* Load the filter for good, in all threads. Call it in the process that shall live under it: its
 * own pid is part of the filter. With allow_exec, exec and signals through pidfds stay (a parent
 * ends its worker). Errors: negative errno; the caller must exit. */
int hm_sandbox_syscalls(bool allow_exec, struct hm_error *err)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    if (!ctx)
        return hm_fail(err, -ENOMEM, "no memory for the seccomp filter");
    int r = load(ctx, allow_exec);
    seccomp_release(ctx);
    return r < 0 ? hm_fail(err, r, "seccomp refused the filter") : 0;
}
