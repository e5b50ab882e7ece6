/* Ceilings of the supervisor, each with its reason. */
#pragma once

/* A role that dies at once is started again after 0.1 s, then twice as long up to this. */
#define HM_RESTART_FIRST_MS 100
#define HM_RESTART_MAX_MS   10000
/* A role that lived this long has earned a quick restart. */
#define HM_RESTART_CALM_MS 30000
/* Roles get this long to finish what they hold (fsync, checkpoint) before SIGKILL. */
#define HM_STOP_GRACE_MS  15000
#define HM_LISTEN_BACKLOG 4096 /* 12,000 agents come back at once after a restart */
