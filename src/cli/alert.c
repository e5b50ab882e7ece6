/* One alert: what it says, its process tree, its time line, its state. */
#include "cli/ask.h"
#include "cli/show.h"
#include <stdio.h>

#define DEPTH_MAX 64 /* deeper trees are printed flat from there on */

static int alert_path(struct hm_cli *c, const char *suffix, char *ret, size_t len)
{
    static const struct hm_text usage = {"which alert? (hinomi alerts)",
                                         "アラートを指定してください（hinomi alerts）"};
    char id[33];
    int code;

    if (c->argc < 1)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    if ((code = hm_resolve_alert(c, c->args[0], id)))
        return code;
    snprintf(ret, len, "/api/v1/alerts/%s%s", id, suffix);
    return HM_EXIT_OK;
}

static void line(const char *label, const char *value)
{
    hm_auto(hm_buf_done) struct hm_buf b = HM_BUF(1024 * 1024);
    size_t w = hm_show_width(label, strlen(label));

    hm_show_text(*value ? value : "-", &b);
    printf("%s%*s%.*s\n", label, (int)(w < 14 ? 14 - w : 1), "", (int)b.len, (const char *)b.data);
}

static void words_line(const char *label, const cJSON *list)
{
    char text[512] = "";
    size_t n = 0;
    const cJSON *w;

    cJSON_ArrayForEach(w, list) if (cJSON_IsString(w) && n < sizeof text) n +=
        (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? " " : "", w->valuestring);
    line(label, text);
}

static void print_history(const cJSON *a)
{
    const cJSON *h;
    char when[32], text[512];

    cJSON_ArrayForEach(h, hm_jo(a, "history"))
    {
        hm_show_time(hm_js(h, "time"), when, sizeof when);
        snprintf(text, sizeof text, "%s -> %s  %s  %s", hm_js(h, "from"), hm_js(h, "to"),
                 hm_js(h, "actor"), hm_js(h, "reason"));
        line(when, text);
    }
}

int hm_cmd_alert(struct hm_cli *c)
{
    static const struct hm_text labels[] = {
        {"alert", "アラート"},     {"what", "内容"},        {"why", "理由"},
        {"severity", "深刻度"},    {"state", "状態"},       {"can become", "次の状態"},
        {"endpoint", "端末"},      {"process", "プロセス"}, {"command", "コマンド"},
        {"user", "ユーザー"},      {"time", "時刻"},        {"ATT&CK", "ATT&CK"},
        {"do now", "いま行うこと"}};
    bool ja = c->lang == HM_LANG_JA;
    char path[128], when[32], process[512];
    cJSON *a = NULL;
    int code = alert_path(c, "", path, sizeof path);

    if (code || c->o.json)
        return code ? code : hm_get_print(c, path);
    if ((code = hm_get(c, path, &a)))
        return code;
    const cJSON *p = hm_jo(a, "process");
#define L(i) hm_text(&labels[i], c->lang)
    hm_show_time(hm_js(a, "event_time"), when, sizeof when);
    snprintf(process, sizeof process, "%s [%.0f] %s", hm_js(p, "image"), hm_jn(p, "pid"),
             hm_js(p, "key"));
    line(L(0), hm_js(a, "id"));
    line(L(1), hm_js(a, ja && *hm_js(a, "title_ja") ? "title_ja" : "title"));
    line(L(2), hm_js(a, ja && *hm_js(a, "reason_ja") ? "reason_ja" : "reason"));
    if (*hm_js(a, "advice"))
        line(L(12), hm_js(a, ja && *hm_js(a, "advice_ja") ? "advice_ja" : "advice"));
    line(L(3), hm_word(c, hm_js(a, "severity")));
    line(L(4), hm_word(c, hm_js(a, "state")));
    words_line(L(5), hm_jo(a, "transitions"));
    line(L(6), hm_js(hm_jo(a, "endpoint"), "name"));
    line(L(7), process);
    line(L(8), hm_js(p, "command_line"));
    line(L(9), hm_js(p, "user"));
    line(L(10), when);
    words_line(L(11), hm_jo(a, "techniques"));
#undef L
    print_history(a);
    cJSON_Delete(a);
    return HM_EXIT_OK;
}

/* ---- tree
 * -----------------------------------------------------------------------------------------*/

static void print_node(struct hm_cli *c, const cJSON *n, int depth)
{
    static const struct hm_text ended = {"  (ended)", "  （終了）"},
                                marked = {"  <= alert", "  <= アラート"};
    hm_auto(hm_buf_done) struct hm_buf b = HM_BUF(1024 * 1024);
    const char *text = *hm_js(n, "command_line") ? hm_js(n, "command_line") : hm_js(n, "image");
    const cJSON *k;

    hm_buf_printf(&b, "%*s[%.0f] ", depth * 2, "", hm_jn(n, "pid"));
    hm_show_text(text, &b);
    hm_buf_puts(&b, "  ");
    hm_show_text(hm_js(n, "user"), &b);
    hm_buf_puts(&b, hm_jb(n, "alive") ? "" : hm_text(&ended, c->lang));
    hm_buf_puts(&b, hm_jb(n, "marked") ? hm_text(&marked, c->lang) : "");
    cJSON_ArrayForEach(k, hm_jo(n, "connections"))
    {
        hm_buf_printf(&b, "\n%*s      %s ", depth * 2, "",
                      strcmp(hm_js(k, "direction"), "outbound") == 0 ? "->" : "<-");
        hm_show_text(hm_js(k, "ip"), &b);
        hm_buf_printf(&b, ":%.0f", hm_jn(k, "port"));
    }
    printf("%.*s\n", (int)b.len, (const char *)b.data);
}

/* Depth of a node: how many of its ancestors are in the list. Bounded, whatever the parents say. */
static int depth_of(const cJSON *nodes, const cJSON *node)
{
    int depth = 0;

    for (const char *parent = hm_js(node, "parent"); *parent && depth < DEPTH_MAX; depth++) {
        const cJSON *n, *found = NULL;
        cJSON_ArrayForEach(n, nodes) if (strcmp(hm_js(n, "key"), parent) == 0) found = n;
        if (!found || found == node)
            return depth;
        parent = hm_js(found, "parent");
    }
    return depth;
}

/* Children follow their parent, in the order of the answer (by start). */
static void print_below(struct hm_cli *c, const cJSON *nodes, const char *parent, int depth,
                        int left)
{
    const cJSON *n;

    if (left == 0)
        return;
    cJSON_ArrayForEach(n, nodes)
    {
        if (strcmp(hm_js(n, "parent"), parent) != 0 || strcmp(hm_js(n, "key"), parent) == 0)
            continue;
        print_node(c, n, depth);
        print_below(c, nodes, hm_js(n, "key"), depth + 1, left - 1);
    }
}

int hm_cmd_tree(struct hm_cli *c)
{
    char path[128];
    cJSON *t = NULL;
    const cJSON *n;
    int code = alert_path(c, "/tree", path, sizeof path);

    if (code || c->o.json)
        return code ? code : hm_get_print(c, path);
    if ((code = hm_get(c, path, &t)))
        return code;
    const cJSON *nodes = hm_jo(t, "nodes");
    cJSON_ArrayForEach(n, nodes) if (depth_of(nodes, n) == 0)
    {
        print_node(c, n, 0);
        print_below(c, nodes, hm_js(n, "key"), 1, DEPTH_MAX);
    }
    cJSON_Delete(t);
    return HM_EXIT_OK;
}

int hm_cmd_timeline(struct hm_cli *c)
{
    char path[128];
    cJSON *t = NULL;
    const cJSON *e;
    int code = alert_path(c, "/timeline", path, sizeof path);

    if (code || c->o.json)
        return code ? code : hm_get_print(c, path);
    if ((code = hm_get(c, path, &t)))
        return code;
    cJSON_ArrayForEach(e, hm_jo(t, "items")) hm_print_event(c, e);
    cJSON_Delete(t);
    return HM_EXIT_OK;
}

int hm_cmd_state(struct hm_cli *c)
{
    static const struct hm_text usage = {"state ALERT STATE [--reason TEXT]",
                                         "state アラート 状態 [--reason 理由]"},
                                done = {"%s is now %s", "%s は %s になりました"};
    char path[128];
    cJSON *body, *a = NULL;
    int code;

    if (c->argc < 2)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    if ((code = alert_path(c, "", path, sizeof path)))
        return code;
    body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "state", c->args[1]);
    cJSON_AddStringToObject(body, "reason", c->o.reason ? c->o.reason : "");
    if ((code = hm_send(c, "PATCH", path, body, &a)))
        return code;
    printf(hm_text(&done, c->lang), hm_js(a, "id"), hm_js(a, "state"));
    putchar('\n');
    cJSON_Delete(a);
    return HM_EXIT_OK;
}
