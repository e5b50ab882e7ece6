/* The real api role in a child process, on a port of its own, over a world. */
#pragma once
#include "world.h"
#include <sys/types.h>

struct serve {
    pid_t pid;
    int supervisor, core; /* our ends: supervisor's and core's */
    int port;
};
void serve_start(struct serve *s, const struct world *w);
void serve_stop(struct serve *s); /* asserts that it ended well */

/* First thing in main(): this program is also the hunt worker that the api re-executes. */
void serve_maybe_worker(int argc, char **argv);
