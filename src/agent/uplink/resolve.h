/* Names to addresses without stopping the loop: heart beats are answered meanwhile. */
#pragma once
#include "agent/uplink/limits.h"
#include "base/error.h"
#include <sys/socket.h>

struct hm_addrs {
    struct sockaddr_storage v[HM_UPLINK_ADDRS_MAX];
    size_t n;
};
/* "HOST:PORT" or "[V6]:PORT" into two texts. -EINVAL: neither. */
int hm_resolve_split(const char *server, char host[256], char port[8]) HM_CHECK;
/* 0: *ret_addrs is filled (a numeric address). 1: *ret_fd gets readable, then hm_resolve_take(). */
int hm_resolve_begin(const char *server, struct hm_addrs *ret_addrs, int *ret_fd) HM_CHECK;
int hm_resolve_take(int fd, struct hm_addrs *ret_addrs) HM_CHECK; /* -ENOENT: no such name */
