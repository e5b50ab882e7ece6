/* Starts the helpers of the practice world. */
#pragma once
#include "base/cleanup.h"
#include <sys/types.h>

/* Re-execute as `-p role extra…` with fds as descriptors 3, 4. Errors: negative errno. */
int hm_practice_spawn(const char *role, char *const extra[], const int *fds, int count,
                      pid_t *ret_pid) HM_CHECK;
