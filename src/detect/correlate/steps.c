/* temporal and temporal_ordered: which of the referenced rules are in the window, and in order?
 *
 * For events in order `last` decides alone, whatever was dropped from the window: temporal keeps
 * each rule's latest time, temporal_ordered the latest start of a chain that ends with each rule.
 * Late events walk the entries. One event fills one step of a chain, never two. */
#include "detect/correlate/parts.h"

static bool holds(const struct hm_ast *n, uint64_t present)
{
    bool r = n->kind == HM_AST_AND;
    if (n->kind == HM_AST_TEST)
        return n->test.field < 64 && present >> n->test.field & 1;
    if (n->kind == HM_AST_NOT)
        return !holds(n->kids[0], present);
    for (size_t i = 0; i < n->count && r == (n->kind == HM_AST_AND); i++)
        r = holds(n->kids[i], present);
    return r;
}

static bool enough(const struct hm_crun *r, uint64_t present)
{
    if (r->c->condition)
        return holds(r->c->condition, present);
    if (r->c->bound_count)
        return hm_correlate_bounds(r->c, __builtin_popcountll(present));
    return present == r->all;
}

static bool ordered(const struct hm_crun *r)
{
    return r->c->kind == HM_CORRELATION_TEMPORAL_ORDERED;
}

static uint64_t presence(const struct hm_window *w, size_t from, size_t to)
{
    uint64_t m = 0;
    for (size_t i = from; i < to; i++)
        m |= hm_window_at(w, i)->mask;
    return m;
}

/* One entry moves every chain it can by one step; from the last step down, so that it fills one. */
static void advance(uint64_t *start, uint64_t steps, const struct hm_entry *e)
{
    for (uint64_t left = steps & e->mask; left;) {
        unsigned k = 63 - (unsigned)__builtin_clzll(left);
        left &= ~(1ull << k);
        uint64_t below = steps & ((1ull << k) - 1);
        uint64_t s = below ? start[63 - __builtin_clzll(below)] : e->time + 1;
        if (s > start[k])
            start[k] = s;
    }
}

void hm_correlate_step(struct hm_crun *r, struct hm_cgroup *g, const struct hm_entry *e)
{
    if (ordered(r)) {
        advance(g->last, r->all, e);
        return;
    }
    for (uint64_t left = e->mask; left; left &= left - 1) {
        uint64_t *last = &g->last[__builtin_ctzll(left)];
        if (e->time + 1 > *last)
            *last = e->time + 1;
    }
}

void hm_correlate_step_late(struct hm_crun *r, struct hm_cgroup *g, const struct hm_entry *e)
{
    if (!ordered(r)) {
        hm_correlate_step(r, g, e);
        return;
    }
    uint64_t start[HM_CORRELATE_REFS_MAX] = {0};
    for (size_t i = 0; i < g->w.count; i++)
        advance(start, r->all, hm_window_at(&g->w, i));
    for (size_t k = 0; k < r->c->ref_count; k++)
        if (start[k] > g->last[k])
            g->last[k] = start[k];
}

/* Is entry `at` a step of a chain through all of `steps` that fits in a timespan? */
static bool chained(const struct hm_crun *r, const struct hm_window *w, size_t at, uint64_t steps,
                    struct hm_verdict *ret_v)
{
    const struct hm_entry *e = hm_window_at(w, at);
    uint64_t start[HM_CORRELATE_REFS_MAX] = {0};
    size_t from = hm_window_lower(w, e->time > r->span ? e->time - r->span : 0);
    for (size_t i = from; i < at; i++)
        advance(start, steps, hm_window_at(w, i));
    for (uint64_t mine = e->mask & steps; mine; mine &= mine - 1) {
        unsigned k = (unsigned)__builtin_ctzll(mine);
        uint64_t below = steps & ((1ull << k) - 1);
        uint64_t s = below ? start[63 - __builtin_clzll(below)] : e->time + 1;
        uint64_t rest = k == 63 ? 0 : steps & ~((2ull << k) - 1);
        size_t i = at;
        while (s && rest && ++i < w->count && hm_window_at(w, i)->time <= s - 1 + r->span)
            if (hm_window_at(w, i)->mask >> __builtin_ctzll(rest) & 1)
                rest &= rest - 1;
        if (s && !rest && s - 1 + r->span >= e->time) {
            *ret_v = (struct hm_verdict){true, __builtin_popcountll(steps),
                                         hm_window_lower(w, s - 1), i < w->count ? i + 1 : i};
            return true;
        }
    }
    return false;
}

static size_t index_of(const struct hm_window *w, const struct hm_entry *e)
{
    size_t i = hm_window_lower(w, e->time + 1);
    while (i > 0 && hm_window_at(w, i - 1)->token != e->token)
        i--;
    return i ? i - 1 : 0;
}

/* temporal_ordered with a condition: the rules it wants and that are there, in order. */
static struct hm_verdict judge_condition(const struct hm_crun *r, const struct hm_cgroup *g,
                                         const struct hm_entry *e)
{
    struct hm_verdict v = {0};
    const struct hm_window *w = &g->w;
    size_t at = index_of(w, e);
    size_t from = hm_window_lower(w, e->time > r->span ? e->time - r->span : 0);
    size_t to = hm_window_lower(w, e->time + 1);
    uint64_t present = presence(w, from, to);
    if (enough(r, present) && chained(r, w, at, present & r->wanted, &v))
        return v;
    present = presence(w, w->live, w->count);
    if (at >= w->live && enough(r, present) && chained(r, w, at, present & r->wanted, &v))
        return v;
    return (struct hm_verdict){0};
}

static struct hm_verdict judge_ordered(struct hm_crun *r, struct hm_cgroup *g,
                                       const struct hm_entry *e)
{
    size_t n = r->c->ref_count;
    uint64_t s = n > 1 ? g->last[n - 2] : e->time + 1; /* before this event steps in */
    hm_correlate_step(r, g, e);
    if (r->c->condition)
        return judge_condition(r, g, e);
    struct hm_verdict v = {.value = (double)n, .to = g->w.count};
    v.fires = e->mask >> (n - 1) & 1 && s && s - 1 + r->span >= e->time;
    v.from = v.fires ? hm_window_lower(&g->w, s - 1) : 0;
    return v;
}

struct hm_verdict hm_correlate_judge_steps(struct hm_crun *r, struct hm_cgroup *g,
                                           const struct hm_entry *e)
{
    if (ordered(r))
        return judge_ordered(r, g, e);
    hm_correlate_step(r, g, e);
    uint64_t present = 0;
    for (size_t i = 0; i < r->c->ref_count; i++)
        if (g->last[i] && g->last[i] - 1 + r->span >= e->time)
            present |= 1ull << i;
    struct hm_verdict v = {
        .value = __builtin_popcountll(present), .from = g->w.live, .to = g->w.count};
    v.fires = enough(r, present);
    return v;
}

struct hm_verdict hm_correlate_judge_steps_late(struct hm_crun *r, struct hm_cgroup *g,
                                                const struct hm_entry *e)
{
    struct hm_verdict v = {0};
    const struct hm_window *w = &g->w;
    if (ordered(r) && r->c->condition)
        return judge_condition(r, g, e);
    if (ordered(r))
        return chained(r, w, index_of(w, e), r->all, &v) ? v : (struct hm_verdict){0};
    uint32_t seen[HM_CORRELATE_REFS_MAX] = {0};
    uint64_t present = 0;
    v.from = hm_window_lower(w, e->time > r->span ? e->time - r->span : 0);
    for (size_t i = v.from; i < w->count; i++) {
        const struct hm_entry *at = hm_window_at(w, i);
        if (at->time > e->time + r->span)
            break;
        for (uint64_t m = at->mask; m; m &= m - 1)
            seen[__builtin_ctzll(m)]++;
        present |= at->mask;
        if (at->time < e->time || (i + 1 < w->count && hm_window_at(w, i + 1)->time == at->time))
            continue;
        for (; hm_window_at(w, v.from)->time + r->span < at->time; v.from++)
            for (uint64_t m = hm_window_at(w, v.from)->mask; m; m &= m - 1)
                if (--seen[__builtin_ctzll(m)] == 0)
                    present &= ~(m & -m);
        if (enough(r, present))
            return (struct hm_verdict){true, __builtin_popcountll(present), v.from, i + 1};
    }
    return (struct hm_verdict){0};
}
