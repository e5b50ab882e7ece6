/* What is decided once per rule set: which correlations can run, who feeds whom, inner before
 * outer. A correlation that could never fire or not be decided in bounded memory is refused with
 * its reason. */
#include "detect/correlate/parts.h"
#include <math.h>
#include <stdlib.h>

static bool counts(const struct hm_correlation *c)
{
    return c->kind == HM_CORRELATION_EVENT_COUNT || c->kind == HM_CORRELATION_VALUE_COUNT ||
           c->kind == HM_CORRELATION_TEMPORAL;
}

/* The smallest count from 1 on that satisfies the bounds, 0: none does. Bounds change their answer
 * only around their values. */
static double least_count(const struct hm_correlation *c)
{
    double least = hm_correlate_bounds(c, 1) ? 1 : 0;
    for (size_t i = 0; i < c->bound_count; i++)
        for (double v = floor(c->bounds[i].value) - 1; v <= floor(c->bounds[i].value) + 1; v++)
            if (v >= 1 && (least == 0 || v < least) && hm_correlate_bounds(c, v))
                least = v;
    return least;
}

static int check_bounds(const struct hm_correlation *c, struct hm_error *err)
{
    if (c->bound_count == 0)
        return hm_correlate_temporal(c) ? 0 : hm_fail(err, -EINVAL, "no bound to compare with");
    for (size_t i = 0; i < c->bound_count; i++)
        if (!isfinite(c->bounds[i].value))
            return hm_fail(err, -EINVAL, "the bound is not a finite number");
    if (!counts(c))
        return 0;
    double least = least_count(c);
    if (least == 0)
        return hm_fail(err, -EINVAL,
                       "no count satisfies this: counts begin at 1 with the event that is looked "
                       "at, absence is not an event");
    for (size_t i = 0; i < c->bound_count; i++)
        if (c->bounds[i].value > HM_CORRELATE_BOUND_MAX)
            return hm_fail(err, -E2BIG, "the bound is over %d", HM_CORRELATE_BOUND_MAX);
    if (c->kind == HM_CORRELATION_TEMPORAL && least > (double)c->ref_count)
        return hm_fail(err, -EINVAL, "more different rules are wanted than are named");
    return 0;
}

static int check_ordered(const struct hm_correlation *c, struct hm_error *err)
{
    for (size_t n = 1; n <= c->ref_count && c->bound_count; n++)
        if (hm_correlate_bounds(c, (double)n) != (n == c->ref_count))
            return hm_fail(err, -EOPNOTSUPP,
                           "temporal_ordered with a bound other than all of its rules");
    return 0;
}

static bool wants_value(const struct hm_correlation *c)
{
    return c->kind == HM_CORRELATION_VALUE_COUNT || c->kind >= HM_CORRELATION_VALUE_SUM;
}

static int check(const struct hm_correlation *c, const struct hm_correlate_set *set,
                 struct hm_error *err)
{
    if (!c->ref_count)
        return hm_fail(err, -EINVAL, "no rules to correlate");
    if (c->timespan_ms == 0 || c->timespan_ms > HM_CORRELATE_TIME_MAX)
        return hm_fail(err, -EINVAL, "the timespan is out of range");
    if (c->group_count > HM_CORRELATE_GROUP_BY_MAX)
        return hm_fail(err, -E2BIG, "more than %d group-by fields", HM_CORRELATE_GROUP_BY_MAX);
    if (hm_correlate_temporal(c) && c->ref_count > HM_CORRELATE_REFS_MAX)
        return hm_fail(err, -E2BIG, "more than %d rules", HM_CORRELATE_REFS_MAX);
    if (c->kind == HM_CORRELATION_VALUE_PERCENTILE && c->percentile > 100)
        return hm_fail(err, -EINVAL, "the percentile is over 100");
    for (size_t i = 0; i < c->ref_count; i++) {
        if (c->refs[i].rule >= (c->refs[i].is_correlation ? set->count : set->rules))
            return hm_fail(err, -EINVAL, "it refers to a rule that is not there");
    }
    if (wants_value(c) && c->value_field_count == 0)
        return hm_fail(err, -EINVAL, "no field whose values to aggregate");
    if (c->value_field_count > 1 && c->kind != HM_CORRELATION_VALUE_COUNT)
        return hm_fail(err, -EINVAL, "several fields can be counted, not calculated with");
    if (c->value_field_count > HM_CORRELATE_GROUP_BY_MAX)
        return hm_fail(err, -E2BIG, "more than %d fields", HM_CORRELATE_GROUP_BY_MAX);
    int r = check_bounds(c, err);
    if (r == 0 && c->kind == HM_CORRELATION_TEMPORAL_ORDERED)
        r = check_ordered(c, err);
    return r;
}

/* --- inner before outer ---------------------------------------------------------------------- */
struct visit {
    struct hm_correlator *c;
    uint8_t *state; /* 0 new, 1 in work, 2 done */
    size_t done;
};

static int visit(struct visit *v, uint32_t i, unsigned depth)
{
    const struct hm_correlation *c = v->c->set.items[i].correlation;
    if (v->state[i] == 2)
        return 0;
    if (v->state[i] == 1 || depth > HM_CORRELATE_DEPTH_MAX)
        return -ELOOP;
    v->state[i] = 1;
    int r = 0;
    for (size_t k = 0; k < c->ref_count && r == 0; k++)
        if (c->refs[k].is_correlation && c->refs[k].rule < v->c->set.count)
            r = visit(v, c->refs[k].rule, depth + 1);
    if (r == 0) {
        v->state[i] = 2;
        v->c->order[v->done++] = i;
    } else {
        v->state[i] = 0;
    }
    return r;
}

static uint64_t wanted(const struct hm_ast *n, bool negated)
{
    if (n->kind == HM_AST_TEST)
        return negated || n->test.field > 63 ? 0 : 1ull << n->test.field;
    uint64_t m = 0;
    for (size_t i = 0; i < n->count; i++)
        m |= wanted(n->kids[i], negated ^ (n->kind == HM_AST_NOT));
    return m;
}

/* --- a chain's group: the inner group's value where it has that name, else the event's -----------
 */
static int inherit(struct hm_correlator *c, struct hm_crun *r, size_t ref)
{
    const struct hm_correlation *inner = c->set.items[r->c->refs[ref].rule].correlation;
    int16_t *map = malloc((r->c->group_count + 1) * sizeof *map);
    if (!map)
        return -ENOMEM;
    r->inherits[ref] = map;
    for (size_t i = 0; i < r->c->group_count; i++) {
        const char *name =
            c->set.names ? hm_names_text(c->set.names, r->c->refs[ref].group[i]) : NULL;
        map[i] = -1;
        for (size_t k = 0; k < inner->group_count; k++)
            if (strcmp(inner->group_names[k], r->c->group_names[i]) == 0 ||
                (name && strcmp(inner->group_names[k], name) == 0))
                map[i] = (int16_t)k;
    }
    return 0;
}

static enum hm_tally_kind tally_kind(const struct hm_correlation *c)
{
    if (c->kind == HM_CORRELATION_VALUE_COUNT || hm_correlate_share(c))
        return HM_TALLY_DISTINCT;
    if (c->kind == HM_CORRELATION_VALUE_SUM || c->kind == HM_CORRELATION_VALUE_AVG)
        return HM_TALLY_SUM;
    return c->kind == HM_CORRELATION_VALUE_PERCENTILE ? HM_TALLY_ORDER : HM_TALLY_COUNT;
}

static int prepare(struct hm_correlator *c, struct hm_crun *r)
{
    bool temporal = hm_correlate_temporal(r->c);
    r->scan.kind = r->groups.kind = tally_kind(r->c);
    r->entries_max = temporal                         ? HM_CORRELATE_STEPS_MAX
                     : r->scan.kind == HM_TALLY_ORDER ? HM_CORRELATE_SAMPLE_MAX
                                                      : HM_CORRELATE_WINDOW_MAX;
    r->groups.ref_count = temporal ? r->c->ref_count : 0;
    r->all = r->c->ref_count >= 64 ? UINT64_MAX : (1ull << r->c->ref_count) - 1;
    r->wanted = r->c->condition ? wanted(r->c->condition, false) : r->all;
    r->inherits = calloc(r->c->ref_count + 1, sizeof *r->inherits);
    if (!r->inherits)
        return -ENOMEM;
    for (size_t k = 0; k < r->c->ref_count; k++)
        if (r->c->refs[k].is_correlation && inherit(c, r, k) < 0)
            return -ENOMEM;
    return 0;
}

static int feeds(struct hm_correlator *c)
{
    size_t slots = c->set.rules + c->set.count, total = 0;
    uint8_t *told = calloc(c->set.rules + 1, 1);
    c->feed_start = calloc(slots + 2, sizeof *c->feed_start);
    c->muted = calloc(c->set.rules + 1, 1);
    if (told && c->feed_start && c->muted)
        for (size_t i = 0; i < c->set.count; i++)
            for (size_t k = 0; !c->runs[i].dormant && k < c->runs[i].c->ref_count; k++) {
                size_t rule = hm_correlate_slot(&c->set, &c->runs[i].c->refs[k]);
                c->feed_start[rule + 2]++;
                total++;
                if (rule < c->set.rules) {
                    c->muted[rule] = 1;
                    told[rule] |= c->runs[i].c->generate;
                }
            }
    c->feeds = calloc(total + 1, sizeof *c->feeds);
    if (!told || !c->feed_start || !c->muted || !c->feeds) {
        free(told);
        return -ENOMEM;
    }
    for (size_t i = 0; i < c->set.rules; i++)
        c->muted[i] &= !told[i];
    free(told);
    for (size_t i = 1; i < slots + 2; i++)
        c->feed_start[i] += c->feed_start[i - 1];
    for (uint32_t i = 0; i < c->set.count; i++)
        for (uint32_t k = 0; !c->runs[i].dormant && k < c->runs[i].c->ref_count; k++)
            c->feeds[c->feed_start[hm_correlate_slot(&c->set, &c->runs[i].c->refs[k]) + 1]++] =
                (struct hm_cfeed){i, k};
    return 0;
}

/* A correlation over a refused one would be silent for ever: refused too. Inner comes first. */
static int check_inner(const struct hm_correlator *c, const struct hm_correlation *x,
                       struct hm_error *err)
{
    for (size_t k = 0; k < x->ref_count; k++)
        if (x->refs[k].is_correlation && c->runs[x->refs[k].rule].dormant)
            return hm_fail(err, -EINVAL, "it refers to a correlation that was refused");
    return 0;
}

int hm_correlate_plan(struct hm_correlator *c,
                      void (*problem)(void *ctx, size_t i, const struct hm_error *err), void *ctx)
{
    struct visit v = {.c = c, .state = calloc(c->set.count + 1, 1)};
    if (!v.state)
        return -ENOMEM;
    for (uint32_t i = 0; i < c->set.count; i++)
        c->runs[i].dormant = visit(&v, i, 0) < 0;
    free(v.state);
    for (uint32_t i = 0; i < c->set.count; i++)
        if (c->runs[i].dormant)
            c->order[v.done++] = i;
    for (size_t o = 0; o < c->set.count; o++) {
        uint32_t i = c->order[o];
        struct hm_crun *r = &c->runs[i];
        struct hm_error err = {0};
        int bad = r->dormant ? hm_fail(&err, -ELOOP,
                                       "the chain of correlations is a loop or deeper than %d",
                                       HM_CORRELATE_DEPTH_MAX)
                             : check(r->c, &c->set, &err);
        if (bad == 0)
            bad = check_inner(c, r->c, &err);
        r->dormant = bad < 0;
        if (bad == 0 && prepare(c, r) < 0)
            return -ENOMEM;
        if (bad < 0 && problem)
            problem(ctx, i, &err);
    }
    return feeds(c);
}
