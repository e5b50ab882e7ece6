/* `hinomi-agent -p engine`: from the start message to the loop. What needs privilege is opened
 * first, then the process drops and confines itself, and only then does it read rules, the old
 * journal or a single record. */
#include "agent/engine/limits.h"
#include "agent/engine/process.h"
#include "agent/messages.h"
#include "agent/roles.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#define START_WAIT_MS 30000

static int wait_start(struct hm_engine *g, struct hm_ipc_msg *m, struct hm_msg_engine_start *ret,
                      struct hm_error *err)
{
    struct pollfd p = {.fd = g->monitor.fd, .events = POLLIN};
    if (poll(&p, 1, START_WAIT_MS) != 1)
        return hm_fail(err, -ETIMEDOUT, "no start message");
    int r = hm_ipc_recv(g->monitor.fd, &g->in, m);
    if (r != 1)
        return hm_fail(err, r < 0 ? r : -EAGAIN, "start message: %s",
                       strerror(r < 0 ? -r : EAGAIN));
    if (m->number != HM_MSG_ENGINE_START ||
        hm_msg_decode(&hm_desc_engine_start, m->payload, ret) < 0)
        return hm_fail(err, -EBADMSG, "the first message is no start");
    return 0;
}

/* Bit i of the mask: descriptor i of the list is among those that came, in order. */
static int place_fds(struct hm_engine *g, struct hm_ipc_msg *m, uint64_t mask, struct hm_error *err)
{
    int next = 0;
    for (int i = 0; i < HM_ENGINE_FDS; i++)
        if (mask >> i & 1 && next < m->fd_count)
            g->fds[i] = m->fds[next++];
    bool good =
        next == m->fd_count && mask >> HM_ENGINE_FDS == 0 && __builtin_popcountll(mask) == next;
    if (!good || g->fds[HM_ENGINE_JOURNAL] < 0 || g->fds[HM_ENGINE_RULES] < 0)
        return hm_fail(err, -EBADMSG, "start message has %d descriptors for mask %#llx",
                       m->fd_count, (unsigned long long)mask);
    return 0;
}

static int open_rings(struct hm_engine *g, struct hm_error *err)
{
    int r = 0;
    if (g->fds[HM_ENGINE_RING] >= 0)
        r = hm_ring_open(g->fds[HM_ENGINE_RING], &g->ring, err);
    if (r == 0 && g->fds[HM_ENGINE_ARGS_RING] >= 0)
        r = hm_ring_open(g->fds[HM_ENGINE_ARGS_RING], &g->args_ring, err);
    if (r < 0)
        return r;
    if (g->fds[HM_ENGINE_COUNTERS] >= 0 &&
        !(g->counters = hm_counters_map(g->fds[HM_ENGINE_COUNTERS])))
        return hm_fail(err, -errno, "counters map: %s", strerror(errno));
    return 0;
}

/* The kernel's number of the counters map: another one means another sensor, counting from zero. */
static uint64_t sensor_instance(int fd)
{
    char path[64], line[128];
    unsigned long id = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *f = fd >= 0 ? fopen(path, "re") : NULL;
    while (f && fgets(line, sizeof line, f))
        sscanf(line, "map_id: %lu", &id);
    if (f)
        fclose(f);
    return id;
}

static int confine(struct hm_engine *g, struct hm_error *err)
{
    const struct hm_sandbox_path paths[] = {{g->fds[HM_ENGINE_JOURNAL], true},
                                            {g->fds[HM_ENGINE_RULES], false},
                                            {g->fds[HM_ENGINE_CONTENT], false}};
    size_t n = g->fds[HM_ENGINE_CONTENT] >= 0 ? 3 : 2;
    int abi = 0;
    /* The journal is opened by the names beneath it: its folder becomes ours before we lose /. */
    if (fchdir(g->fds[HM_ENGINE_JOURNAL]) < 0)
        return hm_fail(err, -errno, "journal folder: %s", strerror(errno));
    umask(027); /* uplink's group reads what we write */
    int r = hm_role_drop(&hm_agent_roles[HM_AGENT_ENGINE], err);
    if (r == 0)
        r = hm_sandbox_files(paths, n, false, &abi, err);
    if (r == 0)
        r = hm_sandbox_syscalls(false, err);
    if (r == 0 && abi == 0)
        hm_warn("this kernel has no Landlock: the engine is held by its uid and seccomp only");
    return r;
}

static struct hm_event *agent_event(struct hm_event *e, uint64_t action, struct hm_slice detail)
{
    hm_event_clear(e);
    hm_event_set_u64(e, HM_F_CLASS, HM_CLASS_AGENT);
    hm_event_set_u64(e, HM_F_ACTION, action);
    hm_event_set(e, HM_F_AGENT_PROCESS, hm_slice_str("engine"));
    if (detail.len)
        hm_event_set(e, HM_F_AGENT_DETAIL, detail);
    return e;
}

static void say_damage(struct hm_engine *g, const struct hm_log_damage *d, const char *lane)
{
    char text[256];
    struct hm_event e;
    if (!d->reason[0])
        return;
    snprintf(text, sizeof text, "%s lane: %s at record %llu, %llu bytes set aside", lane, d->reason,
             (unsigned long long)d->first_record, (unsigned long long)d->bytes);
    hm_warn("journal: %s", text);
    hm_core_own_event(g->core, HM_LANE_BULK,
                      agent_event(&e, HM_ACTION_AGENT_DAMAGE, hm_slice_str(text)));
}

static void say_start(struct hm_engine *g, const struct hm_msg_engine_start *s,
                      const struct hm_ledger_past *past, const struct hm_log_damage *damage)
{
    struct hm_event e;
    agent_event(&e, HM_ACTION_AGENT_START, s->scope);
    hm_event_set(&e, HM_F_AGENT_VERSION, s->agent_version);
    hm_core_own_event(g->core, HM_LANE_BULK, &e);
    uint64_t missing = hm_core_past(g->core, past, hm_event_u64(&e, HM_F_SEQ));
    if (missing)
        hm_warn(
            "the engine before this one had %llu events in memory when it ended; that is reported",
            (unsigned long long)missing);
    hm_core_own_event(g->core, HM_LANE_BULK, agent_event(&e, HM_ACTION_AGENT_SENSORS, s->sensors));
    say_damage(g, &damage[HM_LANE_BULK], "bulk");
    say_damage(g, &damage[HM_LANE_ALERT], "alert");
}

static int open_journal(struct hm_engine *g, const struct hm_msg_engine_start *s,
                        struct hm_log_damage *ret_damage, struct hm_error *err)
{
    struct hm_journal_options o = {.boot = s->boot, .quota_bytes = s->quota_bytes};
    if (!s->endpoint.p || s->endpoint.len != sizeof o.endpoint)
        return hm_fail(err, -EBADMSG, "endpoint id of %zu bytes", s->endpoint.len);
    memcpy(g->endpoint, s->endpoint.p, sizeof g->endpoint);
    memcpy(o.endpoint, g->endpoint, sizeof o.endpoint);
    return hm_journal_open(".", &o, &g->journal, ret_damage, err);
}

static int make_core(struct hm_engine *g, const struct hm_msg_engine_start *s, struct hm_error *err)
{
    struct hm_core_options o = {
        .boot = s->boot,
        .policy_paths = s->policy_paths,
        .leave = s->leave,
        .journal = g->journal,
        .rules = g->rules,
        .intel = g->intel,
        .users = g->users,
        .ledger = &g->ledger,
        .own_pid = (uint32_t)getpid(),
        .monitor_pid = (uint32_t)getppid(),
        .ops = hm_engine_ops(g),
    };
    memcpy(o.endpoint, g->endpoint, sizeof o.endpoint);
    return hm_core_new(&o, &g->core, err);
}

/* After the drop: rules, journal, core. s still points into the start message. */
static int build(struct hm_engine *g, const struct hm_msg_engine_start *s, uint64_t instance,
                 struct hm_error *err)
{
    struct hm_log_damage damage[HM_LANE_COUNT] = {0};
    struct hm_ledger_past past;
    int r = open_journal(g, s, damage, err);
    if (r < 0)
        return r;
    r = hm_engine_first_rules(g, s->content, err);
    if (r < 0)
        return r;
    r = hm_ledger_open(g->fds[HM_ENGINE_JOURNAL], s->boot, instance, &g->ledger, &past);
    if (r < 0)
        hm_warn("no ledger file (%s): a kill of the engine would not be accounted for",
                strerror(-r));
    r = make_core(g, s, err);
    if (r < 0)
        return r;
    say_start(g, s, &past, damage);
    hm_info("%zu rules, %llu indicators, epoch %016llx", hm_ruleset_count(g->rules),
            (unsigned long long)hm_intel_sets_count(g->intel),
            (unsigned long long)hm_journal_epoch(g->journal));
    r = hm_engine_watch(g, err);
    if (r == 0)
        hm_engine_told_rules(g);
    return r;
}

static void read_users(struct hm_engine *g)
{
    hm_autoclose int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || hm_users_read(fd, &g->users) < 0)
        hm_warn("no user names: /etc/passwd: %s", strerror(errno));
}

static int start(struct hm_engine *g, struct hm_error *err)
{
    struct hm_ipc_msg m = {0};
    struct hm_msg_engine_start s = {0};
    int r = wait_start(g, &m, &s, err);
    if (r == 0)
        r = place_fds(g, &m, s.fds, err);
    if (r == 0)
        r = open_rings(g, err);
    if (r < 0)
        return r;
    uint64_t instance = sensor_instance(g->fds[HM_ENGINE_COUNTERS]);
    read_users(g);
    r = confine(g, err);
    if (r == 0)
        r = build(g, &s, instance, err);
    if (r == 0)
        hm_engine_set_uplink(g, hm_steal_fd(&g->fds[HM_ENGINE_UPLINK]));
    if (r == 0)
        hm_engine_say_calls(g);
    return r;
}

static void finish(struct hm_engine *g)
{
    struct hm_event e;
    hm_engine_reload_done(g);
    if (g->core) {
        hm_core_own_event(g->core, HM_LANE_BULK,
                          agent_event(&e, HM_ACTION_AGENT_STOP, (struct hm_slice){0}));
        (void)hm_core_tick(g->core, g->counters, 0);
        hm_engine_say_durable(g);
    }
    hm_core_free(g->core);
    hm_ledger_close(&g->ledger);
    hm_journal_close(g->journal);
    hm_ruleset_free(g->rules);
    hm_intel_sets_free(g->intel);
    hm_users_free(g->users);
    hm_ring_close(g->ring);
    hm_ring_close(g->args_ring);
    hm_counters_unmap(g->counters);
    hm_outbox_free(g->monitor.out);
    hm_outbox_free(g->uplink.out);
    hm_buf_done(&g->in);
    free(g->fan_buf);
}

int hm_engine_main(void)
{
    struct hm_engine g = {
        .fds = {-1, -1, -1, -1, -1, -1, -1, -1}, .uplink.fd = -1, .epoll = -1, .timer = -1};
    struct hm_error err = {0};
    g.monitor =
        (struct hm_peer){.fd = HM_ROLE_FD, .out = hm_outbox_new(HM_OUTBOX_MAX, HM_OUTBOX_BYTES)};
    g.in = HM_BUF(HM_IPC_MAX_BYTES);
    /* Ctrl-C and a stop of the unit reach every process; monitor ends us by closing its socket. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    int r = g.monitor.out ? start(&g, &err) : -ENOMEM;
    if (r < 0)
        hm_err("engine cannot start: %s", err.text[0] ? err.text : strerror(-r));
    else if ((r = hm_engine_loop(&g)) < 0)
        hm_err("engine ends: %s", strerror(-r));
    finish(&g);
    return r < 0;
}
