/* The inside of the core, shared by core.c and the decode files only. */
#pragma once
#include "agent/engine/context.h"
#include "agent/engine/core.h"
#include "agent/engine/costs.h"
#include "agent/engine/limits.h"
#include "agent/engine/logs.h"
#include "agent/engine/loss.h"
#include "agent/engine/sequence.h"
#include "agent/sensor/limits.h"
#include "agent/sensor/record.h"

struct hm_core {
    struct hm_core_ops ops;
    struct hm_alert_origin origin;
    struct hm_journal *journal;
    char leave[64]; /* cgroup name prefix whose alerts another agent raises */
    uint32_t own_pid, monitor_pid;
    uint64_t records, malformed, file_events, overflows;
    const struct hm_users *users;
    struct hm_ruleset *rules;
    struct hm_match_scratch *scratch;
    const struct hm_intel_sets *intel; /* NULL: none */
    struct hm_sequence *sequence;
    uint32_t hits[HM_HITS_MAX]; /* of the event under way */
    struct hm_table *table;
    struct hm_policy *policy;
    struct hm_dirs *dirs;
    struct hm_files *files;
    struct hm_hashes *hashes;
    struct hm_stats *stats;
    struct hm_logs *logs;
    struct hm_dns_names *names; /* of addresses */
    uint64_t malformed_dns;
    struct hm_alerts *alerts;
    struct hm_context *context;
    struct hm_costs *costs;
    struct hm_scans *scans;
    struct hm_sink *sink;
    struct hm_ledger ledger;
    struct hm_loss loss;
    /* the match under way, for its callback */
    const struct hm_event *hit_event;
    uint64_t hit_process;
    struct hm_event event;                /* the one being made */
    uint8_t args[HM_SENSOR_ARGS_MAX + 1]; /* joined arguments of the exec being decoded */
    uint8_t env[HM_SENSOR_ENV_MAX + 1];
    struct hm_buf arg_lengths; /* process.arg_lengths of the same exec */
};

/* core.c: journal the event and let the rules see it. process: its key, 0 unknown. */
void hm_core_emit(struct hm_core *c, struct hm_event *e, uint64_t process);
/* core.c: a rule matched e, which that process did (0: unknown): an alert, unless it is another
 * agent's to raise. */
void hm_core_raise(struct hm_core *c, const struct hm_rule *rule, const struct hm_event *e,
                   uint64_t process);
/* Begin c->event. */
struct hm_event *hm_core_begin(struct hm_core *c, uint64_t class, uint64_t action,
                               uint64_t boot_ns);

/* decode_process.c: find or add the process of a record and bring its ids up to date. NULL: the
 * record names nobody. */
struct hm_process *hm_decode_actor(struct hm_core *c, const struct hm_rec_header *h);
void hm_decode_exec(struct hm_core *c, const struct hm_rec_exec *r); /* exec and snapshot */
void hm_decode_fork(struct hm_core *c, const struct hm_rec_fork *r);
void hm_decode_exit(struct hm_core *c, const struct hm_rec_exit *r);
/* Tell all who waited for the hash of their executable. */
void hm_decode_hashed(struct hm_core *c, const struct hm_hash_answer *a);
/* decode_log.c: a hm_logs_new() callback, ctx is the core */
void hm_decode_log(void *ctx, const struct hm_log_line *l);
/* decode_dns.c */
void hm_decode_dns(struct hm_core *c, const struct hm_rec_dns *r);
/* decode_call.c */
void hm_decode_call(struct hm_core *c, const struct hm_rec_call *r);
/* decode_net.c */
void hm_decode_net(struct hm_core *c, const struct hm_rec_net *r);
