/* Requests as commands make them: failures are told once, here, and become exit codes. */
#include "cli/ask.h"
#include "cli/show.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int hm_say(const struct hm_cli *c, int code, const struct hm_text *format, ...)
{
    hm_auto(hm_buf_done) struct hm_buf safe = HM_BUF(64 * 1024);
    char text[4096];
    va_list ap;

    va_start(ap, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyzer does not follow va_list */
    vsnprintf(text, sizeof text, hm_text(format, c->lang), ap);
    va_end(ap);
    hm_show_text(text, &safe);
    fprintf(stderr, "hinomi: %.*s\n", (int)safe.len, (const char *)safe.data);
    return code;
}

static int code_of(int status)
{
    return status == 404                    ? HM_EXIT_NOT_FOUND
           : status == 401 || status == 403 ? HM_EXIT_NOT_PERMITTED
           : status == 400 || status == 415 ? HM_EXIT_USAGE
           : status == 502 || status == 503 ? HM_EXIT_UNREACHABLE
                                            : HM_EXIT_FAILED;
}

int hm_say_problem(const struct hm_cli *c, int code, const cJSON *problem)
{
    static const struct hm_text one = {"%s", "%s"}, two = {"%s: %s", "%s: %s"},
                                three = {"%s: %s: %s", "%s: %s: %s"};
    const char *title = hm_js(problem, "title"), *field = hm_js(problem, "field"),
               *detail = hm_js(problem, "detail");

    if (*field && *detail)
        return hm_say(c, code, &three, title, field, detail);
    if (*field || *detail)
        return hm_say(c, code, &two, title, *field ? field : detail);
    return hm_say(c, code, &one, *title ? title : "?");
}

struct hm_client *hm_cli_client(struct hm_cli *c, int *ret_code)
{
    struct hm_where w;
    struct hm_error err = {0};
    static const struct hm_text text = {"%s", "%s"},
                                memory = {"out of memory", "メモリが足りません"};
    int r;

    *ret_code = HM_EXIT_OK;
    if (c->client)
        return c->client;
    r = hm_where_find(c->o.server, &w, &err);
    if (r) {
        *ret_code = hm_say(c, HM_EXIT_NOT_PERMITTED, &text, err.text);
        return NULL;
    }
    c->client = hm_client_new(&w, c->lang == HM_LANG_JA ? "ja" : "en");
    explicit_bzero(&w, sizeof w);
    if (!c->client)
        *ret_code = hm_say(c, HM_EXIT_FAILED, &memory);
    return c->client;
}

int hm_cli_failed(struct hm_cli *c, int r, const struct hm_error *err)
{
    static const struct hm_text unreachable = {"the server cannot be reached: %s",
                                               "サーバーに接続できません: %s"},
                                rejected = {"%s", "%s"};

    return hm_say(c, HM_EXIT_UNREACHABLE, r == -EKEYREJECTED ? &rejected : &unreachable, err->text);
}

int hm_ask(struct hm_cli *c, const char *method, const char *path, const char *body,
           struct hm_buf *out)
{
    static const struct hm_text odd = {"the server answered %d", "サーバーの応答: %d"};
    struct hm_error err = {0};
    int code, status;
    struct hm_client *client = hm_cli_client(c, &code);
    cJSON *problem;

    if (!client)
        return code;
    status = hm_client_request(client, method, path, body, out, &err);
    if (status < 0)
        return hm_cli_failed(c, status, &err);
    if (status >= 200 && status < 300)
        return out->error ? HM_EXIT_FAILED : HM_EXIT_OK;
    problem = cJSON_ParseWithLength((const char *)out->data, out->len);
    code = cJSON_IsObject(problem) ? hm_say_problem(c, code_of(status), problem)
                                   : hm_say(c, code_of(status), &odd, status);
    cJSON_Delete(problem);
    return code;
}

static int parse(struct hm_cli *c, const struct hm_buf *out, cJSON **ret)
{
    static const struct hm_text bad = {"the server's answer is not JSON",
                                       "サーバーの応答が JSON ではありません"};

    *ret = NULL;
    if (out->len == 0)
        return HM_EXIT_OK;
    *ret = cJSON_ParseWithLength((const char *)out->data, out->len);
    return *ret ? HM_EXIT_OK : hm_say(c, HM_EXIT_FAILED, &bad);
}

int hm_get(struct hm_cli *c, const char *path, cJSON **ret)
{
    hm_auto(hm_buf_done) struct hm_buf out = {0};
    int code = hm_ask(c, "GET", path, NULL, &out);

    return code ? code : parse(c, &out, ret);
}

int hm_send(struct hm_cli *c, const char *method, const char *path, cJSON *body, cJSON **ret)
{
    hm_auto(hm_buf_done) struct hm_buf out = {0};
    hm_autofree char *text = body ? cJSON_PrintUnformatted(body) : NULL;
    int code = hm_ask(c, method, path, text ? text : "", &out);

    cJSON_Delete(body);
    return code ? code : parse(c, &out, ret);
}

int hm_get_print(struct hm_cli *c, const char *path)
{
    hm_auto(hm_buf_done) struct hm_buf in = {0};
    hm_auto(hm_buf_done) struct hm_buf out = HM_BUF(1024u * 1024 * 1024);
    int code = hm_ask(c, "GET", path, NULL, &in);

    if (code)
        return code;
    hm_json_pretty(hm_buf_slice(&in), &out);
    fwrite(out.data, 1, out.len, stdout);
    return HM_EXIT_OK;
}

/* ---- ids
 * ----------------------------------------------------------------------------------------*/

static bool is_hex(const char *s)
{
    return *s && strspn(s, "0123456789abcdef") == strlen(s);
}

static int ambiguous(struct hm_cli *c, const char *text, int n)
{
    static const struct hm_text none = {"%s: there is none", "%s: 見つかりません"},
                                many = {"%s: %d match; give more of the id",
                                        "%s: %d 件が該当します。もっと長く指定してください"};

    return n ? hm_say(c, HM_EXIT_USAGE, &many, text, n) : hm_say(c, HM_EXIT_NOT_FOUND, &none, text);
}

int hm_resolve_endpoint(struct hm_cli *c, const char *text, char ret_id[33])
{
    cJSON *list = NULL;
    const cJSON *e;
    int n = 0, code = hm_get(c, "/api/v1/endpoints", &list);

    if (code)
        return code;
    cJSON_ArrayForEach(e, hm_jo(list, "items"))
    {
        if (strcmp(hm_js(e, "name"), text) == 0 || strcmp(hm_js(e, "id"), text) == 0) {
            snprintf(ret_id, 33, "%s", hm_js(e, "id"));
            n++;
        }
    }
    if (n == 0 && is_hex(text))
        cJSON_ArrayForEach(
            e, hm_jo(list, "items")) if (strncmp(hm_js(e, "id"), text, strlen(text)) == 0)
        {
            snprintf(ret_id, 33, "%s", hm_js(e, "id"));
            n++;
        }
    if (n == 0) /* the start of a name: "practice" for practice-vm */
        cJSON_ArrayForEach(
            e, hm_jo(list, "items")) if (strncmp(hm_js(e, "name"), text, strlen(text)) == 0)
        {
            snprintf(ret_id, 33, "%s", hm_js(e, "id"));
            n++;
        }
    cJSON_Delete(list);
    return n == 1 ? HM_EXIT_OK : ambiguous(c, text, n);
}

/* Pages until the start of an id is found, so that old alerts can be named too. */
int hm_resolve_alert(struct hm_cli *c, const char *text, char ret_id[33])
{
    char path[128] = "/api/v1/alerts?limit=500";
    size_t len = strlen(text);
    int n = 0;

    if (!is_hex(text) || len > 32)
        return ambiguous(c, text, 0);
    if (len == 32) {
        snprintf(ret_id, 33, "%s", text);
        return HM_EXIT_OK;
    }
    for (int page = 0; page < 20 && *path; page++) {
        cJSON *list = NULL;
        const cJSON *a;
        int code = hm_get(c, path, &list);
        if (code)
            return code;
        cJSON_ArrayForEach(a, hm_jo(list, "items")) if (strncmp(hm_js(a, "id"), text, len) == 0)
        {
            snprintf(ret_id, 33, "%s", hm_js(a, "id"));
            n++;
        }
        const char *next = hm_js(list, "next");
        if (*next)
            snprintf(path, sizeof path, "/api/v1/alerts?limit=500&before=%s", next);
        else
            *path = 0;
        cJSON_Delete(list);
    }
    return n == 1 ? HM_EXIT_OK : ambiguous(c, text, n);
}

void hm_query_add(struct hm_buf *q, const char *name, const char *value)
{
    if (!value)
        return;
    hm_buf_printf(q, "%c%s=", q->len && memchr(q->data, '?', q->len) ? '&' : '?', name);
    for (const uint8_t *p = (const uint8_t *)value; *p; p++)
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
            strchr("-._~:", *p))
            hm_buf_put_u8(q, *p);
        else
            hm_buf_printf(q, "%%%02X", *p);
}
