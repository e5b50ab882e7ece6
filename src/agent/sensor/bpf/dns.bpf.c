/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS records: the bytes of answers from port 53 over UDP, as they come in; engine reads them. Who
 * asked is noted in the socket's own storage where that process is current (connect, sendmsg) and
 * told with the answer: on the way in the current task is anybody. Through a local resolver the
 * machine's names are seen, with the resolver as who asked. No packet is ever held back. */
#pragma once

#define DNS_PORT   53
#define DNS_HEADER 12

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct hm_rec_header);
} dns_owners SEC(".maps");

struct dns_scratch {
    struct hm_rec_dns rec;
    __u8 payload[HM_SENSOR_DNS_MAX];
};
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct dns_scratch);
} dns_scratch SEC(".maps");

static __always_inline int note_asker(struct bpf_sock_addr *ctx)
{
    __u64 task;
    struct hm_rec_header *h;
    struct bpf_sock *sk = ctx->sk;
    if (ctx->user_port != bpf_htons(DNS_PORT) || !sk)
        return 1;
    task = bpf_get_current_task();
    h = bpf_sk_storage_get(&dns_owners, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
    if (h)
        fill_header(h, HM_REC_DNS, task);
    else
        count_error(HM_PROG_DNS);
    return 1;
}

SEC("cgroup/connect4")
int hm_dns_connect4(struct bpf_sock_addr *ctx)
{
    return note_asker(ctx);
}

SEC("cgroup/connect6")
int hm_dns_connect6(struct bpf_sock_addr *ctx)
{
    return note_asker(ctx);
}

SEC("cgroup/sendmsg4")
int hm_dns_sendmsg4(struct bpf_sock_addr *ctx)
{
    return note_asker(ctx);
}

SEC("cgroup/sendmsg6")
int hm_dns_sendmsg6(struct bpf_sock_addr *ctx)
{
    return note_asker(ctx);
}

/* Offset of the UDP header, 0: not a UDP packet that we read (extension headers, fragments). */
static __always_inline __u32 udp_offset(struct __sk_buff *skb)
{
    __u8 first = 0, proto = 0;
    __u16 fragment = 0;
    if (bpf_skb_load_bytes(skb, 0, &first, 1))
        return 0;
    if (first >> 4 == 6)
        return bpf_skb_load_bytes(skb, 6, &proto, 1) || proto != IPPROTO_UDP ? 0 : 40;
    if (first >> 4 != 4 || bpf_skb_load_bytes(skb, 9, &proto, 1) || proto != IPPROTO_UDP ||
        bpf_skb_load_bytes(skb, 6, &fragment, 2) || fragment & bpf_htons(0x1fff))
        return 0;
    return (first & 15) * 4;
}

SEC("cgroup_skb/ingress")
int hm_dns_answer(struct __sk_buff *skb)
{
    __u32 zero = 0, off = udp_offset(skb);
    __u16 port = 0;
    if (off < 20 || bpf_skb_load_bytes(skb, off, &port, 2) || port != bpf_htons(DNS_PORT))
        return 1;
    struct dns_scratch *s = bpf_map_lookup_elem(&dns_scratch, &zero);
    __u64 n = skb->len - off - 8;
    if (!s || skb->len < off + 8 + DNS_HEADER)
        return 1;
    if (n > HM_SENSOR_DNS_MAX)
        n = HM_SENSOR_DNS_MAX;
    __builtin_memset(&s->rec, 0, sizeof s->rec);
    struct bpf_sock *sk = skb->sk;
    if (sk)
        sk = bpf_sk_fullsock(sk);
    struct hm_rec_header *h = sk ? bpf_sk_storage_get(&dns_owners, sk, NULL, 0) : NULL;
    if (h)
        s->rec.h = *h;
    s->rec.h.type = HM_REC_DNS;
    s->rec.h.version = HM_RECORD_VERSION;
    s->rec.h.boot_ns = bpf_ktime_get_boot_ns();
    /* 6.1 learns nothing from "not 0": a message has at least its header */
    if (n < DNS_HEADER || bpf_skb_load_bytes(skb, off + 8, s->payload, n)) {
        count_error(HM_PROG_DNS);
        return 1;
    }
    s->rec.payload.off = sizeof s->rec;
    s->rec.payload.len = n;
    output(HM_PROG_DNS, &s->rec.h, sizeof s->rec + n);
    return 1;
}
