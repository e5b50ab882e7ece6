/* Probes by doing. See probe.h. */
#include "agent/sensor/probe.h"
#include "agent/sensor/tracepoint.h"
#include "probe.skel.h"
#include "base/cleanup.h"
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

const struct hm_probe_info hm_probes[HM_PROBE_COUNT] = {
    [HM_PROBE_BTF] = {"btf", 1, {"kernel type information", "カーネルの型情報"}},
    [HM_PROBE_TP_BTF] = {"tp_btf", 1, {"typed tracepoints", "型付きトレースポイント"}},
    [HM_PROBE_ITER] = {"iter", 1, {"process iterator", "プロセス一覧のイテレータ"}},
    [HM_PROBE_SYSCALL_TP] = {"syscall_tp",
                             1,
                             {"system call tracepoints", "システムコールのトレースポイント"}},
    [HM_PROBE_CGROUP_SKB] = {"cgroup_skb",
                             1,
                             {"packet filter per cgroup", "cgroup 単位のパケット制御"}},
    [HM_PROBE_FENTRY] = {"fentry", 2, {"function entry programs", "関数入口のプログラム"}},
    [HM_PROBE_FEXIT] = {"fexit", 2, {"function exit programs", "関数出口のプログラム"}},
    [HM_PROBE_LSM] = {"lsm", 2, {"denial by security hooks", "セキュリティフックによる拒否"}},
    [HM_PROBE_FANOTIFY_NAME] = {"fanotify_name",
                                1,
                                {"file changes with names", "名前付きのファイル変更通知"}},
    [HM_PROBE_FANOTIFY_PERM] = {"fanotify_perm",
                                1,
                                {"permission to execute a file", "ファイル実行の許可判定"}},
    [HM_PROBE_PROC_CONNECTOR] = {"proc_connector",
                                 3,
                                 {"process events without BPF", "BPF なしのプロセス通知"}},
};

static int fd_result(int fd)
{
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

/* r0 = 0; exit */
static const struct bpf_insn return_zero[] = {
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
    {.code = BPF_JMP | BPF_EXIT},
};
static const struct bpf_insn return_one[] = {
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
    {.code = BPF_JMP | BPF_EXIT},
};

static int load(enum bpf_prog_type type, enum bpf_attach_type attach, const char *target,
                const struct bpf_insn *insns)
{
    LIBBPF_OPTS(bpf_prog_load_opts, o, .expected_attach_type = attach);
    if (target) {
        int id = libbpf_find_vmlinux_btf_id(target, attach);
        if (id < 0)
            return id;
        o.attach_btf_id = (uint32_t)id;
    }
    return fd_result(bpf_prog_load(type, "hm_probe", "GPL", insns, 2, &o));
}

static int probe_syscall_tp(void)
{
    int fd = -1, e = hm_tracepoint_open("sys_exit_accept4", &fd);
    if (e < 0)
        return e;
    close(fd);
    return load(BPF_PROG_TYPE_TRACEPOINT, 0, NULL, return_zero);
}

/* Does the program load, attach, and is it called when we do what it hooks? */
static int probe_hook(const char *name, size_t counter)
{
    struct probe_bpf *skel = probe_bpf__open();
    struct bpf_program *p, *wanted = NULL;
    if (!skel)
        return -errno;
    skel->rodata->probe_tgid = (uint32_t)getpid();
    bpf_object__for_each_program(p, skel->obj)
    {
        bool it = strcmp(bpf_program__name(p), name) == 0;
        bpf_program__set_autoload(p, it);
        wanted = it ? p : wanted;
    }
    int e = probe_bpf__load(skel);
    struct bpf_link *link = e == 0 && wanted ? bpf_program__attach(wanted) : NULL;
    if (e == 0 && !link)
        e = -errno;
    if (e == 0) {
        (void)getsid(getpid()); /* 0 would not ask the hook */
        e = ((volatile uint64_t *)skel->bss)[counter] > 0 ? 0 : -ENOTSUP;
    }
    bpf_link__destroy(link);
    probe_bpf__destroy(skel);
    return e;
}

static int probe_fanotify_perm(void)
{
    hm_autoclose int fan = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY);
    if (fan < 0)
        return -errno;
    /* a mark on a file nobody else can open; nobody will ever wait on it */
    hm_autoclose int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0)
        return -errno;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return fanotify_mark(fan, FAN_MARK_ADD, FAN_OPEN_EXEC_PERM, AT_FDCWD, path) < 0 ? -errno : 0;
}

static int probe_proc_connector(void)
{
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
    hm_autoclose int s = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);
    if (s < 0)
        return -errno;
    return bind(s, (struct sockaddr *)&a, sizeof a) < 0 ? -errno : 0;
}

static int probe_one(enum hm_probe_id p)
{
    switch (p) {
    case HM_PROBE_BTF:
        return access("/sys/kernel/btf/vmlinux", R_OK) < 0 ? -errno : 0;
    case HM_PROBE_TP_BTF:
        return load(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "sched_process_exec", return_zero);
    case HM_PROBE_ITER:
        return load(BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, "task", return_zero);
    case HM_PROBE_SYSCALL_TP:
        return probe_syscall_tp();
    case HM_PROBE_CGROUP_SKB:
        return load(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, NULL, return_one);
    case HM_PROBE_FENTRY:
        return probe_hook("probe_fentry", 1);
    case HM_PROBE_FEXIT:
        return probe_hook("probe_fexit", 2);
    case HM_PROBE_LSM:
        return probe_hook("probe_lsm", 0);
    case HM_PROBE_FANOTIFY_NAME:
        return fd_result(fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_CLOEXEC, 0));
    case HM_PROBE_FANOTIFY_PERM:
        return probe_fanotify_perm();
    case HM_PROBE_PROC_CONNECTOR:
        return probe_proc_connector();
    default:
        return -EINVAL;
    }
}

void hm_probe_all(struct hm_probe_results *ret)
{
    for (int p = 0; p < HM_PROBE_COUNT; p++)
        ret->error[p] = probe_one((enum hm_probe_id)p);
}

int hm_probe_tier(const struct hm_probe_results *r)
{
    if (!hm_probe_ok(r, HM_PROBE_BTF) || !hm_probe_ok(r, HM_PROBE_TP_BTF))
        return 3;
    return hm_probe_ok(r, HM_PROBE_FENTRY) && hm_probe_ok(r, HM_PROBE_FEXIT) &&
                   hm_probe_ok(r, HM_PROBE_LSM)
               ? 2
               : 1;
}
