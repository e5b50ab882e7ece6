/* Owns the life of the children: start, restart with a brake, heart beat, end. Refuses to know
 * what they say (requests.c) and what they are told at start (start.c). */
#include "agent/monitor/state.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *name_of(enum hm_agent_role role)
{
    return hm_agent_roles[role].name;
}

static bool wanted(const struct hm_monitor *m, enum hm_agent_role role)
{
    if (role == HM_AGENT_PROBE)
        return false; /* started by orders only */
    if (role == HM_AGENT_JOURNAL)
        return m->journal_pipe[1] >= 0;
    return role != HM_AGENT_UPLINK || (m->enrolled && !m->o->offline);
}

static int listen_to(struct hm_monitor *m, struct hm_child *c)
{
    struct epoll_event sock = {.events = EPOLLIN, .data.u64 = (uint64_t)c->role << 8 | 1};
    struct epoll_event end = {.events = EPOLLIN, .data.u64 = (uint64_t)c->role << 8 | 2};
    if (epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, c->fd, &sock) < 0 ||
        epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, c->pidfd, &end) < 0)
        return -errno;
    return 0;
}

static void close_child(struct hm_child *c)
{
    if (c->fd >= 0)
        close(c->fd);
    if (c->pidfd >= 0)
        close(c->pidfd);
    hm_outbox_free(c->outbox);
    hm_buf_done(&c->in);
    c->outbox = NULL;
    c->fd = c->pidfd = -1;
    c->pid = 0;
    c->stopping = false;
    c->beat_seen_ns = 0;
}

/* Start one role and greet it. Errors: negative errno; it is not running then. */
static int start(struct hm_monitor *m, enum hm_agent_role role, struct hm_error *err)
{
    struct hm_child *c = &m->child[role];
    c->restart_at_ns = 0;
    m->uplink_started |= role == HM_AGENT_UPLINK;
    c->in = HM_BUF(HM_IPC_MAX_BYTES);
    c->outbox = hm_outbox_new(HM_MON_OUTBOX_MESSAGES, HM_MON_OUTBOX_BYTES);
    if (!c->outbox)
        return hm_fail(err, -ENOMEM, "no memory for %s", name_of(role));
    int r = hm_role_spawn(&hm_agent_roles[role], &c->pid, &c->pidfd, &c->fd, err);
    if (r < 0) {
        close_child(c);
        return r;
    }
    r = listen_to(m, c);
    if (r == 0)
        r = hm_mon_greet(m, role, err);
    if (r < 0) {
        kill(c->pid, SIGKILL); /* ours and not reaped: the pid is still its */
        return r;              /* its pidfd brings the rest */
    }
    hm_debug("started %s, pid %d", name_of(role), (int)c->pid);
    return 0;
}

int hm_mon_spawn_probe(struct hm_monitor *m, struct hm_error *err)
{
    return start(m, HM_AGENT_PROBE, err);
}

int hm_mon_start_children(struct hm_monitor *m, struct hm_error *err)
{
    for (int role = 0; role < HM_AGENT_ROLES; role++) {
        int r = wanted(m, role) && role != HM_AGENT_UPLINK ? start(m, role, err) : 0;
        if (r < 0)
            return r;
    }
    /* uplink follows when the engine has answered: only then is there a journal to ship. */
    if (wanted(m, HM_AGENT_UPLINK))
        m->child[HM_AGENT_UPLINK].restart_at_ns = hm_clock_mono_ns() + HM_MON_UPLINK_WAIT_NS;
    return 0;
}

bool hm_mon_is_own(const struct hm_monitor *m, pid_t pid)
{
    bool own = pid == getpid();
    for (int role = 0; role < HM_AGENT_ROLES; role++)
        own |= m->child[role].pid == pid;
    return own;
}

static void how_it_ended(const struct hm_child *c, const siginfo_t *si, char *text, size_t len)
{
    if (si->si_code == CLD_EXITED)
        snprintf(text, len, "%s ended with code %d", name_of(c->role), si->si_status);
    else
        snprintf(text, len, "%s was ended by signal %d", name_of(c->role), si->si_status);
}

/* Three crashes in five minutes: from then on slowly, so that a crash loop costs nothing. */
static uint64_t next_start(struct hm_child *c, uint64_t now)
{
    c->crash_ns[c->crashes++ % HM_MON_CRASHES] = now;
    uint64_t oldest = c->crash_ns[c->crashes % HM_MON_CRASHES]; /* of the last three */
    bool slow = c->crashes >= HM_MON_CRASHES && now - oldest < HM_MON_CRASH_WINDOW_NS;
    return now + (slow ? HM_MON_RESTART_SLOW_NS : HM_MON_RESTART_NS);
}

static void plan_restart(struct hm_monitor *m, struct hm_child *c, const char *why)
{
    uint64_t now = hm_clock_mono_ns();
    char text[192];
    c->restart_at_ns = next_start(c, now);
    unsigned wait_ms = (unsigned)((c->restart_at_ns - now) / 1000000);
    snprintf(text, sizeof text, "%s; started again in %u ms, crashes so far: %u", why, wait_ms,
             (unsigned)c->crashes);
    hm_warn("%s", text);
    m->restarts++;
    if (c->role == HM_AGENT_ENGINE)
        m->engine_lost_ns = now;
    hm_mon_journal_text(m, HM_ACTION_AGENT_RESTART, name_of(c->role), text);
}

void hm_mon_child_ended(struct hm_monitor *m, enum hm_agent_role role)
{
    struct hm_child *c = &m->child[role];
    siginfo_t si = {0};
    char why[96];
    if (!c->pid || waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
        return;
    how_it_ended(c, &si, why, sizeof why);
    hm_mon_serve(m, role); /* what it said before it ended */
    close_child(c);
    if (role == HM_AGENT_INSPECT)
        hm_mon_inspect_lost(m);
    if (role == HM_AGENT_ENGINE)
        hm_mon_engine_lost(m);
    if (role == HM_AGENT_PROBE)
        hm_mon_orders_probed(m, hm_slice(NULL, 0));
    if (!m->stop && wanted(m, role))
        plan_restart(m, c, why);
}

void hm_mon_child_kill(struct hm_monitor *m, enum hm_agent_role role, const char *why)
{
    struct hm_child *c = &m->child[role];
    if (!c->pid || c->stopping)
        return;
    hm_warn("%s (pid %d) is ended: %s", name_of(role), (int)c->pid, why);
    c->stopping = true;
    syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}

static void want_writable(struct hm_monitor *m, struct hm_child *c)
{
    uint32_t events = hm_outbox_count(c->outbox) ? EPOLLIN | EPOLLOUT : EPOLLIN;
    struct epoll_event ev = {.events = events, .data.u64 = (uint64_t)c->role << 8 | 1};
    epoll_ctl(m->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev);
}

void hm_mon_send(struct hm_monitor *m, enum hm_agent_role role, const struct hm_msg_desc *d,
                 const void *msg, const int *fds, int fd_count)
{
    struct hm_child *c = &m->child[role];
    if (!c->pid || c->fd < 0)
        return; /* away: whoever needs it done notices by its own deadline */
    int r = hm_outbox_put(c->outbox, c->fd, d, msg, fds, fd_count);
    if (r < 0 && r != -ECONNRESET && c->lost++ == 0)
        hm_warn("%s for %s is lost: %s", d->name, name_of(role), strerror(-r));
    if (hm_outbox_count(c->outbox) == 1)
        want_writable(m, c);
}

void hm_mon_flush(struct hm_monitor *m, enum hm_agent_role role)
{
    struct hm_child *c = &m->child[role];
    if (c->pid && c->outbox && hm_outbox_flush(c->outbox, c->fd) <= 0)
        want_writable(m, c);
}

static void beat(struct hm_monitor *m, struct hm_child *c, uint64_t now)
{
    if (now - c->beat_sent_ns < HM_MON_BEAT_NS)
        return;
    if (c->beat_seen_ns && now - c->beat_seen_ns > HM_MON_SILENT_NS)
        hm_mon_child_kill(m, c->role, "it does not answer its heart beat");
    struct hm_msg_beat b = {.id = now};
    c->beat_sent_ns = now;
    hm_mon_send(m, c->role, &hm_desc_beat, &b, NULL, 0);
}

void hm_mon_children_tick(struct hm_monitor *m, uint64_t now_ns)
{
    struct hm_error err = {0};
    for (int role = 0; role < HM_AGENT_ROLES; role++) {
        struct hm_child *c = &m->child[role];
        if (c->pid && role != HM_AGENT_PROBE && role != HM_AGENT_JOURNAL)
            beat(m, c, now_ns);
        bool early =
            role == HM_AGENT_UPLINK && !m->uplink_started && m->child[HM_AGENT_ENGINE].beat_seen_ns;
        if (c->restart_at_ns && (early || now_ns >= c->restart_at_ns) && start(m, role, &err) < 0) {
            hm_err("cannot start %s: %s", name_of(role), err.text);
            if (!c->pid)
                c->restart_at_ns = next_start(c, now_ns);
        }
    }
}

static void stop_one(struct hm_monitor *m, enum hm_agent_role role)
{
    struct hm_child *c = &m->child[role];
    if (!c->pid)
        return;
    (void)!hm_outbox_flush(c->outbox, c->fd);
    if (role == HM_AGENT_JOURNAL) /* another program by now: it does not listen to us */
        syscall(SYS_pidfd_send_signal, c->pidfd, SIGTERM, NULL, 0);
    shutdown(c->fd, SHUT_WR); /* what was sent is still read; then it sees the end */
    struct pollfd p = {c->pidfd, POLLIN, 0};
    uint64_t deadline = hm_clock_mono_ns() + HM_MON_STOP_MS * 1000000ull;
    while (poll(&p, 1, 100) == 0 && hm_clock_mono_ns() < deadline)
        hm_mon_serve(m, role); /* so that it does not wait for us */
    if (!(p.revents & POLLIN)) {
        hm_warn("%s did not stop in time", name_of(role));
        syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
    }
    siginfo_t si;
    waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED);
    close_child(c);
}

/* uplink first: what the engine still writes is shipped next time. The engine before the sensors
 * close, with everything that was said to it. */
void hm_mon_stop_children(struct hm_monitor *m)
{
    static const enum hm_agent_role order[] = {HM_AGENT_PROBE, HM_AGENT_JOURNAL, HM_AGENT_UPLINK,
                                               HM_AGENT_INSPECT, HM_AGENT_ENGINE};
    m->stop = true;
    for (size_t i = 0; i < HM_ARRAY_LEN(order); i++)
        stop_one(m, order[i]);
}
