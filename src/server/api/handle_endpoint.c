/* Endpoints: list, one, edit, revoke. */
#include "server/api/route.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

/* The agent tells in both languages ("blind", "blind_ja"); what it did not translate stays English.
 */
static const cJSON *told(const cJSON *of, const char *name, enum hm_lang lang)
{
    char ja[32];
    const cJSON *item = NULL;

    snprintf(ja, sizeof ja, "%s_ja", name);
    if (lang == HM_LANG_JA)
        item = cJSON_GetObjectItemCaseSensitive(of, ja);
    return item ? item : cJSON_GetObjectItemCaseSensitive(of, name);
}

static void write_active(struct hm_jw *j, const cJSON *root, enum hm_lang lang)
{
    const cJSON *item;

    hm_jw_arr(j, "active");
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(root, "active"))
    {
        const char *name = cJSON_GetStringValue(
            cJSON_IsObject(item) ? cJSON_GetObjectItemCaseSensitive(item, "name") : item);
        if (!name)
            continue;
        hm_jw_obj(j, NULL);
        hm_jw_str(j, "name", name);
        hm_jw_str(j, "detail", cJSON_GetStringValue(told(item, "detail", lang)));
        hm_jw_end_obj(j);
    }
    hm_jw_end_arr(j);
}

/* What the agent says of its sensors is JSON from a less-trusted side: only what we know is passed
 * on, as text. */
static void write_sensors(struct hm_jw *j, const char *json, enum hm_lang lang)
{
    cJSON *root = json ? cJSON_ParseWithOpts(json, NULL, true) : NULL;
    const cJSON *tier = cJSON_GetObjectItemCaseSensitive(root, "tier"), *item;
    const char *problem = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "problem"));
    double t = cJSON_IsNumber(tier) ? tier->valuedouble : 0;

    hm_jw_u64(j, "tier", t >= 1 && t <= 9 ? (uint64_t)t : 0);
    hm_jw_obj(j, "sensors");
    write_active(j, root, lang);
    hm_jw_arr(j, "blind");
    if (problem) /* a sensor that does not run at all is the first thing not seen */
        hm_jw_str(j, NULL, problem);
    cJSON_ArrayForEach(item, told(root, "blind", lang))
    {
        const char *text = cJSON_GetStringValue(
            cJSON_IsObject(item) ? cJSON_GetObjectItemCaseSensitive(item, "detail") : item);
        if (text)
            hm_jw_str(j, NULL, text);
    }
    hm_jw_end_arr(j);
    hm_jw_end_obj(j);
    cJSON_Delete(root);
}

static void write_isolation(struct hm_jw *j, const struct hm_endpoint_row *r)
{
    cJSON *probes =
        r->isolation_probes ? cJSON_ParseWithOpts(r->isolation_probes, NULL, true) : NULL;

    hm_jw_obj(j, "isolation");
    hm_jw_str(j, "state", r->isolation ? r->isolation : "none");
    hm_jw_time_ms(j, "since", r->isolation_since_ms);
    hm_jw_time_ms(j, "until", r->isolation_until_ms);
    if (cJSON_IsArray(probes)) {
        hm_jw_cjson(j, "probes", probes);
    } else {
        hm_jw_arr(j, "probes");
        hm_jw_end_arr(j);
    }
    hm_jw_end_obj(j);
    cJSON_Delete(probes);
}

static void write_endpoint(struct hm_jw *j, const struct hm_endpoint_row *r, uint64_t now_ms,
                           enum hm_lang lang)
{
    hm_jw_obj(j, NULL);
    hm_jw_hex(j, "id", r->id, sizeof r->id);
    hm_jw_str(j, "name", r->name);
    hm_jw_str(j, "group", r->group);
    hm_jw_bool(j, "practice", r->practice);
    hm_jw_str(j, "os", r->os);
    hm_jw_str(j, "kernel", r->kernel);
    hm_jw_str(j, "agent_version", r->agent_version);
    write_sensors(j, r->sensors, lang);
    hm_jw_time_ms(j, "enrolled_at", r->enrolled_ms);
    hm_jw_time_ms(j, "last_seen", r->last_seen_ms);
    hm_jw_bool(j, "connected", r->connected);
    hm_jw_str(j, "state", hm_endpoint_state(r, now_ms));
    write_isolation(j, r);
    hm_jw_obj(j, "losses");
    hm_jw_u64(j, "count", r->losses);
    hm_jw_time_ms(j, "last", r->last_loss_ms);
    hm_jw_end_obj(j);
    hm_jw_obj(j, "content");
    hm_jw_u64(j, "version", r->content_version);
    hm_jw_str(j, "state", *r->content_state ? r->content_state : "unknown");
    hm_jw_u64(j, "rules", r->content_rules);
    hm_jw_u64(j, "refused", r->content_refused);
    hm_jw_end_obj(j);
    hm_jw_str(j, "owner", r->owner);
    hm_jw_str(j, "department", r->department);
    hm_jw_str(j, "asset_no", r->asset_no);
    hm_jw_end_obj(j);
}

struct list {
    struct hm_jw *j;
    const char *state, *group, *q;
    uint64_t now_ms;
    enum hm_lang lang;
};

static bool holds(const char *text, const char *part)
{
    return text && strcasestr(text, part);
}

static int list_row(void *ctx, const struct hm_endpoint_row *r)
{
    struct list *l = ctx;

    if (l->state && strcmp(hm_endpoint_state(r, l->now_ms), l->state) != 0)
        return 0;
    if (l->group && strcmp(r->group, l->group) != 0)
        return 0;
    if (l->q && !holds(r->name, l->q) && !holds(r->owner, l->q) && !holds(r->department, l->q) &&
        !holds(r->asset_no, l->q))
        return 0;
    write_endpoint(l->j, r, l->now_ms, l->lang);
    return 0;
}

void hm_handle_endpoints(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"state", HM_ARG_TEXT, false, 0, 16},
                                             {"group", HM_ARG_TEXT, false, 0, 64},
                                             {"q", HM_ARG_TEXT, false, 0, 200}};
    struct hm_arg args[HM_ARRAY_LEN(params)];
    struct hm_jw j;
    int r;

    if (!hm_call_query(c, params, HM_ARRAY_LEN(params), args))
        return;
    j = hm_call_json(c, 200);
    struct list l = {&j, args[0].text, args[1].text, args[2].text, hm_control_now_ms(), c->lang};
    hm_jw_obj(&j, NULL);
    hm_jw_arr(&j, "items");
    r = hm_endpoint_list(w->control, c->who.tenant, list_row, &l);
    hm_jw_end_arr(&j);
    hm_jw_end_obj(&j);
    if (r)
        hm_call_error(c, r);
}

void hm_handle_endpoint(struct hm_worker *w, struct hm_call *c)
{
    struct hm_jw j = hm_call_json(c, 200);
    struct list l = {.j = &j, .now_ms = hm_control_now_ms(), .lang = c->lang};
    int r = hm_endpoint_get(w->control, c->who.tenant, c->id, list_row, &l);

    if (r)
        hm_call_error(c, r);
}

void hm_handle_endpoint_edit(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"owner", HM_ARG_TEXT, false, 0, 200},
                                             {"department", HM_ARG_TEXT, false, 0, 200},
                                             {"asset_no", HM_ARG_TEXT, false, 0, 200},
                                             {"group", HM_ARG_TEXT, false, 1, 64}};
    struct hm_arg args[HM_ARRAY_LEN(params)];
    struct hm_text nothing = {"nothing to change", "変更する項目がありません"};
    int r;

    if (!hm_call_body(c, params, HM_ARRAY_LEN(params), args))
        return;
    struct hm_endpoint_edit e = {args[0].text, args[1].text, args[2].text, args[3].text};
    if (!e.owner && !e.department && !e.asset_no && !e.group)
        return hm_call_problem(c, HM_P_INVALID, NULL, &nothing);
    r = hm_endpoint_update(w->control, c->who.tenant, c->id, &e, c->who.user);
    if (r)
        return hm_call_error(c, r);
    hm_handle_endpoint(w, c);
}

void hm_handle_endpoint_revoke(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"reason", HM_ARG_TEXT, true, 1, 250}};
    struct hm_arg reason;
    int r;

    if (!hm_call_body(c, params, 1, &reason))
        return;
    r = hm_endpoint_revoke(w->control, c->who.tenant, c->id, reason.text, c->who.user);
    if (r)
        return hm_call_error(c, r);
    c->poke = "endpoints";
    hm_handle_endpoint(w, c);
}
