/* Behaviours at the limits: a ring nobody reads, the snapshot, counters. */
#include "behaviour.h"
#include "agent/sensor/sensor_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <string.h>
#include <sys/mman.h>

#define FLOOD 200

static void act_flood(struct world *w)
{
    for (int i = 0; i < FLOOD; i++) {
        pid_t p = fork();
        if (p == 0)
            _exit(0);
        wait_for(p);
    }
}

/* Nobody reads a ring of one page: what does not fit is counted, to the last record. */
static void check_loss(struct world *w)
{
    const volatile struct hm_sensor_counter *f = &w->counters[HM_PROG_FORK],
                                            *x = &w->counters[HM_PROG_EXIT];
    EXPECT(w, f->sent + f->lost == FLOOD, "forks: %llu sent, %llu lost",
           (unsigned long long)f->sent, (unsigned long long)f->lost);
    EXPECT(w, x->sent + x->lost == FLOOD + 1, "exits: %llu sent, %llu lost",
           (unsigned long long)x->sent, (unsigned long long)x->lost);
    EXPECT(w, f->lost > 0 && f->sent > 0 && f->lost_last_ns > 0, "nothing was lost");
    EXPECT(w, f->errors == 0 && x->errors == 0 && f->lost_long == 0, "errors");
}

static void check_complete(struct world *w)
{
    char want[64];
    snprintf(want, sizeof want, "fork %d exit %d", FLOOD, FLOOD + 1);
    expect_exactly(w, want);
    EXPECT(w, w->counters[HM_PROG_FORK].sent == FLOOD && w->counters[HM_PROG_FORK].lost == 0,
           "counters");
}

static void act_sleepless(struct world *w)
{
}

/* The counters' descriptor is handed to a process that must not be able to write it. */
static void check_frozen(struct world *w)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, hm_sensor_counters_fd(w->sensor), 0);
    EXPECT(w, p == MAP_FAILED && errno == EPERM, "the counters can be mapped for writing");
}

/* Long command lines fill their own ring; the others go on. */
static void act_long_flood(struct world *w)
{
    char *big = malloc(20001), *argv[] = {"true", big, NULL};
    memset(big, 'x', 20000);
    big[20000] = 0;
    for (int i = 0; i < 8; i++) {
        pid_t p = fork();
        if (p == 0)
            execv("/bin/true", argv);
        wait_for(p);
    }
    argv[1] = NULL;
    pid_t p = fork();
    if (p == 0)
        execv("/bin/true", argv);
    wait_for(p);
}

static void check_long_flood(struct world *w)
{
    const volatile struct hm_sensor_counter *e = &w->counters[HM_PROG_EXEC],
                                            *f = &w->counters[HM_PROG_FORK];
    EXPECT(w, e->sent + e->lost == 9 && e->lost > 0 && e->lost < 8, "%llu sent, %llu lost",
           (unsigned long long)e->sent, (unsigned long long)e->lost);
    EXPECT(w, e->lost == e->lost_long, "a short one was lost");
    EXPECT(w, f->sent == 9 && f->lost == 0, "forks lost");
}

/* What the kernel skipped reaches the frozen counters. */
static void check_missed(struct world *w)
{
    uint64_t lost = w->counters[HM_PROG_SOCK_STATE].lost;
    hm_sensor_count_missed(w->sensor);
    EXPECT(w, w->counters[HM_PROG_SOCK_STATE].lost == lost,
           "something was skipped in an empty sensor");
    EXPECT(w, hm_sensor_add_missed(w->sensor, HM_PROG_SOCK_STATE, 3) == 0,
           "the program does not run");
    EXPECT(w, w->counters[HM_PROG_SOCK_STATE].lost == lost + 3, "%llu",
           (unsigned long long)w->counters[HM_PROG_SOCK_STATE].lost);
    EXPECT(w, w->counters[HM_PROG_SOCK_STATE].lost_last_ns > 0, "no time");
    EXPECT(w, hm_sensor_add_missed(w->sensor, HM_PROG_COUNT, 1) == -EINVAL,
           "a program that is none");
}

static void act_sleep(struct world *w)
{
    char *argv[] = {"sleeper", "-c", "read x; exit 3", NULL};
    char *env[] = {"A=b", "LD_LIBRARY_PATH=/nowhere", NULL};
    int in[2];
    if (pipe(in) < 0 || chdir("/usr") < 0)
        _exit(124);
    pid_t p = fork();
    if (p == 0) {
        dup2(in[0], 0);
        close(in[1]);
        execve("/bin/sh", argv, env);
        _exit(126);
    }
    w->note->pid[0] = p;
    usleep(50000); /* the exec */
    w->note->number[0] = 1;
    while (w->note->number[1] == 0) /* the harness takes its snapshot */
        usleep(2000);
    close(in[1]);
    wait_for(p);
}

static int keep(void *arg, struct hm_slice record)
{
    struct world *w = arg;
    EXPECT(w, hm_record_check(record) == 0, "a malformed snapshot of %zu bytes", record.len);
    if (w->seen_count == SEEN_MAX)
        return -ENOSPC;
    uint64_t *copy = malloc(record.len + 8);
    memcpy(copy, record.p, record.len);
    w->seen[w->seen_count++] = copy;
    return 0;
}

static void take_snapshot(struct world *w)
{
    struct hm_error err = {0};
    while (w->note->number[0] == 0)
        usleep(2000);
    EXPECT(w, hm_sensor_snapshot(w->sensor, keep, w, &err) == 0, "%s", err.text);
    w->note->number[1] = 1;
}

static void check_snapshot(struct world *w)
{
    static const char args[] = "sleeper\0-c\0read x; exit 3", env[] = "LD_LIBRARY_PATH=/nowhere";
    pid_t p = w->note->pid[0];
    const struct hm_rec_exec *s = (const void *)record_of(w, HM_REC_SNAPSHOT, p, 0),
                             *e = exec_of(w, p, 0);
    expect_exactly(w,
                   "exec 1 fork 1 exit 2 snapshot 2"); /* the sleeper and its parent; nobody else */
    EXPECT(w, s->h.start_ns == e->h.start_ns && s->h.parent_start_ns == e->h.parent_start_ns,
           "start times");
    EXPECT(w, s->h.ppid == (uint32_t)w->actor && s->h.cgroup_id == e->h.cgroup_id, "identity");
    EXPECT(w, s->inode == e->inode && s->dev == e->dev && s->mtime_ns == e->mtime_ns, "executable");
    EXPECT(w, s->argc == 3 && s->stdio[0] == HM_STDIO_PIPE, "argc %u", s->argc);
    EXPECT(w, hm_slice_eq(hm_record_str(&s->h, s->path), hm_record_str(&e->h, e->path)), "path");
    expect_str(w, "args", s, s->args, args, sizeof args);
    expect_str(w, "env", s, s->env, env, sizeof env);
    EXPECT_STR(w, s, cwd, "/usr");
    EXPECT(w, hm_slice_eq(hm_record_str(&s->h, s->cgroup), hm_record_str(&e->h, e->cgroup)),
           "cgroup name");
}

const struct behaviour limit_behaviours[] = {
    {.name = "a full ring is counted",
     .act = act_flood,
     .check = check_loss,
     .own_sensor = true,
     .ring_bytes = 4096,
     .deaf = true},
    {.name = "a flood is complete", .act = act_flood, .check = check_complete, .own_sensor = true},
    {.name = "counters cannot be written", .act = act_sleepless, .check = check_frozen},
    {.name = "long arguments fill their own ring",
     .act = act_long_flood,
     .check = check_long_flood,
     .own_sensor = true,
     .args_ring_bytes = 65536,
     .deaf = true},
    {.name = "what the kernel skipped is counted",
     .act = act_sleepless,
     .check = check_missed,
     .own_sensor = true},
    {.name = "snapshot", .act = act_sleep, .outside = take_snapshot, .check = check_snapshot},
    {0},
};
