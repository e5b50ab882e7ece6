/* Cut a network namespace off from everything but an allow list. Owns the BPF programs and every
 * place they are attached; refuses to know orders, expiry and how the effect is proven. */
#pragma once
#include "agent/response/bpf/isolate_shared.h"
#include "base/buf.h"
#include "base/error.h"

struct hm_isolation;
struct hm_isolation_options {
    int cgroup_fd; /* sockets of this cgroup v2 subtree; -1: only the device layer */
    const struct hm_isolate_allow *allow;
    size_t allow_count;
    bool by_order; /* a verified order asks for it: required in the machine's first network
                      namespace */
    bool no_tcx;   /* take clsact even where tcx is there (tests) */
};

/* Attach all layers in the caller's network namespace, or none.
 * Owns:    *ret_i is the caller's; hm_isolation_release() opens everything again.
 * Errors:  -EPERM first network namespace without an order; negative errno with words. */
int hm_isolation_apply(const struct hm_isolation_options *o, struct hm_isolation **ret_i,
                       struct hm_error *err) HM_CHECK;
void hm_isolation_release(struct hm_isolation *i);
/* Interfaces that came since get their programs too. Returns how many were new, or negative errno.
 */
int hm_isolation_refresh(struct hm_isolation *i, struct hm_error *err) HM_CHECK;
void hm_isolation_layers(const struct hm_isolation *i,
                         struct hm_buf *out); /* JSON array of names */
/* Packets dropped so far. */
uint64_t hm_isolation_dropped(const struct hm_isolation *i);
/* A key from text: ADDRESS as IPv4 or IPv6. Errors: -EINVAL. */
int hm_isolate_allow_parse(const char *address, uint16_t port, uint8_t proto,
                           struct hm_isolate_allow *ret) HM_CHECK;
