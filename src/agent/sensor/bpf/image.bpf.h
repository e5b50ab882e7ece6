/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fixed part of an EXEC or SNAPSHOT record: executable, terminal, session, standard
 * descriptors. Works on any task, current or not. */
#pragma once

static __always_inline __u32 user_dev(__u32 dev)
{
    __u32 major = dev >> 20, minor = dev & 0xfffff; /* new_encode_dev() */
    return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

HM_GLOBAL int fill_exe(struct hm_rec_exec *r, __u64 inode_address)
{
    struct inode *inode = (void *)inode_address;
    if (!r)
        return 0;
    __u32 owner = BPF_CORE_READ(inode, i_uid.val), group = BPF_CORE_READ(inode, i_gid.val);
    r->inode = BPF_CORE_READ(inode, i_ino);
    r->size = BPF_CORE_READ(inode, i_size);
    r->mtime_ns = compat_mtime_ns(inode);
    r->dev = user_dev(BPF_CORE_READ(inode, i_sb, s_dev));
    r->mode = BPF_CORE_READ(inode, i_mode);
    r->owner = owner;
    if (BPF_CORE_READ(inode, i_nlink) == 0)
        r->proc_flags |= HM_REC_PROC_DELETED;
    /* the effective id is the file's and not the caller's own: the exec gave it */
    if ((r->mode & S_ISUID && r->h.euid == owner && r->h.euid != r->h.uid) ||
        (r->mode & S_ISGID && r->h.egid == group && r->h.egid != r->h.gid))
        r->proc_flags |= HM_REC_PROC_SETUID;
    return 0;
}

HM_GLOBAL int fill_peer(struct hm_rec_exec *r, __u64 file_address)
{
    struct file *file = (void *)file_address;
    if (!r)
        return 0;
    struct socket *socket = BPF_CORE_READ(file, private_data);
    struct sock *sk = BPF_CORE_READ(socket, sk);
    __u16 port = BPF_CORE_READ(sk, __sk_common.skc_dport);
    if (r->stdio_family || port == 0)
        return 0;
    r->stdio_family = remote_ip(sk, r->stdio_ip);
    if (r->stdio_family)
        r->stdio_port = bpf_ntohs(port);
    return 0;
}

static __always_inline __u8 char_kind(struct inode *inode)
{
    __u32 major = BPF_CORE_READ(inode, i_rdev) >> 20;
    return major == TTY_MAJOR || major == TTYAUX_MAJOR ||
                   (major >= UNIX98_SLAVE_MAJOR && major <= UNIX98_SLAVE_LAST)
               ? HM_REC_STDIO_TTY
               : HM_REC_STDIO_OTHER;
}

HM_GLOBAL int stdio_kind(struct hm_rec_exec *r, __u64 file_address)
{
    struct file *file = (void *)file_address;
    if (!r || !file)
        return HM_REC_STDIO_CLOSED;
    struct inode *inode = BPF_CORE_READ(file, f_inode);
    switch (BPF_CORE_READ(inode, i_mode) & S_IFMT) {
    case S_IFSOCK:
        fill_peer(r, file_address);
        return HM_REC_STDIO_SOCKET;
    case S_IFIFO:
        return HM_REC_STDIO_PIPE;
    case S_IFCHR:
        return char_kind(inode);
    case S_IFREG:
    case S_IFDIR:
    case S_IFBLK:
        return HM_REC_STDIO_FILE;
    default:
        return HM_REC_STDIO_OTHER;
    }
}

HM_GLOBAL int fill_stdio(struct hm_rec_exec *r, __u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
    struct file **fds = BPF_CORE_READ(fdt, fd);
    __u64 file[3] = {};
    if (!r || BPF_CORE_READ(fdt, max_fds) < 3 || bpf_probe_read_kernel(file, sizeof file, fds))
        return 0;
    r->stdio[0] = stdio_kind(r, file[0]);
    r->stdio[1] = stdio_kind(r, file[1]);
    r->stdio[2] = stdio_kind(r, file[2]);
    return 0;
}

/* The kernel calls it "pts0", people "pts/0". */
HM_GLOBAL int fill_tty(struct hm_rec_exec *r, __u64 tty)
{
    char name[sizeof r->tty - 1] = {};
    if (!r || !tty)
        return 0;
    bpf_probe_read_kernel_str(name, sizeof name,
                              (void *)tty + bpf_core_field_offset(struct tty_struct, name));
    __builtin_memcpy(r->tty, name, sizeof name);
    if (name[0] == 'p' && name[1] == 't' && name[2] == 's' && name[3] != 0) {
        r->tty[3] = '/';
        __builtin_memcpy(r->tty + 4, name + 3, sizeof name - 4);
    }
    return 0;
}

HM_GLOBAL int fill_image(struct hm_rec_exec *r, __u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct mm_struct *mm = BPF_CORE_READ(task, mm);
    struct pid *session = BPF_CORE_READ(task, signal, pids[PIDTYPE_SID]);
    if (!r)
        return 0;
    if (mm)
        fill_exe(r, (__u64)BPF_CORE_READ(mm, exe_file, f_inode));
    if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
        r->proc_flags |= HM_REC_PROC_KERNEL_THREAD;
    r->session = BPF_CORE_READ(session, numbers[0].nr);
    fill_tty(r, (__u64)BPF_CORE_READ(task, signal, tty));
    fill_stdio(r, task_address);
    return 0;
}
