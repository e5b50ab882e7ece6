/* Owns what is left of a program for events of one shape: of which it is known beforehand which
 * fields they cannot have, and which always have the same value. Rules that cannot match such an
 * event are not tried, fields that no remaining rule asks for are not read, and the tests that
 * hold in each of them are set before the first field is. Nothing is decided that depends on the
 * event: the answer is the one that the whole program gives. */
#include "detect/match/build.h"
#include "detect/match/part.h"
#include "detect/match/scratch.h"
#include <errno.h>

enum truth { NO, YES, MAYBE };

struct narrowing {
    const struct hm_program *p;
    const struct hm_view *known;
    const uint64_t *varies; /* bits over the names */
    struct hm_scratch *s;   /* tests: those that always hold */
    uint64_t *maybe;        /* bits: tests that a varying field may set */
    uint64_t *asked;        /* bits: tests that a remaining rule looks at */
    uint8_t *reached;       /* of the rule at hand */
    struct hm_program_part *part;
};

static bool has_bit(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

static void set_bit(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static bool varies(const struct narrowing *n, uint32_t name)
{
    return name == HM_NO_INDEX || has_bit(n->varies, name);
}

/* ---- the tests of a field ------------------------------------------------------------------ */

typedef void (*each_entry_fn)(struct narrowing *n, const struct hm_prog_entry *e, void *ctx);
typedef void (*each_test_fn)(struct narrowing *n, uint32_t test, void *ctx);

static void entries_of_span(struct narrowing *n, struct hm_span entries, each_entry_fn each,
                            void *ctx)
{
    for (uint32_t i = entries.first; i < entries.first + entries.count; i++)
        each(n, &n->p->entries[i], ctx);
}

static void entries_of_grams(struct narrowing *n, struct hm_span table, each_entry_fn each,
                             void *ctx)
{
    for (uint32_t i = table.first; i < table.first + table.count; i++) {
        struct hm_span refs = n->p->grams[i].refs;
        for (uint32_t k = 0; k < refs.count; k++)
            each(n, &n->p->entries[n->p->refs[refs.first + k].entry], ctx);
    }
}

static void entries_of_field(struct narrowing *n, const struct hm_prog_field *f, each_entry_fn each,
                             void *ctx)
{
    for (uint32_t i = f->slots.first; i < f->slots.first + f->slots.count; i++)
        if (n->p->slots[i].class != HM_SLOT_FREE)
            entries_of_span(n, n->p->slots[i].entries, each, ctx);
    entries_of_grams(n, f->grams, each, ctx);
    entries_of_grams(n, f->pairs, each, ctx);
    entries_of_span(n, f->tried, each, ctx);
}

struct each_test {
    each_test_fn each;
    void *ctx;
};

static void tests_of_entry(struct narrowing *n, const struct hm_prog_entry *e, void *ctx)
{
    const struct each_test *to = ctx;
    for (uint32_t k = 0; k < e->tests.count; k++)
        to->each(n, n->p->ids[e->tests.first + k], to->ctx);
}

static void tests_of_field(struct narrowing *n, const struct hm_prog_field *f, each_test_fn each,
                           void *ctx)
{
    struct each_test to = {each, ctx};
    entries_of_field(n, f, tests_of_entry, &to);
    if (f->exists != HM_NO_INDEX)
        each(n, f->exists, ctx);
    if (f->not_null != HM_NO_INDEX)
        each(n, f->not_null, ctx);
}

static void note_maybe(struct narrowing *n, uint32_t test, void *ctx)
{
    set_bit(n->maybe, test);
}

static void note_asked(struct narrowing *n, uint32_t test, void *ctx)
{
    bool *ret_asked = ctx;
    *ret_asked |= has_bit(n->asked, test);
}

/* ---- what is known of a test --------------------------------------------------------------- */

static enum truth of_test(const struct narrowing *n, uint32_t test)
{
    return has_bit(n->s->tests, test) ? YES : has_bit(n->maybe, test) ? MAYBE : NO;
}

static enum truth truth_of(const struct narrowing *n, uint32_t test)
{
    uint32_t lazy = n->p->tests[test].lazy;
    if (lazy == HM_NO_INDEX)
        return of_test(n, test);
    const struct hm_lazy *l = &n->p->lazy[lazy];
    if (l->guard != HM_NO_INDEX && of_test(n, l->guard) == NO)
        return NO;
    bool there = varies(n, l->name) || has_bit(n->known->present, l->name);
    return there || l->op == HM_LAZY_FIELDREF ? MAYBE : NO;
}

static void ask(struct narrowing *n, uint32_t test)
{
    uint32_t lazy = n->p->tests[test].lazy;
    set_bit(n->asked, test);
    if (lazy != HM_NO_INDEX && n->p->lazy[lazy].guard != HM_NO_INDEX)
        set_bit(n->asked, n->p->lazy[lazy].guard);
}

/* ---- what is left -------------------------------------------------------------------------- */

static void go(struct narrowing *n, uint16_t to, bool *ret_possible)
{
    if (to < HM_CODE_MAX)
        n->reached[to] = true;
    *ret_possible |= to == HM_GO_TRUE;
}

/* Is there a way through the condition? Jumps go forward only. */
static bool possible(struct narrowing *n, const struct hm_prog_rule *r)
{
    const struct hm_branch *code = n->p->code + r->code.first;
    bool found = r->code.count == 0;
    memset(n->reached, 0, r->code.count);
    n->reached[0] = true;
    for (uint32_t i = 0; i < r->code.count; i++) {
        enum truth t = n->reached[i] ? truth_of(n, code[i].test) : MAYBE;
        if (n->reached[i] && t != NO)
            go(n, code[i].yes, &found);
        if (n->reached[i] && t != YES)
            go(n, code[i].no, &found);
    }
    return found;
}

static void keep_rules(struct narrowing *n, const uint64_t *allowed)
{
    for (uint32_t i = 0; i < n->p->rule_count; i++) {
        const struct hm_prog_rule *r = &n->p->rules[i];
        if (!has_bit(allowed, i) || !possible(n, r))
            continue;
        set_bit(n->part->allowed, i);
        n->part->rule_count++;
        for (uint32_t k = 0; k < r->code.count; k++)
            if (n->reached[k])
                ask(n, n->p->code[r->code.first + k].test);
    }
}

static void ask_triggers(struct narrowing *n)
{
    for (uint32_t t = 0; t < n->p->test_count; t++) {
        struct hm_span rules = n->p->tests[t].triggers;
        for (uint32_t k = 0; k < rules.count; k++)
            if (has_bit(n->part->allowed, n->p->ids[rules.first + k]))
                set_bit(n->asked, t);
    }
}

static bool matters(const struct narrowing *n, const struct hm_prog_entry *e)
{
    for (uint32_t k = 0; k < e->tests.count; k++)
        if (has_bit(n->asked, n->p->ids[e->tests.first + k]))
            return true;
    return false;
}

static bool within(const struct narrowing *n, const struct hm_prog_entry *e)
{
    const uint8_t *text = n->p->text + e->text;
    if (e->kind == HM_ENTRY_GLOB)
        return e->len && text[0] == 0x01 && text[e->len - 1] == 0x01;
    return e->kind == HM_ENTRY_CONTAINS;
}

static void note_within(struct narrowing *n, const struct hm_prog_entry *e, void *ctx)
{
    bool *ret_within = ctx;
    *ret_within = *ret_within && (within(n, e) || !matters(n, e));
}

static void keep_fields(struct narrowing *n)
{
    for (uint32_t i = 0; i < n->p->field_count; i++) {
        const struct hm_prog_field *f = &n->p->fields[i];
        bool asked = false;
        if (varies(n, f->name))
            tests_of_field(n, f, note_asked, &asked);
        if (asked && f->name == HM_NO_INDEX) {
            n->part->keywords = n->part->keywords_within = true;
            entries_of_field(n, f, note_within, &n->part->keywords_within);
        } else if (asked)
            n->part->fields[n->part->field_count++] = i;
    }
}

/* Tests and tried rules as they are before anything was read. */
static void keep_start(struct narrowing *n, const uint32_t *sources, size_t count)
{
    struct hm_program_part *part = n->part;
    memcpy(part->tests, n->s->tests, n->s->test_words * 8);
    memcpy(part->rules, n->s->rules, n->s->rule_words * 8);
    hm_run_always(n->p, sources, count, part->rules);
    for (size_t w = 0; w < n->s->rule_words; w++)
        part->rules[w] &= part->allowed[w];
}

static uint32_t found_by_value(const struct narrowing *n, uint32_t test)
{
    uint32_t lazy = n->p->tests[test].lazy;
    return lazy == HM_NO_INDEX ? test : n->p->lazy[lazy].guard;
}

/* A test of the event at hand without which the rule cannot match, or HM_NO_INDEX. */
static uint32_t needed(struct narrowing *n, const struct hm_prog_rule *r)
{
    for (uint32_t k = 0; k < r->code.count; k++) {
        uint32_t test = found_by_value(n, n->p->code[r->code.first + k].test);
        if (test == HM_NO_INDEX || of_test(n, test) != MAYBE)
            continue;
        n->maybe[test / 64] &= ~(UINT64_C(1) << (test % 64));
        bool without = possible(n, r);
        set_bit(n->maybe, test);
        if (!without)
            return test;
    }
    return HM_NO_INDEX;
}

/* A trigger that holds in every event of the shape tells nothing: wait for another test instead. */
static void keep_waits(struct narrowing *n)
{
    struct hm_program_part *part = n->part;
    for (uint32_t i = 0; i < n->p->rule_count; i++) {
        uint32_t test = has_bit(part->rules, i) ? needed(n, &n->p->rules[i]) : HM_NO_INDEX;
        if (test == HM_NO_INDEX)
            continue;
        part->rules[i / 64] &= ~(UINT64_C(1) << (i % 64));
        part->waits[part->wait_count++] = (struct hm_part_wait){test, i};
    }
}

static void narrow(struct narrowing *n, const uint32_t *sources, size_t count)
{
    const uint64_t *allowed, *wanted;
    hm_run_gather(n->s, sources, count, &allowed, &wanted);
    n->s->view = n->known;
    hm_run_fields(n->s, n->known, wanted);
    for (uint32_t i = 0; i < n->p->field_count; i++)
        if (varies(n, n->p->fields[i].name))
            tests_of_field(n, &n->p->fields[i], note_maybe, NULL);
    keep_rules(n, allowed);
    ask_triggers(n);
    keep_fields(n);
    keep_start(n, sources, count);
    keep_waits(n);
}

static void *fitted(void *list, size_t bytes)
{
    void *less = realloc(list, bytes + 1);
    return less ? less : list;
}

/* Lists were made as long as they could become, and there are many parts. */
static void fit(struct hm_program_part *part, const struct hm_scratch *s)
{
    size_t fields = part->field_count * sizeof *part->fields;
    size_t waits = part->wait_count * sizeof *part->waits;
    part->fields = fitted(part->fields, fields);
    part->waits = fitted(part->waits, waits);
    part->bytes = sizeof *part + (s->test_words + 2 * s->rule_words) * 8 + fields + waits;
}

static uint32_t longest_code(const struct hm_program *p)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < p->rule_count; i++)
        most = p->rules[i].code.count > most ? p->rules[i].code.count : most;
    return most;
}

static struct hm_program_part *new_part(const struct hm_scratch *s)
{
    struct hm_program_part *part = calloc(1, sizeof *part);
    if (!part)
        return NULL;
    part->tests = calloc(s->test_words, 8);
    part->rules = calloc(s->rule_words, 8);
    part->allowed = calloc(s->rule_words, 8);
    part->fields = calloc(s->p->field_count + 1, sizeof *part->fields);
    part->waits = calloc(s->p->rule_count + 1, sizeof *part->waits);
    if (part->tests && part->rules && part->allowed && part->fields && part->waits)
        return part;
    hm_program_part_free(part);
    return NULL;
}

int hm_program_part_new(const struct hm_program *p, const uint32_t *sources, size_t count,
                        const struct hm_view *known, const uint64_t *varies,
                        struct hm_program_part **ret_part)
{
    struct narrowing n = {.p = p, .known = known, .varies = varies};
    n.s = hm_scratch_new(p, 0);
    n.maybe = calloc(p->test_count / 64 + 1, 8);
    n.asked = calloc(p->test_count / 64 + 1, 8);
    n.reached = calloc(longest_code(p) + 1, 1);
    n.part = n.s ? new_part(n.s) : NULL;
    bool good = n.maybe && n.asked && n.reached && n.part;
    if (good) {
        narrow(&n, sources, count);
        fit(n.part, n.s);
    } else {
        hm_program_part_free(n.part);
    }
    hm_scratch_free(n.s);
    free(n.maybe);
    free(n.asked);
    free(n.reached);
    if (!good)
        return -ENOMEM;
    *ret_part = n.part;
    return 0;
}

void hm_program_part_free(struct hm_program_part *part)
{
    if (!part)
        return;
    free(part->tests);
    free(part->rules);
    free(part->allowed);
    free(part->fields);
    free(part->waits);
    free(part);
}

bool hm_program_part_empty(const struct hm_program_part *part)
{
    return part->rule_count == 0;
}

size_t hm_program_part_memory(const struct hm_program_part *part)
{
    return part ? part->bytes : 0;
}
