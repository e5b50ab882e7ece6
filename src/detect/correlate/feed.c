/* One event into one group: late or not, expiry, the ceiling of the window. What the window then
 * means is judge.c's and steps.c's. */
#include "detect/correlate/parts.h"

static uint64_t before(uint64_t t, uint64_t span)
{
    return t > span ? t - span : 0;
}

static void forget(struct hm_cgroup *g, size_t n)
{
    for (size_t i = g->w.live; i < n; i++)
        hm_tally_remove(&g->t, hm_window_at(&g->w, i));
    hm_window_drop(&g->w, n);
}

static void expire(struct hm_crun *r, struct hm_cgroup *g)
{
    uint64_t edge = before(g->newest, r->span), end = before(edge, r->late);
    while (g->w.live < g->w.count && hm_window_at(&g->w, g->w.live)->time < edge) {
        if (!hm_correlate_temporal(r->c))
            hm_tally_remove(&g->t, hm_window_at(&g->w, g->w.live));
        g->w.live++;
    }
    size_t old = 0;
    while (old < g->w.live && hm_window_at(&g->w, old)->time < end)
        old++;
    hm_window_drop(&g->w, old);
}

static void mark_partial(struct hm_crun *r, struct hm_cgroup *g, uint64_t lost)
{
    if (lost + r->span > g->partial_until)
        g->partial_until = lost + r->span;
    r->n.truncated++;
}

/* Entries of a value that came again later say nothing about how many values there are. */
static void keep_latest(struct hm_crun *r, struct hm_cgroup *g)
{
    if (hm_tally_reserve(&r->scan, g->w.count) < 0)
        return;
    hm_tally_clear(&r->scan);
    size_t out = g->w.count;
    for (size_t i = g->w.count; i-- > g->w.live;) {
        const struct hm_entry e = *hm_window_at(&g->w, i);
        if (hm_tally_of(&r->scan, e.hash)) {
            hm_tally_remove(&g->t, &e);
            continue;
        }
        hm_tally_add(&r->scan, &e);
        *hm_window_at(&g->w, --out) = e;
    }
    g->w.head += out;
    g->w.count -= out;
    g->w.live = 0;
}

/* Two neighbours become one at the earlier time: it leaves too soon, never too late. */
static void coalesce(struct hm_crun *r, struct hm_cgroup *g)
{
    hm_window_drop(&g->w, g->w.live);
    size_t half = g->w.count / 2;
    uint64_t lost = half ? hm_window_at(&g->w, 2 * half - 1)->time : 0;
    for (size_t i = 0; i < half; i++) {
        struct hm_entry a = *hm_window_at(&g->w, 2 * i), b = *hm_window_at(&g->w, 2 * i + 1);
        *hm_window_at(&g->w, i) = (struct hm_entry){a.time, b.token, .number = a.number + b.number,
                                                    .weight = a.weight + b.weight};
    }
    if (g->w.count % 2)
        *hm_window_at(&g->w, half) = *hm_window_at(&g->w, g->w.count - 1);
    g->w.count -= half;
    hm_tally_clear(&g->t);
    for (size_t i = 0; i < g->w.count; i++)
        hm_tally_add(&g->t, hm_window_at(&g->w, i));
    mark_partial(r, g, lost);
}

static void drop_quarter(struct hm_crun *r, struct hm_cgroup *g)
{
    size_t n = g->w.count / 4 + 1;
    if (g->w.live >= n) { /* only late events would have looked at them */
        hm_window_drop(&g->w, g->w.live);
        return;
    }
    uint64_t lost = hm_window_at(&g->w, n - 1)->time;
    if (hm_correlate_temporal(r->c)) {
        hm_window_drop(&g->w, n); /* what decides is in `last` */
        r->n.truncated++;
        return;
    }
    forget(g, n);
    mark_partial(r, g, lost);
}

static void make_room(struct hm_crun *r, struct hm_cgroup *g)
{
    size_t had = g->w.count;
    if (r->c->kind == HM_CORRELATION_VALUE_COUNT)
        keep_latest(r, g);
    else if (r->c->kind == HM_CORRELATION_VALUE_SUM || r->c->kind == HM_CORRELATION_VALUE_AVG)
        coalesce(r, g);
    if (g->w.count > had / 2)
        drop_quarter(r, g);
}

static bool reserve(struct hm_crun *r, struct hm_cgroup *g, size_t n, uint64_t stamp, uint64_t t)
{
    while (g->w.count && g->w.count + n > r->entries_max)
        make_room(r, g);
    size_t more = hm_window_growth(&g->w, n) + hm_tally_growth(&g->t, n);
    while (more && !hm_cgroups_afford(&r->groups, more, stamp, t)) {
        if (!g->w.count)
            return false;
        make_room(r, g);
        more = hm_window_growth(&g->w, n) + hm_tally_growth(&g->t, n);
    }
    size_t had = g->w.cap * sizeof *g->w.all + hm_tally_bytes(&g->t);
    int err = hm_window_reserve(&g->w, n);
    if (err == 0)
        err = hm_tally_reserve(&g->t, n);
    r->groups.bytes += g->w.cap * sizeof *g->w.all + hm_tally_bytes(&g->t) - had;
    return err == 0;
}

/* True: the event is too late to count. A run of such events means that the clock was set back:
 * the group begins anew with the one that completes the run. */
static bool too_late(struct hm_crun *r, struct hm_cgroup *g, uint64_t t)
{
    if (!g->begun || t >= before(g->newest, r->late)) {
        g->late_run = 0;
        return false;
    }
    if (++g->late_run < HM_CORRELATE_JUMP_RUN) {
        r->n.late++;
        return true;
    }
    hm_cgroup_clear(g, r->groups.ref_count);
    g->told = false;
    r->n.jumps++;
    return false;
}

static void insert(struct hm_crun *r, struct hm_cgroup *g, const struct hm_entry *e, bool late)
{
    hm_window_insert(&g->w, e);
    if (e->time < before(g->newest, r->span))
        g->w.live++;
    else if (!hm_correlate_temporal(r->c))
        hm_tally_add(&g->t, e);
    if (late && hm_correlate_temporal(r->c))
        hm_correlate_step_late(r, g, e);
}

struct hm_verdict hm_correlate_feed(struct hm_crun *r, struct hm_cgroup *g,
                                    const struct hm_entry *e, size_t n, uint64_t stamp)
{
    uint64_t t = e[0].time;
    if (too_late(r, g, t))
        return (struct hm_verdict){0};
    bool late = g->begun && t < g->newest;
    if (!late) {
        g->newest = t;
        g->begun = true;
        expire(r, g);
    }
    if (!reserve(r, g, n, stamp, t)) {
        r->n.dropped++;
        return (struct hm_verdict){0};
    }
    for (size_t i = 0; i < n; i++)
        insert(r, g, &e[i], late);
    r->n.events++;
    if (hm_correlate_temporal(r->c))
        return late ? hm_correlate_judge_steps_late(r, g, e) : hm_correlate_judge_steps(r, g, e);
    return late ? hm_correlate_judge_late(r, g, e, n) : hm_correlate_judge(r, g, e, n);
}
