/* Stories: list and one, with its alerts. What belongs together and how bad it is are core's. */
#include "server/api/page.h"
#include "server/api/route.h"
#include <errno.h>

/* The members; the caller opens and closes the object. */
static void write_story(struct hm_jw *j, const struct hm_story_row *s)
{
    hm_jw_hex(j, "id", s->id, sizeof s->id);
    hm_jw_str(j, "title", s->title);
    hm_jw_str(j, "title_ja", *s->title_ja ? s->title_ja : s->title);
    hm_jw_u64(j, "risk", s->risk);
    s->severity ? hm_jw_str(j, "severity", hm_severity_name(s->severity))
                : hm_jw_null(j, "severity");
    hm_jw_str(j, "state", s->open_alerts ? "open" : "closed");
    hm_jw_u64(j, "alerts", s->alerts);
    hm_jw_u64(j, "open_alerts", s->open_alerts);
    hm_jw_u64(j, "rules", s->rules);
    hm_jw_obj(j, "endpoint");
    hm_jw_hex(j, "id", s->endpoint, sizeof s->endpoint);
    hm_jw_str(j, "name", s->endpoint_name);
    hm_jw_bool(j, "practice", s->practice);
    hm_jw_end_obj(j);
    hm_jw_str(j, "image", s->image);
    hm_jw_str(j, "user", s->user);
    hm_jw_words(j, "techniques", s->techniques);
    hm_jw_words(j, "tactics", s->tactics);
    hm_jw_time_ns(j, "first_time", s->first_ns);
    hm_jw_time_ns(j, "last_time", s->last_ns);
    hm_jw_hex(j, "lead", s->lead, sizeof s->lead);
    s->merged_into ? hm_jw_hex(j, "merged_into", s->merged_into, HM_ID_BYTES)
                   : hm_jw_null(j, "merged_into");
}

static int list_row(void *ctx, const struct hm_story_row *s)
{
    struct hm_page *p = ctx;

    if (!hm_page_row(p, s->last_ns))
        return 0;
    hm_jw_obj(p->j, NULL);
    write_story(p->j, s);
    hm_jw_end_obj(p->j);
    return 0;
}

void hm_handle_stories(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"state", HM_ARG_TEXT, false, 0, 8},
                                             {"risk", HM_ARG_UINT, false, 0, 100},
                                             {"endpoint", HM_ARG_ID, false, 0, 0},
                                             {"limit", HM_ARG_UINT, false, 1, HM_PAGE_MAX},
                                             {"before", HM_ARG_TEXT, false, 0, 20}};
    static const struct hm_text state = {"open or all", "open か all を指定してください"},
                                page = {"not a next of ours", "next の値ではありません"};
    struct hm_arg a[HM_ARRAY_LEN(params)];
    struct hm_story_filter f = {0};

    if (!hm_call_query(c, params, HM_ARRAY_LEN(params), a))
        return;
    f.open_only = a[0].present && strcmp(a[0].text, "open") == 0;
    if (a[0].present && !f.open_only && strcmp(a[0].text, "all") != 0)
        return hm_call_problem(c, HM_P_INVALID, "state", &state);
    if (a[4].present && !hm_page_before(a[4].text, &f.before_ns))
        return hm_call_problem(c, HM_P_INVALID, "before", &page);
    f.risk = a[1].present ? a[1].u64 : 0;
    f.endpoint = a[2].present ? a[2].id : NULL;
    size_t limit = a[3].present ? a[3].u64 : 50;
    f.limit = (uint32_t)limit + 1;
    struct hm_jw j = hm_call_json(c, 200);
    struct hm_page *p = hm_page_new(c, &j);
    if (!p)
        return hm_call_error(c, -ENOMEM);
    hm_jw_obj(&j, NULL);
    hm_jw_arr(&j, "items");
    int r = hm_story_list(w->control, c->who.tenant, &f, list_row, p);
    if (r)
        return hm_call_error(c, r);
    hm_page_end(p, limit);
    hm_jw_end_obj(&j);
}

static int one_row(void *ctx, const struct hm_story_row *s)
{
    write_story(ctx, s);
    return 0;
}

static int alert_row(void *ctx, const struct hm_alert_row *r)
{
    struct hm_jw *j = ctx;

    hm_jw_obj(j, NULL);
    hm_write_alert(j, r);
    hm_jw_end_obj(j);
    return 0;
}

void hm_handle_story(struct hm_worker *w, struct hm_call *c)
{
    struct hm_alert_filter f = {.story = c->id, .limit = HM_PAGE_MAX};
    struct hm_jw j = hm_call_json(c, 200);

    hm_jw_obj(&j, NULL);
    int r = hm_story_get(w->control, c->who.tenant, c->id, one_row, &j);
    if (r)
        return hm_call_error(c, r);
    hm_jw_arr(&j, "items");
    r = hm_alert_list(w->control, c->who.tenant, &f, alert_row, &j);
    hm_jw_end_arr(&j);
    hm_jw_end_obj(&j);
    if (r)
        hm_call_error(c, r);
}
