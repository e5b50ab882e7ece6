/* Owns what each role is told and handed when it starts: exactly the descriptors of messages.def,
 * nothing else. */
#include "agent/monitor/yara.h"
#include <errno.h>
#include <poll.h>
#include <unistd.h>

struct fd_list {
    int fds[HM_IPC_MAX_FDS], count;
    uint64_t present;
};

/* Only descriptors that are there travel; the bits say which. */
static void add_fd(struct fd_list *l, int fd, int bit)
{
    if (fd < 0)
        return;
    l->fds[l->count++] = fd;
    l->present |= UINT64_C(1) << bit;
}

struct snapshot {
    struct hm_monitor *m;
    uint64_t deadline_ns;
    unsigned records;
};

static int wait_for_engine(const struct snapshot *s)
{
    uint64_t now = hm_clock_mono_ns();
    struct pollfd p = {s->m->child[HM_AGENT_ENGINE].fd, POLLOUT, 0};
    if (now >= s->deadline_ns)
        return -ETIMEDOUT;
    if (poll(&p, 1, (int)((s->deadline_ns - now) / 1000000) + 1) < 0 && errno != EINTR)
        return -errno;
    return p.revents & (POLLERR | POLLHUP) ? -ECONNRESET : 0;
}

static int send_record(void *arg, struct hm_slice record)
{
    struct snapshot *s = arg;
    struct hm_msg_record r = {.data = record};
    int e = hm_ipc_send(s->m->child[HM_AGENT_ENGINE].fd, &hm_desc_record, &r, NULL, 0);
    while (e == -EAGAIN) {
        if ((e = wait_for_engine(s)) == 0)
            e = hm_ipc_send(s->m->child[HM_AGENT_ENGINE].fd, &hm_desc_record, &r, NULL, 0);
    }
    s->records += e == 0;
    return e;
}

/* The rings fill meanwhile; nothing is missed between sensor and snapshot, some things are seen
 * twice, and the process key makes them one. */
static int send_snapshot(struct hm_monitor *m, struct hm_error *err)
{
    struct snapshot s = {m, hm_clock_mono_ns() + HM_MON_SNAPSHOT_MS * 1000000ull, 0};
    int r = hm_sensor_snapshot(m->sensor, send_record, &s, err);
    if (r < 0)
        return hm_fail(err, r, "the start-up snapshot failed after %u processes", s.records);
    hm_debug("start-up snapshot: %u processes", s.records);
    return 0;
}

static int greet_engine(struct hm_monitor *m, struct hm_error *err)
{
    struct fd_list l = {0};
    add_fd(&l, hm_sensor_ring_fd(m->sensor), 0);
    add_fd(&l, hm_sensor_args_ring_fd(m->sensor), 1);
    add_fd(&l, hm_sensor_counters_fd(m->sensor), 2);
    add_fd(&l, hm_watch_fd(m->watch), 3);
    add_fd(&l, m->journal_fd, 4);
    add_fd(&l, m->rules_fd, 5);
    add_fd(&l, m->pair[0], 6);
    add_fd(&l, hm_mon_content_fd(m), 7);
    struct hm_msg_engine_start s = {
        .endpoint = hm_slice(m->id.endpoint, sizeof m->id.endpoint),
        .boot = m->boot,
        .agent_version = hm_slice_str(HM_VERSION),
        .scope = hm_slice_str(m->o->scope),
        .leave = hm_slice_str(m->o->leave),
        .policy_paths = hm_slice_str(hm_watch_policy(m->watch)),
        .sensors = hm_buf_slice(&m->sensors_json),
        .quota_bytes = HM_MON_QUOTA_BYTES,
        .fds = l.present,
        .content = hm_mon_content_version(m),
    };
    int r = hm_ipc_send(m->child[HM_AGENT_ENGINE].fd, &hm_desc_engine_start, &s, l.fds, l.count);
    if (r < 0)
        return hm_fail(err, r, "cannot start the engine");
    if ((r = send_snapshot(m, err)) < 0)
        return r;
    hm_mon_journal_again(m);
    hm_mon_rules_tell_engine(m);
    hm_mon_logs_greet(m);
    return 0;
}

static int greet_uplink(struct hm_monitor *m, struct hm_error *err)
{
    static const char *const names[] = {HM_IDENTITY_KEY, HM_IDENTITY_CERTIFICATE, HM_IDENTITY_CA};
    int fds[5], n = 0, r = 0;
    for (; r == 0 && n < 3; n += r == 0)
        r = hm_identity_open(m->state_fd, names[n], &fds[n], err);
    if (r == 0) {
        struct hm_msg_uplink_start s = {
            .server = hm_slice_str(m->id.server),
            .endpoint = hm_slice(m->id.endpoint, sizeof m->id.endpoint),
            .agent_version = hm_slice_str(HM_VERSION),
            .boot = m->boot,
            .practice = m->id.practice,
            .host_name = hm_slice_str(m->host_name),
            .os = hm_slice_str(m->os),
            .kernel = hm_slice_str(m->kernel),
        };
        fds[3] = m->journal_fd;
        fds[4] = m->pair[1];
        r = hm_ipc_send(m->child[HM_AGENT_UPLINK].fd, &hm_desc_uplink_start, &s, fds, 5);
        if (r < 0)
            hm_fail(err, r, "cannot start uplink");
    }
    for (int i = 0; i < n; i++)
        close(fds[i]);
    if (r == 0)
        hm_mon_orders_greet(m);
    return r;
}

/* Say the first words to a role that was just started. Errors: negative errno: it is of no use. */
int hm_mon_greet(struct hm_monitor *m, enum hm_agent_role role, struct hm_error *err)
{
    switch (role) {
    case HM_AGENT_ENGINE:
        return greet_engine(m, err);
    case HM_AGENT_UPLINK:
        return greet_uplink(m, err);
    case HM_AGENT_INSPECT:
        hm_mon_rules_reload(m);
        return 0;
    case HM_AGENT_JOURNAL:
        return hm_mon_logs_greet_journal(m, err);
    default:
        return 0; /* the probe is told by orders */
    }
}
