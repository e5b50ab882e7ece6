/* `hinomi content source`: where detection content is pulled from. */
#include "cli/ask.h"
#include "cli/content.h"
#include "cli/show.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define API "/api/v1/content/sources"

static const struct hm_text headers[] = {
    {"NAME", "名前"},          {"KIND", "種類"},  {"WHERE", "場所"},      {"EVERY S", "間隔(秒)"},
    {"LAST GOOD", "最終成功"}, {"ITEMS", "件数"}, {"FAILED", "連続失敗"}, {"ERROR", "エラー"}};

static int list(struct hm_cli *c)
{
    hm_auto(hm_buf_done) struct hm_buf out = HM_BUF(16 * 1024 * 1024);
    const cJSON *s;
    cJSON *o = NULL;
    char time[32];
    int code;

    if (c->o.json)
        return hm_get_print(c, API);
    if ((code = hm_get(c, API, &o)))
        return code;
    struct hm_table *t = hm_table_new(headers, HM_ARRAY_LEN(headers), c->lang);
    if (!t) {
        cJSON_Delete(o);
        return HM_EXIT_FAILED;
    }
    cJSON_ArrayForEach(s, hm_jo(o, "items"))
    {
        hm_show_time(hm_js(s, "good"), time, sizeof time);
        hm_table_cell(t, hm_js(s, "name"));
        hm_table_cell(t, hm_js(s, "kind"));
        hm_table_cell(t, hm_js(s, "url"));
        hm_table_cellf(t, "%.0f", hm_jn(s, "every_s"));
        hm_table_cell(t, time);
        hm_table_cellf(t, "%.0f", hm_jn(s, "items"));
        hm_table_cellf(t, "%.0f", hm_jn(s, "failures"));
        hm_table_cell(t, hm_js(s, "error"));
    }
    hm_table_print(t, hm_terminal_width(), &out);
    fwrite(out.data, 1, out.len, stdout);
    cJSON_Delete(o);
    return HM_EXIT_OK;
}

/* A password or key is read from a file: it belongs in no shell history. */
static bool read_secret(const char *path, char *ret, size_t len)
{
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, len - 1);

    if (n <= 0)
        return false;
    ret[n] = 0;
    ret[strcspn(ret, "\r\n")] = 0;
    return *ret;
}

static void add_text(cJSON *body, const char *name, const char *value)
{
    if (value)
        cJSON_AddStringToObject(body, name, value);
}

static int post(struct hm_cli *c, const char *path, cJSON *body, const struct hm_text *done)
{
    cJSON *o = NULL;
    int code = hm_send(c, "POST", path, body, &o);

    cJSON_Delete(o);
    if (!code && !c->o.json)
        puts(hm_text(done, c->lang));
    return code;
}

static int add(struct hm_cli *c)
{
    static const struct hm_text usage =
                                    {"content source add NAME --kind http|taxii|folder --url URL",
                                     "content source add 名前 --kind http|taxii|folder --url URL"},
                                unread = {"%s cannot be read", "%s を読めません"},
                                done = {"is pulled now (hinomi content source list)",
                                        "取得を始めました（hinomi content source list）"};
    char secret[2000];
    cJSON *body;

    if (c->argc != 3 || !c->o.kind || !c->o.url)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    if (c->o.secret_file && !read_secret(c->o.secret_file, secret, sizeof secret))
        return hm_say(c, HM_EXIT_FAILED, &unread, c->o.secret_file);
    body = cJSON_CreateObject();
    add_text(body, "name", c->args[2]);
    add_text(body, "kind", c->o.kind);
    add_text(body, "url", c->o.url);
    add_text(body, "collection", c->o.collection);
    add_text(body, "publish", c->o.publish);
    add_text(body, "user", c->o.user);
    if (c->o.secret_file)
        add_text(body, c->o.user ? "password" : "key", secret);
    if (c->o.every)
        cJSON_AddNumberToObject(body, "every_s", strtod(c->o.every, NULL));
    if (c->o.private_net)
        cJSON_AddBoolToObject(body, "private", true);
    if (c->o.may_shrink)
        cJSON_AddBoolToObject(body, "may_shrink", true);
    explicit_bzero(secret, sizeof secret);
    return post(c, API, body, &done);
}

int hm_content_source(struct hm_cli *c)
{
    static const struct hm_text usage =
                                    {"content source list | add NAME | pull NAME | remove NAME",
                                     "content source list | add 名前 | pull 名前 | remove 名前"},
                                pulled = {"is pulled now", "取得を始めました"},
                                removed = {"is pulled no more", "取得をやめました"};
    const char *what = c->argc > 1 ? c->args[1] : "list";
    bool pull = strcmp(what, "pull") == 0;

    if (strcmp(what, "list") == 0)
        return list(c);
    if (strcmp(what, "add") == 0)
        return add(c);
    if (c->argc != 3 || (!pull && strcmp(what, "remove") != 0))
        return hm_say(c, HM_EXIT_USAGE, &usage);
    cJSON *body = cJSON_CreateObject();
    add_text(body, "name", c->args[2]);
    return post(c, pull ? API "/pull" : API "/remove", body, pull ? &pulled : &removed);
}
