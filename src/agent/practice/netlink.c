/* See netlink.h. */
#include "agent/practice/netlink.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request { /* large enough for all five; put() refuses what is not */
    alignas(NLMSG_ALIGNTO) uint8_t bytes[1024];
};

static struct nlmsghdr *head(struct request *r)
{
    return (struct nlmsghdr *)r->bytes;
}

static void begin(struct request *r, uint16_t type, uint16_t flags, const void *body, size_t len)
{
    memset(r, 0, sizeof *r);
    head(r)->nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
    head(r)->nlmsg_type = type;
    head(r)->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    memcpy(NLMSG_DATA(head(r)), body, len);
}

static struct rtattr *put(struct request *r, uint16_t type, const void *data, size_t len)
{
    size_t at = NLMSG_ALIGN(head(r)->nlmsg_len);
    if (at + RTA_SPACE(len) > sizeof r->bytes)
        return NULL;
    struct rtattr *a = (struct rtattr *)(r->bytes + at);
    a->rta_type = type;
    a->rta_len = (uint16_t)RTA_LENGTH(len);
    if (len)
        memcpy(RTA_DATA(a), data, len);
    head(r)->nlmsg_len = (uint32_t)(at + RTA_LENGTH(len));
    return a;
}

/* Everything put since a is inside of it. */
static void nest_end(struct request *r, struct rtattr *a)
{
    a->rta_len = (uint16_t)(r->bytes + head(r)->nlmsg_len - (uint8_t *)a);
}

static int talk(int nl, struct request *r)
{
    alignas(NLMSG_ALIGNTO) uint8_t answer[4096];
    if (send(nl, r, head(r)->nlmsg_len, 0) < 0)
        return -errno;
    ssize_t n = recv(nl, answer, sizeof answer, 0);
    const struct nlmsghdr *h = (const void *)answer;
    if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) || h->nlmsg_type != NLMSG_ERROR)
        return n < 0 ? -errno : -EBADMSG;
    return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
}

int hm_nl_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return fd < 0 ? -errno : fd;
}

int hm_nl_veth(int nl, const char *name, const char *peer, int peer_netns_fd)
{
    struct request r;
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    uint32_t ns = (uint32_t)peer_netns_fd;
    begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
    put(&r, IFLA_IFNAME, name, strlen(name) + 1);
    struct rtattr *info = put(&r, IFLA_LINKINFO | NLA_F_NESTED, NULL, 0);
    put(&r, IFLA_INFO_KIND, "veth", 4);
    struct rtattr *data = put(&r, IFLA_INFO_DATA | NLA_F_NESTED, NULL, 0);
    struct rtattr *other = put(&r, VETH_INFO_PEER | NLA_F_NESTED, &link, sizeof link);
    put(&r, IFLA_IFNAME, peer, strlen(peer) + 1);
    put(&r, IFLA_NET_NS_FD, &ns, sizeof ns);
    nest_end(&r, other);
    nest_end(&r, data);
    nest_end(&r, info);
    return talk(nl, &r);
}

int hm_nl_up(int nl, const char *name)
{
    struct request r;
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC,
                             .ifi_index = (int)if_nametoindex(name),
                             .ifi_flags = IFF_UP,
                             .ifi_change = IFF_UP};
    if (!link.ifi_index)
        return -ENODEV;
    begin(&r, RTM_NEWLINK, 0, &link, sizeof link);
    return talk(nl, &r);
}

static int parse(const char *text, uint8_t ret[16], size_t *ret_len)
{
    *ret_len = strchr(text, ':') ? 16 : 4;
    return inet_pton(*ret_len == 16 ? AF_INET6 : AF_INET, text, ret) == 1 ? 0 : -EINVAL;
}

/* Without duplicate address detection: in a world of our own an address is there at once. */
int hm_nl_address(int nl, const char *name, const char *address, unsigned prefix)
{
    struct request r;
    uint8_t a[16];
    size_t len;
    if (parse(address, a, &len) < 0)
        return -EINVAL;
    struct ifaddrmsg m = {.ifa_family = len == 16 ? AF_INET6 : AF_INET,
                          .ifa_prefixlen = (uint8_t)prefix,
                          .ifa_flags = IFA_F_NODAD,
                          .ifa_index = if_nametoindex(name)};
    begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof m);
    put(&r, IFA_LOCAL, a, len);
    put(&r, IFA_ADDRESS, a, len);
    return talk(nl, &r);
}

int hm_nl_default_route(int nl, const char *gateway)
{
    struct request r;
    uint8_t a[16];
    size_t len;
    if (parse(gateway, a, &len) < 0)
        return -EINVAL;
    struct rtmsg m = {.rtm_family = len == 16 ? AF_INET6 : AF_INET,
                      .rtm_table = RT_TABLE_MAIN,
                      .rtm_protocol = RTPROT_BOOT,
                      .rtm_scope = RT_SCOPE_UNIVERSE,
                      .rtm_type = RTN_UNICAST};
    begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof m);
    put(&r, RTA_GATEWAY, a, len);
    return talk(nl, &r);
}
