/* Enrolment tokens. */
#include "cli/ask.h"
#include "cli/show.h"
#include <stdio.h>

#define PATH "/api/v1/enrollment-tokens"

static void add_number(cJSON *o, const char *name, const char *value)
{
    if (value)
        cJSON_AddNumberToObject(o, name, (double)strtol(value, NULL, 10));
}

static int create(struct hm_cli *c)
{
    static const struct hm_text label =
                                    {"token    %s\nexpires  %s\n\non the endpoint, as root:\n%s\n",
                                     "トークン  %s\n有効期限  %s\n\n端末で root として実行:\n%s\n"},
                                note = {"%s", "%s"};
    hm_auto(hm_buf_done) struct hm_buf in = {0};
    hm_auto(hm_buf_done) struct hm_buf out = HM_BUF(64 * 1024);
    cJSON *body = cJSON_CreateObject(), *t;
    char when[32];

    if (c->o.group)
        cJSON_AddStringToObject(body, "group", c->o.group);
    add_number(body, "uses", c->o.uses);
    add_number(body, "expires_s", c->o.expires);
    hm_autofree char *text = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    int code = hm_ask(c, "POST", PATH, text, &in);
    if (code)
        return code;
    if (c->o.json) {
        hm_json_pretty(hm_buf_slice(&in), &out);
        fwrite(out.data, 1, out.len, stdout);
        return HM_EXIT_OK;
    }
    t = cJSON_ParseWithLength((const char *)in.data, in.len);
    hm_show_time(hm_js(t, "expires"), when, sizeof when);
    printf(hm_text(&label, c->lang), hm_js(t, "token"), when, hm_js(t, "command"));
    if (*hm_js(hm_jo(t, "package"), "note"))
        code = hm_say(c, HM_EXIT_OK, &note, hm_js(hm_jo(t, "package"), "note"));
    cJSON_Delete(t);
    return code;
}

static int list(struct hm_cli *c)
{
    static const struct hm_text headers[] = {
        {"ID", "ID"},     {"GROUP", "グループ"},   {"STATE", "状態"},
        {"USED", "使用"}, {"EXPIRES", "有効期限"}, {"BY", "作成者"}};
    hm_auto(hm_buf_done) struct hm_buf out = HM_BUF(16 * 1024 * 1024);
    struct hm_table *t;
    cJSON *answer = NULL;
    const cJSON *i;
    char when[32];
    int code;

    if (c->o.json)
        return hm_get_print(c, PATH);
    if ((code = hm_get(c, PATH, &answer)))
        return code;
    t = hm_table_new(headers, HM_ARRAY_LEN(headers), c->lang);
    cJSON_ArrayForEach(i, hm_jo(answer, "items"))
    {
        if (!t)
            break;
        hm_table_cellf(t, "%.8s", hm_js(i, "id"));
        hm_table_cell(t, hm_js(i, "group"));
        hm_table_cell(t, hm_js(i, "state"));
        hm_table_cellf(t, "%.0f/%.0f", hm_jn(i, "used"), hm_jn(i, "uses"));
        hm_show_time(hm_js(i, "expires"), when, sizeof when);
        hm_table_cell(t, when);
        hm_table_cell(t, hm_js(i, "actor"));
    }
    if (t)
        hm_table_print(t, hm_terminal_width(), &out);
    fwrite(out.data, 1, out.len, stdout);
    cJSON_Delete(answer);
    return t ? HM_EXIT_OK : HM_EXIT_FAILED;
}

static int end_token(struct hm_cli *c)
{
    static const struct hm_text none = {"%s: there is none, or more than one",
                                        "%s: 見つからないか、複数あります"};
    cJSON *answer = NULL, *nothing = NULL;
    const cJSON *i;
    char path[96] = "";
    int code, n = 0;

    if (c->argc < 2)
        return HM_EXIT_USAGE;
    if ((code = hm_get(c, PATH, &answer)))
        return code;
    cJSON_ArrayForEach(
        i, hm_jo(answer, "items")) if (strncmp(hm_js(i, "id"), c->args[1], strlen(c->args[1])) == 0)
    {
        snprintf(path, sizeof path, PATH "/%s", hm_js(i, "id"));
        n++;
    }
    cJSON_Delete(answer);
    if (n != 1)
        return hm_say(c, HM_EXIT_NOT_FOUND, &none, c->args[1]);
    code = hm_send(c, "DELETE", path, NULL, &nothing);
    cJSON_Delete(nothing);
    return code;
}

int hm_cmd_token(struct hm_cli *c)
{
    static const struct hm_text usage = {
        "token create [--group G] [--uses N] [--expires S] | list | revoke ID",
        "token create [--group G] [--uses N] [--expires 秒] | list | revoke ID"};

    if (c->argc >= 1 && strcmp(c->args[0], "create") == 0)
        return create(c);
    if (c->argc >= 1 && strcmp(c->args[0], "list") == 0)
        return list(c);
    if (c->argc >= 2 && strcmp(c->args[0], "revoke") == 0)
        return end_token(c);
    return hm_say(c, HM_EXIT_USAGE, &usage);
}
