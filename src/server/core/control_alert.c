/* Alerts as people see and move them. Owns the legal changes of state; what an alert consists of
 * is written by control_tree.c. */
#include "server/core/control_core.h"
#include "server/core/sql.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

static const struct state {
    const char *name;
    bool open, reason;
    const char *next;
} states[] = {
#define ALERT_STATE(name, open, reason, next) {#name, open, reason, next},
#include "server/core/alert_states.def"
#undef ALERT_STATE
};

static const struct state *state_find(const char *name)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(states); i++)
        if (strcmp(states[i].name, name) == 0)
            return &states[i];
    return NULL;
}

static const struct state *state_word(const char *p, size_t len)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(states); i++)
        if (strlen(states[i].name) == len && memcmp(states[i].name, p, len) == 0)
            return &states[i];
    return NULL;
}

void hm_alert_next_states(const char *state, const char *ret_states[16])
{
    const struct state *s = state_find(state);
    size_t n = 0;
    for (const char *p = s ? s->next : ""; *p && n < 15;) {
        size_t len = strcspn(p, " ");
        const struct state *to = state_word(p, len);
        if (to)
            ret_states[n++] = to->name;
        p += len;
        p += strspn(p, " ");
    }
    ret_states[n] = NULL;
}

static bool reachable(const char *from, const char *to)
{
    const char *next[16];
    hm_alert_next_states(from, next);
    for (size_t i = 0; next[i]; i++)
        if (strcmp(next[i], to) == 0)
            return true;
    return false;
}

/* ---- lists ---- */
struct alerts {
    int (*each)(void *ctx, const struct hm_alert_row *r);
    void *ctx;
    bool one;
};

/* Columns in the order of ALERT_COLUMNS. */
static int alert_row(void *ctx, sqlite3_stmt *st)
{
    struct alerts *a = ctx;
    struct hm_alert_row r = {
        .endpoint_name = hm_sql_text(st, 2),
        .practice = hm_sql_u64(st, 3) != 0,
        .state = hm_sql_text(st, 4),
        .severity = hm_sql_u64(st, 5),
        .rule_id = hm_sql_text(st, 6),
        .title = hm_sql_text(st, 7),
        .title_ja = hm_sql_text(st, 8),
        .reason = hm_sql_text(st, 9),
        .reason_ja = hm_sql_text(st, 10),
        .techniques = hm_sql_text(st, 11),
        .tactics = hm_sql_text(st, 12),
        .event_ns = hm_sql_u64(st, 13),
        .received_ns = hm_sql_u64(st, 14),
        .created_ms = hm_sql_u64(st, 15),
        .tree_key = hm_sql_u64(st, 16),
        .process_key = hm_sql_u64(st, 17),
        .pid = hm_sql_u64(st, 18),
        .image = hm_sql_text(st, 19),
        .command_line = hm_sql_text(st, 20),
        .user = hm_sql_text(st, 21),
        .epoch = hm_sql_u64(st, 22),
        .boot = hm_sql_u64(st, 23),
        .event_seq = hm_sql_u64(st, 24),
        .count = hm_sql_u64(st, 25),
        .nodes_dropped = hm_sql_u64(st, 26),
        .events_dropped = hm_sql_u64(st, 27),
        .advice = hm_sql_text(st, 28),
        .advice_ja = hm_sql_text(st, 29),
        .evidence = a->one ? hm_sql_text(st, 32) : NULL,
    };
    uint8_t story[HM_ID_BYTES], exception[HM_ID_BYTES];
    if (hm_sql_blob(st, 30, story, sizeof story))
        r.story = story;
    if (hm_sql_blob(st, 31, exception, sizeof exception))
        r.exception = exception;
    hm_sql_blob(st, 0, r.id, sizeof r.id);
    hm_sql_blob(st, 1, r.endpoint, sizeof r.endpoint);
    int e = a->each(a->ctx, &r);
    return e ? e : a->one;
}

int hm_alert_list(struct hm_control *c, const char *tenant, const struct hm_alert_filter *f,
                  int (*each)(void *ctx, const struct hm_alert_row *r), void *ctx)
{
    struct alerts a = {each, ctx, false};
    bool open = f->state && strcmp(f->state, "open") == 0;
    uint64_t n = f->limit == 0 ? 100 : f->limit > 1000 ? 1000 : f->limit;
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_ALERT_LIST, "ttuuIzuI", tenant, open ? NULL : f->state,
                                   (uint64_t)open, f->severity, f->endpoint, f->before_ns, n,
                                   f->story),
                       alert_row, &a);
}

int hm_alert_get(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                 int (*each)(void *ctx, const struct hm_alert_row *r), void *ctx)
{
    struct alerts a = {each, ctx, true};
    int r = hm_sql_rows(hm_sql_bind(c, HM_SQL_ALERT_GET, "tI", tenant, id), alert_row, &a);
    return r == 1 ? 0 : r == 0 ? -ENOENT : r;
}

struct nodes {
    int (*each)(void *ctx, const struct hm_alert_node *n);
    void *ctx;
};

static int node_row(void *ctx, sqlite3_stmt *st)
{
    struct nodes *w = ctx;
    struct hm_alert_node n = {
        .key = hm_sql_u64(st, 0),
        .parent = hm_sql_u64(st, 1),
        .ancestor = (uint32_t)hm_sql_u64(st, 2),
        .marked = hm_sql_u64(st, 3) != 0,
        .pid = hm_sql_u64(st, 4),
        .image = hm_sql_text(st, 5),
        .command_line = hm_sql_text(st, 6),
        .user = hm_sql_text(st, 7),
        .stdio = hm_sql_text(st, 9),
        .start_ns = hm_sql_u64(st, 10),
        .exit_ns = hm_sql_u64(st, 11),
        .exit_code = hm_sql_u64(st, 12),
        .exit_signal = hm_sql_u64(st, 13),
        .alive = sqlite3_column_type(st, 11) == SQLITE_NULL,
    };
    uint8_t sha256[32];
    if (hm_sql_blob(st, 8, sha256, sizeof sha256))
        n.sha256 = sha256;
    return w->each(w->ctx, &n);
}

int hm_alert_nodes(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                   int (*each)(void *ctx, const struct hm_alert_node *n), void *ctx)
{
    struct nodes w = {each, ctx};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_ALERT_NODES, "tI", tenant, id), node_row, &w);
}

struct events {
    int (*each)(void *ctx, const struct hm_alert_event *e);
    void *ctx;
};

static int event_row(void *ctx, sqlite3_stmt *st)
{
    struct events *w = ctx;
    struct hm_alert_event e = {hm_sql_u64(st, 0), hm_sql_u64(st, 1), hm_sql_u64(st, 2),
                               hm_sql_u64(st, 3), hm_sql_u64(st, 4), hm_sql_text(st, 5)};
    return w->each(w->ctx, &e);
}

int hm_alert_events(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                    uint64_t class, int (*each)(void *ctx, const struct hm_alert_event *e),
                    void *ctx)
{
    struct events w = {each, ctx};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_ALERT_EVENTS, "tIu", tenant, id, class), event_row,
                       &w);
}

struct history {
    int (*each)(void *ctx, const struct hm_alert_change *h);
    void *ctx;
};

static int history_row(void *ctx, sqlite3_stmt *st)
{
    struct history *w = ctx;
    struct hm_alert_change h = {hm_sql_u64(st, 0), hm_sql_text(st, 1), hm_sql_text(st, 2),
                                hm_sql_text(st, 3), hm_sql_text(st, 4)};
    return w->each(w->ctx, &h);
}

int hm_alert_history(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                     int (*each)(void *ctx, const struct hm_alert_change *h), void *ctx)
{
    struct history w = {each, ctx};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_ALERT_HISTORY, "tI", tenant, id), history_row, &w);
}

/* ---- changes ---- */
static int state_now(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                     char ret[32])
{
    sqlite3_stmt *st = hm_sql_bind(c, HM_SQL_ALERT_STATE, "tI", tenant, id);
    int r = hm_sql_step(st);
    if (r <= 0)
        return r ? r : -ENOENT;
    snprintf(ret, 32, "%s", hm_sql_text(st, 0));
    sqlite3_reset(st);
    return 0;
}

static int move(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                const struct state *to, const char *reason, const char *actor)
{
    char from[32], hex[HM_ID_BYTES * 2 + 1], detail[HM_TEXT_MAX + 80];
    int r = state_now(c, tenant, id, from);
    if (r)
        return r;
    if (!reachable(from, to->name))
        return -EPROTO;
    const struct state *was = state_find(from);
    if (!reason[0] && (to->reason || (was && !was->open)))
        return -EINVAL;
    r = hm_sql_change(c, HM_SQL_ALERT_SET_STATE, "tIt", tenant, id, to->name);
    if (!r)
        r = hm_sql_change(c, HM_SQL_ALERT_HISTORY_ADD, "tIutttt", tenant, id, hm_control_now_ms(),
                          actor, from, to->name, reason);
    if (!r)
        r = hm_story_refresh_of(c, tenant, id);
    if (r)
        return r;
    sodium_bin2hex(hex, sizeof hex, id, HM_ID_BYTES);
    snprintf(detail, sizeof detail, "%s to %s: %s", from, to->name, reason);
    return hm_audit_add(c, tenant, actor, "alert.state", hex, detail);
}

int hm_alert_set_state(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                       const char *to, const char *reason, const char *actor)
{
    const struct state *s = state_find(to);
    if (!s || strlen(reason) > HM_TEXT_MAX)
        return -EINVAL;
    int r = hm_control_begin(c);
    return r ? r : hm_control_end(c, move(c, tenant, id, s, reason, actor));
}
