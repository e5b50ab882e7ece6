/* See isolate.h. */
#include "agent/response/isolate.h"
#include "isolate.skel.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define INTERFACES_MAX  64
#define TCX_INGRESS     46 /* enum bpf_attach_type of newer headers than libbpf 1.1's */
#define TCX_EGRESS      47
#define CLSACT_HANDLE   0x484d /* ours, so that we remove ours only */
#define CLSACT_PRIORITY 1

struct interface {
    unsigned index;
    int links[2];    /* tcx: ingress, egress; -1 with clsact */
    bool made_qdisc; /* clsact was not there before */
};
struct hm_isolation {
    struct isolate_bpf *skel;
    int cgroup_links[2];
    struct interface interfaces[INTERFACES_MAX];
    size_t count;
    bool use_tcx;
};

int hm_isolate_allow_parse(const char *address, uint16_t port, uint8_t proto,
                           struct hm_isolate_allow *ret)
{
    struct hm_isolate_allow a = {.port = htons(port), .proto = proto};
    if (inet_pton(AF_INET6, address, a.addr) != 1) {
        memset(a.addr, 0, sizeof a.addr);
        a.addr[10] = a.addr[11] = 0xff;
        if (inet_pton(AF_INET, address, a.addr + 12) != 1)
            return -EINVAL;
    }
    *ret = a;
    return 0;
}

/* Process 1's namespace need not be readable (it may have capabilities we lack), and it says
 * nothing in a pid namespace. But only the first namespace has the settings of the whole machine.
 */
static bool in_first_namespace(void)
{
    return access("/proc/sys/net/core", X_OK) < 0 ||
           access("/proc/sys/net/core/netdev_budget", F_OK) == 0;
}

static int load(struct hm_isolation *i, const struct hm_isolation_options *o, struct hm_error *err)
{
    i->skel = isolate_bpf__open_and_load();
    if (!i->skel)
        return hm_fail(err, -errno, "the isolation programs do not load: %s", strerror(errno));
    for (size_t k = 0; k < o->allow_count; k++) {
        uint8_t one = 1;
        if (bpf_map_update_elem(bpf_map__fd(i->skel->maps.allow), &o->allow[k], &one, BPF_ANY) < 0)
            return hm_fail(err, -errno, "the allow list is full");
    }
    return 0;
}

static int attach_cgroup(struct hm_isolation *i, int cgroup_fd, struct hm_error *err)
{
    int in = bpf_program__fd(i->skel->progs.hm_cg_ingress),
        out = bpf_program__fd(i->skel->progs.hm_cg_egress);
    if (cgroup_fd < 0)
        return 0;
    i->cgroup_links[0] = bpf_link_create(in, cgroup_fd, BPF_CGROUP_INET_INGRESS, NULL);
    if (i->cgroup_links[0] >= 0)
        i->cgroup_links[1] = bpf_link_create(out, cgroup_fd, BPF_CGROUP_INET_EGRESS, NULL);
    if (i->cgroup_links[0] < 0 || i->cgroup_links[1] < 0)
        return hm_fail(err, -errno, "cgroup_skb cannot be attached: %s", strerror(errno));
    return 0;
}

/* Has frames with an Ethernet header? -1: unknown interface. */
static int is_ethernet(const char *name)
{
    struct ifreq r = {0};
    hm_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &r) < 0)
        return -1;
    return r.ifr_hwaddr.sa_family == ARPHRD_ETHER;
}

static void program_fds(const struct hm_isolation *i, bool ethernet, int ret[2])
{
    ret[0] =
        bpf_program__fd(ethernet ? i->skel->progs.hm_l2_ingress : i->skel->progs.hm_l3_ingress);
    ret[1] = bpf_program__fd(ethernet ? i->skel->progs.hm_l2_egress : i->skel->progs.hm_l3_egress);
}

static void detach_clsact(struct interface *f)
{
    for (int side = 0; side < 2; side++) {
        LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)f->index,
                    .attach_point = side ? BPF_TC_EGRESS : BPF_TC_INGRESS);
        LIBBPF_OPTS(bpf_tc_opts, opts, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY);
        bpf_tc_detach(&hook, &opts);
    }
    if (f->made_qdisc) {
        LIBBPF_OPTS(bpf_tc_hook, both, .ifindex = (int)f->index,
                    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
        bpf_tc_hook_destroy(&both);
    }
}

static int attach_clsact(struct interface *f, const int progs[2])
{
    LIBBPF_OPTS(bpf_tc_hook, both, .ifindex = (int)f->index,
                .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
    int r = bpf_tc_hook_create(&both);
    f->made_qdisc = r == 0;
    if (r < 0 && r != -EEXIST)
        return r;
    for (int side = 0; side < 2; side++) {
        LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)f->index,
                    .attach_point = side ? BPF_TC_EGRESS : BPF_TC_INGRESS);
        LIBBPF_OPTS(bpf_tc_opts, opts, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY,
                    .prog_fd = progs[side], .flags = BPF_TC_F_REPLACE);
        if ((r = bpf_tc_attach(&hook, &opts)) < 0) {
            detach_clsact(f);
            return r;
        }
    }
    return 0;
}

static void close_links(int links[2])
{
    for (int side = 0; side < 2; side++)
        if (links[side] >= 0)
            close(links[side]); /* a link ends with its last descriptor */
    links[0] = links[1] = -1;
}

static int attach_tcx(struct interface *f, const int progs[2])
{
    static const int types[2] = {TCX_INGRESS, TCX_EGRESS};
    for (int side = 0; side < 2; side++) {
        f->links[side] =
            bpf_link_create(progs[side], (int)f->index, (enum bpf_attach_type)types[side], NULL);
        if (f->links[side] < 0) {
            int r = -errno;
            close_links(f->links);
            return r;
        }
    }
    return 0;
}

static int attach_interface(struct hm_isolation *i, const struct if_nameindex *n,
                            struct hm_error *err)
{
    int ethernet = is_ethernet(n->if_name), progs[2];
    if (ethernet < 0)
        return 0; /* it went away meanwhile */
    if (i->count == INTERFACES_MAX)
        return hm_fail(err, -ENOSPC, "more than %d network interfaces", INTERFACES_MAX);
    struct interface *f = &i->interfaces[i->count];
    *f = (struct interface){.index = n->if_index, .links = {-1, -1}};
    program_fds(i, ethernet, progs);
    int r = i->use_tcx ? attach_tcx(f, progs) : -EINVAL;
    if (r == -EINVAL && (i->count == 0 || !i->use_tcx)) { /* before 6.6 there is no tcx */
        i->use_tcx = false;
        r = attach_clsact(f, progs);
    }
    if (r == -ENODEV)
        return 0;
    if (r < 0)
        return hm_fail(err, r, "the filter of %s cannot be attached: %s", n->if_name, strerror(-r));
    i->count++;
    return 1;
}

static bool is_attached(const struct hm_isolation *i, unsigned index)
{
    for (size_t k = 0; k < i->count; k++)
        if (i->interfaces[k].index == index)
            return true;
    return false;
}

static void forget_gone(struct hm_isolation *i, const struct if_nameindex *names)
{
    for (size_t k = 0; k < i->count;) {
        const struct if_nameindex *n = names;
        while (n->if_index && n->if_index != i->interfaces[k].index)
            n++;
        if (n->if_index) {
            k++;
            continue;
        }
        close_links(i->interfaces[k].links);
        i->interfaces[k] = i->interfaces[--i->count];
    }
}

int hm_isolation_refresh(struct hm_isolation *i, struct hm_error *err)
{
    struct if_nameindex *names = if_nameindex();
    int r = 0, added = 0;
    if (!names)
        return hm_fail(err, -errno, "cannot list the network interfaces");
    forget_gone(i, names);
    /* One that fails does not keep the others open. */
    for (const struct if_nameindex *n = names; n->if_index; n++) {
        if (strcmp(n->if_name, "lo") == 0 || is_attached(i, n->if_index))
            continue;
        int e = attach_interface(i, n, err);
        r = e < 0 ? e : r;
        added += e > 0;
    }
    if_freenameindex(names);
    return r < 0 ? r : added;
}

int hm_isolation_apply(const struct hm_isolation_options *o, struct hm_isolation **ret_i,
                       struct hm_error *err)
{
    if (!o->by_order && in_first_namespace())
        return hm_fail(err, -EPERM, "the machine's own network is cut by a signed order only");
    struct hm_isolation *i = calloc(1, sizeof *i);
    if (!i)
        return hm_fail(err, -ENOMEM, "no memory for isolation");
    i->cgroup_links[0] = i->cgroup_links[1] = -1;
    i->use_tcx = !o->no_tcx;
    int r = load(i, o, err);
    if (r == 0)
        r = attach_cgroup(i, o->cgroup_fd, err);
    if (r == 0)
        r = hm_isolation_refresh(i, err);
    if (r < 0) {
        hm_isolation_release(i);
        return r;
    }
    *ret_i = i;
    return 0;
}

void hm_isolation_release(struct hm_isolation *i)
{
    if (!i)
        return;
    for (size_t k = 0; k < i->count; k++) {
        if (i->interfaces[k].links[0] < 0)
            detach_clsact(&i->interfaces[k]);
        close_links(i->interfaces[k].links);
    }
    close_links(i->cgroup_links);
    isolate_bpf__destroy(i->skel);
    free(i);
}

void hm_isolation_layers(const struct hm_isolation *i, struct hm_buf *out)
{
    hm_buf_printf(out, "[%s\"%s\"]", i->cgroup_links[0] >= 0 ? "\"cgroup_skb\"," : "",
                  i->use_tcx ? "tcx" : "clsact");
}

uint64_t hm_isolation_dropped(const struct hm_isolation *i)
{
    uint64_t values[1024] = {0}, sum = 0;
    uint32_t dropped = 1;
    int cpus = libbpf_num_possible_cpus();
    if (cpus < 1 || cpus > 1024 ||
        bpf_map_lookup_elem(bpf_map__fd(i->skel->maps.counts), &dropped, values) < 0)
        return 0;
    for (int c = 0; c < cpus; c++)
        sum += values[c];
    return sum;
}
