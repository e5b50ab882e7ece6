/* What monitor's files share. Private to this folder. */
#pragma once
#include "agent/identity.h"
#include "agent/messages.h"
#include "agent/monitor/limits.h"
#include "agent/monitor/monitor.h"
#include "agent/roles.h"
#include "agent/sensor/sensor.h"
#include "base/clock.h"
#include "base/log.h"
#include "event/event.h"
#include "journal/journal.h"
#include "wire/trust.h"
#include <sys/types.h>

struct hm_child {
    enum hm_agent_role role;
    bool stopping;
    pid_t pid; /* 0: not running */
    int pidfd, fd;
    struct hm_outbox *outbox;
    struct hm_buf in;
    uint64_t restart_at_ns; /* 0: not waiting to be started */
    uint64_t crash_ns[HM_MON_CRASHES], crashes;
    uint64_t beat_sent_ns, beat_seen_ns; /* seen 0: never answered one */
    uint64_t lost;                       /* messages its outbox had no room for */
};

struct hm_hashing { /* one HASH_IMAGE under way */
    bool used;
    uint64_t engine_id, asked_ns;
};

/* Numbers of enum hm_log_kind, engine/logs.h */
enum { HM_LOG_SOURCE_FILE, HM_LOG_SOURCE_AUDIT, HM_LOG_SOURCE_JOURNAL };
struct hm_log_file { /* which file is read by a path; 0: none */
    uint64_t dev, inode;
};

struct hm_kept_event {
    uint64_t mono_ns, lane;
    uint8_t *bytes;
    size_t len;
};

struct hm_watch;
struct hm_orders;
struct hm_mon_rules;
struct hm_scans;
struct hm_content;

struct hm_monitor {
    const struct hm_monitor_options *o;
    int epoll_fd, signal_fd, timer_fd, lock_fd;
    int state_fd, journal_fd, rules_fd, scope_fd;
    int pair[2]; /* engine's and uplink's end of the socket between them; both are kept here, so
                    that either of them can be restarted without the other noticing */
    bool enrolled, link_up, stop, uplink_started;
    struct hm_identity id;
    struct hm_trust trust;
    uint8_t key_sha256[HM_SHA256_BYTES];
    uint64_t users_changed_ns; /* of the passwd that the engine has */
    uint64_t boot, started_wall_ns, restarts, last_status_ns;
    char host_name[128], os[128], kernel[128];
    struct hm_sensor *sensor;
    uint32_t calls; /* rare system calls that are watched */
    struct hm_buf sensors_json;
    struct hm_watch *watch;
    struct hm_child child[HM_AGENT_ROLES];
    struct hm_hashing hashing[HM_MON_HASHES_MAX];
    struct hm_kept_event kept[HM_MON_EVENTS_KEPT];
    uint64_t kept_next, engine_lost_ns;
    struct hm_orders *orders;
    struct hm_mon_rules *rules; /* yara_rules.c */
    struct hm_scans *scans;     /* scans.c */
    struct hm_content *content;
    struct hm_log_file logs[HM_MON_LOGS_MAX];
    uint64_t logs_looked_ns;
    bool logs_looked, audit;
    int journal_pipe[2]; /* -1: the journal is not read. Both ends stay here, as those of pair do */
};

/* setup.c */
int hm_mon_setup(struct hm_monitor *m, struct hm_error *err) HM_CHECK;
void hm_mon_teardown(struct hm_monitor *m);
void hm_mon_report_sensors(struct hm_monitor *m);  /* sensors_json anew */
void hm_mon_journal_sensors(struct hm_monitor *m); /* … and as an event: what is seen changed */
int hm_mon_make_folder(int dir, const char *name, mode_t mode, uid_t uid, gid_t gid,
                       int *ret_fd) HM_CHECK;

/* children.c */
int hm_mon_start_children(struct hm_monitor *m, struct hm_error *err) HM_CHECK;
void hm_mon_child_ended(struct hm_monitor *m, enum hm_agent_role role); /* its pidfd is readable */
void hm_mon_child_kill(struct hm_monitor *m, enum hm_agent_role role, const char *why);
void hm_mon_children_tick(struct hm_monitor *m, uint64_t now_ns);
void hm_mon_stop_children(struct hm_monitor *m);
/* Send or queue; a full outbox is counted and logged once. */
void hm_mon_send(struct hm_monitor *m, enum hm_agent_role role, const struct hm_msg_desc *d,
                 const void *msg, const int *fds, int fd_count);
void hm_mon_flush(struct hm_monitor *m, enum hm_agent_role role); /* its socket is writable */
int hm_mon_spawn_probe(struct hm_monitor *m, struct hm_error *err) HM_CHECK;
bool hm_mon_is_own(const struct hm_monitor *m, pid_t pid);

/* logs.c */
void hm_mon_logs_tick(struct hm_monitor *m, uint64_t now_ns);
void hm_mon_logs_greet(struct hm_monitor *m); /* after the engine's start message */
int hm_mon_logs_greet_journal(struct hm_monitor *m, struct hm_error *err) HM_CHECK;
size_t hm_mon_logs_count(const struct hm_monitor *m);

/* users.c */
void hm_mon_users_tick(struct hm_monitor *m);

/* start.c: start messages */
int hm_mon_greet(struct hm_monitor *m, enum hm_agent_role role, struct hm_error *err) HM_CHECK;

/* requests.c */
void hm_mon_serve(struct hm_monitor *m, enum hm_agent_role role);
void hm_mon_engine_lost(struct hm_monitor *m);
void hm_mon_hashing_tick(struct hm_monitor *m, uint64_t now_ns);
void hm_mon_inspect_lost(struct hm_monitor *m); /* answer what it had been asked: unknown */
/* The executable of a process, checked by dev and inode; -1. */
int hm_mon_open_image(const struct hm_msg_hash_image *q);
int hm_mon_reopen(int path_fd); /* an O_PATH descriptor of a regular file, for reading; -1 */

/* events.c */
void hm_mon_journal(struct hm_monitor *m, struct hm_event *e, enum hm_lane lane);
void hm_mon_journal_text(struct hm_monitor *m, enum hm_action action, const char *process,
                         const char *detail);
void hm_mon_journal_again(struct hm_monitor *m);

/* watch.c: fanotify */
int hm_watch_open(const char *scope, struct hm_watch **ret_w, struct hm_error *err) HM_CHECK;
void hm_watch_close(struct hm_watch *w);
int hm_watch_fd(const struct hm_watch *w);      /* -1: not available */
bool hm_watch_active(const struct hm_watch *w); /* marks stand: file changes are seen */
void hm_watch_tick(struct hm_watch *w, uint64_t now_ns);
const char *hm_watch_policy(const struct hm_watch *w);              /* lines for ENGINE_START */
void hm_watch_report(const struct hm_watch *w, struct hm_buf *out); /* JSON object for status */
/* Path of a directory handle; length 0 when gone. */
size_t hm_watch_resolve(const struct hm_watch *w, struct hm_slice fsid, struct hm_slice handle,
                        char *buf, size_t len);
struct stat;
/* Mode, owner and size of a watched file by its handle; false: gone. */
/* A watched file by its handle, O_PATH: only to look at; -1. */
int hm_watch_open_file(const struct hm_watch *w, struct hm_slice fsid, struct hm_slice handle,
                       struct stat *ret_st);
bool hm_watch_stat(const struct hm_watch *w, struct hm_slice fsid, struct hm_slice handle,
                   struct stat *ret_st);

/* status.c */
/* 1 the monitor before this one did not stop in order, 0 it did, negative: there was none. */
int hm_mon_status_before(const struct hm_monitor *m, uint64_t *ret_away_ns) HM_CHECK;
void hm_mon_journal_gap(struct hm_monitor *m); /* before the first status is written */
void hm_mon_status_write(struct hm_monitor *m);

/* orders.c */
int hm_mon_orders_open(struct hm_monitor *m, struct hm_error *err) HM_CHECK;
void hm_mon_orders_close(struct hm_monitor *m);
void hm_mon_orders_got(struct hm_monitor *m, struct hm_slice order);
void hm_mon_orders_time(struct hm_monitor *m, struct hm_slice stmt);
void hm_mon_orders_link(struct hm_monitor *m, bool up);
void hm_mon_orders_know(struct hm_monitor *m, const struct hm_msg_know_process *k);
void hm_mon_orders_probed(struct hm_monitor *m,
                          struct hm_slice results); /* empty: the probe died */
void hm_mon_orders_greet(struct hm_monitor *m);     /* uplink was started: it needs a nonce */
void hm_mon_orders_tick(struct hm_monitor *m, uint64_t now_ns);
void hm_mon_orders_report(struct hm_monitor *m, struct hm_buf *out); /* members of status.json */

/* content.c: detection content, from offer to engine */
int hm_mon_content_open(struct hm_monitor *m, struct hm_error *err) HM_CHECK; /* sets rules_fd */
void hm_mon_content_close(struct hm_monitor *m);
void hm_mon_content_offer(struct hm_monitor *m, struct hm_slice stmt, struct hm_slice key_set);
int hm_mon_content_chunk(struct hm_monitor *m, const struct hm_msg_got_content *g) HM_CHECK;
void hm_mon_content_loaded(struct hm_monitor *m, const struct hm_msg_content_loaded *l);
void hm_mon_content_engine_lost(struct hm_monitor *m);
void hm_mon_content_tick(struct hm_monitor *m, uint64_t now_ns);
int hm_mon_content_fd(const struct hm_monitor *m);
uint64_t hm_mon_content_version(const struct hm_monitor *m);
void hm_mon_content_report(const struct hm_monitor *m, struct hm_buf *out); /* of status.json */
