/* Every ceiling of the engine, and why it has that value. The engine shares a 64 MiB budget with
 * the other processes of the agent, so full always means a counted loss, never growth. */
#pragma once

/* Processes that live. 32,768 is the kernel's default pid_max; a struct is about 200 bytes, so a
 * fork bomb costs 6 MiB and then evicts the process that was silent for longest. */
#define HM_TABLE_LIVE_MAX 32768
/* Processes that ended but may still be named by late events, by their children or by an alert. */
#define HM_TABLE_EXITED_MAX 8192
/* Strings of all executables and command lines together; forks share their parent's. */
#define HM_TABLE_STRING_BYTES (16u << 20)
/* A command line kept for children and alerts; the exec event itself carries all of it. */
#define HM_TABLE_COMMAND_LINE_BYTES 4096
/* Any path or text beside the command line. */
#define HM_TABLE_TEXT_BYTES 4096

/* Directory handles that are known by path. 16,384 with paths of 60 bytes are about 3 MiB. */
#define HM_DIRS_MAX        16384
#define HM_DIRS_PATH_BYTES (4u << 20)
/* struct file_handle of the file systems we know is at most 128 bytes (MAX_HANDLE_SZ). */
#define HM_DIRS_HANDLE_BYTES 136
/* File events that wait for the path of their directory; the answer takes about 0.1 ms. */
#define HM_FILE_WAITING_MAX 2048
/* An answer that has not come by then never will: monitor was restarted or overrun. */
#define HM_FILE_WAIT_NS     (5ull * 1000 * 1000 * 1000)
#define HM_POLICY_PATHS_MAX 256
/* Changes of mode or owner that wait for the new ones; told without after that time. */
#define HM_STATS_MAX    256
#define HM_STAT_WAIT_NS (1ull * 1000 * 1000 * 1000)

/* Executables whose SHA-256 is known: 4,096 files are several distributions' worth. */
#define HM_HASHES_MAX       4096
#define HM_HASHES_ASKED_MAX 256
#define HM_HASH_RETRY_NS    (1ull * 1000 * 1000 * 1000)
#define HM_HASH_WAIT_NS     (30ull * 1000 * 1000 * 1000)

/* Logs of other programs that are read, and how much of them: a line is told up to 8 KiB (rsyslog's
 * default), a source up to 2,000 lines a second; what is over is counted. 16 MiB a round are read
 * so that the count is right even in a flood. */
#define HM_LOG_SOURCES_MAX 24
#define HM_LOG_LINE_BYTES  8192
#define HM_LOG_PATH_BYTES  256
#define HM_LOG_LINES_ROUND 1000
#define HM_LOG_ROUND_BYTES (16u << 20)
#define HM_LOG_PIECE_BYTES (64u << 10)
/* A field of a journal entry that is held until it is whole. */
#define HM_LOG_FRAME_BYTES (64u << 10)

/* Sets of indicators: one a content layer. */
#define HM_INTEL_SETS_MAX 16
/* Alerts that one event raises because of indicators. */
#define HM_INTEL_ALERTS_MAX 8

/* Addresses whose name is known: 8,192 slots of 154 bytes are 1.2 MiB. A longer name than 128 bytes
 * is not kept; a name is believed for an hour, which is longer than most answers may be kept and as
 * long as a connection is likely to follow. */
#define HM_DNS_NAMES_MAX   8192
#define HM_DNS_NAMES_BYTES 128
#define HM_DNS_NAME_NS     (3600ull * 1000 * 1000 * 1000)

/* What rules cost is looked at this often; a mean says something from so many evaluations on. */
#define HM_COSTS_LOOK_NS      (60ull * 1000 * 1000 * 1000)
#define HM_COSTS_MEAN_MIN     1000
#define HM_COSTS_POLICY_BYTES 65536 /* of rules.policy */

/* Files written lately, by path: for "written and then run". 8,192 slots of 32 bytes. */
#define HM_CONTEXT_WRITES   8192
#define HM_CONTEXT_WRITE_NS (3600ull * 1000 * 1000 * 1000)
/* Programs run lately whose file events may still be on their way. */
#define HM_CONTEXT_RUNS    1024
#define HM_CONTEXT_LATE_NS (5ull * 1000 * 1000 * 1000)

/* Scans that wait: paths and handles, about 300 bytes each. A machine that starts 200 programs at
 * boot is through in seconds; past it a file is not scanned, and that is reported as a loss. */
#define HM_SCANS_WAITING_MAX 512
/* Of them files that were written: a flood of writes leaves room for what is started. */
#define HM_SCANS_WRITES_MAX 384
/* Of them at monitor, where each holds a descriptor. */
#define HM_SCANS_ASKED_MAX 16
/* Executables without a finding: as many as have a known hash. */
#define HM_SCANS_KNOWN_MAX 4096
/* Longer than monitor lets a scan wait and run. */
#define HM_SCANS_ANSWER_NS (120ull * 1000 * 1000 * 1000)
/* A file that is written all the time is scanned so often at most; a script that is
 * started all the time and a process, too. */
#define HM_SCANS_WRITE_REST_NS  (2ull * 1000 * 1000 * 1000)
#define HM_SCANS_SCRIPT_REST_NS (10ull * 1000 * 1000 * 1000)
#define HM_SCANS_MEMORY_REST_NS (60ull * 1000 * 1000 * 1000)
/* Alerts of one scan; all rules are named in its event. */
#define HM_SCAN_ALERTS_MAX 4

/* A (rule, tree) raises one alert in this time. */
#define HM_ALERT_QUIET_NS  (60ull * 1000 * 1000 * 1000)
#define HM_ALERT_KNOWN_MAX 4096
/* Ancestors in an alert's evidence; also what ends a walk should a tree ever be a ring. */
#define HM_ALERT_ANCESTORS_MAX 32
/* Alerts that wait for room on a full disk. */
#define HM_ALERT_HELD_MAX 64

/* Refused rules that are named in a report; the others are counted. */
#define HM_RELOAD_PROBLEMS_MAX 20
#define HM_RELOAD_TEXT_BYTES   (16 * 1024)

#define HM_USERS_MAX        4096
#define HM_USERS_FILE_BYTES (1u << 20)

/* Messages that wait for a peer whose socket is full. An order to kill a tree is answered with a
 * message for each of its processes, and a fork bomb has as many as the table holds. */
#define HM_OUTBOX_MAX   (HM_TABLE_LIVE_MAX + 4096)
#define HM_OUTBOX_BYTES (4u << 20)

/* Batches are closed and losses looked for this often: what a live view lags behind at most, and
 * what a kill -9 can take with it. */
#define HM_TICK_NS 500000000L

/* Correlations: windows of all of them, and the events that fed them lately, to be shown as
 * evidence. */
#define HM_HITS_MAX             256 /* rules of one event; the corpus's worst has 11 */
#define HM_SEQUENCE_STATE_BYTES (4u << 20)
#define HM_SEQUENCE_GROUPS      4096
#define HM_SEQUENCE_BYTES       (1u << 20)
#define HM_SEQUENCE_EVENTS      2048
#define HM_SEQUENCE_EVENT_BYTES (16u << 10) /* a larger one is not kept: it is in the journal */
