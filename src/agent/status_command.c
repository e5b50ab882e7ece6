/* `hinomi-agent status`: shows status.json, and whether who wrote it still runs (the lock tells, a
 * pid could be anybody's by now). Parses nothing: the file is ours and flat enough to be picked. */
#include "agent/commands.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define STATUS_MAX_BYTES (64 * 1024)

static bool is_running(int state_fd)
{
    hm_autoclose int fd = openat(state_fd, "lock", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (flock(fd, LOCK_SH | LOCK_NB) == 0)
        return false; /* closing it lets go again */
    return errno == EWOULDBLOCK;
}

static ssize_t read_status(int state_fd, char *buf, size_t len)
{
    hm_autoclose int fd = openat(state_fd, "status.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, len - 1);
    buf[n > 0 ? n : 0] = 0;
    return n;
}

/* The value of a top-level member, as text without quotes; "-" when it is not there or empty. */
static void pick(const char *json, const char *name, char *ret, size_t len)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *p = strstr(json, key);
    size_t n = 0;
    snprintf(ret, len, "-");
    if (!p)
        return;
    p += strlen(key);
    if (*p == '"')
        n = strcspn(++p, "\"");
    else
        n = strcspn(p, ",}");
    if (n)
        snprintf(ret, len, "%.*s", (int)n, p);
}

static void show(const char *json, bool running)
{
    static const struct {
        const char *name;
        struct hm_text label;
    } rows[] = {
        {"version", {"version", "バージョン"}},
        {"started", {"started", "開始"}},
        {"written", {"last heard of", "最終更新"}},
        {"endpoint", {"endpoint", "端末ID"}},
        {"tenant", {"tenant", "テナント"}},
        {"server", {"server", "サーバー"}},
        {"link", {"connection", "接続"}},
        {"isolated", {"isolated", "隔離中"}},
        {"isolated_until_ms", {"isolated until (ms)", "隔離の終わり (ms)"}},
        {"scope", {"scope", "範囲"}},
        {"tier", {"sensor tier", "センサー段階"}},
        {"restarts", {"restarts", "再起動回数"}},
    };
    static const struct hm_text states[] = {{"not running", "停止中"},
                                            {"running, observing only", "稼働中（観察のみ）"}};
    enum hm_lang lang = hm_lang_from_env();
    char value[512];
    printf("%s\n", hm_text(&states[running], lang));
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        pick(json, rows[i].name, value, sizeof value);
        printf("  %s: %s\n", hm_text(&rows[i].label, lang), value);
    }
}

/* Exit code: 0 running, 3 not running (as LSB says), 2 usage. */
int hm_status_command(int argc, char **argv)
{
    static const struct option options[] = {{"state", 1, 0, 's'}, {"json", 0, 0, 'j'}, {0}};
    static const struct hm_text none = {"no agent has ever run on %s\n",
                                        "%s で動いたエージェントはありません\n"};
    static char json[STATUS_MAX_BYTES];
    const char *state = HM_STATE_DEFAULT;
    bool as_json = false;
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 's' && c != 'j')
            return hm_agent_usage();
        as_json |= c == 'j';
        state = c == 's' ? optarg : state;
    }
    hm_autoclose int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || read_status(fd, json, sizeof json) <= 0) {
        fprintf(stderr, hm_text(&none, hm_lang_from_env()), state);
        return 3;
    }
    bool running = is_running(fd);
    if (as_json)
        printf("{\"alive\":%s,\"status\":%.*s}\n", running ? "true" : "false",
               (int)strcspn(json, "\n"), json);
    else
        show(json, running);
    return running ? 0 : 3;
}
