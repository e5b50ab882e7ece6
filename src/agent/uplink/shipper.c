/* Owns the order of shipping: alert lane before bulk, older epochs before the present one, each
 * batch once unless the line breaks. See shipper.h for what it refuses to know. */
#include "agent/uplink/shipper.h"

#include "agent/uplink/limits.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>

struct flight {
    uint64_t number, record; /* batch number; record number in the log */
};
struct lane {
    const char *dir;
    struct hm_log_reader *reader;
    bool have; /* record, head and batch are the next to go */
    uint64_t record;
    struct hm_slice batch;
    struct hm_batch_head head;
    uint64_t server_next; /* of the session's epoch */
    uint64_t last_seen;   /* last number of the session's epoch that was read, + 1 */
    uint64_t keep;        /* first record that is not acknowledged */
    struct flight flight[HM_UPLINK_WINDOW];
    size_t flying;
};
struct hm_shipper {
    int dir_fd;
    struct hm_shipper_ops ops;
    struct lane lanes[HM_LANE_COUNT];
    uint64_t epoch, current;         /* of the session; of the engine (0: not known) */
    uint64_t durable[HM_LANE_COUNT]; /* of the engine's epoch: on disk below */
    uint64_t dead; /* an epoch the server contradicts: its rest cannot be shipped */
    uint64_t dead_batches;
    bool open, told_fork;
};

static const enum hm_lane order[] = {HM_LANE_ALERT, HM_LANE_BULK};

struct hm_shipper *hm_shipper_new(int journal_fd, const struct hm_shipper_ops *ops)
{
    struct hm_shipper *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->dir_fd = fcntl(journal_fd, F_DUPFD_CLOEXEC, 0);
    s->ops = *ops;
    s->lanes[HM_LANE_BULK].dir = "bulk";
    s->lanes[HM_LANE_ALERT].dir = "alert";
    if (s->dir_fd >= 0)
        return s;
    free(s);
    return NULL;
}

void hm_shipper_free(struct hm_shipper *s)
{
    if (!s)
        return;
    for (int i = 0; i < HM_LANE_COUNT; i++)
        hm_log_reader_close(s->lanes[i].reader);
    close(s->dir_fd);
    free(s);
}

void hm_shipper_set_current(struct hm_shipper *s, uint64_t epoch,
                            const uint64_t durable[HM_LANE_COUNT])
{
    s->current = epoch;
    memcpy(s->durable, durable, sizeof s->durable);
}

/* What is only in the page cache goes with the power, and its number comes again with other events:
 * the server would keep the first and count the second as its copy. */
static bool is_durable(const struct hm_shipper *s, const struct lane *l)
{
    if (l->head.epoch != s->current)
        return s->current != 0; /* the engine syncs an epoch before it begins the next */
    return l->head.number < s->durable[l - s->lanes];
}

/* ---- reading a lane ---- */

/* 0: the lane exists; -ENOENT: the engine has not made it yet. */
static int open_lane(struct hm_shipper *s, struct lane *l)
{
    if (l->reader)
        return 0;
    hm_autoclose int fd = openat(s->dir_fd, l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = hm_log_reader_open_at(fd, &l->reader);
    if (r)
        return r;
    r = hm_log_reader_seek(l->reader, l->keep);
    return r == -ENOENT ? 0 : r;
}

/* 1: l->head is the next batch; 0: nothing there at present. */
static int peek(struct hm_shipper *s, struct lane *l)
{
    int r;

    if (l->have)
        return 1;
    if ((r = open_lane(s, l)))
        return r == -ENOENT ? 0 : r;
    for (;;) {
        r = hm_log_reader_next(l->reader, &l->record, &l->batch);
        if (r == 1 && hm_batch_head(l->batch, &l->head, NULL) == 0) {
            l->have = true;
            return 1;
        }
        if (r == -ENOENT) /* acknowledged and deleted while we walked there: the oldest is next */
            continue;
        if (r != 1 && r != -EBADMSG)
            return r;
        hm_warn("journal %s: a damaged record is left out", l->dir); /* the server sees the gap */
    }
}

/* The record in hand needs no acknowledgement. */
static void pass(struct lane *l)
{
    l->have = false;
    if (l->flying == 0)
        l->keep = l->record + 1;
}

/* Passes over what the server has, and what it will never take. */
static int settle(struct hm_shipper *s, struct lane *l)
{
    int r;

    while ((r = peek(s, l)) == 1) {
        bool mine = l->head.epoch == s->epoch;
        if (s->dead && l->head.epoch == s->dead) {
            s->dead_batches++;
        } else if (!s->open || !mine) {
            return 1;
        } else {
            l->last_seen = l->head.number + 1;
            if (l->head.number >= l->server_next)
                return 1;
        }
        pass(l);
    }
    return r;
}

/* ---- sessions ---- */

static void rewind_lane(struct lane *l)
{
    l->have = false;
    l->flying = 0;
    l->last_seen = 0;
    if (l->reader) {
        int r = hm_log_reader_seek(l->reader, l->keep);
        if (r && r != -ENOENT) { /* opened again from the start of what is there */
            hm_log_reader_close(l->reader);
            l->reader = NULL;
        }
    }
}

uint64_t hm_shipper_rewind(struct hm_shipper *s)
{
    uint64_t found = s->current;
    bool any = false;

    s->open = false;
    for (size_t i = 0; i < HM_ARRAY_LEN(order); i++)
        rewind_lane(&s->lanes[order[i]]);
    for (size_t i = 0; i < HM_ARRAY_LEN(order); i++) {
        struct lane *l = &s->lanes[order[i]];
        if (settle(s, l) != 1)
            continue;
        /* The present epoch's acks release everything older: whatever is older goes first. */
        if (!any || found == s->current)
            found = l->head.epoch;
        any = true;
    }
    return found;
}

bool hm_shipper_ready(struct hm_shipper *s)
{
    return s->current || hm_shipper_rewind(s) != 0;
}

void hm_shipper_open(struct hm_shipper *s, uint64_t epoch, const uint64_t next[HM_LANE_COUNT])
{
    s->epoch = epoch;
    s->open = true;
    s->told_fork = false;
    for (int i = 0; i < HM_LANE_COUNT; i++) {
        s->lanes[i].server_next = next[i];
        if (next[i])
            s->ops.acked(s->ops.ctx, epoch, (enum hm_lane)i, next[i]);
    }
}

static void fork_off(struct hm_shipper *s, uint64_t epoch)
{
    if (s->dead == epoch && s->told_fork)
        return;
    s->dead = epoch;
    s->told_fork = true;
    hm_warn("the server has another history of epoch %llx: a new epoch begins",
            (unsigned long long)epoch);
    s->ops.forked(s->ops.ctx, epoch);
}

void hm_shipper_fork(struct hm_shipper *s, uint64_t epoch)
{
    if (epoch != s->epoch)
        return;
    for (int i = 0; i < HM_LANE_COUNT; i++)
        s->lanes[i].flying = 0;
    fork_off(s, epoch);
}

/* ---- shipping ---- */

static int ship_one(struct hm_shipper *s, struct lane *l)
{
    if (l->flying == HM_UPLINK_WINDOW)
        return -EAGAIN;
    int r = s->ops.send(s->ops.ctx, l->batch);
    if (r)
        return r;
    l->flight[l->flying++] = (struct flight){l->head.number, l->record};
    l->have = false;
    return 0;
}

static int pump_lane(struct hm_shipper *s, struct lane *l)
{
    int r;

    while ((r = settle(s, l)) == 1 && l->head.epoch == s->epoch) {
        if (!is_durable(s, l))
            return 0;
        r = ship_one(s, l);
        if (r)
            return r == -EAGAIN ? 0 : r;
    }
    /* The server has more of this epoch than we ever wrote: this is a copy of an older state. */
    if (r == 0 && l->last_seen && l->last_seen < l->server_next && s->epoch == s->current)
        fork_off(s, s->epoch);
    return r < 0 ? r : 0;
}

static bool finished(const struct hm_shipper *s)
{
    bool other = false;

    for (int i = 0; i < HM_LANE_COUNT; i++) {
        const struct lane *l = &s->lanes[i];
        if (l->flying || (l->have && l->head.epoch == s->epoch))
            return false;
        other |= l->have;
    }
    return other;
}

int hm_shipper_pump(struct hm_shipper *s)
{
    if (!s->open)
        return 0;
    for (size_t i = 0; i < HM_ARRAY_LEN(order); i++) {
        int r = pump_lane(s, &s->lanes[order[i]]);
        if (r)
            return r;
    }
    return finished(s) ? 1 : 0;
}

int hm_shipper_ack(struct hm_shipper *s, uint64_t epoch, uint64_t lane, uint64_t next)
{
    size_t n = 0;

    if (!s->open || epoch != s->epoch || lane >= HM_LANE_COUNT)
        return -EBADMSG;
    struct lane *l = &s->lanes[lane];
    while (n < l->flying && l->flight[n].number < next)
        n++;
    if (n == 0)
        return next <= l->server_next ? 0 : -EBADMSG;
    if (l->flight[n - 1].number + 1 != next)
        return -EBADMSG;
    l->keep = l->flight[n - 1].record + 1;
    l->flying -= n;
    memmove(l->flight, l->flight + n, l->flying * sizeof l->flight[0]);
    l->server_next = next;
    s->ops.acked(s->ops.ctx, epoch, (enum hm_lane)lane, next);
    return 0;
}
