/* Owns what isolation is proven by: which targets are tried, and how their answers read. The trying
 * is done by a short-lived child inside the scope (response/probe.c). */
#include "agent/monitor/orders_impl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROBE_MS   1200
#define OTHER_PORT 9 /* discard: nobody listens, so a machine that is reached refuses */

/* "HOST:PORT" or "[V6]:PORT". */
int hm_mon_split_server(const char *server, char *host, size_t len, uint16_t *ret_port)
{
    const char *colon = strrchr(server, ':');
    size_t n = colon ? (size_t)(colon - server) : 0;
    char *end;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    if (n >= 2 && server[0] == '[' && server[n - 1] == ']') {
        server++;
        n -= 2;
    }
    if (!n || n >= len || !port || port > 65535 || *end)
        return -EINVAL;
    memcpy(host, server, n);
    host[n] = 0;
    *ret_port = (uint16_t)port;
    return 0;
}

struct route { /* the default one */
    char interface[IFNAMSIZ], gateway[INET_ADDRSTRLEN], mac[18], own[INET_ADDRSTRLEN];
    unsigned index;
};

static bool default_route(struct route *r)
{
    char line[256], name[IFNAMSIZ];
    unsigned to, gateway, flags;
    bool found = false;
    FILE *f = fopen("/proc/net/route", "re");
    while (f && !found && fgets(line, sizeof line, f)) {
        found = sscanf(line, "%15s %x %x %x", name, &to, &gateway, &flags) == 4 && to == 0 &&
                gateway != 0;
        if (found) {
            struct in_addr a = {gateway};
            inet_ntop(AF_INET, &a, r->gateway, sizeof r->gateway);
            snprintf(r->interface, sizeof r->interface, "%s", name);
        }
    }
    if (f)
        fclose(f);
    r->index = found ? if_nametoindex(r->interface) : 0;
    return found && r->index;
}

static bool gateway_mac(struct route *r)
{
    char line[256], ip[64], mac[64];
    bool found = false;
    FILE *f = fopen("/proc/net/arp", "re");
    while (f && !found && fgets(line, sizeof line, f))
        found = sscanf(line, "%63s %*s %*s %63s", ip, mac) == 2 && strcmp(ip, r->gateway) == 0 &&
                strlen(mac) == 17 && strcmp(mac, "00:00:00:00:00:00") != 0;
    if (found)
        memcpy(r->mac, mac, sizeof r->mac);
    if (f)
        fclose(f);
    return found;
}

static bool own_address(struct route *r)
{
    struct ifreq q = {0};
    hm_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(q.ifr_name, sizeof q.ifr_name, "%s", r->interface);
    if (fd < 0 || ioctl(fd, SIOCGIFADDR, &q) < 0)
        return false;
    const struct sockaddr_in *a = (const void *)&q.ifr_addr;
    return inet_ntop(AF_INET, &a->sin_addr, r->own, sizeof r->own) != NULL;
}

static struct hm_probe *probe_named(struct hm_orders *o, const char *name, bool add)
{
    for (size_t i = 0; i < o->probe_count; i++)
        if (strcmp(o->probes[i].name, name) == 0)
            return &o->probes[i];
    if (!add || o->probe_count == HM_PROBES_MAX)
        return NULL;
    struct hm_probe *p = &o->probes[o->probe_count++];
    *p = (struct hm_probe){0};
    snprintf(p->name, sizeof p->name, "%s", name);
    return p;
}

static void want(struct hm_orders *o, const char *name, bool open)
{
    struct hm_probe *p = probe_named(o, name, true);
    if (p) {
        p->expect_open = open;
        p->asked = true;
        p->now_known = false;
    }
}

/* Frames from a packet socket go past the socket layer; whether they get out is its own question.
 */
static void add_packet(struct hm_orders *o, const char *target, struct route *r, struct hm_buf *b)
{
    if (!default_route(r) || !gateway_mac(r) || !own_address(r))
        return;
    hm_buf_printf(b, "packet packet %u %s %s %s\n", r->index, r->mac, r->own,
                  target[0] ? target : r->gateway);
    want(o, "packet", false);
}

static void add_outside(struct hm_orders *o, const char *lines, char *ret_v4, size_t len,
                        struct hm_buf *b)
{
    char name[32], address[64];
    unsigned port;
    int used = 0;
    for (; lines && sscanf(lines, "%31s %63s %u%n", name, address, &port, &used) == 3;
         lines += used) {
        hm_buf_printf(b, "%s tcp %s %u\n", name, address, port);
        want(o, name, false);
        if (!ret_v4[0] && !strchr(address, ':'))
            snprintf(ret_v4, len, "%s", address);
    }
}

static void build_targets(struct hm_monitor *m, struct route *r, struct hm_buf *b)
{
    struct hm_orders *o = m->orders;
    char host[256], outside[64] = "";
    uint16_t port = 0;
    for (size_t i = 0; i < o->probe_count; i++)
        o->probes[i].asked = false;
    if (hm_mon_split_server(m->id.server, host, sizeof host, &port) < 0)
        return;
    const char *address = o->isolated.server_address;
    if (!address[0])
        hm_buf_printf(b, "address resolve %s %u\n", host, port);
    else {
        hm_buf_printf(b, "server tcp %s %u\nserver-other tcp %s %u\n", address, port, address,
                      OTHER_PORT);
        want(o, "server", true);
        want(o, "server-other", false);
    }
    if (default_route(r)) {
        hm_buf_printf(b, "gateway-v4 tcp %s %u\n", r->gateway, OTHER_PORT);
        want(o, "gateway-v4", false);
    }
    add_outside(o, m->o->probes, outside, sizeof outside, b);
    add_packet(o, outside, r, b);
}

static int packet_socket(const struct route *r)
{
    struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)r->index};
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_IP));
    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Into the scope before it tries anything: what it reaches is what the scope's processes reach. */
static void enter_scope(struct hm_monitor *m)
{
    char pid[16];
    if (m->scope_fd < 0)
        return;
    hm_autoclose int fd = openat(m->scope_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    int n = snprintf(pid, sizeof pid, "%d", (int)m->child[HM_AGENT_PROBE].pid);
    if (fd < 0 || write(fd, pid, (size_t)n) != n)
        hm_warn("the probe could not enter the scope: %s", strerror(errno));
}

int hm_mon_probe_start(struct hm_monitor *m, struct hm_error *err)
{
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(8 * 1024);
    struct route r = {0};
    if (m->child[HM_AGENT_PROBE].pid)
        return hm_fail(err, -EBUSY, "a probe is running");
    build_targets(m, &r, &b);
    if (b.error || !b.len)
        return hm_fail(err, -EINVAL, "there is no server to probe");
    int e = hm_mon_spawn_probe(m, err);
    if (e < 0)
        return e;
    enter_scope(m);
    hm_autoclose int raw = r.own[0] ? packet_socket(&r) : -1;
    struct hm_msg_probe_start s = {.targets = hm_buf_slice(&b), .timeout_ms = PROBE_MS};
    hm_mon_send(m, HM_AGENT_PROBE, &hm_desc_probe_start, &s, &raw, raw >= 0);
    return 0;
}

static void take_line(struct hm_orders *o, const char *name, const char *word, const char *answer,
                      bool before)
{
    struct in6_addr any;
    /* Asked for once, before the cut: later words must not move what the cut leaves open. */
    if (before && !o->isolated.server_address[0] && strcmp(name, "address") == 0 &&
        (inet_pton(AF_INET, answer, &any) == 1 || inet_pton(AF_INET6, answer, &any) == 1))
        snprintf(o->isolated.server_address, sizeof o->isolated.server_address, "%s", answer);
    struct hm_probe *p = probe_named(o, name, false);
    if (!p)
        return;
    p->now = strcmp(word, "open") == 0;
    p->now_known = true;
    if (before) {
        p->before = p->now;
        p->before_known = true;
    }
}

/* Lines NAME open|closed [ANSWER], from a process that may lie: they only ever set flags. */
void hm_mon_probe_take(struct hm_orders *o, struct hm_slice results, bool before)
{
    char text[8192], name[32], word[16], answer[64];
    snprintf(text, sizeof text, "%.*s", (int)results.len, (const char *)results.p);
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        end += *end == '\n';
        answer[0] = 0;
        if (sscanf(line, "%31s %15s%*1[ ]%63[^\n]", name, word, answer) >= 2)
            take_line(o, name, word, answer, before);
    }
}

static const char *word_of(bool known, bool open)
{
    return !known ? "unknown" : open ? "open" : "closed";
}

void hm_mon_probe_json(const struct hm_orders *o, struct hm_buf *out)
{
    bool first = true;
    hm_buf_puts(out, "[");
    for (size_t i = 0; i < o->probe_count; i++) {
        const struct hm_probe *p = &o->probes[i];
        if (!p->asked)
            continue;
        hm_buf_printf(out,
                      "%s{\"name\":\"%s\",\"expect\":\"%s\",\"result\":\"%s\",\"before\":\"%s\"}",
                      first ? "" : ",", p->name, p->expect_open ? "open" : "closed",
                      word_of(p->now_known, p->now), word_of(p->before_known, p->before));
        first = false;
    }
    hm_buf_puts(out, "]");
}
