/* One epoll loop. The order of a round matters: first the rings (who is who), then fanotify (whose
 * pids the table must know by then), then messages, then the second's housekeeping. */
#include "agent/engine/limits.h"
#include "agent/engine/process.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

/* Records of one round: about 10 ms of work, so that a flood delays no order and no heart beat. */
#define ROUND_RECORDS     4096
#define FILES_WAIT_ROUNDS 8
/* More than a full ring of the smallest records holds. */
#define LAST_ROUNDS 32
#define FAN_READS   8
#define FAN_BYTES   (64 * 1024)

static int add(struct hm_engine *g, int fd, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.fd = fd};
    return fd < 0 || epoll_ctl(g->epoll, EPOLL_CTL_ADD, fd, &ev) == 0 ? 0 : -errno;
}

void hm_engine_watch_peer(struct hm_engine *g, struct hm_peer *p)
{
    bool want = hm_outbox_count(p->out) > 0;
    struct epoll_event ev = {.events = EPOLLIN | (want ? EPOLLOUT : 0), .data.fd = p->fd};
    if (epoll_ctl(g->epoll, EPOLL_CTL_ADD, p->fd, &ev) == 0) {
        p->waiting = want;
        return;
    }
    if (want != p->waiting && epoll_ctl(g->epoll, EPOLL_CTL_MOD, p->fd, &ev) == 0)
        p->waiting = want;
}

int hm_engine_watch(struct hm_engine *g, struct hm_error *err)
{
    struct itimerspec beat = {.it_interval.tv_nsec = HM_TICK_NS, .it_value.tv_nsec = HM_TICK_NS};
    g->epoll = epoll_create1(EPOLL_CLOEXEC);
    g->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    g->fan_buf = malloc(FAN_BYTES);
    if (g->epoll < 0 || g->timer < 0 || !g->fan_buf ||
        timerfd_settime(g->timer, 0, &beat, NULL) < 0)
        return hm_fail(err, -errno, "epoll or timer: %s", strerror(errno));
    int r = add(g, g->timer, EPOLLIN);
    r = r ? r : add(g, g->fds[HM_ENGINE_RING], EPOLLIN);
    r = r ? r : add(g, g->fds[HM_ENGINE_ARGS_RING], EPOLLIN);
    r = r ? r : add(g, g->fds[HM_ENGINE_FANOTIFY], EPOLLIN);
    if (r < 0)
        return hm_fail(err, r, "epoll: %s", strerror(-r));
    hm_engine_watch_peer(g, &g->monitor);
    return 0;
}

static uint64_t moment(struct hm_slice record)
{
    const struct hm_rec_header *h = (const void *)record.p;
    return record.len >= sizeof *h ? h->boot_ns : 0;
}

static int peek(struct hm_ring *r, struct hm_slice *ret)
{
    return r ? hm_ring_peek(r, ret) : 0;
}

/* Two rings, one order: the record that happened first. */
static int next_record(struct hm_engine *g, struct hm_ring **ret_ring, struct hm_slice *ret)
{
    struct hm_slice a = {0}, b = {0};
    int ra = peek(g->ring, &a), rb = peek(g->args_ring, &b);
    if (ra < 0 || rb < 0)
        return ra < 0 ? ra : rb;
    if (!ra && !rb)
        return 0;
    bool first = ra && (!rb || moment(a) <= moment(b));
    *ret_ring = first ? g->ring : g->args_ring;
    *ret = first ? a : b;
    return 1;
}

/* Returns how many records were taken. */
static int drain_rings(struct hm_engine *g)
{
    struct hm_ring *ring = NULL;
    struct hm_slice record = {0};
    int n = 0, r = 0;
    while (n < ROUND_RECORDS && (r = next_record(g, &ring, &record)) == 1) {
        if (record.len > sizeof g->record)
            return -EBADMSG; /* the kernel side knows the ceiling: this ring is not ours */
        /* Out of the ring first: a kill between the two may lose this record, and then counts it,
         * but never tells it twice. */
        memcpy(g->record, record.p, record.len);
        hm_core_taking(g->core);
        hm_ring_take(ring);
        (void)hm_core_record(g->core,
                             hm_slice(g->record, record.len)); /* malformed: counted there */
        n++;
    }
    return r < 0 ? r : n;
}

static void drain_files(struct hm_engine *g)
{
    for (int i = 0; g->fds[HM_ENGINE_FANOTIFY] >= 0 && i < FAN_READS; i++) {
        ssize_t n = read(g->fds[HM_ENGINE_FANOTIFY], g->fan_buf, FAN_BYTES);
        if (n <= 0)
            return;
        hm_core_fanotify(g->core, hm_slice(g->fan_buf, (size_t)n));
        if (n < FAN_BYTES / 2)
            return;
    }
}

static void lose_uplink(struct hm_engine *g, int r)
{
    hm_info("uplink is gone (%s); recording goes on", strerror(-r));
    hm_engine_set_uplink(g, -1);
}

static int peers(struct hm_engine *g)
{
    int r = hm_outbox_flush(g->monitor.out, g->monitor.fd);
    if (r >= 0)
        r = hm_engine_hear_monitor(g);
    if (r < 0)
        return r;
    hm_engine_watch_peer(g, &g->monitor);
    if (g->uplink.fd < 0)
        return 0;
    r = hm_outbox_flush(g->uplink.out, g->uplink.fd);
    if (r >= 0)
        r = hm_engine_hear_uplink(g);
    if (r < 0)
        lose_uplink(g, r);
    else
        hm_engine_watch_peer(g, &g->uplink);
    return 0;
}

static void housekeeping(struct hm_engine *g)
{
    uint64_t expirations;
    if (read(g->timer, &expirations, sizeof expirations) != sizeof expirations)
        return;
    /* Age 0: what was seen until now is in the log after this, and the ledger may say so. */
    (void)hm_core_tick(g->core, g->counters, 0);
    hm_engine_reload_tick(g);
    hm_engine_say_durable(g); /* always: an uplink that was started anew does not know yet */
}

static int one_round(struct hm_engine *g)
{
    int n = drain_rings(g);
    if (n < 0)
        return n;
    /* With a backlog the pids of file events may not be known yet: they can wait in their queue,
     * but not so long that it overflows. */
    if (n < ROUND_RECORDS || ++g->files_waited == FILES_WAIT_ROUNDS) {
        g->files_waited = 0;
        drain_files(g);
    }
    int r = peers(g);
    if (r < 0)
        return r;
    if (hm_core_alerted(g->core))
        hm_engine_say_durable(g);
    housekeeping(g);
    return n;
}

/* What happened before the stop is told; a flood that goes on does not keep us. */
static int last_rounds(struct hm_engine *g)
{
    int n = 1;
    for (int i = 0; i < LAST_ROUNDS && n > 0; i++)
        n = drain_rings(g);
    drain_files(g);
    return n < 0 ? n : 0;
}

int hm_engine_loop(struct hm_engine *g)
{
    struct epoll_event events[8];
    for (;;) {
        int n = one_round(g);
        if (n == -ECONNRESET)
            return last_rounds(g); /* monitor told us to stop, or is gone */
        if (n < 0)
            return n;
        int timeout = n >= ROUND_RECORDS ? 0 : hm_ring_pace(&g->pace, (uint64_t)n);
        if (epoll_wait(g->epoll, events, 8, timeout) < 0 && errno != EINTR)
            return -errno;
    }
}
