/* The ceilings of compiled programs and of matching, each with its reason. */
#pragma once
#define HM_ENTRIES_MAX          2000000 /* distinct values; SigmaHQ has about 30,000 */
#define HM_TESTS_MAX            1000000
#define HM_SOURCES_MAX          4096 /* log sources that rules of one set tell apart */
#define HM_FEW_PAIRS            48 /* short literals that eight buckets of masks still tell apart */
#define HM_STRIDE_GRAMS_MAX     16384 /* a longer stride is not worth a larger table */
#define HM_GRAMS_MAX            8000000
#define HM_TREE_MAX_DEPTH       256 /* a condition's 64, its searches and lists; bounds recursion */
#define HM_REGEX_MAX_DEPTH      32  /* groups in groups that the literal reader follows */
#define HM_BUILD_MAX_BYTES      (512u << 20) /* while compiling */
#define HM_PROGRAM_MAX_BYTES    (256u << 20)
#define HM_VALUE_FIRST_BYTES    65536       /* values up to here need no more memory */
#define HM_VALUE_MAX_BYTES      (16u << 20) /* longer than any event we take */
#define HM_CACHE_DEFAULT_BYTES  (1u << 20)
#define HM_CACHE_MIN_BYTES      4096
#define HM_CACHE_BYTES_PER_SLOT 128  /* a value with its tests, on average */
#define HM_CACHE_VALUE_MAX      2048 /* longer ones hardly come again and would push out many */
#define HM_COST_SAMPLE          64   /* one evaluation in so many is timed; a power of two */
