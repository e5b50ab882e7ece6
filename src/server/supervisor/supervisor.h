/* The root process of the server: makes sockets, starts the roles, pairs them, restarts what dies.
 */
#pragma once
#include "server/config.h"

/* Run until SIGTERM or SIGINT. 0 after a clean stop.
 * Errors:  -EBUSY another server uses this state folder; -EADDRINUSE and the like (err says). */
int hm_supervisor_run(const struct hm_server_config *c, struct hm_error *err) HM_CHECK;
