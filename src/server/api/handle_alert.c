/* Alerts: list, one, change of state. The states and what may follow are core's table. */
#include "server/api/route.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define PAGE_MAX 500

static const char *severity_name(uint64_t s)
{
    static const char *const names[] = {"informational", "informational", "low",
                                        "medium",        "high",          "critical"};
    return names[s <= 5 ? s : 5];
}

static uint64_t severity_id(const char *name)
{
    for (uint64_t i = 1; i <= 5; i++)
        if (strcmp(severity_name(i), name) == 0)
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

/* The members; the caller opens and closes the object. */
static void write_alert(struct hm_jw *j, const struct hm_alert_row *r)
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
    hm_jw_str(j, "severity", severity_name(r->severity));
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
}

/* ---- list -------------------------------------------------------------------------------------*/

struct page { /* where each row begins in the answer, so that the last ones can be taken back */
    struct hm_jw *j;
    size_t count;
    size_t begin[PAGE_MAX + 1];
    uint64_t ns[PAGE_MAX + 1];
};

static int list_row(void *ctx, const struct hm_alert_row *r)
{
    struct page *p = ctx;

    if (p->count > PAGE_MAX)
        return 0;
    p->begin[p->count] = p->j->out->len;
    p->ns[p->count++] = r->received_ns;
    hm_jw_obj(p->j, NULL);
    write_alert(p->j, r);
    hm_jw_end_obj(p->j);
    return 0;
}

/* The next page begins strictly before a time, so a page must not end between two alerts that came
 * at the same time: it ends before them, or, when all are from one moment, after that moment. */
static uint64_t cut_page(struct page *p, size_t limit)
{
    size_t n = limit;

    if (p->count <= limit)
        return 0;
    while (n > 0 && p->ns[n - 1] == p->ns[limit])
        n--;
    if (n == 0)
        return p->ns[limit]; /* keep them all; goes on before that moment */
    p->j->out->len = p->begin[n];
    return p->ns[n - 1];
}

void hm_handle_alerts(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"state", HM_ARG_TEXT, false, 0, 20},
                                             {"severity", HM_ARG_TEXT, false, 0, 20},
                                             {"endpoint", HM_ARG_ID, false, 0, 0},
                                             {"limit", HM_ARG_UINT, false, 1, PAGE_MAX},
                                             {"before", HM_ARG_TEXT, false, 0, 20}};
    static const struct hm_text unknown = {"no such severity", "そのような深刻度はありません"},
                                page_text = {"not a next of ours", "next の値ではありません"};
    struct hm_arg a[HM_ARRAY_LEN(params)];
    struct hm_alert_filter f = {0};
    char next[24];

    if (!hm_call_query(c, params, HM_ARRAY_LEN(params), a))
        return;
    f.state = a[0].text;
    if (a[1].present && !(f.severity = severity_id(a[1].text)))
        return hm_call_problem(c, HM_P_INVALID, "severity", &unknown);
    f.endpoint = a[2].present ? a[2].id : NULL;
    if (a[4].present && (sscanf(a[4].text, "%19" SCNu64, &f.before_ns) != 1 || !f.before_ns))
        return hm_call_problem(c, HM_P_INVALID, "before", &page_text);
    size_t limit = a[3].present ? a[3].u64 : 50;
    f.limit = (uint32_t)limit + 1;
    struct hm_jw j = hm_call_json(c, 200);
    struct page *p = hm_arena_alloc(c->arena, sizeof *p);
    if (!p)
        return hm_call_error(c, -ENOMEM);
    p->j = &j;
    hm_jw_obj(&j, NULL);
    hm_jw_arr(&j, "items");
    int r = hm_alert_list(w->control, c->who.tenant, &f, list_row, p);
    if (r)
        return hm_call_error(c, r);
    uint64_t before = cut_page(p, limit);
    hm_jw_end_arr(&j);
    snprintf(next, sizeof next, "%" PRIu64, before);
    before ? hm_jw_str(&j, "next", next) : hm_jw_null(&j, "next");
    hm_jw_end_obj(&j);
}

/* ---- one --------------------------------------------------------------------------------------*/

static int one_row(void *ctx, const struct hm_alert_row *r)
{
    struct hm_jw *j = ctx;

    write_alert(j, r);
    hm_jw_raw(j, "evidence", r->evidence && *r->evidence ? r->evidence : "[]");
    return 0;
}

static int plain_row(void *ctx, const struct hm_alert_row *r)
{
    write_alert(ctx, r);
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
