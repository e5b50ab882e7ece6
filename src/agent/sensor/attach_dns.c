/* Where the DNS programs hang: a cgroup. Owns their links and the search for the root of all
 * cgroups. All of them or none: answers without askers, or askers without answers, are no use. */
#include "agent/sensor/sensor_impl.h"
#include "sensor.skel.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void programs(struct hm_sensor *s, struct bpf_program *ret_p[5])
{
    ret_p[0] = s->skel->progs.hm_dns_answer;
    ret_p[1] = s->skel->progs.hm_dns_connect4;
    ret_p[2] = s->skel->progs.hm_dns_connect6;
    ret_p[3] = s->skel->progs.hm_dns_sendmsg4;
    ret_p[4] = s->skel->progs.hm_dns_sendmsg6;
}

void hm_sensor_load_dns(struct hm_sensor *s, bool on)
{
    struct bpf_program *p[5];
    programs(s, p);
    for (size_t i = 0; i < HM_ARRAY_LEN(p); i++)
        bpf_program__set_autoload(p[i], on);
}

static int open_root(void)
{
    char buf[4096];
    struct mntent m;
    int fd = -ENOENT;
    FILE *f = setmntent("/proc/self/mounts", "re");
    while (f && fd < 0 && getmntent_r(f, &m, buf, sizeof buf))
        if (strcmp(m.mnt_type, "cgroup2") == 0)
            fd = open(m.mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f)
        endmntent(f);
    return fd;
}

void hm_sensor_drop_dns(struct hm_sensor *s)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(s->dns_links); i++) {
        bpf_link__destroy(s->dns_links[i]);
        s->dns_links[i] = NULL;
    }
}

void hm_sensor_attach_dns(struct hm_sensor *s, int scope_cgroup_fd)
{
    struct bpf_program *p[5];
    programs(s, p);
    hm_autoclose int root = scope_cgroup_fd < 0 ? open_root() : -1;
    int fd = scope_cgroup_fd < 0 ? root : scope_cgroup_fd, e = fd < 0 ? fd : 0;
    if (!bpf_program__autoload(p[0]))
        e = -ENOTSUP;
    for (size_t i = 0; e == 0 && i < HM_ARRAY_LEN(p); i++) {
        s->dns_links[i] = bpf_program__attach_cgroup(p[i], fd);
        e = s->dns_links[i] ? 0 : -errno;
    }
    if (e < 0) {
        hm_debug("sensor: DNS is not seen: %s", strerror(-e));
        hm_sensor_drop_dns(s);
    }
    s->error[HM_PART_DNS] = e;
    s->active[HM_PART_DNS] = e == 0;
}
