/* What this kernel lets us do, found out by doing it. Knows the mechanisms, not the events made
 * with them. Everything a probe makes is gone when it returns. */
#pragma once
#include "base/text.h"
#include <stdbool.h>

enum hm_probe_id {
    HM_PROBE_BTF,
    HM_PROBE_TP_BTF,
    HM_PROBE_ITER,
    HM_PROBE_SYSCALL_TP,
    HM_PROBE_CGROUP_SKB,
    HM_PROBE_FENTRY,
    HM_PROBE_FEXIT,
    HM_PROBE_LSM,
    HM_PROBE_FANOTIFY_NAME,
    HM_PROBE_FANOTIFY_PERM,
    HM_PROBE_PROC_CONNECTOR,
    HM_PROBE_COUNT,
};

struct hm_probe_info {
    const char *name;
    int tier; /* the tier that needs it */
    struct hm_text what;
};
extern const struct hm_probe_info hm_probes[HM_PROBE_COUNT];

struct hm_probe_results {
    int error[HM_PROBE_COUNT]; /* 0 works; negative errno why not */
};
void hm_probe_all(struct hm_probe_results *ret);
static inline bool hm_probe_ok(const struct hm_probe_results *r, enum hm_probe_id p)
{
    return r->error[p] == 0;
}
/* 2: fentry, fexit and LSM work; 1: tp_btf works; 3: neither. */
int hm_probe_tier(const struct hm_probe_results *r);
