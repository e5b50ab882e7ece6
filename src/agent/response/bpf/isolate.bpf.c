// SPDX-License-Identifier: GPL-2.0-or-later
/* What may still pass while an endpoint is isolated: the server, loopback, and what keeps an
 * address alive (ARP, neighbour discovery, DHCP). Everything else is dropped, both ways, both IP
 * versions, also what goes past the socket layer (AF_PACKET): that is why there are two layers.
 * Frames are read from their bytes, never from what the sender says they are. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "isolate_shared.h"

#define LOOPBACK_IFINDEX 1 /* the kernel registers it first in every network namespace */
#define ETH_HEADER       14
#define TYPE_IPV4        0x0800
#define TYPE_IPV6        0x86dd
#define TYPE_ARP         0x0806
#define PROTO_TCP        6
#define PROTO_UDP        17
#define PROTO_ICMPV6     58

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, HM_ISOLATE_ALLOW_MAX);
    __type(key, struct hm_isolate_allow);
    __type(value, __u8);
} allow SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 2); /* passed, dropped */
    __type(key, __u32);
    __type(value, __u64);
} counts SEC(".maps");

struct ports {
    __be16 src, dst;
};

static __always_inline int is_allowed(const __u8 *addr, __be16 port, __u8 proto)
{
    struct hm_isolate_allow key = {.port = port, .proto = proto};
    __builtin_memcpy(key.addr, addr, 16);
    return bpf_map_lookup_elem(&allow, &key) != 0;
}

static __always_inline int transport(struct __sk_buff *skb, __u32 off, __u8 proto, int egress,
                                     const __u8 *remote, __u16 dhcp_client, __u16 dhcp_server)
{
    struct ports p;
    if (proto != PROTO_TCP && proto != PROTO_UDP)
        return 0;
    if (bpf_skb_load_bytes(skb, off, &p, sizeof p) < 0)
        return 0;
    __be16 local_port = egress ? p.src : p.dst, remote_port = egress ? p.dst : p.src;
    if (proto == PROTO_UDP && local_port == bpf_htons(dhcp_client) &&
        remote_port == bpf_htons(dhcp_server))
        return 1;
    return is_allowed(remote, remote_port, proto);
}

static __always_inline int ipv4(struct __sk_buff *skb, __u32 off, int egress)
{
    struct {
        __u8 version_ihl, tos;
        __be16 len, id, frag;
        __u8 ttl, proto;
        __be16 check;
        __u8 src[4], dst[4];
    } ip;
    __u8 remote[16] = {[10] = 0xff, [11] = 0xff};
    if (bpf_skb_load_bytes(skb, off, &ip, sizeof ip) < 0 || (ip.version_ihl >> 4) != 4)
        return 0;
    if (ip.frag & bpf_htons(0x1fff)) /* a later fragment: has no ports to judge */
        return 0;
    __builtin_memcpy(remote + 12, egress ? ip.dst : ip.src, 4);
    return transport(skb, off + (ip.version_ihl & 15) * 4u, ip.proto, egress, remote, 68, 67);
}

static __always_inline int ipv6(struct __sk_buff *skb, __u32 off, int egress)
{
    struct {
        __be32 head;
        __be16 len;
        __u8 next, hops;
        __u8 src[16], dst[16];
    } ip;
    if (bpf_skb_load_bytes(skb, off, &ip, sizeof ip) < 0 || (bpf_ntohl(ip.head) >> 28) != 6)
        return 0;
    if (ip.next == PROTO_ICMPV6) { /* neighbour discovery, which never passes a router */
        __u8 type;
        if (bpf_skb_load_bytes(skb, off + sizeof ip, &type, 1) < 0)
            return 0;
        return ip.hops == 255 && type >= 133 && type <= 137;
    }
    return transport(skb, off + sizeof ip, ip.next, egress, egress ? ip.dst : ip.src, 546, 547);
}

static __always_inline int counted(int pass)
{
    __u32 i = pass ? 0 : 1;
    __u64 *n = bpf_map_lookup_elem(&counts, &i);
    if (n)
        (*n)++;
    return pass;
}

/* No link-layer header: cgroup_skb, and devices such as tun and wireguard. */
static __always_inline int verdict_l3(struct __sk_buff *skb, int egress)
{
    __u8 first;
    if (skb->ifindex == LOOPBACK_IFINDEX)
        return 1;
    if (bpf_skb_load_bytes(skb, 0, &first, 1) < 0)
        return counted(0);
    if (first >> 4 == 4)
        return counted(ipv4(skb, 0, egress));
    return counted(first >> 4 == 6 && ipv6(skb, 0, egress));
}

static __always_inline int verdict_l2(struct __sk_buff *skb, int egress)
{
    __be16 type;
    if (bpf_skb_load_bytes(skb, 12, &type, 2) < 0)
        return counted(0);
    if (type == bpf_htons(TYPE_ARP))
        return 1;
    if (type == bpf_htons(TYPE_IPV4))
        return counted(ipv4(skb, ETH_HEADER, egress));
    return counted(type == bpf_htons(TYPE_IPV6) && ipv6(skb, ETH_HEADER, egress));
}

#define TC_OK   0
#define TC_SHOT 2

SEC("cgroup_skb/ingress")
int hm_cg_ingress(struct __sk_buff *skb)
{
    return verdict_l3(skb, 0);
}
SEC("cgroup_skb/egress")
int hm_cg_egress(struct __sk_buff *skb)
{
    return verdict_l3(skb, 1);
}
SEC("tc")
int hm_l2_ingress(struct __sk_buff *skb)
{
    return verdict_l2(skb, 0) ? TC_OK : TC_SHOT;
}
SEC("tc")
int hm_l2_egress(struct __sk_buff *skb)
{
    return verdict_l2(skb, 1) ? TC_OK : TC_SHOT;
}
SEC("tc")
int hm_l3_ingress(struct __sk_buff *skb)
{
    return verdict_l3(skb, 0) ? TC_OK : TC_SHOT;
}
SEC("tc")
int hm_l3_egress(struct __sk_buff *skb)
{
    return verdict_l3(skb, 1) ? TC_OK : TC_SHOT;
}

char LICENSE[] SEC("license") = "GPL";
