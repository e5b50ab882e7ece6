/* `hinomi-agent practice`: owns the order in which the practice world is built, watched and taken
 * down. Its parts are net.c, place.c and helpers.c. */
#include "agent/practice/practice.h"
#include "agent/commands.h"
#include "agent/identity.h"
#include "agent/practice/helpers.h"
#include "agent/practice/limits.h"
#include "agent/practice/world.h"
#include "agent/uplink/enroll.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <poll.h>
#include <unistd.h>

#define AGENT_STOP_MS 15000

struct options {
    const char *state, *server, *rules, *token, *ca;
};
struct world {
    const struct options *o;
    char host[256], port[8], cgroup[300];
    int state_fd, rules_fd, keeper_pipe, signal_fd;
    struct hm_world_net net;
    pid_t keeper, relay, attacker, agent;
    bool stop, failed;
    unsigned ends; /* of the agent, in a row */
    time_t last_end;
};

static int split(const char *server, char *host, size_t len, char port[8])
{
    const char *colon = strrchr(server, ':');
    size_t n = colon ? (size_t)(colon - server) : 0;
    if (!n || n >= len || strlen(colon + 1) > 5 || strtoul(colon + 1, NULL, 10) - 1 >= 65535)
        return -EINVAL;
    snprintf(host, len, "%.*s", (int)n, server);
    snprintf(port, 8, "%s", colon + 1);
    return 0;
}

static int parse_sha256(const char *hex, uint8_t ret[32])
{
    for (int i = 0; i < 32; i++) {
        unsigned byte;
        if (strspn(hex, "0123456789abcdefABCDEF") != 64 || sscanf(hex + 2 * i, "%2x", &byte) != 1)
            return -EINVAL;
        ret[i] = (uint8_t)byte;
    }
    return 0;
}

/* ---- the endpoint's side ----------------------------------------------------------------------
 */

/* In a child: enrol from where the endpoint lives, so that it learns the relay's address. */
static int enroll_inside(const struct world *w)
{
    char server[64], state[64];
    struct hm_enroll_options e = {
        .server = server, .token = w->o->token, .state = state, .practice = 1};
    snprintf(server, sizeof server, HM_PRACTICE_SERVER ":%s", w->port);
    snprintf(state, sizeof state, "/proc/self/fd/%d", w->state_fd);
    if (!e.token || !w->o->ca || parse_sha256(w->o->ca, e.ca_sha256) < 0) {
        hm_err("the practice endpoint is not enrolled yet: --token and --ca-sha256 are needed");
        return 2;
    }
    if (setns(w->net.endpoint_ns, CLONE_NEWNET) < 0)
        return 1;
    return hm_enroll(&e);
}

static int enroll_if_new(const struct world *w, struct hm_error *err)
{
    struct hm_identity id;
    int status, r = hm_identity_load(w->state_fd, &id, NULL);
    if (r != -ENOENT)
        return r < 0 ? hm_fail(err, r, "the identity of the practice endpoint is damaged") : 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(enroll_inside(w));
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return hm_fail(err, -errno, "cannot start the enrolment");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return hm_fail(err, -EACCES, "the practice endpoint could not be enrolled");
    return 0;
}

static void keep_over_exec(int fd)
{
    fcntl(fd, F_SETFD, 0);
}

/* State and rules are passed as descriptors: their paths may lie under a tmpfs of this world. */
static void become_agent(const struct world *w)
{
    struct hm_error err = {0};
    char state[64], rules[64], scope[400];
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    snprintf(state, sizeof state, "/proc/self/fd/%d", w->state_fd);
    snprintf(rules, sizeof rules, "/proc/self/fd/%d", w->rules_fd);
    snprintf(scope, sizeof scope, "cgroup=%s", w->cgroup);
    char *argv[] = {(char *)"hinomi-agent",
                    (char *)"run",
                    (char *)"--state",
                    state,
                    (char *)"--rules",
                    rules,
                    (char *)"--scope",
                    scope,
                    (char *)"--probes",
                    (char *)"outside-v4 " HM_PRACTICE_ATTACKER
                            " 4444\noutside-v6 " HM_PRACTICE_ATTACKER6 " 4444",
                    NULL};
    keep_over_exec(w->state_fd);
    keep_over_exec(w->rules_fd);
    if (setns(w->net.endpoint_ns, CLONE_NEWNET) < 0 || hm_world_mounts_make(&err) < 0) {
        hm_err("%s", err.text[0] ? err.text : "cannot enter the endpoint's network");
        _exit(1);
    }
    execv("/proc/self/exe", argv);
    _exit(127);
}

static int start_agent(struct world *w, struct hm_error *err)
{
    w->agent = fork();
    if (w->agent == 0)
        become_agent(w);
    return w->agent < 0 ? hm_fail(err, -errno, "cannot fork for the practice endpoint") : 0;
}

/* ---- building ---------------------------------------------------------------------------------
 */

static int make_folder(const char *path)
{
    char part[4096];
    int n = snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1; n > 0 && (size_t)n < sizeof part && *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        mkdir(part, 0755);
        *p = '/';
    }
    return mkdir(part, 0711) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_folders(struct world *w, struct hm_error *err)
{
    int r = make_folder(w->o->state);
    w->state_fd = open(w->o->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r < 0 || w->state_fd < 0)
        return hm_fail(err, -errno, "cannot open the state folder %s", w->o->state);
    w->rules_fd = open(w->o->rules, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return w->rules_fd < 0 ? hm_fail(err, -errno, "cannot open the rules folder %s", w->o->rules)
                           : 0;
}

/* Where the practice world lives, for tools that want to put something into it. */
static int tell_cgroup(const struct world *w, struct hm_error *err)
{
    hm_autoclose int fd =
        openat(w->state_fd, "cgroup", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    size_t n = strlen(w->cgroup);
    if (fd < 0 || write(fd, w->cgroup, n) != (ssize_t)n)
        return hm_fail(err, -EIO, "cannot write %s/cgroup", w->o->state);
    return 0;
}

static int start_keeper(struct world *w, struct hm_error *err)
{
    int fds[2];
    char *extra[] = {w->cgroup, NULL};
    if (pipe2(fds, O_CLOEXEC) < 0)
        return hm_fail(err, -errno, "no pipe");
    w->keeper_pipe = fds[1];
    int r = hm_practice_spawn("keeper", extra, &fds[0], 1, &w->keeper);
    close(fds[0]);
    return r < 0 ? hm_fail(err, r, "cannot start the keeper") : 0;
}

static int start_relay(struct world *w)
{
    char *extra[] = {w->host, w->port, NULL};
    return hm_practice_spawn("relay", extra, &w->net.server_listener, 1, &w->relay);
}

static int start_attacker(struct world *w)
{
    const int fds[2] = {w->net.attacker_listener, w->net.attacker_listener6};
    return hm_practice_spawn("attacker", NULL, fds, 2, &w->attacker);
}

/* The port the endpoint was enrolled with stays, also when the server's has changed since. */
static uint16_t relay_port(const struct world *w)
{
    struct hm_identity id;
    const char *port = w->port;
    if (hm_identity_load(w->state_fd, &id, NULL) == 0 && strrchr(id.server, ':'))
        port = strrchr(id.server, ':') + 1;
    return (uint16_t)strtoul(port, NULL, 10);
}

static int build(struct world *w, struct hm_error *err)
{
    int r = open_folders(w, err);
    if (r == 0)
        r = hm_world_cgroup_make(w->cgroup, sizeof w->cgroup, err);
    if (r == 0)
        r = tell_cgroup(w, err);
    if (r == 0)
        r = start_keeper(w, err);
    if (r == 0)
        r = hm_world_net_make(relay_port(w), &w->net, err);
    if (r == 0 && ((r = start_relay(w)) < 0 || (r = start_attacker(w)) < 0))
        hm_fail(err, r, "cannot start the helpers of the practice world");
    if (r == 0)
        r = enroll_if_new(w, err);
    return r == 0 ? start_agent(w, err) : r;
}

/* ---- watching ---------------------------------------------------------------------------------
 */

/* It comes back with a fresh set of tmpfs; when it cannot stay, the world has no meaning. */
static void agent_ended(struct world *w, int status)
{
    struct hm_error err = {0};
    time_t now = time(NULL);
    w->agent = 0;
    w->ends = now - w->last_end > 60 ? 1 : w->ends + 1;
    w->last_end = now;
    hm_warn("the practice endpoint's agent has ended (%s %d)",
            WIFSIGNALED(status) ? "signal" : "code",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    w->failed = w->ends > 3;
    w->stop |= w->failed;
    if (w->stop)
        return;
    sleep(1); /* its children end with it, and let go of the journal's lock */
    if (start_agent(w, &err) < 0)
        w->stop = w->failed = true;
}

static void reap(struct world *w)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == w->relay && start_relay(w) < 0)
            w->relay = 0;
        if (pid == w->attacker && start_attacker(w) < 0)
            w->attacker = 0;
        if (pid == w->agent)
            agent_ended(w, status);
    }
}

static int watch(struct world *w)
{
    while (!w->stop) {
        struct signalfd_siginfo si;
        struct pollfd p = {w->signal_fd, POLLIN, 0};
        if (poll(&p, 1, 500) < 0 && errno != EINTR)
            return -errno;
        while (read(w->signal_fd, &si, sizeof si) == sizeof si)
            w->stop |= si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT;
        reap(w);
    }
    return 0;
}

static void end_process(pid_t pid, int sig, int wait_ms)
{
    if (pid <= 0)
        return;
    kill(pid, sig);
    for (int i = 0; i < wait_ms / 20; i++) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return;
        usleep(20000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void take_down(struct world *w)
{
    end_process(w->agent, SIGTERM, AGENT_STOP_MS);
    end_process(w->relay, SIGKILL, 1000);
    end_process(w->attacker, SIGKILL, 1000);
    if (w->cgroup[0])
        hm_world_cgroup_remove(w->cgroup);
    if (w->keeper_pipe >= 0)
        close(w->keeper_pipe);
    if (w->keeper > 0)
        waitpid(w->keeper, NULL, 0);
    hm_world_net_done(&w->net);
    if (w->state_fd >= 0)
        unlinkat(w->state_fd, "cgroup", 0);
    close(w->state_fd);
    close(w->rules_fd);
    close(w->signal_fd);
}

static int open_signals(struct world *w, struct hm_error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return w->signal_fd < 0 ? hm_fail(err, -errno, "signalfd") : 0;
}

static int run(const struct options *o)
{
    struct hm_error err = {0};
    struct world w = {.o = o,
                      .state_fd = -1,
                      .rules_fd = -1,
                      .keeper_pipe = -1,
                      .signal_fd = -1,
                      .net = {-1, -1, -1, -1}};
    if (geteuid() != 0 || split(o->server, w.host, sizeof w.host, w.port) < 0) {
        hm_err(geteuid() ? "the practice endpoint must be started as root"
                         : "--server is HOST:PORT");
        return 2;
    }
    /* What drills leave behind is ours to reap at once, not process 1's at its leisure. */
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    int r = open_signals(&w, &err);
    if (r == 0)
        r = build(&w, &err);
    if (r == 0) {
        hm_info("the practice endpoint runs: network %s, cgroup %s", HM_PRACTICE_ENDPOINT,
                w.cgroup);
        r = watch(&w);
    } else
        hm_err("%s", err.text);
    take_down(&w);
    return r < 0 || w.failed;
}

int hm_practice_command(int argc, char **argv)
{
    static const struct option options[] = {{"state", 1, 0, 's'},     {"server", 1, 0, 'S'},
                                            {"rules", 1, 0, 'r'},     {"token", 1, 0, 't'},
                                            {"ca-sha256", 1, 0, 'c'}, {0}};
    struct options o = {0};
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        const char **to = c == 's'   ? &o.state
                          : c == 'S' ? &o.server
                          : c == 'r' ? &o.rules
                          : c == 't' ? &o.token
                          : c == 'c' ? &o.ca
                                     : NULL;
        if (!to)
            return hm_agent_usage();
        *to = optarg;
    }
    return o.state && o.server && o.rules && optind == argc ? run(&o) : hm_agent_usage();
}
