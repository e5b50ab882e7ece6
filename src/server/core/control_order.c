/* Orders as rows: an intent of a person, its counter, its signed statement, what became of it.
 * Owns the order of states (never back); refuses to know keys and sockets. */
#include "server/core/control_core.h"
#include "server/core/sql.h"
#include "base/crypto.h"
#include "wire/order.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#define DELIVER_S       3600ull /* kill, release, isolate: may be carried out that long */
#define DELIVER_DRILL_S 120ull  /* a drill is for now, not for later */
#define ISOLATE_S       (24 * 3600ull)
#define EXPIRES_MIN_S   60ull
#define DELIVER_MAX_S   (24 * 3600ull) /* HM_ORDER_LIFE_MAX_MS: endpoints refuse longer ones */
#define EXPIRES_MAX_S   (30 * 24 * 3600ull)

/* Rank: an order only moves to a higher one; the last three end it. "expired" is the server's guess
 * about an endpoint that is silent: what that endpoint tells later still counts. */
static const struct {
    const char *name;
    int rank;
} ranks[] = {{"requested", 0}, {"signed", 1}, {"sent", 2},    {"expired", 3},
             {"begun", 4},     {"done", 5},   {"refused", 5}, {"failed", 5}};

static int rank(const char *state)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(ranks); i++)
        if (strcmp(ranks[i].name, state) == 0)
            return ranks[i].rank;
    return -1;
}

static int practice(struct hm_control *c, const char *tenant, uint8_t ret[HM_ID_BYTES])
{
    sqlite3_stmt *st = hm_sql_bind(c, HM_SQL_ENDPOINT_PRACTICE, "t", tenant);
    int r = hm_sql_step(st);
    if (r <= 0)
        return r ? r : -ENOENT;
    bool ok = hm_sql_blob(st, 0, ret, HM_ID_BYTES);
    sqlite3_reset(st);
    return ok ? 0 : -EIO;
}

static int revoked(void *ctx, const struct hm_endpoint_row *r)
{
    return r->revoked ? -EKEYREVOKED : 0;
}

static int check(const struct hm_order_new *o, uint32_t kind)
{
    bool drill = kind == HM_ORDER_DRILL;
    if ((kind == HM_ORDER_KILL) != (o->process_key != 0) || drill != (o->drill && o->drill[0]) ||
        (!drill && !o->endpoint) || strlen(o->reason) > HM_TEXT_MAX || !o->actor[0])
        return -EINVAL;
    if (o->expires_s && (o->expires_s < EXPIRES_MIN_S || o->expires_s > EXPIRES_MAX_S))
        return -EINVAL;
    return 0;
}

static int insert(struct hm_control *c, const char *tenant, const struct hm_order_new *o,
                  uint32_t kind, uint8_t id[HM_ID_BYTES])
{
    uint8_t endpoint[HM_ID_BYTES];
    uint64_t now = hm_control_now_ms(), deliver = DELIVER_S, release = 0;
    char hex[HM_ID_BYTES * 2 + 1];
    int r = 0;
    if (kind == HM_ORDER_DRILL)
        r = practice(c, tenant, endpoint), deliver = DELIVER_DRILL_S;
    else
        memcpy(endpoint, o->endpoint, HM_ID_BYTES);
    if (!r)
        r = hm_endpoint_get(c, tenant, endpoint, revoked, NULL);
    if (r)
        return r;
    if (kind == HM_ORDER_ISOLATE)
        release = now + (o->expires_s ? o->expires_s : ISOLATE_S) * 1000;
    else if (o->expires_s)
        deliver = o->expires_s > DELIVER_MAX_S ? DELIVER_MAX_S : o->expires_s;
    r = hm_sql_change(c, HM_SQL_ORDER_ADD, "tIItuuItttuuz", tenant, id, endpoint, o->kind,
                      o->process_key, (uint64_t)o->tree, o->alert, o->drill ? o->drill : "",
                      o->reason, o->actor, now, now + deliver * 1000, release);
    if (r)
        return r;
    if (kind == HM_ORDER_ISOLATE)
        r = hm_endpoint_set_isolation(c, tenant, endpoint, "pending", now, release, NULL);
    if (r)
        return r;
    char action[32];
    snprintf(action, sizeof action, "order.%s", o->kind);
    sodium_bin2hex(hex, sizeof hex, endpoint, HM_ID_BYTES);
    return hm_audit_add(c, tenant, o->actor, action, hex, o->reason);
}

int hm_order_create(struct hm_control *c, const char *tenant, const struct hm_order_new *o,
                    uint8_t ret_id[HM_ID_BYTES])
{
    uint8_t id[HM_ID_BYTES];
    const struct hm_order_info *info = hm_order_by_name(hm_slice_str(o->kind));
    int r = info ? check(o, info->kind) : -EINVAL;
    if (!r)
        r = hm_random(id, sizeof id);
    if (!r)
        r = hm_control_begin(c);
    if (r)
        return r;
    r = hm_control_end(c, insert(c, tenant, o, info->kind, id));
    if (!r)
        memcpy(ret_id, id, sizeof id);
    return r;
}

/* ---- reading: columns in the order of ORDER_COLUMNS ---- */
struct list {
    int (*each)(void *ctx, const struct hm_order_row *r);
    void *ctx;
};

static int list_row(void *ctx, sqlite3_stmt *st)
{
    struct list *l = ctx;
    struct hm_order_row r = {
        .kind = hm_sql_text(st, 2),
        .state = hm_sql_text(st, 3),
        .counter = hm_sql_u64(st, 4),
        .process_key = hm_sql_u64(st, 5),
        .tree = hm_sql_u64(st, 6) != 0,
        .drill = hm_sql_text(st, 8),
        .reason = hm_sql_text(st, 9),
        .actor = hm_sql_text(st, 10),
        .detail = hm_sql_text(st, 11),
        .created_ms = hm_sql_u64(st, 12),
        .updated_ms = hm_sql_u64(st, 13),
        .not_after_ms = hm_sql_u64(st, 14),
        .release_ms = hm_sql_u64(st, 15),
    };
    hm_sql_blob(st, 0, r.id, sizeof r.id);
    hm_sql_blob(st, 1, r.endpoint, sizeof r.endpoint);
    r.has_alert = hm_sql_blob(st, 7, r.alert, sizeof r.alert);
    return l->each(l->ctx, &r);
}

int hm_order_list(struct hm_control *c, const char *tenant, const struct hm_order_filter *f,
                  int (*each)(void *ctx, const struct hm_order_row *r), void *ctx)
{
    struct list l = {each, ctx};
    uint64_t n = f->limit == 0 ? 100 : f->limit > 1000 ? 1000 : f->limit;
    return hm_sql_rows(
        hm_sql_bind(c, HM_SQL_ORDER_LIST, "tIIIu", tenant, f->id, f->endpoint, f->alert, n),
        list_row, &l);
}

struct works {
    struct hm_order_work *w;
    size_t n, max;
};

static int work_row(void *ctx, sqlite3_stmt *st)
{
    struct works *s = ctx;
    if (s->n == s->max)
        return 1;
    struct hm_order_work *w = &s->w[s->n++];
    *w = (struct hm_order_work){.counter = hm_sql_u64(st, 4),
                                .process_key = hm_sql_u64(st, 5),
                                .tree = hm_sql_u64(st, 6) != 0,
                                .created_ms = hm_sql_u64(st, 12),
                                .not_after_ms = hm_sql_u64(st, 14),
                                .release_ms = hm_sql_u64(st, 15)};
    hm_sql_blob(st, 0, w->id, sizeof w->id);
    hm_sql_blob(st, 1, w->endpoint, sizeof w->endpoint);
    w->has_alert = hm_sql_blob(st, 7, w->alert, sizeof w->alert);
    snprintf(w->kind, sizeof w->kind, "%s", hm_sql_text(st, 2));
    snprintf(w->drill, sizeof w->drill, "%s", hm_sql_text(st, 8));
    snprintf(w->reason, sizeof w->reason, "%s", hm_sql_text(st, 9));
    snprintf(w->actor, sizeof w->actor, "%s", hm_sql_text(st, 10));
    snprintf(w->tenant, sizeof w->tenant, "%s", hm_sql_text(st, 16));
    return 0;
}

int hm_order_requested(struct hm_control *c, struct hm_order_work *ret, size_t max)
{
    struct works s = {ret, 0, max};
    int r = hm_sql_rows(hm_sql_bind(c, HM_SQL_ORDER_REQUESTED, ""), work_row, &s);
    return r < 0 ? r : (int)s.n;
}

int hm_order_overdue(struct hm_control *c, uint64_t now_ms, struct hm_order_work *ret, size_t max)
{
    struct works s = {ret, 0, max};
    int r = hm_sql_rows(hm_sql_bind(c, HM_SQL_ORDER_EXPIRED, "u", now_ms), work_row, &s);
    return r < 0 ? r : (int)s.n;
}

/* ---- moving on ---- */
static int count(struct hm_control *c, const struct hm_order_work *o, uint64_t *ret_counter)
{
    uint64_t counter;
    sqlite3_stmt *st = hm_sql_bind(c, HM_SQL_ENDPOINT_COUNTER, "tI", o->tenant, o->endpoint);
    int r = hm_sql_step(st);
    if (r <= 0)
        return r ? r : -ENOENT;
    counter = hm_sql_u64(st, 0);
    r = hm_sql_step(st);
    if (!r)
        r = hm_sql_change(c, HM_SQL_ORDER_COUNTED, "tIu", o->tenant, o->id, counter);
    if (!r)
        *ret_counter = counter;
    return r;
}

int hm_order_count(struct hm_control *c, const struct hm_order_work *o, uint64_t *ret_counter)
{
    int r = hm_control_begin(c);
    return r ? r : hm_control_end(c, count(c, o, ret_counter));
}

int hm_order_signed(struct hm_control *c, const struct hm_order_work *o, struct hm_slice stmt)
{
    return hm_sql_change(c, HM_SQL_ORDER_SIGNED, "tIbu", o->tenant, o->id, stmt,
                         hm_control_now_ms());
}

struct unsent {
    int (*each)(void *ctx, const char *tenant, const uint8_t id[HM_ID_BYTES],
                const uint8_t endpoint[HM_ID_BYTES], struct hm_slice stmt);
    void *ctx;
};

static int unsent_row(void *ctx, sqlite3_stmt *st)
{
    struct unsent *u = ctx;
    uint8_t id[HM_ID_BYTES], endpoint[HM_ID_BYTES];
    hm_sql_blob(st, 1, id, sizeof id);
    hm_sql_blob(st, 2, endpoint, sizeof endpoint);
    struct hm_slice stmt =
        hm_slice(sqlite3_column_blob(st, 3), (size_t)sqlite3_column_bytes(st, 3));
    return u->each(u->ctx, hm_sql_text(st, 0), id, endpoint, stmt);
}

int hm_order_unsent(struct hm_control *c, const uint8_t *endpoint,
                    int (*each)(void *ctx, const char *tenant, const uint8_t id[HM_ID_BYTES],
                                const uint8_t endpoint[HM_ID_BYTES], struct hm_slice stmt),
                    void *ctx)
{
    struct unsent u = {each, ctx};
    sqlite3_stmt *st = endpoint ? hm_sql_bind(c, HM_SQL_ORDER_PENDING, "I", endpoint)
                                : hm_sql_bind(c, HM_SQL_ORDER_TO_SEND, "");
    return hm_sql_rows(st, unsent_row, &u);
}

struct state_now {
    char name[16];
};

static int state_row(void *ctx, const struct hm_order_row *r)
{
    struct state_now *s = ctx;
    snprintf(s->name, sizeof s->name, "%s", r->state);
    return 0;
}

static int set_state(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                     const char *state, struct hm_slice detail)
{
    struct state_now now = {""};
    struct hm_order_filter f = {.id = id};
    int r = hm_order_list(c, tenant, &f, state_row, &now);
    if (r)
        return r;
    if (!now.name[0])
        return -ENOENT;
    if (rank(state) <= rank(now.name))
        return -EALREADY;
    return hm_sql_change(c, HM_SQL_ORDER_STATE, "tItus", tenant, id, state, hm_control_now_ms(),
                         detail);
}

int hm_order_set_state(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                       const char *state, struct hm_slice detail)
{
    int r = hm_control_begin(c);
    if (r)
        return r;
    int e = set_state(c, tenant, id, state, detail);
    if (e != -EALREADY && e != -ENOENT)
        return hm_control_end(c, e);
    r = hm_control_commit(c); /* nothing was changed: a surrounding transaction may go on */
    return r ? r : e;
}
