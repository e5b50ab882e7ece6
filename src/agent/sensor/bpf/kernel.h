/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few kernel types and constants the programs touch, written by hand: only the members used,
 * relocated by name when the object is loaded (CO-RE). So the build needs no kernel of its own, and
 * the same object runs on 6.1 and 6.18. What differs between kernels is in compat.bpf.h, not here.
 */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
#define NULL ((void *)0)
#define true 1
#define false 0

/* uapi/linux/bpf.h; the header itself needs asm/ of a machine */
enum {
    BPF_MAP_TYPE_HASH = 1,
    BPF_MAP_TYPE_ARRAY = 2,
    BPF_MAP_TYPE_PERCPU_ARRAY = 6,
    BPF_MAP_TYPE_LRU_HASH = 9,
    BPF_MAP_TYPE_SK_STORAGE = 24,
    BPF_MAP_TYPE_RINGBUF = 27,
    BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum {
    BPF_ANY = 0,
    BPF_NOEXIST = 1,
    BPF_F_NO_PREALLOC = 1,
    BPF_F_MMAPABLE = 1024,
    BPF_SK_STORAGE_GET_F_CREATE = 1,
    BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
    BPF_RB_NO_WAKEUP = 1,
    BPF_RB_FORCE_WAKEUP = 2,
    BPF_RB_AVAIL_DATA = 0,
};

/* constants of the kernel's ABI, or as stable as it */
#define AF_INET            2
#define AF_INET6           10
#define IPPROTO_TCP        6
#define IPPROTO_UDP        17
#define TCP_ESTABLISHED    1
#define TCP_SYN_SENT       2
#define TCP_CLOSE          7
#define TCP_LISTEN         10
#define RCV_SHUTDOWN       1
#define S_IFMT             00170000
#define S_IFSOCK           0140000
#define S_IFREG            0100000
#define S_IFDIR            0040000
#define S_IFCHR            0020000
#define S_IFBLK            0060000
#define S_IFIFO            0010000
#define S_ISUID            0004000
#define S_ISGID            0002000
#define PF_KTHREAD         0x00200000
#define PIDTYPE_SID        3
#define SIGNAL_GROUP_EXIT  4
#define TTY_MAJOR          4
#define TTYAUX_MAJOR       5
#define UNIX98_SLAVE_MAJOR 136
#define UNIX98_SLAVE_LAST  143
#define ECANCELED          125

#define __core __attribute__((preserve_access_index))

typedef struct {
    __u32 val;
} __core kuid_t;
typedef struct {
    __u32 val;
} __core kgid_t;
typedef struct {
    int counter;
} __core atomic_t;

struct ns_common {
    unsigned int inum;
} __core;
struct pid_namespace {
    struct ns_common ns;
} __core;
struct mnt_namespace {
    struct ns_common ns;
} __core;
struct net {
    struct ns_common ns;
} __core;
struct nsproxy {
    struct mnt_namespace *mnt_ns;
    struct net *net_ns;
} __core;
struct upid {
    int nr;
    struct pid_namespace *ns;
} __core;
struct pid {
    unsigned int level;
    struct upid numbers[1];
} __core;

struct qstr {
    __u32 len;
    const unsigned char *name;
} __core;
struct super_block {
    __u32 s_dev;
} __core;
struct inode {
    unsigned short i_mode;
    kuid_t i_uid;
    kgid_t i_gid;
    struct super_block *i_sb;
    unsigned long i_ino;
    unsigned int i_nlink;
    __u32 i_rdev;
    __s64 i_size;
} __core;
struct dentry {
    struct dentry *d_parent;
    struct qstr d_name;
    struct inode *d_inode;
} __core;
struct vfsmount {
    struct dentry *mnt_root;
} __core;
struct mount {
    struct mount *mnt_parent;
    struct dentry *mnt_mountpoint;
    struct vfsmount mnt;
} __core;
struct path {
    struct vfsmount *mnt;
    struct dentry *dentry;
} __core;
struct file {
    struct path f_path;
    struct inode *f_inode;
    void *private_data;
} __core;
struct fdtable {
    unsigned int max_fds;
    struct file **fd;
} __core;
struct files_struct {
    struct fdtable *fdt;
} __core;
struct fs_struct {
    struct path pwd;
} __core;

struct kernfs_node {
    const char *name;
    __u64 id;
} __core;
struct cgroup {
    int level;
    struct kernfs_node *kn;
    struct cgroup *ancestors[1];
} __core;
struct css_set {
    struct cgroup *dfl_cgrp;
} __core;

struct tty_struct {
    char name[64];
} __core;
struct signal_struct {
    atomic_t live;
    int nr_threads;
    unsigned int flags;
    int group_exit_code;
    struct pid *pids[4];
    struct tty_struct *tty;
} __core;
struct cred {
    kuid_t uid, euid;
    kgid_t gid, egid;
} __core;
struct mm_struct {
    unsigned long arg_start, arg_end, env_start, env_end;
    struct file *exe_file;
} __core;
struct task_struct {
    unsigned int flags;
    int pid, tgid;
    int exit_code;
    struct task_struct *group_leader, *real_parent;
    __u64 start_boottime;
    struct pid *thread_pid;
    const struct cred *cred;
    struct mm_struct *mm;
    struct fs_struct *fs;
    struct files_struct *files;
    struct nsproxy *nsproxy;
    struct signal_struct *signal;
    struct css_set *cgroups;
    kuid_t loginuid;
    unsigned int sessionid;
    char comm[16];
} __core;
struct linux_binprm {
    int argc;
    const char *filename, *interp;
} __core;

struct in6_addr {
    struct {
        __u8 u6_addr8[16];
    } in6_u;
} __core;
struct sock_common {
    __be32 skc_daddr, skc_rcv_saddr;
    __be16 skc_dport;
    __u16 skc_num;
    unsigned short skc_family;
    unsigned char skc_state;
    struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
} __core;
struct sock {
    struct sock_common __sk_common;
    __u16 sk_protocol;
    int sk_err;
    __u8 sk_shutdown;
} __core;
struct inet_sock {
    __be16 inet_sport;
} __core;
struct tcp_sock {
    __u64 bytes_received, bytes_sent, bytes_retrans;
} __core;
struct socket {
    struct sock *sk;
} __core;

struct seq_file;
struct bpf_iter_meta {
    struct seq_file *seq;
} __core;
struct bpf_iter__task {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
} __core;

/* contexts of cgroup programs: ABI, uapi/linux/bpf.h */
struct bpf_sock;
struct __sk_buff {
    __u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto,
        priority, ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end,
        napi_id, family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port,
        local_port, data_meta;
    __u64 flow_keys __attribute__((aligned(8)));
    __u64 tstamp;
    __u32 wire_len, gso_segs;
    struct bpf_sock *sk __attribute__((aligned(8)));
};
struct bpf_sock_addr {
    __u32 user_family, user_ip4, user_ip6[4], user_port, family, type, protocol, msg_src_ip4,
        msg_src_ip6[4];
    struct bpf_sock *sk __attribute__((aligned(8)));
};

/* argument block of tp/syscalls/sys_exit_*; the layout is ABI (events/syscalls/…/format) */
struct sys_exit_args {
    __u64 common;
    long id;
    long ret;
};
/* the same of sys_enter_*, without the arguments that follow it */
struct sys_enter_args {
    __u64 common;
    long id;
};
