/* `-p probe`: tries, from inside the scope, what isolation allows and what it must stop. Lives for
 * a second or two, as a uid of its own; its only extra is a raw packet socket it was given. */
#include "agent/messages.h"
#include "agent/roles.h"
#include "base/clock.h"
#include "base/log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define TARGETS_MAX 16

/* A line of PROBE_START:
 *   NAME tcp ADDRESS PORT                   connect; a refusal by the other side is "open" too
 *   NAME packet IFINDEX MAC SOURCE TARGET   one ICMP echo as a raw frame, answered = open
 *   NAME resolve HOST PORT                  the answer is the first address */
struct target {
    char name[32], kind[12], a[256], b[64], c[64], d[64];
    int fd;
    bool open;
    char answer[64];
};

static int begin_tcp(struct target *t)
{
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)strtoul(t->b, NULL, 10))};
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = a6.sin6_port};
    bool is4 = inet_pton(AF_INET, t->a, &a4.sin_addr) == 1;
    if (!is4 && inet_pton(AF_INET6, t->a, &a6.sin6_addr) != 1)
        return -1;
    int fd = socket(is4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const struct sockaddr *sa = is4 ? (const void *)&a4 : (const void *)&a6;
    if (fd >= 0 && connect(fd, sa, is4 ? sizeof a4 : sizeof a6) < 0 && errno != EINPROGRESS) {
        t->open = errno == ECONNREFUSED;
        close(fd);
        fd = -1;
    }
    return fd;
}

static void end_tcp(struct target *t)
{
    int e = 0;
    socklen_t n = sizeof e;
    if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &e, &n) == 0)
        t->open = e == 0 || e == ECONNREFUSED; /* somebody there answered */
}

static uint16_t checksum(const void *p, size_t len)
{
    const uint8_t *b = p;
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)(b[i] << 8 | b[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

struct __attribute__((packed)) echo_frame {
    struct iphdr ip;
    struct icmphdr icmp;
    uint8_t data[16];
};

static int begin_packet(const struct target *t, int raw)
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_halen = 6};
    unsigned m[6];
    struct echo_frame f = {.ip = {.version = 4,
                                  .ihl = 5,
                                  .ttl = 64,
                                  .protocol = IPPROTO_ICMP,
                                  .tot_len = htons(sizeof f)},
                           .icmp = {.type = ICMP_ECHO, .un.echo = {htons(0x484d), htons(1)}}};
    to.sll_ifindex = (int)strtoul(t->a, NULL, 10);
    if (raw < 0 ||
        sscanf(t->b, "%x:%x:%x:%x:%x:%x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) != 6 ||
        inet_pton(AF_INET, t->c, &f.ip.saddr) != 1 || inet_pton(AF_INET, t->d, &f.ip.daddr) != 1)
        return -1;
    for (int i = 0; i < 6; i++)
        to.sll_addr[i] = (uint8_t)m[i];
    f.ip.check = checksum(&f.ip, sizeof f.ip);
    f.icmp.checksum = checksum(&f.icmp, sizeof f.icmp + sizeof f.data);
    return sendto(raw, &f, sizeof f, 0, (struct sockaddr *)&to, sizeof to) == sizeof f ? raw : -1;
}

/* The tap of a packet socket is before the ingress filter: an answer shows that the echo got out.
 */
static bool is_echo_reply(const struct target *t)
{
    struct echo_frame f;
    struct in_addr want;
    ssize_t n = recv(t->fd, &f, sizeof f, MSG_DONTWAIT);
    return n >= (ssize_t)(sizeof f.ip + sizeof f.icmp) && f.ip.protocol == IPPROTO_ICMP &&
           inet_pton(AF_INET, t->d, &want) == 1 && f.ip.saddr == want.s_addr &&
           f.icmp.type == ICMP_ECHOREPLY && f.icmp.un.echo.id == htons(0x484d);
}

static void resolve(struct target *t)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    if (getaddrinfo(t->a, t->b, &hints, &list) == 0 && list)
        t->open = getnameinfo(list->ai_addr, list->ai_addrlen, t->answer, sizeof t->answer, NULL, 0,
                              NI_NUMERICHOST) == 0;
    if (list)
        freeaddrinfo(list);
}

static void begin(struct target *t, int raw)
{
    t->fd = -1;
    if (strcmp(t->kind, "tcp") == 0)
        t->fd = begin_tcp(t);
    else if (strcmp(t->kind, "packet") == 0)
        t->fd = begin_packet(t, raw);
    else if (strcmp(t->kind, "resolve") == 0)
        resolve(t);
}

static void on_ready(struct target *t)
{
    if (strcmp(t->kind, "tcp") == 0) {
        end_tcp(t);
        close(t->fd);
        t->fd = -1;
    } else if (is_echo_reply(t)) {
        t->open = true;
        t->fd = -1;
    }
}

static void run(struct target *t, size_t n, uint64_t timeout_ms)
{
    uint64_t deadline = hm_clock_mono_ns() + timeout_ms * 1000000;
    for (;;) {
        struct pollfd p[TARGETS_MAX];
        size_t waiting = 0;
        for (size_t i = 0; i < n; i++) {
            bool packet = strcmp(t[i].kind, "packet") == 0;
            p[i] = (struct pollfd){t[i].fd, packet ? POLLIN : POLLOUT, 0};
            waiting += t[i].fd >= 0;
        }
        uint64_t now = hm_clock_mono_ns();
        if (!waiting || now >= deadline)
            return;
        if (poll(p, n, (int)((deadline - now) / 1000000) + 1) < 0 && errno != EINTR)
            return;
        for (size_t i = 0; i < n; i++)
            if (t[i].fd >= 0 && p[i].revents)
                on_ready(&t[i]);
    }
}

static size_t parse(struct hm_slice text, struct target *t)
{
    size_t n = 0;
    char line[512];
    while (text.len && n < TARGETS_MAX) {
        const uint8_t *end = memchr(text.p, '\n', text.len);
        size_t len = end ? (size_t)(end - text.p) : text.len;
        snprintf(line, sizeof line, "%.*s", (int)len, (const char *)text.p);
        n += sscanf(line, "%31s %11s %255s %63s %63s %63s", t[n].name, t[n].kind, t[n].a, t[n].b,
                    t[n].c, t[n].d) >= 4;
        text = hm_slice(text.p + len + (end != NULL), text.len - len - (end != NULL));
    }
    return n;
}

/* Of all files it sees what a resolver reads. Without Landlock its uid and seccomp hold it. */
static int confine_files(struct hm_error *err)
{
    static const char *const resolver[] = {"/etc", "/lib", "/usr/lib", "/run"};
    struct hm_sandbox_path paths[HM_ARRAY_LEN(resolver)];
    size_t n = 0;
    int abi;
    for (size_t i = 0; i < HM_ARRAY_LEN(resolver); i++) {
        int fd = open(resolver[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
            paths[n++] = (struct hm_sandbox_path){.dir_fd = fd};
    }
    int r = hm_sandbox_files(paths, n, true, &abi, err);
    while (n)
        close(paths[--n].dir_fd);
    return r;
}

static int confine(struct hm_error *err)
{
    int r = hm_role_drop(&hm_agent_roles[HM_AGENT_PROBE], err);
    if (r == 0)
        r = confine_files(err);
    return r == 0 ? hm_sandbox_syscalls(false, err) : r;
}

int hm_probe_main(void)
{
    static struct target targets[TARGETS_MAX];
    struct hm_error err = {0};
    struct hm_buf in = HM_BUF(HM_IPC_MAX_BYTES), out = HM_BUF(16 * 1024);
    struct hm_ipc_msg m;
    struct hm_msg_probe_start s;
    struct pollfd p = {HM_ROLE_FD, POLLIN, 0};
    if (poll(&p, 1, 10000) != 1 || hm_ipc_recv(HM_ROLE_FD, &in, &m) != 1 ||
        m.number != HM_MSG_PROBE_START || hm_msg_decode(&hm_desc_probe_start, m.payload, &s) < 0)
        return 1;
    if (confine(&err) < 0) {
        hm_err("%s", err.text);
        return 1;
    }
    size_t n = parse(s.targets, targets);
    for (size_t i = 0; i < n; i++)
        begin(&targets[i], m.fd_count ? m.fds[0] : -1);
    run(targets, n, s.timeout_ms);
    for (size_t i = 0; i < n; i++)
        hm_buf_printf(&out, "%s %s%s%s\n", targets[i].name, targets[i].open ? "open" : "closed",
                      targets[i].answer[0] ? " " : "", targets[i].answer);
    struct hm_msg_probe_done done = {.results = hm_buf_slice(&out)};
    int r = out.error ? out.error : hm_ipc_send(HM_ROLE_FD, &hm_desc_probe_done, &done, NULL, 0);
    hm_buf_done(&in);
    hm_buf_done(&out);
    return r < 0;
}
