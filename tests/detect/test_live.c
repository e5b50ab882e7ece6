/* That a rule is live is shown, not claimed: for each Linux rule of the corpus an event in our own
 * form is made, and the view and the matcher have to find it. Rules that are told to be live and
 * that no event makes fire would be found here, and so would the opposite. */
#include "linux_rules.h"
#include "sample.h"
#include "agent/engine/policy.h"
#include "agent/monitor/policy.h"
#include "detect/coverage.h"
#include "detect/ruleset.h"
#include "detect/view/given.h"

#define SEEDS 400

struct proof {
    struct reading r;
    struct hm_bindings *b;
    struct hm_ruleset *rs;
    struct hm_match_scratch *s;
    struct sample sample;
    struct hm_policy *changed, *read;
};

static bool fires(struct proof *x, uint32_t rule)
{
    const uint32_t *hits;
    size_t n = hm_ruleset_match_event(x->rs, x->s, &x->sample.e, &hits);
    for (size_t i = 0; i < n; i++)
        if (hits[i] == rule)
            return true;
    return false;
}

static struct hm_policy *policy_of(bool read_only)
{
    struct hm_buf text = HM_BUF(64 * 1024);
    struct hm_policy *p = NULL;
    for (const struct hm_watch_row *row = hm_watch_rows; row->path; row++)
        if (!read_only || row->read)
            hm_buf_printf(&text, "%s\n", row->path);
    assert_int_equal(hm_policy_new(hm_buf_slice(&text), &p, NULL), 0);
    hm_buf_done(&text);
    return p;
}

/* A file that nobody watches is not seen, whatever happens to it. */
static bool watched(const struct proof *x)
{
    const struct hm_event *e = &x->sample.e;
    bool open = hm_event_u64(e, HM_F_ACTION) == HM_ACTION_FILE_OPEN;
    if (hm_event_u64(e, HM_F_CLASS) != HM_CLASS_FILE)
        return true;
    return hm_policy_path(open ? x->read : x->changed, hm_event_str(e, HM_F_FILE_PATH));
}

/* Only what the agent's events of this action carry: else the proof would be of another agent. */
static bool ours(const struct hm_event *e)
{
    for (int f = 0; f < HM_FIELD_COUNT; f++)
        if (hm_event_has(e, (enum hm_field)f) &&
            !hm_given(hm_event_u64(e, HM_F_ACTION), (enum hm_field)f))
            return false;
    return true;
}

static const uint64_t any_action[] = {HM_ACTION_FOREIGN_LOG, HM_ACTION_PROCESS_EXEC};

static bool shown(struct proof *x, uint32_t rule)
{
    const struct hm_sigma_entry *e = hm_sigma_rule_at(x->r.c, rule);
    struct hm_route route;
    assert_true(
        hm_logsource_route(e->source.product, e->source.category, e->source.service, &route));
    bool any = !route.actions[0];
    size_t actions = any ? HM_ARRAY_LEN(any_action) : route.count;
    for (uint32_t seed = 0; seed < SEEDS; seed++)
        for (size_t a = 0; a < actions; a++) {
            sample_event(&x->sample, e, x->r.names, &route, any ? any_action[a] : route.actions[a],
                         seed);
            if (ours(&x->sample.e) && watched(x) && fires(x, rule))
                return true;
        }
    return false;
}

static void begin(struct proof *x)
{
    struct hm_error err = {0};
    *x = (struct proof){0};
    reading_open(&x->r, NULL);
    linux_rules_add_all(&x->r);
    reading_finish(&x->r);
    struct hm_ruleset_options o = {.target = HM_TARGET_EVENTS};
    assert_int_equal(hm_bindings_new(x->r.names, &x->b), 0);
    if (hm_ruleset_build(x->r.c, x->r.names, &o, &x->rs, &err) < 0)
        fail_msg("%s", err.text);
    assert_non_null(x->s = hm_match_scratch_new(x->rs));
    x->changed = policy_of(false);
    x->read = policy_of(true);
}

static void end(struct proof *x)
{
    sample_done(&x->sample);
    hm_policy_free(x->changed);
    hm_policy_free(x->read);
    hm_match_scratch_free(x->s);
    hm_ruleset_free(x->rs);
    hm_bindings_free(x->b);
    reading_close(&x->r);
}

static void every_live_rule_fires_on_an_event_of_ours(void **state)
{
    if (!linux_rules_there())
        skip();
    struct proof *x = malloc(sizeof *x);
    size_t bad = 0, fired = 0;
    begin(x);
    size_t n = hm_sigma_rule_count(x->r.c);
    for (uint32_t i = 0; i < n; i++) {
        struct hm_coverage c;
        hm_coverage(hm_sigma_rule_at(x->r.c, i), x->r.names, x->b, &c);
        bool live = c.state == HM_COVERAGE_LIVE, was = shown(x, i);
        fired += was;
        bad += live != was;
        if (live != was)
            print_message("%s: %s\n", live ? "never fires" : "fires, and is told not to be live",
                          hm_sigma_rule_at(x->r.c, i)->info.path);
    }
    print_message("%zu of %zu Linux rules fired\n", fired, n);
    assert_int_equal(bad, 0);
    assert_true(n >= LINUX_RULES);
    end(x);
    free(x);
}

static void expressions_have_samples(void **state)
{
    static const struct {
        const char *re, *text;
    } rows[] = {
        {"(^|\\/)\\.[^.\\/]", ".w"}, {"a{3}b+c*d?", "aaab"}, {"[0-9]{1,3}\\.x", "0.x"},
        {"(?:one|two)\\s", "one "},  {"\\d\\w", "7w"},
    };
    char out[64];
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        sample_regex(rows[i].re, strlen(rows[i].re), out, sizeof out);
        assert_string_equal(out, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_have_samples),
        cmocka_unit_test(every_live_rule_fires_on_an_event_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
