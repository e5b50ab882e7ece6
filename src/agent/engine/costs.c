/* See costs.h. */
#include "agent/engine/costs.h"
#include "agent/engine/limits.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum over { OVER_REPORT, OVER_OFF };
struct policy {
    uint64_t share_permille, mean_us;
    enum over over;
};
static const struct policy defaults = {10, 200, OVER_REPORT};

struct rule_state {
    struct hm_rule_cost_report last;
    bool told, off;
};
struct hm_costs {
    struct policy policy;
    struct hm_ruleset *rules;
    struct rule_state *state; /* by rule */
    size_t count;
    uint64_t looked_ns;
};

struct hm_costs *hm_costs_new(void)
{
    return calloc(1, sizeof(struct hm_costs));
}

void hm_costs_free(struct hm_costs *c)
{
    if (!c)
        return;
    free(c->state);
    free(c);
}

/* ---- telling ---- */
static void tell(const struct hm_costs *c, size_t i, const struct hm_rule_cost_report *spent,
                 const char *why, struct hm_sink *sink)
{
    const struct hm_rule *r = hm_ruleset_rule(c->rules, i);
    struct hm_buf text hm_auto(hm_buf_done) = HM_BUF(4096);
    struct hm_event e;
    hm_buf_printf(&text,
                  "{\"why\":\"%s\",\"off\":%s,\"evaluations\":%llu,\"matches\":%llu,"
                  "\"ns\":%llu,\"rule\":\"",
                  why, c->state[i].off ? "true" : "false", (unsigned long long)spent->evaluations,
                  (unsigned long long)spent->matches, (unsigned long long)spent->ns);
    hm_json_escape(hm_slice_str(r->id), &text);
    hm_buf_puts(&text, "\",\"title\":\"");
    hm_json_escape(hm_slice_str(r->title), &text);
    hm_buf_puts(&text, "\",\"title_ja\":\"");
    hm_json_escape(hm_slice_str(r->title_ja ? r->title_ja : r->title), &text);
    hm_buf_puts(&text, "\"}");
    hm_warn("rule %s (%s): %s%s", r->id, r->title, why, c->state[i].off ? "; switched off" : "");
    if (text.error)
        return;
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_AGENT);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_AGENT_RULE_COST);
    hm_event_set_u64(&e, HM_F_BOOT_NS, hm_clock_boot_ns());
    hm_event_set(&e, HM_F_AGENT_PROCESS, hm_slice_str("engine"));
    hm_event_set(&e, HM_F_RULE_ID, hm_slice_str(r->id));
    hm_event_set(&e, HM_F_AGENT_DETAIL, hm_buf_slice(&text));
    hm_sink_put(sink, HM_LANE_ALERT, &e);
}

static void switch_off(struct hm_costs *c, size_t i)
{
    c->state[i].off = true;
    hm_ruleset_disable(c->rules, i, true);
}

/* ---- policy ---- */
static bool number(struct hm_slice v, uint64_t max, uint64_t *ret)
{
    uint64_t n = 0;
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] < '0' || v.p[i] > '9' || n > max)
            return false;
        n = n * 10 + (v.p[i] - '0');
    }
    *ret = n;
    return v.len && n && n <= max;
}

static bool off_named(struct hm_costs *c, struct hm_slice id)
{
    for (size_t i = 0; i < c->count; i++) {
        if (!hm_slice_eq(id, hm_slice_str(hm_ruleset_rule(c->rules, i)->id)))
            continue;
        switch_off(c, i);
        return true;
    }
    return true; /* a rule that this set does not have is off already */
}

static bool take(struct hm_costs *c, struct policy *p, struct hm_slice key, struct hm_slice v)
{
    if (hm_slice_eq(key, hm_slice_str("budget_share_permille")))
        return number(v, 1000, &p->share_permille);
    if (hm_slice_eq(key, hm_slice_str("budget_mean_us")))
        return number(v, 1000000, &p->mean_us);
    if (hm_slice_eq(key, hm_slice_str("off")))
        return v.len && off_named(c, v);
    if (!hm_slice_eq(key, hm_slice_str("over_budget")))
        return false;
    p->over = hm_slice_eq(v, hm_slice_str("off")) ? OVER_OFF : OVER_REPORT;
    return p->over == OVER_OFF || hm_slice_eq(v, hm_slice_str("report"));
}

static struct hm_slice trim(struct hm_slice s)
{
    while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\r' || s.p[s.len - 1] == '\t'))
        s.len--;
    while (s.len && (*s.p == ' ' || *s.p == '\t'))
        s = hm_slice(s.p + 1, s.len - 1);
    return s;
}

static int read_policy(struct hm_costs *c, struct hm_slice text, struct policy *ret,
                       struct hm_error *err)
{
    for (uint32_t line = 1; text.len; line++) {
        const uint8_t *end = memchr(text.p, '\n', text.len);
        size_t n = end ? (size_t)(end - text.p) : text.len;
        struct hm_slice one = trim(hm_slice(text.p, n));
        text = hm_slice(text.p + n + (end != NULL), text.len - n - (end != NULL));
        if (!one.len || *one.p == '#')
            continue;
        const uint8_t *eq = memchr(one.p, '=', one.len);
        size_t at = eq ? (size_t)(eq - one.p) : one.len;
        if (!eq || !take(c, ret, trim(hm_slice(one.p, at)),
                         trim(hm_slice(one.p + at + 1, one.len - at - 1))))
            return hm_fail_at(err, -EINVAL, line, 1, "rules.policy: \"%.*s\" is not known",
                              (int)(one.len < 80 ? one.len : 80), (const char *)one.p);
    }
    return 0;
}

static void all_on(struct hm_costs *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->state[i].off)
            hm_ruleset_disable(c->rules, i, false);
        c->state[i].off = false;
    }
}

int hm_costs_begin(struct hm_costs *c, struct hm_ruleset *rules, struct hm_slice policy,
                   struct hm_sink *sink, struct hm_error *err)
{
    static const struct hm_rule_cost_report none;
    struct policy p = defaults;
    size_t count = hm_ruleset_count(rules);
    struct rule_state *state = calloc(count + 1, sizeof *state);
    if (!state)
        return -ENOMEM;
    free(c->state);
    *c = (struct hm_costs){.policy = defaults, .rules = rules, .state = state, .count = count};
    int r = read_policy(c, policy, &p, err);
    if (r) {
        all_on(c); /* half a policy is none */
        return r;
    }
    c->policy = p;
    for (size_t i = 0; i < count; i++)
        if (state[i].off)
            tell(c, i, &none, "policy", sink);
    return 0;
}

/* ---- budget ---- */
static const char *over(const struct hm_costs *c, const struct hm_rule_cost_report *spent,
                        uint64_t interval_ns)
{
    if (spent->ns > interval_ns / 1000 * c->policy.share_permille)
        return "share";
    if (spent->evaluations >= HM_COSTS_MEAN_MIN &&
        spent->ns / spent->evaluations > c->policy.mean_us * 1000)
        return "mean";
    return NULL;
}

static void look(struct hm_costs *c, size_t i, const struct hm_match_scratch *scratch,
                 struct hm_sink *sink, uint64_t interval_ns)
{
    struct rule_state *s = &c->state[i];
    struct hm_rule_cost_report now = hm_ruleset_cost(scratch, i);
    /* ns is scaled from another clock at each reading, and may come out a little less than before.
     */
    struct hm_rule_cost_report spent = {now.evaluations - s->last.evaluations,
                                        now.matches - s->last.matches,
                                        now.ns > s->last.ns ? now.ns - s->last.ns : 0};
    s->last = now;
    const char *why = s->off || s->told ? NULL : over(c, &spent, interval_ns);
    if (!why)
        return;
    s->told = true; /* once for a rule set: a warning each minute would be no warning */
    if (c->policy.over == OVER_OFF)
        switch_off(c, i);
    tell(c, i, &spent, why, sink);
}

void hm_costs_tick(struct hm_costs *c, const struct hm_match_scratch *scratch, struct hm_sink *sink,
                   uint64_t boot_ns)
{
    if (!c->rules || boot_ns - c->looked_ns < HM_COSTS_LOOK_NS)
        return;
    uint64_t interval = c->looked_ns ? boot_ns - c->looked_ns : HM_COSTS_LOOK_NS;
    c->looked_ns = boot_ns;
    for (size_t i = 0; i < c->count; i++)
        look(c, i, scratch, sink, interval);
}
