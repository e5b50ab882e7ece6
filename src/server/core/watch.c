/* A roll-out under way: what its endpoints show is counted, judged by rollout.c, and content goes
 * on or back. Going back is recorded, audited and told as an alert. */
#include "server/core/delivery.h"
#include "server/core/rollout.h"
#include "base/log.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define USUAL_MS (24 * 3600 * 1000ull)

struct look {
    struct hm_core *k;
    const struct hm_rollout *r;
    struct hm_ring_health h;
    uint64_t refused_here, now_ms; /* rules the server refused when it was built */
    uint8_t last[HM_ID_BYTES];     /* an endpoint to hang the notice on */
};

static int copy_refused(void *ctx, const struct hm_content_version_row *v)
{
    struct look *l = ctx;
    l->refused_here = v->refused;
    return 0;
}

/* Alerts since the stage began against the same span of the day before. */
static int count_alerts(struct look *l, const uint8_t endpoint[HM_ID_BYTES])
{
    uint64_t alerts = 0, usual = 0, from = l->r->since_ms, span = l->now_ms - from;
    int r = hm_content_alerts(l->k->c, l->r->tenant, endpoint, from, l->now_ms, &alerts);
    if (!r)
        r = hm_content_alerts(l->k->c, l->r->tenant, endpoint, from - USUAL_MS, from, &usual);
    l->h.alerts += alerts;
    l->h.usual += (usual * span + USUAL_MS - 1) / USUAL_MS;
    return r;
}

static int look_at(void *ctx, const struct hm_content_endpoint *e)
{
    struct look *l = ctx;
    uint64_t c = l->r->candidate;
    if (hm_ring_of(l->r, e->id, e->group) > hm_rollout_reach(l->r->stage))
        return 0;
    bool has = e->active == c, tried = e->tried == c;
    l->h.endpoints++;
    l->h.connected += e->connected;
    l->h.have += has;
    l->h.refused +=
        tried && (strcmp(e->state, "refused") == 0 || strcmp(e->state, "reverted") == 0);
    l->h.worse += has && e->refused > l->refused_here;
    l->h.restarted += has && e->restarts >= HM_ROLLOUT_RESTARTS;
    l->h.silent += has && !e->connected && l->now_ms > e->last_seen_ms + HM_ROLLOUT_SILENT_MS;
    if (has || tried)
        memcpy(l->last, e->id, sizeof l->last);
    return has ? count_alerts(l, e->id) : 0;
}

static int tell_rolled_back(struct hm_core *k, const struct hm_rollout *r,
                            const struct hm_rollout_why *why, const uint8_t endpoint[HM_ID_BYTES])
{
    char reason[400], reason_ja[700], key[32];
    snprintf(reason, sizeof reason,
             "Content version %" PRIu64 " was taken back in ring %s: %s. The content before comes "
             "back as a new version.",
             r->candidate, hm_stage_names[r->stage], why->en);
    snprintf(reason_ja, sizeof reason_ja,
             "検知コンテンツのバージョン %" PRIu64
             " を段階 %s で取り消しました（%s）。以前の内容を新しいバージョンとして配布します。",
             r->candidate, hm_stage_names[r->stage], why->ja);
    snprintf(key, sizeof key, "%" PRIu64, r->candidate);
    struct hm_notice n = {.rule = "hinomi.content-rolled-back",
                          .title = "New detection content was taken back automatically",
                          .title_ja = "新しい検知コンテンツを自動的に取り消しました",
                          .reason = reason,
                          .reason_ja = reason_ja,
                          .severity = 4,
                          .key = hm_slice_str(key)};
    return hm_soc_notice(k, r->tenant, endpoint, &n);
}

static int go_back(struct hm_core *k, const struct hm_rollout *r, const struct look *l,
                   const struct hm_rollout_why *why)
{
    hm_warn("content version %" PRIu64 " of %s is rolled back: %s", r->candidate, r->tenant,
            why->en);
    int e = hm_control_begin(k->c);
    if (e)
        return e;
    e = hm_content_rollback(k->c, r->tenant, 0, why->en, "automatic");
    if (!e)
        e = hm_audit_add(k->c, r->tenant, "automatic", "content.rolled-back", r->tenant, why->en);
    if (!e)
        e = tell_rolled_back(k, r, why, l->last);
    e = hm_control_end(k->c, e);
    hm_changes_send(k);
    return e;
}

static int go_on(struct hm_core *k, const struct hm_rollout *old)
{
    struct hm_rollout r = *old;
    r.stage = hm_rollout_next(r.stage, HM_ROLLOUT_SOAKED);
    r.since_ms = hm_control_now_ms();
    bool complete = r.stage == HM_STAGE_IDLE;
    if (complete) {
        r.stable = r.candidate;
        r.candidate = 0;
    }
    hm_info("content version %" PRIu64 " of %s: %s", old->candidate, r.tenant,
            complete ? "everybody has it" : hm_stage_names[r.stage]);
    int e = hm_rollout_put(k->c, &r);
    if (!e)
        e = hm_content_log_add(k->c, r.tenant, "automatic", complete ? "completed" : "advanced",
                               old->candidate, complete ? "all" : hm_stage_names[r.stage], "");
    hm_changed(k, "content", r.tenant, (const uint8_t[HM_ID_BYTES]){0});
    hm_changes_send(k);
    return e;
}

static int judge(void *ctx, const struct hm_rollout *r)
{
    struct hm_core *k = ctx;
    struct look l = {.k = k, .r = r, .now_ms = hm_control_now_ms()};
    struct hm_rollout_why why = {0};
    if (!r->candidate || hm_rollout_reach(r->stage) == HM_RING_COUNT)
        return 0;
    int e = hm_content_version_get(k->c, r->tenant, r->candidate, copy_refused, &l);
    if (!e)
        e = hm_content_endpoints(k->c, r->tenant, look_at, &l);
    if (e)
        return e;
    enum hm_rollout_event v = hm_rollout_judge(r, &l.h, l.now_ms, &why);
    return v == HM_ROLLOUT_BAD ? go_back(k, r, &l, &why) : v == HM_ROLLOUT_SOAKED ? go_on(k, r) : 0;
}

void hm_delivery_watch(struct hm_core *k)
{
    int r = hm_rollout_each(k->c, judge, k);
    if (r)
        hm_err("the roll-out of content could not be judged: %s", strerror(-r));
}
