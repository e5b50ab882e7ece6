/* Ceilings of the role `content`, each with its reason. */
#pragma once

#define HM_CONTENT_JOB_S      240  /* then the job's process is ended: 3,780 rules take 10 s */
#define HM_CONTENT_JOB_MIB    3072 /* address space of a job: 256 MiB of parts and a rule set */
#define HM_CONTENT_FILE_MAX   (64u << 20) /* one part: an indicator blob of an endpoint */
#define HM_CONTENT_PROBLEMS   200 /* refused rules that are listed; the others are counted */
#define HM_CONTENT_REPORT_MAX (120 * 1024) /* fits a packet of our own sockets */
#define HM_CONTENT_ARENA_MAX  (320ull << 20)
#define HM_CONTENT_LAYER_MAX  32
#define HM_CONTENT_LAYERS_MAX 64 /* of a bundle that is carried in */
