/* An opened set's inside, shared by intel.c (opening), lookup.c and match_event.c (looking up). */
#pragma once
#include "detect/indicator/blob.h"
#include "detect/indicator/regex.h"

struct hm_intel {
    struct hm_slice s[HM_BLOB_SECTIONS];
    uint64_t seed;
    uint32_t index_bits;
    size_t filter_blocks, details;
    uint32_t *near; /* IPv4: blocks that begin before each upper half of an address; or NULL */
    struct hm_intel_regexes *regexes;
    struct hm_intel_stats stats;
    void *owned; /* heap or map of owned_bytes, or NULL */
    size_t owned_bytes;
    bool mapped;
};

/* One question: a value against the set. */
struct hm_intel_ask {
    const struct hm_intel *i;
    uint64_t now_s;
    hm_intel_hit_fn *hit;
    void *ctx;
    /* Do a join's terms hold? NULL: nobody can say, so joins do not hit. */
    bool (*holds)(const struct hm_intel_ask *a, uint32_t terms);
    const struct hm_event *event;
    int field;
    uint8_t prefix;        /* IP: bits of the block in question */
    struct hm_slice shown; /* what the hit gives as its value */
    size_t hits;
};
/* v in normal form; DOMAIN: parents too; IP: blocks too. */
void hm_intel_ask(struct hm_intel_ask *a, const struct hm_intel_value *v);
void hm_intel_ask_path(struct hm_intel_ask *a, struct hm_slice path); /* patterns only */
