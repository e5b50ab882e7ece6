/* The serialised set: what lies where. Written by build.c, read by intel.c and regex.c; little
 * endian, every section 64-aligned, a CRC-32C of all before it at the end.
 *
 *   header · filter · index · entries · details · sources · texts · blocks4 · blocks6 · regexes ·
 *   joins · terms · crc
 *
 * Entries are sorted by the hash of their value: index[top bits of h] is the byte where a bucket
 * begins, the next 32 bits are the entry's tag. An entry holds its value, so that a look-up waits
 * for memory once: tag u32, detail u32, then the value (FULL, below) or a second hash u32
 * (COMPACT). filter: split blocks of 256 bits, one bit set in each 32. */
#pragma once
#include "base/map.h"
#include "detect/indicator/value.h"
#include <assert.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "blobs are read in place");

#define HM_BLOB_MAGIC   "HMINTEL"
#define HM_BLOB_VERSION 1
#define HM_BLOB_ALIGN   64
#define HM_BLOB_JOIN    0x80000000u /* in entry.detail: the rest is a join's number */

enum hm_blob_section {
    HM_BLOB_FILTER,
    HM_BLOB_INDEX,
    HM_BLOB_ENTRIES,
    HM_BLOB_DETAILS,
    HM_BLOB_SOURCES,
    HM_BLOB_TEXTS,
    HM_BLOB_BLOCKS4,
    HM_BLOB_BLOCKS6,
    HM_BLOB_REGEXES,
    HM_BLOB_JOINS,
    HM_BLOB_TERMS,
    HM_BLOB_SECTIONS
};
struct hm_blob_header {
    char magic[8];
    uint32_t version, form;
    uint64_t seed, bytes; /* of the whole blob */
    uint64_t joins, kinds[HM_INTEL_KINDS];
    uint32_t index_bits, zero;
    struct {
        uint64_t offset, length;
    } section[HM_BLOB_SECTIONS];
};
static_assert(sizeof(struct hm_blob_header) == 304, "no padding");

#define HM_ENTRY_HEAD 8 /* tag and detail */
struct hm_blob_detail {
    uint32_t label; /* offset into texts */
    uint32_t from_s, until_s;
    uint16_t sources; /* number of a set of sources */
    uint8_t confidence, tlp;
};
struct hm_blob_block { /* CIDR: sorted by start, then by prefix */
    uint8_t start[16]; /* network order; IPv4 in the first four */
    uint32_t parent;   /* the narrowest wider block, always before this one; own number: none */
    uint32_t detail, prefix, zero;
};
struct hm_blob_join {
    uint32_t detail,
        terms; /* offset into terms: count u8, then per term kind u8, flags u8, len u16 */
};
enum { HM_TERM_NOT = 1 };
/* Terms beyond the kinds of indicators: u16 ports. */
enum { HM_TERM_DST_PORT = 100, HM_TERM_SRC_PORT = 101 };

static_assert(sizeof(struct hm_blob_detail) == 16, "packed");
static_assert(sizeof(struct hm_blob_block) == 32, "packed");

/* Is the address (its two halves) in the block? */
static inline uint64_t hm_blob_be64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap64(v);
}
static inline bool hm_blob_within(const struct hm_blob_block *k, uint64_t high, uint64_t low)
{
    unsigned p = k->prefix;
    uint64_t mask_high = p >= 64 ? UINT64_MAX : p ? UINT64_MAX << (64 - p) : 0;
    uint64_t mask_low = p <= 64 ? 0 : p >= 128 ? UINT64_MAX : UINT64_MAX << (128 - p);
    return ((hm_blob_be64(k->start) ^ high) & mask_high) == 0 &&
           ((hm_blob_be64(k->start + 8) ^ low) & mask_low) == 0;
}

/* --- hashes --- */
static inline uint64_t hm_blob_word(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint64_t hm_blob_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 r = (unsigned __int128)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}
/* Multiply and fold, sixteen bytes a step: values are short and hashing them is half of a miss. */
static inline uint64_t hm_blob_hash(uint64_t seed, enum hm_intel_kind k, const void *from,
                                    size_t len)
{
    const uint64_t one = UINT64_C(0xa0761d6478bd642f), two = UINT64_C(0xe7037ed1a0b428db);
    const uint8_t *p = from;
    uint64_t h = hm_blob_fold(seed ^ one, two + k), a = 0, b = 0;
    if (len >= 16) {
        for (size_t at = 0; at + 16 < len; at += 16)
            h = hm_blob_fold(hm_blob_word(p + at) ^ two, hm_blob_word(p + at + 8) ^ h);
        a = hm_blob_word(p + len - 16);
        b = hm_blob_word(p + len - 8);
    } else if (len >= 8) {
        a = hm_blob_word(p);
        b = hm_blob_word(p + len - 8);
    } else {
        for (size_t i = 0; i < len; i++)
            a = a << 8 | p[i];
    }
    return hm_blob_fold(one ^ len, hm_blob_fold(a ^ two, b ^ h));
}
static inline uint32_t hm_blob_hash2(uint64_t seed, enum hm_intel_kind k, const void *p, size_t len)
{
    return (uint32_t)hm_blob_hash(~seed, k, p, len);
}
static inline uint32_t hm_blob_bucket(uint64_t h, uint32_t bits)
{
    return bits ? (uint32_t)(h >> (64 - bits)) : 0;
}
static inline uint32_t hm_blob_tag(uint64_t h, uint32_t bits)
{
    return (uint32_t)(h << bits >> 32);
}

/* --- filter --- */
#define HM_FILTER_BLOCK 32
static inline void hm_filter_mask(uint32_t low, uint32_t mask[8])
{
    static const uint32_t salt[8] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                     0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};
    for (int i = 0; i < 8; i++)
        mask[i] = 1u << (low * salt[i] >> 27);
}
static inline size_t hm_filter_at(uint64_t h, size_t blocks)
{
    return (size_t)(((h >> 32) * blocks) >> 32) * HM_FILTER_BLOCK;
}

/* --- values: kind (bit 4: sixteen bytes), length u16 where the kind does not say it, bytes --- */
#define HM_RECORD_MAX_BYTES (3 + HM_INTEL_VALUE_MAX_BYTES)
static inline size_t hm_blob_fixed(uint8_t kind)
{
    static const uint8_t lengths[] = {
        [HM_INTEL_MD5] = 16, [HM_INTEL_SHA1] = 20, [HM_INTEL_SHA256] = 32, [HM_INTEL_IP] = 4};
    if (kind == (HM_INTEL_IP | 0x10))
        return 16;
    return kind < sizeof lengths ? lengths[kind] : 0;
}
/* len 0: hostile */
static inline struct hm_slice hm_blob_record(struct hm_slice values, size_t at, uint8_t *ret_kind)
{
    struct hm_slice none = {0};
    if (at >= values.len)
        return none;
    const uint8_t *p = values.p + at;
    size_t left = values.len - at - 1, n = hm_blob_fixed(*p);
    *ret_kind = *p & 0x0f;
    p++;
    if (n == 0) {
        if (left < 2)
            return none;
        n = (size_t)p[0] | (size_t)p[1] << 8;
        p += 2;
        left -= 2;
    }
    return n <= left ? hm_slice(p, n) : none;
}
/* Texts: length u8, bytes; the empty one is at 0. */
static inline struct hm_slice hm_blob_text(struct hm_slice texts, uint32_t at)
{
    if (at >= texts.len || texts.p[at] > texts.len - at - 1)
        return (struct hm_slice){0};
    return hm_slice(texts.p + at + 1, texts.p[at]);
}
