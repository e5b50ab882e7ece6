/* The server's state folder: who owns which part of it. One table for init, run and the docs. */
#pragma once
#include "base/error.h"

/* Make missing folders and set owners and modes, including files already there.
 * Errors:  -EACCES not root; -ENOENT a role has no uid (err says). */
int hm_state_prepare(const char *state, struct hm_error *err) HM_CHECK;
/* Lock the folder for the life of this process.
 * Errors:  -EBUSY another server has it (err says). */
int hm_state_lock(const char *state, int *ret_fd, struct hm_error *err) HM_CHECK;
