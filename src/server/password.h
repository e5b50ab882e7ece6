/* `hinomi-server password`: a new password for a user who forgot his; root on the server only. */
#pragma once
#include "server/config.h"

/* Sets a random password, ends the user's sessions, prints it once. Audited.
 * Errors:  -ENOENT no such user or no server here; -EACCES not root (err says). */
int hm_server_password(const struct hm_server_config *c, const char *user,
                       struct hm_error *err) HM_CHECK;
