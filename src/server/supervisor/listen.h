/* Listening sockets, opened while we are root. */
#pragma once
#include "base/error.h"

/* HOST:PORT, [V6]:PORT; nonblocking and close-on-exec.
 * Errors:  -EINVAL not an address; -EADDRINUSE and the like, in words in err. */
int hm_listen_open(const char *where, int *ret_fd, struct hm_error *err) HM_CHECK;
