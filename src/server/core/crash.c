/* See crash.h. The one mutable global of core: what a signal handler can reach. */
#include "server/core/crash.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#define CRASHES_TO_SET_ASIDE 2
#define LINES_MAX            64 /* of one life; a crash writes one */

struct line { /* fixed size: written by one write(2) in a signal handler */
    char consumer[16];
    uint64_t record;
};

static int log_fd = -1;
static __thread struct line now;

static void on_fatal(int sig)
{
    struct line l = now;
    if (l.consumer[0] && log_fd >= 0) {
        ssize_t n = write(log_fd, &l, sizeof l);
        (void)n; /* nothing else can be done here */
        (void)fdatasync(log_fd);
    }
    raise(sig); /* SA_RESETHAND: the default action, with a core where they are on */
}

int hm_crash_watch(const char *folder, struct hm_error *err)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    char path[4096];
    snprintf(path, sizeof path, "%s/crash.log", folder);
    log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log_fd < 0)
        return hm_fail(err, -errno, "%s: %s", path, strerror(errno));
    for (size_t i = 0; i < HM_ARRAY_LEN(fatal); i++) {
        struct sigaction sa = {.sa_handler = on_fatal, .sa_flags = SA_RESETHAND | SA_NODEFER};
        if (sigaction(fatal[i], &sa, NULL) < 0)
            return hm_fail(err, -errno, "sigaction: %s", strerror(errno));
    }
    return 0;
}

void hm_crash_working(const char *consumer, uint64_t record)
{
    now.record = record;
    snprintf(now.consumer, sizeof now.consumer, "%s", consumer ? consumer : "");
}

static int count(struct hm_control *c, const struct line *l,
                 void (*each)(void *ctx, const char *consumer, uint64_t record), void *ctx)
{
    char consumer[sizeof l->consumer + 1] = "";
    uint64_t n = 0;
    memcpy(consumer, l->consumer, sizeof l->consumer);
    int r = hm_crash_add(c, consumer, l->record, &n);
    if (r || n < CRASHES_TO_SET_ASIDE)
        return r;
    r = hm_set_aside_has(c, consumer, l->record);
    if (r)
        return r < 0 ? r : 0;
    r = hm_set_aside(c, consumer, l->record, "crashed the consumer twice");
    if (!r)
        each(ctx, consumer, l->record);
    return r;
}

int hm_crash_recover(const char *folder, struct hm_control *c,
                     void (*each)(void *ctx, const char *consumer, uint64_t record), void *ctx)
{
    char path[4096];
    struct line l;
    snprintf(path, sizeof path, "%s/crash.log", folder);
    hm_autoclose int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int r = hm_control_begin(c);
    if (r)
        return r;
    for (int i = 0; !r && i < LINES_MAX && read(fd, &l, sizeof l) == (ssize_t)sizeof l; i++)
        r = count(c, &l, each, ctx);
    r = hm_control_end(c, r);
    return r ? r : ftruncate(fd, 0) < 0 ? -errno : 0;
}
