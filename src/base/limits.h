/* The ceilings of src/base, each with its reason. */
#pragma once

#define HM_LOG_TEXT_BYTES    2048 /* a line people read; longer ones are cut with "..." */
#define HM_LOG_IDENT_BYTES   32
#define HM_ARENA_FIRST_BYTES 4096        /* most batches need one page */
#define HM_ARENA_BLOCK_BYTES (1 << 20)   /* doubling stops here: the waste stays below 1 MiB */
#define HM_BUF_FIRST_BYTES   64          /* smallest allocation of a buffer */
#define HM_MAP_FIRST_SLOTS   16          /* a power of two */
#define HM_PEM_MAX_BYTES     (16 * 1024) /* a P-256 key in PEM is 241 bytes */
