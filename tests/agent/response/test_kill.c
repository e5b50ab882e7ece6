/* Kills, tried in a pid namespace and a cgroup of the test's own: pid 1 there is ours to aim at. */
#include "agent/response/kill.h"
#include "test_response.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static char cgroup[300], scope[300]; /* of this test binary; made once, removed at its end */

static void enter_cgroup(void)
{
    char path[400];
    snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, "0", 1) != 1)
        _exit(90);
    close(fd);
}

static int count_in_cgroup(void)
{
    char path[400], line[64];
    int n = 0;
    snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        n++;
    if (f)
        fclose(f);
    return n;
}

static pid_t start(void (*body)(void), bool inside)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (inside)
            enter_cgroup();
        body();
        _exit(0);
    }
    /* Moving to a cgroup waits for all processors: on a busy machine that takes its time. */
    for (int i = 0; inside && i < 500 && !hm_proc_in_cgroup(pid, scope); i++)
        usleep(10000);
    usleep(30000);
    return pid;
}

static void sleeper(void)
{
    pause();
}

/* A tree that keeps growing for a second: each process makes a child every two milliseconds. */
static void grower(void)
{
    for (int depth = 0; depth < 6; depth++) {
        for (int i = 0; i < 2; i++) {
            usleep(2000);
            if (fork() == 0)
                goto next;
        }
        pause();
    next:;
    }
    pause();
}

static struct hm_kill_target target(pid_t pid)
{
    struct hm_proc_stat st;
    assert_int_equal(hm_proc_stat_read(pid, &st), 0);
    return (struct hm_kill_target){.pid = pid,
                                   .start_ns = st.start_ticks *
                                               (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK)),
                                   .key = 0xabc};
}

static bool alive(pid_t pid)
{
    siginfo_t si = {0};
    return waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid == 0;
}

static bool stopped(pid_t pid)
{
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f) {
        if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
            state = 0;
        fclose(f);
    }
    return state == 'T';
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void growing_tree_dies_and_nothing_else(void)
{
    pid_t root = start(grower, true), bystander = start(sleeper, true);
    struct hm_kill_target t = target(root);
    struct hm_kill_options o = {.targets = &t, .count = 1, .tree = true, .scope = scope};
    struct hm_buf detail = HM_BUF(64 * 1024);
    struct hm_error err = {0};
    size_t survived = 99;
    CHECK(count_in_cgroup() > 5); /* it has grown */
    CHECK(hm_kill(&o, &detail, &survived, &err) == 0);
    CHECK(survived == 0);
    waitpid(root, NULL, 0);
    CHECK(count_in_cgroup() == 1); /* the bystander */
    CHECK(alive(bystander) && !stopped(bystander));
    hm_buf_put_u8(&detail, 0);
    CHECK(strstr((char *)detail.data, "\"key\":\"0000000000000abc\"") != NULL);
    CHECK(strstr((char *)detail.data, "\"survived\":[]") != NULL);
    hm_buf_done(&detail);
    end(bystander);
}

static void parent_and_child(void)
{
    if (fork() == 0)
        pause();
    pause();
}

static void one_process_dies_its_child_lives(void)
{
    pid_t root = start(parent_and_child, true);
    struct hm_kill_target t = target(root);
    struct hm_kill_options o = {.targets = &t, .count = 1, .scope = scope};
    struct hm_buf detail = HM_BUF(64 * 1024);
    size_t survived;
    CHECK(count_in_cgroup() == 2);
    CHECK(hm_kill(&o, &detail, &survived, NULL) == 0);
    waitpid(root, NULL, 0);
    CHECK(count_in_cgroup() == 1);
    hm_buf_done(&detail);
}

static bool everything_is_own(void *ctx, pid_t pid)
{
    (void)ctx;
    (void)pid;
    return true;
}

/* Rows of what must never be hit; each is still there, and not even stopped, afterwards. */
static void the_wrong_process_is_left_alone(void)
{
    pid_t inside = start(sleeper, true), outside = start(sleeper, false);
    struct hm_kill_target other_time = target(inside), gone = target(inside);
    other_time.start_ns += 50000000; /* five ticks: the pid was taken by another process */
    gone.pid = 30000;
    struct hm_kill_target taken_over = target(inside); /* its parent is no victim (any more) */
    taken_over.start_ns = 0;
    struct {
        const char *name;
        struct hm_kill_options o;
        struct hm_kill_target t;
        int want;
    } rows[] = {
        {"another start time", {.scope = scope}, other_time, -ESRCH},
        {"a pid without a start time", {.scope = scope}, taken_over, -ESRCH},
        {"a pid that is gone", {.scope = scope}, gone, -ESRCH},
        {"outside of the scope", {.scope = scope}, target(outside), -EPERM},
        {"the agent's own", {.scope = scope, .is_own = everything_is_own}, target(inside), -EPERM},
        {"pid 1", {.scope = NULL}, target(1), -EPERM},
        {"its own parent's tree through pid 1", {.tree = true}, target(1), -EPERM},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct hm_buf detail = HM_BUF(64 * 1024);
        struct hm_error err = {0};
        size_t survived;
        rows[i].o.targets = &rows[i].t;
        rows[i].o.count = 1;
        int r = hm_kill(&rows[i].o, &detail, &survived, &err);
        if (r != rows[i].want)
            fprintf(stderr, "%s: %d\n", rows[i].name, r);
        CHECK(r == rows[i].want);
        CHECK(alive(inside) && alive(outside) && !stopped(inside) && !stopped(outside) &&
              !stopped(1));
        hm_buf_done(&detail);
    }
    end(inside);
    end(outside);
}

/* The tree of what must not be killed is not killed either, in whatever order it was named. */
static void what_is_spared_spares_its_tree(void)
{
    pid_t inside = start(sleeper, true);
    struct hm_kill_target t[3] = {target(inside), target(inside), target(1)};
    t[2].key = 0x111;
    hm_kill_name(t, 3, 0x111);
    CHECK(t[0].pid == 1 && t[2].pid == inside);
    struct hm_kill_options o = {.targets = t, .count = 3, .tree = true};
    struct hm_buf detail = HM_BUF(64 * 1024);
    struct hm_error err = {0};
    size_t survived;
    CHECK(hm_kill(&o, &detail, &survived, &err) == -EPERM);
    CHECK(alive(inside) && !stopped(inside));
    hm_kill_name(t, 3, 0x999); /* not among them: as they were */
    CHECK(t[0].pid == 1);
    hm_buf_done(&detail);
    end(inside);
}

/* Targets besides the first come from the engine: children that were reparented long ago. */
static void named_orphans_die_too(void)
{
    pid_t a = start(sleeper, true), b = start(sleeper, true);
    struct hm_kill_target t[2] = {target(a), target(b)};
    struct hm_kill_options o = {.targets = t, .count = 2, .tree = true, .scope = scope};
    struct hm_buf detail = HM_BUF(64 * 1024);
    size_t survived;
    CHECK(hm_kill(&o, &detail, &survived, NULL) == 0);
    waitpid(a, NULL, 0);
    waitpid(b, NULL, 0);
    CHECK(count_in_cgroup() == 0);
    hm_buf_done(&detail);
}

/* Runs body as pid 1's child in a fresh pid namespace with its own /proc. */
static void in_pid_namespace(void (*body)(void))
{
    int status;
    pid_t outer = fork();
    if (outer == 0) {
        if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
            _exit(91);
        pid_t first = fork();
        if (first == 0) { /* pid 1 */
            if (mount("proc", "/proc", "proc", 0, NULL) < 0)
                _exit(92);
            pid_t test = fork();
            if (test == 0) {
                body();
                _exit(0);
            }
            int s = 0;
            while (waitpid(-1, &s, 0) != test)
                ;
            _exit(WIFEXITED(s) ? WEXITSTATUS(s) : 93);
        }
        waitpid(first, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 94);
    }
    assert_int_equal(waitpid(outer, &status, 0), outer);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(count_in_cgroup(), 0);
}

static void test_growing(void **s)
{
    (void)s;
    in_pid_namespace(growing_tree_dies_and_nothing_else);
}
static void test_one(void **s)
{
    (void)s;
    in_pid_namespace(one_process_dies_its_child_lives);
}
static void test_wrong(void **s)
{
    (void)s;
    in_pid_namespace(the_wrong_process_is_left_alone);
}
static void test_spared_tree(void **s)
{
    (void)s;
    in_pid_namespace(what_is_spared_spares_its_tree);
}
static void test_orphans(void **s)
{
    (void)s;
    in_pid_namespace(named_orphans_die_too);
}

static void proc_is_read_right(void **state)
{
    struct hm_proc_stat st;
    (void)state;
    assert_int_equal(hm_proc_stat_read(getpid(), &st), 0);
    assert_int_equal(st.parent, getppid());
    assert_false(st.kernel_thread);
    assert_int_equal(hm_proc_stat_read(2, &st), 0); /* kthreadd */
    assert_true(st.kernel_thread);
    assert_int_equal(hm_proc_stat_read(0x3fffff, &st), -ESRCH);
    char relative[64];
    assert_int_equal(hm_cgroup_relative("/nowhere/x", relative, sizeof relative), -EINVAL);
}

static int make_cgroup(void **state)
{
    char mount_point[256];
    (void)state;
    assert_int_equal(hm_cgroup_mount(mount_point, sizeof mount_point), 0);
    snprintf(cgroup, sizeof cgroup, "%s/hinomi-test-%d", mount_point, (int)getpid());
    assert_int_equal(mkdir(cgroup, 0755), 0);
    return hm_cgroup_relative(cgroup, scope, sizeof scope);
}

static int remove_cgroup(void **state)
{
    (void)state;
    for (int i = 0; i < 50 && rmdir(cgroup) < 0; i++)
        usleep(20000);
    return access(cgroup, F_OK) == 0;
}

int run_kill_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing),     cmocka_unit_test(test_one),
        cmocka_unit_test(test_wrong),       cmocka_unit_test(test_orphans),
        cmocka_unit_test(test_spared_tree), cmocka_unit_test(proc_is_read_right),
    };
    return cmocka_run_group_tests_name("kill", tests, make_cgroup, remove_cgroup);
}
