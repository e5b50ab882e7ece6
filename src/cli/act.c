/* Orders: asked for, waited for, and their outcome told as it was, never as it was hoped. */
#include "base/clock.h"
#include "cli/ask.h"
#include "cli/show.h"
#include <stdio.h>
#include <time.h>

#define WAIT_S_DEFAULT 60
#define POLL_MS        250

static void add_safe(struct hm_buf *b, const char *s)
{
    hm_show_text(s, b);
}

static void write_processes(struct hm_buf *b, const cJSON *list)
{
    const cJSON *p;
    bool first = true;

    cJSON_ArrayForEach(p, list)
    {
        hm_buf_puts(b, first ? " " : ", ");
        first = false;
        add_safe(b, hm_js(p, "image"));
        hm_buf_printf(b, " [%.0f]", hm_jn(p, "pid"));
    }
}

static void write_kill(const struct hm_cli *c, struct hm_buf *b, const cJSON *d)
{
    static const struct hm_text ended = {"ended %d:", "終了させたもの %d 件:"},
                                lives = {"; still running %d:", "、まだ動いているもの %d 件:"};
    const cJSON *killed = hm_jo(d, "killed"), *survived = hm_jo(d, "survived");

    hm_buf_printf(b, hm_text(&ended, c->lang), cJSON_GetArraySize(killed));
    write_processes(b, killed);
    if (cJSON_GetArraySize(survived)) {
        hm_buf_printf(b, hm_text(&lives, c->lang), cJSON_GetArraySize(survived));
        write_processes(b, survived);
    }
}

static void write_isolation(const struct hm_cli *c, struct hm_buf *b, const cJSON *d)
{
    static const struct hm_text on = {"isolated", "隔離されています"},
                                off = {"not isolated", "隔離されていません"},
                                probe = {"\n  %s: %s (expected %s)", "\n  %s: %s（期待値 %s）"};
    const cJSON *p;

    hm_buf_puts(b, hm_text(hm_jb(d, "isolated") ? &on : &off, c->lang));
    cJSON_ArrayForEach(p, hm_jo(d, "probes"))
    {
        char text[256];
        snprintf(text, sizeof text, hm_text(&probe, c->lang), "\x01", hm_js(p, "result"),
                 hm_js(p, "expect"));
        char *mark = strchr(text, 1);
        hm_buf_put(b, text, (size_t)(mark - text));
        add_safe(b, hm_js(p, "name"));
        add_safe(b, mark + 1);
    }
}

/* What the endpoint said of the order. */
static void print_outcome(const struct hm_cli *c, const cJSON *o)
{
    hm_auto(hm_buf_done) struct hm_buf b = HM_BUF(256 * 1024);
    const cJSON *d = hm_jo(o, "detail");

    hm_buf_printf(&b, "%s %s: ", hm_word(c, hm_js(o, "kind")), hm_word(c, hm_js(o, "state")));
    if (*hm_js(d, "error"))
        add_safe(&b, hm_js(d, "error"));
    else if (hm_jo(d, "killed"))
        write_kill(c, &b, d);
    else if (hm_jo(d, "isolated"))
        write_isolation(c, &b, d);
    else
        add_safe(&b, *hm_js(d, "drill") ? hm_js(d, "drill") : hm_js(o, "id"));
    printf("%.*s\n", (int)b.len, (const char *)b.data);
}

static bool ended(const char *state)
{
    return strcmp(state, "done") == 0 || strcmp(state, "refused") == 0 ||
           strcmp(state, "failed") == 0 || strcmp(state, "expired") == 0;
}

static int outcome(struct hm_cli *c, const cJSON *o)
{
    bool survivors = cJSON_GetArraySize(hm_jo(hm_jo(o, "detail"), "survived")) > 0;

    if (!c->o.json)
        print_outcome(c, o);
    return strcmp(hm_js(o, "state"), "done") == 0 && !survivors ? HM_EXIT_OK : HM_EXIT_ORDER;
}

static int wait_for(struct hm_cli *c, const char *id)
{
    static const struct hm_text late = {
        "no outcome after %d s: the order is %s and stays in force "
        "(hinomi orders)",
        "%d 秒待ちましたが結果が出ていません（状態 %s）。命令は有効なままです"
        "（hinomi orders）"};
    int wait_s = c->o.wait ? (int)strtol(c->o.wait, NULL, 10) : WAIT_S_DEFAULT, code;
    uint64_t end_ns = hm_clock_mono_ns() + (uint64_t)wait_s * 1000000000u;
    char path[96], state[32] = "requested";

    snprintf(path, sizeof path, "/api/v1/orders/%s", id);
    do {
        cJSON *o = NULL;
        if ((code = hm_get(c, path, &o)))
            return code;
        snprintf(state, sizeof state, "%s", hm_js(o, "state"));
        if (ended(state)) {
            code = outcome(c, o);
            cJSON_Delete(o);
            if (c->o.json) {
                int printed = hm_get_print(c, path);
                return printed ? printed : code;
            }
            return code;
        }
        cJSON_Delete(o);
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    } while (hm_clock_mono_ns() < end_ns);
    return hm_say(c, HM_EXIT_ORDER, &late, wait_s, state);
}

/* POST, then the outcome. Frees body. */
static int order(struct hm_cli *c, const char *path, cJSON *body)
{
    static const struct hm_text asked = {"%s asked for: order %s", "%s を依頼しました: 命令 %s"};
    cJSON *o = NULL;
    char id[33], one[96];
    int code = hm_send(c, "POST", path, body, &o);

    if (code)
        return code;
    snprintf(id, sizeof id, "%s", hm_js(o, "id"));
    if (c->o.no_wait && !c->o.json) {
        printf(hm_text(&asked, c->lang), hm_js(o, "kind"), id);
        putchar('\n');
    }
    cJSON_Delete(o);
    if (!c->o.no_wait)
        return wait_for(c, id);
    snprintf(one, sizeof one, "/api/v1/orders/%s", id);
    return c->o.json ? hm_get_print(c, one) : HM_EXIT_OK;
}

static cJSON *new_order(struct hm_cli *c, const char *kind, const char *endpoint)
{
    static const struct hm_text reason = {"from the command line", "コマンドラインから"};
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "kind", kind);
    cJSON_AddStringToObject(o, "endpoint", endpoint);
    cJSON_AddStringToObject(o, "reason", c->o.reason ? c->o.reason : hm_text(&reason, c->lang));
    if (c->o.expires)
        cJSON_AddNumberToObject(o, "expires_s", (double)strtol(c->o.expires, NULL, 10));
    return o;
}

static int kill_process(struct hm_cli *c)
{
    static const struct hm_text usage = {"kill --process KEY --endpoint EP",
                                         "kill --process キー --endpoint 端末"};
    char id[33];
    cJSON *body;
    int code;

    if (!c->o.endpoint)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    if ((code = hm_resolve_endpoint(c, c->o.endpoint, id)))
        return code;
    body = new_order(c, "kill", id);
    cJSON_AddStringToObject(body, "process_key", c->o.process);
    cJSON_AddBoolToObject(body, "tree", !c->o.no_tree);
    return order(c, "/api/v1/orders", body);
}

int hm_cmd_kill(struct hm_cli *c)
{
    static const struct hm_text usage = {
        "kill ALERT, or kill --process KEY --endpoint EP",
        "kill アラート、または kill --process キー --endpoint 端末"};
    char id[33], path[64];
    cJSON *a = NULL, *body;
    int code;

    if (c->o.process)
        return kill_process(c);
    if (c->argc < 1)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    if ((code = hm_resolve_alert(c, c->args[0], id)))
        return code;
    snprintf(path, sizeof path, "/api/v1/alerts/%s", id);
    if ((code = hm_get(c, path, &a)))
        return code;
    body = new_order(c, "kill", hm_js(hm_jo(a, "endpoint"), "id"));
    cJSON_AddStringToObject(body, "alert", id);
    cJSON_AddBoolToObject(body, "tree", !c->o.no_tree);
    cJSON_AddStringToObject(body, "process_key",
                            *hm_js(a, "tree_key") && !c->o.no_tree
                                ? hm_js(a, "tree_key")
                                : hm_js(hm_jo(a, "process"), "key"));
    cJSON_Delete(a);
    return order(c, "/api/v1/orders", body);
}

static int on_endpoint(struct hm_cli *c, const char *kind)
{
    static const struct hm_text usage = {"which endpoint? (hinomi endpoints)",
                                         "端末を指定してください（hinomi endpoints）"};
    char id[33];
    int code;

    if (c->argc < 1)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    if ((code = hm_resolve_endpoint(c, c->args[0], id)))
        return code;
    return order(c, "/api/v1/orders", new_order(c, kind, id));
}

int hm_cmd_isolate(struct hm_cli *c)
{
    return on_endpoint(c, "isolate");
}

int hm_cmd_release(struct hm_cli *c)
{
    return on_endpoint(c, "release");
}

int hm_cmd_drill(struct hm_cli *c)
{
    static const struct hm_text usage = {"drill run NAME (reverse-shell)",
                                         "drill run 名前（reverse-shell）"};
    cJSON *body;

    if (c->argc < 2 || strcmp(c->args[0], "run") != 0)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "name", c->args[1]);
    return order(c, "/api/v1/drills", body);
}

int hm_cmd_revoke(struct hm_cli *c)
{
    static const struct hm_text usage = {"revoke EP --reason TEXT", "revoke 端末 --reason 理由"},
                                done = {"%s is revoked", "%s の登録を取り消しました"};
    char id[33], path[96];
    cJSON *body, *e = NULL;
    int code;

    if (c->argc < 1 || !c->o.reason)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    if ((code = hm_resolve_endpoint(c, c->args[0], id)))
        return code;
    snprintf(path, sizeof path, "/api/v1/endpoints/%s/revoke", id);
    body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "reason", c->o.reason);
    if ((code = hm_send(c, "POST", path, body, &e)))
        return code;
    cJSON_Delete(e);
    printf(hm_text(&done, c->lang), id);
    putchar('\n');
    return HM_EXIT_OK;
}
