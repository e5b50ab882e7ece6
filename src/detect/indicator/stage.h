/* The builder's inside, shared by stage.c (taking values in) and build.c (giving the blob out). */
#pragma once
#include "base/buf.h"
#include "detect/indicator/blob.h"

struct hm_staged {
    uint64_t h;
    uint32_t value, detail; /* value: offset into values; detail as in the blob */
};
struct hm_list { /* grows to a ceiling, elements of one size */
    void *p;
    size_t count, cap, size, max;
};
#define HM_STAGE_CACHE 65536 /* last texts and details seen: feeds repeat themselves closely */
struct hm_intel_builder {
    const struct hm_warnlist *warnings;
    uint64_t seed;
    struct hm_list entries;        /* struct hm_staged */
    struct hm_list details;        /* struct hm_blob_detail */
    struct hm_list blocks[2];      /* struct hm_blob_block: IPv4, IPv6 */
    struct hm_list joins;          /* struct hm_blob_join */
    struct hm_list sources;        /* uint32_t: offset into texts */
    struct hm_map *source_numbers; /* hash of the text → number, checked */
    struct hm_buf values, texts, regexes, terms;
    struct hm_map *regex_seen; /* hash of pattern and exception → offset into regexes, checked */
    uint64_t regex_loose, regex_duplicates, regex_count, kinds[HM_INTEL_KINDS];
    uint32_t *text_cache, *detail_cache;
};
/* Room for one more element, zeroed; NULL: ceiling (-E2BIG) or memory (-ENOMEM) in *ret_error. */
void *hm_list_add(struct hm_list *l, int *ret_error);

/* One comparison of a STIX pattern beside the key, already in normal form. */
struct hm_intel_term {
    uint8_t kind; /* enum hm_intel_kind or HM_TERM_* */
    bool negate;
    const struct hm_intel_value *value; /* IP: with its prefix */
    uint16_t port;
};
/* Like hm_intel_builder_add for a value that only counts when all terms hold on the same event. */
int hm_intel_builder_join(struct hm_intel_builder *b, const struct hm_indicator *key,
                          const struct hm_intel_term *terms, size_t count, bool force,
                          enum hm_intel_reason *ret_why, const char **ret_list) HM_CHECK;

/* Numbers of texts, sets of sources and details; negative errno. */
int64_t hm_stage_text(struct hm_intel_builder *b, struct hm_slice s) HM_CHECK;
int64_t hm_stage_sources(struct hm_intel_builder *b, struct hm_slice s) HM_CHECK;
int64_t hm_stage_detail(struct hm_intel_builder *b, const struct hm_blob_detail *d) HM_CHECK;
/* Two details of one value: highest confidence and its label, widest validity, all sources, the
 * stricter TLP. */
int64_t hm_stage_merge(struct hm_intel_builder *b, uint32_t one, uint32_t two) HM_CHECK;
void hm_stage_empty(struct hm_intel_builder *b);
