/* Ids of syscall tracepoints, without a tracefs mounted anywhere: a detached mount is made, read
 * and dropped, so nothing of the machine changes and no mount namespace is needed. */
#pragma once
#include "base/cleanup.h"
#include <stdint.h>

/* Id of events/syscalls/<name>/id. Errors: -ENOENT no such event; mount's errno. */
int hm_tracepoint_id(const char *name, int *ret_id) HM_CHECK;
/* A perf event on that tracepoint, all CPUs (a BPF program on it runs wherever it fires). */
int hm_tracepoint_open(const char *name, int *ret_fd) HM_CHECK;
