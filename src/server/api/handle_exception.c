/* Exceptions: made, listed, ended, and what one would have dismissed. What they mean is core's. */
#include "server/api/route.h"
#include "server/core/exception.h"
#include <errno.h>
#include <stdio.h>

#define PREVIEW_DAYS   30
#define PREVIEW_ALERTS 1000 /* looked at, newest first */
#define PREVIEW_SHOWN  50

static const char *state_of(const struct hm_exception_row *x)
{
    return x->ended_ms ? "ended" : x->expires_ms <= hm_control_now_ms() ? "expired" : "active";
}

static int list_row(void *ctx, const struct hm_exception_row *x)
{
    struct hm_jw *j = ctx;

    hm_jw_obj(j, NULL);
    hm_jw_hex(j, "id", x->id, sizeof x->id);
    hm_jw_str(j, "title", x->title);
    hm_jw_str(j, "state", state_of(x));
    hm_jw_str(j, "rule_id", x->rule_id);
    hm_jw_str(j, "group", x->group);
    x->endpoint ? hm_jw_hex(j, "endpoint", x->endpoint, HM_ID_BYTES) : hm_jw_null(j, "endpoint");
    hm_jw_str(j, "where", x->where);
    hm_jw_str(j, "reason", x->reason);
    hm_jw_str(j, "owner", x->owner);
    hm_jw_time_ms(j, "created", x->created_ms);
    hm_jw_time_ms(j, "expires", x->expires_ms);
    x->ended_ms ? hm_jw_time_ms(j, "ended", x->ended_ms) : hm_jw_null(j, "ended");
    hm_jw_str(j, "ended_by", x->ended_by);
    hm_jw_u64(j, "hits", x->hits);
    x->last_hit_ms ? hm_jw_time_ms(j, "last_hit", x->last_hit_ms) : hm_jw_null(j, "last_hit");
    hm_jw_end_obj(j);
    return 0;
}

void hm_handle_exceptions(struct hm_worker *w, struct hm_call *c)
{
    struct hm_jw j = hm_call_json(c, 200);

    hm_jw_obj(&j, NULL);
    hm_jw_arr(&j, "items");
    int r = hm_exception_list(w->control, c->who.tenant, list_row, &j);
    hm_jw_end_arr(&j);
    hm_jw_end_obj(&j);
    if (r)
        hm_call_error(c, r);
}

/* The same body makes one and previews one. */
static bool read_body(struct hm_call *c, struct hm_exception_new *x)
{
    static const struct hm_param params[] = {
        {"title", HM_ARG_TEXT, true, 1, 200},
        {"owner", HM_ARG_TEXT, true, 1, 100},
        {"reason", HM_ARG_TEXT, true, 1, 250},
        {"rule_id", HM_ARG_TEXT, false, 0, 200},
        {"group", HM_ARG_TEXT, false, 0, HM_TENANT_MAX - 1},
        {"endpoint", HM_ARG_ID, false, 0, 0},
        {"where", HM_ARG_SECRET, false, 0, HM_EXCEPTION_WHERE_MAX},
        {"expires_s", HM_ARG_UINT, true, 60, HM_EXCEPTION_TTL_MAX_S}};
    struct hm_arg a[HM_ARRAY_LEN(params)];

    if (!hm_call_body(c, params, HM_ARRAY_LEN(params), a))
        return false;
    *x = (struct hm_exception_new){.title = a[0].text,
                                   .owner = a[1].text,
                                   .reason = a[2].text,
                                   .rule_id = a[3].present ? a[3].text : "",
                                   .group = a[4].present ? a[4].text : "",
                                   .endpoint = a[5].present ? a[5].id : NULL,
                                   .where = a[6].present ? a[6].text : "",
                                   .ttl_s = a[7].u64};
    if (x->endpoint) { /* the arguments die with this function */
        uint8_t *id = hm_arena_alloc(c->arena, HM_ID_BYTES);
        if (id)
            memcpy(id, x->endpoint, HM_ID_BYTES);
        x->endpoint = id;
    }
    return true;
}

static void refuse(struct hm_call *c, int r, const struct hm_error *err)
{
    char *en = hm_arena_alloc(c->arena, sizeof err->text + 64);
    struct hm_text *t = hm_arena_alloc(c->arena, sizeof *t);

    if (r != -EINVAL || !en || !t)
        return hm_call_error(c, r);
    if (err->line)
        snprintf(en, sizeof err->text + 64, "line %u, column %u: %s", err->line, err->column,
                 err->text);
    else
        snprintf(en, sizeof err->text + 64, "%s", err->text);
    t->en = t->ja = en;
    hm_call_problem(c, HM_P_INVALID, err->line ? "where" : NULL, t);
}

void hm_handle_exception_new(struct hm_worker *w, struct hm_call *c)
{
    struct hm_exception_new x;
    struct hm_error err = {0};
    uint8_t id[HM_ID_BYTES];

    if (!read_body(c, &x))
        return;
    int r = hm_exception_add(w->control, c->who.tenant, &x, c->who.user, id, &err);
    if (r)
        return refuse(c, r, &err);
    struct hm_jw j = hm_call_json(c, 201);
    hm_jw_obj(&j, NULL);
    hm_jw_hex(&j, "id", id, sizeof id);
    hm_jw_end_obj(&j);
    c->poke = "exceptions";
}

void hm_handle_exception_end(struct hm_worker *w, struct hm_call *c)
{
    int r = hm_exception_end(w->control, c->who.tenant, c->id, c->who.user);

    if (r)
        return hm_call_error(c, r);
    hm_call_empty(c, 204);
    c->poke = "exceptions";
}

/* ---- preview ----------------------------------------------------------------------------------*/

struct preview {
    struct hm_worker *w;
    struct hm_call *c;
    struct hm_exception_set *set;
    struct hm_jw *j;
    uint64_t since_ns, looked, covered;
    uint8_t ids[PREVIEW_ALERTS][HM_ID_BYTES];
};

static int note_id(void *ctx, const struct hm_alert_row *r)
{
    struct preview *p = ctx;

    if (r->received_ns < p->since_ns || p->looked == PREVIEW_ALERTS)
        return 0;
    memcpy(p->ids[p->looked++], r->id, HM_ID_BYTES);
    return 0;
}

static int copy_group(void *ctx, const struct hm_endpoint_row *r)
{
    snprintf(ctx, HM_TENANT_MAX, "%s", r->group);
    return 0;
}

static int judge(void *ctx, const struct hm_alert_row *r)
{
    struct preview *p = ctx;
    struct hm_exception_found found;
    char group[HM_TENANT_MAX] = "";

    int e = hm_endpoint_get(p->w->control, p->c->who.tenant, r->endpoint, copy_group, group);
    if (e && e != -ENOENT)
        return e;
    struct hm_exception_case a = {.tenant = p->c->who.tenant,
                                  .group = group,
                                  .rule_id = r->rule_id,
                                  .endpoint = r->endpoint,
                                  .evidence = r->evidence ? r->evidence : "[]",
                                  .now_ms = hm_control_now_ms()};
    e = hm_exception_find(p->set, &a, &found);
    if (e != 1)
        return e;
    if (p->covered++ < PREVIEW_SHOWN) {
        hm_jw_obj(p->j, NULL);
        hm_write_alert(p->j, r);
        hm_jw_end_obj(p->j);
    }
    return 0;
}

static int preview(struct preview *p)
{
    struct hm_alert_filter f = {.limit = PREVIEW_ALERTS};

    int r = hm_alert_list(p->w->control, p->c->who.tenant, &f, note_id, p);
    hm_jw_obj(p->j, NULL);
    hm_jw_arr(p->j, "items");
    for (uint64_t i = 0; !r && i < p->looked; i++)
        r = hm_alert_get(p->w->control, p->c->who.tenant, p->ids[i], judge, p);
    hm_jw_end_arr(p->j);
    hm_jw_u64(p->j, "covered", p->covered);
    hm_jw_u64(p->j, "looked_at", p->looked);
    hm_jw_u64(p->j, "days", PREVIEW_DAYS);
    hm_jw_end_obj(p->j);
    return r;
}

void hm_handle_exception_preview(struct hm_worker *w, struct hm_call *c)
{
    struct hm_exception_new x;
    struct hm_error err = {0};
    struct preview *p = hm_arena_alloc(c->arena, sizeof *p);

    if (!p)
        return hm_call_error(c, -ENOMEM);
    if (!read_body(c, &x))
        return;
    int r = hm_exception_set_one(&x, c->who.tenant, &p->set, &err);
    if (r)
        return refuse(c, r, &err);
    struct hm_jw j = hm_call_json(c, 200);
    p->w = w;
    p->c = c;
    p->j = &j;
    p->since_ns = (hm_control_now_ms() - PREVIEW_DAYS * UINT64_C(86400000)) * 1000000;
    r = preview(p);
    hm_exception_set_free(p->set);
    if (r)
        hm_call_error(c, r);
}
