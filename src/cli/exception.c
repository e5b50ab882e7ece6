/* Exceptions: what is known and accepted. */
#include "cli/ask.h"
#include "cli/show.h"
#include <stdio.h>

#define PATH "/api/v1/exceptions"

static int add_scope(struct hm_cli *c, cJSON *body)
{
    char id[33];
    int code;

    if (c->o.rule)
        cJSON_AddStringToObject(body, "rule_id", c->o.rule);
    if (c->o.group)
        cJSON_AddStringToObject(body, "group", c->o.group);
    if (c->o.where)
        cJSON_AddStringToObject(body, "where", c->o.where);
    if (!c->o.endpoint)
        return HM_EXIT_OK;
    if ((code = hm_resolve_endpoint(c, c->o.endpoint, id)))
        return code;
    cJSON_AddStringToObject(body, "endpoint", id);
    return HM_EXIT_OK;
}

static int body_of(struct hm_cli *c, cJSON **ret)
{
    static const struct hm_text missing = {
        "--title, --owner, --reason and --expires (seconds) are needed",
        "--title、--owner、--reason、--expires（秒）を指定してください"};

    if (!c->o.title || !c->o.owner || !c->o.reason || !c->o.expires)
        return hm_say(c, HM_EXIT_USAGE, &missing);
    cJSON *body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "title", c->o.title);
    cJSON_AddStringToObject(body, "owner", c->o.owner);
    cJSON_AddStringToObject(body, "reason", c->o.reason);
    cJSON_AddNumberToObject(body, "expires_s", (double)strtol(c->o.expires, NULL, 10));
    int code = add_scope(c, body);
    if (code)
        cJSON_Delete(body);
    else
        *ret = body;
    return code;
}

static void print_covered(struct hm_cli *c, const cJSON *answer)
{
    static const struct hm_text sum = {"%.0f of the %.0f alerts of the last %.0f days\n",
                                       "直近 %3$.0f 日のアラート %2$.0f 件のうち %1$.0f 件\n"};
    const cJSON *a;
    char when[32];

    printf(hm_text(&sum, c->lang), hm_jn(answer, "covered"), hm_jn(answer, "looked_at"),
           hm_jn(answer, "days"));
    cJSON_ArrayForEach(a, hm_jo(answer, "items"))
    {
        hm_auto(hm_buf_done) struct hm_buf b = HM_BUF(64 * 1024);
        hm_show_time(hm_js(a, "event_time"), when, sizeof when);
        hm_show_text(hm_js(hm_jo(a, "endpoint"), "name"), &b);
        hm_buf_puts(&b, "  ");
        hm_show_text(hm_js(a, c->lang == HM_LANG_JA ? "title_ja" : "title"), &b);
        printf("%.8s  %s  %.*s\n", hm_js(a, "id"), when, (int)b.len, (const char *)b.data);
    }
}

static int add(struct hm_cli *c)
{
    cJSON *body = NULL, *answer = NULL;
    int code = body_of(c, &body);

    if (code)
        return code;
    code = hm_send(c, "POST", c->o.preview ? PATH "/preview" : PATH, body, &answer);
    if (code)
        return code;
    if (c->o.preview)
        print_covered(c, answer);
    else
        printf("%s\n", hm_js(answer, "id"));
    cJSON_Delete(answer);
    return HM_EXIT_OK;
}

static void row(struct hm_cli *c, struct hm_table *t, const cJSON *x)
{
    char when[32];

    hm_table_cellf(t, "%.8s", hm_js(x, "id"));
    hm_table_cell(t, hm_word(c, hm_js(x, "state")));
    hm_table_cellf(t, "%.0f", hm_jn(x, "hits"));
    hm_show_time(hm_js(x, "expires"), when, sizeof when);
    hm_table_cell(t, when);
    hm_table_cell(t, hm_js(x, "owner"));
    hm_table_cell(t, hm_js(x, "title"));
    hm_table_cell(t, *hm_js(x, "rule_id") ? hm_js(x, "rule_id") : "-");
    hm_table_cell(t, *hm_js(x, "where") ? hm_js(x, "where") : "-");
}

static int list(struct hm_cli *c)
{
    static const struct hm_text headers[] = {
        {"ID", "ID"},        {"STATE", "状態"}, {"HITS", "件数"},   {"EXPIRES", "有効期限"},
        {"OWNER", "責任者"}, {"TITLE", "名前"}, {"RULE", "ルール"}, {"WHERE", "条件"}};
    hm_auto(hm_buf_done) struct hm_buf out = HM_BUF(16 * 1024 * 1024);
    cJSON *answer = NULL;
    const cJSON *x;
    int code;

    if (c->o.json)
        return hm_get_print(c, PATH);
    if ((code = hm_get(c, PATH, &answer)))
        return code;
    struct hm_table *t = hm_table_new(headers, HM_ARRAY_LEN(headers), c->lang);
    if (t) {
        cJSON_ArrayForEach(x, hm_jo(answer, "items")) row(c, t, x);
        hm_table_print(t, hm_terminal_width(), &out);
    }
    fwrite(out.data, 1, out.len, stdout);
    cJSON_Delete(answer);
    return HM_EXIT_OK;
}

static int find(struct hm_cli *c, const char *start, char ret_id[33])
{
    static const struct hm_text none = {"%s: no such exception", "%s: そのような例外はありません"};
    cJSON *answer = NULL;
    const cJSON *x;
    size_t n = strlen(start), found = 0;
    int code = hm_get(c, PATH, &answer);

    if (code)
        return code;
    cJSON_ArrayForEach(x, hm_jo(answer, "items"))
    {
        if (n >= 2 && strncmp(hm_js(x, "id"), start, n) == 0 && ++found == 1)
            snprintf(ret_id, 33, "%s", hm_js(x, "id"));
    }
    cJSON_Delete(answer);
    return found == 1 ? HM_EXIT_OK : hm_say(c, HM_EXIT_NOT_FOUND, &none, start);
}

static int end(struct hm_cli *c)
{
    static const struct hm_text which = {"which exception? (hinomi exception list)",
                                         "例外を指定してください（hinomi exception list）"};
    char id[33], path[80];
    cJSON *answer = NULL;
    int code;

    if (c->argc < 2)
        return hm_say(c, HM_EXIT_USAGE, &which);
    if ((code = find(c, c->args[1], id)))
        return code;
    snprintf(path, sizeof path, PATH "/%s", id);
    code = hm_send(c, "DELETE", path, NULL, &answer);
    cJSON_Delete(answer);
    return code;
}

int hm_cmd_exception(struct hm_cli *c)
{
    static const struct {
        const char *name;
        int (*run)(struct hm_cli *c);
    } verbs[] = {{"add", add}, {"list", list}, {"end", end}};
    static const struct hm_text usage = {"exception: add, list or end",
                                         "exception: add、list、end のどれかを指定してください"};

    for (size_t i = 0; c->argc > 0 && i < HM_ARRAY_LEN(verbs); i++)
        if (strcmp(c->args[0], verbs[i].name) == 0)
            return verbs[i].run(c);
    return hm_say(c, HM_EXIT_USAGE, &usage);
}
