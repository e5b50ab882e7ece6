/* Every ceiling of indicators, in one place, with its reason. */
#pragma once

#define HM_INTEL_MAX             (8u << 20) /* indicators of one set: 5 million and room to grow */
#define HM_INTEL_VALUE_MAX_BYTES 2048       /* a longer URL is cut by every log that names it */
#define HM_INTEL_VALUES_MAX_BYTES                                                                  \
    (1u << 30) /* all values of a set; offsets are 32 bits and the server's memory is finite */
#define HM_INTEL_TEXT_MAX_BYTES  256          /* a source's name or a label; longer ones are cut */
#define HM_INTEL_TEXTS_MAX_BYTES (256u << 20) /* all of them, each kept once */
#define HM_INTEL_SOURCES_MAX     65535        /* different sets of sources: a 16-bit number */
#define HM_INTEL_DETAILS_MAX     (8u << 20)   /* different (label, validity, confidence, …) */
#define HM_INTEL_PREFIXES_MAX    (4u << 20)   /* CIDR blocks of one family */
#define HM_INTEL_REGEX_MAX       20000        /* patterns of a set: four times signature-base */
#define HM_INTEL_REGEX_MAX_BYTES 1024         /* the longest published one has 314 bytes */
#define HM_INTEL_REGEX_LOOSE_MAX                                                                   \
    256 /* patterns without four plain bytes in a row: each is tried on every path */
#define HM_INTEL_MATCH_LIMIT 20000  /* PCRE2 steps of one try */
#define HM_INTEL_DEPTH_LIMIT 1000   /* PCRE2 heap frames of one try */
#define HM_INTEL_JOINS_MAX   200000 /* STIX patterns with AND: several values on one event */
#define HM_INTEL_TERMS_MAX   16     /* values of one such pattern */
#define HM_INTEL_LABELS_MAX  127    /* labels of a domain name, RFC 1035 */

#define HM_INTEL_BLOB_MAX_BYTES UINT64_C(0xf0000000) /* sections have 32-bit offsets inside */

#define HM_INTEL_FEED_MAX_BYTES (UINT64_C(2) << 30) /* one feed file */
#define HM_INTEL_LINE_MAX_BYTES 65536               /* one line of a list or record of a CSV */
#define HM_INTEL_COLUMNS_MAX    64
#define HM_JSON_DEPTH_MAX       64 /* MISP nests 8 deep, STIX 6 */
#define HM_JSON_STRING_MAX_BYTES                                                                   \
    (256 * 1024) /* one unescaped string that we look into; others are skipped at any length */
#define HM_STIX_PATTERN_MAX_BYTES (64 * 1024)
#define HM_STIX_DEPTH_MAX         32   /* parentheses */
#define HM_STIX_TERMS_MAX         4096 /* comparisons of one pattern; IN counts each value */
#define HM_STIX_WAYS_MAX          4096 /* ways to fulfil it, after AND is multiplied out */
#define HM_STIX_MARKINGS_MAX      1024 /* marking-definition objects that name a TLP */

#define HM_INTEL_EVENT_URLS_MAX  8           /* URLs looked up in one command line or script */
#define HM_INTEL_EVENT_NAMES_MAX 32          /* words of dns.answers */
#define HM_INTEL_TEXT_SCAN_BYTES (64 * 1024) /* of a command line or script, for URLs */

#define HM_WARNLIST_FILES_MAX   1024
#define HM_WARNLIST_ENTRIES_MAX (4u << 20) /* the published lists hold 2.5 million */
#define HM_WARNLIST_SLOW_MAX    20000 /* substrings and patterns: each is tried on each value */
