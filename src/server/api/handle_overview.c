/* The state of everything, how complete it is, and the two streams' admission. */
#include "server/api/route.h"
#include "event/event.h"

uint64_t hm_journal_lag(const struct hm_worker *w, const struct hm_completeness *done)
{
    uint64_t next = atomic_load(&w->shared->journal_next);

    return next > done->store_next ? next - done->store_next : 0;
}

int hm_write_completeness(struct hm_worker *w, struct hm_call *c, struct hm_jw *j, uint64_t losses,
                          const struct hm_text *notes, size_t note_count)
{
    static const struct hm_text
        lost = {"Some events were lost; each loss is itself recorded as an event.",
                "失われたイベントがあります。欠落そのものもイベントとして記録されています。"},
        damaged = {"Stored segments are damaged and could not be rebuilt.",
                   "保存データの一部が壊れており、復元できませんでした。"},
        aside = {"Some records could not be read and were set aside.",
                 "読み取れない記録があり、別に保管されています。"};
    struct hm_completeness done;
    int r = hm_control_completeness(w->control, c->who.tenant, &done);

    if (r)
        return r;
    hm_jw_obj(j, "completeness");
    hm_jw_bool(j, "complete", !losses && !done.lost_segments && !done.set_aside && !note_count);
    hm_jw_u64(j, "journal_lag", hm_journal_lag(w, &done));
    hm_jw_u64(j, "losses", losses);
    hm_jw_arr(j, "notes");
    if (losses)
        hm_jw_str(j, NULL, hm_text(&lost, c->lang));
    if (done.lost_segments)
        hm_jw_str(j, NULL, hm_text(&damaged, c->lang));
    if (done.set_aside)
        hm_jw_str(j, NULL, hm_text(&aside, c->lang));
    for (size_t i = 0; i < note_count; i++)
        hm_jw_str(j, NULL, hm_text(&notes[i], c->lang));
    hm_jw_end_arr(j);
    hm_jw_end_obj(j);
    return 0;
}

static void write_counts(struct hm_jw *j, const struct hm_overview *o)
{
    static const char *const severities[] = {NULL,     "informational", "low",
                                             "medium", "high",          "critical"};

    hm_jw_obj(j, "endpoints");
    hm_jw_u64(j, "total", o->endpoints);
    hm_jw_u64(j, "healthy", o->healthy);
    hm_jw_u64(j, "stale", o->stale);
    hm_jw_u64(j, "silent", o->silent);
    hm_jw_u64(j, "isolated", o->isolated);
    hm_jw_end_obj(j);
    hm_jw_obj(j, "alerts");
    hm_jw_u64(j, "open", o->alerts_open);
    hm_jw_obj(j, "by_severity");
    for (int i = 5; i >= 1; i--)
        hm_jw_u64(j, severities[i], o->alerts_by_severity[i]);
    hm_jw_end_obj(j);
    hm_jw_end_obj(j);
    hm_jw_obj(j, "events");
    hm_jw_u64(j, "total", o->events_total);
    hm_jw_u64(j, "last_hour", o->events_last_hour);
    hm_jw_arr(j, "per_minute");
    for (size_t i = 0; i < 60; i++)
        hm_jw_u64(j, NULL, o->events_per_minute[i]);
    hm_jw_end_arr(j);
    hm_jw_end_obj(j);
}

static int write_tactic(void *ctx, const char *tactic, uint64_t count)
{
    struct hm_jw *j = ctx;

    hm_jw_obj(j, NULL);
    hm_jw_str(j, "name", tactic);
    hm_jw_u64(j, "count", count);
    hm_jw_end_obj(j);
    return 0;
}

void hm_handle_overview(struct hm_worker *w, struct hm_call *c)
{
    struct hm_overview o;
    struct hm_completeness done;
    struct hm_jw j;
    int r = hm_control_overview(w->control, c->who.tenant, hm_control_now_ms(), &o);

    if (!r)
        r = hm_control_completeness(w->control, c->who.tenant, &done);
    if (r)
        return hm_call_error(c, r);
    j = hm_call_json(c, 200);
    hm_jw_obj(&j, NULL);
    write_counts(&j, &o);
    hm_jw_arr(&j, "tactics");
    r = hm_control_tactics(w->control, c->who.tenant, write_tactic, &j);
    hm_jw_end_arr(&j);
    hm_jw_obj(&j, "completeness");
    hm_jw_arr(&j, "silent");
    for (size_t i = 0; i < o.silent_count; i++)
        hm_jw_hex(&j, NULL, o.silent_ids[i], HM_ID_BYTES);
    hm_jw_end_arr(&j);
    hm_jw_u64(&j, "losses", o.losses);
    hm_jw_end_obj(&j);
    hm_jw_obj(&j, "server");
    hm_jw_str(&j, "version", HM_VERSION);
    hm_jw_time_ms(&j, "started", w->shared->started_ms);
    hm_jw_u64(&j, "journal_lag", hm_journal_lag(w, &done));
    hm_jw_end_obj(&j);
    hm_jw_end_obj(&j);
    if (r)
        hm_call_error(c, r);
}

void hm_handle_stream(struct hm_worker *w, struct hm_call *c)
{
    (void)w;
    hm_call_empty(c, 200);
    c->stream = HM_STREAM_CHANGES;
}

void hm_handle_event_stream(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"endpoint", HM_ARG_ID, false, 0, 0},
                                             {"class", HM_ARG_TEXT, false, 0, 32},
                                             {"q", HM_ARG_TEXT, false, 0, 256}};
    struct hm_arg args[HM_ARRAY_LEN(params)];
    struct hm_text unknown = {"no such class", "そのような種類はありません"};

    (void)w;
    if (!hm_call_query(c, params, HM_ARRAY_LEN(params), args))
        return;
    c->filter.has_endpoint = args[0].present;
    memcpy(c->filter.endpoint, args[0].id, HM_ID_BYTES);
    if (args[1].present && !(c->filter.class = hm_class_by_name(hm_slice_str(args[1].text))))
        return hm_call_problem(c, HM_P_INVALID, "class", &unknown);
    c->filter.q = args[2].text;
    hm_call_empty(c, 200);
    c->stream = HM_STREAM_EVENTS;
}
