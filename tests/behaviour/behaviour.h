/* Behaviours: each acts in a cgroup of its own under the real sensor and says which records that
 * must and must not give. harness.c owns sensor, cgroup and records; the other files own
 * behaviours. */
#pragma once
#include "agent/sensor/record.h"
#include "agent/sensor/sensor.h"
#include "event/event.h"
#include <stdio.h>
#include <sys/types.h>

#define SEEN_MAX  4096
#define NOTES_MAX 16

struct world {
    struct hm_sensor *sensor;
    const volatile struct hm_sensor_counter *counters;
    int cgroup_fd;
    char cgroup[256], dir[64]; /* folder for the behaviour's files */
    pid_t actor;               /* the process in which act() runs */
    uint64_t *seen[SEEN_MAX];  /* copies of the records, in the order they came */
    size_t seen_count;
    /* what act() wants check() to know: shared memory */
    struct {
        pid_t pid[NOTES_MAX];
        uint16_t port[NOTES_MAX];
        uint64_t number[NOTES_MAX];
        int unsupported; /* this kernel cannot do it: said in words, never passed over */
        char why[128];
    } * note;
    int failed;
};

struct behaviour {
    const char *name;
    void (*act)(struct world *w); /* inside the cgroup, in a process of its own; _exit follows */
    void (*outside)(struct world *w); /* optional: in the harness's own cgroup, meanwhile */
    void (*check)(struct world *w);
    bool own_sensor; /* counters from zero, a ring of ring_bytes (0: default) */
    uint32_t ring_bytes, args_ring_bytes;
    uint32_t calls; /* rare system calls that are watched, by place in calls.def */
    bool deaf;      /* nobody consumes while it acts */
};
extern const struct behaviour process_behaviours[], image_behaviours[], network_behaviours[],
    limit_behaviours[], call_behaviours[], dns_behaviours[];

/* --- expectations --- */
#define EXPECT(w, cond, ...)                                                                       \
    ((cond) ? (void)0 : expect_failed(w, __FILE__, __LINE__, #cond, __VA_ARGS__))
void expect_failed(struct world *w, const char *file, int line, const char *cond, const char *fmt,
                   ...) HM_PRINTF(5, 6);
size_t count_of(const struct world *w, uint16_t type, pid_t pid); /* pid 0: any */
/* The n-th (from 0) record of that type and pid, or a zeroed record after a failed expectation. */
const struct hm_rec_header *record_of(struct world *w, uint16_t type, pid_t pid, size_t n);
const struct hm_rec_exec *exec_of(struct world *w, pid_t pid, size_t n);
const struct hm_rec_call *call_of(struct world *w, const char *name, pid_t pid, size_t n);
size_t calls_of(const struct world *w, const char *name, pid_t pid);
const struct hm_rec_net *net_of(struct world *w, uint16_t type, pid_t pid, size_t n);
void expect_str(struct world *w, const char *what, const struct hm_rec_exec *e, struct hm_rec_str s,
                const char *want, size_t len);
#define EXPECT_STR(w, e, field, want) expect_str(w, #field, e, (e)->field, want, strlen(want))
/* "exec 1 fork 2 exit 3": exactly these, of all processes in the cgroup */
void expect_exactly(struct world *w, const char *list);

/* --- for act() --- */
void write_file(const char *path, const char *text, int mode);
void copy_file(const char *from, const char *to, int mode);
void unsupported(struct world *w, const char *why);
int wait_for(pid_t pid); /* status */
