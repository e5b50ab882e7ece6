/* One attack on several machines: the alerts of all endpoints correlated by the rule that ships for
 * it (rules/server/spreading.yml, built in). Counts in the time of receipt, the only clock that all
 * endpoints share. Its windows are written with the consumer's cursor: a kill loses and doubles
 * nothing. Refuses to know how an alert is stored. */
#include "server/core/core.h"
#include "base/log.h"
#include "detect/correlate/correlate.h"
#include "detect/sigma/collection.h"
#include "detect/view/reading.h"
#include <errno.h>
#include <stdlib.h>

#define CONSUMER    "alerts"
#define STATE_BYTES (1u << 20) /* of all windows: about 10,000 (tenant, rule) pairs */
#define SAVED_BYTES (4u << 20)
#define WORDS_BYTES 4096
#define RULE_HITS   16

static const char rule_text[] =
#include "server/core/spreading.h"
    ;

struct hm_spread {
    struct hm_names *names;
    struct hm_ruleset *rules;
    struct hm_match_scratch *scratch;
    struct hm_correlator *correlator;
    bool changed;
    struct hm_event e; /* the alert at hand, with its envelope */
    struct hm_buf words[4], saved;
    struct hm_core *core;
    const struct hm_soc_item *item;
    int result;
};

static void refused(void *ctx, const struct hm_rule_problem *p)
{
    (void)ctx;
    hm_err("built-in correlation, line %u: %s", p->error.line, p->error.text);
}

static int correlator(struct hm_spread *s)
{
    static const struct hm_correlate_options o = {.bytes_max = STATE_BYTES};
    struct hm_correlate_set set = hm_ruleset_correlations(s->rules);
    struct hm_correlator *c = NULL;
    int r = hm_correlator_new(&set, &o, NULL, NULL, &c);
    if (r == 0) {
        hm_correlator_free(s->correlator);
        s->correlator = c;
    }
    return r;
}

static int build(struct hm_spread *s, struct hm_error *err)
{
    struct hm_sigma_collection *c = NULL;
    struct hm_ruleset_options o = {.target = HM_TARGET_EVENTS, .ignore_logsource = true};
    s->names = hm_names_new();
    struct hm_sigma_options so = {.names = s->names};
    int r = s->names ? hm_sigma_collection_new(&so, &c) : -ENOMEM;
    if (r == 0)
        r = hm_sigma_collection_add(c, "spreading.yml", hm_slice_str(rule_text), refused, NULL);
    if (r == 0)
        r = hm_sigma_collection_finish(c, refused, NULL);
    if (r == 0)
        r = hm_ruleset_build(c, s->names, &o, &s->rules, err);
    hm_sigma_collection_free(c);
    if (r == 0 && !(s->scratch = hm_match_scratch_sized(s->rules, 0)))
        r = -ENOMEM;
    return r ? r : correlator(s);
}

int hm_spread_new(struct hm_spread **ret_s, struct hm_error *err)
{
    struct hm_spread *s = calloc(1, sizeof *s);
    if (!s)
        return hm_fail(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < HM_ARRAY_LEN(s->words); i++)
        s->words[i] = HM_BUF(WORDS_BYTES);
    s->saved = HM_BUF(SAVED_BYTES);
    int r = build(s, err);
    if (r) {
        hm_spread_free(s);
        return err->code ? r : hm_fail(err, r, "correlation: %s", strerror(-r));
    }
    *ret_s = s;
    return 0;
}

void hm_spread_free(struct hm_spread *s)
{
    if (!s)
        return;
    hm_correlator_free(s->correlator);
    hm_match_scratch_free(s->scratch);
    hm_ruleset_free(s->rules);
    hm_names_free(s->names);
    for (size_t i = 0; i < HM_ARRAY_LEN(s->words); i++)
        hm_buf_done(&s->words[i]);
    hm_buf_done(&s->saved);
    free(s);
}

/* --- with the cursor ------------------------------------------------------------------------- */
int hm_spread_load(struct hm_spread *s, struct hm_control *c)
{
    hm_buf_clear(&s->saved);
    int r = hm_state_get(c, CONSUMER, &s->saved);
    if (r == 0)
        r = correlator(s);
    if (r || s->saved.len == 0)
        return r;
    s->changed = false;
    r = hm_correlator_load(s->correlator, hm_buf_slice(&s->saved));
    if (r == -EBADMSG) {
        hm_warn("windows over several endpoints begin anew: what was kept of them is unreadable");
        r = 0;
    }
    return r;
}

int hm_spread_save(struct hm_spread *s, struct hm_control *c)
{
    if (!s->changed)
        return 0;
    hm_buf_clear(&s->saved);
    hm_correlator_save(s->correlator, &s->saved);
    int r = s->saved.error ? s->saved.error : hm_state_put(c, CONSUMER, hm_buf_slice(&s->saved));
    s->changed = r != 0;
    return r;
}

/* --- one alert ------------------------------------------------------------------------------- */
static const char *fill(struct hm_spread *s, size_t i, const char *template)
{
    hm_buf_clear(&s->words[i]);
    hm_rule_render(template, &s->e, &s->words[i]);
    hm_buf_put_u8(&s->words[i], 0);
    return s->words[i].error ? template : (const char *)s->words[i].data;
}

/* One notice a group and timespan: its key is the alert that completed it. */
static void on_hit(void *ctx, const struct hm_correlation_hit *h)
{
    struct hm_spread *s = ctx;
    bool silent;
    const struct hm_rule *r = hm_ruleset_correlation(s->rules, h->correlation, &silent);
    if (silent || h->repeated || s->result)
        return;
    struct hm_notice n = {
        .rule = r->id,
        .title = r->title,
        .title_ja = *r->title_ja ? r->title_ja : r->title,
        .reason = fill(s, 0, r->reason),
        .reason_ja = fill(s, 1, r->reason_ja),
        .advice = fill(s, 2, r->advice),
        .advice_ja = fill(s, 3, r->advice_ja),
        .techniques = r->techniques,
        .tactics = r->tactics,
        .severity = r->severity,
        .key = hm_event_str(&s->e, HM_F_ALERT_ID),
        .about = &s->e,
    };
    s->result = hm_soc_notice(s->core, s->item->tenant, s->item->endpoint, &n);
}

int hm_spread_alert(struct hm_spread *s, struct hm_soc_item *it, const struct hm_event *alert)
{
    struct hm_reading view;
    const uint32_t *hits;
    uint32_t own[RULE_HITS];
    s->e = *alert;
    hm_soc_envelope(&s->e, it);
    hm_event_unset(&s->e, HM_F_ALERT_EVIDENCE);
    if (!hm_ruleset_read(s->rules, &s->e, &view))
        return 0;
    size_t n = hm_ruleset_match_view(s->rules, s->scratch, &view.view, &hits);
    n = n < RULE_HITS ? n : RULE_HITS;
    memcpy(own, hits, n * sizeof *hits);
    if (n == 0)
        return 0;
    s->core = it->k;
    s->item = it;
    s->result = 0;
    s->changed = true;
    hm_correlator_event(s->correlator, &view.view, own, n, it->received_ns / 1000000, it->record,
                        on_hit, s);
    return s->result;
}
