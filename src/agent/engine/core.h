/* The engine without its process: records, file events and answers in; events and alerts out into a
 * journal. Owns all tables; reaches the outside only through struct hm_core_ops, so that tests and
 * benches feed it what they recorded. Threads: one. */
#pragma once
#include "agent/engine/alert.h"
#include "agent/engine/files.h"
#include "agent/engine/hashes.h"
#include "agent/engine/ledger.h"
#include "agent/engine/logs.h"
#include "agent/engine/scans.h"
#include "agent/engine/stats.h"

struct hm_core;
struct hm_intel_sets; /* intel.h */
struct hm_core_ops {  /* false: not now (the peer is slow); the question is asked again or given up
                       */
    bool (*resolve_dir)(void *ctx, uint64_t id, struct hm_slice fsid, struct hm_slice handle);
    bool (*hash_image)(void *ctx, uint64_t id, uint32_t pid, uint64_t dev, uint64_t inode,
                       struct hm_slice path);
    bool (*stat_file)(void *ctx, uint64_t id, struct hm_slice fsid, struct hm_slice handle);
    bool (*scan_file)(void *ctx, const struct hm_scan_job *j);
    bool (*scan_memory)(void *ctx, const struct hm_scan_job *j);
    void *ctx;
};
struct hm_core_options {
    uint8_t endpoint[16];
    uint64_t boot;
    struct hm_slice policy_paths;      /* newline between */
    struct hm_slice leave;             /* borrowed; cgroup name prefix: record, raise no alerts */
    struct hm_journal *journal;        /* borrowed */
    struct hm_ruleset *rules;          /* borrowed; NULL: detects nothing */
    const struct hm_intel_sets *intel; /* borrowed; NULL: knows no indicators */
    const struct hm_users *users;      /* borrowed; NULL: no names */
    const struct hm_ledger *ledger;    /* copied; NULL: in memory */
    uint32_t own_pid;                  /* whose file changes are not told: our journal's */
    uint32_t monitor_pid; /* whose opening of files is not told: it hands them to be scanned */
    size_t live_max, exited_max, files_max, dirs_max; /* 0: limits.h */
    struct hm_core_ops ops;
};
struct hm_scan_result { /* slices are borrowed */
    uint64_t id, error, size, scanned, version, dev, inode, mtime_ns;
    uint32_t cut;
    struct hm_slice hits, sha256;
};
struct hm_core_counts {
    uint64_t records, malformed;
    uint64_t file_events;
    size_t live, exited;
    struct hm_table_counts table;
    struct hm_files_counts files;
    struct hm_sink_counts sink;
    struct hm_alert_counts alerts;
    struct hm_scan_counts scans;
};
struct hm_sensor_counter;

/* Owns:   *ret_core is the caller's; hm_core_free(). Errors: -EINVAL policy paths; -ENOMEM. */
int hm_core_new(const struct hm_core_options *o, struct hm_core **ret_core,
                struct hm_error *err) HM_CHECK;
void hm_core_free(struct hm_core *c);

/* One sensor record, 8-aligned. -EBADMSG: malformed, counted, nothing else happened. */
int hm_core_record(struct hm_core *c, struct hm_slice record);
/* One read() of the fanotify descriptor. Descriptors inside are closed. */
void hm_core_fanotify(struct hm_core *c, struct hm_slice events);
/* A log to follow from now on; takes fd. Errors: as hm_logs_add. */
int hm_core_log(struct hm_core *c, enum hm_log_kind kind, int fd, struct hm_slice path,
                bool from_start) HM_CHECK;
void hm_core_dir_path(struct hm_core *c, uint64_t id, struct hm_slice path);
void hm_core_image_hash(struct hm_core *c, uint64_t id, struct hm_slice sha256);
/* Names from now on; borrowed. */
void hm_core_set_users(struct hm_core *c, const struct hm_users *users);
/* Rules from now on; borrowed. The event before was matched by the old ones, the next is by these.
 * -ENOMEM: the old ones stay. */
int hm_core_set_rules(struct hm_core *c, struct hm_ruleset *rules, struct hm_slice policy) HM_CHECK;
/* Indicators from now on; borrowed. */
void hm_core_set_intel(struct hm_core *c, const struct hm_intel_sets *intel);
/* st NULL: it could not be read any more. */
void hm_core_file_stat(struct hm_core *c, uint64_t id, const struct hm_file_stat *st);
/* inspect has these YARA rules now; 0: nothing is scanned. */
void hm_core_scan_rules(struct hm_core *c, uint64_t version, uint64_t rules);
/* -EBADMSG: the bytes of the matches cannot be read; counted. */
int hm_core_scan_result(struct hm_core *c, const struct hm_scan_result *r);
/* Scan what this living process has in memory; repeated wishes within a minute are one. */
void hm_core_scan_memory(struct hm_core *c, uint64_t process_key);
/* An event that monitor made; canonical bytes. -EBADMSG: malformed, counted. */
int hm_core_event(struct hm_core *c, enum hm_lane lane, struct hm_slice canonical);
/* An event of the engine about itself (HM_CLASS_AGENT or HM_CLASS_LOSS). */
void hm_core_own_event(struct hm_core *c, enum hm_lane lane, struct hm_event *e);
/* What the engine before this one took and did not keep; first_seq: of this one's first bulk event.
 * Returns how many events that were. */
uint64_t hm_core_past(struct hm_core *c, const struct hm_ledger_past *past, uint64_t first_seq);
/* The record that comes next leaves the ring now: should we die before it is an event, it counts.
 */
void hm_core_taking(struct hm_core *c);
/* pid and start time of a living process; false: not alive or not known. */
bool hm_core_who_is(struct hm_core *c, uint64_t key, uint32_t *ret_pid, uint64_t *ret_start_ns);
/* Calls each() for every living descendant of the process, by who forked it, until it returns
 * false. */
void hm_core_tree(struct hm_core *c, uint64_t root,
                  bool (*each)(void *ctx, uint64_t key, uint32_t pid, uint64_t start_ns),
                  void *ctx);
/* Once a second: reports losses, closes batches of that age, asks again. Returns durable batches.
 */
int hm_core_tick(struct hm_core *c, const volatile struct hm_sensor_counter *counters,
                 uint32_t max_age_ms);
/* True once after an alert became durable. */
bool hm_core_alerted(struct hm_core *c);
struct hm_core_counts hm_core_counts(const struct hm_core *c);
