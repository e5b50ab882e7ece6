/* The compiled form of a rule set: one position-independent run of bytes, all references are
 * indices into its sections. Written by the compiler (build*.c), checked once when it is opened
 * (open.c), read by the matcher (scan.c, run.c). Knows nothing of rule languages.
 *
 * Words: an *entry* is one string (or range) a field is looked through for; a *test* is one bit
 * that entries set ("Image ends with one of …"); a *trigger* is a test without which a rule cannot
 * match; a *lazy* test is worked out only when a condition asks for it. */
#pragma once
#include "base/slice.h"
#include <stdint.h>

#define HM_PROGRAM_MAGIC   0x31474f5250534d48u /* "HMSPROG1" */
#define HM_PROGRAM_VERSION 1u
#define HM_MASK_BYTES      4 /* of a short literal that its masks tell apart */
#define HM_NO_INDEX        UINT32_MAX

enum hm_section {
    HM_SECTION_FIELDS,
    HM_SECTION_FIELD_OF, /* uint32_t a name id: its field, or HM_NO_INDEX */
    HM_SECTION_SLOTS,
    HM_SECTION_GRAMS,
    HM_SECTION_REFS, /* entries of a gram, with the place of the gram in their literal */
    HM_SECTION_BITS, /* uint64_t: filters before slots, grams and pairs */
    HM_SECTION_ENTRIES,
    HM_SECTION_TEXT,
    HM_SECTION_IDS, /* uint32_t lists: tests of an entry, rules of a trigger */
    HM_SECTION_TESTS,
    HM_SECTION_LAZY,
    HM_SECTION_RULES,
    HM_SECTION_CODE,
    HM_SECTION_ALWAYS,        /* struct hm_span a source: rules to try on each of its events */
    HM_SECTION_SOURCE_RULES,  /* bits a source: its rules */
    HM_SECTION_SOURCE_FIELDS, /* bits a source: what they read */
    HM_SECTION_COUNT
};

struct hm_span { /* a run in another section */
    uint32_t first, count;
};

/* How an entry is found. SUFFIX, PREFIX and EXACT by their outer eight bytes in the slots; CONTAINS
 * and GLOB by four bytes of theirs in the grams; the rest is tried on every value of the field. */
enum hm_prog_entry_kind {
    HM_ENTRY_EXACT,
    HM_ENTRY_PREFIX,
    HM_ENTRY_SUFFIX,
    HM_ENTRY_CONTAINS,
    HM_ENTRY_GLOB,
    HM_ENTRY_EMPTY,
    HM_ENTRY_CIDR,
    HM_ENTRY_KIND_COUNT
};
struct hm_prog_entry {
    uint32_t text, len;   /* in TEXT; CIDR: the 4 or 16 bytes */
    struct hm_span tests; /* in IDS */
    uint8_t kind, cased;
    uint8_t number_only; /* "007" as a number: the same number, but not the same text */
    uint8_t prefix;      /* CIDR */
    uint32_t zero;
};

/* Slot classes: how many bytes of which end the key holds. */
enum {
    HM_SLOT_FREE = 0,
    HM_SLOT_SUFFIX = 0,  /* + 1..8 bytes; 8: eight or more */
    HM_SLOT_PREFIX = 16, /* + 1..8 bytes */
    HM_SLOT_EXACT = 32,
    HM_SLOT_CIDR4 = 64,  /* + prefix */
    HM_SLOT_CIDR6 = 100, /* + prefix */
};
struct hm_slot {
    uint64_t key;
    struct hm_span entries;
    uint32_t class;
    uint32_t zero;
};
struct hm_gram {
    uint32_t bytes; /* little endian; refs.count = 0: free */
    struct hm_span refs;
};
struct hm_gram_ref {
    uint32_t entry, at;
};

struct hm_prog_field {
    uint64_t lengths;     /* only whole values: bit n, some are n bytes long (63: more); else all */
    uint64_t cidr[4];     /* CIDR slot classes in use */
    uint32_t name;        /* HM_NO_INDEX: keywords */
    uint32_t exists;      /* test: there, whatever the value; HM_NO_INDEX: nobody asks */
    uint32_t not_null;    /* test: there, and no null */
    struct hm_span slots; /* count: a power of two, or 0 */
    struct hm_span grams, pairs;    /* likewise; pairs: literals of two and three bytes */
    uint32_t slot_bits, slot_shift; /* filters in BITS: where, and 32 - log2 of its bits */
    uint32_t gram_bits, gram_shift;
    uint32_t pair_bits;          /* 65536 bits; few pairs: masks */
    uint32_t stride;             /* grams are looked up at every so many bytes: 1, 2 or 4 */
    uint32_t least;              /* no entry is in a value shorter than this */
    uint32_t cache_from;         /* values of so many bytes are worth remembering */
    struct hm_span tried;        /* entries without literal: tried on each value */
    uint16_t suffixes, prefixes; /* bit n: slots of n bytes are in use */
    uint8_t exact, few_pairs;
    uint8_t only_within; /* all entries are found by grams and pairs */
    uint8_t zero[5];
};

struct hm_prog_test {
    struct hm_span triggers; /* rules, in IDS */
    uint32_t lazy;           /* in LAZY, or HM_NO_INDEX */
    uint32_t zero;
};

enum hm_lazy_op {
    HM_LAZY_REGEX,
    HM_LAZY_LT,
    HM_LAZY_LTE,
    HM_LAZY_GT,
    HM_LAZY_GTE,
    HM_LAZY_EQ,
    HM_LAZY_FIELDREF,
    HM_LAZY_OP_COUNT
};
struct hm_lazy {
    uint32_t name, other; /* name ids; other: FIELDREF */
    uint32_t guard;       /* test without which it is false, or HM_NO_INDEX */
    uint32_t text, len;   /* REGEX, in TEXT */
    uint8_t op, part, affix, cased;
    uint8_t real, re_i, re_m, re_s;
    uint32_t zero;
    int64_t i; /* number compared with: exact unless real */
    double d;
};

/* A condition is a branching program: look at one test, go on at one of two places, both later. */
enum { HM_GO_TRUE = 0xffff, HM_GO_FALSE = 0xfffe, HM_CODE_MAX = 0xfff0 };
struct hm_branch {
    uint32_t test;
    uint16_t yes, no; /* relative to the rule's first */
};
struct hm_prog_rule {
    struct hm_span code; /* count 0: matches whenever it is tried */
};

struct hm_program_header {
    uint64_t magic;
    uint32_t version, crc; /* crc32c over all that follows this word's header field `bytes` on */
    uint64_t bytes;        /* of the whole, header included */
    struct {
        uint32_t at, bytes;
    } sections[HM_SECTION_COUNT];
};

/* An opened program: typed views of a checked blob, and what cannot lie in it. */
struct hm_program {
    uint8_t *blob;
    size_t bytes;
    const struct hm_prog_field *fields;
    const uint32_t *field_of, *ids;
    const struct hm_slot *slots;
    const struct hm_gram *grams;
    const struct hm_gram_ref *refs;
    const uint64_t *bits;
    const struct hm_prog_entry *entries;
    const uint8_t *text;
    const struct hm_prog_test *tests;
    const struct hm_lazy *lazy;
    const struct hm_prog_rule *rules;
    const struct hm_branch *code;
    const struct hm_span *always;
    const uint64_t *source_rules, *source_fields;
    uint32_t field_count, name_count, entry_count, test_count, lazy_count, rule_count, slot_count,
        gram_count, ref_count, bit_words, text_bytes, id_count, code_count, source_count;
    uint32_t rule_words, field_words; /* of one source */
    uint32_t keywords;                /* field of the keywords, or HM_NO_INDEX */
    void **regex;                     /* pcre2_code a lazy test, NULL elsewhere */
};

static inline uint8_t hm_fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}
static inline uint64_t hm_load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint32_t hm_load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint32_t hm_slot_hash(uint64_t key, uint32_t class)
{
    uint64_t h = (key ^ (uint64_t) class << 56 ^ class) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(h >> 32);
}
static inline uint32_t hm_gram_hash(uint32_t gram)
{
    return gram * UINT32_C(0x9e3779b1);
}
static inline bool hm_cidr_same(const uint8_t *a, const uint8_t *b, unsigned prefix)
{
    unsigned whole = prefix / 8, rest = prefix % 8;
    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}
/* The first `prefix` bits of an address of 4 or 16 bytes, mixed. */
static inline uint64_t hm_cidr_key(const uint8_t *ip, size_t len, unsigned prefix)
{
    uint8_t b[16] = {0};
    memcpy(b, ip, prefix / 8 < len ? prefix / 8 : len);
    if (prefix % 8 && prefix / 8 < len)
        b[prefix / 8] = (uint8_t)(ip[prefix / 8] & (0xff00u >> (prefix % 8)));
    return hm_load64(b) ^ hm_load64(b + 8) * UINT64_C(0x9e3779b97f4a7c15);
}
/* The key of a whole value: both ends and the length; the text is compared afterwards. */
static inline uint64_t hm_exact_key(const uint8_t *p, size_t len)
{
    uint8_t b[8] = {0};
    uint64_t head, tail = 0;
    if (len >= 8) {
        head = hm_load64(p);
        tail = hm_load64(p + len - 8);
    } else {
        memcpy(b, p, len);
        head = hm_load64(b);
    }
    return (head ^ (tail << 23 | tail >> 41)) + len * UINT64_C(0xd6e8feb86659fd93);
}
