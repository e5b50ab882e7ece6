/* Owns the two network namespaces: lan (attacker, server) and the endpoint's. No process has to
 * live in lan: its listening sockets keep it. */
#include "agent/practice/limits.h"
#include "agent/practice/netlink.h"
#include "agent/practice/world.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int own_ns(void)
{
    return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static int fresh_ns(int *ret_fd)
{
    if (unshare(CLONE_NEWNET) < 0)
        return -errno;
    int fd = own_ns();
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

struct step {
    const char *name, *address; /* address NULL: bring it up */
    unsigned prefix;
};

static int configure(const struct step *steps, size_t n, const char *const gateways[2],
                     struct hm_error *err)
{
    hm_autoclose int nl = hm_nl_open();
    int r = nl < 0 ? nl : 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct step *s = &steps[i];
        r = s->address ? hm_nl_address(nl, s->name, s->address, s->prefix) : hm_nl_up(nl, s->name);
        if (r < 0)
            return hm_fail(err, r, "practice network: %s %s: %s", s->name,
                           s->address ? s->address : "up", strerror(-r));
    }
    for (int i = 0; r == 0 && gateways && i < 2; i++)
        r = hm_nl_default_route(nl, gateways[i]);
    return r < 0 ? hm_fail(err, r, "practice network: route: %s", strerror(-r)) : 0;
}

static int make_lan(int endpoint_ns, struct hm_error *err)
{
    static const struct step steps[] = {
        {"lo", NULL, 0},
        {"lan0", NULL, 0},
        {"lan0", HM_PRACTICE_SERVER, 24},
        {"lan0", "2001:db8::1", 64},
        {"lo", HM_PRACTICE_ATTACKER, 32},
        {"lo", HM_PRACTICE_ATTACKER6, 128},
    };
    hm_autoclose int nl = hm_nl_open();
    int r = nl < 0 ? nl : hm_nl_veth(nl, "lan0", "eth0", endpoint_ns);
    if (r < 0)
        return hm_fail(err, r, "practice network: veth: %s", strerror(-r));
    return configure(steps, HM_ARRAY_LEN(steps), NULL, err);
}

static int make_endpoint(struct hm_error *err)
{
    static const struct step steps[] = {{"lo", NULL, 0},
                                        {"eth0", NULL, 0},
                                        {"eth0", HM_PRACTICE_ENDPOINT, 24},
                                        {"eth0", "2001:db8::10", 64}};
    static const char *const gateways[2] = {HM_PRACTICE_SERVER, "2001:db8::1"};
    return configure(steps, HM_ARRAY_LEN(steps), gateways, err);
}

static int listen_on(const char *address, uint16_t port, int *ret_fd)
{
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is6 = strchr(address, ':') != NULL;
    int one = 1;
    hm_autoclose int fd = socket(is6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(is6 ? AF_INET6 : AF_INET, address,
                            is6 ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr) != 1)
        return -EINVAL;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, is6 ? (void *)&a6 : (void *)&a4, is6 ? sizeof a6 : sizeof a4) < 0 ||
        listen(fd, 64) < 0)
        return -errno;
    *ret_fd = hm_steal_fd(&fd);
    return 0;
}

static int open_listeners(uint16_t port, struct hm_world_net *n, struct hm_error *err)
{
    int r = listen_on(HM_PRACTICE_SERVER, port, &n->server_listener);
    if (r == 0)
        r = listen_on(HM_PRACTICE_ATTACKER, HM_PRACTICE_PORT, &n->attacker_listener);
    if (r == 0)
        r = listen_on(HM_PRACTICE_ATTACKER6, HM_PRACTICE_PORT, &n->attacker_listener6);
    return r < 0 ? hm_fail(err, r, "practice network: listen: %s", strerror(-r)) : 0;
}

static int build(uint16_t port, struct hm_world_net *n, struct hm_error *err)
{
    hm_autoclose int lan = -1;
    int r = fresh_ns(&n->endpoint_ns);
    if (r == 0)
        r = fresh_ns(&lan);
    if (r < 0)
        return hm_fail(err, r, "cannot make a network namespace");
    if ((r = make_lan(n->endpoint_ns, err)) < 0)
        return r;
    if ((r = open_listeners(port, n, err)) < 0)
        return r;
    if (setns(n->endpoint_ns, CLONE_NEWNET) < 0)
        return hm_fail(err, -errno, "cannot enter the endpoint's network namespace");
    return make_endpoint(err);
}

int hm_world_net_make(uint16_t server_port, struct hm_world_net *ret, struct hm_error *err)
{
    *ret = (struct hm_world_net){-1, -1, -1, -1};
    hm_autoclose int home = own_ns();
    if (home < 0)
        return hm_fail(err, -errno, "cannot open the network namespace");
    int r = build(server_port, ret, err);
    if (setns(home, CLONE_NEWNET) < 0)
        r = hm_fail(err, -errno, "cannot return to the host's network namespace");
    if (r < 0)
        hm_world_net_done(ret);
    return r;
}

void hm_world_net_done(struct hm_world_net *n)
{
    const int fds[] = {n->endpoint_ns, n->server_listener, n->attacker_listener,
                       n->attacker_listener6};
    for (size_t i = 0; i < HM_ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    *n = (struct hm_world_net){-1, -1, -1, -1};
}
