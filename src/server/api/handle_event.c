/* History: a hunt worker answers, this thread reads its lines. A worker that fails, stalls or dies
 * is an honest 503, never a short answer that looks whole. */
#include "base/clock.h"
#include "base/log.h"
#include "event/event.h"
#include "server/api/route.h"
#include "server/hunt/hunt.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES (4 * 1024 * 1024) /* an alert with its evidence as JSON */

struct answer {
    struct hm_worker *w;
    struct hm_call *c;
    struct hm_jw *j;
    size_t rows;
    bool done, failed, damaged;
    char next[160];
};

/* A line that begins with {"@ is about the answer, not an event. */
static void take_note(struct answer *a, const char *line)
{
    cJSON *root = cJSON_Parse(line);
    const char *next = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "@next"));
    const char *file = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "@damaged"));
    const char *error = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "@error"));

    if (next)
        snprintf(a->next, sizeof a->next, "%s", next);
    if (file) {
        a->damaged = true;
        int r = hm_hunt_report_damage(a->w->control, a->c->who.tenant, file);
        hm_warn("segment %s is damaged%s", file, r ? " and could not be marked" : "");
        a->c->poke = "segments";
    }
    if (error) {
        a->failed = true;
        hm_warn("hunt: %s", error);
    }
    if (cJSON_GetObjectItemCaseSensitive(root, "@done"))
        a->done = true;
    cJSON_Delete(root);
}

static void take_line(struct answer *a, char *line)
{
    if (strncmp(line, "{\"@time\"", 8) != 0 && strncmp(line, "{\"@", 3) == 0)
        return take_note(a, line);
    if (*line != '{')
        return;
    hm_jw_raw(a->j, NULL, line);
    a->rows++;
}

/* Whole lines leave the buffer; the rest stays. */
static void take_lines(struct answer *a, struct hm_buf *in)
{
    size_t begin = 0;

    for (size_t i = 0; i < in->len; i++) {
        if (in->data[i] != '\n')
            continue;
        in->data[i] = 0;
        take_line(a, (char *)in->data + begin);
        begin = i + 1;
    }
    memmove(in->data, in->data + begin, in->len - begin);
    in->len -= begin;
}

static int read_all(struct answer *a, int fd)
{
    hm_auto(hm_buf_done) struct hm_buf in = HM_BUF(LINE_MAX_BYTES);
    uint64_t end_ns = hm_clock_mono_ns() + (HM_HUNT_SECONDS + 5) * 1000000000ull;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t now = hm_clock_mono_ns();
        if (now >= end_ns)
            return -ETIMEDOUT;
        if (poll(&p, 1, (int)((end_ns - now) / 1000000) + 1) <= 0)
            continue;
        size_t had = in.len;
        uint8_t *room = hm_buf_extend(&in, 64 * 1024);
        if (!room)
            return -E2BIG;
        ssize_t n = read(fd, room, 64 * 1024);
        in.len = had + (n > 0 ? (size_t)n : 0);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        take_lines(a, &in);
    }
}

/* kill() on others is denied by our own filter; a pidfd is not. */
static void reap(pid_t pid)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), status;

    if (pidfd >= 0) {
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        close(pidfd);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
}

enum { ENDPOINT, CLASS, ACTION, PROCESS, Q, FROM, TO, LIMIT, BEFORE, QUERY_ARGS };

static bool parse(struct hm_call *c, struct hm_arg *a, struct hm_hunt_query *q)
{
    static const struct hm_param params[QUERY_ARGS] = {
        [ENDPOINT] = {"endpoint", HM_ARG_ID, false, 0, 0},
        [CLASS] = {"class", HM_ARG_TEXT, false, 0, 32},
        [ACTION] = {"action", HM_ARG_TEXT, false, 0, 32},
        [PROCESS] = {"process", HM_ARG_KEY, false, 0, 0},
        [Q] = {"q", HM_ARG_TEXT, false, 0, 256},
        [FROM] = {"from", HM_ARG_TIME, false, 0, 0},
        [TO] = {"to", HM_ARG_TIME, false, 0, 0},
        [LIMIT] = {"limit", HM_ARG_UINT, false, 1, HM_HUNT_LIMIT_MAX},
        [BEFORE] = {"before", HM_ARG_TEXT, false, 0, 128},
    };
    static const struct hm_text unknown = {"unknown", "そのような値はありません"},
                                needs_class = {"action needs class",
                                               "action には class が必要です"};

    if (!hm_call_query(c, params, QUERY_ARGS, a))
        return false;
    *q = (struct hm_hunt_query){.tenant = c->who.tenant,
                                .has_endpoint = a[ENDPOINT].present,
                                .process_key = a[PROCESS].u64,
                                .from_ns = a[FROM].u64,
                                .to_ns = a[TO].u64,
                                .limit = a[LIMIT].present ? (uint32_t)a[LIMIT].u64 : 100};
    memcpy(q->endpoint, a[ENDPOINT].id, HM_ID_BYTES);
    q->q = a[Q].text && *a[Q].text ? a[Q].text : NULL;
    q->before = a[BEFORE].text && *a[BEFORE].text ? a[BEFORE].text : NULL;
    if (a[CLASS].present && !(q->class = hm_class_by_name(hm_slice_str(a[CLASS].text)))) {
        hm_call_problem(c, HM_P_INVALID, "class", &unknown);
        return false;
    }
    if (a[ACTION].present && !q->class) {
        hm_call_problem(c, HM_P_INVALID, "action", &needs_class);
        return false;
    }
    if (a[ACTION].present &&
        !(q->action = hm_action_by_name(q->class, hm_slice_str(a[ACTION].text)))) {
        hm_call_problem(c, HM_P_INVALID, "action", &unknown);
        return false;
    }
    return true;
}

struct losses {
    uint64_t count;
};

static int add_losses(void *ctx, const struct hm_endpoint_row *r)
{
    ((struct losses *)ctx)->count += r->losses;
    return 0;
}

static int finish(struct hm_worker *w, struct hm_call *c, struct answer *a,
                  const struct hm_arg *args)
{
    static const struct hm_text damaged = {
        "A stored segment could not be read; its events are missing here.",
        "読み取れない保存データがあり、その分のイベントは含まれていません。"};
    struct losses l = {0};
    int r = args[ENDPOINT].present
                ? hm_endpoint_get(w->control, c->who.tenant, args[ENDPOINT].id, add_losses, &l)
                : hm_endpoint_list(w->control, c->who.tenant, add_losses, &l);

    hm_jw_end_arr(a->j);
    a->next[0] ? hm_jw_str(a->j, "next", a->next) : hm_jw_null(a->j, "next");
    if (!r || r == -ENOENT)
        r = hm_write_completeness(w, c, a->j, l.count, &damaged, a->damaged ? 1 : 0);
    hm_jw_end_obj(a->j);
    return r;
}

void hm_handle_events(struct hm_worker *w, struct hm_call *c)
{
    struct hm_hunt_paths paths = {w->shared->store, w->shared->journal};
    struct hm_arg args[QUERY_ARGS];
    struct hm_hunt_query q;
    struct hm_error err = {0};
    struct hm_jw j;
    pid_t pid;
    int fd, r;

    if (!parse(c, args, &q))
        return;
    r = hm_hunt_start(w->control, &paths, &q, &pid, &fd, &err);
    if (r == -EINVAL)
        return hm_call_problem(c, HM_P_INVALID, q.before ? "before" : NULL, NULL);
    if (r) {
        hm_warn("hunt cannot start: %s", err.text);
        return hm_call_problem(c, HM_P_SEARCH, NULL, NULL);
    }
    j = hm_call_json(c, 200);
    struct answer a = {.w = w, .c = c, .j = &j};
    hm_jw_obj(&j, NULL);
    hm_jw_arr(&j, "items");
    r = read_all(&a, fd);
    close(fd);
    reap(pid);
    if (r || !a.done || a.failed)
        return hm_call_problem(c, HM_P_SEARCH, NULL, NULL);
    if ((r = finish(w, c, &a, args)))
        hm_call_error(c, r);
}
