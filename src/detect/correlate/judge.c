/* Does a window satisfy the condition: counts, sums, averages, percentiles, shares. */
#include "detect/correlate/parts.h"

bool hm_correlate_bounds(const struct hm_correlation *c, double v)
{
    for (size_t i = 0; i < c->bound_count; i++) {
        double b = c->bounds[i].value;
        const bool holds[] = {
            [HM_BOUND_LT] = v<b, [HM_BOUND_LTE] = v <= b, [HM_BOUND_GT] = v> b,
            [HM_BOUND_GTE] = v >= b,
            [HM_BOUND_EQ] = v == b,
            [HM_BOUND_NEQ] = v != b,
        };
        if (!holds[c->bounds[i].op])
            return false;
    }
    return true;
}

/* The share of each value the event has; fires when one of them is in bounds. */
static bool share(const struct hm_crun *r, const struct hm_tally *t, const struct hm_entry *e,
                  size_t n, double *ret_value)
{
    for (size_t i = 0; i < n; i++) {
        *ret_value = 100 * (double)hm_tally_of(t, e[i].hash) / (double)t->n;
        if (hm_correlate_bounds(r->c, *ret_value))
            return true;
    }
    return false;
}

static bool holds(const struct hm_crun *r, const struct hm_tally *t, const struct hm_entry *e,
                  size_t n, double *ret_value)
{
    if (!t->n)
        return false;
    switch (r->c->kind) {
    case HM_CORRELATION_VALUE_COUNT:
        *ret_value = (double)t->distinct;
        break;
    case HM_CORRELATION_VALUE_SUM:
        *ret_value = hm_tally_sum(t);
        break;
    case HM_CORRELATION_VALUE_AVG:
        *ret_value = hm_tally_sum(t) / (double)t->n;
        break;
    case HM_CORRELATION_VALUE_PERCENTILE:
        if (hm_correlate_share(r->c))
            return share(r, t, e, n, ret_value);
        *ret_value = hm_tally_percentile(t, r->c->percentile);
        break;
    default:
        *ret_value = (double)t->n;
    }
    return hm_correlate_bounds(r->c, *ret_value);
}

struct hm_verdict hm_correlate_judge(struct hm_crun *r, struct hm_cgroup *g,
                                     const struct hm_entry *e, size_t n)
{
    struct hm_verdict v = {.from = g->w.live, .to = g->w.count};
    v.fires = holds(r, &g->t, e, n, &v.value);
    return v;
}

/* Every window that the late event is in: they end at the event itself or at a later entry. */
struct hm_verdict hm_correlate_judge_late(struct hm_crun *r, struct hm_cgroup *g,
                                          const struct hm_entry *e, size_t n)
{
    struct hm_verdict v = {0};
    const struct hm_window *w = &g->w;
    uint64_t t = e[0].time;
    v.from = hm_window_lower(w, t > r->span ? t - r->span : 0);
    hm_tally_clear(&r->scan);
    for (size_t i = v.from; i < w->count && hm_window_at(w, i)->time <= t + r->span; i++) {
        const struct hm_entry *at = hm_window_at(w, i);
        if (hm_tally_reserve(&r->scan, 1) < 0) {
            r->n.dropped++;
            return (struct hm_verdict){0};
        }
        hm_tally_add(&r->scan, at);
        if (at->time < t || (i + 1 < w->count && hm_window_at(w, i + 1)->time == at->time))
            continue;
        for (; hm_window_at(w, v.from)->time + r->span < at->time; v.from++)
            hm_tally_remove(&r->scan, hm_window_at(w, v.from));
        v.to = i + 1;
        if (holds(r, &r->scan, e, n, &v.value)) {
            v.fires = true;
            return v;
        }
    }
    return v;
}
