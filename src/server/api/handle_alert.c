/* Alerts: list, one, change of state. The states and what may follow are core's table. */
#include "server/api/page.h"
#include "server/api/route.h"
#include <errno.h>

const char *hm_severity_name(uint64_t s)
{
    static const char *const names[] = {"informational", "informational", "low",
                                        "medium",        "high",          "critical"};
    return names[s <= 5 ? s : 5];
}

static uint64_t severity_id(const char *name)
{
    for (uint64_t i = 1; i <= 5; i++)
        if (strcmp(hm_severity_name(i), name) == 0)
            return i;
    return 0;
}

static void write_who(struct hm_jw *j, const struct hm_alert_row *r)
{
    hm_jw_obj(j, "endpoint");
    hm_jw_hex(j, "id", r->endpoint, sizeof r->endpoint);
    hm_jw_str(j, "name", r->endpoint_name);
    hm_jw_bool(j, "practice", r->practice);
    hm_jw_end_obj(j);
    hm_jw_obj(j, "process");
    hm_jw_key(j, "key", r->process_key);
    hm_jw_u64(j, "pid", r->pid);
    hm_jw_str(j, "image", r->image);
    hm_jw_str(j, "command_line", r->command_line);
    hm_jw_str(j, "user", r->user);
    hm_jw_end_obj(j);
}

void hm_write_alert(struct hm_jw *j, const struct hm_alert_row *r)
{
    const char *next[16];

    hm_jw_hex(j, "id", r->id, sizeof r->id);
    hm_jw_str(j, "rule_id", r->rule_id);
    hm_jw_str(j, "title", r->title);
    hm_jw_str(j, "title_ja", r->title_ja);
    hm_jw_str(j, "reason", r->reason);
    hm_jw_str(j, "reason_ja", r->reason_ja);
    hm_jw_str(j, "advice", r->advice);
    hm_jw_str(j, "advice_ja", r->advice_ja);
    hm_jw_str(j, "severity", hm_severity_name(r->severity));
    hm_jw_u64(j, "severity_id", r->severity);
    hm_jw_str(j, "state", r->state);
    hm_alert_next_states(r->state, next);
    hm_jw_arr(j, "transitions");
    for (size_t i = 0; next[i]; i++)
        hm_jw_str(j, NULL, next[i]);
    hm_jw_end_arr(j);
    write_who(j, r);
    hm_jw_words(j, "techniques", r->techniques);
    hm_jw_words(j, "tactics", r->tactics);
    hm_jw_time_ns(j, "event_time", r->event_ns);
    hm_jw_time_ns(j, "received_time", r->received_ns);
    hm_jw_key_or_empty(j, "tree_key", r->tree_key);
    hm_jw_u64(j, "count", r->count);
    r->exception ? hm_jw_hex(j, "exception", r->exception, HM_ID_BYTES)
                 : hm_jw_null(j, "exception");
    r->story ? hm_jw_hex(j, "story", r->story, HM_ID_BYTES) : hm_jw_null(j, "story");
}

/* ---- list -------------------------------------------------------------------------------------*/

static int list_row(void *ctx, const struct hm_alert_row *r)
{
    struct hm_page *p = ctx;

    if (!hm_page_row(p, r->received_ns))
        return 0;
    hm_jw_obj(p->j, NULL);
    hm_write_alert(p->j, r);
    hm_jw_end_obj(p->j);
    return 0;
}

void hm_handle_alerts(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {
        {"state", HM_ARG_TEXT, false, 0, 20},  {"severity", HM_ARG_TEXT, false, 0, 20},
        {"endpoint", HM_ARG_ID, false, 0, 0},  {"limit", HM_ARG_UINT, false, 1, HM_PAGE_MAX},
        {"before", HM_ARG_TEXT, false, 0, 20}, {"story", HM_ARG_ID, false, 0, 0}};
    static const struct hm_text unknown = {"no such severity", "そのような深刻度はありません"},
                                page_text = {"not a next of ours", "next の値ではありません"};
    struct hm_arg a[HM_ARRAY_LEN(params)];
    struct hm_alert_filter f = {0};

    if (!hm_call_query(c, params, HM_ARRAY_LEN(params), a))
        return;
    f.state = a[0].text;
    if (a[1].present && !(f.severity = severity_id(a[1].text)))
        return hm_call_problem(c, HM_P_INVALID, "severity", &unknown);
    f.endpoint = a[2].present ? a[2].id : NULL;
    if (a[4].present && !hm_page_before(a[4].text, &f.before_ns))
        return hm_call_problem(c, HM_P_INVALID, "before", &page_text);
    f.story = a[5].present ? a[5].id : NULL;
    size_t limit = a[3].present ? a[3].u64 : 50;
    f.limit = (uint32_t)limit + 1;
    struct hm_jw j = hm_call_json(c, 200);
    struct hm_page *p = hm_page_new(c, &j);
    if (!p)
        return hm_call_error(c, -ENOMEM);
    hm_jw_obj(&j, NULL);
    hm_jw_arr(&j, "items");
    int r = hm_alert_list(w->control, c->who.tenant, &f, list_row, p);
    if (r)
        return hm_call_error(c, r);
    hm_page_end(p, limit);
    hm_jw_end_obj(&j);
}

/* ---- one --------------------------------------------------------------------------------------*/

static int one_row(void *ctx, const struct hm_alert_row *r)
{
    struct hm_jw *j = ctx;

    hm_write_alert(j, r);
    hm_jw_raw(j, "evidence", r->evidence && *r->evidence ? r->evidence : "[]");
    return 0;
}

static int plain_row(void *ctx, const struct hm_alert_row *r)
{
    hm_write_alert(ctx, r);
    return 0;
}

static int history_row(void *ctx, const struct hm_alert_change *h)
{
    struct hm_jw *j = ctx;

    hm_jw_obj(j, NULL);
    hm_jw_time_ms(j, "time", h->time_ms);
    hm_jw_str(j, "actor", h->actor);
    hm_jw_str(j, "from", h->from);
    hm_jw_str(j, "to", h->to);
    hm_jw_str(j, "reason", h->reason);
    hm_jw_end_obj(j);
    return 0;
}

void hm_handle_alert(struct hm_worker *w, struct hm_call *c)
{
    struct hm_jw j = hm_call_json(c, 200);
    int r;

    hm_jw_obj(&j, NULL);
    r = hm_alert_get(w->control, c->who.tenant, c->id, one_row, &j);
    if (r)
        return hm_call_error(c, r);
    hm_write_orders(w, c, &j, "orders", NULL, c->id, 100);
    hm_jw_arr(&j, "history");
    r = hm_alert_history(w->control, c->who.tenant, c->id, history_row, &j);
    hm_jw_end_arr(&j);
    hm_jw_end_obj(&j);
    if (r && r != -ENOENT)
        hm_call_error(c, r);
}

void hm_handle_alert_edit(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"state", HM_ARG_TEXT, true, 1, 20},
                                             {"reason", HM_ARG_TEXT, true, 0, 250}};
    static const struct hm_text unknown = {"no such state, or a reason is needed",
                                           "そのような状態は無いか、理由が必要です"},
                                no_way = {"the present state cannot become that one",
                                          "今の状態からその状態へは移れません"};
    struct hm_arg a[HM_ARRAY_LEN(params)];
    struct hm_jw j;
    int r;

    if (!hm_call_body(c, params, HM_ARRAY_LEN(params), a))
        return;
    r = hm_alert_set_state(w->control, c->who.tenant, c->id, a[0].text, a[1].text, c->who.user);
    if (r == -EINVAL)
        return hm_call_problem(c, HM_P_INVALID, *a[1].text ? "state" : "reason", &unknown);
    if (r == -EPROTO)
        return hm_call_problem(c, HM_P_CONFLICT, "state", &no_way);
    if (r)
        return hm_call_error(c, r);
    j = hm_call_json(c, 200);
    hm_jw_obj(&j, NULL);
    r = hm_alert_get(w->control, c->who.tenant, c->id, plain_row, &j);
    hm_jw_end_obj(&j);
    c->poke = "alerts";
    if (r)
        hm_call_error(c, r);
}
