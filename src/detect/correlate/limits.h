/* Every ceiling of the correlation runtime, with its reason. */
#pragma once

#define HM_CORRELATE_GROUPS_MAX   65536       /* per correlation; an option may lower it */
#define HM_CORRELATE_BYTES_MAX    (64u << 20) /* all correlations together, unless an option says */
#define HM_CORRELATE_RULE_BYTES   (16u << 20) /* one correlation: a noisy one starves no other */
#define HM_CORRELATE_WINDOW_MAX   65536       /* entries kept of one group; beyond: "at least" */
#define HM_CORRELATE_BOUND_MAX    30000 /* a count bound must stay decidable from a full window */
#define HM_CORRELATE_SAMPLE_MAX   4096  /* percentile: values kept sorted, newest win */
#define HM_CORRELATE_STEPS_MAX    1024  /* temporal: entries kept as evidence and for late events */
#define HM_CORRELATE_REFS_MAX     64    /* temporal: rules of one correlation, bits of a mask */
#define HM_CORRELATE_GROUP_BY_MAX 16
#define HM_CORRELATE_VALUE_BYTES  256 /* of one group value; longer ones end in their hash */
#define HM_CORRELATE_KEY_BYTES    (HM_CORRELATE_GROUP_BY_MAX * (HM_CORRELATE_VALUE_BYTES + 2))
#define HM_CORRELATE_LIST_MAX     64   /* values taken from one list field */
#define HM_CORRELATE_PENDING_MAX  256  /* hits of one event waiting for their correlation */
#define HM_CORRELATE_EVIDENCE_MAX 64   /* contributing events named in a hit, the newest */
#define HM_CORRELATE_JUMP_RUN     16   /* too-late events in a row: the clock was set back */
#define HM_CORRELATE_NUMBER_MAX   1e18 /* beyond: no measurement; sums stay exact below it */
#define HM_CORRELATE_DEPTH_MAX    16   /* chain of correlations */
#define HM_CORRELATE_TIME_MAX                                                                      \
    (UINT64_MAX / 4) /* ms; hostile times are cut here, sums cannot wrap */
