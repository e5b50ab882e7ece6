/* The practice world's small helpers, each a process of its own without privilege: the relay to the
 * real server, the attacker who types, and the keeper who cleans up when the launcher is gone. */
#include "agent/practice/helpers.h"
#include "agent/practice/practice.h"
#include "agent/practice/limits.h"
#include "agent/practice/world.h"
#include "base/log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTENER  3 /* descriptor the launcher hands over */
#define LISTENER2 4 /* the attacker's IPv6 one */

static int drop(void)
{
    if (setgroups(0, NULL) < 0 ||
        setresgid(HM_PRACTICE_GID, HM_PRACTICE_GID, HM_PRACTICE_GID) < 0 ||
        setresuid(HM_PRACTICE_UID, HM_PRACTICE_UID, HM_PRACTICE_UID) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return -errno;
    return getppid() == 1 ? -ECHILD : 0; /* the launcher was faster */
}

/* ---- relay ------------------------------------------------------------------------------------
 */

struct pipe_half { /* bytes on their way in one direction */
    char data[16 * 1024];
    size_t at, len;
    bool ended, told;
};
struct relayed {
    int fd[2]; /* from the endpoint, to the server; -1: free slot */
    struct pipe_half half[2];
};

static int connect_to(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int fd = -1;
    if (getaddrinfo(host, port, &hints, &list) != 0)
        return -1;
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

static void set_nonblocking(int fd)
{
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void accept_one(struct relayed *slots, const char *host, const char *port)
{
    int from = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC),
        to = from < 0 ? -1 : connect_to(host, port);
    for (int i = 0; to >= 0 && i < HM_RELAY_MAX; i++) {
        if (slots[i].fd[0] >= 0)
            continue;
        slots[i] = (struct relayed){.fd = {from, to}};
        set_nonblocking(from);
        set_nonblocking(to);
        return;
    }
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
}

/* One direction, as far as it goes without waiting. -1: the connection is over. */
static int move(struct pipe_half *h, int from, int to)
{
    if (h->at == h->len && !h->ended) {
        ssize_t n = recv(from, h->data, sizeof h->data, MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        h->ended = n == 0;
        h->at = 0;
        h->len = (size_t)n;
    }
    if (h->at < h->len) {
        ssize_t n = send(to, h->data + h->at, h->len - h->at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        h->at += (size_t)n;
    }
    if (h->ended && h->at == h->len && !h->told) {
        shutdown(to, SHUT_WR);
        h->told = true;
    }
    return 0;
}

static void serve_slot(struct relayed *s)
{
    int r = move(&s->half[0], s->fd[0], s->fd[1]);
    if (r == 0)
        r = move(&s->half[1], s->fd[1], s->fd[0]);
    if (r == 0 && !(s->half[0].told && s->half[1].told))
        return;
    close(s->fd[0]);
    close(s->fd[1]);
    s->fd[0] = s->fd[1] = -1;
}

static short wanted(const struct relayed *s, int side)
{
    const struct pipe_half *in = &s->half[side], *out = &s->half[!side];
    return (short)((in->at == in->len && !in->ended ? POLLIN : 0) |
                   (out->at < out->len ? POLLOUT : 0));
}

static int relay(const char *host, const char *port)
{
    struct relayed *slots = calloc(HM_RELAY_MAX, sizeof *slots);
    struct pollfd p[1 + 2 * HM_RELAY_MAX];
    for (int i = 0; slots && i < HM_RELAY_MAX; i++)
        slots[i].fd[0] = slots[i].fd[1] = -1;
    while (slots) {
        p[0] = (struct pollfd){LISTENER, POLLIN, 0};
        for (int i = 0; i < 2 * HM_RELAY_MAX; i++) {
            const struct relayed *s = &slots[i / 2];
            short events = s->fd[0] >= 0 ? wanted(s, i % 2) : 0;
            p[1 + i] = (struct pollfd){events ? s->fd[i % 2] : -1, events, 0};
        }
        if (poll(p, HM_ARRAY_LEN(p), -1) < 0 && errno != EINTR)
            return 1;
        for (int i = 0; i < HM_RELAY_MAX; i++)
            if (slots[i].fd[0] >= 0 && (p[1 + 2 * i].revents || p[2 + 2 * i].revents))
                serve_slot(&slots[i]);
        if (p[0].revents)
            accept_one(slots, host, port);
    }
    return 1;
}

/* ---- attacker ---------------------------------------------------------------------------------
 */

/* What is typed into the shell that calls home. Nothing here changes more than /tmp of the world.
 */
static const char *const typed[] = {
    "id; uname -a\n",
    "cp /bin/sleep /tmp/.cache-update\n",
    "chmod 755 /tmp/.cache-update\n",
    "/tmp/.cache-update 600 &\n",
    "cat /home/practice/.aws/credentials\n",
};

static void play(int fd)
{
    char answer[4096];
    for (size_t i = 0; i < HM_ARRAY_LEN(typed); i++) {
        struct pollfd p = {fd, POLLIN, 0};
        if (send(fd, typed[i], strlen(typed[i]), MSG_NOSIGNAL) < 0)
            return;
        while (poll(&p, 1, 250) == 1) /* like a person who reads before typing on */
            if (recv(fd, answer, sizeof answer, 0) <= 0)
                return;
    }
    struct pollfd p = {fd, POLLIN, 0};
    while (poll(&p, 1, HM_DRILL_MAX_S * 1000) == 1 && recv(fd, answer, sizeof answer, 0) > 0)
        ;
}

static int attacker(void)
{
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        struct pollfd p[2] = {{LISTENER, POLLIN, 0}, {LISTENER2, POLLIN, 0}};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return 1;
        for (int i = 0; i < 2; i++) {
            int fd = p[i].revents ? accept4(p[i].fd, NULL, NULL, SOCK_CLOEXEC) : -1;
            if (fd < 0)
                continue;
            if (fork() == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                play(fd);
                _exit(0);
            }
            close(fd);
        }
    }
}

/* ---- keeper -----------------------------------------------------------------------------------
 */

/* Descriptor 3 is a pipe only the launcher holds open: its end means that the launcher is gone,
 * however it went. */
static int keeper(const char *cgroup)
{
    char byte;
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    while (read(LISTENER, &byte, 1) < 0 && errno == EINTR)
        ;
    hm_world_cgroup_remove(cgroup);
    return 0;
}

int hm_practice_role(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[2], "keeper") == 0)
        return keeper(argv[3]);
    bool is_relay = argc == 5 && strcmp(argv[2], "relay") == 0;
    if (!is_relay && strcmp(argv[2], "attacker") != 0) {
        hm_err("there is no role %s", argv[2]);
        return 2;
    }
    int r = drop();
    if (r < 0) {
        hm_err("%s cannot drop its privileges: %s", argv[2], strerror(-r));
        return 1;
    }
    signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the group; the launcher decides */
    return is_relay ? relay(argv[3], argv[4]) : attacker();
}

/* Between fork and exec in the launcher. */
static void become(const char *role, char *const extra[], const int *fds, int count)
{
    char *argv[8] = {(char *)"hinomi-agent: practice", (char *)"-p", (char *)role};
    for (int i = 0; extra && extra[i] && i < 4; i++)
        argv[3 + i] = extra[i];
    int high[2] = {-1, -1};
    for (int i = 0; i < count; i++) /* out of the way first: a target may be another's source */
        high[i] = fcntl(fds[i], F_DUPFD, 10);
    for (int i = 0; i < count; i++)
        if (high[i] < 0 || dup2(high[i], LISTENER + i) < 0)
            _exit(126);
    for (int i = 0; i < count; i++)
        close(high[i]);
    execv("/proc/self/exe", argv);
    _exit(127);
}

int hm_practice_spawn(const char *role, char *const extra[], const int *fds, int count,
                      pid_t *ret_pid)
{
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (strcmp(role, "keeper") == 0)
            setsid(); /* a kill of the launcher's group must not reach it */
        become(role, extra, fds, count);
    }
    *ret_pid = pid;
    return 0;
}
