/* Inside of struct hm_sensor, shared by the files of this folder only. */
#pragma once
#include "agent/sensor/record.h"
#include "agent/sensor/calls.h"
#include "agent/sensor/probe.h"
#include "agent/sensor/record.h"
#include "agent/sensor/sensor.h"
#include <bpf/libbpf.h>

/* What can be active; the order is the order of the report. */
enum hm_part {
    HM_PART_EXEC,
    HM_PART_FORK,
    HM_PART_EXIT,
    HM_PART_NETWORK,
    HM_PART_ACCEPT,
    HM_PART_SNAPSHOT,
    HM_PART_CALLS,
    HM_PART_DNS,
    HM_PART_COUNT
};

struct hm_sensor {
    struct sensor_bpf *skel;
    struct bpf_link *links[HM_PART_COUNT + 1]; /* accept may take two tracepoints */
    bool active[HM_PART_COUNT];
    bool accept_fexit; /* accept is seen at the function, not at the syscall */
    bool scoped, attached;
    int error[HM_PART_COUNT]; /* why a part is not active */
    struct hm_probe_results probes;
    struct bpf_link *call_links[HM_RARE_MAX]; /* by place in calls.def; NULL: not watched */
    struct bpf_link *dns_links[5];
    char calls_how[640];
    uint64_t missed[HM_PROG_COUNT]; /* of the kernel's counts, what is in the counters already */
};

/* The entry tracepoint of a system call, for a program. NULL: *ret_error says why. */
struct bpf_link *hm_sensor_attach_syscall(struct bpf_program *p, const char *name, int *ret_error);
/* attach_calls.c: constants of the program, before it is loaded. */
void hm_sensor_set_calls(struct hm_sensor *s);
void hm_sensor_drop_calls(struct hm_sensor *s);
/* attach_dns.c: at the scope's cgroup, or at the root of all. */
void hm_sensor_load_dns(struct hm_sensor *s, bool on); /* before the object is loaded */
void hm_sensor_attach_dns(struct hm_sensor *s, int scope_cgroup_fd);
void hm_sensor_drop_dns(struct hm_sensor *s);
/* Add count to the lost records of prog. Errors: -ENOTSUP: the kernel has no program for it. */
int hm_sensor_add_missed(struct hm_sensor *s, enum hm_sensor_prog prog, uint64_t count) HM_CHECK;
