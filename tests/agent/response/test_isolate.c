/* Isolation in two network namespaces of the test's own: what must stay open does, what must be cut
 * is, both ways, IPv4 and IPv6, existing flows and raw frames; and release opens it all again. */
#include "agent/practice/netlink.h"
#include "agent/practice/world.h"
#include "agent/response/isolate.h"
#include "test_response.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define PORT     17443
#define SERVER   "192.0.2.1"
#define OUTSIDE  "198.51.100.7"
#define OUTSIDE6 "2001:db8:51::7"

/* Open: connected, or refused by a machine that was reached. */
static bool reaches(const char *address, uint16_t port)
{
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is6 = strchr(address, ':') != NULL;
    hm_autoclose int fd = socket(is6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    inet_pton(is6 ? AF_INET6 : AF_INET, address,
              is6 ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr);
    if (connect(fd, is6 ? (void *)&a6 : (void *)&a4, is6 ? sizeof a6 : sizeof a4) == 0)
        return true;
    if (errno != EINPROGRESS)
        return errno == ECONNREFUSED;
    struct pollfd p = {fd, POLLOUT, 0};
    int e = ETIMEDOUT;
    socklen_t n = sizeof e;
    if (poll(&p, 1, 400) == 1)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n);
    return e == 0 || e == ECONNREFUSED;
}

static int connected(const char *address, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, address, &a.sin_addr);
    CHECK(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    return fd;
}

/* Does a byte written on one end of a flow come out at the other? */
static bool flows(int from, int to)
{
    struct pollfd p = {to, POLLIN, 0};
    char c;
    if (send(from, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
        return false;
    return poll(&p, 1, 400) == 1 && recv(to, &c, 1, 0) == 1;
}

/* A frame handed to the driver by a packet socket: seen at the other end of the wire? The tap of
 * `far` is before any filter there. Its claimed protocol lies. */
static bool frame_gets_out(int far)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ARP),
                             .sll_halen = 6,
                             .sll_ifindex = (int)if_nametoindex("eth0")};
    uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0,  0,  0, 9, 8,   0,
                         0x45, 0,    0,    28,   0,    0,    0, 0, 64, 17, 0, 0, 192, 0,
                         2,    10,   198,  51,   100,  7,    0, 1, 0,  2,  0, 8};
    uint8_t got[2048];
    memset(frame + 42, 0xd7, sizeof frame - 42); /* what we look for */
    hm_autoclose int raw = socket(AF_PACKET, SOCK_RAW, 0);
    while (recv(far, got, sizeof got, MSG_DONTWAIT) > 0)
        ;
    if (sendto(raw, frame, sizeof frame, 0, (struct sockaddr *)&to, sizeof to) < 0)
        return false;
    for (int i = 0; i < 20; i++) {
        struct pollfd p = {far, POLLIN, 0};
        if (poll(&p, 1, 20) != 1)
            continue;
        ssize_t n = recv(far, got, sizeof got, MSG_DONTWAIT);
        if (n == sizeof frame && memcmp(got, frame, sizeof frame) == 0)
            return true;
    }
    return false;
}

struct place {
    struct hm_world_net net;
    int far; /* packet socket at lan's end of the wire */
};

/* The packet socket must be made where lan is: a child that still has the namespace of a listener.
 */
static int far_tap(const struct hm_world_net *n)
{
    int lan = ioctl(n->server_listener, SIOCGSKNS), home = open("/proc/self/ns/net", O_RDONLY);
    CHECK(lan >= 0 && home >= 0 && setns(lan, CLONE_NEWNET) == 0);
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)if_nametoindex("lan0")};
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    CHECK(setns(home, CLONE_NEWNET) == 0);
    close(lan);
    close(home);
    return fd;
}

static void expect_open(const struct place *p)
{
    CHECK(reaches(SERVER, PORT));
    CHECK(reaches(SERVER, 9));
    CHECK(reaches(OUTSIDE, 4444));
    CHECK(reaches(OUTSIDE6, 4444));
    CHECK(frame_gets_out(p->far));
}

static void expect_cut(const struct place *p)
{
    CHECK(reaches(SERVER, PORT)); /* the one thing that stays */
    CHECK(!reaches(SERVER, 9));   /* not even another port of it */
    CHECK(!reaches(OUTSIDE, 4444));
    CHECK(!reaches(OUTSIDE6, 4444));
    CHECK(!frame_gets_out(p->far));
    CHECK(reaches("127.0.0.1", 9)); /* refused by ourselves: loopback stays */
}

static void cut_and_open(bool no_tcx, const char *layer)
{
    struct place p;
    struct hm_error err = {0};
    CHECK(hm_world_net_make(PORT, &p.net, &err) == 0);
    p.far = far_tap(&p.net);
    CHECK(setns(p.net.endpoint_ns, CLONE_NEWNET) == 0);
    expect_open(&p);
    for (struct pollfd q = {p.net.attacker_listener, POLLIN, 0}; poll(&q, 1, 0) == 1;)
        close(accept(q.fd, NULL, NULL)); /* what the looks above left */
    int near = connected(OUTSIDE, 4444), far = accept(p.net.attacker_listener, NULL, NULL);
    CHECK(far >= 0 && flows(near, far) && flows(far, near)); /* a flow from before */

    struct hm_isolate_allow allow;
    CHECK(hm_isolate_allow_parse(SERVER, PORT, IPPROTO_TCP, &allow) == 0);
    struct hm_isolation_options o = {
        .cgroup_fd = -1, .allow = &allow, .allow_count = 1, .no_tcx = no_tcx};
    struct hm_isolation *i = NULL;
    if (hm_isolation_apply(&o, &i, &err) < 0)
        fprintf(stderr, "%s\n", err.text);
    CHECK(i != NULL);
    struct hm_buf layers = HM_BUF(256);
    hm_isolation_layers(i, &layers);
    hm_buf_put_u8(&layers, 0);
    CHECK(strstr((char *)layers.data, layer) != NULL);
    hm_buf_done(&layers);
    expect_cut(&p);
    CHECK(!flows(near, far) && !flows(far, near)); /* and it is over now */
    CHECK(hm_isolation_dropped(i) > 0);
    CHECK(hm_isolation_refresh(i, &err) == 0); /* nothing new */
    hm_isolation_release(i);
    expect_open(&p);
    close(near);
    close(far);
    hm_world_net_done(&p.net);
}

static void with_tcx(void)
{
    cut_and_open(false, "tcx");
}
static void with_clsact(void)
{
    cut_and_open(true, "clsact");
}

/* An interface that comes while the endpoint is isolated. */
static void new_interface_is_cut_too(void)
{
    struct hm_world_net n;
    struct hm_error err = {0};
    struct hm_isolate_allow allow;
    struct hm_isolation *i = NULL;
    CHECK(hm_world_net_make(PORT, &n, &err) == 0 && setns(n.endpoint_ns, CLONE_NEWNET) == 0);
    CHECK(hm_isolate_allow_parse(SERVER, PORT, IPPROTO_TCP, &allow) == 0);
    struct hm_isolation_options o = {.cgroup_fd = -1, .allow = &allow, .allow_count = 1};
    if (hm_isolation_apply(&o, &i, &err) < 0)
        fprintf(stderr, "%s\n", err.text);
    CHECK(i != NULL);
    hm_autoclose int nl = hm_nl_open(); /* a second wire, both ends here */
    CHECK(nl >= 0 && hm_nl_veth(nl, "late0", "late1", n.endpoint_ns) == 0);
    CHECK(hm_isolation_refresh(i, &err) == 2);
    CHECK(hm_isolation_refresh(i, &err) == 0);
    hm_isolation_release(i);
    hm_world_net_done(&n);
}

/* The machine's own network, without an order: refused before anything is attached. */
static void first_namespace_needs_an_order(void **state)
{
    struct hm_isolate_allow allow;
    struct hm_isolation *i = NULL;
    struct hm_error err = {0};
    (void)state;
    assert_int_equal(hm_isolate_allow_parse("2001:db8::1", 1, IPPROTO_TCP, &allow), 0);
    assert_int_equal(hm_isolate_allow_parse("not an address", 1, IPPROTO_TCP, &allow), -EINVAL);
    struct hm_isolation_options o = {
        .cgroup_fd = -1, .allow = &allow, .allow_count = 1, .by_order = false};
    assert_int_equal(hm_isolation_apply(&o, &i, &err), -EPERM);
    assert_null(i);
}

static void in_child(void (*body)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_tcx(void **s)
{
    (void)s;
    in_child(with_tcx);
}
static void test_clsact(void **s)
{
    (void)s;
    in_child(with_clsact);
}
static void test_late(void **s)
{
    (void)s;
    in_child(new_interface_is_cut_too);
}

int run_isolate_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_namespace_needs_an_order),
        cmocka_unit_test(test_tcx),
        cmocka_unit_test(test_clsact),
        cmocka_unit_test(test_late),
    };
    return cmocka_run_group_tests_name("isolate", tests, NULL, NULL);
}
