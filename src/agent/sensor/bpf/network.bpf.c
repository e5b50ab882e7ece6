/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP: who connected, listened, accepted. inet_sock_set_state runs in the caller's context only at
 * the begin (CLOSE to SYN_SENT, CLOSE to LISTEN); the answer comes in whatever context the packet
 * does. So the owner is noted in the socket's own storage at the begin and told at the end. */
#pragma once

struct owner {
    struct hm_rec_header h;
    __u64 began_ns;
    __u8 direction;
    __u8 pad[7];
};

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct owner);
} owners SEC(".maps");

/* Accepted sockets are known by address only (no socket storage from a syscall's tracepoint). */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, HM_SENSOR_ACCEPTED_MAX);
    __type(key, __u64);
    __type(value, struct owner);
} accepted SEC(".maps");

static __always_inline void fill_ends(struct hm_rec_net *r, const struct sock *sk)
{
    r->family = local_ip(sk, r->local_ip);
    /* skc_num is cleared before the close is told; inet_sport is not, but a listener has it later
     */
    r->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
    if (!r->local_port)
        r->local_port = bpf_ntohs(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
    if (r->direction != HM_NET_LISTENING) {
        r->family = remote_ip(sk, r->remote_ip);
        r->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
    }
    r->protocol = IPPROTO_TCP;
}

static __always_inline void fill_net(struct hm_rec_net *r, __u16 type, const struct owner *o,
                                     const struct sock *sk)
{
    r->h = o->h;
    r->h.type = type;
    r->h.boot_ns = bpf_ktime_get_boot_ns();
    r->began_ns = o->began_ns;
    r->direction = o->direction;
    fill_ends(r, sk);
}

static __always_inline void note_owner(struct owner *o, __u8 direction, __u64 task)
{
    fill_header(&o->h, HM_REC_CONNECT, task);
    o->began_ns = o->h.boot_ns;
    o->direction = direction;
}

static __always_inline void on_begin(struct sock *sk, __u8 direction)
{
    __u64 task = bpf_get_current_task();
    struct owner *o;
    if (!in_scope(task))
        return;
    o = bpf_sk_storage_get(&owners, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
    if (!o) {
        count_error(HM_PROG_SOCK_STATE);
        return;
    }
    note_owner(o, direction, task);
    if (direction == HM_NET_LISTENING) {
        struct hm_rec_net r = {};
        fill_net(&r, HM_REC_LISTEN, o, sk);
        output(HM_PROG_SOCK_STATE, &r.h, sizeof r);
    }
}

/* The connect is decided: established, refused, timed out, or given up. */
static __always_inline void on_decided(struct sock *sk, int state)
{
    struct owner *o = bpf_sk_storage_get(&owners, sk, NULL, 0);
    struct hm_rec_net r = {};
    if (!o)
        return; /* out of scope, or begun before us */
    fill_net(&r, HM_REC_CONNECT, o, sk);
    if (state != TCP_ESTABLISHED) {
        int err = BPF_CORE_READ(sk, sk_err);
        r.result = err > 0 ? -err : -ECANCELED;
    }
    output(HM_PROG_SOCK_STATE, &r.h, sizeof r);
}

static __always_inline void on_close(struct sock *sk)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    __u64 key = (__u64)sk;
    struct owner *o = bpf_sk_storage_get(&owners, sk, NULL, 0);
    struct hm_rec_net r = {};
    if (!o)
        o = bpf_map_lookup_elem(&accepted, &key);
    if (!o || o->direction == HM_NET_LISTENING)
        return;
    fill_net(&r, HM_REC_CLOSE, o, sk);
    r.bytes_in = BPF_CORE_READ(tp, bytes_received);
    if (r.bytes_in && BPF_CORE_READ(sk, sk_shutdown) & RCV_SHUTDOWN)
        r.bytes_in--; /* the peer's FIN counts as a byte */
    r.bytes_out = BPF_CORE_READ(tp, bytes_sent) - BPF_CORE_READ(tp, bytes_retrans);
    output(HM_PROG_SOCK_STATE, &r.h, sizeof r);
    bpf_map_delete_elem(&accepted, &key);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(hm_sock_state, struct sock *sk, int old, int new)
{
    if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
        return 0;
    if (old == TCP_CLOSE && new == TCP_SYN_SENT)
        on_begin(sk, HM_NET_OUTBOUND);
    else if (old == TCP_CLOSE && new == TCP_LISTEN)
        on_begin(sk, HM_NET_LISTENING);
    else if (old == TCP_SYN_SENT)
        on_decided(sk, new);
    else if (new == TCP_CLOSE)
        on_close(sk);
    return 0;
}

/* The accepting process is only known when accept returns: the listener may be shared by many. */
static __always_inline void on_accept(struct sock *sk)
{
    __u64 task = bpf_get_current_task();
    struct owner o = {};
    struct hm_rec_net r = {};
    __u64 key = (__u64)sk;
    if (!sk || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP || !in_scope(task))
        return;
    note_owner(&o, HM_NET_INBOUND, task);
    fill_net(&r, HM_REC_ACCEPT, &o, sk);
    output(HM_PROG_ACCEPT, &r.h, sizeof r);
    if (bpf_map_update_elem(&accepted, &key, &o, BPF_ANY))
        count_error(HM_PROG_ACCEPT);
}

static __always_inline int accept_by_fd(long fd)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct file **fds, *file = NULL;
    if (fd < 0)
        return 0;
    fds = BPF_CORE_READ(task, files, fdt, fd);
    if (bpf_probe_read_kernel(&file, sizeof file, fds + fd) || !file) {
        count_error(HM_PROG_ACCEPT);
        return 0;
    }
    struct inode *inode = BPF_CORE_READ(file, f_inode);
    if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
        return 0; /* another thread was quicker to reuse the number */
    struct socket *socket = BPF_CORE_READ(file, private_data);
    struct sock *sk = BPF_CORE_READ(socket, sk);
    __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
    if (family == AF_INET || family == AF_INET6)
        on_accept(sk);
    return 0;
}

/* Attached by the loader through the tracepoint's id: no tracefs needs to be mounted. */
SEC("tracepoint")
int hm_accept_exit(struct sys_exit_args *ctx)
{
    return accept_by_fd(ctx->ret);
}

/* Tier 2: sees every way to accept (io_uring, int $0x80), and no other syscall pays for it. */
SEC("fexit/inet_csk_accept")
int hm_accept_fexit(__u64 *ctx)
{
    __u64 sk = 0;
    if (bpf_get_func_ret(ctx, &sk) == 0)
        on_accept((struct sock *)sk);
    return 0;
}
