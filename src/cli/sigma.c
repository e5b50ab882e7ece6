/* `hinomi sigma`: which command, which options. One table each is parser, help and documentation.
 * Its options are its own: most may come several times. */
#include "cli/sigma.h"
#include "cli/show.h"
#include <stddef.h>

static const struct command {
    const char *name, *args;
    struct hm_text help;
    int (*run)(const struct hm_sigma_args *a);
} commands[] = {
    {"check",
     "[--placeholders F] [--pipeline F] [--json] DIR|FILE…",
     {"which rules load and what is wrong with the others (exit code 0 all, 1 some refused)",
      "ルールを読み込み、問題のある箇所を示す（終了コード 0 すべて可、1 不可あり）"},
     hm_sigma_check},
    {"eval",
     "--rules DIR [--rules …] [--pipeline F] [--placeholders F] [--field F] [--time-field F] "
     "[--ignore-logsource] FILE.ndjson|-",
     {"the rules that each line's event matches, one line per line; also .zst",
      "1 行 1 イベントの入力について、一致したルールを行ごとに示す（.zst も可）"},
     hm_sigma_eval},
    {"explain",
     "[--rules DIR] [--field F] RULE EVENT",
     {"why a rule matches an event or not, search by search (files, - or, with --rules, an id)",
      "ルールがイベントに一致する・しない理由を条件ごとに示す"},
     hm_sigma_explain},
    {"test",
     "[--placeholders F] [--pipeline F] [--json] DIR|FILE…",
     {"hold rules to their own example events", "ルールに付いた例で動作を確かめる"},
     hm_sigma_test},
    {"coverage",
     "[--json] DIR|FILE…",
     {"which rules are live on this agent's events, and what the others miss",
      "このエージェントで働くルールと、働かないルールに足りないもの"},
     hm_sigma_coverage},
};

static const struct option {
    const char *name;
    enum { FLAG, ONE, MANY } kind;
    size_t offset;
} options[] = {
    {"--rules", MANY, offsetof(struct hm_sigma_args, rules)},
    {"--pipeline", MANY, offsetof(struct hm_sigma_args, pipelines)},
    {"--placeholders", MANY, offsetof(struct hm_sigma_args, placeholders)},
    {"--field", ONE, offsetof(struct hm_sigma_args, field)},
    {"--time-field", ONE, offsetof(struct hm_sigma_args, time_field)},
    {"--ignore-logsource", FLAG, offsetof(struct hm_sigma_args, ignore_logsource)},
    {"--json", FLAG, offsetof(struct hm_sigma_args, json)},
    {"--help", FLAG, offsetof(struct hm_sigma_args, help)},
};

static bool append(struct hm_paths *p, const char *text)
{
    if (p->count == HM_SIGMA_PATHS_MAX)
        return false;
    p->at[p->count++] = text;
    return true;
}

/* Words taken; 0: not understood. */
static int take(struct hm_sigma_args *a, char **argv, int left)
{
    if (strncmp(argv[0], "--", 2) != 0)
        return append(&a->words, argv[0]);
    for (size_t i = 0; i < HM_ARRAY_LEN(options); i++) {
        char *at = (char *)a + options[i].offset;
        if (strcmp(argv[0], options[i].name) != 0)
            continue;
        if (options[i].kind == FLAG)
            return *(bool *)at = true, 1;
        if (left < 2)
            return 0;
        if (options[i].kind == ONE)
            return *(const char **)at = argv[1], 2;
        return append((struct hm_paths *)at, argv[1]) ? 2 : 0;
    }
    return 0;
}

static void print_command(const struct command *k, enum hm_lang lang, FILE *to)
{
    fprintf(to, "hinomi sigma %s %s\n    %s\n", k->name, k->args, hm_text(&k->help, lang));
}

static int usage(const struct hm_cli *c, FILE *to)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(commands); i++)
        print_command(&commands[i], c->lang, to);
    return to == stdout ? HM_EXIT_OK : HM_EXIT_USAGE;
}

static int run(const struct command *k, struct hm_sigma_args *a)
{
    if (a->help) {
        print_command(k, a->cli->lang, stdout);
        return HM_EXIT_OK;
    }
    if (a->words.count == 0) {
        print_command(k, a->cli->lang, stderr);
        return HM_EXIT_USAGE;
    }
    return k->run(a);
}

int hm_cmd_sigma(struct hm_cli *c, int argc, char **argv)
{
    static const struct hm_text bad = {
        "%s: unknown option, its value is missing, or it came too often",
        "%s: 未知のオプションか、値がないか、指定が多すぎます"};
    static const struct hm_text unknown = {"sigma %s: no such command",
                                           "sigma %s: そのようなコマンドはありません"};
    struct hm_sigma_args a = {.cli = c};
    if (argc < 1)
        return usage(c, stderr);
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "help") == 0)
        return usage(c, stdout);
    for (int i = 1, n; i < argc; i += n) {
        bool rest = strcmp(argv[i], "--") == 0;
        while (rest && ++i < argc)
            if (!append(&a.words, argv[i]))
                return hm_say(c, HM_EXIT_USAGE, &bad, argv[i]);
        if (rest)
            break;
        n = take(&a, argv + i, argc - i);
        if (n == 0)
            return hm_say(c, HM_EXIT_USAGE, &bad, argv[i]);
    }
    for (size_t i = 0; i < HM_ARRAY_LEN(commands); i++)
        if (strcmp(argv[0], commands[i].name) == 0)
            return run(&commands[i], &a);
    return hm_say(c, HM_EXIT_USAGE, &unknown, argv[0]);
}
