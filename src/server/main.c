/* hinomi-server: commands for people, and `-p ROLE` for the processes of `run`. */
#include "server/core/control.h"
#include "server/init.h"
#include "server/password.h"
#include "server/roles.h"
#include "server/supervisor/supervisor.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>

struct options {
    struct hm_server_config config;
    const char *user;
    bool json;
};

static int cmd_init(struct options *o, struct hm_error *err)
{
    return hm_server_init(&o->config, o->json, err);
}

static int cmd_run(struct options *o, struct hm_error *err)
{
    return hm_supervisor_run(&o->config, err);
}

static int cmd_password(struct options *o, struct hm_error *err)
{
    return hm_server_password(&o->config, o->user, err);
}

static int cmd_version(struct options *o, struct hm_error *err)
{
    (void)o;
    (void)err;
    return puts("hinomi-server " HM_VERSION) < 0 ? -EIO : 0;
}

static const struct {
    const char *name;
    int (*run)(struct options *o, struct hm_error *err);
    struct hm_text help;
} commands[] = {
    {"init",
     cmd_init,
     {"init --state DIR [--config FILE] [--json]   make keys, database and administrator",
      "init --state DIR [--config FILE] [--json]   鍵・データベース・管理者を作る"}},
    {"run",
     cmd_run,
     {"run --state DIR [--config FILE]             run the server",
      "run --state DIR [--config FILE]             サーバーを動かす"}},
    {"password",
     cmd_password,
     {"password --state DIR [--user NAME]          set a new password for NAME (admin)",
      "password --state DIR [--user NAME]          NAME（既定 "
      "admin）に新しいパスワードを設定する"}},
    {"version", cmd_version, {"version", "version"}},
};

static int usage(FILE *to, enum hm_lang lang)
{
    hm_auto(hm_buf_done) struct hm_buf keys = HM_BUF(16 * 1024);
    static const struct hm_text head = {"usage: hinomi-server COMMAND",
                                        "使い方: hinomi-server コマンド"};
    static const struct hm_text conf = {"configuration (key=value):", "設定 (key=value):"};

    fprintf(to, "%s\n", hm_text(&head, lang));
    for (size_t i = 0; i < HM_ARRAY_LEN(commands); i++)
        fprintf(to, "  %s\n", hm_text(&commands[i].help, lang));
    hm_config_help(lang == HM_LANG_JA, &keys);
    fprintf(to, "%s\n%.*s", hm_text(&conf, lang), (int)keys.len, (const char *)keys.data);
    return to == stdout ? 0 : 2;
}

static int parse_options(int argc, char **argv, struct options *o, struct hm_error *err)
{
    const char *state = NULL, *file = NULL;

    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
            continue;
        }
        const char **into = strcmp(argv[i], "--state") == 0    ? &state
                            : strcmp(argv[i], "--config") == 0 ? &file
                            : strcmp(argv[i], "--user") == 0   ? &o->user
                                                               : NULL;
        if (!into || i + 1 >= argc)
            return hm_fail(err, -EINVAL, "unknown or incomplete option %s", argv[i]);
        *into = argv[++i];
    }
    hm_config_defaults(&o->config);
    int r = file ? hm_config_load(file, &o->config, err) : 0;
    if (r)
        return r;
    if (state && strlen(state) >= sizeof o->config.state)
        return hm_fail(err, -E2BIG, "--state: too long");
    if (state)
        snprintf(o->config.state, sizeof o->config.state, "%s", state);
    return 0;
}

static int run_role(int argc, char **argv)
{
    for (size_t i = 0; i < HM_ROLE_COUNT; i++)
        if (strcmp(argv[2], hm_server_roles[i].role.name) == 0)
            return hm_server_roles[i].main(argc, argv);
    return 2;
}

static int run_command(int argc, char **argv, size_t at)
{
    struct options o = {.user = "admin"};
    struct hm_error err = {0};

    int r = parse_options(argc, argv, &o, &err);
    if (!r)
        r = commands[at].run(&o, &err);
    if (r == 0)
        return 0;
    const char *where = err.line ? "line " : "";
    if (err.line)
        fprintf(stderr, "hinomi-server: %s%u: %s\n", where, err.line, err.text);
    else
        fprintf(stderr, "hinomi-server: %s\n", err.text[0] ? err.text : strerror(-r));
    return r == -EEXIST ? 3 : 1;
}

int main(int argc, char **argv)
{
    enum hm_lang lang = hm_lang_from_env();

    hm_log_init("server", STDERR_FILENO);
    if (argc >= 3 && strcmp(argv[1], "-p") == 0)
        return run_role(argc, argv);
    for (size_t i = 0; argc >= 2 && i < HM_ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run_command(argc, argv, i);
    return usage(argc >= 2 && strcmp(argv[1], "help") == 0 ? stdout : stderr, lang);
}
