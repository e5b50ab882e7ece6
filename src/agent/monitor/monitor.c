/* Owns the loop: signals, the clock's tick, children's sockets and ends. */
#include "agent/monitor/monitor.h"
#include "agent/monitor/yara.h"
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum source { SOURCE_CHILD = 1, SOURCE_END = 2, SOURCE_SIGNAL = 3, SOURCE_TICK = 4 };

static int add(struct hm_monitor *m, int fd, enum source source)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = source};
    return epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int open_loop(struct hm_monitor *m, struct hm_error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    m->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    m->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec every = {{0, 250000000}, {0, 250000000}};
    if (m->epoll_fd < 0 || m->signal_fd < 0 || m->timer_fd < 0 ||
        timerfd_settime(m->timer_fd, 0, &every, NULL) < 0)
        return hm_fail(err, -errno, "cannot set up the event loop");
    int r = add(m, m->signal_fd, SOURCE_SIGNAL);
    if (r == 0)
        r = add(m, m->timer_fd, SOURCE_TICK);
    return r < 0 ? hm_fail(err, r, "cannot set up the event loop") : 0;
}

static void on_signal(struct hm_monitor *m)
{
    struct signalfd_siginfo si;
    while (read(m->signal_fd, &si, sizeof si) == sizeof si) {
        m->stop |= si.ssi_signo != SIGHUP;
        if (si.ssi_signo == SIGHUP)
            hm_mon_rules_reload(m);
    }
}

static void on_tick(struct hm_monitor *m)
{
    uint64_t fired, now = hm_clock_mono_ns();
    if (read(m->timer_fd, &fired, sizeof fired) < 0)
        return;
    hm_mon_children_tick(m, now);
    hm_mon_hashing_tick(m, now);
    hm_mon_scans_tick(m, now);
    hm_mon_rules_tick(m, now);
    hm_watch_tick(m->watch, now);
    hm_mon_logs_tick(m, now);
    hm_mon_orders_tick(m, now);
    hm_mon_content_tick(m, now);
    if (now - m->last_status_ns >= 1000000000) {
        m->last_status_ns = now;
        hm_sensor_count_missed(m->sensor);
        hm_mon_status_write(m);
        hm_mon_users_tick(m);
    }
}

static void on_event(struct hm_monitor *m, const struct epoll_event *ev)
{
    enum hm_agent_role role = (enum hm_agent_role)(ev->data.u64 >> 8);
    switch ((enum source)(ev->data.u64 & 0xff)) {
    case SOURCE_CHILD:
        if (ev->events & EPOLLOUT)
            hm_mon_flush(m, role);
        if (ev->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            hm_mon_serve(m, role);
        break;
    case SOURCE_END:
        hm_mon_child_ended(m, role);
        break;
    case SOURCE_SIGNAL:
        on_signal(m);
        break;
    case SOURCE_TICK:
        on_tick(m);
        break;
    }
}

static int loop(struct hm_monitor *m, struct hm_error *err)
{
    while (!m->stop) {
        struct epoll_event events[16];
        int n = epoll_wait(m->epoll_fd, events, 16, -1);
        if (n < 0 && errno != EINTR)
            return hm_fail(err, -errno, "epoll_wait");
        for (int i = 0; i < n; i++)
            on_event(m, &events[i]);
    }
    return 0;
}

static void announce(struct hm_monitor *m)
{
    const struct hm_monitor_options *o = m->o;
    hm_info("agent %s watches %s%s, tier %d%s", HM_VERSION,
            o->scope ? "the cgroup " : "this machine", o->scope ? o->scope : "",
            hm_sensor_tier(m->sensor), o->offline ? ", offline" : "");
    hm_info("it observes only: nothing is stopped unless a signed order says so");
}

/* See monitor.h. */
int hm_monitor_run(const struct hm_monitor_options *o, struct hm_error *err)
{
    struct hm_monitor *m = calloc(1, sizeof *m);
    if (!m)
        return hm_fail(err, -ENOMEM, "out of memory");
    m->o = o;
    m->sensors_json = HM_BUF(128 * 1024);
    m->started_wall_ns = hm_clock_wall_ns();
    m->epoll_fd = m->signal_fd = m->timer_fd = m->lock_fd = -1;
    m->state_fd = m->journal_fd = m->rules_fd = m->scope_fd = m->pair[0] = m->pair[1] = -1;
    m->journal_pipe[0] = m->journal_pipe[1] = -1;
    for (int role = 0; role < HM_AGENT_ROLES; role++)
        m->child[role] = (struct hm_child){.role = role, .fd = -1, .pidfd = -1};
    int r = hm_mon_setup(m, err);
    if (r == 0)
        hm_mon_journal_gap(m);
    if (r == 0)
        r = open_loop(m, err);
    if (r == 0)
        r = hm_mon_start_children(m, err);
    if (r == 0) {
        announce(m);
        malloc_trim(
            0); /* loading BPF read the kernel's types: megabytes that are not needed again */
        hm_mon_status_write(m);
        r = loop(m, err);
    }
    hm_mon_stop_children(m);
    if (m->state_fd >= 0 && m->lock_fd >= 0 && r != -EBUSY)
        hm_mon_status_write(m);
    hm_mon_teardown(m);
    free(m);
    return r;
}
