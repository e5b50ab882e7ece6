/* `hinomi-server init`: the first keys, certificates and the administrator. */
#pragma once
#include "server/config.h"

/* Make the state folder of a new server and print, once, what a person must know.
 * Errors:  -EEXIST already made, untouched; -EACCES not root (err says). */
int hm_server_init(const struct hm_server_config *c, bool json, struct hm_error *err) HM_CHECK;
