/* Events: history by search, or live with --follow until interrupted. */
#include "cli/ask.h"
#include "cli/show.h"
#include <errno.h>
#include <stdio.h>
#include <time.h>

/* What an event is about, in a few words: the fields that matter for its class. */
static void describe(const cJSON *e, struct hm_buf *out)
{
    static const char *const fields[] = {
        "process.command_line", "file.source_path", "file.path",        "dst.ip",
        "dst.domain",           "dns.query",        "user.target_name", "module.path",
        "script.text",          "service.name",     "registry.key",     "order.detail",
        "alert.reason",         "agent.detail",     "foreign.text"};
    const char *image = hm_js(e, "process.image");
    const cJSON *port = hm_jo(e, "dst.port");
    bool first = true;

    if (*image && !*hm_js(e, "process.command_line")) {
        hm_show_text(image, out);
        first = false;
    }
    for (size_t i = 0; i < HM_ARRAY_LEN(fields); i++) {
        const char *v = hm_js(e, fields[i]);
        if (!*v)
            continue;
        hm_buf_puts(out, first ? "" : " ");
        first = false;
        hm_show_text(v, out);
        if (strcmp(fields[i], "dst.ip") == 0 && cJSON_IsNumber(port))
            hm_buf_printf(out, ":%.0f", port->valuedouble);
    }
}

void hm_print_event(struct hm_cli *c, const cJSON *e)
{
    hm_auto(hm_buf_done) struct hm_buf line = HM_BUF(1024 * 1024);
    char when[32], what[64];

    (void)c;
    hm_show_time(hm_js(e, "@time"), when, sizeof when);
    snprintf(what, sizeof what, "%s/%s", hm_js(e, "class"), hm_js(e, "action"));
    hm_buf_printf(&line, "%s  %-18s ", when, what);
    if (*hm_js(e, "host")) {
        hm_show_text(hm_js(e, "host"), &line);
        hm_buf_puts(&line, "  ");
    }
    if (cJSON_IsNumber(hm_jo(e, "process.pid")))
        hm_buf_printf(&line, "[%.0f] ", hm_jn(e, "process.pid"));
    describe(e, &line);
    printf("%.*s\n", (int)line.len, (const char *)line.data);
}

static int filters(struct hm_cli *c, struct hm_buf *path, bool live)
{
    char id[33];
    int code;

    if (c->o.endpoint) {
        if ((code = hm_resolve_endpoint(c, c->o.endpoint, id)))
            return code;
        hm_query_add(path, "endpoint", id);
    }
    hm_query_add(path, "class", c->o.class);
    hm_query_add(path, "q", c->o.q);
    if (!live) {
        hm_query_add(path, "action", c->o.action);
        hm_query_add(path, "process", c->o.process);
        hm_query_add(path, "from", c->o.from);
        hm_query_add(path, "to", c->o.to);
        hm_query_add(path, "limit", c->o.all ? "5000" : c->o.limit);
    }
    hm_buf_put_u8(path, 0);
    return path->error ? HM_EXIT_FAILED : HM_EXIT_OK;
}

/* ---- live
 * -----------------------------------------------------------------------------------------*/

struct live {
    struct hm_cli *c;
    char last[64];
    bool greeted;
};

static int on_event(void *ctx, const char *event, const char *id, const char *data)
{
    static const struct hm_text left_out = {
        "too many events for this connection: some were left out",
        "イベントが多すぎるため、一部を省きました"};
    struct live *l = ctx;
    cJSON *e;

    l->greeted = true;
    if (strcmp(event, "dropped") == 0)
        return hm_say(l->c, 0, &left_out);
    if (strcmp(event, "event") != 0)
        return 0;
    snprintf(l->last, sizeof l->last, "%s", id);
    if (l->c->o.json) {
        puts(data);
    } else {
        e = cJSON_Parse(data);
        hm_print_event(l->c, e);
        cJSON_Delete(e);
    }
    return fflush(stdout) ? 1 : ferror(stdout);
}

/* The server ends a stream now and then, and may be restarted: come again where we were. */
static int follow(struct hm_cli *c, const char *path)
{
    static const struct hm_text again = {"connection lost; trying again",
                                         "接続が切れました。再接続します"};
    static const struct hm_text refused = {"the server answered %d", "サーバーの応答: %d"};
    struct live l = {.c = c};
    struct hm_error err = {0};
    int code, status, failures = 0;
    struct hm_client *client = hm_cli_client(c, &code);

    if (!client)
        return code;
    for (;;) {
        l.greeted = false;
        status = hm_client_stream(client, path, l.last, on_event, &l, &err);
        if (ferror(stdout))
            return HM_EXIT_OK; /* the reader of our pipe had enough */
        if (status > 0 && status != 200 && status < 500)
            return hm_say(c,
                          status == 401 || status == 403 ? HM_EXIT_NOT_PERMITTED : HM_EXIT_FAILED,
                          &refused, status);
        failures = l.greeted ? 0 : failures + 1;
        if (failures > 10 || (status == -EKEYREJECTED) || (status < 0 && !l.greeted && !*l.last))
            return hm_cli_failed(c, status, &err);
        if (failures == 1)
            code = hm_say(c, 0, &again);
        nanosleep(&(struct timespec){.tv_sec = failures ? 1 : 0, .tv_nsec = 200000000}, NULL);
    }
}

/* ---- history
 * --------------------------------------------------------------------------------------*/

static void tell_completeness(const struct hm_cli *c, const cJSON *answer)
{
    static const struct hm_text note = {"%s", "%s"};
    const cJSON *n;

    cJSON_ArrayForEach(n, hm_jo(hm_jo(answer, "completeness"), "notes")) if (cJSON_IsString(n))
    {
        int code = hm_say(c, 0, &note, n->valuestring);
        (void)code;
    }
}

/* Page by page until there is no more, newest first; --json is one event a line. */
static int print_all(struct hm_cli *c, const char *path)
{
    hm_auto(hm_buf_done) struct hm_buf page = HM_BUF(16 * 1024), lines = HM_BUF(1u << 30);
    char next[160] = "";
    int code;

    do {
        hm_auto(hm_buf_done) struct hm_buf in = {0};
        cJSON *answer;
        hm_buf_clear(&page);
        hm_buf_puts(&page, path);
        hm_query_add(&page, "before", *next ? next : NULL);
        hm_buf_put_u8(&page, 0);
        if ((code = hm_ask(c, "GET", (const char *)page.data, NULL, &in)))
            return code;
        hm_buf_clear(&lines);
        hm_json_items(hm_buf_slice(&in), &lines);
        answer = cJSON_ParseWithLength((const char *)in.data, in.len);
        snprintf(next, sizeof next, "%s", hm_js(answer, "next"));
        const cJSON *e;
        if (c->o.json)
            fwrite(lines.data, 1, lines.len, stdout);
        else
            cJSON_ArrayForEach(e, hm_jo(answer, "items")) hm_print_event(c, e);
        if (!*next)
            tell_completeness(c, answer);
        cJSON_Delete(answer);
    } while (*next && !ferror(stdout));
    return HM_EXIT_OK;
}

int hm_cmd_events(struct hm_cli *c)
{
    hm_auto(hm_buf_done) struct hm_buf path = HM_BUF(8192);
    cJSON *answer = NULL;
    const cJSON *items;
    int code;

    hm_buf_puts(&path, c->o.follow ? "/api/v1/events/stream" : "/api/v1/events");
    if ((code = filters(c, &path, c->o.follow)))
        return code;
    if (c->o.follow)
        return follow(c, (const char *)path.data);
    if (c->o.all)
        return print_all(c, (const char *)path.data);
    if (c->o.json)
        return hm_get_print(c, (const char *)path.data);
    if ((code = hm_get(c, (const char *)path.data, &answer)))
        return code;
    items = hm_jo(answer, "items");
    for (int i = cJSON_GetArraySize(items) - 1; i >= 0; i--) /* oldest first, as one reads */
        hm_print_event(c, cJSON_GetArrayItem(items, i));
    tell_completeness(c, answer);
    cJSON_Delete(answer);
    return HM_EXIT_OK;
}
