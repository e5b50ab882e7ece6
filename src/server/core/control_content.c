/* Versions of detection content, jobs that make them, sources they come from. Owns rows and audit;
 * refuses to know bundles, sockets and clocks of a roll-out. */
#include "server/core/control_content.h"
#include "server/core/control_core.h"
#include "server/core/sql.h"
#include "base/crypto.h"
#include <errno.h>
#include <stdio.h>

#define DAY_MS (24ull * 3600 * 1000)

bool hm_content_name_ok(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    return n > 0 && n <= HM_CONTENT_NAME_MAX && name[n] == 0 && strcmp(name, "hinomi") != 0;
}

/* ---- jobs ---- */

static int create(struct hm_control *c, const char *tenant, const struct hm_content_job_new *j,
                  const uint8_t id[HM_ID_BYTES])
{
    char action[48];
    bool import = strcmp(j->kind, "import") == 0;
    int r = hm_sql_change(c, HM_SQL_CONTENT_JOB_ADD, "tItttttttu", tenant, id, j->kind, j->layer,
                          j->spec, j->note, j->actor, j->then, import ? "uploading" : "ready",
                          hm_control_now_ms());
    snprintf(action, sizeof action, "content.%s", j->kind);
    return r ? r : hm_audit_add(c, tenant, j->actor, action, j->layer, j->note);
}

int hm_content_job_create(struct hm_control *c, const char *tenant,
                          const struct hm_content_job_new *j, uint8_t ret_id[HM_ID_BYTES])
{
    uint8_t id[HM_ID_BYTES];
    if (*j->layer && !hm_content_name_ok(j->layer))
        return -EINVAL;
    int r = hm_random(id, sizeof id);
    if (!r)
        r = hm_control_begin(c);
    if (r)
        return r;
    r = hm_control_end(c, create(c, tenant, j, id));
    if (!r)
        memcpy(ret_id, id, sizeof id);
    return r;
}

static int append(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                  uint64_t offset, struct hm_slice data)
{
    int r = hm_sql_change(c, HM_SQL_CONTENT_UPLOAD_SIZE, "tIuuu", tenant, id, offset,
                          (uint64_t)data.len, hm_control_now_ms());
    if (r)
        return r == -ENOENT ? -EINVAL : r;
    return hm_sql_change(c, HM_SQL_CONTENT_UPLOAD_ADD, "tIub", tenant, id, offset, data);
}

int hm_content_job_append(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                          uint64_t offset, struct hm_slice data)
{
    if (data.len == 0 || offset + data.len > HM_CONTENT_UPLOAD_MAX)
        return data.len ? -E2BIG : -EINVAL;
    int r = hm_control_begin(c);
    return r ? r : hm_control_end(c, append(c, tenant, id, offset, data));
}

int hm_content_job_ready(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES])
{
    return hm_sql_change(c, HM_SQL_CONTENT_JOB_READY, "tIu", tenant, id, hm_control_now_ms());
}

struct job_list {
    int (*each)(void *ctx, const struct hm_content_job_row *r);
    void *ctx;
    bool any;
};

static int job_row(void *ctx, sqlite3_stmt *st)
{
    struct job_list *l = ctx;
    struct hm_content_job_row r = {.tenant = hm_sql_text(st, 0),
                                   .kind = hm_sql_text(st, 2),
                                   .layer = hm_sql_text(st, 3),
                                   .spec = hm_sql_text(st, 4),
                                   .note = hm_sql_text(st, 5),
                                   .actor = hm_sql_text(st, 6),
                                   .then = hm_sql_text(st, 7),
                                   .state = hm_sql_text(st, 8),
                                   .attempts = hm_sql_u64(st, 9),
                                   .size = hm_sql_u64(st, 10),
                                   .version = hm_sql_u64(st, 11),
                                   .text = hm_sql_text(st, 12),
                                   .report = hm_sql_text(st, 13),
                                   .created_ms = hm_sql_u64(st, 14),
                                   .updated_ms = hm_sql_u64(st, 15)};
    hm_sql_blob(st, 1, r.id, sizeof r.id);
    l->any = true;
    return l->each(l->ctx, &r);
}

int hm_content_job_get(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                       int (*each)(void *ctx, const struct hm_content_job_row *r), void *ctx)
{
    struct job_list l = {each, ctx, false};
    int r = hm_sql_rows(hm_sql_bind(c, HM_SQL_CONTENT_JOB_GET, "tI", tenant, id), job_row, &l);
    return r ? r : l.any ? 0 : -ENOENT;
}

int hm_content_job_next(struct hm_control *c,
                        int (*each)(void *ctx, const struct hm_content_job_row *r), void *ctx)
{
    struct job_list l = {each, ctx, false};
    int r = hm_sql_rows(hm_sql_bind(c, HM_SQL_CONTENT_JOB_NEXT, ""), job_row, &l);
    return r ? r : l.any ? 0 : -ENOENT;
}

int hm_content_job_run(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES])
{
    return hm_sql_change(c, HM_SQL_CONTENT_JOB_RUN, "tIu", tenant, id, hm_control_now_ms());
}

int hm_content_job_state(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                         const char *state, uint64_t version, struct hm_slice text,
                         struct hm_slice report)
{
    return hm_sql_change(c, HM_SQL_CONTENT_JOB_STATE, "tItssuu", tenant, id, state, text, report,
                         version, hm_control_now_ms());
}

int hm_content_job_again(struct hm_control *c)
{
    int r = hm_sql_run(c, HM_SQL_CONTENT_JOB_AGAIN, "");
    return r < 0 ? r : 0;
}

int hm_content_clean(struct hm_control *c)
{
    int r = hm_sql_run(c, HM_SQL_CONTENT_JOB_OLD, "u", hm_control_now_ms() - DAY_MS);
    if (r >= 0)
        r = hm_sql_run(c, HM_SQL_CONTENT_UPLOAD_OLD, "");
    return r < 0 ? r : 0;
}

struct upload_list {
    int (*each)(void *ctx, struct hm_slice data);
    void *ctx;
};

static int upload_row(void *ctx, sqlite3_stmt *st)
{
    struct upload_list *l = ctx;
    return l->each(l->ctx,
                   hm_slice(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0)));
}

int hm_content_upload(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                      int (*each)(void *ctx, struct hm_slice data), void *ctx)
{
    struct upload_list l = {each, ctx};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_CONTENT_UPLOAD_EACH, "tI", tenant, id), upload_row,
                       &l);
}

/* ---- versions ---- */

int hm_content_version_next(struct hm_control *c, const char *tenant, uint64_t *ret_version)
{
    return hm_sql_one(c, ret_version, HM_SQL_CONTENT_VERSION_NEXT, "t", tenant);
}

int hm_content_version_last(struct hm_control *c, const char *tenant, uint64_t *ret_version)
{
    return hm_sql_one(c, ret_version, HM_SQL_CONTENT_VERSION_LAST, "t", tenant);
}

int hm_content_version_add(struct hm_control *c, const struct hm_content_version_row *r)
{
    return hm_sql_change(c, HM_SQL_CONTENT_VERSION_ADD, "tuutttuHbuut", r->tenant, r->version,
                         r->created_ms, r->actor, r->origin, r->note, r->size, r->sha256, r->stmt,
                         r->rules, r->refused, r->report);
}

struct version_list {
    int (*each)(void *ctx, const struct hm_content_version_row *r);
    void *ctx;
    bool any;
};

static int version_row(void *ctx, sqlite3_stmt *st)
{
    struct version_list *l = ctx;
    struct hm_content_version_row r = {
        .tenant = hm_sql_text(st, 0),
        .version = hm_sql_u64(st, 1),
        .created_ms = hm_sql_u64(st, 2),
        .actor = hm_sql_text(st, 3),
        .origin = hm_sql_text(st, 4),
        .note = hm_sql_text(st, 5),
        .size = hm_sql_u64(st, 6),
        .stmt = hm_slice(sqlite3_column_blob(st, 8), (size_t)sqlite3_column_bytes(st, 8)),
        .rules = hm_sql_u64(st, 9),
        .refused = hm_sql_u64(st, 10),
        .report = hm_sql_text(st, 11)};
    hm_sql_blob(st, 7, r.sha256, sizeof r.sha256);
    l->any = true;
    return l->each(l->ctx, &r);
}

int hm_content_version_list(struct hm_control *c, const char *tenant, uint32_t limit,
                            int (*each)(void *ctx, const struct hm_content_version_row *r),
                            void *ctx)
{
    struct version_list l = {each, ctx, false};
    return hm_sql_rows(
        hm_sql_bind(c, HM_SQL_CONTENT_VERSION_LIST, "tu", tenant, (uint64_t)(limit ? limit : 50)),
        version_row, &l);
}

int hm_content_version_get(struct hm_control *c, const char *tenant, uint64_t version,
                           int (*each)(void *ctx, const struct hm_content_version_row *r),
                           void *ctx)
{
    struct version_list l = {each, ctx, false};
    int r = hm_sql_rows(hm_sql_bind(c, HM_SQL_CONTENT_VERSION_GET, "tu", tenant, version),
                        version_row, &l);
    return r ? r : l.any ? 0 : -ENOENT;
}

int hm_content_log_add(struct hm_control *c, const char *tenant, const char *actor,
                       const char *event, uint64_t version, const char *ring, const char *text)
{
    return hm_sql_change(c, HM_SQL_CONTENT_LOG_ADD, "tuttutt", tenant, hm_control_now_ms(), actor,
                         event, version, ring, text);
}

struct log_list {
    int (*each)(void *ctx, const struct hm_content_log_row *r);
    void *ctx;
};

static int log_row(void *ctx, sqlite3_stmt *st)
{
    struct log_list *l = ctx;
    struct hm_content_log_row r = {.time_ms = hm_sql_u64(st, 0),
                                   .actor = hm_sql_text(st, 1),
                                   .event = hm_sql_text(st, 2),
                                   .version = hm_sql_u64(st, 3),
                                   .ring = hm_sql_text(st, 4),
                                   .text = hm_sql_text(st, 5)};
    return l->each(l->ctx, &r);
}

int hm_content_log_list(struct hm_control *c, const char *tenant, uint32_t limit,
                        int (*each)(void *ctx, const struct hm_content_log_row *r), void *ctx)
{
    struct log_list l = {each, ctx};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_CONTENT_LOG_LIST, "tu", tenant, (uint64_t)limit),
                       log_row, &l);
}

/* ---- sources ---- */

/* Credentials are in the spec: the audit says which source, never what it holds. */
static int audited(struct hm_control *c, const char *tenant, const char *actor, const char *action,
                   const char *name, int r)
{
    if (!r)
        r = hm_audit_add(c, tenant, actor, action, name, "");
    return hm_control_end(c, r);
}

int hm_content_source_put(struct hm_control *c, const char *tenant, const char *name,
                          const char *kind, const char *spec, uint64_t every_s, const char *actor)
{
    if (!hm_content_name_ok(name) || every_s < 60)
        return -EINVAL;
    int r = hm_control_begin(c);
    if (r)
        return r;
    r = hm_sql_change(c, HM_SQL_CONTENT_SOURCE_PUT, "ttttutu", tenant, name, kind, spec, every_s,
                      actor, hm_control_now_ms());
    return audited(c, tenant, actor, "content.source.set", name, r);
}

int hm_content_source_delete(struct hm_control *c, const char *tenant, const char *name,
                             const char *actor)
{
    int r = hm_control_begin(c);
    if (r)
        return r;
    r = hm_sql_change(c, HM_SQL_CONTENT_SOURCE_DELETE, "tt", tenant, name);
    return audited(c, tenant, actor, "content.source.remove", name, r);
}

int hm_content_source_now(struct hm_control *c, const char *tenant, const char *name,
                          const char *actor)
{
    int r = hm_control_begin(c);
    if (r)
        return r;
    r = hm_sql_change(c, HM_SQL_CONTENT_SOURCE_NOW, "ttu", tenant, name, hm_control_now_ms());
    return audited(c, tenant, actor, "content.source.pull", name, r);
}

struct source_list {
    int (*each)(void *ctx, const struct hm_content_source *s);
    void *ctx;
    bool any;
};

static int source_row(void *ctx, sqlite3_stmt *st)
{
    struct source_list *l = ctx;
    struct hm_content_source s = {.tenant = hm_sql_text(st, 0),
                                  .name = hm_sql_text(st, 1),
                                  .kind = hm_sql_text(st, 2),
                                  .spec = hm_sql_text(st, 3),
                                  .memory = hm_sql_text(st, 4),
                                  .every_s = hm_sql_u64(st, 5),
                                  .enabled = hm_sql_u64(st, 6) != 0,
                                  .actor = hm_sql_text(st, 7),
                                  .next_ms = hm_sql_u64(st, 8),
                                  .tried_ms = hm_sql_u64(st, 9),
                                  .good_ms = hm_sql_u64(st, 10),
                                  .failures = hm_sql_u64(st, 11),
                                  .items = hm_sql_u64(st, 12),
                                  .error = hm_sql_text(st, 13)};
    l->any = true;
    return l->each(l->ctx, &s);
}

int hm_content_source_list(struct hm_control *c, const char *tenant,
                           int (*each)(void *ctx, const struct hm_content_source *s), void *ctx)
{
    struct source_list l = {each, ctx, false};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_CONTENT_SOURCE_LIST, "t", tenant), source_row, &l);
}

int hm_content_source_due(struct hm_control *c, uint64_t now_ms,
                          int (*each)(void *ctx, const struct hm_content_source *s), void *ctx)
{
    struct source_list l = {each, ctx, false};
    int r = hm_sql_rows(hm_sql_bind(c, HM_SQL_CONTENT_SOURCE_DUE, "u", now_ms), source_row, &l);
    return r ? r : l.any ? 0 : -ENOENT;
}

int hm_content_source_planned(struct hm_control *c, const char *tenant, const char *name,
                              uint64_t next_ms)
{
    return hm_sql_change(c, HM_SQL_CONTENT_SOURCE_NOW, "ttu", tenant, name, next_ms);
}

int hm_content_source_tried(struct hm_control *c, const char *tenant, const char *name,
                            uint64_t next_ms, uint64_t failures, const char *error)
{
    return hm_sql_change(c, HM_SQL_CONTENT_SOURCE_TRIED, "ttuuut", tenant, name,
                         hm_control_now_ms(), next_ms, failures, error);
}

int hm_content_source_kept(struct hm_control *c, const char *tenant, const char *name,
                           const char *memory, uint64_t items)
{
    return hm_sql_change(c, HM_SQL_CONTENT_SOURCE_KEPT, "tttu", tenant, name, memory, items);
}

/* ---- trust ---- */

int hm_content_trust_add(struct hm_control *c, const char *tenant, const char *name,
                         const uint8_t key[65], const char *actor)
{
    if (!hm_content_name_ok(name))
        return -EINVAL;
    int r = hm_control_begin(c);
    if (r)
        return r;
    r = hm_sql_change(c, HM_SQL_CONTENT_TRUST_PUT, "ttbut", tenant, name, hm_slice(key, 65),
                      hm_control_now_ms(), actor);
    return audited(c, tenant, actor, "content.trust.add", name, r);
}

int hm_content_trust_remove(struct hm_control *c, const char *tenant, const char *name,
                            const char *actor)
{
    int r = hm_control_begin(c);
    if (r)
        return r;
    r = hm_sql_change(c, HM_SQL_CONTENT_TRUST_DELETE, "tt", tenant, name);
    return audited(c, tenant, actor, "content.trust.remove", name, r);
}

struct trust_list {
    int (*each)(void *ctx, const struct hm_content_trust *t);
    void *ctx;
};

static int trust_row(void *ctx, sqlite3_stmt *st)
{
    struct trust_list *l = ctx;
    struct hm_content_trust t = {.name = hm_sql_text(st, 0),
                                 .version = hm_sql_u64(st, 2),
                                 .added_ms = hm_sql_u64(st, 3),
                                 .actor = hm_sql_text(st, 4)};
    hm_sql_blob(st, 1, t.key, sizeof t.key);
    return l->each(l->ctx, &t);
}

int hm_content_trust_list(struct hm_control *c, const char *tenant,
                          int (*each)(void *ctx, const struct hm_content_trust *t), void *ctx)
{
    struct trust_list l = {each, ctx};
    return hm_sql_rows(hm_sql_bind(c, HM_SQL_CONTENT_TRUST_LIST, "t", tenant), trust_row, &l);
}

int hm_content_trust_seen(struct hm_control *c, const char *tenant, const char *name,
                          uint64_t version)
{
    int r = hm_sql_run(c, HM_SQL_CONTENT_TRUST_SEEN, "ttu", tenant, name, version);
    return r < 0 ? r : 0;
}
