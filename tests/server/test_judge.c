/* What alerts become for people: one story, dismissed by an exception, told once when they spread;
 * and what the endpoint says of its rules. Through the real consumers. */
#include "soc_room.h"
#include "server/core/exception.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct spread_seen {
    size_t count;
    uint8_t last[HM_ID_BYTES];
    uint64_t severity;
};

static int take_spread(void *ctx, const struct hm_alert_row *r)
{
    struct spread_seen *n = ctx;
    if (strcmp(r->rule_id, "5f0d9a52-64cb-5d0c-9a0e-2f5b1a3f7c11") == 0) {
        n->count++;
        n->severity = r->severity;
    }
    return 0;
}

static size_t spreading(struct soc *s)
{
    struct hm_alert_filter all = {.limit = 100};
    struct spread_seen n = {0};
    assert_int_equal(hm_alert_list(s->k.c, "default", &all, take_spread, &n), 0);
    assert_true(n.count == 0 || n.severity == 4);
    return n.count;
}

static void add_endpoint(struct soc *s, uint8_t fill)
{
    struct hm_enroll_grant g = {.tenant = "default", .group = "office"};
    struct hm_endpoint_new e = {.name = hm_slice_str("more"), .serial = hm_slice_str("9")};
    memset(e.id, fill, sizeof e.id);
    assert_int_equal(hm_endpoint_add(s->w->c, &g, &e), 0);
}

/* An alert of the same rule from endpoint `fill`. */
static void alert_from(struct soc *s, uint8_t fill, uint8_t id)
{
    struct feed *own = s->f;
    s->f = feed_new(s->w->log, "default", fill);
    soc_alert(s, id);
    soc_consume(s);
    feed_free(s->f);
    s->f = own;
}

static void test_the_same_alert_on_three_endpoints_is_told_once(void **state)
{
    struct soc *s = *state;
    for (uint8_t i = 2; i < 6; i++)
        add_endpoint(s, i);
    alert_from(s, 2, 0x11);
    alert_from(s, 2, 0x12); /* the same endpoint again */
    alert_from(s, 3, 0x13);
    assert_int_equal(spreading(s), 0);
    soc_close(s); /* windows outlive a restart: they are written with the cursor */
    soc_open(s);
    alert_from(s, 4, 0x14);
    assert_int_equal(spreading(s), 1);
    alert_from(s, 5, 0x15); /* the same attack goes on: no second notice within its time */
    assert_int_equal(spreading(s), 1);
    s->k.alerts_next = 0; /* everything is read again, as after a kill before the commit */
    assert_int_equal(hm_cursor_put(s->k.c, "alerts", 0), 0);
    soc_close(s);
    soc_open(s);
    soc_consume(s);
    assert_int_equal(spreading(s), 1);
}

/* ---- stories ---- */
static int take_story(void *ctx, const struct hm_story_row *r)
{
    struct hm_story_row *n = ctx;
    n->alerts += r->alerts;
    n->open_alerts += r->open_alerts;
    n->risk = r->risk;
    n->rules++; /* here: how many stories */
    return 0;
}

static struct hm_story_row stories(struct soc *s)
{
    struct hm_story_row n = {0};
    assert_int_equal(hm_story_list(s->k.c, "default", &(struct hm_story_filter){0}, take_story, &n),
                     0);
    return n;
}

static void test_alerts_of_one_tree_arrive_as_one_story(void **state)
{
    struct soc *s = *state;
    soc_alert(s, 9);
    soc_alert(s, 10);
    soc_consume(s);
    struct hm_story_row n = stories(s);
    assert_int_equal(n.rules, 1);
    assert_int_equal(n.alerts, 2);
    assert_int_equal(n.risk, 75);
}

/* ---- exceptions ---- */
static int take_state(void *ctx, const struct hm_alert_row *r)
{
    snprintf(ctx, 64, "%s%s%s", r->state, r->exception ? " excepted" : "",
             strstr(r->evidence, "/bin/sh") ? " kept" : "");
    return 0;
}

static void state_of(struct soc *s, uint8_t fill, char ret[64])
{
    uint8_t id[16];
    memset(id, fill, sizeof id);
    assert_int_equal(hm_alert_get(s->k.c, "default", id, take_state, ret), 0);
}

static void test_an_exception_judges_alerts_as_they_come(void **state)
{
    struct soc *s = *state;
    struct hm_exception_new x = {.title = "known",
                                 .owner = "IT",
                                 .reason = "known",
                                 .rule_id = "rule",
                                 .group = "office",
                                 .where = "Image|endswith: /sh",
                                 .ttl_s = 3600};
    uint8_t id[16];
    char text[64];
    soc_alert(s, 9);
    soc_consume(s);
    assert_int_equal(hm_exception_add(s->k.c, "default", &x, "a", id, NULL), 0);
    hm_except_load(&s->k);
    soc_alert(s, 10);
    soc_consume(s);
    state_of(s, 9, text);
    assert_string_equal(text, "NEW kept");
    state_of(s, 10, text);
    assert_string_equal(text, "BENIGN excepted kept");
    assert_int_equal(stories(s).open_alerts, 1);
    assert_int_equal(hm_exception_end(s->k.c, "default", id, "a"), 0);
    hm_except_load(&s->k);
    soc_alert(s, 11);
    soc_consume(s);
    state_of(s, 11, text);
    assert_string_equal(text, "NEW kept");
}

/* ---- what rules cost ---- */
static void say_cost(struct soc *s, const char *json)
{
    struct hm_event e = {0};
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_AGENT);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_AGENT_RULE_COST);
    hm_event_set(&e, HM_F_AGENT_DETAIL, hm_slice_str(json));
    feed_put(s->f, HM_LANE_ALERT, &e);
    soc_consume(s);
}

struct notices {
    size_t count;
    char last[256];
};

static int take_notice(void *ctx, const struct hm_alert_row *r)
{
    struct notices *n = ctx;
    if (n->count++ == 0)
        snprintf(n->last, sizeof n->last, "%s: %s", r->rule_id, r->reason);
    return 0;
}

static struct notices notices(struct soc *s)
{
    struct notices n = {0};
    struct hm_alert_filter all = {.limit = 100};
    assert_int_equal(hm_alert_list(s->k.c, "default", &all, take_notice, &n), 0);
    return n;
}

static void test_a_rule_that_is_off_becomes_an_alert(void **state)
{
    struct soc *s = *state;
    say_cost(s, "{\"why\":\"policy\",\"off\":true,\"rule\":\"r1\",\"title\":\"Some rule\"}");
    struct notices n = notices(s);
    assert_int_equal(n.count, 1);
    assert_string_equal(
        n.last,
        "hinomi.rule-off: The policy has switched off the rule \"Some rule\" on this endpoint.");
}

static void test_a_rule_over_its_budget_becomes_an_alert(void **state)
{
    struct soc *s = *state;
    say_cost(s, "{\"why\":\"mean\",\"off\":false,\"evaluations\":1000,\"ns\":500000000,"
                "\"rule\":\"r2\",\"title\":\"Slow\"}");
    struct notices n = notices(s);
    assert_int_equal(n.count, 1);
    assert_non_null(strstr(n.last, "hinomi.rule-cost: The rule \"Slow\" took 500.0"));
}

static void test_nonsense_about_costs_is_no_alert(void **state)
{
    struct soc *s = *state;
    static const char *const rows[] = {"", "{", "[]", "{}", "{\"rule\":7}", "null"};
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++)
        say_cost(s, rows[i]);
    assert_int_equal(notices(s).count, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, soc_setup, soc_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_the_same_alert_on_three_endpoints_is_told_once),
        T(test_alerts_of_one_tree_arrive_as_one_story),
        T(test_an_exception_judges_alerts_as_they_come),
        T(test_a_rule_that_is_off_becomes_an_alert),
        T(test_a_rule_over_its_budget_becomes_an_alert),
        T(test_nonsense_about_costs_is_no_alert),
    };
    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
