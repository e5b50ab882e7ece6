/* Owns the way of one event: values looked through, tests set, the rules that these trigger tried.
 * Everything is cleared by words; nothing is allocated. */
#include "base/ip.h"
#include "detect/limits.h"
#include "detect/match/limits.h"
#include "detect/match/build.h"
#include "detect/match/part.h"
#include "detect/match/scratch.h"
#include "detect/match/ticks.h"
#include <arpa/inet.h>
struct hm_scratch *hm_scratch_new(const struct hm_program *p, size_t cache_bytes)
{
    struct hm_scratch *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->p = p;
    s->test_words = p->test_count / 64 + 1;
    s->rule_words = p->rule_count / 64 + 1;
    s->lazy_words = p->lazy_count / 64 + 1;
    s->tests = calloc(s->test_words, 8);
    s->rules = calloc(s->rule_words, 8);
    s->allowed = calloc(s->rule_words, 8);
    s->wanted = calloc(p->field_words, 8);
    s->known = calloc(s->lazy_words, 8);
    s->value = calloc(s->lazy_words, 8);
    s->entry_seen = calloc(p->entry_count + 1, 4);
    s->test_seen = calloc(p->test_count + 1, 4);
    s->found = calloc(p->test_count + 1, 4);
    s->hits = calloc(p->rule_count + 1, 4);
    s->costs = calloc(p->rule_count + 1, sizeof *s->costs);
    s->regex = hm_regex_room_new();
    if (!s->tests || !s->rules || !s->allowed || !s->wanted || !s->known || !s->value ||
        !s->entry_seen || !s->test_seen || !s->found || !s->hits || !s->costs || !s->regex ||
        !hm_scan_room(s, HM_VALUE_FIRST_BYTES) || hm_cache_init(&s->cache, cache_bytes)) {
        hm_scratch_free(s);
        return NULL;
    }
    return s;
}

void hm_scratch_free(struct hm_scratch *s)
{
    if (!s)
        return;
    free(s->tests);
    free(s->rules);
    free(s->allowed);
    free(s->wanted);
    free(s->known);
    free(s->value);
    free(s->entry_seen);
    free(s->test_seen);
    free(s->found);
    free(s->hits);
    free(s->costs);
    free(s->folded);
    hm_regex_room_free(s->regex);
    hm_cache_done(&s->cache);
    free(s);
}

size_t hm_scratch_memory(const struct hm_scratch *s)
{
    const struct hm_program *p = s->p;
    size_t cache = s->cache.ring ? s->cache.ring_bytes + (s->cache.slot_mask + 1) * 16 : 0;
    return sizeof *s +
           (s->test_words + 2 * s->rule_words + p->field_words + 2 * s->lazy_words) * 8 +
           (p->entry_count + 2 * (size_t)p->test_count + p->rule_count) * 4 +
           p->rule_count * sizeof *s->costs + s->folded_room + cache;
}

static inline void set_test(struct hm_scratch *s, uint32_t t)
{
    uint64_t bit = UINT64_C(1) << (t % 64);
    if (s->tests[t / 64] & bit)
        return;
    s->tests[t / 64] |= bit;
    struct hm_span run = s->p->tests[t].triggers;
    const uint32_t *rules = s->p->ids + run.first;
    for (uint32_t i = 0; i < run.count; i++)
        s->rules[rules[i] / 64] |= UINT64_C(1) << (rules[i] % 64);
}

static void set_found(struct hm_scratch *s)
{
    for (size_t i = 0; i < s->found_count; i++)
        set_test(s, s->found[i]);
}

static bool has_ranges(const struct hm_prog_field *f)
{
    return f->cidr[1] | f->cidr[2] | f->cidr[3];
}

static void take_address(struct hm_scratch *s, const struct hm_prog_field *f,
                         const struct hm_datum *d)
{
    uint8_t ip[16];
    char text[HM_IP_TEXT_BYTES];
    struct hm_slice bytes = d->kind == HM_DATUM_IP ? d->ip : (struct hm_slice){0};
    if (d->kind == HM_DATUM_TEXT && d->text.len >= 2 && d->text.len < sizeof text) {
        memcpy(text, d->text.p, d->text.len);
        text[d->text.len] = 0;
        if (inet_pton(AF_INET, text, ip) == 1)
            bytes = hm_slice(ip, 4);
        else if (inet_pton(AF_INET6, text, ip) == 1)
            bytes = hm_slice(ip, 16);
    }
    if (bytes.len != 4 && bytes.len != 16)
        return;
    hm_scan_ip(s, f, bytes);
    set_found(s);
}

static void take_value(struct hm_scratch *s, const struct hm_prog_field *f,
                       const struct hm_datum *d)
{
    hm_scan_value(s, f, d->text, d->kind == HM_DATUM_NUMBER && !d->real);
    set_found(s);
    if (has_ranges(f))
        take_address(s, f, d);
}

static bool has_text(const struct hm_datum *d)
{
    return d->kind == HM_DATUM_TEXT || d->kind == HM_DATUM_NUMBER || d->kind == HM_DATUM_IP;
}

/* A list is null when it has nothing, or a null among its items: it matches when any item does. */
static bool is_null(const struct hm_datum *d)
{
    if (d->kind != HM_DATUM_LIST)
        return d->kind == HM_DATUM_NULL;
    for (size_t i = 0; i < d->count; i++)
        if (d->items[i].kind == HM_DATUM_NULL)
            return true;
    return d->count == 0;
}

static void take_field(struct hm_scratch *s, const struct hm_prog_field *f, const struct hm_view *v)
{
    char buf[HM_DATUM_BUF];
    struct hm_datum d;
    v->get(v, f->name, buf, &d);
    if (d.kind == HM_DATUM_ABSENT)
        return;
    if (f->exists != HM_NO_INDEX)
        set_test(s, f->exists);
    if (f->not_null != HM_NO_INDEX && !is_null(&d))
        set_test(s, f->not_null);
    if (has_text(&d))
        take_value(s, f, &d);
    for (size_t i = 0; d.kind == HM_DATUM_LIST && i < d.count; i++)
        if (has_text(&d.items[i]))
            take_value(s, f, &d.items[i]);
}

static bool take_keyword(void *ctx, struct hm_slice text)
{
    struct hm_scratch *s = ctx;
    hm_scan_value(s, &s->p->fields[s->p->keywords], text, false);
    set_found(s);
    return false;
}

static bool has_bit(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

/* within: see struct hm_program_part. */
static void take_keywords(struct hm_scratch *s, const struct hm_view *v, bool within)
{
    const struct hm_prog_field *f = &s->p->fields[s->p->keywords];
    if (f->exists != HM_NO_INDEX)
        set_test(s, f->exists);
    if (v->all_texts.len && v->all_is_text && within)
        take_keyword(s, v->all_texts);
    else if (!v->all_texts.p || hm_scan_may(s, f, v->all_texts))
        v->each_text(v, take_keyword, s);
}

void hm_run_fields(struct hm_scratch *s, const struct hm_view *v, const uint64_t *wanted)
{
    const struct hm_program *p = s->p;
    if (!v->present) {
        for (uint32_t w = 0; w < p->field_words; w++)
            for (uint64_t m = wanted[w]; m; m &= m - 1) {
                uint32_t field = w * 64 + (uint32_t)__builtin_ctzll(m);
                if (p->fields[field].name != HM_NO_INDEX)
                    take_field(s, &p->fields[field], v);
            }
        return;
    }
    for (uint32_t w = 0; w * 64 < p->name_count; w++) {
        for (uint64_t m = v->present[w]; m; m &= m - 1) {
            uint32_t name = w * 64 + (uint32_t)__builtin_ctzll(m);
            uint32_t field = name < p->name_count ? p->field_of[name] : HM_NO_INDEX;
            if (field != HM_NO_INDEX && has_bit(wanted, field))
                take_field(s, &p->fields[field], v);
        }
    }
}

static bool run_code(struct hm_scratch *s, const struct hm_prog_rule *r)
{
    const struct hm_branch *code = s->p->code + r->code.first;
    uint32_t at = r->code.count ? 0 : HM_GO_TRUE;
    while (at < HM_CODE_MAX) {
        const struct hm_branch *c = &code[at];
        uint32_t lazy = s->p->tests[c->test].lazy;
        bool yes = lazy == HM_NO_INDEX ? s->tests[c->test / 64] >> (c->test % 64) & 1
                                       : hm_lazy_test(s, lazy);
        at = yes ? c->yes : c->no;
    }
    return at == HM_GO_TRUE;
}

static void try_rule(struct hm_scratch *s, uint32_t i)
{
    struct hm_cost *c = &s->costs[i];
    bool timed = (s->stats.evaluations++ & (HM_COST_SAMPLE - 1)) == 0;
    uint64_t from = timed ? hm_ticks() : 0;
    bool hit = run_code(s, &s->p->rules[i]);
    if (timed)
        c->ticks += (hm_ticks() - from) * HM_COST_SAMPLE;
    c->evaluations++;
    if (hit) {
        c->matches++;
        s->hits[s->hit_count++] = i;
    }
}

static void try_rules(struct hm_scratch *s, const uint64_t *allowed, const uint64_t *off)
{
    for (uint32_t w = 0; w < s->rule_words; w++) {
        uint64_t m = s->rules[w] & allowed[w];
        if (off && m)
            m &= ~off[w];
        for (; m; m &= m - 1)
            try_rule(s, w * 64 + (uint32_t)__builtin_ctzll(m));
    }
}

static void add_row(uint64_t *to, const uint64_t *row, size_t words)
{
    for (size_t i = 0; i < words; i++)
        to[i] |= row[i];
}

/* Rules and fields of the event's sources; of one: where they are. */
void hm_run_gather(struct hm_scratch *s, const uint32_t *sources, size_t count,
                   const uint64_t **ret_allowed, const uint64_t **ret_wanted)
{
    const struct hm_program *p = s->p;
    if (count == 1) {
        *ret_allowed = p->source_rules + (size_t)sources[0] * p->rule_words;
        *ret_wanted = p->source_fields + (size_t)sources[0] * p->field_words;
        return;
    }
    memset(s->allowed, 0, p->rule_words * 8);
    memset(s->wanted, 0, p->field_words * 8);
    for (size_t i = 0; i < count; i++) {
        add_row(s->allowed, p->source_rules + (size_t)sources[i] * p->rule_words, p->rule_words);
        add_row(s->wanted, p->source_fields + (size_t)sources[i] * p->field_words, p->field_words);
    }
    *ret_allowed = s->allowed;
    *ret_wanted = s->wanted;
}

/* Rules without a trigger. */
void hm_run_always(const struct hm_program *p, const uint32_t *sources, size_t count,
                   uint64_t *rules)
{
    for (size_t i = 0; i < count; i++) {
        struct hm_span run = p->always[sources[i]];
        for (uint32_t k = 0; k < run.count; k++) {
            uint32_t rule = p->ids[run.first + k];
            rules[rule / 64] |= UINT64_C(1) << (rule % 64);
        }
    }
}

static void begin(struct hm_scratch *s, const struct hm_view *v)
{
    memset(s->known, 0, s->lazy_words * 8);
    s->view = v;
    s->hit_count = 0;
    s->stats.events++;
}

size_t hm_program_match(const struct hm_program *p, struct hm_scratch *s, const struct hm_view *v,
                        const uint32_t *sources, size_t source_count, const uint64_t *off,
                        const uint32_t **ret_rules)
{
    const uint64_t *allowed, *wanted;
    begin(s, v);
    memset(s->tests, 0, s->test_words * 8);
    memset(s->rules, 0, s->rule_words * 8);
    hm_run_gather(s, sources, source_count, &allowed, &wanted);
    hm_run_fields(s, v, wanted);
    if (p->keywords != HM_NO_INDEX && has_bit(wanted, p->keywords))
        take_keywords(s, v, false);
    hm_run_always(p, sources, source_count, s->rules);
    try_rules(s, allowed, off);
    *ret_rules = s->hits;
    return s->hit_count;
}

size_t hm_program_match_part(const struct hm_program_part *part, struct hm_scratch *s,
                             const struct hm_view *v, const uint64_t *off,
                             const uint32_t **ret_rules)
{
    begin(s, v);
    memcpy(s->tests, part->tests, s->test_words * 8);
    memcpy(s->rules, part->rules, s->rule_words * 8);
    for (size_t i = 0; i < part->field_count; i++)
        take_field(s, &s->p->fields[part->fields[i]], v);
    if (part->keywords)
        take_keywords(s, v, part->keywords_within);
    for (size_t i = 0; i < part->wait_count; i++)
        if (has_bit(s->tests, part->waits[i].test))
            s->rules[part->waits[i].rule / 64] |= UINT64_C(1) << (part->waits[i].rule % 64);
    try_rules(s, part->allowed, off);
    *ret_rules = s->hits;
    return s->hit_count;
}

struct hm_rule_cost hm_scratch_cost(const struct hm_scratch *s, size_t rule)
{
    if (rule >= s->p->rule_count)
        return (struct hm_rule_cost){0};
    const struct hm_cost *c = &s->costs[rule];
    return (struct hm_rule_cost){c->evaluations, c->matches, c->ticks};
}

struct hm_scratch_stats hm_scratch_stats(const struct hm_scratch *s)
{
    return s->stats;
}
