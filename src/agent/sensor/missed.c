/* Losses that no program of ours can see: the kernel counts how often it skipped a program because
 * it would have interrupted itself. Owns bringing those numbers into the counters. */
#include "agent/sensor/sensor_impl.h"
#include "sensor.skel.h"
#include "base/log.h"
#include <bpf/bpf.h>
#include <errno.h>

int hm_sensor_add_missed(struct hm_sensor *s, enum hm_sensor_prog prog, uint64_t count)
{
    struct bpf_program *p = s->skel->progs.hm_missed;
    struct hm_sensor_missed in = {.prog = prog, .count = count};
    LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &in, .ctx_size_in = sizeof in);
    if (!bpf_program__autoload(p))
        return -ENOTSUP;
    if (bpf_prog_test_run_opts(bpf_program__fd(p), &run) < 0)
        return -errno;
    return run.retval == 0 ? 0 : -EINVAL;
}

static uint64_t skipped(const struct bpf_program *p)
{
    struct bpf_prog_info info = {0};
    uint32_t len = sizeof info;
    if (!bpf_program__autoload(p) || bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len) < 0)
        return 0;
    return info.recursion_misses;
}

static void count_one(struct hm_sensor *s, enum hm_sensor_prog prog, const struct bpf_program *p)
{
    uint64_t total = skipped(p);
    if (total <= s->missed[prog])
        return;
    int e = hm_sensor_add_missed(s, prog, total - s->missed[prog]);
    if (e < 0)
        hm_debug("sensor: %s skipped %llu times, not counted: %d", hm_sensor_prog_name(prog),
                 (unsigned long long)(total - s->missed[prog]), e);
    else
        s->missed[prog] = total;
}

void hm_sensor_count_missed(struct hm_sensor *s)
{
    count_one(s, HM_PROG_EXEC, s->skel->progs.hm_exec);
    count_one(s, HM_PROG_FORK, s->skel->progs.hm_fork);
    count_one(s, HM_PROG_EXIT, s->skel->progs.hm_exit);
    count_one(s, HM_PROG_SOCK_STATE, s->skel->progs.hm_sock_state);
    count_one(s, HM_PROG_ACCEPT,
              s->accept_fexit ? s->skel->progs.hm_accept_fexit : s->skel->progs.hm_accept_exit);
    count_one(s, HM_PROG_DNS, s->skel->progs.hm_dns_answer);
    count_one(s, HM_PROG_CALL, s->skel->progs.hm_rare);
}
