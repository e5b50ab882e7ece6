/* The rows of exceptions: made, listed, ended, counted. Never deleted: what dismissed an alert can
 * be looked up as long as the alert. */
#include "server/core/control_core.h"
#include "server/core/exception.h"
#include "server/core/sql.h"
#include "base/crypto.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

struct rows {
    int (*each)(void *ctx, const struct hm_exception_row *x);
    void *ctx;
};

/* Columns in the order of EXCEPTION_COLUMNS. */
static int row(void *ctx, sqlite3_stmt *st)
{
    struct rows *w = ctx;
    uint8_t endpoint[HM_ID_BYTES];
    struct hm_exception_row x = {.tenant = hm_sql_text(st, 0),
                                 .title = hm_sql_text(st, 2),
                                 .rule_id = hm_sql_text(st, 3),
                                 .group = hm_sql_text(st, 4),
                                 .where = hm_sql_text(st, 6),
                                 .reason = hm_sql_text(st, 7),
                                 .owner = hm_sql_text(st, 8),
                                 .created_ms = hm_sql_u64(st, 9),
                                 .expires_ms = hm_sql_u64(st, 10),
                                 .ended_ms = hm_sql_u64(st, 11),
                                 .ended_by = hm_sql_text(st, 12),
                                 .hits = hm_sql_u64(st, 13),
                                 .last_hit_ms = hm_sql_u64(st, 14)};
    hm_sql_blob(st, 1, x.id, sizeof x.id);
    if (hm_sql_blob(st, 5, endpoint, sizeof endpoint))
        x.endpoint = endpoint;
    return w->each(w->ctx, &x);
}

int hm_exception_list(struct hm_control *c, const char *tenant,
                      int (*each)(void *ctx, const struct hm_exception_row *x), void *ctx)
{
    struct rows w = {each, ctx};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_EXCEPTION_LIST, "t", tenant), row, &w);
}

int hm_exception_active(struct hm_control *c, uint64_t now_ms,
                        int (*each)(void *ctx, const struct hm_exception_row *x), void *ctx)
{
    struct rows w = {each, ctx};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_EXCEPTION_ACTIVE, "u", now_ms), row, &w);
}

static bool fits(const char *s, size_t min, size_t max)
{
    size_t n = strlen(s);
    return n >= min && n <= max;
}

/* One that names neither a rule nor conditions would hide whatever comes from a group. */
static int check(const struct hm_exception_new *x, const char *tenant, struct hm_error *err)
{
    struct hm_exception_set *s = NULL;
    if (!fits(x->title, 1, 200) || !fits(x->owner, 1, 100) || !fits(x->reason, 1, HM_TEXT_MAX) ||
        !fits(x->group, 0, HM_TENANT_MAX - 1) || !fits(x->rule_id, 0, 200) ||
        !fits(x->where, 0, HM_EXCEPTION_WHERE_MAX))
        return hm_fail(err, -EINVAL, "title, owner and reason are needed; one text is too long");
    if (!x->rule_id[0] && !x->where[strspn(x->where, " \t\r\n")])
        return hm_fail(err, -EINVAL, "name a rule or conditions");
    if (x->ttl_s < 60 || x->ttl_s > HM_EXCEPTION_TTL_MAX_S)
        return hm_fail(err, -EINVAL, "it has to expire within 366 days");
    int r = hm_exception_set_one(x, tenant, &s, err);
    hm_exception_set_free(s);
    return r;
}

int hm_exception_add(struct hm_control *c, const char *tenant, const struct hm_exception_new *x,
                     const char *actor, uint8_t ret_id[HM_ID_BYTES], struct hm_error *err)
{
    uint8_t id[HM_ID_BYTES];
    char hex[HM_ID_BYTES * 2 + 1];
    uint64_t now = hm_control_now_ms();
    int r = check(x, tenant, err);
    if (!r)
        r = hm_random(id, sizeof id);
    if (!r)
        r = hm_control_begin(c);
    if (r)
        return r;
    sodium_bin2hex(hex, sizeof hex, id, sizeof id);
    r = hm_sql_change(c, HM_SQL_EXCEPTION_ADD, "tItttItttuu", tenant, id, x->title, x->rule_id,
                      x->group, x->endpoint, x->where, x->reason, x->owner, now,
                      now + x->ttl_s * 1000);
    if (!r)
        r = hm_audit_add(c, tenant, actor, "exception.add", hex, x->title);
    r = hm_control_end(c, r);
    if (!r)
        memcpy(ret_id, id, sizeof id);
    return r;
}

int hm_exception_end(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                     const char *actor)
{
    char hex[HM_ID_BYTES * 2 + 1];
    int r = hm_control_begin(c);
    if (r)
        return r;
    sodium_bin2hex(hex, sizeof hex, id, HM_ID_BYTES);
    r = hm_sql_change(c, HM_SQL_EXCEPTION_END, "tIut", tenant, id, hm_control_now_ms(), actor);
    if (!r)
        r = hm_audit_add(c, tenant, actor, "exception.end", hex, "");
    return hm_control_end(c, r);
}

/* The alert is kept whole: evidence, tree and time line; only its state says that nobody need look.
 */
int hm_exception_apply(struct hm_control *c, struct hm_alert_ref a,
                       const struct hm_exception_found *x)
{
    char reason[HM_TEXT_MAX];
    int r = hm_control_begin(c);
    if (r)
        return r;
    snprintf(reason, sizeof reason, "%.*s (%.*s)", 500, x->title, 200, x->owner);
    r = hm_sql_change(c, HM_SQL_EXCEPTION_OF_ALERT, "tII", a.tenant, a.id, x->id);
    if (!r)
        r = hm_sql_change(c, HM_SQL_EXCEPTION_HIT, "tIu", a.tenant, x->id, hm_control_now_ms());
    if (!r)
        r = hm_alert_set_state(c, a.tenant, a.id, "BENIGN", reason, "exception");
    return hm_control_end(c, r);
}
