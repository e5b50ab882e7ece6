/* Listings. Each is a path, and a row a thing; --json prints what the server said. */
#include "cli/ask.h"
#include "cli/show.h"
#include <stdio.h>

struct listing {
    const char *path;
    const struct hm_text *headers;
    size_t columns;
    void (*row)(struct hm_cli *c, struct hm_table *t, const cJSON *item);
};

static int fail_memory(const struct hm_cli *c)
{
    static const struct hm_text memory = {"out of memory", "メモリが足りません"};

    return hm_say(c, HM_EXIT_FAILED, &memory);
}

static int print_table(const struct hm_cli *c, struct hm_table *t)
{
    hm_auto(hm_buf_done) struct hm_buf out = HM_BUF(256 * 1024 * 1024);

    hm_table_print(t, hm_terminal_width(), &out);
    fwrite(out.data, 1, out.len, stdout);
    return out.error ? fail_memory(c) : HM_EXIT_OK;
}

static int list(struct hm_cli *c, const struct listing *l, const char *path)
{
    cJSON *answer = NULL;
    const cJSON *item;
    struct hm_table *t;
    int code;

    if (c->o.json)
        return hm_get_print(c, path);
    code = hm_get(c, path, &answer);
    if (code)
        return code;
    if (!(t = hm_table_new(l->headers, l->columns, c->lang))) {
        cJSON_Delete(answer);
        return fail_memory(c);
    }
    cJSON_ArrayForEach(item, hm_jo(answer, "items")) l->row(c, t, item);
    code = print_table(c, t);
    cJSON_Delete(answer);
    return code;
}

static const char *short_id(const cJSON *o, const char *name, char ret[9])
{
    snprintf(ret, 9, "%s", hm_js(o, name));
    return ret;
}

static void time_cell(struct hm_table *t, const cJSON *o, const char *name)
{
    char text[32];

    hm_show_time(hm_js(o, name), text, sizeof text);
    hm_table_cell(t, text);
}

/* ---- endpoints
 * ----------------------------------------------------------------------------------*/

/* Version and rules; what went wrong with the newest when something did. */
static void content_cell(struct hm_cli *c, struct hm_table *t, const cJSON *o)
{
    const char *state = hm_js(o, "state");

    if (strcmp(state, "unknown") == 0)
        hm_table_cell(t, "-");
    else if (strcmp(state, "active") == 0)
        hm_table_cellf(t, "%.0f (%.0f)", hm_jn(o, "version"), hm_jn(o, "rules"));
    else
        hm_table_cellf(t, "%.0f %s", hm_jn(o, "version"), hm_word(c, state));
}

static void endpoint_row(struct hm_cli *c, struct hm_table *t, const cJSON *e)
{
    static const struct hm_text practice = {"practice", "練習用"};
    char id[9];

    hm_table_cell(t, short_id(e, "id", id));
    hm_table_cell(t, hm_js(e, "name"));
    hm_table_cell(t, hm_word(c, hm_js(e, "state")));
    hm_table_cell(t, hm_word(c, hm_js(hm_jo(e, "isolation"), "state")));
    hm_table_cell(t, hm_jb(e, "practice") ? hm_text(&practice, c->lang) : hm_js(e, "group"));
    time_cell(t, e, "last_seen");
    hm_table_cellf(t, "%.0f", hm_jn(hm_jo(e, "losses"), "count"));
    content_cell(c, t, hm_jo(e, "content"));
    hm_table_cell(t, hm_js(e, "os"));
}

int hm_cmd_endpoints(struct hm_cli *c)
{
    static const struct hm_text headers[] = {
        {"ID", "ID"},          {"NAME", "名前"},        {"STATE", "状態"},
        {"ISOLATION", "隔離"}, {"GROUP", "グループ"},   {"LAST SEEN", "最終受信"},
        {"LOST", "欠落"},      {"CONTENT", "検知内容"}, {"SYSTEM", "システム"}};
    static const struct listing l = {"/api/v1/endpoints", headers, HM_ARRAY_LEN(headers),
                                     endpoint_row};
    hm_auto(hm_buf_done) struct hm_buf path = HM_BUF(4096);

    hm_buf_puts(&path, l.path);
    hm_query_add(&path, "state", c->o.state);
    hm_query_add(&path, "group", c->o.group);
    hm_query_add(&path, "q", c->o.q);
    hm_buf_put_u8(&path, 0);
    return path.error ? fail_memory(c) : list(c, &l, (const char *)path.data);
}

/* ---- stories
 * --------------------------------------------------------------------------------------*/

static void story_row(struct hm_cli *c, struct hm_table *t, const cJSON *s)
{
    const char *title = hm_js(s, c->lang == HM_LANG_JA ? "title_ja" : "title");
    char id[9];

    hm_table_cell(t, short_id(s, "id", id));
    hm_table_cellf(t, "%.0f", hm_jn(s, "risk"));
    hm_table_cell(t, *hm_js(s, "severity") ? hm_word(c, hm_js(s, "severity")) : "-");
    hm_table_cell(t, hm_word(c, hm_js(s, "state")));
    hm_table_cellf(t, "%.0f", hm_jn(s, "alerts"));
    time_cell(t, s, "first_time");
    time_cell(t, s, "last_time");
    hm_table_cell(t, hm_js(hm_jo(s, "endpoint"), "name"));
    hm_table_cell(t, title);
}

int hm_cmd_stories(struct hm_cli *c)
{
    static const struct hm_text headers[] = {
        {"ID", "ID"},      {"RISK", "危険度"},   {"SEVERITY", "深刻度"},
        {"STATE", "状態"}, {"ALERTS", "件数"},   {"FIRST", "最初"},
        {"LAST", "最後"},  {"ENDPOINT", "端末"}, {"WHAT", "内容"}};
    static const struct listing l = {"/api/v1/stories", headers, HM_ARRAY_LEN(headers), story_row};
    hm_auto(hm_buf_done) struct hm_buf path = HM_BUF(4096);
    char id[33];
    int code;

    hm_buf_puts(&path, l.path);
    hm_query_add(&path, "state", c->o.state);
    hm_query_add(&path, "limit", c->o.limit);
    if (c->o.endpoint) {
        if ((code = hm_resolve_endpoint(c, c->o.endpoint, id)))
            return code;
        hm_query_add(&path, "endpoint", id);
    }
    hm_buf_put_u8(&path, 0);
    return path.error ? fail_memory(c) : list(c, &l, (const char *)path.data);
}

/* ---- alerts
 * ---------------------------------------------------------------------------------------*/

static void alert_row(struct hm_cli *c, struct hm_table *t, const cJSON *a)
{
    bool ja = c->lang == HM_LANG_JA;
    const char *title = hm_js(a, ja ? "title_ja" : "title");
    char id[9];

    hm_table_cell(t, short_id(a, "id", id));
    time_cell(t, a, "event_time");
    hm_table_cell(t, hm_word(c, hm_js(a, "severity")));
    hm_table_cell(t, hm_word(c, hm_js(a, "state")));
    hm_table_cell(t, hm_js(hm_jo(a, "endpoint"), "name"));
    hm_table_cell(t, *title ? title : hm_js(a, "title"));
    hm_table_cell(t, hm_js(hm_jo(a, "process"), "command_line"));
}

int hm_cmd_alerts(struct hm_cli *c)
{
    static const struct hm_text headers[] = {{"ID", "ID"},
                                             {"TIME", "時刻"},
                                             {"SEVERITY", "深刻度"},
                                             {"STATE", "状態"},
                                             {"ENDPOINT", "端末"},
                                             {"WHAT", "内容"},
                                             {"COMMAND LINE", "コマンドライン"}};
    static const struct listing l = {"/api/v1/alerts", headers, HM_ARRAY_LEN(headers), alert_row};
    hm_auto(hm_buf_done) struct hm_buf path = HM_BUF(4096);
    char id[33];
    int code;

    hm_buf_puts(&path, l.path);
    hm_query_add(&path, "state", c->o.state);
    hm_query_add(&path, "severity", c->o.severity);
    hm_query_add(&path, "limit", c->o.limit);
    if (c->o.endpoint) {
        if ((code = hm_resolve_endpoint(c, c->o.endpoint, id)))
            return code;
        hm_query_add(&path, "endpoint", id);
    }
    hm_buf_put_u8(&path, 0);
    return path.error ? fail_memory(c) : list(c, &l, (const char *)path.data);
}

/* ---- orders, rules, audit
 * -------------------------------------------------------------------------*/

static void order_row(struct hm_cli *c, struct hm_table *t, const cJSON *o)
{
    char id[9], endpoint[9];

    (void)c;
    hm_table_cell(t, short_id(o, "id", id));
    time_cell(t, o, "created");
    hm_table_cell(t, hm_word(c, hm_js(o, "kind")));
    hm_table_cell(t, hm_word(c, hm_js(o, "state")));
    hm_table_cell(t, short_id(o, "endpoint", endpoint));
    hm_table_cell(t, hm_js(o, "actor"));
    hm_table_cell(t, hm_js(o, "reason"));
}

int hm_cmd_orders(struct hm_cli *c)
{
    static const struct hm_text headers[] = {
        {"ID", "ID"},         {"TIME", "時刻"}, {"KIND", "種類"},  {"STATE", "状態"},
        {"ENDPOINT", "端末"}, {"BY", "実行者"}, {"REASON", "理由"}};
    static const struct listing l = {"/api/v1/orders", headers, HM_ARRAY_LEN(headers), order_row};

    return list(c, &l, l.path);
}

static void words(const cJSON *list, char *ret, size_t len)
{
    const cJSON *w;
    size_t n = 0;

    *ret = 0;
    cJSON_ArrayForEach(w, list) if (cJSON_IsString(w) && n < len) n +=
        (size_t)snprintf(ret + n, len - n, "%s%s", n ? " " : "", w->valuestring);
}

static void rule_row(struct hm_cli *c, struct hm_table *t, const cJSON *r)
{
    char techniques[256];
    const char *title = hm_js(r, c->lang == HM_LANG_JA ? "title_ja" : "title");

    words(hm_jo(r, "techniques"), techniques, sizeof techniques);
    hm_table_cell(t, hm_js(r, "level"));
    hm_table_cell(t, techniques);
    hm_table_cell(t, hm_js(r, "source"));
    hm_table_cell(t, *title ? title : hm_js(r, "title"));
}

static void tell_problems(const struct hm_cli *c, const cJSON *answer)
{
    static const struct hm_text refused = {"refused: %s:%d:%d: %s", "読み込めません: %s:%d:%d: %s"};
    const cJSON *p;

    cJSON_ArrayForEach(p, hm_jo(answer, "problems"))
    {
        int code = hm_say(c, 0, &refused, hm_js(p, "source"), (int)hm_jn(p, "line"),
                          (int)hm_jn(p, "column"), hm_js(p, "text"));
        (void)code;
    }
}

int hm_cmd_rules(struct hm_cli *c)
{
    static const struct hm_text headers[] = {
        {"LEVEL", "深刻度"}, {"ATT&CK", "ATT&CK"}, {"SOURCE", "ファイル"}, {"TITLE", "題名"}};
    static const struct listing l = {"/api/v1/rules", headers, HM_ARRAY_LEN(headers), rule_row};
    cJSON *answer = NULL;
    int code = list(c, &l, l.path);

    if (code || c->o.json || (code = hm_get(c, l.path, &answer)))
        return code;
    tell_problems(c, answer);
    cJSON_Delete(answer);
    return code;
}

static void audit_row(struct hm_cli *c, struct hm_table *t, const cJSON *a)
{
    (void)c;
    time_cell(t, a, "time");
    hm_table_cell(t, hm_js(a, "actor"));
    hm_table_cell(t, hm_js(a, "action"));
    hm_table_cell(t, hm_js(a, "target"));
    hm_table_cell(t, hm_js(a, "detail"));
}

int hm_cmd_audit(struct hm_cli *c)
{
    static const struct hm_text headers[] = {{"TIME", "時刻"},
                                             {"WHO", "誰が"},
                                             {"ACTION", "操作"},
                                             {"TARGET", "対象"},
                                             {"DETAIL", "詳細"}};
    static const struct listing l = {"/api/v1/audit", headers, HM_ARRAY_LEN(headers), audit_row};
    hm_auto(hm_buf_done) struct hm_buf path = HM_BUF(4096);

    hm_buf_puts(&path, l.path);
    hm_query_add(&path, "limit", c->o.limit);
    hm_buf_put_u8(&path, 0);
    return path.error ? fail_memory(c) : list(c, &l, (const char *)path.data);
}

/* ---- overview
 * -------------------------------------------------------------------------------------*/

int hm_cmd_overview(struct hm_cli *c)
{
    static const struct hm_text text = {
        "endpoints   %.0f: %.0f healthy, %.0f stale, %.0f silent, %.0f isolated\n"
        "alerts      %.0f open: %.0f critical, %.0f high, %.0f medium, %.0f low, %.0f "
        "informational\n"
        "events      %.0f stored, %.0f in the last hour, %.0f lost\n"
        "server      %s, journal %.0f behind\n",
        "端末        %.0f 台: 正常 %.0f、遅延 %.0f、沈黙 %.0f、隔離中 %.0f\n"
        "アラート    未完了 %.0f 件: 緊急 %.0f、高 %.0f、中 %.0f、低 %.0f、情報 %.0f\n"
        "イベント    保存 %.0f 件、直近 1 時間 %.0f 件、欠落 %.0f 件\n"
        "サーバー    %s、未処理の記録 %.0f 件\n"};
    cJSON *o = NULL;
    int code;

    if (c->o.json)
        return hm_get_print(c, "/api/v1/overview");
    if ((code = hm_get(c, "/api/v1/overview", &o)))
        return code;
    const cJSON *e = hm_jo(o, "endpoints"), *a = hm_jo(o, "alerts"), *s = hm_jo(a, "by_severity"),
                *v = hm_jo(o, "events"), *srv = hm_jo(o, "server");
    printf(hm_text(&text, c->lang), hm_jn(e, "total"), hm_jn(e, "healthy"), hm_jn(e, "stale"),
           hm_jn(e, "silent"), hm_jn(e, "isolated"), hm_jn(a, "open"), hm_jn(s, "critical"),
           hm_jn(s, "high"), hm_jn(s, "medium"), hm_jn(s, "low"), hm_jn(s, "informational"),
           hm_jn(v, "total"), hm_jn(v, "last_hour"), hm_jn(hm_jo(o, "completeness"), "losses"),
           hm_js(srv, "version"), hm_jn(srv, "journal_lag"));
    cJSON_Delete(o);
    return HM_EXIT_OK;
}
