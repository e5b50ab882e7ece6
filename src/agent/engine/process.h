/* The engine's process: descriptors, peers and the core. Shared by engine.c (start), loop.c (one
 * epoll loop) and talk.c (messages) only. */
#pragma once
#include "agent/engine/core.h"
#include "agent/engine/intel.h"
#include "agent/sensor/limits.h"
#include "agent/sensor/record.h"
#include "agent/sensor/ring.h"
#include "proc/proc.h"

/* Places in ENGINE_START's list of descriptors (agent/messages.def) */
enum hm_engine_fd {
    HM_ENGINE_RING,
    HM_ENGINE_ARGS_RING,
    HM_ENGINE_COUNTERS,
    HM_ENGINE_FANOTIFY,
    HM_ENGINE_JOURNAL,
    HM_ENGINE_RULES,
    HM_ENGINE_UPLINK,
    HM_ENGINE_CONTENT,
    HM_ENGINE_FDS,
};
struct hm_peer {
    int fd; /* -1: not there */
    struct hm_outbox *out;
    bool waiting; /* EPOLLOUT is on */
};
struct hm_reload;
struct hm_engine {
    uint8_t endpoint[16];
    int fds[HM_ENGINE_FDS]; /* -1: not given; the uplink's moves to its peer */
    struct hm_peer monitor, uplink;
    int epoll, timer;
    struct hm_ring *ring, *args_ring;
    struct hm_ring_pace pace;
    const volatile struct hm_sensor_counter *counters;
    struct hm_buf in; /* the message being read */
    uint8_t *fan_buf;
    struct hm_users *users;
    struct hm_ruleset *rules;
    struct hm_intel_sets *intel;
    struct hm_reload *reload; /* NULL: no rules are being built */
    struct hm_journal *journal;
    struct hm_ledger ledger;
    struct hm_core *core;
    unsigned files_waited; /* rounds with a backlog in which fanotify was not read */
    uint64_t unsent;       /* messages that had no room */
    _Alignas(8) uint8_t record[HM_SENSOR_RECORD_MAX + 1]; /* the one that just left its ring */
};

/* talk.c: read and answer what a peer says. -ECONNRESET: it is gone; -EBADMSG: it broke the rules.
 */
int hm_engine_hear_monitor(struct hm_engine *g) HM_CHECK;
int hm_engine_hear_uplink(struct hm_engine *g) HM_CHECK;
void hm_engine_say_durable(struct hm_engine *g);
/* Which rare system calls the loaded rules ask for: monitor has them watched. */
void hm_engine_say_calls(struct hm_engine *g);
bool hm_engine_tell(struct hm_engine *g, const struct hm_msg_desc *d,
                    const void *msg); /* monitor */
struct hm_core_ops hm_engine_ops(struct hm_engine *g);
void hm_engine_set_uplink(struct hm_engine *g, int fd); /* takes fd */

/* reload.c: rules are built aside in a thread and swapped between two events. */
struct hm_msg_engine_start;
int hm_engine_first_rules(struct hm_engine *g, uint64_t version, struct hm_error *err) HM_CHECK;
void hm_engine_told_rules(struct hm_engine *g); /* the first ones, when monitor can be told */
int hm_engine_reload(struct hm_engine *g, uint64_t version, int dir_fd); /* takes dir_fd */
void hm_engine_reload_tick(struct hm_engine *g);
void hm_engine_reload_done(struct hm_engine *g); /* wait for a thread that still builds */

/* loop.c: until monitor closes its socket. 0 or negative errno. */
int hm_engine_watch(struct hm_engine *g, struct hm_error *err) HM_CHECK; /* epoll and timer */
int hm_engine_loop(struct hm_engine *g) HM_CHECK;
void hm_engine_watch_peer(struct hm_engine *g, struct hm_peer *p);
