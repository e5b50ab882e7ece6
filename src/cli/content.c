/* `hinomi content`: versions of detection content, who has them, where they come from. */
#include "cli/content.h"
#include "base/clock.h"
#include "cli/ask.h"
#include "cli/show.h"
#include "wire/limits.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define API      "/api/v1/content"
#define PIECE    ((size_t)600 * 1024)
#define POLL_MS  300
#define WAIT_S   300
#define PROBLEMS 20 /* shown; --json has all that the server lists */

static void print_safe(const char *s)
{
    hm_auto(hm_buf_done) struct hm_buf b = HM_BUF(1 << 20);

    hm_show_text(s, &b);
    printf("%.*s", (int)b.len, b.len ? (const char *)b.data : "");
}

/* ---- import -----------------------------------------------------------------------------------*/

static int send_piece(struct hm_cli *c, const char *id, size_t at, struct hm_slice piece)
{
    char path[96];
    cJSON *answer = NULL, *body = cJSON_CreateObject();
    hm_autofree char *text = malloc(piece.len / 3 * 4 + 8);

    if (!text || !body) {
        cJSON_Delete(body);
        return HM_EXIT_FAILED;
    }
    EVP_EncodeBlock((unsigned char *)text, piece.p, (int)piece.len);
    cJSON_AddNumberToObject(body, "offset", (double)at);
    cJSON_AddStringToObject(body, "data", text);
    snprintf(path, sizeof path, API "/imports/%s/data", id);
    int code = hm_send(c, "POST", path, body, &answer);
    cJSON_Delete(answer);
    return code;
}

static int upload(struct hm_cli *c, const char *id, struct hm_slice data)
{
    int code = 0;

    for (size_t at = 0; !code && at < data.len; at += PIECE) {
        size_t n = data.len - at < PIECE ? data.len - at : PIECE;
        code = send_piece(c, id, at, hm_slice(data.p + at, n));
    }
    return code;
}

static void print_problems(const struct hm_cli *c, const cJSON *report)
{
    static const struct hm_text more = {"  … and %d more (--json)\n", "  … ほか %d 件（--json）\n"};
    const cJSON *list = hm_jo(report, "problems"), *p;
    int n = cJSON_GetArraySize(list), shown = 0;

    cJSON_ArrayForEach(p, list)
    {
        if (shown++ == PROBLEMS)
            break;
        printf("  ");
        print_safe(hm_js(p, "source"));
        printf(":%.0f: ", hm_jn(p, "line"));
        print_safe(hm_js(p, "text"));
        putchar('\n');
    }
    if (n > PROBLEMS)
        printf(hm_text(&more, c->lang), n - PROBLEMS);
}

static int tell_job(struct hm_cli *c, const cJSON *o)
{
    static const struct hm_text
        done = {"version %.0f: %.0f rules, %.0f refused, %.0f parts\n",
                "バージョン %.0f: ルール %.0f 件、拒否 %.0f 件、ファイル %.0f 件\n"},
        same = {"nothing new: version %.0f holds it already\n",
                "変更なし: バージョン %.0f と同じ内容です\n"},
        failed = {"not imported: %s", "取り込めませんでした: %s"};
    const char *state = hm_js(o, "state");
    const cJSON *report = hm_jo(o, "report");

    if (strcmp(state, "unchanged") == 0) {
        printf(hm_text(&same, c->lang), hm_jn(o, "version"));
        return HM_EXIT_OK;
    }
    if (strcmp(state, "done") == 0)
        printf(hm_text(&done, c->lang), hm_jn(o, "version"), hm_jn(report, "rules"),
               hm_jn(report, "refused"), hm_jn(report, "parts"));
    print_problems(c, report);
    return strcmp(state, "done") == 0 ? HM_EXIT_OK
                                      : hm_say(c, HM_EXIT_FAILED, &failed, hm_js(o, "text"));
}

static bool ended(const char *state)
{
    return strcmp(state, "done") == 0 || strcmp(state, "failed") == 0 ||
           strcmp(state, "unchanged") == 0;
}

static int wait_job(struct hm_cli *c, const char *id)
{
    static const struct hm_text late = {"it is not done yet: %s", "まだ終わっていません: %s"};
    uint64_t end = hm_clock_mono_ns() + WAIT_S * UINT64_C(1000000000);
    char path[96];

    snprintf(path, sizeof path, API "/imports/%s", id);
    while (hm_clock_mono_ns() < end) {
        cJSON *o = NULL;
        int code = hm_get(c, path, &o);
        if (code)
            return code;
        if (ended(hm_js(o, "state"))) {
            code = c->o.json ? hm_get_print(c, path) : tell_job(c, o);
            if (c->o.json && !code && strcmp(hm_js(o, "state"), "failed") == 0)
                code = HM_EXIT_FAILED;
            cJSON_Delete(o);
            return code;
        }
        cJSON_Delete(o);
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    }
    return hm_say(c, HM_EXIT_FAILED, &late, id);
}

static int import(struct hm_cli *c)
{
    static const struct hm_text usage =
                                    {"content import FILE|DIR [--name N] [--publish canary|all]",
                                     "content import ファイル|フォルダー [--name 名前] "
                                     "[--publish canary|all]"},
                                bad = {"%s", "%s"};
    hm_auto(hm_buf_done) struct hm_buf data = HM_BUF((size_t)HM_BUNDLE_BODY_MAX * 3);
    struct hm_error err = {0};
    cJSON *o = NULL, *body;
    char id[33], path[96];

    if (c->argc < 2)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    if (hm_pack(c->args[1], &data, &err))
        return hm_say(c, HM_EXIT_FAILED, &bad, err.text);
    body = cJSON_CreateObject();
    if (c->o.name)
        cJSON_AddStringToObject(body, "name", c->o.name);
    if (c->o.note)
        cJSON_AddStringToObject(body, "note", c->o.note);
    if (c->o.publish)
        cJSON_AddStringToObject(body, "publish", c->o.publish);
    int code = hm_send(c, "POST", API "/imports", body, &o);
    if (code)
        return code;
    snprintf(id, sizeof id, "%s", hm_js(o, "id"));
    cJSON_Delete(o);
    if ((code = upload(c, id, hm_buf_slice(&data))))
        return code;
    snprintf(path, sizeof path, API "/imports/%s/finish", id);
    o = NULL;
    if ((code = hm_send(c, "POST", path, cJSON_CreateObject(), &o)))
        return code;
    cJSON_Delete(o);
    return wait_job(c, id);
}

/* ---- looking ----------------------------------------------------------------------------------*/

static const struct hm_text version_headers[] = {
    {"VERSION", "バージョン"}, {"CREATED", "作成"}, {"ORIGIN", "由来"}, {"RULES", "ルール"},
    {"REFUSED", "拒否"},       {"BY", "作成者"},    {"NOTE", "メモ"}};
static const struct hm_text ring_headers[] = {{"RING", "段階"},        {"VERSION", "バージョン"},
                                              {"ENDPOINTS", "端末"},   {"CONNECTED", "接続中"},
                                              {"HAVE IT", "適用済み"}, {"UNHEALTHY", "異常"}};
static const struct hm_text endpoint_headers[] = {
    {"NAME", "名前"},     {"RING", "段階"},      {"MEANT", "対象"},
    {"ACTIVE", "適用中"}, {"STATE", "状態"},     {"RULES", "ルール"},
    {"REFUSED", "拒否"},  {"LOAD MS", "読込ms"}, {"ERROR", "エラー"}};

static int print_table(struct hm_table *t)
{
    hm_auto(hm_buf_done) struct hm_buf out = HM_BUF(64 * 1024 * 1024);

    hm_table_print(t, hm_terminal_width(), &out);
    fwrite(out.data, 1, out.len, stdout);
    return out.error ? HM_EXIT_FAILED : HM_EXIT_OK;
}

static void time_cell(struct hm_table *t, const cJSON *o, const char *name)
{
    char text[32];

    hm_show_time(hm_js(o, name), text, sizeof text);
    hm_table_cell(t, text);
}

static int list(struct hm_cli *c)
{
    const cJSON *v;
    cJSON *o = NULL;
    int code;

    if (c->o.json)
        return hm_get_print(c, API);
    if ((code = hm_get(c, API, &o)))
        return code;
    struct hm_table *t = hm_table_new(version_headers, HM_ARRAY_LEN(version_headers), c->lang);
    if (t) {
        cJSON_ArrayForEach(v, hm_jo(o, "versions"))
        {
            hm_table_cellf(t, "%.0f", hm_jn(v, "version"));
            time_cell(t, v, "created");
            hm_table_cell(t, hm_js(v, "origin"));
            hm_table_cellf(t, "%.0f", hm_jn(v, "rules"));
            hm_table_cellf(t, "%.0f", hm_jn(v, "refused"));
            hm_table_cell(t, hm_js(v, "actor"));
            hm_table_cell(t, hm_js(v, "note"));
        }
        code = print_table(t);
    }
    cJSON_Delete(o);
    return t ? code : HM_EXIT_FAILED;
}

static int show(struct hm_cli *c)
{
    static const struct hm_text usage = {"content show VERSION", "content show バージョン"},
                                head = {"version %.0f, %s, by %s, %.0f rules, %.0f refused, "
                                        "%.0f bytes\n",
                                        "バージョン %.0f、%s、作成者 %s、ルール %.0f 件、拒否 "
                                        "%.0f 件、%.0f バイト\n"};
    hm_auto(hm_buf_done) struct hm_buf path = HM_BUF(256);
    cJSON *o = NULL;

    if (c->argc < 2)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    hm_buf_puts(&path, API "/version");
    hm_query_add(&path, "version", c->args[1]);
    hm_buf_put_u8(&path, 0);
    if (c->o.json)
        return hm_get_print(c, (const char *)path.data);
    int code = hm_get(c, (const char *)path.data, &o);
    if (code)
        return code;
    printf(hm_text(&head, c->lang), hm_jn(o, "version"), hm_js(o, "origin"), hm_js(o, "actor"),
           hm_jn(o, "rules"), hm_jn(o, "refused"), hm_jn(o, "size"));
    print_problems(c, hm_jo(o, "report"));
    cJSON_Delete(o);
    return HM_EXIT_OK;
}

static int print_rings(struct hm_cli *c, const cJSON *o)
{
    static const struct hm_text head = {"stable %.0f, candidate %.0f, stage %s\n",
                                        "安定版 %.0f、候補 %.0f、段階 %s\n"};
    const cJSON *r = hm_jo(o, "rollout"), *ring;
    struct hm_table *t = hm_table_new(ring_headers, HM_ARRAY_LEN(ring_headers), c->lang);

    printf(hm_text(&head, c->lang), hm_jn(r, "stable"), hm_jn(r, "candidate"),
           hm_word(c, hm_js(r, "stage")));
    if (*hm_js(r, "reason")) {
        print_safe(hm_js(r, "reason"));
        putchar('\n');
    }
    if (!t)
        return HM_EXIT_FAILED;
    cJSON_ArrayForEach(ring, hm_jo(o, "rings"))
    {
        hm_table_cell(t, hm_word(c, hm_js(ring, "name")));
        hm_table_cellf(t, "%.0f", hm_jn(ring, "target"));
        hm_table_cellf(t, "%.0f", hm_jn(ring, "endpoints"));
        hm_table_cellf(t, "%.0f", hm_jn(ring, "connected"));
        hm_table_cellf(t, "%.0f", hm_jn(ring, "current"));
        hm_table_cellf(t, "%.0f", hm_jn(ring, "unhealthy"));
    }
    return print_table(t);
}

static int print_endpoints(struct hm_cli *c, const cJSON *o)
{
    const cJSON *e;
    struct hm_table *t = hm_table_new(endpoint_headers, HM_ARRAY_LEN(endpoint_headers), c->lang);

    if (!t)
        return HM_EXIT_FAILED;
    cJSON_ArrayForEach(e, hm_jo(o, "items"))
    {
        hm_table_cell(t, hm_js(e, "name"));
        hm_table_cell(t, hm_word(c, hm_js(e, "ring")));
        hm_table_cellf(t, "%.0f", hm_jn(e, "target"));
        hm_table_cellf(t, "%.0f", hm_jn(e, "active"));
        hm_table_cell(t, hm_word(c, hm_js(e, "state")));
        hm_table_cellf(t, "%.0f", hm_jn(e, "rules"));
        hm_table_cellf(t, "%.0f", hm_jn(e, "refused"));
        hm_table_cellf(t, "%.0f", hm_jn(e, "load_ms"));
        hm_table_cell(t, hm_js(e, "error"));
    }
    return print_table(t);
}

static int status(struct hm_cli *c)
{
    cJSON *o = NULL;
    int code;

    if (c->o.json)
        return hm_get_print(c, API "/endpoints");
    if ((code = hm_get(c, API, &o)))
        return code;
    code = print_rings(c, o);
    cJSON_Delete(o);
    o = NULL;
    if (code || (code = hm_get(c, API "/endpoints", &o)))
        return code;
    putchar('\n');
    code = print_endpoints(c, o);
    cJSON_Delete(o);
    return code;
}

/* ---- deciding ---------------------------------------------------------------------------------*/

static int post(struct hm_cli *c, const char *path, cJSON *body, const struct hm_text *done)
{
    cJSON *o = NULL;
    int code = hm_send(c, "POST", path, body, &o);

    cJSON_Delete(o);
    if (!code && !c->o.json)
        puts(hm_text(done, c->lang));
    return code;
}

static int publish(struct hm_cli *c)
{
    static const struct hm_text usage = {"content publish VERSION [--all] [--soak S]",
                                         "content publish バージョン [--all] [--soak 秒]"},
                                done = {"published (hinomi content status)",
                                        "配布を始めました（hinomi content status）"};
    cJSON *body;

    if (c->argc < 2)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    body = cJSON_CreateObject();
    cJSON_AddNumberToObject(body, "version", (double)strtoull(c->args[1], NULL, 10));
    if (c->o.all)
        cJSON_AddBoolToObject(body, "at_once", true);
    if (c->o.soak)
        cJSON_AddNumberToObject(body, "soak_s", (double)strtoull(c->o.soak, NULL, 10));
    return post(c, API "/publish", body, &done);
}

static int rollback(struct hm_cli *c)
{
    static const struct hm_text usage = {"content rollback [VERSION] --reason TEXT",
                                         "content rollback [バージョン] --reason 理由"},
                                done = {"the old content comes back as a new version",
                                        "以前の内容を新しいバージョンとして配布します"};
    cJSON *body;

    if (!c->o.reason)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    body = cJSON_CreateObject();
    if (c->argc > 1)
        cJSON_AddNumberToObject(body, "version", (double)strtoull(c->args[1], NULL, 10));
    cJSON_AddStringToObject(body, "reason", c->o.reason);
    return post(c, API "/rollback", body, &done);
}

static int rings(struct hm_cli *c)
{
    static const struct hm_text
        usage = {"content rings CANARY% EARLY% [CANARY-GROUP [EARLY-GROUP]] [--limit ALERTS]",
                 "content rings カナリア% 先行% [カナリアのグループ [先行のグループ]] "
                 "[--limit アラート数]"},
        done = {"rings are set (hinomi content status)",
                "配布段階を設定しました（hinomi content status）"};
    cJSON *o = NULL, *body;

    if (c->argc < 3)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    body = cJSON_CreateObject();
    cJSON_AddNumberToObject(body, "canary_percent", strtod(c->args[1], NULL));
    cJSON_AddNumberToObject(body, "early_percent", strtod(c->args[2], NULL));
    if (c->argc > 3)
        cJSON_AddStringToObject(body, "canary_group", c->args[3]);
    if (c->argc > 4)
        cJSON_AddStringToObject(body, "early_group", c->args[4]);
    if (c->o.limit)
        cJSON_AddNumberToObject(body, "alert_least", strtod(c->o.limit, NULL));
    int code = hm_send(c, "PATCH", API "/rings", body, &o);
    cJSON_Delete(o);
    if (!code)
        puts(hm_text(&done, c->lang));
    return code;
}

static int export_bundle(struct hm_cli *c)
{
    static const struct hm_text usage = {"content export VERSION > bundle.hinomi",
                                         "content export バージョン > bundle.hinomi"},
                                terminal = {"write it to a file: content export %s > bundle.hinomi",
                                            "ファイルに書き出してください: content export %s > "
                                            "bundle.hinomi"};
    hm_auto(hm_buf_done) struct hm_buf path = HM_BUF(256),
                                       out = HM_BUF((size_t)HM_BUNDLE_BODY_MAX + 65536);

    if (c->argc < 2)
        return hm_say(c, HM_EXIT_USAGE, &usage);
    if (isatty(STDOUT_FILENO))
        return hm_say(c, HM_EXIT_USAGE, &terminal, c->args[1]);
    hm_buf_puts(&path, API "/bundle");
    hm_query_add(&path, "version", c->args[1]);
    hm_buf_put_u8(&path, 0);
    int code = hm_ask(c, "GET", (const char *)path.data, NULL, &out);
    if (code)
        return code;
    return fwrite(out.data, 1, out.len, stdout) == out.len ? HM_EXIT_OK : HM_EXIT_FAILED;
}

/* ---- whose bundles are taken ------------------------------------------------------------------*/

static int trust_list(struct hm_cli *c)
{
    static const struct hm_text own = {"this server's key, to be added on others:\n  %s\n",
                                       "このサーバーの鍵（他のサーバーに登録するもの）:\n  %s\n"};
    const cJSON *t;
    cJSON *o = NULL;
    int code;

    if (c->o.json)
        return hm_get_print(c, API "/trust");
    if ((code = hm_get(c, API "/trust", &o)))
        return code;
    printf(hm_text(&own, c->lang), hm_js(o, "own"));
    cJSON_ArrayForEach(t, hm_jo(o, "items"))
        printf("%s  %s  (%.0f)\n", hm_js(t, "name"), hm_js(t, "key"), hm_jn(t, "version"));
    cJSON_Delete(o);
    return HM_EXIT_OK;
}

static int trust(struct hm_cli *c)
{
    static const struct hm_text usage = {"content trust list | add NAME KEY | remove NAME",
                                         "content trust list | add 名前 鍵 | remove 名前"},
                                added = {"bundles of that server are taken from now on",
                                         "このサーバーのバンドルを受け入れます"},
                                removed = {"bundles of that server are refused from now on",
                                           "このサーバーのバンドルは拒否します"};
    const char *what = c->argc > 1 ? c->args[1] : "list";
    cJSON *body;

    if (strcmp(what, "list") == 0)
        return trust_list(c);
    bool add = strcmp(what, "add") == 0;
    if (c->argc != (add ? 4 : 3) || (!add && strcmp(what, "remove") != 0))
        return hm_say(c, HM_EXIT_USAGE, &usage);
    body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "name", c->args[2]);
    if (add)
        cJSON_AddStringToObject(body, "key", c->args[3]);
    return post(c, add ? API "/trust" : API "/trust/remove", body, add ? &added : &removed);
}

int hm_cmd_content(struct hm_cli *c)
{
    static const struct {
        const char *name;
        int (*run)(struct hm_cli *c);
    } verbs[] = {{"import", import},   {"list", list},
                 {"show", show},       {"status", status},
                 {"publish", publish}, {"rollback", rollback},
                 {"rings", rings},     {"export", export_bundle},
                 {"trust", trust},     {"source", hm_content_source}};
    static const struct hm_text usage = {
        "content import|list|show|status|publish|rollback|rings|export|trust|source (hinomi help)",
        "content import|list|show|status|publish|rollback|rings|export|trust|source（hinomi "
        "help）"};
    const char *what = c->argc ? c->args[0] : "list";

    for (size_t i = 0; i < HM_ARRAY_LEN(verbs); i++)
        if (strcmp(verbs[i].name, what) == 0)
            return verbs[i].run(c);
    return hm_say(c, HM_EXIT_USAGE, &usage);
}
