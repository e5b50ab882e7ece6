/* See kill.h. The order of things: pidfd first, then the start time (so that both speak of one
 * process), stop everything, look for children until there are no new ones, then kill. */
#include "agent/response/kill.h"
#include "event/event.h"
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct victim {
    int pidfd;
    bool dead;
    char image[HM_KILL_IMAGE_BYTES];
};
struct hunt {
    const struct hm_kill_options *o;
    struct hm_kill_target *who; /* parallel to v: what describe() sees */
    struct victim *v;
    size_t n;
    struct hm_buf spared; /* JSON: on the never-list */
};

static uint64_t ticks_of(uint64_t start_ns)
{
    return start_ns / (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

static bool is_known(const struct hunt *h, pid_t pid)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->who[i].pid == pid)
            return true;
    return false;
}

/* NULL: may be killed. */
static const char *objection(const struct hunt *h, pid_t pid, const struct hm_proc_stat *st)
{
    if (pid <= 1)
        return "pid 1";
    if (st->kernel_thread)
        return "a kernel thread";
    if (h->o->is_own && h->o->is_own(h->o->ctx, pid))
        return "a process of the agent";
    if (h->o->scope && !hm_proc_in_cgroup(pid, h->o->scope))
        return "outside of this endpoint's scope";
    return NULL;
}

static void read_image(pid_t pid, char *buf, size_t len)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    ssize_t n = readlink(path, buf, len - 1);
    buf[n > 0 ? n : 0] = 0;
}

static void signal_victim(const struct victim *v, int sig)
{
    syscall(SYS_pidfd_send_signal, v->pidfd, sig, NULL, 0);
}

static void spare(struct hunt *h, pid_t pid, const char *why)
{
    hm_buf_printf(&h->spared, "%s{\"pid\":%d,\"reason\":\"%s\"}", h->spared.len ? "," : "",
                  (int)pid, why);
}

/* A pid is not given to another process while its pidfd shows one that has not ended: what /proc
 * said before this is about the same process. */
static bool still_runs(int pidfd)
{
    struct pollfd p = {pidfd, POLLIN, 0};
    return poll(&p, 1, 0) == 0;
}

/* Is the process that this pid is now still the one that was meant? With a start time: exactly.
 * Without one /proc had shown it as a child of a victim, so that is looked at again. */
static bool is_meant(const struct hunt *h, const struct hm_kill_target *t,
                     const struct hm_proc_stat *st)
{
    return t->start_ns ? ticks_of(t->start_ns) == st->start_ticks : is_known(h, st->parent);
}

/* 1 taken, 0 gone or another process by now, -EPERM on the never-list, -ENOSPC. */
static int take(struct hunt *h, const struct hm_kill_target *t)
{
    struct hm_proc_stat st;
    if (is_known(h, t->pid))
        return 0;
    if (h->n == HM_KILL_MAX)
        return -ENOSPC;
    hm_autoclose int pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0);
    if (pidfd < 0 || hm_proc_stat_read(t->pid, &st) < 0 || !is_meant(h, t, &st))
        return 0;
    const char *why = objection(h, t->pid, &st);
    if (!still_runs(pidfd))
        return 0;
    if (why) {
        spare(h, t->pid, why);
        return -EPERM;
    }
    struct victim *v = &h->v[h->n];
    read_image(t->pid, v->image, sizeof v->image);
    v->pidfd = hm_steal_fd(&pidfd);
    v->dead = false;
    h->who[h->n++] = *t;
    signal_victim(v, SIGSTOP);
    return 1;
}

/* One look through /proc; returns how many new descendants were stopped. */
static int look(struct hunt *h)
{
    DIR *d = opendir("/proc");
    struct dirent *e;
    int found = 0, r = 0;
    while (d && r != -ENOSPC && (e = readdir(d))) {
        char *end;
        long pid = strtol(e->d_name, &end, 10);
        struct hm_proc_stat st;
        if (*end || pid <= 1 || is_known(h, (pid_t)pid) || hm_proc_stat_read((pid_t)pid, &st) < 0 ||
            !is_known(h, st.parent))
            continue;
        struct hm_kill_target t = {.pid = (pid_t)pid};
        r = take(h, &t);
        found += r == 1;
    }
    if (d)
        closedir(d);
    return r == -ENOSPC ? 0 : found;
}

/* A stop signal that was sent is not a stop: until then a process may come out of fork() with one
 * more child. */
static bool all_stopped(const struct hunt *h)
{
    for (size_t i = 0; i < h->n; i++) {
        struct hm_proc_stat st;
        if (hm_proc_stat_read(h->who[i].pid, &st) == 0 && !strchr("TtZX", st.state))
            return false;
    }
    return true;
}

/* Until a look that began when everybody had stopped finds nobody new. */
static void gather(struct hunt *h)
{
    for (int pass = 0; pass < HM_KILL_PASSES; pass++) {
        bool settled = all_stopped(h);
        int found = look(h);
        if (!found && settled)
            return;
        if (!found)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void wait_dead(struct hunt *h)
{
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (size_t i = 0; i < h->n; i++) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        long spent = (now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000;
        struct pollfd p = {h->v[i].pidfd, POLLIN, 0};
        h->v[i].dead =
            poll(&p, 1, spent < HM_KILL_WAIT_MS ? (int)(HM_KILL_WAIT_MS - spent) : 0) == 1;
    }
}

static size_t report(const struct hunt *h, bool dead, struct hm_buf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++) {
        if (h->v[i].dead != dead || n++ >= HM_KILL_NAMED_MAX)
            continue;
        hm_buf_printf(out, "%s{\"pid\":%d,\"key\":\"%016llx\",\"image\":\"", n == 1 ? "" : ",",
                      (int)h->who[i].pid, (unsigned long long)h->who[i].key);
        hm_json_escape(hm_slice_str(h->v[i].image), out);
        hm_buf_puts(out, "\"}");
    }
    if (!dead && h->spared.len)
        hm_buf_printf(out, "%s%.*s", n ? "," : "", (int)h->spared.len,
                      (const char *)h->spared.data);
    return n;
}

static int run(struct hunt *h, struct hm_buf *detail, size_t *ret_survived, struct hm_error *err)
{
    int first = 0;
    for (size_t i = 0; i < h->o->count; i++) {
        int r = take(h, &h->o->targets[i]);
        first = i == 0 ? r : first;
        if (first == -EPERM) /* nothing was stopped yet */
            break;
    }
    if (first == -EPERM)
        return hm_fail(err, -EPERM, "the process is %.*s", (int)h->spared.len,
                       (const char *)h->spared.data);
    if (h->o->tree)
        gather(h);
    if (h->n == 0)
        return hm_fail(err, -ESRCH, "the process had ended before the order came");
    if (h->o->describe)
        h->o->describe(h->o->ctx, h->who, h->n);
    for (size_t i = 0; i < h->n; i++)
        signal_victim(&h->v[i], SIGKILL);
    wait_dead(h);
    hm_buf_puts(detail, "{\"killed\":[");
    size_t killed = report(h, true, detail);
    hm_buf_puts(detail, "],\"survived\":[");
    *ret_survived = report(h, false, detail);
    hm_buf_puts(detail, "]");
    if (killed > HM_KILL_NAMED_MAX || *ret_survived > HM_KILL_NAMED_MAX)
        hm_buf_printf(detail, ",\"killed_count\":%zu,\"survived_count\":%zu", killed,
                      *ret_survived);
    hm_buf_puts(detail, "}");
    return detail->error
               ? hm_fail(err, detail->error, "%zu were killed, but not all can be named", killed)
               : 0;
}

void hm_kill_name(struct hm_kill_target *targets, size_t n, uint64_t key)
{
    for (size_t i = 1; i < n; i++)
        if (targets[i].key == key) {
            struct hm_kill_target named = targets[i];
            targets[i] = targets[0];
            targets[0] = named;
            return;
        }
}

int hm_kill(const struct hm_kill_options *o, struct hm_buf *detail, size_t *ret_survived,
            struct hm_error *err)
{
    struct hunt h = {.o = o, .spared = HM_BUF(16 * 1024)};
    h.who = calloc(HM_KILL_MAX, sizeof *h.who);
    h.v = calloc(HM_KILL_MAX, sizeof *h.v);
    int r = h.who && h.v ? run(&h, detail, ret_survived, err)
                         : hm_fail(err, -ENOMEM, "no memory for the kill");
    for (size_t i = 0; i < h.n; i++)
        close(h.v[i].pidfd);
    hm_buf_done(&h.spared);
    free(h.who);
    free(h.v);
    return r;
}
