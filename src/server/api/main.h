/* The api role after it has dropped its rights: for hm_api_main() and for tests, which run it as it
 * is with a boot record of their own. */
#pragma once
#include "server/roles.h"

/* Run until supervisor_fd ends. boot->fds: docs/internals.md. */
int hm_api_run(struct hm_role_boot *boot, int supervisor_fd, struct hm_error *err) HM_CHECK;
