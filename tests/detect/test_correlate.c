/* The correlation runtime: rows from the specification, its limits, and a naive twin that keeps
 * every event and looks at every window. */
#include "detect/correlate/correlate.h"
#include "detect/correlate/key.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { USER, HOST, VALUE, FIELDS };
static const char *const field_names[] = {"User", "Host", "Value"};
#define MIN 60000ull

/* --- an event and its view ------------------------------------------------------------------- */
struct fake {
    struct hm_view view;
    struct hm_datum data[FIELDS];
};

static void get(const struct hm_view *v, uint32_t field, char buf[HM_DATUM_BUF],
                struct hm_datum *ret_d)
{
    (void)buf;
    *ret_d = field < FIELDS ? ((const struct fake *)v)->data[field] : (struct hm_datum){0};
}

static struct hm_datum text(const char *s)
{
    if (!s)
        return (struct hm_datum){.kind = HM_DATUM_ABSENT};
    return (struct hm_datum){.kind = HM_DATUM_TEXT, .text = hm_slice_str(s)};
}

static struct fake fake(const char *user, const char *host, const char *value)
{
    return (struct fake){{.get = get}, {text(user), text(host), text(value)}};
}

/* --- allocations are counted (linked with --wrap) ----------------------------------------------
 */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);
static size_t allocations;
void *__wrap_malloc(size_t n)
{
    allocations++;
    return __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t m)
{
    allocations++;
    return __real_calloc(n, m);
}
void *__wrap_realloc(void *p, size_t n)
{
    allocations++;
    return __real_realloc(p, n);
}

/* --- one correlation under test ----------------------------------------------------------------
 */
#define REFS 4
static const uint32_t by_user[] = {USER}, by_host[] = {HOST}, value_field[] = {VALUE};
static const char *user_name[] = {"User"};

struct bench {
    struct hm_correlation_ref refs[REFS];
    struct hm_correlation correlation;
    struct hm_correlate_item item;
    struct hm_correlate_set set;
    struct hm_correlator *c;
    size_t hits, refused;
    struct hm_correlation_hit last;
    uint64_t last_tokens[HM_CORRELATE_EVIDENCE_MAX];
    char why[256];
};

static void on_hit(void *ctx, const struct hm_correlation_hit *h)
{
    struct bench *b = ctx;
    b->hits++;
    b->last = *h;
    memcpy(b->last_tokens, h->tokens, h->token_count * sizeof *h->tokens);
}

static void on_problem(void *ctx, size_t i, const struct hm_error *err)
{
    struct bench *b = ctx;
    (void)i;
    b->refused++;
    snprintf(b->why, sizeof b->why, "%s", err->text);
}

static void prepare(struct bench *b, enum hm_correlation_kind kind, size_t refs, uint64_t span)
{
    *b = (struct bench){0};
    for (uint32_t i = 0; i < REFS; i++)
        b->refs[i] =
            (struct hm_correlation_ref){.rule = i, .group = by_user, .value_fields = value_field};
    b->correlation = (struct hm_correlation){.kind = kind,
                                             .timespan_ms = span,
                                             .group_count = 1,
                                             .group_names = user_name,
                                             .ref_count = refs,
                                             .refs = b->refs,
                                             .value_field_count = 1,
                                             .percentile = 50};
    b->item = (struct hm_correlate_item){"one", 1, &b->correlation};
    b->set = (struct hm_correlate_set){.rules = REFS, .count = 1, .items = &b->item};
}

static void bound(struct bench *b, enum hm_bound_op op, double v)
{
    b->correlation.bounds[b->correlation.bound_count++] = (struct hm_bound){op, v};
}

static void start(struct bench *b, const struct hm_correlate_options *o)
{
    assert_int_equal(hm_correlator_new(&b->set, o, on_problem, b, &b->c), 0);
}

static void stop(struct bench *b)
{
    hm_correlator_free(b->c);
    b->c = NULL;
}

/* True: it fired. */
static bool put(struct bench *b, uint32_t rule, const char *user, const char *value, uint64_t t)
{
    struct fake f = fake(user, NULL, value);
    size_t had = b->hits;
    hm_correlator_event(b->c, &f.view, &rule, 1, t, t, on_hit, b);
    return b->hits > had;
}

static struct hm_correlate_counts counts(const struct bench *b)
{
    struct hm_correlate_counts n;
    hm_correlator_counts(b->c, 0, &n);
    return n;
}

/* --- the specification's words -----------------------------------------------------------------
 */
static void events_are_counted_for_each_group_and_both_edges_are_inside(void **state)
{
    (void)state;
    struct bench b;
    prepare(&b, HM_CORRELATION_EVENT_COUNT, 1, 5 * MIN);
    bound(&b, HM_BOUND_GTE, 3);
    start(&b, NULL);
    assert_false(put(&b, 0, "eva", NULL, 0));
    assert_false(put(&b, 0, "eva", NULL, MIN));
    assert_false(put(&b, 0, "bob", NULL, 2 * MIN));
    assert_false(put(&b, 1, "eva", NULL, 2 * MIN)); /* another rule */
    assert_true(put(&b, 0, "eva", NULL, 5 * MIN));  /* exactly the timespan */
    assert_int_equal((int)b.last.value, 3);
    assert_false(b.last.repeated);
    assert_int_equal(b.last.token_count, 3);
    assert_int_equal(b.last_tokens[1], MIN);
    assert_memory_equal(b.last.group[0].p, "eva", 3);
    assert_false(put(&b, 0, "eva", NULL, 6 * MIN + 1)); /* 1 and 5 are too old and inside: 2 */
    assert_true(put(&b, 0, "eva", NULL, 7 * MIN));
    assert_true(b.last.repeated);
    stop(&b);
}

static void ranges_and_upper_bounds_are_looked_at_on_each_event(void **state)
{
    (void)state;
    struct bench b;
    prepare(&b, HM_CORRELATION_EVENT_COUNT, 1, MIN);
    bound(&b, HM_BOUND_GT, 1);
    bound(&b, HM_BOUND_LTE, 3);
    start(&b, NULL);
    const bool want[] = {false, true, true, false, false};
    for (size_t i = 0; i < HM_ARRAY_LEN(want); i++)
        assert_int_equal(put(&b, 0, "eva", NULL, i), want[i]);
    stop(&b);
}

static void what_can_never_fire_is_refused_with_its_reason(void **state)
{
    (void)state;
    static const struct {
        enum hm_correlation_kind kind;
        enum hm_bound_op op;
        double value;
        bool refused;
    } rows[] = {
        {HM_CORRELATION_EVENT_COUNT, HM_BOUND_EQ, 0, true},
        {HM_CORRELATION_EVENT_COUNT, HM_BOUND_LT, 1, true},
        {HM_CORRELATION_EVENT_COUNT, HM_BOUND_LTE, 0.5, true},
        {HM_CORRELATION_EVENT_COUNT, HM_BOUND_LT, 2, false},
        {HM_CORRELATION_EVENT_COUNT, HM_BOUND_EQ, 2.5, true},
        {HM_CORRELATION_EVENT_COUNT, HM_BOUND_GTE, 1e9, true},
        {HM_CORRELATION_VALUE_COUNT, HM_BOUND_EQ, 0, true},
        {HM_CORRELATION_VALUE_SUM, HM_BOUND_LTE, 0, false},
        {HM_CORRELATION_VALUE_SUM, HM_BOUND_GT, 1e300, false},
        {HM_CORRELATION_EVENT_COUNT, HM_BOUND_GTE, NAN, true},
        {HM_CORRELATION_TEMPORAL, HM_BOUND_GTE, 3, true}, /* of two */
        {HM_CORRELATION_TEMPORAL_ORDERED, HM_BOUND_GTE, 1, true},
        {HM_CORRELATION_TEMPORAL_ORDERED, HM_BOUND_GTE, 2, false},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct bench b;
        prepare(&b, rows[i].kind, 2, MIN);
        bound(&b, rows[i].op, rows[i].value);
        start(&b, NULL);
        if (b.refused != rows[i].refused)
            fail_msg("row %zu: %s", i, b.why);
        if (rows[i].refused)
            assert_false(put(&b, 0, "eva", "1", 1) || put(&b, 1, "eva", "1", 2));
        stop(&b);
    }
}

static void values_are_counted_once_and_absent_ones_not_at_all(void **state)
{
    (void)state;
    struct bench b;
    prepare(&b, HM_CORRELATION_VALUE_COUNT, 1, MIN);
    bound(&b, HM_BOUND_GTE, 3);
    start(&b, NULL);
    assert_false(put(&b, 0, "eva", "a", 0));
    assert_false(put(&b, 0, "eva", "b", 1));
    assert_false(put(&b, 0, "eva", "b", 2));
    assert_false(put(&b, 0, "eva", NULL, 3));
    assert_int_equal(counts(&b).no_value, 1);
    assert_true(put(&b, 0, "eva", "c", 4));
    assert_false(put(&b, 0, "eva", "c", MIN + 1)); /* a is too old: b, c */
    stop(&b);
}

static void sums_averages_and_percentiles_follow_the_window(void **state)
{
    (void)state;
    static const struct {
        enum hm_correlation_kind kind;
        double percentile, limit;
        bool want[4];
    } rows[] = {/* values 10, 30, 20 within a minute, then 5 alone */
                {HM_CORRELATION_VALUE_SUM, 50, 59, {false, false, true, false}},
                {HM_CORRELATION_VALUE_AVG, 50, 19.5, {false, true, true, false}},
                {HM_CORRELATION_VALUE_PERCENTILE, 50, 15, {false, true, true, false}},
                {HM_CORRELATION_VALUE_PERCENTILE, 90, 27.9, {false, true, true, false}}};
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct bench b;
        prepare(&b, rows[i].kind, 1, MIN);
        b.correlation.percentile = rows[i].percentile;
        bound(&b, HM_BOUND_GT, rows[i].limit);
        start(&b, NULL);
        const char *values[] = {"10", "30", "20", "5"};
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(put(&b, 0, "eva", values[k], k * 1000 + (k == 3) * 10 * MIN),
                             rows[i].want[k]);
        assert_false(put(&b, 0, "eva", "many", 11 * MIN));
        assert_false(put(&b, 0, "eva", "0x7f", 11 * MIN));
        assert_false(put(&b, 0, "eva", "1e300", 11 * MIN));
        assert_int_equal(counts(&b).no_value, 3);
        stop(&b);
    }
}

static void without_a_percentile_the_share_of_the_value_counts(void **state)
{
    (void)state;
    struct bench b;
    prepare(&b, HM_CORRELATION_VALUE_PERCENTILE, 1, 24 * 60 * MIN);
    b.correlation.percentile = NAN;
    bound(&b, HM_BOUND_LTE, 1);
    start(&b, NULL);
    for (uint64_t i = 0; i < 150; i++)
        assert_false(put(&b, 0, "eva", "/usr/bin/ls", i));
    assert_true(put(&b, 0, "eva", "/tmp/.x", 200)); /* 1 of 151: 0.66 % */
    assert_false(put(&b, 0, "eva", "/tmp/.x", 201));
    stop(&b);
}

static void temporal_wants_all_rules_and_ordered_wants_them_in_order(void **state)
{
    (void)state;
    struct bench b;
    prepare(&b, HM_CORRELATION_TEMPORAL, 3, MIN);
    start(&b, NULL);
    assert_false(put(&b, 2, "eva", NULL, 0));
    assert_false(put(&b, 0, "eva", NULL, 1));
    assert_false(put(&b, 1, "bob", NULL, 2));
    assert_true(put(&b, 1, "eva", NULL, 3));
    assert_int_equal((int)b.last.value, 3);
    stop(&b);
    prepare(&b, HM_CORRELATION_TEMPORAL_ORDERED, 3, MIN);
    start(&b, NULL);
    assert_false(put(&b, 2, "eva", NULL, 0));
    assert_false(put(&b, 0, "eva", NULL, 1));
    assert_false(put(&b, 1, "eva", NULL, 2));
    assert_true(put(&b, 2, "eva", NULL, MIN + 1));
    assert_false(put(&b, 0, "eva", NULL, MIN + 2)); /* completes nothing */
    assert_false(put(&b, 2, "eva", NULL, MIN + 3)); /* the first step is too old */
    stop(&b);
}

static void one_event_fills_one_step_but_is_every_rule_it_hits(void **state)
{
    (void)state;
    const uint32_t both[] = {0, 1};
    struct fake f = fake("eva", NULL, NULL);
    struct bench b;
    prepare(&b, HM_CORRELATION_TEMPORAL_ORDERED, 2, MIN);
    start(&b, NULL);
    hm_correlator_event(b.c, &f.view, both, 2, 1, 1, on_hit, &b);
    assert_int_equal(b.hits, 0);
    hm_correlator_event(b.c, &f.view, both, 2, 2, 2, on_hit, &b);
    assert_int_equal(b.hits, 1);
    stop(&b);
    prepare(&b, HM_CORRELATION_TEMPORAL, 2, MIN);
    start(&b, NULL);
    hm_correlator_event(b.c, &f.view, both, 2, 1, 1, on_hit, &b);
    assert_int_equal(b.hits, 1);
    stop(&b);
    prepare(&b, HM_CORRELATION_EVENT_COUNT, 2, MIN);
    bound(&b, HM_BOUND_GTE, 2);
    start(&b, NULL);
    hm_correlator_event(b.c, &f.view, both, 2, 1, 1, on_hit, &b);
    assert_int_equal(b.hits, 0); /* one event, whatever it hits */
    hm_correlator_event(b.c, &f.view, both, 2, 2, 2, on_hit, &b);
    assert_int_equal(b.hits, 1);
    stop(&b);
}

static struct hm_ast leaf(uint32_t ref)
{
    return (struct hm_ast){.kind = HM_AST_TEST, .test = {.field = ref}};
}

static void an_extended_condition_may_want_a_rule_to_be_absent(void **state)
{
    (void)state;
    struct hm_ast a = leaf(0), c = leaf(2), not_c = {.kind = HM_AST_NOT, .count = 1},
                  b_leaf = leaf(1),
                  or = {.kind = HM_AST_OR, .count = 2}, and = {.kind = HM_AST_AND, .count = 2};
    struct hm_ast *kid_c[] = {&c}, *kids_or[] = {&a, &b_leaf}, *kids_and[] = {& or, &not_c};
    not_c.kids = kid_c;
    or.kids = kids_or;
    and.kids = kids_and; /* (a or b) and not c */
    struct bench b;
    prepare(&b, HM_CORRELATION_TEMPORAL, 3, MIN);
    b.correlation.condition = &and;
    start(&b, NULL);
    assert_true(put(&b, 1, "eva", NULL, 0));
    assert_false(put(&b, 2, "eva", NULL, 1));
    assert_false(put(&b, 0, "eva", NULL, 2));
    assert_true(put(&b, 0, "eva", NULL, MIN + 2)); /* c has left */
    stop(&b);
    struct hm_ast *kids_ordered[] = {&a, &b_leaf};
    struct hm_ast ordered = {.kind = HM_AST_AND, .count = 2, .kids = kids_ordered};
    prepare(&b, HM_CORRELATION_TEMPORAL_ORDERED, 3, MIN);
    b.correlation.condition = &ordered;
    start(&b, NULL);
    assert_false(put(&b, 1, "eva", NULL, 0));
    assert_false(put(&b, 0, "eva", NULL, 1));
    assert_true(put(&b, 1, "eva", NULL, 2));
    stop(&b);
}

static void events_without_the_field_are_a_group_of_their_own(void **state)
{
    (void)state;
    struct bench b;
    prepare(&b, HM_CORRELATION_EVENT_COUNT, 1, MIN);
    bound(&b, HM_BOUND_GTE, 2);
    start(&b, NULL);
    assert_false(put(&b, 0, NULL, NULL, 1));
    assert_false(put(&b, 0, "", NULL, 1)); /* empty is not absent */
    assert_true(put(&b, 0, NULL, NULL, 1));
    assert_null(b.last.group[0].p);
    stop(&b);
}

/* "Failed Logins Followed by Successful Login", with an alias in the outer correlation. */
static void the_chain_of_the_specification_fires_on_the_success(void **state)
{
    (void)state;
    struct hm_names *names = hm_names_new();
    for (int i = 0; i < FIELDS; i++)
        assert_int_equal(hm_names_intern(names, hm_slice_str(field_names[i])), i);
    struct bench b;
    prepare(&b, HM_CORRELATION_TEMPORAL_ORDERED, 2, 10 * MIN);
    b.refs[0] = (struct hm_correlation_ref){.rule = 1, .is_correlation = true, .group = by_user};
    b.refs[1] = (struct hm_correlation_ref){.rule = 1, .group = by_host}; /* who: Host there */
    static const char *who[] = {"who"};
    b.correlation.group_names = who;
    struct hm_correlation_ref failed = {.rule = 0, .group = by_user};
    struct hm_correlation many = {.kind = HM_CORRELATION_EVENT_COUNT,
                                  .timespan_ms = 10 * MIN,
                                  .group_count = 1,
                                  .group_names = user_name,
                                  .ref_count = 1,
                                  .refs = &failed,
                                  .bounds = {{HM_BOUND_GTE, 10}},
                                  .bound_count = 1};
    struct hm_correlate_item items[] = {b.item, {"many", 1, &many}};
    b.set = (struct hm_correlate_set){.rules = 2, .count = 2, .items = items, .names = names};
    start(&b, NULL);
    struct fake f = fake("eva", "bob", NULL), ok = fake("bob", "eva", NULL);
    for (uint32_t i = 0; i < 10; i++)
        hm_correlator_event(b.c, &f.view, &(uint32_t){0}, 1, i, i, on_hit, &b);
    assert_int_equal(b.hits, 1);
    assert_int_equal(b.last.correlation, 1);
    hm_correlator_event(b.c, &f.view, &(uint32_t){1}, 1, 20, 20, on_hit, &b);
    assert_int_equal(b.hits, 1); /* bob's success */
    hm_correlator_event(b.c, &ok.view, &(uint32_t){1}, 1, 30, 30, on_hit, &b);
    assert_int_equal(b.hits, 2);
    assert_int_equal(b.last.correlation, 0);
    assert_true(hm_correlator_mutes(b.c, 0));
    stop(&b);
    hm_names_free(names);
}

/* --- limits and hostile input ------------------------------------------------------------------
 */
static void a_flood_of_one_value_does_not_hide_the_others(void **state)
{
    (void)state;
    struct bench b;
    char v[16];
    prepare(&b, HM_CORRELATION_VALUE_COUNT, 1, 24 * 60 * MIN);
    bound(&b, HM_BOUND_GTE, 10);
    start(&b, NULL);
    for (unsigned i = 0; i < 9; i++) {
        snprintf(v, sizeof v, "%u", i);
        assert_false(put(&b, 0, "eva", v, i));
    }
    for (uint64_t i = 0; i < 200000; i++)
        assert_false(put(&b, 0, "eva", i & 1 ? "0" : "1", 10 + i));
    assert_true(put(&b, 0, "eva", "new", 200010));
    assert_false(b.last.at_least);
    stop(&b);
}

static void a_flood_is_counted_at_least_and_sums_keep_what_came_before(void **state)
{
    (void)state;
    struct bench b;
    prepare(&b, HM_CORRELATION_EVENT_COUNT, 1, 24 * 60 * MIN);
    bound(&b, HM_BOUND_GTE, 30000);
    start(&b, NULL);
    for (uint64_t i = 0; i < 100000; i++)
        assert_int_equal(put(&b, 0, "eva", NULL, i), i >= 29999);
    assert_true(b.last.at_least);
    assert_true(counts(&b).truncated > 0);
    stop(&b);
    prepare(&b, HM_CORRELATION_VALUE_SUM, 1, 24 * 60 * MIN);
    bound(&b, HM_BOUND_GT, 1000000);
    start(&b, NULL);
    assert_false(put(&b, 0, "eva", "1000000", 0));
    for (uint64_t i = 0; i < 150000; i++)
        assert_false(put(&b, 0, "eva", "0", i));
    assert_true(put(&b, 0, "eva", "1", 150000));
    assert_int_equal((int)b.last.value, 1000001);
    stop(&b);
}

static void a_flood_of_middle_steps_does_not_hide_the_first(void **state)
{
    (void)state;
    struct bench b;
    prepare(&b, HM_CORRELATION_TEMPORAL_ORDERED, 4, 60 * MIN);
    start(&b, NULL);
    assert_false(put(&b, 0, "eva", NULL, 0));
    for (uint64_t i = 1; i < 20000; i++)
        assert_false(put(&b, 1 + (i & 1), "eva", NULL, i));
    assert_true(put(&b, 3, "eva", NULL, 20000));
    stop(&b);
}

static void memory_has_a_ceiling_and_forgetting_is_counted(void **state)
{
    (void)state;
    struct bench b;
    char user[16];
    prepare(&b, HM_CORRELATION_EVENT_COUNT, 1, 60 * MIN);
    bound(&b, HM_BOUND_GTE, 3);
    start(&b, &(struct hm_correlate_options){.bytes_max = 1 << 20});
    for (unsigned i = 0; i < 50000; i++) {
        snprintf(user, sizeof user, "u%u", i);
        put(&b, 0, user, NULL, i);
        assert_true(counts(&b).bytes <= 1 << 20);
    }
    assert_true(counts(&b).evicted > 40000);
    assert_true(put(&b, 0, "u49999", NULL, 50000) || put(&b, 0, "u49999", NULL, 50000));
    for (unsigned i = 0; i < 200; i++)
        put(&b, 0, "u49999", NULL, 60000 + i * MIN);
    size_t before = allocations;
    for (unsigned i = 200; i < 10000; i++)
        put(&b, 0, "u49999", NULL, 60000 + i * MIN);
    assert_int_equal(allocations, before); /* the steady state allocates nothing */
    stop(&b);
    prepare(&b, HM_CORRELATION_EVENT_COUNT, 1, MIN);
    bound(&b, HM_BOUND_GTE, 2);
    start(&b, &(struct hm_correlate_options){.groups_max = 2});
    for (unsigned i = 0; i < 10; i++) {
        snprintf(user, sizeof user, "u%u", i);
        put(&b, 0, user, NULL, i * 2 * MIN);
    }
    assert_int_equal(counts(&b).groups, 2);
    assert_int_equal(counts(&b).evicted, 0); /* their windows had closed: nothing was lost */
    stop(&b);
}

static void a_clock_that_jumps_is_followed(void **state)
{
    (void)state;
    struct bench b;
    prepare(&b, HM_CORRELATION_EVENT_COUNT, 1, MIN);
    bound(&b, HM_BOUND_GTE, 2);
    start(&b, NULL);
    put(&b, 0, "eva", NULL, UINT64_MAX);
    put(&b, 0, "eva", NULL, UINT64_MAX - 1);
    size_t fired = 0;
    for (uint64_t i = 0; i < 20; i++)
        fired += put(&b, 0, "eva", NULL, 1000 + i);
    assert_int_equal(counts(&b).late, HM_CORRELATE_JUMP_RUN - 1);
    assert_int_equal(counts(&b).jumps, 1);
    assert_int_equal(fired, 20 - HM_CORRELATE_JUMP_RUN);
    stop(&b);
}

static void siphash_is_the_published_one(void **state)
{
    (void)state;
    uint8_t in[15];
    for (uint8_t i = 0; i < 15; i++)
        in[i] = i;
    const uint64_t secret[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    assert_true(hm_siphash(secret, in, 15) == 0xa129ca6149be45e5u);
    assert_true(hm_siphash(secret, in, 0) == 0x726fdb47dd0e0e31u);
}

/* --- the naive twin ----------------------------------------------------------------------------
 */
static uint64_t seed;
static uint64_t rnd(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

#define TWIN_MAX 600
struct kept {
    uint64_t t;
    unsigned mask;
    int value;
};
struct twin {
    const struct hm_correlation *c;
    struct kept all[TWIN_MAX];
    size_t count;
    uint64_t newest;
    unsigned run;
};

static bool in_bounds(const struct hm_correlation *c, double v)
{
    bool r = true;
    for (size_t i = 0; i < c->bound_count; i++) {
        double w = c->bounds[i].value;
        enum hm_bound_op op = c->bounds[i].op;
        r &= op == HM_BOUND_LT    ? v < w
             : op == HM_BOUND_LTE ? v <= w
             : op == HM_BOUND_GT  ? v > w
             : op == HM_BOUND_GTE ? v >= w
             : op == HM_BOUND_EQ  ? v == w
                                  : v != w;
    }
    return r;
}

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static bool window_holds(const struct twin *w, uint64_t end)
{
    int values[TWIN_MAX], n = 0, distinct = 0;
    double sum = 0;
    unsigned present = 0;
    for (size_t i = 0; i < w->count; i++)
        if (w->all[i].t <= end && end - w->all[i].t <= w->c->timespan_ms) {
            values[n++] = w->all[i].value;
            sum += w->all[i].value;
            present |= w->all[i].mask;
        }
    qsort(values, (size_t)n, sizeof *values, by_value);
    for (int i = 0; i < n; i++)
        distinct += i == 0 || values[i] != values[i - 1];
    double rank = w->c->percentile / 100 * (n - 1);
    int lo = (int)rank;
    double p = lo + 1 < n ? values[lo] + (rank - lo) * (values[lo + 1] - values[lo])
                          : values[n ? n - 1 : 0];
    switch (w->c->kind) {
    case HM_CORRELATION_EVENT_COUNT:
        return in_bounds(w->c, n);
    case HM_CORRELATION_VALUE_COUNT:
        return in_bounds(w->c, distinct);
    case HM_CORRELATION_VALUE_SUM:
        return in_bounds(w->c, sum);
    case HM_CORRELATION_VALUE_AVG:
        return in_bounds(w->c, sum / n);
    case HM_CORRELATION_VALUE_PERCENTILE:
        return in_bounds(w->c, p);
    default:
        return in_bounds(w->c, __builtin_popcount(present));
    }
}

/* Some chain of kept events, in order, one a step, with `mine` among them, within a timespan? */
static bool chain(const struct twin *w, size_t step, size_t from, uint64_t start, size_t mine,
                  bool used)
{
    if (step == w->c->ref_count)
        return used;
    for (size_t i = from; i < w->count; i++) {
        const struct kept *k = &w->all[i];
        if (!(k->mask >> step & 1) || (step && k->t - start > w->c->timespan_ms) ||
            (!used && i > mine))
            continue;
        if (chain(w, step + 1, i + 1, step ? start : k->t, mine, used || i == mine))
            return true;
    }
    return false;
}

static bool twin_put(struct twin *w, struct kept e)
{
    uint64_t span = w->c->timespan_ms;
    if (w->count && e.t + span < w->newest) {
        if (++w->run < HM_CORRELATE_JUMP_RUN)
            return false;
        w->count = 0;
        w->newest = 0;
    }
    w->run = 0;
    size_t at = w->count;
    for (; at > 0 && w->all[at - 1].t > e.t; at--)
        w->all[at] = w->all[at - 1];
    w->all[at] = e;
    w->count++;
    if (e.t > w->newest)
        w->newest = e.t;
    if (w->c->kind == HM_CORRELATION_TEMPORAL_ORDERED)
        return chain(w, 0, 0, 0, at, false);
    for (size_t i = at; i < w->count; i++)
        if (w->all[i].t <= e.t + span && window_holds(w, w->all[i].t))
            return true;
    return false;
}

static void random_correlation(struct bench *b)
{
    static const enum hm_correlation_kind kinds[] = {
        HM_CORRELATION_EVENT_COUNT,      HM_CORRELATION_VALUE_COUNT, HM_CORRELATION_TEMPORAL,
        HM_CORRELATION_TEMPORAL_ORDERED, HM_CORRELATION_VALUE_SUM,   HM_CORRELATION_VALUE_AVG,
        HM_CORRELATION_VALUE_PERCENTILE};
    enum hm_correlation_kind kind = kinds[rnd(HM_ARRAY_LEN(kinds))];
    prepare(b, kind, 1 + rnd(REFS), 1 + rnd(200));
    b->correlation.percentile = (double)rnd(101);
    if (kind == HM_CORRELATION_TEMPORAL) {
        bound(b, HM_BOUND_GTE, (double)(1 + rnd(b->correlation.ref_count)));
        return;
    }
    if (kind == HM_CORRELATION_TEMPORAL_ORDERED)
        return;
    bool count = kind == HM_CORRELATION_EVENT_COUNT || kind == HM_CORRELATION_VALUE_COUNT;
    bound(b, count ? (enum hm_bound_op)(HM_BOUND_GT + rnd(2)) : (enum hm_bound_op)rnd(6),
          (double)(count ? 1 + rnd(8) : rnd(30)));
    if (count && rnd(2))
        bound(b, HM_BOUND_LT, 12);
}

#define USERS 3
struct step {
    uint64_t t;
    uint32_t rules[2];
    size_t rule_count;
    unsigned user;
    int value;
};

static struct step random_step(uint64_t *clock, uint64_t span)
{
    struct step s = {.user = (unsigned)rnd(USERS), .value = (int)rnd(10), .rule_count = 1};
    *clock += rnd(20) ? rnd(span / 2 + 2) / (1 + rnd(6)) : rnd(4 * span);
    s.t = *clock;
    if (rnd(4) == 0)
        s.t -= rnd(2 * span) < s.t ? rnd(span + 1) : 0;
    if (rnd(400) == 0)
        *clock = 100 + rnd(1000); /* set back */
    s.rules[0] = (uint32_t)rnd(REFS);
    if (rnd(6) == 0)
        s.rules[s.rule_count++] = (s.rules[0] + 1) % REFS;
    return s;
}

static bool feed(struct bench *b, struct hm_correlator *c, const struct step *s)
{
    char user[8], value[8];
    snprintf(user, sizeof user, "u%u", s->user);
    snprintf(value, sizeof value, "%d", s->value);
    struct fake f = fake(user, NULL, value);
    size_t had = b->hits;
    hm_correlator_event(c, &f.view, s->rules, s->rule_count, s->t, s->t, on_hit, b);
    return b->hits > had;
}

static struct hm_correlator *reopened(struct bench *b, struct hm_correlator *c)
{
    struct hm_buf buf = HM_BUF(64 << 20);
    hm_correlator_save(c, &buf);
    assert_int_equal(buf.error, 0);
    struct hm_correlator *again;
    assert_int_equal(hm_correlator_new(&b->set, NULL, NULL, NULL, &again), 0);
    assert_int_equal(hm_correlator_load(again, hm_buf_slice(&buf)), 0);
    hm_buf_done(&buf);
    hm_correlator_free(c);
    return again;
}

static struct hm_correlator *adopted(struct bench *b, struct hm_correlator *c)
{
    struct hm_correlator *again;
    assert_int_equal(hm_correlator_new(&b->set, NULL, NULL, NULL, &again), 0);
    assert_int_equal(hm_correlator_adopt(again, c), 1);
    hm_correlator_free(c);
    return again;
}

static size_t one_stream(uint64_t with)
{
    static struct twin twins[USERS];
    struct bench b;
    size_t fired = 0;
    seed = with;
    random_correlation(&b);
    start(&b, NULL);
    if (b.refused) {
        stop(&b);
        return 0;
    }
    for (unsigned u = 0; u < USERS; u++)
        twins[u] = (struct twin){.c = &b.correlation};
    uint64_t clock = 1000, span = b.correlation.timespan_ms;
    for (int i = 0; i < 500; i++) {
        struct step s = random_step(&clock, span);
        struct kept k = {s.t, 0, s.value};
        for (size_t r = 0; r < s.rule_count; r++)
            if (s.rules[r] < b.correlation.ref_count)
                k.mask |= 1u << s.rules[r];
        bool got = feed(&b, b.c, &s), want = k.mask && twin_put(&twins[s.user], k);
        if (got != want)
            fail_msg("seed %llu event %d kind %d: fired %d, the twin %d", (unsigned long long)with,
                     i, (int)b.correlation.kind, got, want);
        fired += got;
        if (rnd(100) == 0)
            b.c = rnd(2) ? reopened(&b, b.c) : adopted(&b, b.c);
    }
    stop(&b);
    return fired;
}

static void any_stream_fires_where_the_naive_twin_does(void **state)
{
    (void)state;
    size_t fired = 0;
    for (uint64_t i = 1; i <= 1500; i++)
        fired += one_stream(i * 0x9e3779b97f4a7c15u);
    assert_true(fired > 10000);
}

static void a_cut_or_changed_state_file_is_refused(void **state)
{
    (void)state;
    struct bench b;
    prepare(&b, HM_CORRELATION_VALUE_COUNT, 1, MIN);
    bound(&b, HM_BOUND_GTE, 3);
    start(&b, NULL);
    put(&b, 0, "eva", "a", 1);
    put(&b, 0, "eva", "b", 2);
    put(&b, 0, "bob", "b", 2);
    struct hm_buf buf = HM_BUF(1 << 20);
    hm_correlator_save(b.c, &buf);
    for (size_t n = 0; n < buf.len; n++) {
        int r = hm_correlator_load(b.c, hm_slice(buf.data, n));
        assert_true(n == 24 ? r == 0 : r == -EBADMSG); /* 24: a state without correlations */
    }
    seed = 7;
    for (int i = 0; i < 20000; i++) { /* whatever a changed byte means, nothing breaks */
        size_t at = rnd(buf.len);
        uint8_t was = buf.data[at];
        buf.data[at] = (uint8_t)rnd(256);
        int r = hm_correlator_load(b.c, hm_buf_slice(&buf));
        assert_true(r == 0 || r == -EBADMSG);
        put(&b, 0, "eva", "c", rnd(MIN));
        buf.data[at] = was;
    }
    hm_buf_done(&buf);
    stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_counted_for_each_group_and_both_edges_are_inside),
        cmocka_unit_test(ranges_and_upper_bounds_are_looked_at_on_each_event),
        cmocka_unit_test(what_can_never_fire_is_refused_with_its_reason),
        cmocka_unit_test(values_are_counted_once_and_absent_ones_not_at_all),
        cmocka_unit_test(sums_averages_and_percentiles_follow_the_window),
        cmocka_unit_test(without_a_percentile_the_share_of_the_value_counts),
        cmocka_unit_test(temporal_wants_all_rules_and_ordered_wants_them_in_order),
        cmocka_unit_test(one_event_fills_one_step_but_is_every_rule_it_hits),
        cmocka_unit_test(an_extended_condition_may_want_a_rule_to_be_absent),
        cmocka_unit_test(events_without_the_field_are_a_group_of_their_own),
        cmocka_unit_test(the_chain_of_the_specification_fires_on_the_success),
        cmocka_unit_test(a_flood_of_one_value_does_not_hide_the_others),
        cmocka_unit_test(a_flood_is_counted_at_least_and_sums_keep_what_came_before),
        cmocka_unit_test(a_flood_of_middle_steps_does_not_hide_the_first),
        cmocka_unit_test(memory_has_a_ceiling_and_forgetting_is_counted),
        cmocka_unit_test(a_clock_that_jumps_is_followed),
        cmocka_unit_test(siphash_is_the_published_one),
        cmocka_unit_test(any_stream_fires_where_the_naive_twin_does),
        cmocka_unit_test(a_cut_or_changed_state_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
