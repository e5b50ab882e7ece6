/* Owns how our own events are matched: each by the views that some rule of its action needs, and a
 * rule told once however many readings of the event it matches. */
#include "detect/set/parts.h"
#include "detect/view/logs.h"

static void note(struct hm_match_scratch *s, const uint32_t *rules, size_t n)
{
    for (size_t i = 0; i < n; i++)
        s->seen[rules[i] / 64] |= UINT64_C(1) << (rules[i] % 64);
}

struct matching {
    const struct hm_ruleset *rs;
    struct hm_match_scratch *s;
    const struct hm_event *e;
    const uint32_t *rules; /* of the only match that hit */
    size_t count;
    bool several;
};

/* The rules that one reading hit. */
static void hits(struct matching *m, const uint32_t *rules, size_t n)
{
    struct hm_match_scratch *s = m->s;
    if (n == 0)
        return;
    if (!m->count) { /* the scratch's list is its own until the next match */
        memcpy(s->merged, rules, n * sizeof *rules);
        m->rules = s->merged;
        m->count = n;
        return;
    }
    if (!m->several) {
        memset(s->seen, 0, (m->rs->count / 64 + 1) * sizeof *s->seen);
        note(s, m->rules, m->count);
        m->several = true;
    }
    note(s, rules, n);
}

static const uint64_t *switched_off(const struct matching *m)
{
    return m->rs->any_off ? m->rs->off : NULL;
}

static void match_reading(struct matching *m, const struct hm_reading *r, size_t sources)
{
    const uint32_t *rules;
    size_t n = hm_program_match(m->rs->program, m->s->s, &r->view, m->s->sources, sources,
                                switched_off(m), &rules);
    hits(m, rules, n);
}

static void match_part(struct matching *m, const struct hm_reading *r,
                       const struct hm_program_part *part)
{
    const uint32_t *rules;
    size_t n = hm_program_match_part(part, m->s->s, &r->view, switched_off(m), &rules);
    hits(m, rules, n);
}

static uint32_t source_of(const struct hm_ruleset *rs, enum hm_view_kind view, uint64_t action)
{
    uint32_t own = action < HM_SET_ACTIONS ? rs->by_action[view][action] : 0;
    return own ? own : rs->every[view];
}

static void match_own(struct matching *m, uint64_t action)
{
    const struct hm_ruleset *rs = m->rs;
    struct hm_reading readings[HM_READINGS_MAX];
    uint32_t source = source_of(rs, HM_VIEW_EVENT, action);
    if (!source || hm_program_part_empty(rs->parts->own[source]))
        return;
    size_t n = hm_readings(rs->bindings, HM_VIEW_EVENT, m->e, readings);
    for (size_t i = 0; i < n; i++)
        match_part(m, &readings[i], rs->parts->own[source]);
}

/* Records of which nothing is known beforehand. */
static void match_unusual(struct matching *m, uint32_t source)
{
    struct hm_reading readings[HM_READINGS_MAX];
    size_t sources = 0, n = hm_readings(m->rs->bindings, HM_VIEW_AUDITD, m->e, readings);
    if (m->rs->every[HM_VIEW_AUDITD] && m->rs->every[HM_VIEW_AUDITD] != source)
        m->s->sources[sources++] = m->rs->every[HM_VIEW_AUDITD];
    m->s->sources[sources++] = source;
    for (size_t i = 0; i < n; i++)
        match_reading(m, &readings[i], sources);
}

static void match_records(struct matching *m, uint64_t action)
{
    const struct hm_ruleset *rs = m->rs;
    struct hm_reading readings[HM_READINGS_MAX];
    uint32_t source = source_of(rs, HM_VIEW_AUDITD, action);
    if (!source)
        return;
    const struct hm_set_records *records = &rs->parts->records[source];
    if (!records->event || !hm_audit_usual(records->event, m->e)) {
        match_unusual(m, source);
        return;
    }
    if (!records->wanted)
        return;
    size_t n = hm_audit_readings(rs->bindings, m->e, records->wanted, readings);
    for (size_t i = 0; i < n; i++)
        match_part(m, &readings[i], records->of[readings[i].record]);
}

static void match_logs(struct matching *m)
{
    struct hm_reading readings[HM_READINGS_MAX];
    size_t n = hm_readings(m->rs->bindings, HM_VIEW_LOG, m->e, readings);
    for (size_t i = 0; i < n; i++) {
        size_t sources = 0;
        for (uint32_t bits = readings[i].logs; bits; bits &= bits - 1) {
            unsigned bit = (unsigned)__builtin_ctz(bits);
            if (m->rs->by_log[bit])
                m->s->sources[sources++] = m->rs->by_log[bit];
        }
        if (sources)
            match_reading(m, &readings[i], sources);
    }
}

static void merge(struct matching *m)
{
    struct hm_match_scratch *s = m->s;
    size_t n = 0;
    for (size_t w = 0; w <= m->rs->count / 64; w++)
        for (uint64_t bits = s->seen[w]; bits; bits &= bits - 1)
            s->merged[n++] = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(bits);
    m->rules = s->merged;
    m->count = n;
}

size_t hm_ruleset_match_event(const struct hm_ruleset *rs, struct hm_match_scratch *s,
                              const struct hm_event *e, const uint32_t **ret_rules)
{
    struct matching m = {.rs = rs, .s = s, .e = e};
    uint64_t action = hm_event_u64(e, HM_F_ACTION);
    if (!rs->routed) { /* log sources ignored: every rule reads the event as what it is */
        struct hm_reading r[HM_READINGS_MAX];
        s->sources[0] = 0;
        for (int view = 0; view < HM_VIEW_KINDS; view++) {
            size_t n = hm_readings(rs->bindings, (enum hm_view_kind)view, e, r);
            for (size_t i = 0; i < n; i++)
                match_reading(&m, &r[i], 1);
        }
    } else {
        match_own(&m, action);
        match_records(&m, action);
        if (action == HM_ACTION_FOREIGN_LOG)
            match_logs(&m);
    }
    if (m.several)
        merge(&m);
    *ret_rules = m.rules;
    return m.count;
}

void hm_ruleset_match(const struct hm_ruleset *rs, struct hm_match_scratch *s,
                      const struct hm_event *e, void (*hit)(void *ctx, const struct hm_rule *r),
                      void *ctx)
{
    const uint32_t *rules;
    size_t n = hm_ruleset_match_event(rs, s, e, &rules);
    for (size_t i = 0; i < n; i++)
        if (!rs->silent[rules[i]])
            hit(ctx, &rs->rules[rules[i]]);
}

bool hm_ruleset_read(const struct hm_ruleset *rs, const struct hm_event *e,
                     struct hm_reading *ret_r)
{
    struct hm_reading r[HM_READINGS_MAX];
    bool log = hm_event_u64(e, HM_F_ACTION) == HM_ACTION_FOREIGN_LOG;
    if (!rs->bindings || !hm_readings(rs->bindings, log ? HM_VIEW_LOG : HM_VIEW_EVENT, e, r))
        return false;
    *ret_r = r[0];
    return true;
}
