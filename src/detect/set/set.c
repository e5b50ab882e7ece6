/* Owns what is asked of a finished rule set, and the scratch that a thread matches with. */
#include "detect/coverage.h"
#include "detect/set/set.h"
#include "base/clock.h"
#include "detect/match/limits.h"
#include "detect/match/ticks.h"

size_t hm_ruleset_count(const struct hm_ruleset *rs)
{
    return rs->count;
}

const struct hm_rule *hm_ruleset_rule(const struct hm_ruleset *rs, size_t i)
{
    return i < rs->count ? &rs->rules[i] : NULL;
}

bool hm_ruleset_silent(const struct hm_ruleset *rs, size_t i)
{
    return i < rs->count && rs->silent[i];
}

bool hm_ruleset_live(const struct hm_ruleset *rs, size_t i)
{
    return i < rs->count && rs->live[i];
}

bool hm_ruleset_wants_call(const struct hm_ruleset *rs, const char *call)
{
    const char *at;
    for (size_t i = 0; (at = hm_call_at(i)); i++)
        if (rs->calls >> i & 1 && strcmp(at, call) == 0)
            return true;
    return false;
}

const struct hm_names *hm_ruleset_names(const struct hm_ruleset *rs)
{
    return rs->names;
}

size_t hm_ruleset_bytes(const struct hm_ruleset *rs)
{
    size_t n = sizeof *rs + hm_arena_used(rs->arena) + hm_program_memory(rs->program);
    n += hm_set_parts_bytes(rs);
    if (rs->router)
        n += hm_program_memory(rs->router);
    if (rs->by_action[0])
        n += 2 * HM_SET_ACTIONS * sizeof *rs->by_action[0];
    return n + (rs->count / 64 + 1) * sizeof *rs->off;
}

void hm_ruleset_disable(struct hm_ruleset *rs, size_t i, bool off)
{
    uint64_t bit = UINT64_C(1) << (i % 64);
    if (i >= rs->count)
        return;
    if (off)
        __atomic_fetch_or(&rs->off[i / 64], bit, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&rs->off[i / 64], ~bit, __ATOMIC_RELAXED);
    __atomic_store_n(&rs->any_off, true, __ATOMIC_RELAXED);
}

struct hm_match_scratch *hm_match_scratch_sized(const struct hm_ruleset *rs, size_t cache_bytes)
{
    struct hm_match_scratch *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->rs = rs;
    s->s = hm_scratch_new(rs->program, cache_bytes);
    s->router = rs->router ? hm_scratch_new(rs->router, 0) : NULL;
    s->seen = calloc(rs->count / 64 + 1, sizeof *s->seen);
    s->merged = calloc(rs->count + 1, sizeof *s->merged);
    s->sources = calloc(rs->source_count + HM_SET_LOGS, sizeof *s->sources);
    if (!s->s || (rs->router && !s->router) || !s->seen || !s->merged || !s->sources) {
        hm_match_scratch_free(s);
        return NULL;
    }
    s->ticks = hm_ticks();
    s->ns = hm_clock_mono_ns();
    return s;
}

struct hm_match_scratch *hm_match_scratch_new(const struct hm_ruleset *rs)
{
    return hm_match_scratch_sized(rs, HM_CACHE_DEFAULT_BYTES);
}

void hm_match_scratch_free(struct hm_match_scratch *s)
{
    if (!s)
        return;
    hm_scratch_free(s->s);
    hm_scratch_free(s->router);
    free(s->seen);
    free(s->merged);
    free(s->sources);
    free(s);
}

size_t hm_match_scratch_bytes(const struct hm_match_scratch *s)
{
    size_t n = sizeof *s + hm_scratch_memory(s->s) + s->rs->count * 5;
    return n + (s->router ? hm_scratch_memory(s->router) : 0) + s->rs->source_count * 4;
}

size_t hm_ruleset_match_view(const struct hm_ruleset *rs, struct hm_match_scratch *s,
                             const struct hm_view *v, const uint32_t **ret_rules)
{
    s->sources[0] = 0;
    return hm_program_match(rs->program, s->s, v, s->sources, 1, rs->any_off ? rs->off : NULL,
                            ret_rules);
}

struct hm_rule_cost_report hm_ruleset_cost(const struct hm_match_scratch *s, size_t i)
{
    struct hm_rule_cost c = hm_scratch_cost(s->s, i);
    double ticks = (double)(hm_ticks() - s->ticks);
    double ns = (double)(hm_clock_mono_ns() - s->ns);
    return (struct hm_rule_cost_report){
        .evaluations = c.evaluations,
        .matches = c.matches,
        .ns = ticks > 0 ? (uint64_t)((double)c.ticks * ns / ticks) : 0,
    };
}
