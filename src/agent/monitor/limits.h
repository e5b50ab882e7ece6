/* Ceilings of monitor, each with its reason. */
#pragma once

/* What may wait for a child that is slow: some seconds of answers; past it they are counted lost.
 */
#define HM_MON_OUTBOX_MESSAGES 4096
#define HM_MON_OUTBOX_BYTES    (8u << 20)
/* Messages served from one child before the others get their turn. */
#define HM_MON_BURST 256

/* Executables being hashed at once; more wait in the engine, which asks again. */
#define HM_MON_HASHES_MAX 64
/* inspect is killed when a hash takes longer: 1 GiB at 0.2 GB/s, behind a scan of a process. */
#define HM_MON_HASH_NS (25ull * 1000000000)

/* Scans that wait; each holds a descriptor or two. The engine asks for half as many at once. */
#define HM_MON_SCANS_MAX 32
/* Files that were whole and clean lately: what was just written is not scanned again when it is
 * run. */
#define HM_MON_CLEAN_MAX 512
/* Past libyara's own limit of time inspect gets this long to say so; then it is killed. */
#define HM_MON_SCAN_GRACE_NS (3ull * 1000000000)
/* What waited so long (inspect was away) is answered without a verdict. */
#define HM_MON_SCAN_WAIT_NS (60ull * 1000000000)
/* A YARA file compiles in milliseconds, the largest known in 0.3 s. */
#define HM_MON_RULE_NS (20ull * 1000000000)
/* A file that had inspect on its hands this often when it ended is left out. */
#define HM_MON_STRIKES     2
#define HM_MON_STRIKES_MAX 16
/* Problems of a set that become events; all are logged. */
#define HM_MON_RULE_PROBLEMS 32

/* Brake: this many crashes in this time, and restarts become slow. */
#define HM_MON_CRASHES         3
#define HM_MON_CRASH_WINDOW_NS (300ull * 1000000000)
#define HM_MON_RESTART_NS      (500ull * 1000000)
#define HM_MON_RESTART_SLOW_NS (30ull * 1000000000)
/* uplink is started when the engine has its journal, at the latest after this. */
#define HM_MON_UPLINK_WAIT_NS (10ull * 1000000000)
/* A child that answered heart beats and then is silent for so long is killed. */
#define HM_MON_BEAT_NS   (5ull * 1000000000)
#define HM_MON_SILENT_NS (60ull * 1000000000)
/* What a child gets to finish when everything stops (the journal is synced in it). */
#define HM_MON_STOP_MS 5000
/* The start-up snapshot blocks monitor; an engine that takes no records for so long has failed. */
#define HM_MON_SNAPSHOT_MS 30000

/* Events monitor made lately: sent again when the engine crashed before it can have stored them. */
#define HM_MON_EVENTS_KEPT     64
#define HM_MON_EVENTS_AGAIN_NS (2ull * 1000000000)

/* File systems under fanotify marks; a host has one to ten that policy paths lie on. */
#define HM_MON_FILESYSTEMS_MAX 32
/* Folders and files whose opening is recorded; one inode mark each. */
#define HM_MON_SENSITIVE_MAX 256
/* How often homes and sensitive files that came to be since are looked for. */
#define HM_MON_REMARK_NS (10ull * 1000000000)

/* Orders that wait while one is carried out. A person clicks; a flood is an attack. */
#define HM_MON_ORDERS_MAX 16
/* Refused orders that are journalled in an hour; the rest is only counted. */
#define HM_MON_REFUSALS_TOLD 20
/* The engine gets this long to name the processes; it is asked again meanwhile, it may be starting.
 */
#define HM_MON_WHO_IS_NS       (10ull * 1000000000)
#define HM_MON_WHO_IS_AGAIN_NS (1ull * 1000000000)
/* A signed time is taken only for a nonce this young: what it may be late by. */
#define HM_MON_NONCE_NS       (120ull * 1000000000)
#define HM_MON_NONCE_RENEW_NS (60ull * 1000000000)

/* Content: a chunk that does not come is asked for again; so long may the engine build (3,780 rules
 * in 10 s on a good machine). */
#define HM_MON_CONTENT_AGAIN_NS (10ull * 1000000000)
#define HM_MON_CONTENT_LOAD_NS  (180ull * 1000000000)
/* New content is on trial: an engine that ends so often in that time goes back to the rules before.
 */
#define HM_MON_CONTENT_TRIAL_NS (300ull * 1000000000)
#define HM_MON_CONTENT_ENDS     3

/* Drills at once; each ends by itself. */
#define HM_MON_DRILLS_MAX 8

/* The journal's disk quota on the endpoint. */
#define HM_MON_QUOTA_BYTES (512ull << 20)

/* Log files followed: the table's, and those named on the command line. How often files that came
 * anew or were rotated are looked for. */
#define HM_MON_LOGS_MAX     24
#define HM_MON_LOGS_OWN_MAX 8
#define HM_MON_LOGS_NS      (2ull * 1000000000)
/* Audit records that wait for the engine's next round. */
#define HM_MON_AUDIT_BYTES (1 << 20)
