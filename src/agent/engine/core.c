/* See core.h. Begins and ends everything; the work is in the parts. */
#include "agent/engine/core.h"
#include "agent/engine/dns.h"
#include "agent/engine/intel.h"
#include "agent/engine/malware.h"
#include "agent/engine/parts.h"
#include "agent/engine/tree.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <unistd.h>

static bool ask_dir(void *ctx, const struct hm_dir *dir)
{
    struct hm_core *c = ctx;
    return c->ops.resolve_dir &&
           c->ops.resolve_dir(c->ops.ctx, dir->id, hm_slice(dir->fsid, 8), dir->handle);
}

static void add_stat(struct hm_event *e, const struct hm_file_stat *st)
{
    hm_event_set_u64(e, HM_F_FILE_MODE, st->mode);
    hm_event_set_u64(e, HM_F_FILE_OWNER_ID, st->owner);
    hm_event_set_u64(e, HM_F_FILE_SIZE, st->size);
    hm_event_set_u64(e, HM_F_FILE_INODE, st->inode);
    hm_event_set_u64(e, HM_F_FILE_DEV, st->dev);
}

static bool makes_content(uint32_t action);
static void match_late(struct hm_core *c, const struct hm_file_change *f);

static void tell_file(struct hm_core *c, const struct hm_file_change *f,
                      const struct hm_file_stat *st)
{
    struct hm_process *p = hm_table_get(c->table, f->process_key);
    struct hm_event *e = hm_core_begin(c, HM_CLASS_FILE, f->action, f->boot_ns);
    if (p)
        hm_enrich_actor(e, p, hm_table_get(c->table, p->parent_key), c->users);
    else
        hm_event_set_u64(e, HM_F_PROCESS_PID, f->pid);
    hm_event_set(e, HM_F_FILE_PATH, f->path);
    if (f->source.len)
        hm_event_set(e, HM_F_FILE_SOURCE_PATH, f->source);
    if (st)
        add_stat(e, st);
    c->file_events++;
    hm_core_emit(c, e, f->process_key);
    if (!makes_content(f->action))
        return;
    if (f->action != HM_ACTION_FILE_CREATE)
        hm_scans_written(c->scans, &f->target, f->path, f->process_key, f->pid, f->boot_ns);
    hm_context_wrote(c->context, c->table, hm_table_get(c->table, f->process_key), f->path,
                     f->boot_ns);
    match_late(c, f);
}

/* True: it will be told when monitor has said what the mode is now. */
static bool wait_for_stat(struct hm_core *c, const struct hm_file_change *f)
{
    if (f->action != HM_ACTION_FILE_ATTRIB || !f->target.handle.len || !c->ops.stat_file)
        return false;
    uint64_t id = hm_stats_hold(c->stats, f);
    if (id && c->ops.stat_file(c->ops.ctx, id, f->target.fsid, f->target.handle))
        return true;
    hm_stats_release(c->stats, id);
    return false;
}

static void emit_file(void *ctx, const struct hm_file_change *f)
{
    struct hm_core *c = ctx;
    if (!wait_for_stat(c, f))
        tell_file(c, f, NULL);
}

void hm_core_file_stat(struct hm_core *c, uint64_t id, const struct hm_file_stat *st)
{
    const struct hm_file_change *f = hm_stats_take(c->stats, id);
    if (!f)
        return;
    tell_file(c, f, st);
    hm_stats_release(c->stats, id);
}

void hm_core_set_users(struct hm_core *c, const struct hm_users *users)
{
    c->users = users;
}

/* A policy that cannot be read must not stop detection: it is said, and the defaults hold. */
static int begin_costs(struct hm_core *c, struct hm_slice policy)
{
    struct hm_error err = {0};
    int r = hm_costs_begin(c->costs, c->rules, policy, c->sink, &err);
    if (r == -EINVAL)
        hm_warn("line %u: %s", err.line, err.text);
    return r == -EINVAL ? 0 : r;
}

int hm_core_set_rules(struct hm_core *c, struct hm_ruleset *rules, struct hm_slice policy)
{
    struct hm_match_scratch *scratch = hm_match_scratch_new(rules);
    if (!scratch || hm_sequence_swap(c->sequence, rules) < 0) {
        hm_match_scratch_free(scratch);
        return -ENOMEM;
    }
    hm_match_scratch_free(c->scratch);
    c->scratch = scratch;
    c->rules = rules;
    return begin_costs(c, policy);
}

static void tell_stale(struct hm_core *c, uint64_t boot_ns)
{
    uint64_t id;
    while (hm_stats_stale(c->stats, boot_ns, &id))
        hm_core_file_stat(c, id, NULL);
}

static size_t or_default(size_t v, size_t d)
{
    return v ? v : d;
}

static bool make_parts(struct hm_core *c, const struct hm_core_options *o)
{
    struct hm_files_ops ops = {.ask = ask_dir, .emit = emit_file, .ctx = c};
    c->table = hm_table_new(or_default(o->live_max, HM_TABLE_LIVE_MAX),
                            or_default(o->exited_max, HM_TABLE_EXITED_MAX), HM_TABLE_STRING_BYTES);
    c->dirs = hm_dirs_new(or_default(o->dirs_max, HM_DIRS_MAX), c->policy);
    c->files =
        c->dirs ? hm_files_new(c->dirs, or_default(o->files_max, HM_FILE_WAITING_MAX), &ops) : NULL;
    c->hashes = hm_hashes_new(HM_HASHES_MAX, HM_HASHES_ASKED_MAX);
    c->stats = hm_stats_new(HM_STATS_MAX);
    c->alerts = hm_alerts_new();
    c->logs = hm_logs_new(hm_decode_log, c);
    c->names = hm_dns_names_new();
    c->context = hm_context_new();
    c->costs = hm_costs_new();
    c->scans = hm_scans_new(&(struct hm_scan_ops){
        .file = c->ops.scan_file, .memory = c->ops.scan_memory, .ctx = c->ops.ctx});
    c->sink = hm_sink_new(o->journal, &c->ledger);
    c->scratch = c->rules ? hm_match_scratch_new(c->rules) : NULL;
    c->sequence = hm_sequence_new(c->rules);
    return c->table && c->dirs && c->files && c->hashes && c->stats && c->logs && c->names &&
           c->alerts && c->context && c->costs && c->scans && c->sink && c->sequence &&
           (!c->rules || c->scratch);
}

int hm_core_new(const struct hm_core_options *o, struct hm_core **ret_core, struct hm_error *err)
{
    struct hm_core *c = calloc(1, sizeof *c);
    if (!c)
        return hm_fail(err, -ENOMEM, "out of memory");
    c->ops = o->ops;
    c->arg_lengths = HM_BUF(HM_SENSOR_ARGS_MAX + 1);
    memcpy(c->origin.endpoint, o->endpoint, sizeof c->origin.endpoint);
    c->origin.boot = o->boot;
    c->journal = o->journal;
    c->users = o->users;
    c->rules = o->rules;
    c->intel = o->intel;
    c->own_pid = o->own_pid;
    c->monitor_pid = o->monitor_pid;
    int r = o->leave.len < sizeof c->leave
                ? hm_policy_new(o->policy_paths, &c->policy, err)
                : hm_fail(err, -EINVAL, "the cgroup prefix to leave is too long");
    if (r == 0 && o->leave.len)
        memcpy(c->leave, o->leave.p, o->leave.len);
    if (r == 0 && !make_parts(c, o))
        r = hm_fail(err, -ENOMEM, "out of memory");
    if (r < 0) {
        hm_core_free(c);
        return r;
    }
    if (o->ledger)
        c->ledger = *o->ledger;
    if (c->rules && begin_costs(c, (struct hm_slice){0}) < 0) {
        hm_core_free(c);
        return hm_fail(err, -ENOMEM, "out of memory");
    }
    hm_loss_init(&c->loss, &c->ledger, hm_clock_boot_ns());
    *ret_core = c;
    return 0;
}

void hm_core_free(struct hm_core *c)
{
    if (!c)
        return;
    hm_sink_free(c->sink);
    hm_alerts_free(c->alerts);
    hm_context_free(c->context);
    hm_costs_free(c->costs);
    hm_sequence_free(c->sequence);
    hm_scans_free(c->scans);
    hm_hashes_free(c->hashes);
    hm_stats_free(c->stats);
    hm_logs_free(c->logs);
    hm_dns_names_free(c->names);
    hm_files_free(c->files);
    hm_dirs_free(c->dirs);
    hm_policy_free(c->policy);
    hm_table_free(c->table);
    hm_match_scratch_free(c->scratch);
    hm_buf_done(&c->arg_lengths);
    free(c);
}

struct hm_event *hm_core_begin(struct hm_core *c, uint64_t class, uint64_t action, uint64_t boot_ns)
{
    struct hm_event *e = &c->event;
    hm_event_clear(e);
    hm_event_set_u64(e, HM_F_CLASS, class);
    hm_event_set_u64(e, HM_F_ACTION, action);
    hm_event_set_u64(e, HM_F_BOOT_NS, boot_ns);
    return e;
}

static void raise_alert(struct hm_core *c, const struct hm_rule *rule, const struct hm_event *e,
                        uint64_t process, const struct hm_alert_before *before)
{
    struct hm_process *p = hm_table_get(c->table, process);
    if (p && p->left)
        return; /* recorded, like everything; its own agent raises the alert */
    c->origin.epoch = hm_journal_epoch(c->journal);
    hm_alerts_raise(c->alerts, c->sink, &c->origin, c->table, c->users, rule, e, p, before);
}

void hm_core_raise(struct hm_core *c, const struct hm_rule *rule, const struct hm_event *e,
                   uint64_t process)
{
    raise_alert(c, rule, e, process, NULL);
}

static void correlated(void *ctx, const struct hm_sequence_hit *h)
{
    struct hm_core *c = ctx;
    struct hm_alert_before before = {h->events, h->event_count};
    raise_alert(c, h->rule, c->hit_event, c->hit_process, &before);
}

/* The event was journalled as it was; what rules may ask beyond it is added for them alone.
 * Returns how many rules matched; they are in c->hits. */
static size_t match(struct hm_core *c, struct hm_event *e, uint64_t process)
{
    const uint32_t *rules;
    struct hm_process *p = hm_table_get(c->table, process);
    if (p)
        hm_context_fill(c->context, c->table, p, e);
    c->hit_event = e;
    c->hit_process = process;
    size_t n = hm_ruleset_match_event(c->rules, c->scratch, e, &rules);
    n = n < HM_ARRAY_LEN(c->hits) ? n : HM_ARRAY_LEN(c->hits);
    memcpy(c->hits, rules, n * sizeof *rules);
    for (size_t i = 0; i < n; i++) {
        const struct hm_rule *rule = hm_ruleset_rule(c->rules, c->hits[i]);
        if (hm_ruleset_silent(c->rules, c->hits[i]))
            continue;
        hm_core_raise(c, rule, e, process);
        if (rule->scan_memory)
            hm_core_scan_memory(c, process);
    }
    return n;
}

/* A write was told after the exec that it made possible: the rules see that exec again, now knowing
 * who wrote the program. Nothing is journalled twice; a rule that fired already stays quiet, and a
 * correlation counts the exec once, as it was first seen. */
static void match_late(struct hm_core *c, const struct hm_file_change *f)
{
    struct hm_process *p = hm_table_get(c->table, hm_context_late(c->context, f->path, f->boot_ns));
    if (!p || !c->rules)
        return;
    struct hm_event *e = hm_core_begin(c, HM_CLASS_PROCESS, HM_ACTION_PROCESS_EXEC, p->exec_ns);
    hm_enrich_process(e, p, hm_table_get(c->table, p->parent_key), c->users);
    (void)match(c, e, p->key);
}

static bool makes_content(uint32_t action)
{
    return action == HM_ACTION_FILE_CREATE || action == HM_ACTION_FILE_WRITE ||
           action == HM_ACTION_FILE_RENAME;
}

void hm_core_emit(struct hm_core *c, struct hm_event *e, uint64_t process)
{
    /* First the journal, so that an alert can name the event's seq; a full journal stops no rule.
     */
    hm_sink_put(c->sink, HM_LANE_BULK, e);
    hm_intel_look(c, e, process);
    if (!c->rules)
        return;
    size_t hits = match(c, e, process);
    if (hits)
        hm_sequence_event(c->sequence, e, c->hits, hits, correlated, c);
}

static void decode(struct hm_core *c, const struct hm_rec_header *h)
{
    switch (h->type) {
    case HM_REC_EXEC:
    case HM_REC_SNAPSHOT:
        hm_decode_exec(c, (const struct hm_rec_exec *)h);
        break;
    case HM_REC_FORK:
        hm_decode_fork(c, (const struct hm_rec_fork *)h);
        break;
    case HM_REC_EXIT:
        hm_decode_exit(c, (const struct hm_rec_exit *)h);
        break;
    case HM_REC_DNS:
        hm_decode_dns(c, (const struct hm_rec_dns *)h);
        break;
    case HM_REC_CALL:
        hm_decode_call(c, (const struct hm_rec_call *)h);
        break;
    default:
        hm_decode_net(c, (const struct hm_rec_net *)h);
    }
}

void hm_core_taking(struct hm_core *c)
{
    struct hm_ledger_page *page = hm_ledger_page(&c->ledger);
    /* In this order for whoever maps the page after our death. */
    __atomic_store_n(&page->busy, page->next_seq + 1, __ATOMIC_RELEASE);
}

int hm_core_record(struct hm_core *c, struct hm_slice record)
{
    c->records++;
    int r = hm_record_check(record);
    if (r < 0)
        c->malformed++;
    else
        decode(c, (const void *)record.p);
    __atomic_store_n(&hm_ledger_page(&c->ledger)->busy, 0, __ATOMIC_RELEASE);
    return r;
}

static void one_file_event(struct hm_core *c, const struct hm_fan_event *e)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(e->fds); i++)
        if (e->fds[i] >= 0)
            close(e->fds[i]);
    if (e->overflow) {
        c->overflows++;
        return;
    }
    if (c->own_pid && e->pid == c->own_pid)
        return;
    /* monitor opens what is scanned; what it changes is told like anybody's change */
    if (c->monitor_pid && e->pid == c->monitor_pid && !(e->mask & ~(uint64_t)FAN_OPEN))
        return;
    const struct hm_process *p = hm_table_by_pid(c->table, e->pid);
    hm_files_add(c->files, e, p ? p->key : 0, hm_clock_boot_ns());
}

void hm_core_fanotify(struct hm_core *c, struct hm_slice events)
{
    struct hm_cursor in = hm_cursor(events);
    struct hm_fan_event e;
    int r;
    while ((r = hm_fan_next(&in, &e)) == 1)
        one_file_event(c, &e);
    c->malformed += r < 0;
}

int hm_core_log(struct hm_core *c, enum hm_log_kind kind, int fd, struct hm_slice path,
                bool from_start)
{
    return hm_logs_add(c->logs, kind, fd, path, from_start);
}

void hm_core_dir_path(struct hm_core *c, uint64_t id, struct hm_slice path)
{
    hm_files_answer(c->files, id, path);
}

void hm_core_image_hash(struct hm_core *c, uint64_t id, struct hm_slice sha256)
{
    struct hm_hash_answer a;
    if (hm_hashes_answer(c->hashes, id, sha256, &a) == 1)
        hm_decode_hashed(c, &a);
}

void hm_core_scan_rules(struct hm_core *c, uint64_t version, uint64_t rules)
{
    hm_scans_rules(c->scans, version, rules);
}

int hm_core_scan_result(struct hm_core *c, const struct hm_scan_result *r)
{
    int e = hm_malware_result(c, r);
    c->malformed += e < 0;
    return e;
}

void hm_core_scan_memory(struct hm_core *c, uint64_t process_key)
{
    const struct hm_process *p = hm_table_get(c->table, process_key);
    if (p && !p->exit_ns)
        hm_scans_memory(c->scans, process_key, p->pid, p->start_ns, hm_clock_boot_ns());
}

int hm_core_event(struct hm_core *c, enum hm_lane lane, struct hm_slice canonical)
{
    struct hm_event *e = &c->event;
    int r = hm_event_decode(canonical, e);
    if (r < 0 || lane >= HM_LANE_COUNT) {
        c->malformed++;
        return r < 0 ? r : -EBADMSG;
    }
    hm_event_unset(e, HM_F_SEQ);
    hm_sink_put(c->sink, lane, e);
    return 0;
}

void hm_core_own_event(struct hm_core *c, enum hm_lane lane, struct hm_event *e)
{
    hm_sink_put(c->sink, lane, e);
}

uint64_t hm_core_past(struct hm_core *c, const struct hm_ledger_past *past, uint64_t first_seq)
{
    uint64_t missing = hm_ledger_missing(past, hm_journal_epoch(c->journal), first_seq);
    hm_loss_past(c->sink, missing, past, hm_clock_boot_ns());
    return missing;
}

bool hm_core_who_is(struct hm_core *c, uint64_t key, uint32_t *ret_pid, uint64_t *ret_start_ns)
{
    const struct hm_process *p = hm_table_get(c->table, key);
    if (!p || p->exit_ns)
        return false;
    *ret_pid = p->pid;
    *ret_start_ns = p->start_ns;
    return true;
}

void hm_core_tree(struct hm_core *c, uint64_t root,
                  bool (*each)(void *ctx, uint64_t key, uint32_t pid, uint64_t start_ns), void *ctx)
{
    const struct hm_process *p;
    size_t pos = 0;
    while (root && (p = hm_table_next(c->table, &pos)))
        if (hm_tree_beneath(c->table, p, root) && !each(ctx, p->key, p->pid, p->start_ns))
            return;
}

int hm_core_tick(struct hm_core *c, const volatile struct hm_sensor_counter *counters,
                 uint32_t max_age_ms)
{
    uint64_t now = hm_clock_boot_ns();
    struct hm_files_counts f = hm_files_counts(c->files);
    struct hm_loss_own own = {.overflows = c->overflows,
                              .files = f.dropped + f.unplaced,
                              .processes = hm_table_counts(c->table).evicted_live,
                              .malformed = c->malformed,
                              .scans = hm_scans_counts(c->scans)->dropped};
    hm_logs_read(c->logs);
    own.logs = hm_logs_counts(c->logs).lost;
    hm_files_tick(c->files, now);
    tell_stale(c, now);
    hm_scans_tick(c->scans, now);
    hm_costs_tick(c->costs, c->scratch, c->sink, now);
    hm_loss_report(&c->loss, c->sink, counters, &own, now);
    bool all = false;
    int durable = hm_sink_tick(c->sink, max_age_ms, &all);
    if (all && max_age_ms == 0)
        hm_ledger_page(&c->ledger)->kept_ns = now;
    return durable;
}

bool hm_core_alerted(struct hm_core *c)
{
    return hm_sink_alerted(c->sink);
}

struct hm_core_counts hm_core_counts(const struct hm_core *c)
{
    return (struct hm_core_counts){
        .records = c->records,
        .malformed = c->malformed,
        .file_events = c->file_events,
        .live = hm_table_live(c->table),
        .exited = hm_table_exited(c->table),
        .table = hm_table_counts(c->table),
        .files = hm_files_counts(c->files),
        .sink = hm_sink_counts(c->sink),
        .alerts = hm_alert_counts(c->alerts),
        .scans = *hm_scans_counts(c->scans),
    };
}
