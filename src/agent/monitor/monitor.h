/* The supervisor, the only process with root. Owns sensors, descriptors, orders and children.
 * Parses foreign bytes only through the table codec; never touches the network itself. */
#pragma once
#include "base/error.h"
#include <stdbool.h>

struct hm_monitor_options {
    const char *state; /* state folder */
    const char *rules; /* folder of rules; NULL: the engine runs without */
    const char *scope; /* cgroup v2 folder; NULL: the whole host */
    const char *leave; /* processes in cgroup folders whose name begins so are recorded, but another
                          agent raises their alerts; NULL: none */
    const char *probes; /* what isolation must cut off, besides what is found: "NAME ADDRESS PORT"
                           lines; may be NULL */
    const char *logs;   /* further log files to follow, newline between; NULL: none */
    bool offline;       /* no uplink, no identity needed */
};

/* Run until SIGTERM or SIGINT. Errors: negative errno with words when it could not start.
 * Threads: single-threaded process only. */
int hm_monitor_run(const struct hm_monitor_options *o, struct hm_error *err) HM_CHECK;
