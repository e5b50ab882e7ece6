/* Endpoints: listed, edited, revoked by people; enrolled, seen and counted by core. */
#include "server/core/control_core.h"
#include "server/core/sql.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

/* A connected endpoint sends at least a batch with its own counters now and then; one that is not
 * connected is stale for a while (a reboot, a train tunnel) and then silent. */
#define FRESH_MS (90 * 1000ull)
#define STALE_MS (15 * 60 * 1000ull)

const char *hm_endpoint_state(const struct hm_endpoint_row *r, uint64_t now_ms)
{
    if (r->revoked)
        return "revoked";
    if (r->connected || r->last_seen_ms + FRESH_MS > now_ms)
        return "healthy";
    return r->last_seen_ms + STALE_MS > now_ms ? "stale" : "silent";
}

struct rows {
    int (*each)(void *ctx, const struct hm_endpoint_row *r);
    void *ctx;
    bool one;
};

/* Columns in the order of ENDPOINT_COLUMNS. */
static void read_row(sqlite3_stmt *st, struct hm_endpoint_row *r)
{
    *r = (struct hm_endpoint_row){
        .tenant = hm_sql_text(st, 0),
        .name = hm_sql_text(st, 2),
        .group = hm_sql_text(st, 3),
        .practice = hm_sql_u64(st, 4) != 0,
        .os = hm_sql_text(st, 5),
        .kernel = hm_sql_text(st, 6),
        .agent_version = hm_sql_text(st, 7),
        .owner = hm_sql_text(st, 9),
        .department = hm_sql_text(st, 10),
        .asset_no = hm_sql_text(st, 11),
        .enrolled_ms = hm_sql_u64(st, 12),
        .last_seen_ms = hm_sql_u64(st, 13),
        .connected = hm_sql_u64(st, 14) != 0,
        .revoked = hm_sql_u64(st, 15) != 0,
        .sensors = hm_sql_text_null(st, 16),
        .isolation = hm_sql_text(st, 17),
        .isolation_since_ms = hm_sql_u64(st, 18),
        .isolation_until_ms = hm_sql_u64(st, 19),
        .isolation_probes = hm_sql_text_null(st, 20),
        .losses = hm_sql_u64(st, 21),
        .last_loss_ms = hm_sql_u64(st, 22),
        .events = hm_sql_u64(st, 23),
        .epoch = hm_sql_u64(st, 24),
        .boot = hm_sql_u64(st, 25),
        .content_version = hm_sql_u64(st, 26),
        .content_state = hm_sql_text(st, 27),
        .content_rules = hm_sql_u64(st, 28),
        .content_refused = hm_sql_u64(st, 29),
    };
    hm_sql_blob(st, 1, r->id, sizeof r->id);
    hm_sql_blob(st, 8, r->key_sha256, sizeof r->key_sha256);
}

static int row(void *ctx, sqlite3_stmt *st)
{
    struct rows *w = ctx;
    struct hm_endpoint_row r;
    read_row(st, &r);
    int e = w->each(w->ctx, &r);
    return e ? e : w->one;
}

static int all(sqlite3_stmt *st, int (*each)(void *ctx, const struct hm_endpoint_row *r), void *ctx)
{
    struct rows w = {each, ctx, false};
    return hm_sql_rows(st, row, &w);
}

static int one(sqlite3_stmt *st, int (*each)(void *ctx, const struct hm_endpoint_row *r), void *ctx)
{
    struct rows w = {each, ctx, true};
    int r = hm_sql_rows(st, row, &w);
    return r == 1 ? 0 : r == 0 ? -ENOENT : r;
}

int hm_endpoint_list(struct hm_control *c, const char *tenant,
                     int (*each)(void *ctx, const struct hm_endpoint_row *r), void *ctx)
{
    return all(hm_sql_bind(c, HM_SQL_ENDPOINT_LIST, "t", tenant), each, ctx);
}

int hm_endpoint_get(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                    int (*each)(void *ctx, const struct hm_endpoint_row *r), void *ctx)
{
    return one(hm_sql_bind(c, HM_SQL_ENDPOINT_GET, "tI", tenant, id), each, ctx);
}

int hm_endpoint_find(struct hm_control *c, const uint8_t id[HM_ID_BYTES],
                     int (*each)(void *ctx, const struct hm_endpoint_row *r), void *ctx)
{
    return one(hm_sql_bind(c, HM_SQL_ENDPOINT_FIND, "I", id), each, ctx);
}

int hm_endpoint_revoked(struct hm_control *c,
                        int (*each)(void *ctx, const struct hm_endpoint_row *r), void *ctx)
{
    return all(hm_sql_bind(c, HM_SQL_ENDPOINT_REVOKED, ""), each, ctx);
}

/* Change and audit record in one transaction. */
static int audited(struct hm_control *c, int changed, const char *tenant, const char *actor,
                   const char *action, const uint8_t id[HM_ID_BYTES], const char *detail)
{
    char hex[HM_ID_BYTES * 2 + 1];
    sodium_bin2hex(hex, sizeof hex, id, HM_ID_BYTES);
    if (!changed)
        changed = hm_audit_add(c, tenant, actor, action, hex, detail);
    return hm_control_end(c, changed);
}

int hm_endpoint_update(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                       const struct hm_endpoint_edit *e, const char *actor)
{
    int r = hm_control_begin(c);
    if (r)
        return r;
    r = hm_sql_change(c, HM_SQL_ENDPOINT_EDIT, "tItttt", tenant, id, e->owner, e->department,
                      e->asset_no, e->group);
    char detail[HM_TEXT_MAX];
    const char *v[4] = {e->owner, e->department, e->asset_no, e->group};
    static const char *const names[4] = {"owner", "department", "asset_no", "group"};
    size_t n = 0;
    detail[0] = 0;
    for (int i = 0; i < 4; i++)
        if (v[i] && n < sizeof detail)
            n += (size_t)snprintf(detail + n, sizeof detail - n, "%s%s=%s", n ? ", " : "", names[i],
                                  v[i]);
    return audited(c, r, tenant, actor, "endpoint.update", id, detail);
}

int hm_endpoint_revoke(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                       const char *reason, const char *actor)
{
    int r = hm_control_begin(c);
    if (r)
        return r;
    r = hm_sql_change(c, HM_SQL_ENDPOINT_REVOKE, "tIu", tenant, id, hm_control_now_ms());
    return audited(c, r, tenant, actor, "endpoint.revoke", id, reason);
}

int hm_endpoint_add(struct hm_control *c, const struct hm_enroll_grant *g,
                    const struct hm_endpoint_new *e)
{
    int r = hm_control_begin(c);
    if (r)
        return r;
    r = hm_sql_change(c, HM_SQL_ENDPOINT_ADD, "tIstusssHbu", g->tenant, e->id, e->name, g->group,
                      (uint64_t)e->practice, e->os, e->kernel, e->agent_version, e->key_sha256,
                      e->serial, hm_control_now_ms());
    return audited(c, r, g->tenant, "enrolment", "endpoint.enroll", e->id, g->group);
}

int hm_endpoint_connected(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                          const struct hm_endpoint_hello *h)
{
    return hm_sql_change(c, HM_SQL_ENDPOINT_CONNECT, "tIussssuu", tenant, id, hm_control_now_ms(),
                         h->name, h->os, h->kernel, h->agent_version, h->epoch, h->boot);
}

int hm_endpoint_disconnected(struct hm_control *c, const uint8_t id[HM_ID_BYTES])
{
    return hm_sql_change(c, HM_SQL_ENDPOINT_DISCONNECT, "Iu", id, hm_control_now_ms());
}

int hm_endpoint_all_gone(struct hm_control *c)
{
    int r = hm_sql_run(c, HM_SQL_ENDPOINT_ALL_GONE, "");
    return r < 0 ? r : 0;
}

int hm_endpoint_count(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                      const struct hm_endpoint_seen *s)
{
    return hm_sql_change(c, HM_SQL_ENDPOINT_SEEN, "tIuuu", tenant, id, s->at_ms, s->events,
                         s->losses);
}

int hm_endpoint_set_sensors(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                            struct hm_slice json)
{
    return hm_sql_change(c, HM_SQL_ENDPOINT_SENSORS, "tIs", tenant, id, json);
}

int hm_endpoint_set_isolation(struct hm_control *c, const char *tenant,
                              const uint8_t id[HM_ID_BYTES], const char *state, uint64_t since_ms,
                              uint64_t until_ms, const char *probes)
{
    return hm_sql_change(c, HM_SQL_ENDPOINT_ISOLATION, "tItzzt", tenant, id, state, since_ms,
                         until_ms, probes);
}
