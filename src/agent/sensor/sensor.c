/* Loads and attaches the BPF programs and keeps what they hang on. Owns the skeleton's life; knows
 * neither what records mean nor who reads them. */
#include "agent/sensor/sensor_impl.h"
#include "agent/sensor/limits.h"
#include "agent/sensor/tracepoint.h"
#include "sensor.skel.h"
#include "base/log.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int print_debug(enum libbpf_print_level level, const char *fmt, va_list ap)
{
    char line[512];
    if (level == LIBBPF_DEBUG)
        return 0;
    vsnprintf(line, sizeof line, fmt, ap);
    line[strcspn(line, "\n")] = 0;
    hm_debug("%s", line);
    return 0;
}

/* On cgroup v2 the id of a cgroup is the inode number of its folder. */
static int set_scope(struct hm_sensor *s, int fd, struct hm_error *err)
{
    struct stat st;
    if (fd < 0)
        return 0;
    if (fstat(fd, &st) < 0)
        return hm_fail(err, -errno, "scope cgroup: %s", strerror(errno));
    s->skel->rodata->scope_cgroup_id = st.st_ino;
    s->scoped = true;
    return 0;
}

static int set_sizes(struct sensor_bpf *skel, const struct hm_sensor_options *o)
{
    int cpus = libbpf_num_possible_cpus(), e;
    if (cpus < 0)
        return cpus;
    e = bpf_map__set_max_entries(skel->maps.exec_scratch, (uint32_t)cpus);
    if (e == 0 && o->ring_bytes)
        e = bpf_map__set_max_entries(skel->maps.ring, o->ring_bytes);
    if (e == 0 && o->args_ring_bytes)
        e = bpf_map__set_max_entries(skel->maps.args_ring, o->args_ring_bytes);
    return e;
}

/* What to give up, step by step, when a kernel refuses the whole. */
enum {
    GIVE_UP_NOTHING,
    GIVE_UP_DNS,
    GIVE_UP_FEXIT,
    GIVE_UP_ACCEPT,
    GIVE_UP_NETWORK,
    GIVE_UP_SNAPSHOT,
    GIVE_UP_ALL
};

static void choose(struct hm_sensor *s, const struct hm_sensor_options *o, int give_up)
{
    bool fexit = give_up < GIVE_UP_FEXIT && !o->no_tier2 && hm_probe_ok(&s->probes, HM_PROBE_FEXIT);
    bool tp = !fexit && give_up < GIVE_UP_ACCEPT && hm_probe_ok(&s->probes, HM_PROBE_SYSCALL_TP);
    bool iter = give_up < GIVE_UP_SNAPSHOT && hm_probe_ok(&s->probes, HM_PROBE_ITER);
    s->accept_fexit = fexit;
    bpf_program__set_autoload(s->skel->progs.hm_accept_fexit, fexit);
    bpf_program__set_autoload(s->skel->progs.hm_accept_exit, tp);
    bpf_program__set_autoload(s->skel->progs.hm_rare,
                              give_up < GIVE_UP_ACCEPT &&
                                  hm_probe_ok(&s->probes, HM_PROBE_SYSCALL_TP));
    hm_sensor_load_dns(s, give_up < GIVE_UP_DNS && hm_probe_ok(&s->probes, HM_PROBE_CGROUP_SKB));
    bpf_program__set_autoload(s->skel->progs.hm_sock_state, give_up < GIVE_UP_NETWORK);
    bpf_program__set_autoload(s->skel->progs.hm_snapshot, iter);
    bpf_program__set_autoload(s->skel->progs.hm_missed, give_up < GIVE_UP_SNAPSHOT);
}

static int open_and_load(struct hm_sensor *s, const struct hm_sensor_options *o, int give_up,
                         struct hm_error *err)
{
    s->skel = sensor_bpf__open();
    if (!s->skel)
        return hm_fail(err, -errno, "the sensor's BPF object cannot be read: %s", strerror(errno));
    choose(s, o, give_up);
    hm_sensor_set_calls(s);
    int e = set_sizes(s->skel, o);
    if (e == 0)
        e = set_scope(s, o->scope_cgroup_fd, err);
    if (e == 0)
        e = sensor_bpf__load(s->skel);
    if (e == 0)
        return 0;
    sensor_bpf__destroy(hm_steal(&s->skel));
    return e == -EPERM ? hm_fail(err, e, "loading BPF programs needs root (CAP_BPF, CAP_PERFMON)")
                       : hm_fail(err, e, "the kernel refuses the sensor: %s", strerror(-e));
}

static int load_best(struct hm_sensor *s, const struct hm_sensor_options *o, struct hm_error *err)
{
    int e = 0;
    for (int give_up = GIVE_UP_NOTHING; give_up < GIVE_UP_ALL; give_up++) {
        e = open_and_load(s, o, give_up, err);
        if (e == 0) {
            if (err)
                *err = (struct hm_error){0}; /* of a step that asked for more: the report says so */
            return 0;
        }
        hm_debug("sensor: step %d of giving up: %d", give_up, e);
    }
    return e == -EPERM
               ? e
               : hm_fail(err, -ENOTSUP, "no tier 1 sensor on this kernel (%s)", strerror(-e));
}

static void attach(struct hm_sensor *s, enum hm_part part, struct bpf_program *p)
{
    if (!bpf_program__autoload(p)) {
        s->error[part] = -ENOTSUP;
        return;
    }
    s->links[part] = bpf_program__attach(p);
    s->error[part] = s->links[part] ? 0 : -errno;
    s->active[part] = s->links[part] != NULL;
}

struct bpf_link *hm_sensor_attach_syscall(struct bpf_program *p, const char *name, int *ret_error)
{
    int fd = -1;
    *ret_error = hm_tracepoint_open(name, &fd);
    if (*ret_error < 0)
        return NULL;
    struct bpf_link *l = bpf_program__attach_perf_event(p, fd);
    if (!l) {
        *ret_error = -errno;
        close(fd); /* a link owns the descriptor, a failure does not */
    }
    return l;
}

static void attach_accept(struct hm_sensor *s)
{
    struct bpf_program *p = s->skel->progs.hm_accept_exit;
    if (s->accept_fexit) {
        attach(s, HM_PART_ACCEPT, s->skel->progs.hm_accept_fexit);
        return;
    }
    if (!bpf_program__autoload(p)) {
        s->error[HM_PART_ACCEPT] = s->probes.error[HM_PROBE_SYSCALL_TP];
        return;
    }
    int e1, e2;
    s->links[HM_PART_ACCEPT] = hm_sensor_attach_syscall(p, "sys_exit_accept", &e1);
    s->links[HM_PART_COUNT] = hm_sensor_attach_syscall(p, "sys_exit_accept4", &e2);
    s->active[HM_PART_ACCEPT] = e1 == 0 && e2 == 0;
    s->error[HM_PART_ACCEPT] = e1 < 0 ? e1 : e2;
}

static int attach_all(struct hm_sensor *s, int scope_fd, struct hm_error *err)
{
    attach(s, HM_PART_EXEC, s->skel->progs.hm_exec);
    attach(s, HM_PART_FORK, s->skel->progs.hm_fork);
    attach(s, HM_PART_EXIT, s->skel->progs.hm_exit);
    attach(s, HM_PART_NETWORK, s->skel->progs.hm_sock_state);
    if (s->active[HM_PART_NETWORK])
        attach_accept(s);
    s->active[HM_PART_SNAPSHOT] = bpf_program__autoload(s->skel->progs.hm_snapshot);
    hm_sensor_attach_dns(s, scope_fd);
    s->attached = true;
    if (!s->active[HM_PART_EXEC])
        return hm_fail(err, -ENOTSUP, "the exec program loads but does not attach: %s",
                       strerror(-s->error[HM_PART_EXEC]));
    return 0;
}

int hm_sensor_open(const struct hm_sensor_options *o, struct hm_sensor **ret_sensor,
                   struct hm_error *err)
{
    struct hm_sensor *s = calloc(1, sizeof *s);
    if (!s)
        return hm_fail(err, -ENOMEM, "sensor: out of memory");
    libbpf_set_print(print_debug);
    hm_probe_all(&s->probes);
    int e = load_best(s, o, err);
    if (e == 0 && !o->no_attach)
        e = attach_all(s, o->scope_cgroup_fd, err);
    /* Frozen: user space can no longer write it through any descriptor, the programs still can. (A
     * descriptor opened read-only would do, but the kernel refuses to map one.) */
    if (e == 0 && bpf_map_freeze(bpf_map__fd(s->skel->maps.counters)) < 0)
        e = hm_fail(err, -errno, "counters: %s", strerror(errno));
    if (e < 0) {
        hm_sensor_close(s);
        return e;
    }
    *ret_sensor = s;
    return 0;
}

void hm_sensor_close(struct hm_sensor *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < HM_ARRAY_LEN(s->links); i++)
        bpf_link__destroy(s->links[i]);
    hm_sensor_drop_calls(s);
    hm_sensor_drop_dns(s);
    if (s->skel)
        sensor_bpf__destroy(s->skel);
    free(s);
}

int hm_sensor_ring_fd(const struct hm_sensor *s)
{
    return bpf_map__fd(s->skel->maps.ring);
}

int hm_sensor_args_ring_fd(const struct hm_sensor *s)
{
    return bpf_map__fd(s->skel->maps.args_ring);
}

int hm_sensor_counters_fd(const struct hm_sensor *s)
{
    return bpf_map__fd(s->skel->maps.counters);
}

int hm_sensor_tier(const struct hm_sensor *s)
{
    return hm_probe_tier(&s->probes);
}
