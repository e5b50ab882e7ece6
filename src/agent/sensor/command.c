/* `hinomi-agent sensors [--json]`: loads everything once, says what came of it, takes it all down.
 * Exit codes: 0 the sensor works, 1 it does not, 2 wrong usage. */
#include "agent/sensor/report.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

static const struct hm_text usage = {
    "usage: hinomi-agent sensors [--json]\n"
    "  Tries the kernel's sensors and says what is seen and what is not. Needs root.\n",
    "使い方: hinomi-agent sensors [--json]\n"
    "  カーネルのセンサーを実際に試し、見えるものと見えないものを示します。root "
    "権限が必要です。\n"};

static const struct hm_text not_root = {
    "hinomi-agent sensors: only root can try the kernel's sensors\n",
    "hinomi-agent sensors: カーネルのセンサーを試すには root 権限が必要です\n"};

/* The marks an agent of this machine would set, on one file system, for a moment. */
static bool can_watch_files(void)
{
    static const char *const places[] = {"/etc", "/tmp", "/"};
    bool marked = false;
    int fan = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_CLOEXEC | FAN_NONBLOCK,
                            O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; fan >= 0 && !marked && i < HM_ARRAY_LEN(places); i++)
        marked = fanotify_mark(fan, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_CREATE | FAN_ONDIR,
                               AT_FDCWD, places[i]) == 0;
    if (fan >= 0)
        close(fan); /* the mark goes with it */
    return marked;
}

static int report(bool json, enum hm_lang lang, struct hm_buf *out)
{
    const struct hm_sensor_options o = {.scope_cgroup_fd = -1};
    struct hm_sensor *s = NULL;
    struct hm_probe_results probes;
    struct hm_error err = {0};
    int e = hm_sensor_open(&o, &s, &err);
    if (e == 0)
        (void)hm_sensor_watch_calls(s, UINT32_MAX); /* what a rule could ask for */
    if (e < 0)
        hm_probe_all(&probes);
    const struct hm_report r = {.sensor = s,
                                .probes = s ? &s->probes : &probes,
                                .files = s && can_watch_files(),
                                .problem = err.text};
    if (json)
        hm_report_json(&r, out);
    else
        hm_report_text(&r, lang, out);
    hm_sensor_close(s);
    return e;
}

int hm_sensors_command(int argc, char **argv)
{
    enum hm_lang lang = hm_lang_from_env();
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
    if (argc > 2 || (argc == 2 && !json)) {
        fputs(hm_text(&usage, lang), stderr);
        return 2;
    }
    if (geteuid() != 0) { /* every probe would say EPERM, and the report would be about that */
        fputs(hm_text(&not_root, lang), stderr);
        return 1;
    }
    struct hm_buf out = HM_BUF(262144);
    int e = report(json, lang, &out);
    if (json)
        hm_buf_puts(&out, "\n");
    if (out.error == 0)
        fwrite(out.data, 1, out.len, stdout);
    int bad = e < 0 || out.error != 0;
    hm_buf_done(&out);
    return bad;
}
