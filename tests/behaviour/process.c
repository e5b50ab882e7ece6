/* Behaviours of processes: fork, vfork, threads, exit, and what is in scope. */
#include "behaviour.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void act_exits(struct world *w)
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGSEGV, SIG_DFL); /* a sanitizer catches it */
    for (int i = 0; i < 3; i++) {
        pid_t p = fork();
        if (p == 0 && i == 0)
            _exit(42);
        if (p == 0)
            raise(i == 1 ? SIGKILL : SIGSEGV);
        w->note->pid[i] = p;
        wait_for(p);
    }
}

static void check_exits(struct world *w)
{
    static const uint32_t want[3][2] = {{42, 0}, {0, SIGKILL}, {0, SIGSEGV}};
    expect_exactly(w, "fork 3 exit 4");
    for (int i = 0; i < 3; i++) {
        const struct hm_rec_exit *e = (const void *)record_of(w, HM_REC_EXIT, w->note->pid[i], 0);
        const struct hm_rec_fork *f = (const void *)record_of(w, HM_REC_FORK, w->note->pid[i], 0);
        EXPECT(w, e->code == want[i][0] && e->signal == want[i][1], "child %d: code %u signal %u",
               i, e->code, e->signal);
        EXPECT(w, f->h.ppid == (uint32_t)w->actor && f->creator_tgid == (uint32_t)w->actor,
               "parent %u", f->h.ppid);
        EXPECT(w, f->h.start_ns == e->h.start_ns && f->h.start_ns != 0,
               "fork and exit name two start times");
        EXPECT(w, f->h.parent_start_ns == f->creator_start_ns, "parent's start time");
        EXPECT(w, f->h.boot_ns <= e->h.boot_ns, "exit before fork");
    }
}

static void act_vfork(struct world *w)
{
    pid_t p = vfork();
    if (p == 0) {
        execl("/bin/true", "true", NULL);
        _exit(126);
    }
    w->note->pid[0] = p;
    wait_for(p);
}

static void check_vfork(struct world *w)
{
    expect_exactly(w, "exec 1 fork 1 exit 2");
    EXPECT(w, exec_of(w, w->note->pid[0], 0)->h.ppid == (uint32_t)w->actor, "parent");
}

static void *idle_thread(void *arg)
{
    usleep(20000);
    return arg;
}

static void act_threads(struct world *w)
{
    pthread_t t[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&t[i], NULL, idle_thread, NULL);
    for (int i = 0; i < 8; i++)
        pthread_join(t[i], NULL);
}

static void check_threads(struct world *w)
{
    expect_exactly(w, "exit 1"); /* threads are not processes */
}

static void *exec_thread(void *arg)
{
    execl("/bin/true", "true", "thread", NULL);
    return arg;
}

/* The thread takes the process's number over: still the same process. */
static void act_thread_exec(struct world *w)
{
    pid_t p = fork();
    if (p == 0) {
        pthread_t t;
        pthread_create(&t, NULL, exec_thread, NULL);
        pause();
    }
    w->note->pid[0] = p;
    wait_for(p);
}

static void check_thread_exec(struct world *w)
{
    expect_exactly(w, "exec 1 fork 1 exit 2");
    const struct hm_rec_exec *e = exec_of(w, w->note->pid[0], 0);
    EXPECT(w, e->h.tgid == e->h.tid, "tid %u", e->h.tid);
    EXPECT(w, e->h.start_ns == record_of(w, HM_REC_FORK, w->note->pid[0], 0)->start_ns,
           "start time changed");
}

static void *last_thread(void *arg)
{
    usleep(30000);
    syscall(SYS_exit, 4);
    return arg;
}

/* The first thread leaves before the last: one exit, when the last is gone, with the leader's code.
 */
static void act_leader_first(struct world *w)
{
    pid_t p = fork();
    if (p == 0) {
        pthread_t t;
        pthread_create(&t, NULL, last_thread, NULL);
        syscall(SYS_exit, 9);
    }
    w->note->pid[0] = p;
    w->note->number[0] = (uint64_t)WEXITSTATUS(wait_for(p));
}

static void check_leader_first(struct world *w)
{
    expect_exactly(w, "fork 1 exit 2");
    const struct hm_rec_exit *e = (const void *)record_of(w, HM_REC_EXIT, w->note->pid[0], 0);
    EXPECT(w, e->code == w->note->number[0] && e->signal == 0, "code %u signal %u", e->code,
           e->signal);
}

static void outside_scope(struct world *w)
{
    for (int i = 0; i < 5; i++) {
        pid_t p = fork();
        if (p == 0) {
            execl("/bin/true", "true", "outside", NULL);
            _exit(126);
        }
        w->note->pid[i] = p;
        wait_for(p);
    }
}

static void act_nothing(struct world *w)
{
    usleep(50000);
}

static void check_scope(struct world *w)
{
    expect_exactly(w, "exit 1");
}

/* A child of a process outside, put into the cgroup by clone3 itself: in scope from its first
 * moment. */
static void outside_clone_into(struct world *w)
{
    struct clone_args a = {
        .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)w->cgroup_fd};
    pid_t p = (pid_t)syscall(SYS_clone3, &a, sizeof a);
    if (p == 0) {
        execl("/bin/true", "true", NULL);
        _exit(126);
    }
    w->note->pid[0] = p;
    wait_for(p);
}

static void check_clone_into(struct world *w)
{
    expect_exactly(w, "exec 1 fork 1 exit 2");
    const struct hm_rec_header *f = record_of(w, HM_REC_FORK, w->note->pid[0], 0);
    EXPECT(w, f->ppid == (uint32_t)getpid(), "parent %u", f->ppid);
}

static void act_sub_cgroup(struct world *w)
{
    char path[400];
    snprintf(path, sizeof path, "%s/sub", w->cgroup);
    mkdir(path, 0755);
    pid_t p = fork();
    if (p == 0) {
        snprintf(path, sizeof path, "%s/sub/cgroup.procs", w->cgroup);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (write(fd, "0", 1) < 0)
            _exit(125);
        close(fd);
        execl("/bin/true", "true", NULL);
        _exit(126);
    }
    struct stat st;
    snprintf(path, sizeof path, "%s/sub", w->cgroup);
    w->note->number[0] = stat(path, &st) == 0 ? st.st_ino : 0;
    w->note->pid[0] = p;
    wait_for(p);
}

static void check_sub_cgroup(struct world *w)
{
    expect_exactly(w, "exec 1 fork 1 exit 2");
    const struct hm_rec_exec *e = exec_of(w, w->note->pid[0], 0);
    EXPECT(w, e->h.cgroup_id == w->note->number[0], "cgroup id %llu",
           (unsigned long long)e->h.cgroup_id);
    EXPECT_STR(w, e, cgroup, "sub");
}

const struct behaviour process_behaviours[] = {
    {.name = "exit codes and signals", .act = act_exits, .check = check_exits},
    {.name = "vfork and exec", .act = act_vfork, .check = check_vfork},
    {.name = "threads are not processes", .act = act_threads, .check = check_threads},
    {.name = "exec from a thread", .act = act_thread_exec, .check = check_thread_exec},
    {.name = "leader leaves first", .act = act_leader_first, .check = check_leader_first},
    {.name = "outside the scope",
     .act = act_nothing,
     .outside = outside_scope,
     .check = check_scope},
    {.name = "cloned into the scope",
     .act = act_nothing,
     .outside = outside_clone_into,
     .check = check_clone_into},
    {.name = "cgroup beneath the scope", .act = act_sub_cgroup, .check = check_sub_cgroup},
    {0},
};
