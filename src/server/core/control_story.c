/* Stories: which alerts are one attack, and how bad it is. Alerts of one endpoint whose trees share
 * a process belong together; two stories that turn out to share one become one. Idempotent: joining
 * an alert twice changes nothing. Refuses to know how a tree was found. */
#include "server/core/control_core.h"
#include "server/core/sql.h"
#include "base/buf.h"
#include "base/map.h"
#include <errno.h>

#define DAY_NS    (UINT64_C(86400) * 1000000000)
#define WORDS_MAX 2048 /* bytes of the techniques or tactics of one story */
#define RULES_MAX 256  /* distinct rules that are weighed; more would not move the risk */

/* What is left of "probably harmless" after one rule of each severity (OCSF 1..5), in percent. */
static const double rest_of[] = {1, 0.98, 0.92, 0.75, 0.50, 0.25};
#define REST_OF_TACTIC 0.90 /* each further step of an attack makes the others more believable */

/* ---- how bad: a pass over the alerts of the story ---- */
struct weigh {
    double rest;
    uint64_t first_ns, last_ns, alerts, severity;
    uint64_t rules, rule_hash[RULES_MAX];
    uint64_t tactic_count;
    struct hm_buf techniques, tactics;
    uint8_t lead[HM_ID_BYTES];
};

/* Appends the words of a comma list that are not there yet; returns how many were new. */
static uint64_t add_words(struct hm_buf *all, const char *list)
{
    uint64_t fresh = 0;
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ",");
        bool known = false;
        for (size_t at = 0; at < all->len && !known;) {
            const char *w = (const char *)all->data + at;
            size_t len = 0;
            while (at + len < all->len && w[len] != ',')
                len++;
            known = len == n && memcmp(w, p, n) == 0;
            at += len + 1;
        }
        if (!known && n) {
            if (all->len)
                hm_buf_put_u8(all, ',');
            hm_buf_put(all, p, n);
            fresh++;
        }
        p += n + (p[n] == ',');
    }
    return fresh;
}

static bool rule_is_new(struct weigh *w, const char *id)
{
    uint64_t h = hm_hash64(id, strlen(id), 0);
    uint64_t n = w->rules < RULES_MAX ? w->rules : RULES_MAX;
    for (uint64_t i = 0; i < n; i++)
        if (w->rule_hash[i] == h)
            return false;
    if (w->rules < RULES_MAX)
        w->rule_hash[w->rules] = h;
    w->rules++;
    return true;
}

/* id, severity, rule_id, techniques, tactics, event_ns, counts (not dismissed); worst first */
static int weigh_row(void *ctx, sqlite3_stmt *st)
{
    struct weigh *w = ctx;
    uint64_t severity = hm_sql_u64(st, 1), at = hm_sql_u64(st, 5);
    if (w->alerts++ == 0)
        hm_sql_blob(st, 0, w->lead, HM_ID_BYTES);
    if (!w->first_ns || at < w->first_ns)
        w->first_ns = at;
    if (at > w->last_ns)
        w->last_ns = at;
    bool fresh = rule_is_new(w, hm_sql_text(st, 2));
    add_words(&w->techniques, hm_sql_text(st, 3));
    uint64_t steps = add_words(&w->tactics, hm_sql_text(st, 4));
    if (hm_sql_u64(st, 6) == 0)
        return 0;
    if (severity > w->severity)
        w->severity = severity;
    if (fresh)
        w->rest *= rest_of[severity <= 5 ? severity : 5];
    for (; steps; steps--)
        if (w->tactic_count++)
            w->rest *= REST_OF_TACTIC;
    return 0;
}

int hm_story_refresh(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES])
{
    struct weigh w = {.rest = 1, .techniques = HM_BUF(WORDS_MAX), .tactics = HM_BUF(WORDS_MAX)};
    int r = hm_sql_rows(hm_sql_bind(c, HM_SQL_STORY_ALERTS, "tI", tenant, id), weigh_row, &w);
    uint64_t risk = w.severity ? (uint64_t)(100 * (1 - w.rest) + 0.5) : 0;
    if (!r && w.alerts)
        r = hm_sql_change(c, HM_SQL_STORY_SET, "tIuuuuuuIss", tenant, id, w.first_ns, w.last_ns,
                          w.severity, risk, w.alerts, w.rules, w.lead, hm_buf_slice(&w.techniques),
                          hm_buf_slice(&w.tactics));
    hm_buf_done(&w.techniques);
    hm_buf_done(&w.tactics);
    return r;
}

int hm_story_refresh_of(struct hm_control *c, const char *tenant, const uint8_t alert[HM_ID_BYTES])
{
    sqlite3_stmt *st = hm_sql_bind(c, HM_SQL_STORY_OF_ALERT, "tI", tenant, alert);
    uint8_t story[HM_ID_BYTES];
    int r = hm_sql_step(st);
    if (r <= 0)
        return r;
    bool has = hm_sql_blob(st, 0, story, sizeof story);
    sqlite3_reset(st);
    return has ? hm_story_refresh(c, tenant, story) : 0;
}

/* ---- which: by any process of the alert's tree ---- */
struct found {
    bool has;
    uint8_t id[HM_ID_BYTES];
};

/* A story that came to its end a day ago is not continued: what comes now is another one. */
static int by_key(struct hm_control *c, const struct hm_story_join *j, uint64_t key,
                  struct found *ret)
{
    sqlite3_stmt *st = hm_sql_bind(c, HM_SQL_STORY_BY_KEY, "tIu", j->tenant, j->endpoint, key);
    int r = hm_sql_step(st);
    *ret = (struct found){0};
    if (r <= 0)
        return r;
    uint64_t last = hm_sql_u64(st, 1), open = hm_sql_u64(st, 2);
    ret->has = (open || j->event_ns < last || j->event_ns - last < DAY_NS) &&
               hm_sql_blob(st, 0, ret->id, HM_ID_BYTES);
    sqlite3_reset(st);
    return 0;
}

static int merge(struct hm_control *c, const struct hm_story_join *j, const uint8_t *from,
                 const uint8_t *into)
{
    int r = hm_sql_run(c, HM_SQL_STORY_MOVE_ALERTS, "tII", j->tenant, from, into);
    if (r >= 0)
        r = hm_sql_run(c, HM_SQL_STORY_MOVE_KEYS, "tII", j->tenant, from, into);
    return r < 0 ? r : hm_sql_change(c, HM_SQL_STORY_MERGED, "tII", j->tenant, from, into);
}

/* The story of any of the keys; of several, the one of the key nearest to the process. */
static int find(struct hm_control *c, const struct hm_story_join *j, struct found *ret)
{
    struct found one;
    int r = 0;
    *ret = (struct found){0};
    for (size_t i = 0; !r && i < j->key_count; i++) {
        r = by_key(c, j, j->keys[i], &one);
        if (r || !one.has || (ret->has && memcmp(one.id, ret->id, HM_ID_BYTES) == 0))
            continue;
        if (ret->has)
            r = merge(c, j, one.id, ret->id);
        else
            *ret = one;
    }
    return r;
}

static int join(struct hm_control *c, const struct hm_story_join *j, uint8_t ret[HM_ID_BYTES])
{
    struct found s;
    int r = find(c, j, &s);
    if (!r && !s.has) {
        memcpy(s.id, j->alert, HM_ID_BYTES);
        r = hm_sql_run(c, HM_SQL_STORY_ADD, "tIIuu", j->tenant, s.id, j->endpoint,
                       hm_control_now_ms(), j->event_ns);
    }
    if (r >= 0)
        r = hm_sql_change(c, HM_SQL_STORY_TAKE, "tII", j->tenant, j->alert, s.id);
    for (size_t i = 0; !r && i < j->key_count; i++)
        r = j->keys[i] ? hm_sql_change(c, HM_SQL_STORY_KEY_PUT, "tIuI", j->tenant, j->endpoint,
                                       j->keys[i], s.id)
                       : 0;
    if (!r)
        r = hm_story_refresh(c, j->tenant, s.id);
    if (!r)
        memcpy(ret, s.id, HM_ID_BYTES);
    return r;
}

int hm_story_add(struct hm_control *c, const struct hm_story_join *j, uint8_t ret[HM_ID_BYTES])
{
    int r = hm_control_begin(c);
    return r ? r : hm_control_end(c, join(c, j, ret));
}

/* ---- lists ---- */
struct stories {
    int (*each)(void *ctx, const struct hm_story_row *s);
    void *ctx;
};

/* Columns in the order of STORY_COLUMNS. */
static int story_row(void *ctx, sqlite3_stmt *st)
{
    struct stories *w = ctx;
    struct hm_story_row s = {
        .endpoint_name = hm_sql_text(st, 2),
        .practice = hm_sql_u64(st, 3) != 0,
        .created_ms = hm_sql_u64(st, 4),
        .first_ns = hm_sql_u64(st, 5),
        .last_ns = hm_sql_u64(st, 6),
        .severity = hm_sql_u64(st, 7),
        .risk = hm_sql_u64(st, 8),
        .alerts = hm_sql_u64(st, 9),
        .open_alerts = hm_sql_u64(st, 10),
        .rules = hm_sql_u64(st, 11),
        .techniques = hm_sql_text(st, 12),
        .tactics = hm_sql_text(st, 13),
        .title = hm_sql_text(st, 15),
        .title_ja = hm_sql_text(st, 16),
        .image = hm_sql_text(st, 17),
        .user = hm_sql_text(st, 18),
    };
    uint8_t merged[HM_ID_BYTES];
    hm_sql_blob(st, 0, s.id, sizeof s.id);
    hm_sql_blob(st, 1, s.endpoint, sizeof s.endpoint);
    hm_sql_blob(st, 14, s.lead, sizeof s.lead);
    if (hm_sql_blob(st, 19, merged, sizeof merged))
        s.merged_into = merged;
    return w->each(w->ctx, &s);
}

int hm_story_list(struct hm_control *c, const char *tenant, const struct hm_story_filter *f,
                  int (*each)(void *ctx, const struct hm_story_row *s), void *ctx)
{
    struct stories w = {each, ctx};
    uint64_t n = f->limit == 0 ? 100 : f->limit > 1000 ? 1000 : f->limit;
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_STORY_LIST, "tuuIzu", tenant, (uint64_t)f->open_only,
                                   f->risk, f->endpoint, f->before_ns, n),
                       story_row, &w);
}

int hm_story_get(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                 int (*each)(void *ctx, const struct hm_story_row *s), void *ctx)
{
    struct stories w = {each, ctx};
    sqlite3_stmt *st = hm_sql_bind(c, HM_SQL_STORY_GET, "tI", tenant, id);
    int r = hm_sql_step(st);
    if (r <= 0)
        return r ? r : -ENOENT;
    r = story_row(&w, st);
    sqlite3_reset(st);
    return r;
}
