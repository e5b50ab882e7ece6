/* The engine's side of agent/messages.def: what monitor and uplink say, and what they are told. */
#include "agent/engine/limits.h"
#include "agent/engine/process.h"
#include "agent/messages.h"
#include "agent/sensor/calls.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>

static bool say(struct hm_engine *g, struct hm_peer *p, const struct hm_msg_desc *d,
                const void *msg)
{
    if (p->fd < 0)
        return false;
    int r = hm_outbox_put(p->out, p->fd, d, msg, NULL, 0);
    g->unsent += r < 0;
    hm_engine_watch_peer(g, p);
    return r == 0;
}

bool hm_engine_tell(struct hm_engine *g, const struct hm_msg_desc *d, const void *msg)
{
    return say(g, &g->monitor, d, msg);
}

static bool resolve_dir(void *ctx, uint64_t id, struct hm_slice fsid, struct hm_slice handle)
{
    struct hm_engine *g = ctx;
    struct hm_msg_resolve_dir m = {.id = id, .fsid = fsid, .handle = handle};
    return say(g, &g->monitor, &hm_desc_resolve_dir, &m);
}

static bool hash_image(void *ctx, uint64_t id, uint32_t pid, uint64_t dev, uint64_t inode,
                       struct hm_slice path)
{
    struct hm_engine *g = ctx;
    struct hm_msg_hash_image m = {.id = id, .pid = pid, .dev = dev, .inode = inode, .path = path};
    return say(g, &g->monitor, &hm_desc_hash_image, &m);
}

static bool stat_file(void *ctx, uint64_t id, struct hm_slice fsid, struct hm_slice handle)
{
    struct hm_engine *g = ctx;
    struct hm_msg_stat_file m = {.id = id, .fsid = fsid, .handle = handle};
    return say(g, &g->monitor, &hm_desc_stat_file, &m);
}

static bool scan_file(void *ctx, const struct hm_scan_job *j)
{
    struct hm_engine *g = ctx;
    struct hm_msg_scan_file m = {.id = j->id,
                                 /* a written file is named by its handle, as monitor sees it */
                                 .pid = j->kind == HM_SCAN_WRITTEN ? 0 : j->pid,
                                 .dev = j->key.dev,
                                 .inode = j->key.inode,
                                 .path = j->path,
                                 .fsid = j->target.fsid,
                                 .handle = j->target.handle};
    return say(g, &g->monitor, &hm_desc_scan_file, &m);
}

static bool scan_memory(void *ctx, const struct hm_scan_job *j)
{
    struct hm_engine *g = ctx;
    struct hm_msg_scan_memory m = {.id = j->id, .pid = j->pid, .start_ns = j->start_ns};
    return say(g, &g->monitor, &hm_desc_scan_memory, &m);
}

struct hm_core_ops hm_engine_ops(struct hm_engine *g)
{
    return (struct hm_core_ops){.resolve_dir = resolve_dir,
                                .hash_image = hash_image,
                                .stat_file = stat_file,
                                .scan_file = scan_file,
                                .scan_memory = scan_memory,
                                .ctx = g};
}

void hm_engine_say_durable(struct hm_engine *g)
{
    struct hm_msg_durable m = {.epoch = hm_journal_epoch(g->journal),
                               .bulk = hm_journal_durable(g->journal, HM_LANE_BULK),
                               .alert = hm_journal_durable(g->journal, HM_LANE_ALERT)};
    /* One that waits is enough: the next tick says the rest. */
    if (g->uplink.fd >= 0 && hm_outbox_count(g->uplink.out) == 0)
        (void)say(g, &g->uplink, &hm_desc_durable, &m);
}

void hm_engine_say_calls(struct hm_engine *g)
{
    struct hm_msg_watch_calls m = {0};
    for (uint32_t i = 0; g->rules && i < hm_rare_count; i++)
        if (hm_ruleset_wants_call(g->rules, hm_rare_name(i)))
            m.calls |= UINT64_C(1) << i;
    (void)say(g, &g->monitor, &hm_desc_watch_calls, &m);
}

void hm_engine_set_uplink(struct hm_engine *g, int fd)
{
    if (g->uplink.fd >= 0)
        close(g->uplink.fd);
    hm_outbox_free(g->uplink.out);
    g->uplink = (struct hm_peer){.fd = fd, .out = hm_outbox_new(HM_OUTBOX_MAX, HM_OUTBOX_BYTES)};
    if (fd >= 0 && !g->uplink.out) {
        close(fd);
        g->uplink.fd = -1;
    }
    if (g->uplink.fd < 0)
        return;
    hm_engine_watch_peer(g, &g->uplink);
    hm_engine_say_durable(g);
}

/* ---- from monitor
 * ------------------------------------------------------------------------------*/

struct answer {
    struct hm_engine *g;
    struct hm_msg_know_process last; /* held back until it is clear whether another follows */
};

static bool one_more(void *ctx, uint64_t key, uint32_t pid, uint64_t start_ns)
{
    struct answer *a = ctx;
    a->last.more = 1;
    if (!say(a->g, &a->g->monitor, &hm_desc_know_process, &a->last))
        return false;
    a->last = (struct hm_msg_know_process){
        .id = a->last.id, .process_key = key, .pid = pid, .start_ns = start_ns};
    return true;
}

static int on_who_is(struct hm_engine *g, struct hm_slice payload)
{
    struct hm_msg_who_is q;
    int r = hm_msg_decode(&hm_desc_who_is, payload, &q);
    if (r < 0)
        return r;
    struct answer a = {.g = g, .last = {.id = q.id, .process_key = q.process_key}};
    uint32_t pid;
    uint64_t start_ns;
    if (hm_core_who_is(g->core, q.process_key, &pid, &start_ns)) {
        a.last.pid = pid;
        a.last.start_ns = start_ns;
    }
    if (q.tree)
        hm_core_tree(g->core, q.process_key, one_more, &a);
    a.last.more = 0;
    (void)say(g, &g->monitor, &hm_desc_know_process, &a.last);
    return 0;
}

static int on_record(struct hm_engine *g, struct hm_slice payload)
{
    struct hm_msg_record m;
    int r = hm_msg_decode(&hm_desc_record, payload, &m);
    if (r < 0)
        return r;
    /* Inside a message the record stands anywhere; the checker wants it where a ring puts it. */
    hm_autofree uint8_t *aligned =
        m.data.len ? aligned_alloc(8, (m.data.len + 7) & ~(size_t)7) : NULL;
    if (!aligned)
        return 0;
    memcpy(aligned, m.data.p, m.data.len);
    (void)hm_core_record(g->core, hm_slice(aligned, m.data.len)); /* malformed: counted there */
    return 0;
}

static int on_event(struct hm_engine *g, struct hm_slice payload)
{
    struct hm_msg_journal_event m;
    int r = hm_msg_decode(&hm_desc_journal_event, payload, &m);
    if (r == 0 && hm_core_event(g->core, (enum hm_lane)m.lane, m.event) < 0)
        hm_warn("monitor sent an event that cannot be read; it is counted as lost");
    return r;
}

static int on_dir_path(struct hm_engine *g, struct hm_slice payload)
{
    struct hm_msg_dir_path m;
    int r = hm_msg_decode(&hm_desc_dir_path, payload, &m);
    if (r == 0)
        hm_core_dir_path(g->core, m.id, m.path);
    return r;
}

static int on_image_hash(struct hm_engine *g, struct hm_slice payload)
{
    struct hm_msg_image_hash m;
    int r = hm_msg_decode(&hm_desc_image_hash, payload, &m);
    if (r == 0)
        hm_core_image_hash(g->core, m.id, m.sha256);
    return r;
}

static int on_file_stat(struct hm_engine *g, struct hm_slice payload)
{
    struct hm_msg_file_stat m;
    int r = hm_msg_decode(&hm_desc_file_stat, payload, &m);
    if (r < 0)
        return r;
    struct hm_file_stat st = {m.mode, m.owner, m.size, m.inode, m.dev};
    hm_core_file_stat(g->core, m.id, m.found ? &st : NULL);
    return 0;
}

static int on_scan_rules(struct hm_engine *g, struct hm_slice payload)
{
    struct hm_msg_scan_rules m;
    int r = hm_msg_decode(&hm_desc_scan_rules, payload, &m);
    if (r == 0)
        hm_core_scan_rules(g->core, m.version, m.rules);
    return r;
}

static int on_scan_result(struct hm_engine *g, struct hm_slice payload)
{
    struct hm_msg_scan_result m;
    int r = hm_msg_decode(&hm_desc_scan_result, payload, &m);
    if (r < 0)
        return r;
    struct hm_scan_result a = {m.id,    m.error,    m.size,          m.scanned, m.version, m.dev,
                               m.inode, m.mtime_ns, (uint32_t)m.cut, m.hits,    m.sha256};
    if (hm_core_scan_result(g->core, &a) < 0)
        hm_warn("a scan's matches cannot be read; that is counted");
    return 0;
}

/* The old names are let go of after the new ones are there: an unreadable file changes nothing. */
static int on_users(struct hm_engine *g, const struct hm_ipc_msg *m)
{
    struct hm_msg_users u;
    struct hm_users *fresh = NULL;
    int r = hm_msg_decode(&hm_desc_users, m->payload, &u);
    if (r < 0 || m->fd_count != 1)
        return -EBADMSG;
    if (hm_users_read(m->fds[0], &fresh) < 0)
        return 0;
    hm_core_set_users(g->core, fresh);
    hm_users_free(g->users);
    g->users = fresh;
    return 0;
}

static int on_content(struct hm_engine *g, struct hm_ipc_msg *m)
{
    struct hm_msg_content_load q;
    if (hm_msg_decode(&hm_desc_content_load, m->payload, &q) < 0 || m->fd_count != 1)
        return -EBADMSG;
    m->fd_count = 0;
    return hm_engine_reload(g, q.version, m->fds[0]);
}

static int on_log_source(struct hm_engine *g, struct hm_ipc_msg *m)
{
    struct hm_msg_log_source s;
    if (m->fd_count != 1 || hm_msg_decode(&hm_desc_log_source, m->payload, &s) < 0)
        return -EBADMSG;
    m->fd_count = 0;
    int r = hm_core_log(g->core, (enum hm_log_kind)s.kind, m->fds[0], s.path, s.from_start == 1);
    if (r < 0)
        hm_warn("log %.*s is not followed: %s", (int)s.path.len, (const char *)s.path.p,
                strerror(-r));
    return 0;
}

static int on_beat(struct hm_engine *g, struct hm_slice payload)
{
    struct hm_msg_beat m;
    int r = hm_msg_decode(&hm_desc_beat, payload, &m);
    if (r == 0)
        (void)say(g, &g->monitor, &hm_desc_beat, &m);
    return r;
}

static int on_monitor(struct hm_engine *g, struct hm_ipc_msg *m)
{
    switch (m->number) {
    case HM_MSG_RECORD:
        return on_record(g, m->payload);
    case HM_MSG_JOURNAL_EVENT:
        return on_event(g, m->payload);
    case HM_MSG_DIR_PATH:
        return on_dir_path(g, m->payload);
    case HM_MSG_IMAGE_HASH:
        return on_image_hash(g, m->payload);
    case HM_MSG_USERS:
        return on_users(g, m);
    case HM_MSG_LOG_SOURCE:
        return on_log_source(g, m);
    case HM_MSG_FILE_STAT:
        return on_file_stat(g, m->payload);
    case HM_MSG_SCAN_RULES:
        return on_scan_rules(g, m->payload);
    case HM_MSG_SCAN_RESULT:
        return on_scan_result(g, m->payload);
    case HM_MSG_WHO_IS:
        return on_who_is(g, m->payload);
    case HM_MSG_BEAT:
        return on_beat(g, m->payload);
    case HM_MSG_CONTENT_LOAD:
        return on_content(g, m);
    case HM_MSG_NEW_UPLINK:
        if (m->fd_count != 1)
            return -EBADMSG;
        hm_engine_set_uplink(g, m->fds[0]);
        m->fd_count = 0;
        return 0;
    default:
        return -EBADMSG;
    }
}

/* ---- from uplink
 * -------------------------------------------------------------------------------*/

static void new_epoch(struct hm_engine *g)
{
    struct hm_event e;
    if (hm_journal_new_epoch(g->journal) < 0) {
        hm_err("cannot begin a new journal epoch; trying again when asked again");
        return;
    }
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_AGENT);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_AGENT_EPOCH);
    hm_event_set(&e, HM_F_AGENT_PROCESS, hm_slice_str("engine"));
    hm_event_set(&e, HM_F_AGENT_DETAIL,
                 hm_slice_str("the server saw a fork of this journal: a clone or an older state"));
    hm_core_own_event(g->core, HM_LANE_ALERT, &e);
    hm_engine_say_durable(g);
}

static int on_uplink(struct hm_engine *g, struct hm_ipc_msg *m)
{
    struct hm_msg_acked a;
    struct hm_msg_forked f;
    int r;
    switch (m->number) {
    case HM_MSG_ACKED:
        r = hm_msg_decode(&hm_desc_acked, m->payload, &a);
        if (r == 0 && a.lane < HM_LANE_COUNT && a.epoch == hm_journal_epoch(g->journal))
            hm_journal_acked(g->journal, (enum hm_lane)a.lane, a.next);
        return r;
    case HM_MSG_FORKED:
        r = hm_msg_decode(&hm_desc_forked, m->payload, &f);
        if (r == 0 && f.epoch == hm_journal_epoch(g->journal))
            new_epoch(g);
        return r;
    default:
        return -EBADMSG;
    }
}

/* A burst from one peer must not starve the ring: the loop comes back for the rest. */
#define BURST 64

static int hear(struct hm_engine *g, int fd, int (*on)(struct hm_engine *g, struct hm_ipc_msg *m))
{
    struct hm_ipc_msg m;
    for (int i = 0; i < BURST; i++) {
        int r = hm_ipc_recv(fd, &g->in, &m);
        if (r <= 0)
            return r;
        r = on(g, &m);
        for (int f = 0; f < m.fd_count; f++)
            close(m.fds[f]);
        if (r < 0)
            return r;
    }
    return 0;
}

int hm_engine_hear_monitor(struct hm_engine *g)
{
    return hear(g, g->monitor.fd, on_monitor);
}

int hm_engine_hear_uplink(struct hm_engine *g)
{
    return hear(g, g->uplink.fd, on_uplink);
}
