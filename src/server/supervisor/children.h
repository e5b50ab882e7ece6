/* The roles as processes: start, pair, brake, end. Used by supervisor.c only. */
#pragma once
#include "server/roles.h"

struct hm_child {
    pid_t pid; /* 0: not running */
    int pidfd, sock;
    uint64_t started_ns, retry_ns; /* retry_ns: when it may be started again */
    uint32_t delay_ms, restarts;
};
struct hm_children {
    const struct hm_server_config *config;
    int agents_fd, console_fd;
    struct hm_child c[HM_ROLE_COUNT];
};

void hm_children_init(struct hm_children *s, const struct hm_server_config *c);
/* Start one role, hand it what it needs and pair it with its running peers.
 * Errors:  negative errno; nothing runs then. */
int hm_children_start(struct hm_children *s, enum hm_server_role role,
                      struct hm_error *err) HM_CHECK;
/* Reap a dead role and set the time of its next start. */
void hm_children_reap(struct hm_children *s, enum hm_server_role role, uint64_t now_ns);
/* Ask every role to stop, senders first; kill what is left after the grace. */
void hm_children_stop(struct hm_children *s);
