/* The engine as a child process of a test: real descriptors, real drop and sandbox, the messages of
 * agent/messages.def. */
#pragma once
#include "agent/messages.h"
#include "agent/roles.h"
#include "journal/journal.h"
#include <sys/types.h>

#define CHILD_BOOT UINT64_C(0xb007)

struct engine {
    char dir[64];
    int fd, uplink;
    pid_t pid;
    struct hm_buf in;
};

/* Descriptors of ENGINE_START beside journal, rules and uplink; -1: not given. */
struct engine_fds {
    int ring, args_ring, counters, fanotify;
};
#define NO_FDS ((struct engine_fds){-1, -1, -1, -1})
struct engine *engine_new(struct engine_fds fds, const char *policy, const char *rule);
void engine_start(struct engine *g, struct engine_fds fds,
                  const char *policy); /* again, after a kill */
int engine_finish(struct engine *g);   /* closes its sockets; returns the wait status */
void engine_free(struct engine *g);
/* The next message with this number; others before it are passed by. Fails after 5 s. */
void engine_hear(struct engine *g, int fd, uint16_t number, const struct hm_msg_desc *d, void *ret);

struct found {
    uint64_t action, count;
    uint64_t all, last_seq, gaps; /* of the whole lane: gaps in seq */
    uint64_t losses;              /* sum of loss.count of every loss event */
    uint64_t boot_ns;             /* of the last one */
    uint64_t longest;             /* bytes of the longest such text */
    char user[64];                /* of the last one */
    char text[256];               /* file path or command line of the last one */
};
struct found engine_journal(struct engine *g, const char *lane, uint64_t action);
