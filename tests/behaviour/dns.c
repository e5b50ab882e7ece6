/* Behaviours of DNS: the answer's bytes come with who asked, connected or not; in a network of the
 * actor's own, where port 53 is free. */
#include "behaviour.h"
#include "agent/sensor/calls.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static const uint8_t answer[] = "\x12\x34\x81\x80\0\1\0\1\0\0\0\0\4host\4test\0\0\1\0\1"
                                "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7";
#define ANSWER_BYTES (sizeof answer - 1)

static bool loopback_up(void)
{
    struct ifreq r = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = s >= 0 && ioctl(s, SIOCGIFFLAGS, &r) == 0;
    r.ifr_flags |= IFF_UP;
    up = up && ioctl(s, SIOCSIFFLAGS, &r) == 0;
    close(s);
    return up;
}

/* Ask (anything) and be answered. */
static void ask(int server, int client, const struct sockaddr_in *at, bool connected)
{
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    uint8_t buf[512];
    if (connected &&
        (connect(client, (const void *)at, sizeof *at) < 0 || send(client, "?", 1, 0) < 0))
        _exit(101);
    if (!connected && sendto(client, "?", 1, 0, (const void *)at, sizeof *at) < 0)
        _exit(102);
    if (recvfrom(server, buf, sizeof buf, 0, (void *)&from, &len) != 1 ||
        sendto(server, answer, ANSWER_BYTES, 0, (void *)&from, len) != (ssize_t)ANSWER_BYTES ||
        recv(client, buf, sizeof buf, 0) != (ssize_t)ANSWER_BYTES)
        _exit(103);
}

static void act_dns(struct world *w)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (unshare(CLONE_NEWNET) < 0 || !loopback_up()) {
        unsupported(w, "no network namespace of its own");
        return;
    }
    int server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (server < 0 || bind(server, (struct sockaddr *)&at, sizeof at) < 0)
        _exit(100);
    for (int connected = 0; connected < 2; connected++) {
        int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ask(server, client, &at, connected);
        close(client);
    }
}

static void check_dns(struct world *w)
{
    expect_exactly(w, "exit 1 dns 2");
    for (size_t i = 0; i < 2; i++) {
        const struct hm_rec_dns *d = (const void *)record_of(w, HM_REC_DNS, w->actor, i);
        struct hm_slice got = hm_record_str(&d->h, d->payload);
        EXPECT(w, hm_slice_eq(got, hm_slice(answer, ANSWER_BYTES)), "%zu bytes, not %zu", got.len,
               ANSWER_BYTES);
        EXPECT(w, strncmp(d->h.comm, "behaviour", 9) == 0, "comm %.16s", d->h.comm);
        EXPECT(w, d->h.boot_ns && d->h.start_ns, "when");
    }
}

/* The same answer from another port is nobody's business. */
static void act_other_port(struct world *w)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
        client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(server, (struct sockaddr *)&at, sizeof at) < 0 ||
        getsockname(server, (struct sockaddr *)&at, &len) < 0)
        _exit(100);
    ask(server, client, &at, true);
}

static void check_other_port(struct world *w)
{
    expect_exactly(w, "exit 1");
}

const struct behaviour dns_behaviours[] = {
    {"an answer of DNS comes with who asked", act_dns, .check = check_dns},
    {"what is not from port 53 is not read", act_other_port, .check = check_other_port},
    {0},
};
