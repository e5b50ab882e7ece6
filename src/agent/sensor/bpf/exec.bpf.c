/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The EXEC record: what a process has become. Owns the program on sched_process_exec and the
 * gathering of strings; the numbers it shares with the snapshot are in image.bpf.h. */
#pragma once

/* Strings before the arguments: path, cwd, filename, interpreter and cgroup, environment. */
#define SMALL_MAX (4 * HM_SENSOR_PATH_MAX + HM_SENSOR_ENV_MAX)

/* Larger than a per-CPU value may be (32 KiB), hence an array with an entry a CPU: tracepoint
 * programs are not preempted, and one program does not interrupt itself. */
struct exec_scratch {
    struct hm_rec_exec rec;
    char tail[SMALL_MAX + HM_SENSOR_ARGS_MAX];
    struct path_buf path;
    char piece[HM_SENSOR_ENV_PIECE];
};
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1); /* the loader sets the number of CPUs */
    __type(key, __u32);
    __type(value, struct exec_scratch);
} exec_scratch SEC(".maps");

/* Append the walked path behind cur; returns the new end. */
HM_GLOBAL __u64 put_path(struct exec_scratch *s, __u64 cur, struct hm_rec_str *ret)
{
    if (!s || !ret)
        return cur;
    __u64 off = s->path.off;
    if (off >= PATH_END || cur > SMALL_MAX - PATH_END)
        return cur;
    __u64 n = PATH_END - off;
    bpf_probe_read_kernel(s->tail + cur, n, s->path.bytes + off);
    ret->off = sizeof s->rec + cur;
    ret->len = n;
    return cur + n;
}

/* The same for a NUL-terminated string of the kernel, NUL left out. */
HM_GLOBAL __u64 put_str(struct exec_scratch *s, __u64 cur, struct hm_rec_str *ret, __u64 src,
                        __u64 max)
{
    if (!s || !ret || max > HM_SENSOR_PATH_MAX || cur > SMALL_MAX - HM_SENSOR_PATH_MAX)
        return cur;
    long n = bpf_probe_read_kernel_str(s->tail + cur, max, (void *)src);
    if (n <= 0)
        s->rec.h.flags |= HM_REC_F_READ_ERROR;
    if (n <= 1)
        return cur;
    ret->off = sizeof s->rec + cur;
    ret->len = n - 1;
    return cur + n - 1;
}

/* Variables that change what a program loads or runs before its own code. Eight bytes tell. */
#define NAME8(a, b, c, d, e, f, g, h)                                                              \
    ((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 |       \
     (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)
static __always_inline bool loader_variable(const char *p)
{
    __u64 w = *(const __u64 *)p;
    if ((w & 0xffffff) == NAME8('L', 'D', '_', 0, 0, 0, 0, 0))
        return true;
    return w == NAME8('B', 'A', 'S', 'H', '_', 'E', 'N', 'V') ||
           w == NAME8('G', 'C', 'O', 'N', 'V', '_', 'P', 'A') ||
           w == NAME8('G', 'L', 'I', 'B', 'C', '_', 'T', 'U') ||
           w == NAME8('P', 'E', 'R', 'L', '5', 'O', 'P', 'T') ||
           w == NAME8('P', 'E', 'R', 'L', '5', 'L', 'I', 'B') ||
           w == NAME8('P', 'Y', 'T', 'H', 'O', 'N', 'S', 'T') ||
           w == NAME8('P', 'Y', 'T', 'H', 'O', 'N', 'P', 'A') ||
           w == NAME8('R', 'U', 'B', 'Y', 'O', 'P', 'T', '=') ||
           w == NAME8('N', 'O', 'D', 'E', '_', 'O', 'P', 'T') ||
           w == NAME8('J', 'A', 'V', 'A', '_', 'T', 'O', 'O');
}

/* Where the search of the environment stands. */
struct env_walk {
    struct exec_scratch *s;
    __u64 at, end;    /* user addresses */
    __u64 first, cur; /* what was kept, in the tail */
    __u64 fresh;      /* at the begin of a variable, not inside a long one */
    __u64 keep;       /* the variable we are in is one of ours */
};

/* One piece, for bpf_loop(): at most a variable; a long variable takes several. 1: done. */
static long env_step(__u32 step, struct env_walk *w)
{
    struct exec_scratch *s = w->s;
    __u64 cur = w->cur, first = w->first;
    if (w->at >= w->end)
        return 1;
    long n = bpf_probe_read_user_str(s->piece, HM_SENSOR_ENV_PIECE, (void *)w->at);
    if (n <= 0)
        return 1;
    if (w->fresh)
        w->keep = loader_variable(s->piece);
    w->fresh = n < HM_SENSOR_ENV_PIECE; /* else the piece ends inside the variable */
    __u64 len = (w->fresh ? n : n - 1) & (HM_SENSOR_ENV_PIECE - 1);
    w->at += len;
    if (!w->keep)
        return 0;
    if (cur - first > HM_SENSOR_ENV_MAX - HM_SENSOR_ENV_PIECE ||
        cur > SMALL_MAX - HM_SENSOR_ENV_PIECE) {
        s->rec.h.flags |= HM_REC_F_ENV_PARTIAL;
        return 1;
    }
    bpf_probe_read_kernel(s->tail + cur, len, s->piece);
    w->cur = cur + len;
    return 0;
}

HM_GLOBAL __u64 put_env(struct exec_scratch *s, __u64 cur, __u64 mm_address)
{
    struct mm_struct *mm = (void *)mm_address;
    struct env_walk w = {.s = s, .first = cur, .cur = cur, .fresh = 1};
    if (!s)
        return cur;
    w.at = BPF_CORE_READ(mm, env_start);
    w.end = BPF_CORE_READ(mm, env_end);
    if (bpf_loop(HM_SENSOR_ENV_STEPS, env_step, &w, 0) >= HM_SENSOR_ENV_STEPS)
        s->rec.h.flags |= HM_REC_F_ENV_PARTIAL;
    if (w.cur <= cur || w.cur > SMALL_MAX)
        return cur;
    s->rec.env.off = sizeof s->rec + cur;
    s->rec.env.len = w.cur - cur;
    return w.cur;
}

/* Last, because they are the largest: everything before them has a small, provable bound. */
HM_GLOBAL __u64 put_args(struct exec_scratch *s, __u64 cur, __u64 mm_address)
{
    struct mm_struct *mm = (void *)mm_address;
    __u64 start = BPF_CORE_READ(mm, arg_start);
    __u64 n = BPF_CORE_READ(mm, arg_end) - start;
    if (!s)
        return cur;
    s->rec.args_total = n;
    if (n > HM_SENSOR_ARGS_MAX) {
        n = HM_SENSOR_ARGS_MAX;
        s->rec.proc_flags |= HM_REC_PROC_ARGS_TRUNCATED;
    }
    if (cur > SMALL_MAX)
        return cur;
    if (bpf_probe_read_user(s->tail + cur, n, (void *)start)) {
        s->rec.h.flags |= HM_REC_F_READ_ERROR; /* swapped out between copy and here: rare */
        return cur;
    }
    s->rec.args.off = sizeof s->rec + cur;
    s->rec.args.len = n;
    return cur + n;
}

HM_GLOBAL __u64 put_image(struct exec_scratch *s, __u64 exe_address)
{
    struct file *exe = (void *)exe_address;
    if (!s)
        return 0;
    path_walk(&s->path, (__u64)BPF_CORE_READ(exe, f_path.mnt),
              (__u64)BPF_CORE_READ(exe, f_path.dentry));
    if (s->path.flags & PATH_CUT)
        s->rec.proc_flags |= HM_REC_PROC_PATH_TRUNCATED;
    __u64 cur = put_path(s, 0, &s->rec.path);
    if (s->path.flags & PATH_DETACHED && *(const __u32 *)s->tail == 0x666d656d) /* "memf" */
        s->rec.proc_flags = (s->rec.proc_flags & ~HM_REC_PROC_DELETED) | HM_REC_PROC_MEMFD;
    return cur;
}

HM_GLOBAL __u64 put_strings(struct exec_scratch *s, __u64 task_address, __u64 bprm_address)
{
    struct task_struct *task = (void *)task_address;
    struct linux_binprm *bprm = (void *)bprm_address;
    struct mm_struct *mm = BPF_CORE_READ(task, mm);
    struct fs_struct *fs = BPF_CORE_READ(task, fs);
    const char *name = BPF_CORE_READ(bprm, filename), *interp = BPF_CORE_READ(bprm, interp);
    if (!s)
        return 0;
    __u64 cur = put_image(s, (__u64)BPF_CORE_READ(mm, exe_file));
    path_walk(&s->path, (__u64)BPF_CORE_READ(fs, pwd.mnt), (__u64)BPF_CORE_READ(fs, pwd.dentry));
    cur = put_path(s, cur, &s->rec.cwd);
    cur = put_str(s, cur, &s->rec.filename, (__u64)name, HM_SENSOR_PATH_MAX);
    if (interp != name) {
        s->rec.proc_flags |= HM_REC_PROC_SCRIPT;
        cur = put_str(s, cur, &s->rec.interp, (__u64)interp, HM_SENSOR_NAME_MAX);
    }
    cur = put_str(s, cur, &s->rec.cgroup, (__u64)BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, name),
                  HM_SENSOR_NAME_MAX);
    cur = put_env(s, cur, (__u64)mm);
    return put_args(s, cur, (__u64)mm);
}

static __always_inline void output_exec(struct exec_scratch *s, __u64 tail)
{
    struct hm_rec_header *h = &s->rec.h;
    __u64 len = sizeof s->rec + tail;
    if (tail > sizeof s->tail)
        return;
    if (h->flags & HM_REC_F_READ_ERROR)
        count_error(HM_PROG_EXEC);
    if (s->rec.args.len <= HM_SENSOR_ARGS_SHORT) {
        output(HM_PROG_EXEC, h, len);
        return;
    }
    h->length = len;
    h->flags |= HM_REC_F_LONG;
    long e = bpf_ringbuf_output(&args_ring, s, len, wake_flags(&args_ring, 1, h->boot_ns));
    count_output(HM_PROG_EXEC, e, true, h->boot_ns);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(hm_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
    __u32 cpu = bpf_get_smp_processor_id();
    __u64 current = bpf_get_current_task();
    if (!in_scope(current))
        return 0;
    struct exec_scratch *s = bpf_map_lookup_elem(&exec_scratch, &cpu);
    if (!s) { /* a CPU number beyond the count of CPUs */
        count_output(HM_PROG_EXEC, -1, false, bpf_ktime_get_boot_ns());
        return 0;
    }
    __builtin_memset(&s->rec, 0, sizeof s->rec);
    fill_header(&s->rec.h, HM_REC_EXEC, current);
    fill_image(&s->rec, current);
    s->rec.argc = BPF_CORE_READ(bprm, argc);
    output_exec(s, put_strings(s, current, arg_address(ctx + 2)));
    return 0;
}
