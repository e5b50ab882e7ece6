/* STIX patterning (STIX 2.1, section 9) of one observation, multiplied out: a pattern holds when
 * all terms of any of its ways hold on one event. Knows no bundle and no store. */
#pragma once
#include "base/buf.h"
#include "detect/indicator/indicator.h"
#include "detect/indicator/limits.h"

enum hm_stix_op { HM_STIX_EQUAL, HM_STIX_LIKE, HM_STIX_MATCHES, HM_STIX_SUBSET };
struct hm_stix_term {
    uint8_t kind; /* enum hm_intel_kind, HM_TERM_*, or HM_STIX_NO_KIND */
    bool negate;
    enum hm_stix_op op;
    enum hm_intel_reason refused; /* why nothing can look for it */
    uint32_t column;
    uint32_t text, len; /* of the literal, within texts */
};
#define HM_STIX_NO_KIND 0xff
struct hm_stix_way {
    uint8_t count;
    uint16_t terms[HM_INTEL_TERMS_MAX];
};
struct hm_stix_pattern {              /* reused from one pattern to the next */
    struct hm_buf texts, terms, ways; /* of struct hm_stix_term, hm_stix_way */
    enum hm_intel_reason why;         /* of a failure */
    uint32_t column;                  /* 1-based */
};
void hm_stix_pattern_init(struct hm_stix_pattern *p);
void hm_stix_pattern_done(struct hm_stix_pattern *p);
/* Errors: -EBADMSG malformed, -ENOTSUP observation operators, -E2BIG; why and column say more. */
int hm_stix_pattern_parse(struct hm_stix_pattern *p, struct hm_slice text) HM_CHECK;
static inline const struct hm_stix_term *hm_stix_terms(const struct hm_stix_pattern *p)
{
    return (const struct hm_stix_term *)(const void *)p->terms.data;
}
static inline const struct hm_stix_way *hm_stix_ways(const struct hm_stix_pattern *p, size_t *ret_n)
{
    *ret_n = p->ways.len / sizeof(struct hm_stix_way);
    return (const struct hm_stix_way *)(const void *)p->ways.data;
}
