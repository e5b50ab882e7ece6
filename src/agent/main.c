/* `hinomi-agent`: the table of commands, and the door through which re-executed roles come in. */
#include "agent/commands.h"
#include "agent/monitor/monitor.h"
#include "agent/practice/drill.h"
#include "agent/practice/practice.h"
#include "agent/roles.h"
#include "agent/sensor/sensor.h"
#include "agent/uplink/enroll.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static int run_command(int argc, char **argv)
{
    static const struct option options[] = {
        {"state", 1, 0, 's'}, {"rules", 1, 0, 'r'}, {"scope", 1, 0, 'c'},   {"probes", 1, 0, 'p'},
        {"leave", 1, 0, 'l'}, {"log", 1, 0, 'f'},   {"offline", 0, 0, 'o'}, {0}};
    struct hm_monitor_options o = {.state = HM_STATE_DEFAULT};
    struct hm_buf logs hm_auto(hm_buf_done) = HM_BUF(64 * 1024);
    struct hm_error err = {0};
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 's')
            o.state = optarg;
        else if (c == 'r')
            o.rules = optarg;
        else if (c == 'c' && strncmp(optarg, "cgroup=", 7) == 0)
            o.scope = optarg + 7;
        else if (c == 'l' && strncmp(optarg, "cgroup=", 7) == 0)
            o.leave = optarg + 7;
        else if (c == 'p')
            o.probes = optarg;
        else if (c == 'f')
            hm_buf_printf(&logs, "%s%s", logs.len ? "\n" : "", optarg);
        else if (c == 'o')
            o.offline = true;
        else
            return hm_agent_usage();
    }
    if (optind < argc)
        return hm_agent_usage();
    hm_buf_put_u8(&logs, 0);
    o.logs = logs.error ? NULL : (const char *)logs.data;
    int r = hm_monitor_run(&o, &err);
    if (r < 0)
        hm_err("%s", err.text[0] ? err.text : strerror(-r));
    return r < 0;
}

static int version_command(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("hinomi-agent %s\n", HM_VERSION);
    return 0;
}

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments;
    struct hm_text help;
} commands[] = {
    {"run",
     run_command,
     "[--state DIR] [--rules DIR] [--scope cgroup=PATH] [--leave cgroup=PREFIX] [--log FILE]… "
     "[--offline]",
     {"watch this machine, or one cgroup of it; --leave: another agent raises the alerts of "
      "cgroups whose name begins so, this one records them; --log: one more log file to follow",
      "この端末（または cgroup の範囲）を見守る。--leave で始まる名前の cgroup は記録だけを行い、"
      "警告は別のエージェントに任せる。--log は追加で読むログファイル"}},
    {"enroll",
     hm_enroll_command,
     "--server HOST:PORT --token T --ca-sha256 HEX [--state DIR] [--practice]",
     {"join a server", "サーバーに登録する"}},
    {"sensors",
     hm_sensors_command,
     "[--json]",
     {"what this kernel lets us see, and what is not seen",
      "このカーネルで見えるもの、見えないものを示す"}},
    {"status",
     hm_status_command,
     "[--state DIR] [--json]",
     {"identity, connection, isolation, versions", "登録・接続・隔離・バージョンの状態を示す"}},
    {"practice",
     hm_practice_command,
     "--state DIR --server HOST:PORT --rules DIR [--token T --ca-sha256 HEX]",
     {"run a practice endpoint that may be attacked", "攻撃してよい練習用端末を動かす"}},
    {"version", version_command, "", {"print the version", "バージョンを表示する"}},
};

int hm_agent_usage(void)
{
    static const struct hm_text head = {"Usage: hinomi-agent COMMAND [OPTIONS]\n",
                                        "使い方: hinomi-agent コマンド [オプション]\n"};
    enum hm_lang lang = hm_lang_from_env();
    fputs(hm_text(&head, lang), stderr);
    for (size_t i = 0; i < HM_ARRAY_LEN(commands); i++)
        fprintf(stderr, "  %-9s %s\n            %s\n", commands[i].name, commands[i].arguments,
                hm_text(&commands[i].help, lang));
    return 2;
}

/* What hm_role_spawn and the practice world re-execute. */
static int play_role(int argc, char **argv)
{
    static int (*const mains[HM_AGENT_ROLES])(void) = {[HM_AGENT_ENGINE] = hm_engine_main,
                                                       [HM_AGENT_INSPECT] = hm_inspect_main,
                                                       [HM_AGENT_UPLINK] = hm_uplink_main,
                                                       [HM_AGENT_PROBE] = hm_probe_main,
                                                       [HM_AGENT_JOURNAL] = hm_journal_main};
    hm_log_init(argv[2], 2);
    for (int role = 0; role < HM_AGENT_ROLES; role++)
        if (strcmp(argv[2], hm_agent_roles[role].name) == 0)
            return mains[role]();
    if (strcmp(argv[2], "drill") == 0 && argc == 4)
        return hm_drill_main(argv[3]);
    return hm_practice_role(argc, argv);
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "-p") == 0)
        return play_role(argc, argv);
    hm_log_init("agent", 2);
    for (size_t i = 0; argc >= 2 && i < HM_ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return hm_agent_usage();
}
