/* Every ceiling of the YARA part, with its reason. inspect shares the agent's 64 MiB with the other
 * processes, so what is scanned is cut before memory grows, and the result says so. */
#pragma once

/* ---- compiling ---- */
/* The largest published rule file (a certificate list) is 1.3 MB. */
#define HM_YARA_FILE_MAX_BYTES (4u << 20)
/* All texts of a set together: eight times what the largest free collections hold. */
#define HM_YARA_TEXT_MAX_BYTES (32u << 20)
#define HM_YARA_FILES_MAX      4096
#define HM_YARA_DIR_DEPTH      8
#define HM_YARA_RULES_MAX      50000
#define HM_YARA_STRINGS_MAX    200000
#define HM_YARA_RULE_STRINGS   10000 /* in one rule; libyara's own default */
/* The compiled set: 1,200 rules take 7 MiB. */
#define HM_YARA_COMPILED_BYTES (64u << 20)
/* libyara's evaluation stack in slots of eight bytes: its own default. */
#define HM_YARA_STACK_SLOTS 16384
/* Problems of one file that are told; a broken file can have thousands. */
#define HM_YARA_PROBLEMS_TOLD 16

/* ---- scanning ---- */
/* A file up to this size is one block: every rule sees it as the standard says. The buffer stays
 * mapped, its pages go back after each scan. */
#define HM_YARA_HEAD_BYTES (16u << 20)
/* What follows is read in windows that overlap, so that a string over a border is found. */
#define HM_YARA_WINDOW_BYTES  (4u << 20)
#define HM_YARA_OVERLAP_BYTES (64u << 10)
/* Of a larger file: this much from its start and this much of its end; the middle is not read. */
#define HM_YARA_SCAN_BYTES (64ull << 20)
#define HM_YARA_TAIL_BYTES (8ull << 20)
/* Of a process: the mappings that matter most first. */
#define HM_YARA_MEMORY_BYTES (128ull << 20)
#define HM_YARA_REGIONS_MAX  4096
#define HM_YARA_MAPS_BYTES   (1u << 20)
/* libyara looks at the clock every 4 KiB; what hangs between is ended by monitor. */
#define HM_YARA_SCAN_SECONDS   5
#define HM_YARA_MEMORY_SECONDS 10

/* ---- what a match tells ---- */
#define HM_YARA_HITS_MAX      16  /* rules that matched one file */
#define HM_YARA_HIT_STRINGS   8   /* identifiers named of one rule */
#define HM_YARA_HIT_OFFSETS   4   /* places named of one string */
#define HM_YARA_HIT_METAS     24  /* meta lines of one rule */
#define HM_YARA_HIT_TEXT      512 /* bytes of one text */
#define HM_YARA_HITS_BYTES    (64u * 1024)
#define HM_YARA_COUNT_MATCHES 100000 /* counting a string's places ends here */
