/* Values in their one normal form, so that a feed's spelling and an event's bytes meet. Knows no
 * feed format and no set. */
#pragma once
#include "detect/indicator/indicator.h"
#include "detect/indicator/limits.h"

struct hm_intel_value { /* normal form */
    enum hm_intel_kind kind;
    uint8_t prefix; /* IP: bits of the block; the address's own length: one address */
    size_t len;     /* digests 16, 20, 32; IP 4, 16; text as it is compared */
    uint8_t bytes[HM_INTEL_VALUE_MAX_BYTES];
};
/* A feed's text of a known kind; defanged forms are read. HM_INTEL_WHY_NONE, or why not. */
enum hm_intel_reason hm_intel_value_read(enum hm_intel_kind k, struct hm_slice text,
                                         struct hm_intel_value *ret_v);
/* What kind does a bare word look like? A port after a host is left out of *ret_text. */
enum hm_intel_reason hm_intel_value_guess(struct hm_slice text, enum hm_intel_kind *ret_k,
                                          struct hm_slice *ret_text);

/* --- what events hold, to the same form; false: can be no indicator's value --- */
bool hm_intel_value_domain(struct hm_slice text, struct hm_intel_value *ret_v);
bool hm_intel_value_path(enum hm_intel_kind k, struct hm_slice text, struct hm_intel_value *ret_v);
/* http and https are one, fragments and default ports are dropped. *ret_host: within ret_v. */
bool hm_intel_value_url(struct hm_slice text, struct hm_intel_value *ret_v,
                        struct hm_slice *ret_host);
bool hm_intel_value_address(struct hm_slice ip, struct hm_intel_value *ret_v); /* 4, 16 bytes */
bool hm_intel_value_ip(struct hm_slice text, struct hm_intel_value *ret_v);    /* from text */
struct hm_slice hm_intel_base_name(struct hm_slice path);                      /* after / and \ */
/* Is b the name a or beneath it? Both in normal form. */
bool hm_intel_domain_within(struct hm_slice b, struct hm_slice a);
/* fang.c: does it begin with that (lower-case) word? Defanged marks to what they stand for. */
bool hm_intel_starts(struct hm_slice s, const char *with);
bool hm_intel_refang(struct hm_slice s, struct hm_intel_value *ret_v); /* false: too long */
struct hm_slice hm_intel_trim(struct hm_slice s);                      /* blanks at both ends */

/* RFC 3339, a date alone, or seconds since 1970. Before 1970 is 0. */
bool hm_intel_time(struct hm_slice text, uint64_t *ret_s);
bool hm_intel_number(struct hm_slice text, uint64_t max, uint64_t *ret_n); /* decimal digits only */
/* "TLP:AMBER+STRICT", "amber", "white"; false: none of those. */
bool hm_intel_tlp(struct hm_slice text, enum hm_tlp *ret_t);
