/* See correlate.h. One event's rule hits to the groups they belong to, and on along the chains. */
#include "detect/correlate/parts.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/random.h>

static size_t or_default(size_t v, size_t d)
{
    return v && v < d ? v : d;
}

static void set_limits(struct hm_correlator *c, const struct hm_correlate_options *o)
{
    size_t bytes = o->bytes_max ? o->bytes_max : HM_CORRELATE_BYTES_MAX;
    size_t share = c->set.count ? bytes / c->set.count : bytes;
    for (size_t i = 0; i < c->set.count; i++) {
        struct hm_crun *r = &c->runs[i];
        r->c = c->set.items[i].correlation;
        r->span = r->c->timespan_ms;
        r->late =
            o->lateness_ms && o->lateness_ms < HM_CORRELATE_TIME_MAX ? o->lateness_ms : r->span;
        r->groups.span = r->span;
        r->groups.max = or_default(o->groups_max, HM_CORRELATE_GROUPS_MAX);
        r->groups.bytes_max = share < HM_CORRELATE_RULE_BYTES ? share : HM_CORRELATE_RULE_BYTES;
    }
}

int hm_correlator_new(const struct hm_correlate_set *set, const struct hm_correlate_options *o,
                      void (*problem)(void *ctx, size_t i, const struct hm_error *err), void *ctx,
                      struct hm_correlator **ret_c)
{
    static const struct hm_correlate_options none;
    struct hm_correlator *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->set = *set;
    c->runs = calloc(set->count + 1, sizeof *c->runs);
    c->order = calloc(set->count + 1, sizeof *c->order);
    bool ok = c->runs && c->order &&
              getrandom(c->secret, sizeof c->secret, 0) == (ssize_t)sizeof c->secret;
    if (ok)
        set_limits(c, o ? o : &none);
    bool chains = false;
    for (size_t i = 0; ok && i < set->count; i++)
        for (size_t k = 0; k < c->runs[i].c->ref_count; k++)
            chains |= c->runs[i].c->refs[k].is_correlation;
    if (ok && chains)
        ok = (c->inner_keys = calloc(HM_CORRELATE_PENDING_MAX, sizeof *c->inner_keys)) != NULL;
    if (!ok || hm_correlate_plan(c, problem, ctx) < 0) {
        hm_correlator_free(c);
        return -ENOMEM;
    }
    *ret_c = c;
    return 0;
}

void hm_correlator_free(struct hm_correlator *c)
{
    if (!c)
        return;
    for (size_t i = 0; c->runs && i < c->set.count; i++) {
        struct hm_crun *r = &c->runs[i];
        for (size_t k = 0; r->inherits && k < r->c->ref_count; k++)
            free(r->inherits[k]);
        free(r->inherits);
        hm_cgroups_done(&r->groups);
        hm_tally_done(&r->scan);
    }
    free(c->runs);
    free(c->order);
    free(c->feed_start);
    free(c->feeds);
    free(c->muted);
    free(c->inner_keys);
    free(c);
}

bool hm_correlator_mutes(const struct hm_correlator *c, uint32_t rule)
{
    return rule < c->set.rules && c->muted[rule];
}

bool hm_correlator_feeds(const struct hm_correlator *c, uint32_t rule)
{
    return rule < c->set.rules && c->feed_start[rule] != c->feed_start[rule + 1];
}

/* --- values ---------------------------------------------------------------------------------- */
static bool number_of(const struct hm_datum *d, double *ret_v)
{
    char text[64], *end;
    if (d->kind == HM_DATUM_NUMBER && !d->real) {
        *ret_v = (double)d->number;
        return fabs(*ret_v) <= HM_CORRELATE_NUMBER_MAX;
    }
    if ((d->kind != HM_DATUM_NUMBER && d->kind != HM_DATUM_TEXT) || !d->text.len ||
        d->text.len >= sizeof text)
        return false;
    for (size_t i = 0; i < d->text.len; i++) /* no "inf", "nan", hexadecimal or blanks */
        if (!strchr("0123456789+-.eE", d->text.p[i]) || !d->text.p[i])
            return false;
    memcpy(text, d->text.p, d->text.len);
    text[d->text.len] = 0;
    *ret_v = strtod(text, &end);
    return *end == 0 && fabs(*ret_v) <= HM_CORRELATE_NUMBER_MAX;
}

static bool one_value(const struct hm_correlator *c, const struct hm_crun *r,
                      const struct hm_datum *d, struct hm_entry *e)
{
    if (d->kind == HM_DATUM_ABSENT || d->kind == HM_DATUM_NULL || d->kind == HM_DATUM_LIST)
        return false;
    if (r->groups.kind != HM_TALLY_DISTINCT)
        return number_of(d, &e->number);
    e->hash = hm_siphash(c->secret, d->text.p, d->text.len);
    return true;
}

/* The values of several fields as one; an event that lacks one of them has no such value. */
static size_t tuple(struct hm_correlator *c, const struct hm_crun *r, const uint32_t *fields,
                    const struct hm_view *v, struct hm_entry e)
{
    size_t len = 0;
    for (size_t i = 0; i < r->c->value_field_count; i++) {
        char buf[HM_DATUM_BUF];
        struct hm_datum d = {0};
        v->get(v, fields[i], buf, &d);
        struct hm_slice text = hm_key_text(&d, c->scratch, sizeof c->scratch);
        if (!text.p)
            return 0;
        uint64_t hash = hm_siphash(c->secret, text.p, text.len);
        memcpy(c->key_words + len, &hash, sizeof hash);
        len += sizeof hash;
    }
    e.hash = hm_siphash(c->secret, c->key_words, len);
    c->entries[0] = e;
    return 1;
}

/* Fill c->entries; a list gives one entry per item. 0: the event has nothing to aggregate. */
static size_t entries_of(struct hm_correlator *c, const struct hm_crun *r, uint32_t ref,
                         uint64_t mask, const struct hm_view *v, struct hm_entry e)
{
    e.weight = 1;
    e.mask = mask;
    c->entries[0] = e;
    if (r->c->kind == HM_CORRELATION_EVENT_COUNT || hm_correlate_temporal(r->c))
        return 1;
    char buf[HM_DATUM_BUF];
    struct hm_datum d = {0};
    const uint32_t *fields = r->c->refs[ref].value_fields;
    if (r->c->value_field_count > 1)
        return tuple(c, r, fields, v, e);
    v->get(v, fields[0], buf, &d);
    const struct hm_datum *items = d.kind == HM_DATUM_LIST ? d.items : &d;
    size_t count = d.kind == HM_DATUM_LIST ? d.count : 1, n = 0;
    for (size_t i = 0; i < count && n < HM_CORRELATE_LIST_MAX; i++)
        if (one_value(c, r, &items[i], &e))
            c->entries[n++] = e;
    return n;
}

static void key_of(struct hm_correlator *c, const struct hm_crun *r, const struct hm_cpending *p,
                   const struct hm_view *v)
{
    c->key.len = 0;
    for (size_t i = 0; i < r->c->group_count; i++) {
        char buf[HM_DATUM_BUF];
        struct hm_datum d = {0};
        const int16_t *map = p->chained ? r->inherits[p->ref] : NULL;
        struct hm_slice text;
        if (map && map[i] >= 0) {
            text = hm_key_value(p->inner->bytes, p->inner->len, (size_t)map[i]);
        } else {
            v->get(v, r->c->refs[p->ref].group[i], buf, &d);
            text = hm_key_text(&d, c->scratch, sizeof c->scratch);
        }
        hm_key_add(&c->key, c->secret, text);
    }
}

/* --- hits ------------------------------------------------------------------------------------ */
static void push(struct hm_correlator *c, uint32_t slot, const struct hm_cgroup *inner)
{
    for (uint32_t f = c->feed_start[slot]; f < c->feed_start[slot + 1]; f++) {
        struct hm_cfeed to = c->feeds[f];
        if (c->pending_count == HM_CORRELATE_PENDING_MAX) {
            c->runs[to.run].n.dropped++;
            continue;
        }
        struct hm_cpending *p = &c->pending[c->pending_count];
        *p = (struct hm_cpending){.run = to.run, .ref = to.ref, .chained = inner};
        if (inner) {
            p->inner = &c->inner_keys[c->pending_count];
            p->inner->len = inner->key_len;
            memcpy(p->inner->bytes, inner->key_len ? inner->key : (const uint8_t *)"",
                   inner->key_len);
        }
        c->pending_count++;
    }
}

static size_t evidence(struct hm_correlator *c, const struct hm_cgroup *g,
                       const struct hm_verdict *v)
{
    size_t n = 0;
    for (size_t i = v->to; i-- > v->from && n < HM_CORRELATE_EVIDENCE_MAX;) {
        uint64_t token = hm_window_at(&g->w, i)->token;
        if (!n || c->tokens[HM_CORRELATE_EVIDENCE_MAX - n] != token)
            c->tokens[HM_CORRELATE_EVIDENCE_MAX - ++n] = token;
    }
    return n;
}

static bool repeats(const struct hm_crun *r, struct hm_cgroup *g, uint64_t t)
{
    uint64_t apart = t > g->told_ms ? t - g->told_ms : g->told_ms - t;
    if (g->told && apart <= r->span)
        return true;
    g->told = true;
    g->told_ms = t;
    return false;
}

static void tell(struct hm_correlator *c, uint32_t run, struct hm_cgroup *g,
                 const struct hm_verdict *v, uint64_t t, uint64_t token, hm_correlation_hit_fn hit,
                 void *ctx)
{
    struct hm_crun *r = &c->runs[run];
    for (size_t i = 0; i < r->c->group_count; i++)
        c->values[i] = hm_key_value(g->key, g->key_len, i);
    size_t n = evidence(c, g, v);
    struct hm_correlation_hit h = {
        .correlation = run,
        .time_ms = t,
        .token = token,
        .value = v->value,
        .at_least = g->partial_until >= t && g->partial_until,
        .repeated = repeats(r, g, t),
        .group_count = r->c->group_count,
        .group_names = r->c->group_names,
        .group = c->values,
        .token_count = n,
        .tokens = c->tokens + HM_CORRELATE_EVIDENCE_MAX - n,
    };
    r->n.hits++;
    r->n.repeated += h.repeated;
    if (hit)
        hit(ctx, &h);
    push(c, (uint32_t)(c->set.rules + run), g);
}

/* The other pending hits of this event that fall into the same group: the event counts once. */
static uint64_t merge(struct hm_correlator *c, const struct hm_crun *r, size_t first,
                      const struct hm_view *v)
{
    uint64_t mask = 1ull << (c->pending[first].ref & 63);
    size_t others = 0;
    c->pending[first].taken = true;
    for (size_t i = first + 1; i < c->pending_count; i++)
        others += c->pending[i].run == c->pending[first].run;
    if (!others) /* nearly always */
        return mask;
    const struct hm_key key = c->key;
    for (size_t i = first + 1; i < c->pending_count; i++) {
        struct hm_cpending *p = &c->pending[i];
        if (p->run != c->pending[first].run || p->taken)
            continue;
        key_of(c, r, p, v);
        if (c->key.len != key.len || memcmp(c->key.bytes, key.bytes, key.len) != 0)
            continue;
        p->taken = true;
        mask |= 1ull << (p->ref & 63);
    }
    c->key = key;
    return mask;
}

static void run_pending(struct hm_correlator *c, size_t first, const struct hm_view *v, uint64_t t,
                        uint64_t token, hm_correlation_hit_fn hit, void *ctx)
{
    struct hm_cpending p = c->pending[first];
    struct hm_crun *r = &c->runs[p.run];
    key_of(c, r, &p, v);
    uint64_t mask = merge(c, r, first, v);
    size_t n = entries_of(c, r, p.ref, mask, v, (struct hm_entry){.time = t, .token = token});
    if (!n) {
        r->n.no_value++;
        return;
    }
    struct hm_cgroup *g = hm_cgroups_get(&r->groups, c->secret, &c->key, c->stamp, t);
    if (!g) {
        r->n.dropped++;
        return;
    }
    struct hm_verdict verdict = hm_correlate_feed(r, g, c->entries, n, c->stamp);
    if (verdict.fires)
        tell(c, p.run, g, &verdict, t, token, hit, ctx);
}

void hm_correlator_event(struct hm_correlator *c, const struct hm_view *v, const uint32_t *rules,
                         size_t rule_count, uint64_t time_ms, uint64_t token,
                         hm_correlation_hit_fn hit, void *ctx)
{
    uint64_t t = time_ms < HM_CORRELATE_TIME_MAX ? time_ms : HM_CORRELATE_TIME_MAX;
    c->pending_count = 0;
    for (size_t i = 0; i < rule_count; i++)
        if (rules[i] < c->set.rules)
            push(c, rules[i], NULL);
    if (!c->pending_count)
        return;
    c->stamp++;
    for (size_t o = 0; o < c->set.count; o++)
        for (size_t i = 0; i < c->pending_count; i++)
            if (c->pending[i].run == c->order[o] && !c->pending[i].taken)
                run_pending(c, i, v, t, token, hit, ctx);
}

void hm_correlator_counts(const struct hm_correlator *c, size_t i,
                          struct hm_correlate_counts *ret_n)
{
    *ret_n = c->runs[i].n;
    ret_n->evicted = c->runs[i].groups.evicted;
    ret_n->groups = c->runs[i].groups.count;
    ret_n->bytes = c->runs[i].groups.bytes;
}
