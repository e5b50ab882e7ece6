/* Indicators of compromise: from feeds to one immutable set, and from a set to hits on events.
 *
 *   feed bytes → hm_intel_import() → builder (warning lists, duplicates) → hm_intel_build() → blob
 *   blob → hm_intel_open() / hm_intel_map() → hm_intel_find(), hm_intel_match_event()
 *
 * The blob is position-independent and is what disks and bundles carry. It is checked when opened
 * and bounds-checked when used, so a hostile one can miss but never crash. Owns no I/O policy: who
 * fetches, verifies and swaps is the caller's matter. Threads: a set is read-only and may be
 * shared; a builder belongs to one thread. Times are whole seconds since 1970; the clock is the
 * caller's. */
#pragma once
#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"
#include "event/event.h"

enum hm_intel_kind {
    HM_INTEL_MD5,
    HM_INTEL_SHA1,
    HM_INTEL_SHA256,
    HM_INTEL_IP,     /* address or CIDR block, both families */
    HM_INTEL_DOMAIN, /* the name and everything beneath it */
    HM_INTEL_URL,
    HM_INTEL_NAME,  /* last part of a path */
    HM_INTEL_PATH,  /* whole path */
    HM_INTEL_REGEX, /* PCRE2, tried on whole paths */
    HM_INTEL_MAIL,
    HM_INTEL_KINDS
};
const char *hm_intel_kind_name(enum hm_intel_kind k); /* "sha256"; "?" for a wrong one */

enum hm_tlp {
    HM_TLP_NONE,
    HM_TLP_CLEAR,
    HM_TLP_GREEN,
    HM_TLP_AMBER,
    HM_TLP_AMBER_STRICT,
    HM_TLP_RED
};
const char *hm_tlp_name(enum hm_tlp t); /* "amber+strict"; "" for none */

#define HM_INTEL_CONFIDENCE_DEFAULT 50 /* a feed that says nothing about itself */

struct hm_indicator { /* one value as a feed gives it; everything is borrowed */
    enum hm_intel_kind kind;
    struct hm_slice value;                /* text; defanged forms are read too */
    struct hm_slice source, label;        /* who says so; what it is */
    struct hm_slice except;               /* REGEX: paths matching this too are no hit */
    uint64_t valid_from_s, valid_until_s; /* 0: open; until is the first moment it is not valid */
    uint8_t confidence;                   /* 0..100 */
    enum hm_tlp tlp;
};

/* --- what happened to an entry of a feed (reasons.c) ------------------------------------------ */
enum hm_intel_outcome {
    HM_INTEL_LOADED,
    HM_INTEL_DUPLICATE,   /* loaded before; merged: highest confidence, latest validity, all sources
                           */
    HM_INTEL_MALFORMED,   /* not what it claims to be */
    HM_INTEL_UNSUPPORTED, /* well-formed, but nothing of ours can look for it */
    HM_INTEL_WARNED,      /* on a warning list: set aside */
    HM_INTEL_EXPIRED,     /* its validity had ended at the time of the import */
    HM_INTEL_REVOKED,     /* withdrawn by its author (STIX revoked, MISP deleted) */
    HM_INTEL_IGNORED,     /* the feed says it is no indicator (MISP to_ids false, benign) */
    HM_INTEL_CUT_OFF,     /* the feed ends in the middle; what came before is kept */
    HM_INTEL_OVER_LIMIT,  /* a ceiling of limits.h */
    HM_INTEL_OUTCOMES
};
const char *hm_intel_outcome_name(enum hm_intel_outcome o); /* "malformed" */

enum hm_intel_reason {
#define R(id, ...) HM_INTEL_WHY_##id,
#include "detect/indicator/reasons.def"
#undef R
    HM_INTEL_REASONS
};
const struct hm_text *hm_intel_reason_text(enum hm_intel_reason r); /* for people, en and ja */

struct hm_intel_note { /* one entry that was not simply loaded; borrowed, valid during the call */
    enum hm_intel_outcome outcome;
    enum hm_intel_reason reason;
    uint32_t line, column;  /* 1-based; column 0: the whole line. STIX: column within the pattern */
    const char *place;      /* JSON pointer, "" for line-based feeds */
    struct hm_slice value;  /* the offending text */
    struct hm_slice detail; /* name of the warning list, of an unknown type, …; may be empty */
};
typedef void hm_intel_note_fn(void *ctx, const struct hm_intel_note *n);

struct hm_intel_report {
    uint64_t outcomes[HM_INTEL_OUTCOMES];
    uint64_t kinds[HM_INTEL_KINDS]; /* of those LOADED or DUPLICATE */
};

/* --- warnlist.c: values that must never become indicators --------------------------------------
 */
struct hm_warnlist;
struct hm_warnlist *hm_warnlist_new(void); /* NULL: out of memory. Empty; hm_warnlist_add() fills */
void hm_warnlist_free(struct hm_warnlist *w);
/* One MISP warning list (JSON: name, type string|hostname|substring|cidr|regex, list,
 * matching_attributes). Entries that cannot be read are counted in *ret_skipped, the rest works.
 * Errors: -EBADMSG no warning list; -E2BIG ceiling; -ENOMEM. */
int hm_warnlist_add(struct hm_warnlist *w, struct hm_slice json, uint64_t *ret_skipped,
                    struct hm_error *err) HM_CHECK;
/* Sort what was added; must be called once after the last hm_warnlist_add(). */
int hm_warnlist_seal(struct hm_warnlist *w) HM_CHECK;
/* Name of the first list that holds the value, or NULL. */
const char *hm_warnlist_find(const struct hm_warnlist *w, enum hm_intel_kind kind,
                             struct hm_slice value);
size_t hm_warnlist_count(const struct hm_warnlist *w);

/* --- build.c: a set in the making --------------------------------------------------------------
 */
struct hm_intel_builder;
/* warnings: borrowed until the builder is freed, NULL for none. seed: of the hash tags; the same
 * seed and feeds give the same blob, one unknown to feed authors keeps them from crafting tags. */
struct hm_intel_builder *hm_intel_builder_new(const struct hm_warnlist *warnings, uint64_t seed);
void hm_intel_builder_free(struct hm_intel_builder *b);
/* Check, normalise and keep one value; force: also when a warning list holds it.
 * Returns the outcome (LOADED, MALFORMED, WARNED, OVER_LIMIT; duplicates are merged in build),
 * *ret_why and *ret_list (name of the warning list) say more. Errors: -ENOMEM. */
int hm_intel_builder_add(struct hm_intel_builder *b, const struct hm_indicator *in, bool force,
                         enum hm_intel_reason *ret_why, const char **ret_list) HM_CHECK;

enum hm_intel_form {
    HM_INTEL_FULL,   /* values included: a hit is confirmed against them */
    HM_INTEL_COMPACT /* for endpoints: filter and 84-bit tags; a hit says confirmed = false */
};
/* Sort, merge duplicates and give the blob to write() piece by piece, in order. The builder is
 * emptied. *ret_duplicates counts what was merged (may be NULL).
 * Errors: -ENOMEM; -E2BIG over HM_INTEL_BLOB_MAX_BYTES; what write() returns. */
int hm_intel_build(struct hm_intel_builder *b, enum hm_intel_form form,
                   int (*write)(void *ctx, struct hm_slice piece), void *ctx,
                   uint64_t *ret_duplicates) HM_CHECK;
/* The same into memory and opened; *ret_i owns its blob. */
struct hm_intel;
int hm_intel_build_memory(struct hm_intel_builder *b, enum hm_intel_form form,
                          uint64_t *ret_duplicates, struct hm_intel **ret_i) HM_CHECK;

/* --- import.c: feeds ----------------------------------------------------------------------------
 */
enum hm_intel_format {
    HM_INTEL_FORMAT_AUTO,
    HM_INTEL_FORMAT_STIX, /* 2.1 bundle, or a TAXII 2.1 envelope */
    HM_INTEL_FORMAT_MISP, /* event, feed event, array of events, restSearch answer */
    HM_INTEL_FORMAT_CSV,
    HM_INTEL_FORMAT_LIST,      /* a value a line */
    HM_INTEL_FORMAT_HASHES,    /* signature-base hash-iocs.txt: HASH;COMMENT */
    HM_INTEL_FORMAT_HOSTS,     /* signature-base c2-iocs.txt: comments are the labels */
    HM_INTEL_FORMAT_FILENAMES, /* signature-base filename-iocs.txt: REGEX;SCORE[;EXCEPT] */
    HM_INTEL_FORMATS
};
const char *hm_intel_format_name(enum hm_intel_format f); /* "stix" */
/* From the first bytes, and the file's name where given (may be NULL). LIST when nothing else. */
enum hm_intel_format hm_intel_detect(struct hm_slice feed, const char *name);

struct hm_intel_feed { /* what the operator says about a feed */
    enum hm_intel_format format;
    const char *source;  /* name of the feed; NULL: the feed's own, else "" */
    const char *label;   /* where the feed has none; may be NULL */
    uint8_t confidence;  /* where the feed has none; 0: HM_INTEL_CONFIDENCE_DEFAULT */
    enum hm_tlp tlp;     /* where the feed has none */
    uint64_t lifetime_s; /* valid for so long from now where the feed says no end; 0: open */
    bool force;          /* load also what warning lists hold */
};
/* Read a whole feed (mapped or in memory; nothing of it is kept). Entries are judged one by one:
 * bad ones become notes, the others load; a cut-off feed keeps what was complete. note may be NULL.
 * *ret_report is added to, so that several feeds can be summed; zero it first.
 * Errors: -EBADMSG not this format at all; -E2BIG over HM_INTEL_FEED_MAX_BYTES; -ENOMEM. */
int hm_intel_import(struct hm_intel_builder *b, struct hm_slice feed,
                    const struct hm_intel_feed *how, uint64_t now_s, hm_intel_note_fn *note,
                    void *ctx, struct hm_intel_report *ret_report, struct hm_error *err) HM_CHECK;

/* --- intel.c: a finished set ---------------------------------------------------------------------
 */
/* blob is borrowed for the set's life. Errors: -EBADMSG damaged or hostile; -EPROTONOSUPPORT made
 * by a newer version; -ENOMEM. Patterns are compiled here; those that fail are counted. */
int hm_intel_open(struct hm_slice blob, struct hm_intel **ret_i, struct hm_error *err) HM_CHECK;
/* Map a blob's file; fd may be closed afterwards. A file is replaced by renaming another over it,
 * never written in place: who truncates a mapped file kills its readers. */
int hm_intel_map(int fd, struct hm_intel **ret_i, struct hm_error *err) HM_CHECK;
/* The same into memory of its own, in huge pages where the kernel gives them: look-ups all over a
 * large set wait less. For servers; endpoints map, so that cold pages cost them no memory. */
int hm_intel_load(int fd, struct hm_intel **ret_i, struct hm_error *err) HM_CHECK;
void hm_intel_free(struct hm_intel *i);

struct hm_intel_stats {
    uint64_t count, kinds[HM_INTEL_KINDS];
    uint64_t joins;        /* STIX patterns with AND; each is counted in the kind of its key too */
    uint64_t bytes;        /* of the blob */
    uint64_t filter_bytes; /* the part that every look-up touches */
    uint64_t regex_bytes;  /* compiled patterns, on the heap */
    uint64_t regex_failed; /* patterns of a hostile or foreign blob that do not compile */
    enum hm_intel_form form;
};
struct hm_intel_stats hm_intel_stats(const struct hm_intel *i);

struct hm_intel_hit { /* borrowed, valid during the call */
    enum hm_intel_kind kind;
    int field;             /* enum hm_field, -1 from hm_intel_find() */
    struct hm_slice value; /* what the event holds */
    struct hm_slice found; /* the indicator's own, in normal form: the parent of a domain, … */
    struct hm_slice source, label;
    uint64_t valid_from_s, valid_until_s;
    uint8_t confidence;
    enum hm_tlp tlp;
    uint8_t prefix; /* IP: bits of the block; found is its first address, in network order */
    bool confirmed; /* false: by tag only (compact); wrong once in 10^17 look-ups */
};
typedef void hm_intel_hit_fn(void *ctx, const struct hm_intel_hit *h);

/* Look one value up: digests as 16, 20 or 32 bytes, IP as 4 or 16 bytes, the rest as text as events
 * hold it. Domains are also looked up by their parents. Returns the number of hits. Indicators that
 * are not valid at now_s do not hit; parts of AND patterns only hit through an event. */
size_t hm_intel_find(const struct hm_intel *i, enum hm_intel_kind kind, struct hm_slice value,
                     uint64_t now_s, hm_intel_hit_fn *hit, void *ctx);

/* Does the filter say "maybe"? For measuring it; look-ups ask it themselves. value in normal form.
 */
bool hm_intel_filter_passes(const struct hm_intel *i, enum hm_intel_kind kind,
                            struct hm_slice value);

/* match_event.c: every field of an event that an indicator can speak about: hashes, addresses of
 * the far side, names asked for and answered, paths, URLs in command lines and scripts and the
 * hosts within them. One call a (field, indicator). Allocates only PCRE2 match data. */
size_t hm_intel_match_event(const struct hm_intel *i, const struct hm_event *e, uint64_t now_s,
                            hm_intel_hit_fn *hit, void *ctx);
