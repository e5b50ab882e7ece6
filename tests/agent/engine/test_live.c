/* The real sensor and the real engine: a cgroup of our own is watched, programs run in it, the
 * journal tells. Needs root, cgroup v2 and a kernel with BTF; else it says what is missing and
 * counts as skipped. */
#include "agent/engine/key.h"
#include "agent/sensor/sensor.h"
#include "base/clock.h"
#include "child.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define TRIES 40

static const char rule[] = "title: t\nid: 11111111-2222-4333-8444-555555555555\nstatus: "
                           "test\ndescription: test\nauthor: t\n"
                           "logsource: {product: linux, category: process_creation}\n"
                           "detection:\n  selection:\n    Image|startswith: /tmp/hm-live-\n  "
                           "condition: selection\nlevel: high\n"
                           "hinomi:\n  title_ja: t\n  reason: r\n  reason_ja: r\n";

struct world {
    int flood; /* forks of a flood; HINOMI_TEST_FLOOD makes it smaller where the machine is slow */
    char cgroup[300], dir[64], prog[96];
    int cgroup_fd;
    struct hm_sensor *sensor;
};

static bool cgroup2(char *ret, size_t len)
{
    char line[1024], path[256], type[64];
    bool found = false;
    FILE *f = fopen("/proc/mounts", "re");
    while (f && !found && fgets(line, sizeof line, f))
        found = sscanf(line, "%*s %255s %63s", path, type) == 2 && strcmp(type, "cgroup2") == 0;
    if (f)
        fclose(f);
    if (found)
        snprintf(ret, len, "%s", path);
    return found;
}

static void copy_true(const char *to)
{
    static char bytes[1 << 20];
    hm_autoclose int in = open("/bin/true", O_RDONLY);
    hm_autoclose int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    ssize_t n = read(in, bytes, sizeof bytes);
    assert_true(n > 0 && n < (ssize_t)sizeof bytes);
    assert_int_equal(write(out, bytes, (size_t)n), n);
}

/* NULL: all is there; else what is missing. */
static const char *world_open(struct world *w)
{
    static struct hm_error err;
    char root[256];
    const char *flood = getenv("HINOMI_TEST_FLOOD");
    w->flood = flood ? (int)strtol(flood, NULL, 10) : 20000;
    w->cgroup_fd = -1;
    if (geteuid() != 0)
        return "root";
    if (!cgroup2(root, sizeof root))
        return "a cgroup v2 mount";
    snprintf(w->cgroup, sizeof w->cgroup, "%s/hinomi-engine-%d", root, (int)getpid());
    snprintf(w->dir, sizeof w->dir, "/tmp/hm-live-XXXXXX");
    if (mkdir(w->cgroup, 0755) < 0 || !mkdtemp(w->dir))
        return "a cgroup of our own";
    snprintf(w->prog, sizeof w->prog, "%s/prog", w->dir);
    copy_true(w->prog);
    w->cgroup_fd = open(w->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct hm_sensor_options o = {.scope_cgroup_fd = w->cgroup_fd};
    return hm_sensor_open(&o, &w->sensor, &err) < 0 ? err.text : NULL;
}

static void world_close(struct world *w)
{
    hm_sensor_close(w->sensor);
    if (w->cgroup_fd >= 0)
        close(w->cgroup_fd);
    for (int i = 0; i < 200 && rmdir(w->cgroup) < 0 && errno == EBUSY; i++)
        usleep(10000);
    unlink(w->prog);
    rmdir(w->dir);
}

/* A child inside the watched cgroup. */
static pid_t inside(struct world *w)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    char path[340];
    snprintf(path, sizeof path, "%s/cgroup.procs", w->cgroup);
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, "0", 1) != 1)
        _exit(98);
    close(fd);
    return 0;
}

static void reap(pid_t pid)
{
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static struct engine_fds fds_of(struct world *w)
{
    return (struct engine_fds){hm_sensor_ring_fd(w->sensor), hm_sensor_args_ring_fd(w->sensor),
                               hm_sensor_counters_fd(w->sensor), -1};
}

static struct engine *begin(struct world *w)
{
    struct hm_msg_durable d;
    struct engine *g = engine_new(fds_of(w), "/tmp", rule);
    engine_hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
    return g;
}

static void a_shell_and_its_commands_are_recorded(void **state)
{
    struct world *w = *state;
    struct engine *g = begin(w);
    pid_t pid = inside(w);
    if (!pid) {
        execl("/bin/sh", "sh", "-c", "/bin/echo one two >/dev/null; /bin/true three; exit 0", NULL);
        _exit(97);
    }
    reap(pid);
    assert_int_equal(engine_finish(g), 0);
    struct found f = engine_journal(g, "bulk", HM_ACTION_PROCESS_EXEC);
    assert_int_equal(f.count, 3);
    assert_string_equal(f.text, "/bin/true three");
    assert_int_equal(engine_journal(g, "bulk", HM_ACTION_PROCESS_EXIT).count, 3);
    f = engine_journal(g, "bulk", HM_ACTION_LOSS_SENSOR);
    assert_int_equal(f.losses + f.gaps, 0);
    engine_free(g);
}

/* It comes through a ring of its own, and still before the exit of its process. */
static void long_arguments_are_recorded_whole(void **state)
{
    struct world *w = *state;
    struct engine *g = begin(w);
    pid_t pid = inside(w);
    if (!pid) {
        static char big[20001];
        memset(big, 'x', sizeof big - 1);
        execl("/bin/true", "true", big, NULL);
        _exit(97);
    }
    reap(pid);
    assert_int_equal(engine_finish(g), 0);
    struct found f = engine_journal(g, "bulk", HM_ACTION_PROCESS_EXEC);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.longest, strlen("true ") + 20000);
    assert_int_equal(engine_journal(g, "bulk", HM_ACTION_PROCESS_EXIT).count, 1);
    engine_free(g);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void alert_is_durable_soon_after_the_exec(void **state)
{
    struct world *w = *state;
    struct engine *g = begin(w);
    double ms[TRIES];
    for (int i = 0; i < TRIES; i++) {
        struct hm_msg_durable d;
        uint64_t before = hm_clock_boot_ns();
        pid_t pid = inside(w);
        if (!pid) {
            execl(w->prog, "prog", NULL);
            _exit(97);
        }
        while (engine_journal(g, "alert", HM_ACTION_FINDING_ALERT).count <= (uint64_t)i)
            engine_hear(g, g->uplink, HM_MSG_DURABLE, &hm_desc_durable, &d);
        struct found f = engine_journal(g, "alert", HM_ACTION_FINDING_ALERT);
        assert_true(f.boot_ns > before);
        ms[i] = (double)(hm_clock_boot_ns() - f.boot_ns) / 1e6;
        reap(pid);
        usleep(1000 * (i % 7));
    }
    qsort(ms, TRIES, sizeof ms[0], by_value);
    print_message("exec in the kernel to durable alert: median %.1f ms, worst of %d %.1f ms\n",
                  ms[TRIES / 2], TRIES, ms[TRIES - 1]);
    assert_int_equal(engine_finish(g), 0);
    engine_free(g);
}

static __attribute__((noinline)) pid_t short_life(void)
{
    pid_t p = vfork();
    if (p == 0)
        _exit(0);
    return p;
}

static __attribute__((noreturn)) void fork_many(int count)
{
    for (int i = 0; i < count; i++) {
        pid_t p = short_life();
        if (p < 0 || waitpid(p, NULL, 0) != p)
            _exit(96);
    }
    _exit(0);
}

/* Every fork and exit arrives or is in a loss event; the seqs of the lane have no gap. */
static void flood_is_complete_or_accounted_for(void **state)
{
    struct world *w = *state;
    struct engine *g = begin(w);
    pid_t pid = inside(w);
    if (!pid)
        fork_many(w->flood);
    reap(pid);
    assert_int_equal(engine_finish(g), 0);
    struct found forks = engine_journal(g, "bulk", HM_ACTION_PROCESS_FORK),
                 exits = engine_journal(g, "bulk", HM_ACTION_PROCESS_EXIT);
    print_message("flood: %d forks: %llu told, %llu exits told, %llu lost\n", w->flood,
                  (unsigned long long)forks.count, (unsigned long long)exits.count,
                  (unsigned long long)exits.losses);
    assert_int_equal(exits.gaps, 0);
    assert_int_equal(forks.count + exits.count + exits.losses,
                     2 * (uint64_t)w->flood + 1); /* and the flooder's own exit */
    engine_free(g);
}

/* kill -9 in mid-stream: what the first engine took and did not keep is in a loss event. */
static void killed_engine_accounts_for_every_record(void **state)
{
    struct world *w = *state;
    struct engine *g = begin(w);
    pid_t pid = inside(w);
    if (!pid)
        fork_many(w->flood);
    usleep(700000);
    assert_int_equal(kill(g->pid, SIGKILL), 0);
    engine_finish(g);
    engine_start(g, fds_of(w), "/tmp");
    reap(pid);
    assert_int_equal(engine_finish(g), 0);
    struct found forks = engine_journal(g, "bulk", HM_ACTION_PROCESS_FORK),
                 exits = engine_journal(g, "bulk", HM_ACTION_PROCESS_EXIT);
    print_message("kill -9: %llu forks and %llu exits told, %llu lost and said so\n",
                  (unsigned long long)forks.count, (unsigned long long)exits.count,
                  (unsigned long long)exits.losses);
    assert_int_equal(exits.gaps, 0);
    assert_int_equal(forks.count + exits.count + exits.losses, 2 * (uint64_t)w->flood + 1);
    engine_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shell_and_its_commands_are_recorded),
        cmocka_unit_test(long_arguments_are_recorded_whole),
        cmocka_unit_test(alert_is_durable_soon_after_the_exec),
        cmocka_unit_test(flood_is_complete_or_accounted_for),
        cmocka_unit_test(killed_engine_accounts_for_every_record),
    };
    static struct world w;
    int r = 77;
    const char *missing = world_open(&w);
    if (missing) {
        fprintf(stderr, "skipped: needs %s\n", missing);
    } else {
        struct CMUnitTest with[HM_ARRAY_LEN(tests)];
        for (size_t i = 0; i < HM_ARRAY_LEN(tests); i++) {
            with[i] = tests[i];
            with[i].initial_state = &w;
        }
        r = cmocka_run_group_tests(with, NULL, NULL);
    }
    world_close(&w);
    return r;
}
