/* Behaviours of TCP: who connects, listens, accepts, and what became of it. Loopback only. */
#include "behaviour.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static union address loopback(int family, uint16_t port)
{
    union address a = {0};
    a.any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        a.v4.sin_port = htons(port);
    } else {
        a.v6.sin6_addr = in6addr_loopback;
        a.v6.sin6_port = htons(port);
    }
    return a;
}

static socklen_t size_of(int family)
{
    return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static uint16_t port_of(int fd)
{
    union address a = {0};
    socklen_t len = sizeof a;
    getsockname(fd, &a.any, &len);
    return ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}

static int listener(int family, int backlog)
{
    union address a = loopback(family, 0);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, &a.any, size_of(family)) < 0 || listen(fd, backlog) < 0)
        return -1;
    return fd;
}

/* A listening parent, an accepting worker, a connecting client: three processes, three owners. */
static void act_flow(struct world *w, int family)
{
    int l = listener(family, 8), c;
    char buf[16];
    if (l < 0) {
        unsupported(w, "no loopback address of this family");
        return;
    }
    w->note->port[0] = port_of(l);
    pid_t server = fork();
    if (server == 0) {
        c = accept4(l, NULL, NULL, SOCK_CLOEXEC);
        if (read(c, buf, sizeof buf) != 5 || write(c, "abc", 3) != 3 ||
            read(c, buf, sizeof buf) != 0)
            _exit(124);
        close(c);
        _exit(0);
    }
    pid_t client = fork();
    if (client == 0) {
        union address a = loopback(family, w->note->port[0]);
        c = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(c, &a.any, size_of(family)) < 0)
            _exit(123);
        w->note->port[1] = port_of(c);
        if (write(c, "hello", 5) != 5 || read(c, buf, sizeof buf) != 3)
            _exit(124);
        close(c);
        _exit(0);
    }
    w->note->pid[0] = server;
    w->note->pid[1] = client;
    EXPECT(w, wait_for(server) == 0 && wait_for(client) == 0, "talk failed");
    usleep(50000); /* the last packets */
}

static void act_flow4(struct world *w)
{
    act_flow(w, AF_INET);
}

static void act_flow6(struct world *w)
{
    act_flow(w, AF_INET6);
}

static void expect_ends(struct world *w, const struct hm_rec_net *n, uint16_t local,
                        uint16_t remote, uint8_t direction)
{
    uint8_t v6[16] = {[15] = 1};
    EXPECT(w, n->local_port == local && n->remote_port == remote, "ports %u %u, not %u %u",
           n->local_port, n->remote_port, local, remote);
    EXPECT(w, n->direction == direction && n->protocol == IPPROTO_TCP, "direction %u",
           n->direction);
    if (n->family == 4)
        EXPECT(w, memcmp(n->local_ip, "\x7f\0\0\1", 4) == 0, "local address");
    else
        EXPECT(w, memcmp(n->local_ip, v6, 16) == 0, "local address");
    if (remote)
        EXPECT(w, memcmp(n->local_ip, n->remote_ip, 16) == 0, "remote address");
}

static void check_flow(struct world *w, uint8_t family)
{
    pid_t server = w->note->pid[0], client = w->note->pid[1];
    uint16_t sp = w->note->port[0], cp = w->note->port[1];
    expect_exactly(w, "fork 2 exit 3 connect 1 accept 1 listen 1 close 2");
    const struct hm_rec_net *l = net_of(w, HM_REC_LISTEN, w->actor, 0),
                            *a = net_of(w, HM_REC_ACCEPT, server, 0),
                            *c = net_of(w, HM_REC_CONNECT, client, 0),
                            *cc = net_of(w, HM_REC_CLOSE, client, 0),
                            *ac = net_of(w, HM_REC_CLOSE, server, 0);
    expect_ends(w, l, sp, 0, HM_NET_LISTENING);
    expect_ends(w, a, sp, cp, HM_NET_INBOUND);
    expect_ends(w, c, cp, sp, HM_NET_OUTBOUND);
    expect_ends(w, cc, cp, sp, HM_NET_OUTBOUND);
    expect_ends(w, ac, sp, cp, HM_NET_INBOUND);
    EXPECT(w, l->family == family && a->family == family && c->family == family, "family %u",
           c->family);
    EXPECT(w, c->result == 0 && c->began_ns && c->began_ns <= c->h.boot_ns, "result %d", c->result);
    EXPECT(w, cc->bytes_out == 5 && cc->bytes_in == 3, "client: %llu out, %llu in",
           (unsigned long long)cc->bytes_out, (unsigned long long)cc->bytes_in);
    EXPECT(w, ac->bytes_out == 3 && ac->bytes_in == 5, "server: %llu out, %llu in",
           (unsigned long long)ac->bytes_out, (unsigned long long)ac->bytes_in);
    EXPECT(w,
           c->h.ppid == (uint32_t)w->actor &&
               c->h.start_ns == record_of(w, HM_REC_FORK, client, 0)->start_ns,
           "identity");
}

static void check_flow4(struct world *w)
{
    check_flow(w, 4);
}

static void check_flow6(struct world *w)
{
    check_flow(w, 6);
}

/* IPv4 through an IPv6 socket is told as IPv4. */
static void act_mapped(struct world *w)
{
    int l = listener(AF_INET, 8), c = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 a = {.sin6_family = AF_INET6};
    if (c < 0) {
        unsupported(w, "no IPv6");
        return;
    }
    w->note->port[0] = port_of(l);
    a.sin6_port = htons(w->note->port[0]);
    memcpy(a.sin6_addr.s6_addr + 10, "\xff\xff\x7f\0\0\1", 6);
    if (connect(c, (struct sockaddr *)&a, sizeof a) < 0)
        _exit(123);
}

static void check_mapped(struct world *w)
{
    const struct hm_rec_net *c = net_of(w, HM_REC_CONNECT, w->actor, 0);
    EXPECT(w, c->family == 4 && memcmp(c->remote_ip, "\x7f\0\0\1\0", 5) == 0, "family %u",
           c->family);
    EXPECT(w, c->remote_port == w->note->port[0], "port %u", c->remote_port);
}

static void act_refused(struct world *w)
{
    int l = listener(AF_INET, 1), c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint16_t port = port_of(l);
    union address a = loopback(AF_INET, port);
    close(l); /* nobody listens there now */
    w->note->port[0] = port;
    if (connect(c, &a.any, sizeof a.v4) == 0 || errno != ECONNREFUSED)
        _exit(123);
}

static void check_refused(struct world *w)
{
    const struct hm_rec_net *c = net_of(w, HM_REC_CONNECT, w->actor, 0);
    expect_exactly(w, "exit 1 connect 1 listen 1");
    EXPECT(w, c->result == -ECONNREFUSED, "result %d", c->result);
    EXPECT(w, c->remote_port == w->note->port[0] && c->direction == HM_NET_OUTBOUND, "port %u",
           c->remote_port);
}

/* The answer never comes (a full backlog drops the SYN), the process gives up. */
static void act_given_up(struct world *w)
{
    int l = listener(AF_INET, 0), c[4];
    union address a = loopback(AF_INET, port_of(l));
    for (int i = 0; i < 4; i++) {
        c[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(c[i], &a.any, sizeof a.v4);
    }
    usleep(20000);
    for (int i = 0; i < 4; i++)
        close(c[i]);
}

static void check_given_up(struct world *w)
{
    size_t good = 0, given_up = 0;
    for (size_t i = 0; i < count_of(w, HM_REC_CONNECT, w->actor); i++) {
        int r = net_of(w, HM_REC_CONNECT, w->actor, i)->result;
        good += r == 0;
        given_up += r == -ECANCELED;
    }
    EXPECT(w, good + given_up == 4 && given_up >= 1, "%zu established, %zu given up", good,
           given_up);
}

/* What a reverse shell looks like: a shell whose standard descriptors are a socket to elsewhere. */
static void act_reverse_shell(struct world *w)
{
    int l = listener(AF_INET, 1);
    w->note->port[0] = port_of(l);
    pid_t p = fork();
    if (p == 0) {
        union address a = loopback(AF_INET, w->note->port[0]);
        int c = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(c, &a.any, sizeof a.v4) < 0)
            _exit(123);
        for (int i = 0; i < 3; i++)
            dup2(c, i);
        execl("/bin/sh", "sh", NULL);
        _exit(126);
    }
    int c = accept(l, NULL, NULL);
    if (write(c, "exit 5\n", 7) != 7)
        _exit(124);
    w->note->pid[0] = p;
    wait_for(p);
}

static void check_reverse_shell(struct world *w)
{
    const struct hm_rec_exec *e = exec_of(w, w->note->pid[0], 0);
    const struct hm_rec_exit *x = (const void *)record_of(w, HM_REC_EXIT, w->note->pid[0], 0);
    for (int i = 0; i < 3; i++)
        EXPECT(w, e->stdio[i] == HM_STDIO_SOCKET, "descriptor %d is %u", i, e->stdio[i]);
    EXPECT(w, e->stdio_family == 4 && memcmp(e->stdio_ip, "\x7f\0\0\1", 4) == 0, "peer");
    EXPECT(w, e->stdio_port == w->note->port[0], "peer's port %u", e->stdio_port);
    EXPECT(w, net_of(w, HM_REC_CONNECT, w->note->pid[0], 0)->h.boot_ns < e->h.boot_ns,
           "connect came after exec");
    EXPECT(w, count_of(w, HM_REC_ACCEPT, w->actor) == 1, "accept");
    EXPECT(w, x->code == 5, "code %u", x->code);
}

/* UNIX sockets as standard descriptors have no peer to name, and connecting them is no TCP. */
static void act_unix(struct world *w)
{
    int s[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
        _exit(123);
    pid_t p = fork();
    if (p == 0) {
        dup2(s[0], 0);
        execl("/bin/true", "true", NULL);
        _exit(126);
    }
    w->note->pid[0] = p;
    wait_for(p);
}

static void check_unix(struct world *w)
{
    const struct hm_rec_exec *e = exec_of(w, w->note->pid[0], 0);
    expect_exactly(w, "exec 1 fork 1 exit 2");
    EXPECT(w, e->stdio[0] == HM_STDIO_SOCKET && e->stdio_family == 0 && e->stdio_port == 0,
           "peer %u", e->stdio_family);
}

/* Both ends outside: nothing, though the listener's port is the same kind of event. */
static void outside_flow(struct world *w)
{
    int l = listener(AF_INET, 1), c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    union address a = loopback(AF_INET, port_of(l));
    EXPECT(w, connect(c, &a.any, sizeof a.v4) == 0, "connect");
    close(accept(l, NULL, NULL));
    close(c);
    close(l);
}

static void act_wait(struct world *w)
{
    usleep(50000);
}

static void check_nothing(struct world *w)
{
    expect_exactly(w, "exit 1");
}

const struct behaviour network_behaviours[] = {
    {.name = "TCP over IPv4, three owners", .act = act_flow4, .check = check_flow4},
    {.name = "TCP over IPv6, three owners", .act = act_flow6, .check = check_flow6},
    {.name = "IPv4 through an IPv6 socket", .act = act_mapped, .check = check_mapped},
    {.name = "refused connect", .act = act_refused, .check = check_refused},
    {.name = "connect given up", .act = act_given_up, .check = check_given_up},
    {.name = "reverse shell", .act = act_reverse_shell, .check = check_reverse_shell},
    {.name = "UNIX socket as descriptor", .act = act_unix, .check = check_unix},
    {.name = "TCP outside the scope",
     .act = act_wait,
     .outside = outside_flow,
     .check = check_nothing},
    {0},
};
