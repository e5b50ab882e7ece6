/* hinomi: the command line. One table of commands is parser, help and documentation. */
#include "base/log.h"
#include "cli/ask.h"
#include "cli/show.h"
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>

struct command {
    const char *name, *args;
    struct hm_text help;
    int (*run)(struct hm_cli *c);
    int (*run_words)(struct hm_cli *c, int argc, char **argv); /* options of its own */
};

static const struct command commands[] = {
    {"overview", "", {"the state of everything", "全体の状況"}, hm_cmd_overview},
    {"endpoints",
     "[--state S] [--group G] [--q TEXT]",
     {"all endpoints", "端末の一覧"},
     hm_cmd_endpoints},
    {"events",
     "[--follow | --all] [--endpoint EP] [--class C] [--action A] [--process KEY] [--q TEXT] "
     "[--from T] [--to T] [--limit N]",
     {"search events (--all: every one found, newest first, one a line), or watch them live",
      "イベントの検索。--all は該当するすべて（新しい順）、--follow は実況"},
     hm_cmd_events},
    {"alerts",
     "[--state S|open] [--severity S] [--endpoint EP] [--limit N]",
     {"alerts, newest first", "アラートの一覧（新しい順）"},
     hm_cmd_alerts},
    {"stories",
     "[--state open|all] [--endpoint EP] [--limit N]",
     {"alerts of one attack as one item, with its risk (0 to 100)",
      "同じ攻撃のアラートをまとめた一覧。危険度は 0〜100"},
     hm_cmd_stories},
    {"exception",
     "add --title T --owner WHO --reason TEXT --expires S [--rule ID] [--group G] [--endpoint EP] "
     "[--where 'FIELD|MODIFIER: VALUE'] [--preview] | list | end ID",
     {"alerts that are known and accepted: dismissed as they come, with everything kept",
      "既知で問題のないアラートの例外。記録は残したまま「問題なし」にする"},
     hm_cmd_exception},
    {"alert", "ALERT", {"one alert in words", "アラート 1 件の内容"}, hm_cmd_alert},
    {"tree", "ALERT", {"its process tree", "プロセスツリー"}, hm_cmd_tree},
    {"timeline",
     "ALERT",
     {"what its processes did, oldest first", "時系列の記録（古い順）"},
     hm_cmd_timeline},
    {"state",
     "ALERT STATE [--reason TEXT]",
     {"move an alert to another state", "アラートの状態を変える"},
     hm_cmd_state},
    {"kill",
     "ALERT | --process KEY --endpoint EP [--no-tree] [--reason TEXT] [--no-wait] [--wait S]",
     {"end a process tree", "プロセスツリーを終了させる"},
     hm_cmd_kill},
    {"isolate",
     "EP [--expires S] [--reason TEXT] [--no-wait] [--wait S]",
     {"cut an endpoint off the network, but for this server", "端末をネットワークから隔離する"},
     hm_cmd_isolate},
    {"release",
     "EP [--reason TEXT] [--no-wait] [--wait S]",
     {"undo isolate", "隔離を解除する"},
     hm_cmd_release},
    {"orders", "", {"orders and how they went", "命令とその結果"}, hm_cmd_orders},
    {"drill",
     "run reverse-shell [--no-wait]",
     {"re-enact an attack on the practice endpoint", "練習用端末で攻撃を再現する"},
     hm_cmd_drill},
    {"token",
     "create [--group G] [--uses N] [--expires S] | list | revoke ID",
     {"enrolment tokens and the line for a new endpoint", "端末を追加するためのトークン"},
     hm_cmd_token},
    {"revoke",
     "EP --reason TEXT",
     {"an endpoint's certificate counts no more", "端末の登録を取り消す"},
     hm_cmd_revoke},
    {"rules", "", {"detection rules, and those that were refused", "検知ルール"}, hm_cmd_rules},
    {"content",
     "import FILE|DIR [--name N] [--note TEXT] [--publish canary|all] | list | show V | status | "
     "publish V [--all] [--soak S] | rollback [V] --reason TEXT | "
     "rings CANARY% EARLY% [GROUP [GROUP]] [--limit ALERTS] | export V | "
     "trust list|add NAME KEY|remove NAME | source list|add NAME --kind http|taxii|folder --url U "
     "[--collection ID] [--every S] [--user U] [--secret-file F] [--private] [--publish RING]"
     "|pull NAME|remove NAME",
     {"detection content: versions, rings of endpoints, bundles for closed networks",
      "検知コンテンツ（バージョン、配布段階、閉域網向けバンドル）"},
     hm_cmd_content},
    {"audit", "[--limit N]", {"who did what", "操作の記録"}, hm_cmd_audit},
    {"sigma",
     "check | eval | explain | test | coverage … (hinomi sigma help)",
     {"Sigma rules: check them, try them on events, see why one matches, what is covered",
      "Sigma ルールの確認、イベントでの試行、一致の理由、対応状況"},
     NULL,
     hm_cmd_sigma},
    {"yara",
     "check FILE|DIR… | scan --rules FILE|DIR FILE|DIR…",
     {"which YARA rules load and what is wrong with the others; which files match",
      "YARA ルールの確認（問題のある箇所を示す）と、ファイルのスキャン"},
     hm_cmd_yara},
    {"intel",
     "check FILE… [--warninglists DIR] [--all]",
     {"what importing feeds of indicators would do: formats, counts, what is refused and why",
      "指標フィードの検査（形式、件数、取り込めない項目とその理由）"},
     hm_cmd_intel},
    {"login",
     "--server HOST:PORT --ca-sha256 FP [--user NAME]",
     {"sign in", "サインイン"},
     hm_cmd_login},
    {"logout", "", {"sign out", "サインアウト"}, hm_cmd_logout},
    {"schema",
     "--proto | --markdown | --json",
     {"the event table", "イベントの項目表"},
     hm_cmd_schema},
    {"version", "", {"version", "バージョン"}, hm_cmd_version},
};

static const struct option {
    const char *name;
    bool flag;
    size_t offset;
} options[] = {
#define VALUE(name, field)                                                                         \
    {                                                                                              \
        "--" name, false, offsetof(struct hm_options, field)                                       \
    }
#define FLAG(name, field)                                                                          \
    {                                                                                              \
        "--" name, true, offsetof(struct hm_options, field)                                        \
    }
    VALUE("server", server),
    VALUE("ca-sha256", ca_sha256),
    VALUE("user", user),
    VALUE("endpoint", endpoint),
    VALUE("class", class),
    VALUE("action", action),
    VALUE("process", process),
    VALUE("q", q),
    VALUE("from", from),
    VALUE("to", to),
    VALUE("state", state),
    VALUE("severity", severity),
    VALUE("reason", reason),
    VALUE("group", group),
    VALUE("limit", limit),
    VALUE("expires", expires),
    VALUE("warninglists", warninglists),
    VALUE("title", title),
    VALUE("owner", owner),
    VALUE("rule", rule),
    VALUE("where", where),
    FLAG("preview", preview),
    VALUE("uses", uses),
    VALUE("wait", wait),
    VALUE("rules", rules),
    VALUE("name", name),
    VALUE("note", note),
    VALUE("publish", publish),
    VALUE("soak", soak),
    VALUE("kind", kind),
    VALUE("url", url),
    VALUE("collection", collection),
    VALUE("every", every),
    VALUE("secret-file", secret_file),
    FLAG("private", private_net),
    FLAG("may-shrink", may_shrink),
    FLAG("json", json),
    FLAG("follow", follow),
    FLAG("all", all),
    FLAG("no-wait", no_wait),
    FLAG("no-tree", no_tree),
    FLAG("proto", proto),
    FLAG("markdown", markdown),
    FLAG("help", help),
};

static int usage(enum hm_lang lang, FILE *to)
{
    static const struct hm_text head = {"usage: hinomi COMMAND [--json] [--server HOST:PORT]",
                                        "使い方: hinomi コマンド [--json] [--server HOST:PORT]"};
    static const struct hm_text tail = {
        "\nAn id may be shortened to a unique start; an endpoint may be named. Times: "
        "2026-11-21T22:00:00Z.\nExit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 not permitted, "
        "5 server unreachable,\n6 order refused, failed or without outcome in time.\n",
        "\nID は一意になる先頭だけでも、端末は名前でも指定できます。時刻の形式: "
        "2026-11-21T22:00:00Z\n"
        "終了コード: 0 成功、1 失敗、2 使い方の誤り、3 見つからない、4 権限がない、5 "
        "サーバーに接続できない、\n"
        "6 命令が拒否・失敗、または時間内に結果が出ない\n"};

    fprintf(to, "%s\n\n", hm_text(&head, lang));
    for (size_t i = 0; i < HM_ARRAY_LEN(commands); i++) {
        const struct command *k = &commands[i];
        fprintf(to, "  hinomi %s%s%s\n      %s\n", k->name, *k->args ? " " : "", k->args,
                hm_text(&k->help, lang));
    }
    fputs(hm_text(&tail, lang), to);
    return to == stdout ? HM_EXIT_OK : HM_EXIT_USAGE;
}

/* One option at argv[i]; returns how many words it took, 0 when it is none of ours. */
static int take_option(struct hm_options *o, char **argv, int left)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(options); i++) {
        const struct option *p = &options[i];
        char *at = (char *)o + p->offset;
        if (strcmp(argv[0], p->name) != 0)
            continue;
        if (p->flag)
            return *(bool *)at = true, 1;
        if (left < 2)
            return 0;
        return *(const char **)at = argv[1], 2;
    }
    return 0;
}

static int parse(struct hm_cli *c, int argc, char **argv)
{
    static const struct hm_text bad = {"%s: unknown option, or its value is missing",
                                       "%s: 未知のオプションか、値がありません"};
    bool only_words = false;

    c->args = argv; /* words move to the front */
    for (int i = 0; i < argc;) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
            i++;
        } else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
            int n = take_option(&c->o, argv + i, argc - i);
            if (!n)
                return hm_say(c, HM_EXIT_USAGE, &bad, argv[i]);
            i += n;
        } else {
            c->args[c->argc++] = argv[i++];
        }
    }
    return HM_EXIT_OK;
}

/* Widths need a locale that knows UTF-8, also where none is set. */
static void set_locale(void)
{
    const char *l = setlocale(LC_CTYPE, "");

    if (!l || MB_CUR_MAX < 2)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static int run(struct hm_cli *c, const struct command *k, int argc, char **argv)
{
    if (k->run_words) {
        int words = k->run_words(c, argc, argv);
        return fflush(stdout) && !words ? HM_EXIT_FAILED : words;
    }
    int code = parse(c, argc, argv);

    if (!code && c->o.help)
        code = printf("hinomi %s %s\n    %s\n", k->name, k->args, hm_text(&k->help, c->lang)) < 0;
    else if (!code)
        code = k->run(c);
    hm_client_free(c->client);
    return fflush(stdout) && !code ? HM_EXIT_FAILED : code;
}

int main(int argc, char **argv)
{
    static const struct hm_text unknown = {"%s: no such command (hinomi help)",
                                           "%s: そのようなコマンドはありません（hinomi help）"};
    struct hm_cli c = {.lang = hm_lang_from_env()};

    set_locale();
    signal(SIGPIPE, SIG_IGN);
    hm_log_init("hinomi", STDERR_FILENO);
    if (argc < 2)
        return usage(c.lang, stderr);
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0)
        return usage(c.lang, stdout);
    for (size_t i = 0; i < HM_ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run(&c, &commands[i], argc - 2, argv + 2);
    return hm_say(&c, HM_EXIT_USAGE, &unknown, argv[1]);
}
