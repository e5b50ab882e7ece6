/* The ceilings of one line of JSON. */
#pragma once
#define HM_RECORD_MAX_BYTES  (4u << 20) /* a Windows event log entry is at most 64 KiB */
#define HM_RECORD_DEPTH_MAX  32
#define HM_RECORD_VALUES_MAX 65536
#define HM_RECORD_PATH_MAX   4096 /* of dotted names */
