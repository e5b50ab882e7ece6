/* What the files of orders share. One order is carried out at a time; the others wait. */
#pragma once
#include "agent/monitor/ledger.h"
#include "agent/monitor/state.h"
#include "agent/monitor/verify.h"
#include "agent/response/isolate.h"
#include "agent/response/kill.h"

enum hm_order_phase {
    HM_PHASE_IDLE,
    HM_PHASE_WHO,      /* kill: the engine is asked which processes */
    HM_PHASE_BEFORE,   /* isolate: what is reachable now */
    HM_PHASE_AFTER,    /* isolate: what is still reachable */
    HM_PHASE_RELEASE,  /* release: is everything reachable again */
    HM_PHASE_RESTORED, /* isolation of an earlier run was put back: proven again */
};

struct hm_probe { /* one probe target and what it showed */
    char name[32];
    bool expect_open, asked, before_known, before, now_known, now;
};
#define HM_PROBES_MAX 12

struct hm_isolated {                   /* orders/isolation: outlives monitor */
    uint64_t release_ms;               /* server's clock; 0: until released */
    uint64_t server_ms, boot_ns, boot; /* signed time when it was written, to go on counting */
    uint64_t counter;
    uint8_t id[16];
    char server_address[64]; /* resolved before the network was cut */
};

struct hm_orders {
    int dir_fd;
    struct hm_counter counter;
    const char *blocked;
    struct hm_signed_time time;
    uint64_t nonce_ns;
    uint64_t got, done, failed, refused, refusals_told, refusals_hour_ns;
    /* waiting */
    struct hm_buf queue[HM_MON_ORDERS_MAX];
    size_t queued;
    /* under way */
    enum hm_order_phase phase;
    struct hm_buf stmt; /* what order's slices point into */
    struct hm_msg_order order;
    uint64_t deadline_ns;
    /* kill */
    uint64_t who_id, asked_ns;
    struct hm_kill_target *targets;
    size_t target_count;
    char scope[256]; /* cgroup path as in /proc; empty: none */
    /* isolation */
    struct hm_isolation *isolation;
    struct hm_isolated isolated;
    struct hm_probe probes[HM_PROBES_MAX];
    size_t probe_count;
    uint64_t refresh_ns, retry_ns;
    pid_t drills[HM_MON_DRILLS_MAX]; /* ours to reap; 0: free */
    bool restore_wanted;             /* isolated before a restart, and not yet again */
};

/* orders.c: the order under way ends with this; detail is JSON. */
void hm_mon_order_end(struct hm_monitor *m, uint64_t state, struct hm_slice detail);
void hm_mon_order_fail(struct hm_monitor *m, const struct hm_error *err);
uint64_t hm_mon_order_now_ms(const struct hm_monitor *m);
/* orders_kill.c */
void hm_mon_kill_begin(struct hm_monitor *m);
void hm_mon_kill_tick(struct hm_monitor *m, uint64_t now_ns);
/* orders_isolate.c */
int hm_mon_isolation_load(struct hm_monitor *m, struct hm_error *err) HM_CHECK;
void hm_mon_isolate_begin(struct hm_monitor *m);
void hm_mon_release_begin(struct hm_monitor *m);
void hm_mon_isolation_probed(struct hm_monitor *m, struct hm_slice results);
void hm_mon_isolation_tick(struct hm_monitor *m, uint64_t now_ns);
/* orders_probe.c */
int hm_mon_probe_start(struct hm_monitor *m,
                       struct hm_error *err) HM_CHECK; /* fills probes, spawns */
void hm_mon_probe_take(struct hm_orders *o, struct hm_slice results, bool before);
void hm_mon_probe_json(const struct hm_orders *o, struct hm_buf *out);
int hm_mon_split_server(const char *server, char *host, size_t len, uint16_t *ret_port) HM_CHECK;
