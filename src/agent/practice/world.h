/* The parts of the practice world, each made and taken down by one pair of functions. */
#pragma once
#include "base/error.h"
#include <stdint.h>

struct hm_world_net {
    int endpoint_ns;       /* network namespace of the practice endpoint */
    int server_listener;   /* 192.0.2.1:PORT, in lan */
    int attacker_listener; /* 198.51.100.7:4444, in lan, IPv4; and IPv6 */
    int attacker_listener6;
};
/* Build both namespaces; the caller is back in his own afterwards. */
int hm_world_net_make(uint16_t server_port, struct hm_world_net *ret,
                      struct hm_error *err) HM_CHECK;
void hm_world_net_done(struct hm_world_net *n);

/* In the child that becomes the endpoint: a mount namespace with tmpfs over what drills may write
 * to, and decoys in it. */
int hm_world_mounts_make(struct hm_error *err) HM_CHECK;

/* cgroup v2 folder hinomi-practice-<pid>. Left-overs of launchers that are gone are removed first.
 */
int hm_world_cgroup_make(char *ret_path, size_t len, struct hm_error *err) HM_CHECK;
void hm_world_cgroup_remove(const char *path); /* ends what runs in it */
