/* Ceilings of core and hunt, each with its reason. */
#pragma once

/* ---- store ---- */
#define HM_STORE_BATCH_BYTES                                                                       \
    (32u << 20)                    /* compressed records held for one write: about 400,000 events */
#define HM_STORE_BATCH_ROWS 250000 /* two Parquet row groups: bounds DuckDB's memory too */
#define HM_STORE_BUSY_ROWS  2000   /* a busy server writes every … */
#define HM_STORE_BUSY_MS    5000
#define HM_STORE_QUIET_MS                                                                          \
    30000 /* … and a quiet one that often; hunts read the rest from the journal */
#define HM_STORE_TENANTS    256 /* tenants in one write; more wait for the next */
#define HM_STORE_MEMORY_MIB 384 /* DuckDB overshoots by 100 to 250 */

#define HM_COMPACT_SMALL_ROWS 60000 /* a file below that is small: a quarter of a full write */
#define HM_COMPACT_LEAST      16    /* so many small ones of a day become one … */
#define HM_COMPACT_FILES      96    /* … of at most so many */
#define HM_COMPACT_RECORDS    60000 /* what repair can read again for one segment */
#define HM_COMPACT_GRACE_MS   60000 /* a hunt ends after 20 s */
#define HM_COMPACT_EVERY_MS   20000

/* ---- alerts' live trees ---- */
#define HM_TREE_ALERTS      256 /* alerts kept live at once: the newest */
#define HM_TREE_ALERTS_EACH 24  /* of one endpoint */
#define HM_TREE_AGE_MS      (24ull * 3600 * 1000)
#define HM_TREE_NODES       2000  /* processes of one alert; more are counted */
#define HM_TREE_EVENTS      5000  /* events of one alert; more are counted */
#define HM_TREE_KEYS        65536 /* (alert, process) pairs in memory */
#define HM_TREE_BACK        4096  /* journal records looked at before a new alert … */
#define HM_TREE_BACK_OWN    64    /* … of which that many of its endpoint are opened */
#define HM_TREE_COMMAND_MAX 4096  /* bytes of a command line kept in a node */

/* ---- loop ---- */
#define HM_CORE_SLICE_MS    20          /* a consumer gives the loop back after that */
#define HM_CORE_QUEUE_BYTES (4u << 20)  /* to one peer; a slower peer is cut off and paired anew */
#define HM_CORE_ENROLL_WAIT 256         /* enrolments and orders that wait for the signer */
#define HM_CORE_RAW_BYTES   (1u << 20)  /* a batch, unpacked: HM_BATCH_RAW_MAX and some */
#define HM_CORE_JSON_BYTES  (16u << 20) /* all evidence of one alert as JSON */
#define HM_CORE_SIGNER_MS   10000

/* ---- hunt ---- */
#define HM_HUNT_MEMORY_MIB  512
#define HM_HUNT_THREADS     2
#define HM_HUNT_FILES       20000 /* files in one snapshot: a week at one in 30 s */
#define HM_HUNT_SPEC_BYTES  (4u << 20)
#define HM_HUNT_ADDRESS_MIB 4096 /* RLIMIT_AS of a worker: DuckDB's limit is soft */
