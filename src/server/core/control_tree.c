/* What core's `soc` consumer writes about alerts: the alert itself, its tree, its time line. All of
 * it is idempotent: the same event applied twice changes nothing. */
#include "server/core/control_core.h"
#include "server/core/sql.h"
#include <errno.h>

int hm_alert_put(struct hm_control *c, const char *tenant, const struct hm_alert_new *a)
{
    int r = hm_sql_run(c, HM_SQL_ALERT_PUT, "tIIusussssssuuuuuusssuuusss", tenant, a->id,
                       a->endpoint, a->severity, a->rule_id, a->rule_version, a->title, a->title_ja,
                       a->reason, a->reason_ja, a->techniques, a->tactics, a->event_ns,
                       a->received_ns, hm_control_now_ms(), a->tree_key, a->process_key, a->pid,
                       a->image, a->command_line, a->user, a->epoch, a->boot, a->event_seq,
                       a->evidence, a->advice, a->advice_ja);
    return r;
}

int hm_alert_node_put(struct hm_control *c, struct hm_alert_ref a, const struct hm_node_new *n)
{
    const uint8_t *sha256 = n->sha256.len == 32 ? n->sha256.p : NULL;
    return hm_sql_change(c, HM_SQL_ALERT_NODE_PUT, "tIuuuuusssHsu", a.tenant, a.id, n->key,
                         n->parent, n->ancestor, (uint64_t)n->marked, n->pid, n->image,
                         n->command_line, n->user, sha256, n->stdio, n->start_ns);
}

int hm_alert_node_exit(struct hm_control *c, struct hm_alert_ref a, uint64_t key, uint64_t exit_ns,
                       uint64_t code, uint64_t signal)
{
    return hm_sql_change(c, HM_SQL_ALERT_NODE_EXIT, "tIuuuu", a.tenant, a.id, key, exit_ns, code,
                         signal);
}

int hm_alert_node_hash(struct hm_control *c, struct hm_alert_ref a, uint64_t key,
                       const uint8_t sha256[32])
{
    return hm_sql_change(c, HM_SQL_ALERT_NODE_HASH, "tIuH", a.tenant, a.id, key, sha256);
}

int hm_alert_event_put(struct hm_control *c, struct hm_alert_ref a, const struct hm_tree_event *e)
{
    return hm_sql_run(c, HM_SQL_ALERT_EVENT_PUT, "tIuuuuuuus", a.tenant, a.id, e->epoch, e->boot,
                      e->seq, e->key, e->class, e->action, e->time_ns, e->json);
}

int hm_alert_dropped(struct hm_control *c, struct hm_alert_ref a, uint64_t nodes, uint64_t events)
{
    return hm_sql_change(c, HM_SQL_ALERT_DROPPED, "tIuu", a.tenant, a.id, nodes, events);
}

struct young {
    int (*each)(void *ctx, const struct hm_alert_young *a);
    void *ctx;
};

static int young_row(void *ctx, sqlite3_stmt *st)
{
    struct young *w = ctx;
    struct hm_alert_young a = {.tenant = hm_sql_text(st, 0),
                               .created_ms = hm_sql_u64(st, 3),
                               .tree_key = hm_sql_u64(st, 4),
                               .process_key = hm_sql_u64(st, 5),
                               .epoch = hm_sql_u64(st, 6),
                               .boot = hm_sql_u64(st, 7)};
    hm_sql_blob(st, 1, a.id, sizeof a.id);
    hm_sql_blob(st, 2, a.endpoint, sizeof a.endpoint);
    return w->each(w->ctx, &a);
}

int hm_alert_young_list(struct hm_control *c, uint64_t after_ms, uint32_t limit, uint32_t each_max,
                        int (*each)(void *ctx, const struct hm_alert_young *a), void *ctx)
{
    struct young w = {each, ctx};
    return hm_sql_rows(
        hm_sql_bind(c, HM_SQL_ALERT_YOUNG, "uuu", after_ms, (uint64_t)limit, (uint64_t)each_max),
        young_row, &w);
}

struct keys {
    int (*each)(void *ctx, uint64_t key);
    void *ctx;
};

static int key_row(void *ctx, sqlite3_stmt *st)
{
    struct keys *k = ctx;
    return k->each(k->ctx, hm_sql_u64(st, 0));
}

int hm_alert_node_keys(struct hm_control *c, struct hm_alert_ref a,
                       int (*each)(void *ctx, uint64_t key), void *ctx)
{
    struct keys k = {each, ctx};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_ALERT_NODE_KEYS, "tI", a.tenant, a.id), key_row, &k);
}

int hm_alert_event_count(struct hm_control *c, struct hm_alert_ref a, uint64_t *ret)
{
    return hm_sql_one(c, ret, HM_SQL_ALERT_EVENT_COUNT, "tI", a.tenant, a.id);
}
