/* The five rtnetlink requests the practice world is built from. Each works in the network namespace
 * the caller is in, and waits for the kernel's answer. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

int hm_nl_open(void) HM_CHECK; /* descriptor or negative errno */
/* A veth pair: name here, peer in the namespace of peer_netns_fd. */
int hm_nl_veth(int nl, const char *name, const char *peer, int peer_netns_fd) HM_CHECK;
int hm_nl_up(int nl, const char *name) HM_CHECK;
/* address: IPv4 or IPv6 text. */
int hm_nl_address(int nl, const char *name, const char *address, unsigned prefix) HM_CHECK;
int hm_nl_default_route(int nl, const char *gateway) HM_CHECK;
