/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of a socket, in the record's form: 4 or 6 and network order. An IPv4 peer of an IPv6
 * socket (::ffff:a.b.c.d) is told as what it is: IPv4. */
#pragma once

static __always_inline __u8 mapped_ip(const struct in6_addr *from, __u8 ret_ip[16])
{
    __u32 w[4] = {};
    bpf_probe_read_kernel(w, sizeof w, from);
    if (w[0] == 0 && w[1] == 0 && w[2] == bpf_htonl(0xffff)) {
        __builtin_memcpy(ret_ip, &w[3], 4);
        return 4;
    }
    __builtin_memcpy(ret_ip, w, 16);
    return 6;
}

/* 0: neither IPv4 nor IPv6 (a UNIX socket). */
static __always_inline __u8 remote_ip(const struct sock *sk, __u8 ret_ip[16])
{
    __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
    if (family == AF_INET6)
        return mapped_ip(__builtin_preserve_access_index(&sk->__sk_common.skc_v6_daddr), ret_ip);
    if (family != AF_INET)
        return 0;
    __u32 ip = BPF_CORE_READ(sk, __sk_common.skc_daddr);
    __builtin_memcpy(ret_ip, &ip, sizeof ip);
    return 4;
}

static __always_inline __u8 local_ip(const struct sock *sk, __u8 ret_ip[16])
{
    __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
    if (family == AF_INET6)
        return mapped_ip(__builtin_preserve_access_index(&sk->__sk_common.skc_v6_rcv_saddr),
                         ret_ip);
    if (family != AF_INET)
        return 0;
    __u32 ip = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
    __builtin_memcpy(ret_ip, &ip, sizeof ip);
    return 4;
}
