/* `hinomi-server init`: the first keys, certificates and the administrator. */
#pragma once
#include "server/config.h"

/* Make the state folder of a new server and print, once, what a person must know.
 * Errors:  -EEXIST already made, untouched; -EACCES not root (err says). */
int hm_server_init(const struct hm_server_config *c, bool json, struct hm_error *err) HM_CHECK;
/* Make keys that a state folder of an earlier version lacks; nothing when it is complete.
 * Errors:  -ENOENT one is missing and the root key is not on this machine (err says which). */
int hm_server_keys_complete(const struct hm_server_config *c, struct hm_error *err) HM_CHECK;
