/* Detection content: versions, who is meant to have which, what endpoints say, imports. What is
 * asked for becomes a row; core does it. */
#include "server/api/route.h"
#include "server/core/control_content.h"
#include "server/core/rollout.h"
#include "wire/bundle.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_MAX (960 * 1024) /* base64 of one piece of an upload; the body's ceiling is 1 MiB */
#define LOG_ROWS  50

/* ---- reading ----------------------------------------------------------------------------------*/

static void version_members(struct hm_jw *j, const struct hm_content_version_row *r)
{
    hm_jw_u64(j, "version", r->version);
    hm_jw_time_ms(j, "created", r->created_ms);
    hm_jw_str(j, "actor", r->actor);
    hm_jw_str(j, "origin", r->origin);
    hm_jw_str(j, "note", r->note);
    hm_jw_u64(j, "size", r->size);
    hm_jw_u64(j, "rules", r->rules);
    hm_jw_u64(j, "refused", r->refused);
    hm_jw_hex(j, "sha256", r->sha256, sizeof r->sha256);
}

static int write_version(void *ctx, const struct hm_content_version_row *r)
{
    struct hm_jw *j = ctx;

    hm_jw_obj(j, NULL);
    version_members(j, r);
    hm_jw_end_obj(j);
    return 0;
}

static int write_log(void *ctx, const struct hm_content_log_row *r)
{
    struct hm_jw *j = ctx;

    hm_jw_obj(j, NULL);
    hm_jw_time_ms(j, "time", r->time_ms);
    hm_jw_str(j, "actor", r->actor);
    hm_jw_str(j, "event", r->event);
    hm_jw_u64(j, "version", r->version);
    hm_jw_str(j, "ring", r->ring);
    hm_jw_str(j, "text", r->text);
    hm_jw_end_obj(j);
    return 0;
}

struct ring {
    uint64_t endpoints, connected, current, unhealthy;
};
struct rings {
    const struct hm_rollout *r;
    struct ring ring[HM_RING_COUNT];
};

static bool unhealthy(const struct hm_content_endpoint *e, uint64_t target)
{
    return (e->tried == target && target && e->active != target && *e->state) ||
           e->restarts >= HM_ROLLOUT_RESTARTS;
}

static int count_endpoint(void *ctx, const struct hm_content_endpoint *e)
{
    struct rings *s = ctx;
    enum hm_ring ring = hm_ring_of(s->r, e->id, e->group);
    uint64_t target = hm_rollout_target(s->r, ring);

    s->ring[ring].endpoints++;
    s->ring[ring].connected += e->connected;
    s->ring[ring].current += e->active >= target;
    s->ring[ring].unhealthy += unhealthy(e, target);
    return 0;
}

static void write_rings(struct hm_jw *j, const struct rings *s)
{
    hm_jw_arr(j, "rings");
    for (int i = 0; i < HM_RING_COUNT; i++) {
        hm_jw_obj(j, NULL);
        hm_jw_str(j, "name", hm_ring_names[i]);
        hm_jw_u64(j, "target", hm_rollout_target(s->r, (enum hm_ring)i));
        hm_jw_u64(j, "endpoints", s->ring[i].endpoints);
        hm_jw_u64(j, "connected", s->ring[i].connected);
        hm_jw_u64(j, "current", s->ring[i].current);
        hm_jw_u64(j, "unhealthy", s->ring[i].unhealthy);
        hm_jw_end_obj(j);
    }
    hm_jw_end_arr(j);
}

static void write_rollout(struct hm_jw *j, const struct hm_rollout *r)
{
    hm_jw_obj(j, "rollout");
    hm_jw_u64(j, "stable", r->stable);
    hm_jw_u64(j, "candidate", r->candidate);
    hm_jw_str(j, "stage", hm_stage_names[r->stage]);
    hm_jw_time_ms(j, "since", r->since_ms);
    hm_jw_u64(j, "soak_s", r->soak_s);
    hm_jw_str(j, "actor", r->actor);
    hm_jw_str(j, "reason", r->reason);
    hm_jw_u64(j, "canary_percent", r->canary_percent);
    hm_jw_u64(j, "early_percent", r->early_percent);
    hm_jw_str(j, "canary_group", r->canary_group);
    hm_jw_str(j, "early_group", r->early_group);
    hm_jw_u64(j, "alert_factor", r->alert_factor);
    hm_jw_u64(j, "alert_least", r->alert_least);
    hm_jw_end_obj(j);
}

void hm_handle_content(struct hm_worker *w, struct hm_call *c)
{
    struct hm_rollout r = {0};
    struct rings s = {.r = &r};
    const char *tenant = c->who.tenant;
    struct hm_jw j = hm_call_json(c, 200);
    int e = hm_rollout_get(w->control, tenant, &r);

    if (!e)
        e = hm_content_endpoints(w->control, tenant, count_endpoint, &s);
    hm_jw_obj(&j, NULL);
    write_rollout(&j, &r);
    write_rings(&j, &s);
    hm_jw_arr(&j, "versions");
    if (!e)
        e = hm_content_version_list(w->control, tenant, 50, write_version, &j);
    hm_jw_end_arr(&j);
    hm_jw_arr(&j, "log");
    if (!e)
        e = hm_content_log_list(w->control, tenant, LOG_ROWS, write_log, &j);
    hm_jw_end_arr(&j);
    hm_jw_end_obj(&j);
    if (e)
        hm_call_error(c, e);
}

struct endpoint_list {
    struct hm_jw *j;
    struct hm_rollout r;
};

static int write_endpoint(void *ctx, const struct hm_content_endpoint *e)
{
    struct endpoint_list *l = ctx;
    struct hm_jw *j = l->j;
    enum hm_ring ring = hm_ring_of(&l->r, e->id, e->group);
    uint64_t target = hm_rollout_target(&l->r, ring);

    hm_jw_obj(j, NULL);
    hm_jw_hex(j, "id", e->id, sizeof e->id);
    hm_jw_str(j, "name", e->name);
    hm_jw_str(j, "group", e->group);
    hm_jw_bool(j, "connected", e->connected);
    hm_jw_str(j, "ring", hm_ring_names[ring]);
    hm_jw_u64(j, "target", target);
    hm_jw_u64(j, "active", e->active);
    hm_jw_u64(j, "tried", e->tried);
    hm_jw_str(j, "state", *e->state ? e->state : "unknown");
    hm_jw_bool(j, "healthy", !unhealthy(e, target));
    hm_jw_u64(j, "rules", e->rules);
    hm_jw_u64(j, "refused", e->refused);
    hm_jw_u64(j, "load_ms", e->load_ms);
    hm_jw_u64(j, "engine_restarts", e->restarts);
    hm_jw_str(j, "error", e->error);
    hm_jw_foreign(j, "problems", e->problems);
    hm_jw_time_ms(j, "updated", e->updated_ms);
    hm_jw_end_obj(j);
    return 0;
}

void hm_handle_content_endpoints(struct hm_worker *w, struct hm_call *c)
{
    struct hm_jw j = hm_call_json(c, 200);
    struct endpoint_list l = {.j = &j};
    int e = hm_rollout_get(w->control, c->who.tenant, &l.r);

    hm_jw_obj(&j, NULL);
    hm_jw_arr(&j, "items");
    if (!e)
        e = hm_content_endpoints(w->control, c->who.tenant, write_endpoint, &l);
    hm_jw_end_arr(&j);
    hm_jw_end_obj(&j);
    if (e)
        hm_call_error(c, e);
}

static int write_one(void *ctx, const struct hm_content_version_row *r)
{
    struct hm_jw *j = ctx;

    hm_jw_obj(j, NULL);
    version_members(j, r);
    hm_jw_foreign(j, "report", *r->report ? r->report : NULL);
    hm_jw_end_obj(j);
    return 0;
}

void hm_handle_content_version(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"version", HM_ARG_UINT, true, 1, INT64_MAX}};
    struct hm_arg a[HM_ARRAY_LEN(params)];

    if (!hm_call_query(c, params, HM_ARRAY_LEN(params), a))
        return;
    struct hm_jw j = hm_call_json(c, 200);
    int e = hm_content_version_get(w->control, c->who.tenant, a[0].u64, write_one, &j);
    if (e)
        hm_call_error(c, e);
}

/* ---- importing --------------------------------------------------------------------------------*/

static int write_job(void *ctx, const struct hm_content_job_row *r)
{
    struct hm_jw *j = ctx;

    hm_jw_obj(j, NULL);
    hm_jw_hex(j, "id", r->id, sizeof r->id);
    hm_jw_str(j, "kind", r->kind);
    hm_jw_str(j, "name", r->layer);
    hm_jw_str(j, "state", r->state);
    hm_jw_u64(j, "size", r->size);
    hm_jw_u64(j, "version", r->version);
    hm_jw_str(j, "text", r->text);
    hm_jw_foreign(j, "report", *r->report ? r->report : NULL);
    hm_jw_time_ms(j, "created", r->created_ms);
    hm_jw_time_ms(j, "updated", r->updated_ms);
    hm_jw_end_obj(j);
    return 0;
}

static void answer_job(struct hm_worker *w, struct hm_call *c, const uint8_t *id, int status)
{
    struct hm_jw j = hm_call_json(c, status);
    int e = hm_content_job_get(w->control, c->who.tenant, id, write_job, &j);

    if (e)
        hm_call_error(c, e);
}

void hm_handle_import_new(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"name", HM_ARG_TEXT, false, 1, HM_CONTENT_NAME_MAX},
                                             {"note", HM_ARG_TEXT, false, 0, 500},
                                             {"publish", HM_ARG_TEXT, false, 1, 10}};
    struct hm_arg a[HM_ARRAY_LEN(params)];
    uint8_t id[HM_ID_BYTES];

    if (!hm_call_body(c, params, HM_ARRAY_LEN(params), a))
        return;
    struct hm_content_job_new n = {.kind = "import",
                                   .layer = a[0].present ? a[0].text : "import",
                                   .spec = "",
                                   .note = a[1].present ? a[1].text : "",
                                   .actor = c->who.user,
                                   .then = a[2].present ? a[2].text : ""};
    if (*n.then && strcmp(n.then, "canary") != 0 && strcmp(n.then, "all") != 0)
        return hm_call_problem(c, HM_P_INVALID, "publish", NULL);
    int e = hm_content_job_create(w->control, c->who.tenant, &n, id);
    if (e)
        return e == -EINVAL ? hm_call_problem(c, HM_P_INVALID, "name", NULL) : hm_call_error(c, e);
    answer_job(w, c, id, 201);
}

void hm_handle_import_data(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {
        {"offset", HM_ARG_UINT, true, 0, HM_CONTENT_UPLOAD_MAX},
        {"data", HM_ARG_TEXT, true, 4, PIECE_MAX}};
    struct hm_arg a[HM_ARRAY_LEN(params)];
    size_t n = 0;

    if (!hm_call_body(c, params, HM_ARRAY_LEN(params), a))
        return;
    size_t room = strlen(a[1].text) / 4 * 3 + 3;
    hm_autofree uint8_t *bytes = malloc(room);
    if (!bytes)
        return hm_call_error(c, -ENOMEM);
    if (sodium_base642bin(bytes, room, a[1].text, strlen(a[1].text), NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL))
        return hm_call_problem(c, HM_P_INVALID, "data", NULL);
    int e = hm_content_job_append(w->control, c->who.tenant, c->id, a[0].u64, hm_slice(bytes, n));
    if (e == -EINVAL)
        return hm_call_problem(c, HM_P_CONFLICT, "offset", NULL);
    if (e)
        return e == -E2BIG ? hm_call_problem(c, HM_P_TOO_LARGE, NULL, NULL) : hm_call_error(c, e);
    hm_call_empty(c, 204);
}

void hm_handle_import_finish(struct hm_worker *w, struct hm_call *c)
{
    int e = hm_content_job_ready(w->control, c->who.tenant, c->id);

    if (e)
        return hm_call_error(c, e);
    c->poke = "content";
    answer_job(w, c, c->id, 202);
}

void hm_handle_import(struct hm_worker *w, struct hm_call *c)
{
    answer_job(w, c, c->id, 200);
}

/* ---- deciding ---------------------------------------------------------------------------------*/

static const struct hm_text older = {"endpoints take nothing older: use a roll-back",
                                     "端末は古い版を受け付けません。ロールバックを使ってください"},
                            same = {"every endpoint is meant to have it already",
                                    "すでに全端末の対象です"},
                            returning = {"a roll-back is under way", "ロールバック中です"},
                            nothing = {"there is nothing to go back to", "戻る先がありません"};

static void answer_change(struct hm_call *c, int e)
{
    c->poke = "content";
    if (!e)
        return hm_call_empty(c, 202);
    if (e == -EPROTO || e == -EALREADY)
        return hm_call_problem(c, HM_P_CONFLICT, NULL, e == -EPROTO ? &older : &same);
    hm_call_error(c, e);
}

void hm_handle_publish(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"version", HM_ARG_UINT, true, 1, INT64_MAX},
                                             {"at_once", HM_ARG_BOOL, false, 0, 0},
                                             {"soak_s", HM_ARG_UINT, false, 1, 30 * 86400}};
    struct hm_arg a[HM_ARRAY_LEN(params)];

    if (!hm_call_body(c, params, HM_ARRAY_LEN(params), a))
        return;
    int e = hm_content_publish(w->control, c->who.tenant, a[0].u64, a[1].present && a[1].flag,
                               a[2].present ? a[2].u64 : 0, c->who.user);
    if (e == -EBUSY)
        return hm_call_problem(c, HM_P_CONFLICT, NULL, &returning);
    answer_change(c, e);
}

void hm_handle_rollback(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"version", HM_ARG_UINT, false, 1, INT64_MAX},
                                             {"reason", HM_ARG_TEXT, true, 1, 500}};
    struct hm_arg a[HM_ARRAY_LEN(params)];

    if (!hm_call_body(c, params, HM_ARRAY_LEN(params), a))
        return;
    int e = hm_content_rollback(w->control, c->who.tenant, a[0].present ? a[0].u64 : 0, a[1].text,
                                c->who.user);
    if (e == -EBUSY || (e == -ENOENT && !a[0].present))
        return hm_call_problem(c, HM_P_CONFLICT, NULL, e == -EBUSY ? &returning : &nothing);
    answer_change(c, e);
}

void hm_handle_rings(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"canary_percent", HM_ARG_UINT, true, 0, 100},
                                             {"early_percent", HM_ARG_UINT, true, 0, 100},
                                             {"canary_group", HM_ARG_TEXT, false, 0, 63},
                                             {"early_group", HM_ARG_TEXT, false, 0, 63},
                                             {"alert_factor", HM_ARG_UINT, false, 1, 1000},
                                             {"alert_least", HM_ARG_UINT, false, 1, 1000000}};
    struct hm_arg a[HM_ARRAY_LEN(params)];
    struct hm_rollout now;

    if (!hm_call_body(c, params, HM_ARRAY_LEN(params), a))
        return;
    int e = hm_rollout_get(w->control, c->who.tenant, &now);
    struct hm_content_rings r = {.canary_percent = a[0].u64,
                                 .early_percent = a[1].u64,
                                 .canary_group = a[2].present ? a[2].text : NULL,
                                 .early_group = a[3].present ? a[3].text : NULL,
                                 .alert_factor = a[4].present ? a[4].u64 : now.alert_factor,
                                 .alert_least = a[5].present ? a[5].u64 : now.alert_least};
    if (!e)
        e = hm_content_set_rings(w->control, c->who.tenant, &r, c->who.user);
    answer_change(c, e);
}

/* ---- carrying out -----------------------------------------------------------------------------*/

static int copy_stmt(void *ctx, const struct hm_content_version_row *r)
{
    hm_buf_put(ctx, r->stmt.p, r->stmt.len);
    return ((struct hm_buf *)ctx)->error;
}

static int put_file(int fd, struct hm_buf *out)
{
    uint8_t chunk[65536];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        hm_buf_put(out, chunk, (size_t)n);
    return n < 0 ? -errno : out->error;
}

void hm_handle_bundle(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"version", HM_ARG_UINT, true, 1, INT64_MAX}};
    hm_auto(hm_buf_done) struct hm_buf stmt = HM_BUF(HM_STMT_MAX_BYTES), head = HM_BUF(65536);
    struct hm_arg a[HM_ARRAY_LEN(params)];
    char path[4600];

    if (!hm_call_query(c, params, HM_ARRAY_LEN(params), a))
        return;
    int e = hm_content_version_get(w->control, c->who.tenant, a[0].u64, copy_stmt, &stmt);
    if (!e && !w->shared->key_set_len)
        e = -ENOENT;
    if (e)
        return hm_call_error(c, e);
    snprintf(path, sizeof path, "%s/%s/%llu.body", w->shared->content, c->who.tenant,
             (unsigned long long)a[0].u64);
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return hm_call_error(c, -errno);
    struct hm_msg_bundle_head h = {.statement = hm_buf_slice(&stmt),
                                   .key_set = hm_slice(w->shared->key_set, w->shared->key_set_len)};
    hm_msg_encode(&hm_desc_bundle_head, &h, &head);
    c->status = 200;
    c->type = "application/octet-stream";
    hm_buf_clear(&c->out);
    hm_bundle_head_write(hm_buf_slice(&head), &c->out);
    e = put_file(fd, &c->out);
    if (e)
        hm_call_error(c, e);
}

static int write_trust(void *ctx, const struct hm_content_trust *t)
{
    struct hm_jw *j = ctx;

    hm_jw_obj(j, NULL);
    hm_jw_str(j, "name", t->name);
    hm_jw_hex(j, "key", t->key, sizeof t->key);
    hm_jw_u64(j, "version", t->version);
    hm_jw_time_ms(j, "added", t->added_ms);
    hm_jw_str(j, "actor", t->actor);
    hm_jw_end_obj(j);
    return 0;
}

void hm_handle_trust(struct hm_worker *w, struct hm_call *c)
{
    struct hm_jw j = hm_call_json(c, 200);

    hm_jw_obj(&j, NULL);
    hm_jw_hex(&j, "own", w->shared->root_key, w->shared->root_key_len);
    hm_jw_arr(&j, "items");
    int e = hm_content_trust_list(w->control, c->who.tenant, write_trust, &j);
    hm_jw_end_arr(&j);
    hm_jw_end_obj(&j);
    if (e)
        hm_call_error(c, e);
}

void hm_handle_trust_add(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"name", HM_ARG_TEXT, true, 1, HM_CONTENT_NAME_MAX},
                                             {"key", HM_ARG_TEXT, true, 130, 130}};
    struct hm_arg a[HM_ARRAY_LEN(params)];
    uint8_t key[HM_PUBKEY_BYTES];

    if (!hm_call_body(c, params, HM_ARRAY_LEN(params), a))
        return;
    if (!hm_args_hex(a[1].text, key, sizeof key) || key[0] != 4)
        return hm_call_problem(c, HM_P_INVALID, "key", NULL);
    int e = hm_content_trust_add(w->control, c->who.tenant, a[0].text, key, c->who.user);
    if (e == -EEXIST)
        return hm_call_problem(c, HM_P_CONFLICT, "name", NULL);
    answer_change(c, e);
}

void hm_handle_trust_remove(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"name", HM_ARG_TEXT, true, 1, HM_CONTENT_NAME_MAX}};
    struct hm_arg a[HM_ARRAY_LEN(params)];

    if (hm_call_body(c, params, HM_ARRAY_LEN(params), a))
        answer_change(c,
                      hm_content_trust_remove(w->control, c->who.tenant, a[0].text, c->who.user));
}
