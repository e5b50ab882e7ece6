/* DNS: the reading of an answer (RFC 1035), and which name led to an address lately. A parser of
 * foreign bytes: any packet from port 53 comes here. Knows no event. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

#define HM_DNS_NAME_BYTES    256 /* 253 and a NUL are legal */
#define HM_DNS_ADDRESSES_MAX 16
struct hm_dns_answer {
    char name[HM_DNS_NAME_BYTES]; /* asked for; lower case as the network had it or not, no dot */
    uint16_t type;
    uint8_t rcode;
    size_t address_count; /* A and AAAA, at most HM_DNS_ADDRESSES_MAX */
    struct {
        uint8_t ip[16], len;
    } addresses[HM_DNS_ADDRESSES_MAX];
    struct hm_buf answers; /* texts with a space between: addresses, and names of CNAME */
};
/* A message cut at its end gives what was whole. Errors: -EBADMSG: no answer to one question.
 * ret_a->answers is the caller's: set its ceiling before, hm_buf_done() after. */
int hm_dns_read(struct hm_slice message, struct hm_dns_answer *ret_a) HM_CHECK;

/* Address → the name that was answered with it last. Direct-mapped and bounded: an old name gives
 * way. What an address is called is a hint: many names may share one. */
struct hm_dns_names;
struct hm_dns_names *hm_dns_names_new(void); /* NULL: out of memory */
void hm_dns_names_free(struct hm_dns_names *n);
void hm_dns_names_put(struct hm_dns_names *n, const struct hm_dns_answer *a, uint64_t boot_ns);
/* Empty: not known, or too long ago. Borrowed until the next put. */
struct hm_slice hm_dns_names_get(const struct hm_dns_names *n, struct hm_slice ip,
                                 uint64_t boot_ns);
