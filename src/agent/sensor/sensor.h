/* The kernel sensor as monitor sees it: load by trying, attach, hand out descriptors, report what
 * is active and what is therefore not seen. Needs root. Knows nothing of events, rules or journals.
 * The consumer's side is record.h and ring.h, which need neither libbpf nor privilege. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"

struct hm_sensor;

struct hm_sensor_options {
    int scope_cgroup_fd; /* cgroup v2 directory: only processes beneath it are seen; -1: all */
    uint32_t ring_bytes; /* 0: default of limits.h; power of two */
    uint32_t args_ring_bytes;
    bool no_attach; /* probe only: load, report, attach nothing */
    bool no_tier2;  /* take tier 1 programs even where tier 2 loads (tests, benches) */
};

/* Load and attach the best programs this kernel takes.
 * Owns:    *ret_sensor is the caller's; hm_sensor_close() detaches everything.
 * Errors:  -EPERM without privilege; -ENOTSUP when not even tier 1's exec loads (err says why); a
 *          part that does not load is no error: the report says so. */
int hm_sensor_open(const struct hm_sensor_options *o, struct hm_sensor **ret_sensor,
                   struct hm_error *err) HM_CHECK;
void hm_sensor_close(struct hm_sensor *s);

/* Borrowed descriptors; pass copies to the engine. */
int hm_sensor_ring_fd(const struct hm_sensor *s);
int hm_sensor_args_ring_fd(const struct hm_sensor *s);
int hm_sensor_counters_fd(
    const struct hm_sensor *s); /* frozen: mmap for reading works, nobody can write */
int hm_sensor_tier(const struct hm_sensor *s); /* 1 or 2; 3: no BTF (only without a sensor) */

/* Watch exactly these rare system calls (bit i: place i of calls.def); what is watched already
 * stays as it is. Returns the bits that are watched now: fewer where a tracepoint does not work. */
uint32_t hm_sensor_watch_calls(struct hm_sensor *s, uint32_t wanted);

/* Add to the lost counters what the kernel skipped by itself (a program that would have interrupted
 * itself). Call it every second or so; the engine finds it with the other losses. */
void hm_sensor_count_missed(struct hm_sensor *s);

/* Every process that runs now (in scope), as HM_REC_SNAPSHOT records: kernel identity from a BPF
 * task iterator, strings from /proc checked against the same start time. monitor sends them to the
 * engine as RECORD messages.
 * Errors: the callback's first non-zero result stops and is returned. */
typedef int (*hm_sensor_record_fn)(void *arg, struct hm_slice record);
int hm_sensor_snapshot(struct hm_sensor *s, hm_sensor_record_fn fn, void *arg,
                       struct hm_error *err) HM_CHECK;
/* What was probed, what is active, what is not seen:
 * {"tier":1,"kernel":"6.1…","active":[{"name":"exec","how":"tp_btf/sched_process_exec","detail":"…"}],
 *  "probed":[{"name":"lsm","loads":false,"error":"EPERM"}],"blind":["…"],"blind_ja":["…"]} */
struct hm_sensor_beside { /* what the caller sees by other means */
    bool files;           /* its fanotify marks stand */
    bool audit, journal;  /* records of the kernel's audit system, the systemd journal */
    size_t logs;          /* log files that are followed */
};
void hm_sensor_report_json(const struct hm_sensor *s, const struct hm_sensor_beside *beside,
                           struct hm_buf *out);

/* `hinomi-agent sensors [--json]`. Returns the exit code. */
int hm_sensors_command(int argc, char **argv);
