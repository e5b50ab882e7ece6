/* Everything in one answer, and how complete it is. Owns no rows. */
#include "server/core/control_core.h"
#include "server/core/sql.h"
#include <errno.h>

struct sums {
    struct hm_overview *o;
    uint64_t now_ms;
};

static int endpoint(void *ctx, const struct hm_endpoint_row *r)
{
    struct sums *s = ctx;
    struct hm_overview *o = s->o;
    const char *state = hm_endpoint_state(r, s->now_ms);
    o->endpoints++;
    o->losses += r->losses;
    if (strcmp(r->isolation, "isolated") == 0)
        o->isolated++;
    if (strcmp(state, "healthy") == 0)
        o->healthy++;
    else if (strcmp(state, "stale") == 0)
        o->stale++;
    else if (strcmp(state, "silent") == 0) {
        if (o->silent_count < HM_OVERVIEW_SILENT)
            memcpy(o->silent_ids[o->silent_count++], r->id, HM_ID_BYTES);
        o->silent++;
    }
    return 0;
}

static int severity(void *ctx, sqlite3_stmt *st)
{
    struct hm_overview *o = ctx;
    uint64_t s = hm_sql_u64(st, 0), n = hm_sql_u64(st, 1);
    o->alerts_open += n;
    o->alerts_by_severity[s < 1 ? 1 : s > 5 ? 5 : s] += n;
    return 0;
}

static int minute(void *ctx, sqlite3_stmt *st)
{
    struct sums *s = ctx;
    uint64_t now = s->now_ms / 60000, m = hm_sql_u64(st, 0), n = hm_sql_u64(st, 1);
    if (m > now || now - m >= 60)
        return 0;
    s->o->events_per_minute[59 - (now - m)] += n;
    s->o->events_last_hour += n;
    return 0;
}

static int not_revoked(void *ctx, const struct hm_endpoint_row *r)
{
    return r->revoked ? 0 : endpoint(ctx, r);
}

static int collect(struct hm_control *c, const char *tenant, struct sums *s)
{
    uint64_t now = s->now_ms / 60000;
    int r = hm_endpoint_list(c, tenant, not_revoked, s);
    if (!r)
        r = hm_sql_rows(hm_sql_bind(c, HM_SQL_OVERVIEW_ALERTS, "t", tenant), severity, s->o);
    if (!r)
        r = hm_sql_rows(
            hm_sql_bind(c, HM_SQL_OVERVIEW_EVENTS, "tu", tenant, now > 60 ? now - 60 : (uint64_t)0),
            minute, s);
    if (!r)
        r = hm_sql_one(c, &s->o->events_total, HM_SQL_OVERVIEW_TOTAL, "t", tenant);
    return r;
}

int hm_control_overview(struct hm_control *c, const char *tenant, uint64_t now_ms,
                        struct hm_overview *ret)
{
    struct hm_overview o = {0};
    struct sums s = {&o, now_ms};
    int r = collect(c, tenant, &s);
    if (!r)
        *ret = o;
    return r;
}

/* ---- tactics: rows hold comma-separated lists; there are 14 of them in ATT&CK ---- */
#define TACTICS_MAX 32
struct tactics {
    struct {
        char name[48];
        uint64_t count;
    } t[TACTICS_MAX];
    size_t n;
};

static void tactic_add(struct tactics *t, const char *name, size_t len, uint64_t count)
{
    size_t i = 0;
    if (len == 0 || len >= sizeof t->t[0].name)
        return;
    while (i < t->n && (strncmp(t->t[i].name, name, len) != 0 || t->t[i].name[len]))
        i++;
    if (i == TACTICS_MAX)
        return;
    if (i == t->n) {
        memcpy(t->t[i].name, name, len);
        t->t[i].name[len] = 0;
        t->n++;
    }
    t->t[i].count += count;
}

static int tactic_row(void *ctx, sqlite3_stmt *st)
{
    const char *p = hm_sql_text(st, 0);
    while (*p) {
        size_t len = strcspn(p, ",");
        tactic_add(ctx, p, len, hm_sql_u64(st, 1));
        p += len;
        p += strspn(p, ", ");
    }
    return 0;
}

int hm_control_tactics(struct hm_control *c, const char *tenant,
                       int (*each)(void *ctx, const char *tactic, uint64_t count), void *ctx)
{
    struct tactics t = {0};
    int r = hm_sql_rows(hm_sql_bind(c, HM_SQL_OVERVIEW_TACTICS, "t", tenant), tactic_row, &t);
    for (size_t done = 0; !r && done < t.n; done++) {
        size_t best = 0;
        for (size_t i = 1; i < t.n; i++)
            if (t.t[i].count > t.t[best].count)
                best = i;
        r = each(ctx, t.t[best].name, t.t[best].count);
        t.t[best].count = 0;
    }
    return r;
}

int hm_control_completeness(struct hm_control *c, const char *tenant, struct hm_completeness *ret)
{
    struct hm_completeness v = {0};
    int r = hm_cursor_get(c, "store", &v.store_next);
    if (!r)
        r = hm_sql_one(c, &v.set_aside, HM_SQL_OVERVIEW_SET_ASIDE, "");
    if (!r)
        r = hm_sql_one(c, &v.lost_segments, HM_SQL_OVERVIEW_LOST, "t", tenant);
    if (!r)
        *ret = v;
    return r;
}
