/* Drills: harmless re-enactments of attacks, on practice endpoints only. */
#pragma once
#include "base/error.h"
#include "base/slice.h"
#include <sys/types.h>

/* Does this drill exist? */
bool hm_drill_known(struct hm_slice name);
/* Start one inside the scope cgroup (entered before exec). *ret_pid is a child of the caller, to
 * be reaped by SIGCHLD's default or waitpid. Errors: -ENOENT unknown drill; negative errno. */
int hm_drill_start(int scope_fd, struct hm_slice name, pid_t *ret_pid,
                   struct hm_error *err) HM_CHECK;
/* `-p drill NAME`: what runs inside the cgroup. Never returns on success. */
int hm_drill_main(const char *name);
