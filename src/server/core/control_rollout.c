/* Which version is meant for whom, and what endpoints said of it. Owns rings, targets and what a
 * person may begin; when a stage follows another is decided in rollout.c. */
#include "server/core/control_content.h"
#include "server/core/control_core.h"
#include "server/core/sql.h"
#include "base/crypto.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define SOAK_S_DEFAULT 3600

const char *const hm_ring_names[HM_RING_COUNT] = {"canary", "early", "all"};
const char *const hm_stage_names[HM_STAGE_COUNT] = {"idle", "canary", "early", "all", "returning"};

static enum hm_stage stage_of(const char *name)
{
    for (int i = 0; i < HM_STAGE_COUNT; i++)
        if (strcmp(name, hm_stage_names[i]) == 0)
            return (enum hm_stage)i;
    return HM_STAGE_IDLE;
}

static void take(sqlite3_stmt *st, struct hm_rollout *r)
{
    *r = (struct hm_rollout){.stable = hm_sql_u64(st, 1),
                             .candidate = hm_sql_u64(st, 2),
                             .stage = stage_of(hm_sql_text(st, 3)),
                             .since_ms = hm_sql_u64(st, 4),
                             .soak_s = hm_sql_u64(st, 5),
                             .canary_percent = hm_sql_u64(st, 8),
                             .early_percent = hm_sql_u64(st, 9),
                             .alert_factor = hm_sql_u64(st, 12),
                             .alert_least = hm_sql_u64(st, 13)};
    snprintf(r->tenant, sizeof r->tenant, "%s", hm_sql_text(st, 0));
    snprintf(r->actor, sizeof r->actor, "%s", hm_sql_text(st, 6));
    snprintf(r->reason, sizeof r->reason, "%s", hm_sql_text(st, 7));
    snprintf(r->canary_group, sizeof r->canary_group, "%s", hm_sql_text(st, 10));
    snprintf(r->early_group, sizeof r->early_group, "%s", hm_sql_text(st, 11));
}

int hm_rollout_get(struct hm_control *c, const char *tenant, struct hm_rollout *ret)
{
    sqlite3_stmt *st = hm_sql_bind(c, HM_SQL_ROLLOUT_GET, "t", tenant);
    int r = hm_sql_step(st);
    if (r < 0)
        return r;
    *ret = (struct hm_rollout){.soak_s = SOAK_S_DEFAULT,
                               .canary_percent = 5,
                               .early_percent = 25,
                               .canary_group = "canary",
                               .early_group = "early",
                               .alert_factor = 5,
                               .alert_least = 20};
    snprintf(ret->tenant, sizeof ret->tenant, "%s", tenant);
    if (r == 1) {
        take(st, ret);
        sqlite3_reset(st);
    }
    return 0;
}

int hm_rollout_put(struct hm_control *c, const struct hm_rollout *r)
{
    return hm_sql_change(c, HM_SQL_ROLLOUT_PUT, "tuutuuttuuttuu", r->tenant, r->stable,
                         r->candidate, hm_stage_names[r->stage], r->since_ms, r->soak_s, r->actor,
                         r->reason, r->canary_percent, r->early_percent, r->canary_group,
                         r->early_group, r->alert_factor, r->alert_least);
}

/* Copied out first: each() may change them. */
int hm_rollout_each(struct hm_control *c, int (*each)(void *ctx, const struct hm_rollout *r),
                    void *ctx)
{
    struct hm_rollout *all = calloc(64, sizeof *all);
    sqlite3_stmt *st = all ? hm_sql_bind(c, HM_SQL_ROLLOUT_ALL, "") : NULL;
    size_t n = 0;
    int r = all ? 0 : -ENOMEM;
    while (st && n < 64 && (r = hm_sql_step(st)) == 1)
        take(st, &all[n++]);
    if (n == 64)
        sqlite3_reset(st);
    r = r < 0 ? r : 0;
    for (size_t i = 0; !r && i < n; i++)
        r = each(ctx, &all[i]);
    free(all);
    return r;
}

enum hm_ring hm_ring_of(const struct hm_rollout *r, const uint8_t endpoint[HM_ID_BYTES],
                        const char *group)
{
    uint8_t hash[HM_SHA256_BYTES];
    if (*r->canary_group && strcmp(group, r->canary_group) == 0)
        return HM_RING_CANARY;
    if (*r->early_group && strcmp(group, r->early_group) == 0)
        return HM_RING_EARLY;
    hm_sha256(hm_slice(endpoint, HM_ID_BYTES), hash);
    unsigned place = ((unsigned)hash[0] << 8 | hash[1]) * 100u >> 16;
    return place < r->canary_percent                      ? HM_RING_CANARY
           : place < r->canary_percent + r->early_percent ? HM_RING_EARLY
                                                          : HM_RING_ALL;
}

uint64_t hm_rollout_target(const struct hm_rollout *r, enum hm_ring ring)
{
    bool has = (r->stage == HM_STAGE_CANARY && ring == HM_RING_CANARY) ||
               (r->stage == HM_STAGE_EARLY && ring <= HM_RING_EARLY) || r->stage == HM_STAGE_ALL;
    return r->candidate && has ? r->candidate : r->stable;
}

/* ---- what endpoints said ---- */

struct endpoint_list {
    int (*each)(void *ctx, const struct hm_content_endpoint *e);
    void *ctx;
};

static int endpoint_row(void *ctx, sqlite3_stmt *st)
{
    struct endpoint_list *l = ctx;
    struct hm_content_endpoint e = {.name = hm_sql_text(st, 1),
                                    .group = hm_sql_text(st, 2),
                                    .connected = hm_sql_u64(st, 3) != 0,
                                    .last_seen_ms = hm_sql_u64(st, 4),
                                    .active = hm_sql_u64(st, 5),
                                    .tried = hm_sql_u64(st, 6),
                                    .state = hm_sql_text(st, 7),
                                    .rules = hm_sql_u64(st, 8),
                                    .refused = hm_sql_u64(st, 9),
                                    .load_ms = hm_sql_u64(st, 10),
                                    .restarts = hm_sql_u64(st, 11),
                                    .error = hm_sql_text(st, 12),
                                    .problems = hm_sql_text(st, 13),
                                    .updated_ms = hm_sql_u64(st, 14)};
    hm_sql_blob(st, 0, e.id, sizeof e.id);
    return l->each(l->ctx, &e);
}

int hm_content_endpoints(struct hm_control *c, const char *tenant,
                         int (*each)(void *ctx, const struct hm_content_endpoint *e), void *ctx)
{
    struct endpoint_list l = {each, ctx};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_CONTENT_ENDPOINT_LIST, "t", tenant), endpoint_row, &l);
}

int hm_content_endpoint_put(struct hm_control *c, const char *tenant,
                            const uint8_t endpoint[HM_ID_BYTES], const struct hm_content_word *w)
{
    int r = hm_sql_run(c, HM_SQL_CONTENT_ENDPOINT_PUT, "tIuutuuuussu", tenant, endpoint, w->active,
                       w->tried, w->state, w->rules, w->refused, w->load_ms, w->restarts, w->error,
                       w->problems, w->at_ms);
    return r < 0 ? r : 0;
}

int hm_content_alerts(struct hm_control *c, const char *tenant, const uint8_t endpoint[HM_ID_BYTES],
                      uint64_t from_ms, uint64_t to_ms, uint64_t *ret)
{
    return hm_sql_one(c, ret, HM_SQL_CONTENT_ENDPOINT_ALERTS, "tIuu", tenant, endpoint,
                      from_ms * 1000000, to_ms * 1000000);
}

/* ---- what a person begins ---- */

static int exists(void *ctx, const struct hm_content_version_row *r)
{
    (void)ctx;
    (void)r;
    return 0;
}

static int publish(struct hm_control *c, struct hm_rollout *r, uint64_t version, bool at_once,
                   uint64_t soak_s, const char *actor)
{
    char text[96];
    int e = hm_content_version_get(c, r->tenant, version, exists, NULL);
    if (e)
        return e;
    if (version == r->stable && !r->candidate)
        return -EALREADY;
    if (r->stage == HM_STAGE_RETURNING)
        return -EBUSY;
    if (version < r->stable || version < r->candidate)
        return -EPROTO; /* endpoints take nothing older: that is a roll-back */
    r->candidate = at_once ? 0 : version;
    r->stable = at_once ? version : r->stable;
    r->stage = at_once ? HM_STAGE_IDLE : HM_STAGE_CANARY;
    r->since_ms = hm_control_now_ms();
    r->soak_s = soak_s ? soak_s : r->soak_s;
    r->reason[0] = 0;
    snprintf(r->actor, sizeof r->actor, "%s", actor);
    snprintf(text, sizeof text, "version %" PRIu64 "%s", version,
             at_once ? ", at once to all" : "");
    if ((e = hm_rollout_put(c, r)) ||
        (e = hm_content_log_add(c, r->tenant, actor, "published", version,
                                at_once ? "all" : "canary", "")))
        return e;
    return hm_audit_add(c, r->tenant, actor, "content.publish", r->tenant, text);
}

int hm_content_publish(struct hm_control *c, const char *tenant, uint64_t version, bool at_once,
                       uint64_t soak_s, const char *actor)
{
    struct hm_rollout r;
    int e = hm_control_begin(c);
    if (e)
        return e;
    e = hm_rollout_get(c, tenant, &r);
    return hm_control_end(c, e ? e : publish(c, &r, version, at_once, soak_s, actor));
}

static int before(void *ctx, const struct hm_content_version_row *r)
{
    uint64_t *v = ctx; /* v[0]: the stable one, v[1]: the newest below it */
    if (r->version < v[0] && !v[1] && strncmp(r->origin, "rollback", 8) != 0)
        v[1] = r->version;
    return 0;
}

/* Endpoints take no older version: the old content is built anew as the next one. Until it is
 * there nobody else gets the candidate. */
static int roll_back(struct hm_control *c, struct hm_rollout *r, uint64_t to, const char *reason,
                     const char *actor)
{
    char spec[32];
    uint8_t id[HM_ID_BYTES];
    uint64_t v[2] = {r->stable, 0}, from = r->candidate ? r->candidate : r->stable;
    int e = 0;
    if (r->stage == HM_STAGE_RETURNING)
        return -EBUSY;
    if (to)
        e = hm_content_version_get(c, r->tenant, to, exists, NULL);
    else if (r->candidate)
        to = r->stable;
    else if (!(e = hm_content_version_list(c, r->tenant, 1000, before, v)))
        to = v[1];
    if (e || (!r->candidate && !r->stable))
        return e ? e : -ENOENT;
    snprintf(spec, sizeof spec, "%" PRIu64, to);
    struct hm_content_job_new j = {.kind = to ? "rollback" : "packaged",
                                   .layer = "",
                                   .spec = spec,
                                   .note = reason,
                                   .actor = actor,
                                   .then = "stable"};
    r->candidate = from;
    r->stage = HM_STAGE_RETURNING;
    r->since_ms = hm_control_now_ms();
    snprintf(r->reason, sizeof r->reason, "%s", reason);
    if ((e = hm_rollout_put(c, r)) || (e = hm_content_job_create(c, r->tenant, &j, id)))
        return e;
    return hm_content_log_add(c, r->tenant, actor, "rolled-back", from, "", reason);
}

int hm_content_rollback(struct hm_control *c, const char *tenant, uint64_t to, const char *reason,
                        const char *actor)
{
    struct hm_rollout r;
    int e = hm_control_begin(c);
    if (e)
        return e;
    e = hm_rollout_get(c, tenant, &r);
    return hm_control_end(c, e ? e : roll_back(c, &r, to, reason, actor));
}

int hm_content_set_rings(struct hm_control *c, const char *tenant, const struct hm_content_rings *s,
                         const char *actor)
{
    struct hm_rollout r;
    char text[160];
    if (s->canary_percent + s->early_percent > 100 || s->alert_factor == 0)
        return -EINVAL;
    int e = hm_control_begin(c);
    if (e)
        return e;
    e = hm_rollout_get(c, tenant, &r);
    r.canary_percent = s->canary_percent;
    r.early_percent = s->early_percent;
    r.alert_factor = s->alert_factor;
    r.alert_least = s->alert_least;
    if (s->canary_group)
        snprintf(r.canary_group, sizeof r.canary_group, "%s", s->canary_group);
    if (s->early_group)
        snprintf(r.early_group, sizeof r.early_group, "%s", s->early_group);
    snprintf(text, sizeof text, "canary %" PRIu64 " %%, early %" PRIu64 " %%", r.canary_percent,
             r.early_percent);
    if (!e)
        e = hm_rollout_put(c, &r);
    if (!e)
        e = hm_audit_add(c, tenant, actor, "content.rings", tenant, text);
    return hm_control_end(c, e);
}
