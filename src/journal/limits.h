/* The ceilings of src/journal, each with its reason. */
#pragma once

#define HM_LOG_SEGMENT_BYTES (16u << 20) /* default: recovery reads one of these at start */
#define HM_LOG_RECORD_MAX_BYTES                                                                    \
    (4u << 20)                    /* a batch is at most 1 MiB, and its envelope is small           \
                                   */
#define HM_LOG_SEGMENTS_MAX 65536 /* 1 TiB of default segments; more is a broken directory */
#define HM_LOG_DAMAGED_MAX  8     /* damaged tails kept for people to look at */
