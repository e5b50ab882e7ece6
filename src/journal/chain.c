/* The endpoint's journal: two lanes, each a log of chained batches, in one epoch. Record number and
 * batch number of a lane differ by a constant within an epoch; whatever would break that (damage, a
 * fork the server saw) begins a new epoch. Knows nothing of where events come from or go to. */
#include "base/clock.h"
#include "journal/batch.h"
#include "journal/epoch.h"
#include "journal/limits.h"
#include <errno.h>
#include <stdio.h>

#define SYNC_NS     UINT64_C(900000000) /* the callers tick once a second, more or less: each syncs */
#define ALERT_SHARE 4                   /* of the quota: one part in four is the alert lane's */
#define SEGMENTS    16                  /* a lane is given up in pieces of about a sixteenth */
#define SEGMENT_MIN (256u * 1024)
#define SEGMENT_MAX (16u << 20)

struct lane {
    struct hm_log *log;
    struct hm_batch_writer *writer;
    struct hm_buf closed; /* a closed batch that the disk did not take yet */
    uint64_t base;        /* record number of batch 0 of this epoch */
    uint64_t opened_ns;   /* when the open batch got its first event */
    uint64_t dirty;       /* batches appended since the last sync */
    uint64_t synced;      /* records below it are on disk */
    uint64_t last_sync_ns;
};

struct hm_journal {
    struct hm_dir *dir;
    struct hm_journal_options o;
    uint64_t epoch;
    uint64_t durable; /* batches to report at the next tick */
    struct lane lanes[HM_LANE_COUNT];
};

static const char *const lane_names[HM_LANE_COUNT] = {"bulk", "alert"};

/* --- writing --------------------------------------------------------------------------------- */

static int flush_closed(struct lane *l)
{
    if (l->closed.len == 0)
        return 0;
    int r = hm_log_append(l->log, hm_buf_slice(&l->closed), NULL);
    if (r < 0)
        return r;
    hm_buf_clear(&l->closed);
    l->dirty++;
    return 0;
}

/* Close the open batch and append it. The writer is only closed when the one before is on disk. */
static int close_batch(struct lane *l)
{
    int r = flush_closed(l);

    if (r < 0 || hm_batch_pending(l->writer) == 0)
        return r;
    r = hm_batch_close(l->writer, &l->closed);
    return r < 0 ? r : flush_closed(l);
}

static int sync_lane(struct hm_journal *j, struct lane *l, uint64_t mono_ns)
{
    int r = hm_log_sync(l->log);

    if (r < 0)
        return r;
    j->durable += l->dirty;
    l->dirty = 0;
    l->synced = hm_log_next(l->log);
    l->last_sync_ns = mono_ns;
    return 0;
}

int hm_journal_put(struct hm_journal *j, enum hm_lane lane, struct hm_event *e)
{
    struct lane *l = &j->lanes[lane];
    uint64_t now = hm_clock_mono_ns();
    int full = hm_batch_add(l->writer, e);

    if (full == -EBUSY) { /* it stayed full because the disk was: is there room by now? */
        int r = close_batch(l);
        if (r < 0)
            return r;
        full = hm_batch_add(l->writer, e);
    }
    if (full < 0)
        return full;
    if (hm_batch_pending(l->writer) == 1)
        l->opened_ns = now;
    if (!full && lane != HM_LANE_ALERT)
        return 0;
    int r = close_batch(l);
    if (r == 0 && lane == HM_LANE_ALERT)
        r = sync_lane(j, l, now);
    return r == -ENOSPC ? 0 : r; /* the event is held in memory: not lost */
}

static int tick_lane(struct hm_journal *j, struct lane *l, uint64_t mono_ns, uint32_t max_age_ms)
{
    uint64_t age_ns = mono_ns > l->opened_ns ? mono_ns - l->opened_ns : 0;
    int r = flush_closed(l);

    if (r == 0 && hm_batch_pending(l->writer) && age_ns / 1000000 >= max_age_ms)
        r = close_batch(l);
    if (l->dirty && (mono_ns < l->last_sync_ns || mono_ns - l->last_sync_ns >= SYNC_NS)) {
        int s = sync_lane(j, l, mono_ns);
        r = s < 0 ? s : r;
    }
    return r;
}

int hm_journal_tick(struct hm_journal *j, uint64_t mono_ns, uint32_t max_age_ms)
{
    int r = 0;

    for (int i = 0; i < HM_LANE_COUNT; i++) {
        int e = tick_lane(j, &j->lanes[i], mono_ns, max_age_ms);
        r = e < 0 ? e : r;
    }
    if (j->durable == 0)
        return r;
    r = j->durable > INT32_MAX ? INT32_MAX : (int)j->durable;
    j->durable = 0;
    return r;
}

uint64_t hm_journal_epoch(const struct hm_journal *j)
{
    return j->epoch;
}

uint64_t hm_journal_durable(const struct hm_journal *j, enum hm_lane lane)
{
    const struct lane *l = &j->lanes[lane];

    return l->synced > l->base ? l->synced - l->base : 0;
}

void hm_journal_acked(struct hm_journal *j, enum hm_lane lane, uint64_t number)
{
    struct lane *l = &j->lanes[lane];

    if (number <= hm_log_next(l->log) - l->base)
        hm_log_release(l->log, l->base + number);
}

/* --- open ------------------------------------------------------------------------------------ */

/* The head and record number of a lane's last batch; -ENOENT none, -EBADMSG unreadable. */
static int last_batch(struct lane *l, struct hm_batch_head *ret_head, uint8_t *ret_hash,
                      uint64_t *ret_number)
{
    struct hm_buf scratch = HM_BUF(HM_LOG_RECORD_MAX_BYTES);
    int r = hm_log_last(l->log, ret_number, &scratch);

    if (r == 0)
        r = hm_batch_head(hm_buf_slice(&scratch), ret_head, ret_hash);
    hm_buf_done(&scratch);
    return r;
}

/* Go on behind the last batch of this epoch, or begin the epoch. */
static int start_writer(struct hm_journal *j, enum hm_lane lane, bool new_epoch)
{
    struct lane *l = &j->lanes[lane];
    struct hm_batch_head last = {0}, start = {.epoch = j->epoch, .boot = j->o.boot, .lane = lane};
    uint64_t number = 0;
    int r = new_epoch ? -ENOENT : last_batch(l, &last, start.prev, &number);

    if (r < 0 && r != -ENOENT)
        return r;
    memcpy(start.endpoint, j->o.endpoint, sizeof start.endpoint);
    l->base = hm_log_next(l->log);
    if (r == 0 && last.epoch == j->epoch && last.number <= number) {
        start.number = last.number + 1;
        start.first_seq = last.first_seq + 2 * last.count;
        l->base = number - last.number;
    } else {
        memset(start.prev, 0, sizeof start.prev);
    }
    struct hm_batch_writer *w = hm_batch_writer_new(&start);
    if (!w)
        return -ENOMEM;
    hm_batch_writer_free(l->writer);
    l->writer = w;
    return 0;
}

static int start_writers(struct hm_journal *j, bool new_epoch)
{
    int r = 0;

    for (int i = 0; r == 0 && i < HM_LANE_COUNT; i++)
        r = start_writer(j, (enum hm_lane)i, new_epoch);
    return r;
}

static int begin_epoch(struct hm_journal *j)
{
    int r = hm_epoch_make(j->dir, j->o.endpoint, &j->epoch);

    return r == 0 ? start_writers(j, true) : r;
}

static int continue_epoch(struct hm_journal *j)
{
    int r = hm_epoch_read(j->dir, j->o.endpoint, &j->epoch);

    return r == 0 ? start_writers(j, false) : r;
}

static int sync_lanes(struct hm_journal *j)
{
    int r = 0;

    for (int i = 0; r == 0 && i < HM_LANE_COUNT; i++)
        r = sync_lane(j, &j->lanes[i], hm_clock_mono_ns());
    return r;
}

/* What is of an older epoch is shipped without asking: it is on disk before the next one begins. */
int hm_journal_new_epoch(struct hm_journal *j)
{
    int r = 0;

    for (int i = 0; r == 0 && i < HM_LANE_COUNT; i++)
        r = close_batch(&j->lanes[i]);
    if (r == 0)
        r = sync_lanes(j);
    return r == 0 ? begin_epoch(j) : r;
}

static int open_lane(struct hm_journal *j, enum hm_lane lane, const char *dir,
                     struct hm_log_damage *ret_damage, struct hm_error *err)
{
    uint64_t alert = j->o.quota_bytes / ALERT_SHARE;
    struct hm_log_options o = {.segment_bytes = SEGMENT_MAX};
    char path[4096];

    if (j->o.quota_bytes) {
        o.quota_bytes = lane == HM_LANE_ALERT ? alert : j->o.quota_bytes - alert;
        uint64_t part = o.quota_bytes / SEGMENTS;
        o.segment_bytes = part < SEGMENT_MIN   ? SEGMENT_MIN
                          : part > SEGMENT_MAX ? SEGMENT_MAX
                                               : part;
    }
    j->lanes[lane].closed = HM_BUF(HM_BATCH_MAX_BYTES);
    int n = snprintf(path, sizeof path, "%s/%s", dir, lane_names[lane]);
    if (n < 0 || (size_t)n >= sizeof path)
        return hm_fail(err, -ENAMETOOLONG, "path of the journal is too long");
    return hm_log_open(path, &o, &j->lanes[lane].log, ret_damage, err);
}

/* Lost records may have reached the server: their numbers must not come again in this epoch. */
static bool broke_the_chain(const struct hm_log_damage *d)
{
    return d->bytes != 0 && strcmp(d->reason, "torn tail") != 0;
}

static int open_journal(struct hm_journal *j, const char *dir,
                        struct hm_log_damage damage[HM_LANE_COUNT], struct hm_error *err)
{
    bool broken = false;
    int r = hm_dir_open(dir, true, &j->dir);

    if (r < 0)
        return hm_fail(err, r, "cannot open the journal %s", dir);
    for (int i = 0; i < HM_LANE_COUNT; i++) {
        r = open_lane(j, (enum hm_lane)i, dir, &damage[i], err);
        if (r < 0)
            return r;
        broken |= broke_the_chain(&damage[i]);
    }
    r = sync_lanes(j); /* a writer that was killed left them to the page cache */
    if (r < 0)
        return hm_fail(err, r, "cannot sync the journal %s", dir);
    r = broken ? -EBADMSG : continue_epoch(j);
    if (r == -ENOENT || r == -EBADMSG) /* missing, another endpoint's, or not to be trusted */
        r = begin_epoch(j);
    return r < 0 ? hm_fail(err, r, "cannot begin the journal %s", dir) : 0;
}

static void free_journal(struct hm_journal *j)
{
    for (int i = 0; i < HM_LANE_COUNT; i++) {
        hm_log_close(j->lanes[i].log);
        hm_batch_writer_free(j->lanes[i].writer);
        hm_buf_done(&j->lanes[i].closed);
    }
    hm_dir_close(j->dir);
    free(j);
}

int hm_journal_open(const char *dir, const struct hm_journal_options *o, struct hm_journal **ret_j,
                    struct hm_log_damage ret_damage[HM_LANE_COUNT], struct hm_error *err)
{
    struct hm_log_damage damage[HM_LANE_COUNT] = {0};
    struct hm_journal *j = calloc(1, sizeof *j);

    if (!j)
        return -ENOMEM;
    j->o = *o;
    int r = open_journal(j, dir, damage, err);
    if (r < 0) {
        free_journal(j);
        return r;
    }
    if (ret_damage)
        memcpy(ret_damage, damage, sizeof damage);
    *ret_j = j;
    return 0;
}

void hm_journal_close(struct hm_journal *j)
{
    if (!j)
        return;
    for (int i = 0; i < HM_LANE_COUNT; i++)
        if (close_batch(&j->lanes[i]) == 0)
            (void)!hm_log_sync(j->lanes[i].log);
    free_journal(j);
}
