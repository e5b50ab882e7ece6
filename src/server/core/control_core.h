/* The part of the control database that only core uses: enrolment, admission, what consumers
 * write, cursors and Parquet segments. Same rules as control.h. */
#pragma once
#include "server/core/control.h"

/* Commit when result >= 0, else roll back; returns result, or the commit's failure. */
int hm_control_end(struct hm_control *c, int result) HM_CHECK;

/* A read transaction: several reads see one state; end it with hm_control_rollback(). */
int hm_control_snapshot_begin(struct hm_control *c) HM_CHECK;

/* ---- enrolment and admission (control_endpoint.c, control_access.c) ---- */
struct hm_enroll_grant {
    char tenant[HM_TENANT_MAX], group[HM_TENANT_MAX];
    uint8_t token[HM_ID_BYTES];
};
/* Count one use of a token. -EACCES: unknown, expired, used up or revoked (which one is not said).
 */
int hm_enroll_token_take(struct hm_control *c, struct hm_slice token, uint64_t now_ms,
                         struct hm_enroll_grant *ret) HM_CHECK;
/* The enrolment failed after all: the use is given back. */
int hm_enroll_token_give_back(struct hm_control *c, const struct hm_enroll_grant *g) HM_CHECK;

struct hm_endpoint_new {
    uint8_t id[HM_ID_BYTES], key_sha256[32];
    struct hm_slice serial, name, os, kernel, agent_version;
    bool practice;
};
int hm_endpoint_add(struct hm_control *c, const struct hm_enroll_grant *g,
                    const struct hm_endpoint_new *e) HM_CHECK; /* audited */
/* By id alone: what a certificate says. */
int hm_endpoint_find(struct hm_control *c, const uint8_t id[HM_ID_BYTES],
                     int (*each)(void *ctx, const struct hm_endpoint_row *r), void *ctx) HM_CHECK;
struct hm_endpoint_hello {
    struct hm_slice name, os, kernel, agent_version;
    uint64_t epoch, boot;
};
int hm_endpoint_connected(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                          const struct hm_endpoint_hello *h) HM_CHECK;
int hm_endpoint_disconnected(struct hm_control *c, const uint8_t id[HM_ID_BYTES]) HM_CHECK;
int hm_endpoint_all_gone(
    struct hm_control *c) HM_CHECK; /* core starts: nobody is known connected */
/* Revoked and still connected. */
int hm_endpoint_revoked(struct hm_control *c,
                        int (*each)(void *ctx, const struct hm_endpoint_row *r),
                        void *ctx) HM_CHECK;
struct hm_endpoint_seen {
    uint64_t at_ms, events, losses;
};
int hm_endpoint_count(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                      const struct hm_endpoint_seen *s) HM_CHECK;
int hm_endpoint_set_sensors(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                            struct hm_slice json) HM_CHECK;
int hm_endpoint_set_isolation(struct hm_control *c, const char *tenant,
                              const uint8_t id[HM_ID_BYTES], const char *state, uint64_t since_ms,
                              uint64_t until_ms, const char *probes) HM_CHECK;

/* ---- alerts and their trees (control_tree.c) ---- */
struct hm_alert_new {
    uint8_t id[HM_ID_BYTES], endpoint[HM_ID_BYTES];
    struct hm_slice rule_id, title, title_ja, reason, reason_ja, advice, advice_ja, techniques,
        tactics;
    struct hm_slice image, command_line, user, evidence;
    uint64_t severity, rule_version, event_ns, received_ns, tree_key, process_key, pid;
    uint64_t epoch, boot, event_seq;
};
/* 1 when it is new, 0 when it was there (an alert's id is a hash: seeing it twice is harmless). */
int hm_alert_put(struct hm_control *c, const char *tenant, const struct hm_alert_new *a) HM_CHECK;
struct hm_alert_ref {
    const char *tenant;
    const uint8_t *id;
};
struct hm_node_new {
    uint64_t key, parent, ancestor, pid, start_ns;
    bool marked;
    struct hm_slice image, command_line, user, sha256, stdio;
};
int hm_alert_node_put(struct hm_control *c, struct hm_alert_ref a,
                      const struct hm_node_new *n) HM_CHECK;
int hm_alert_node_exit(struct hm_control *c, struct hm_alert_ref a, uint64_t key, uint64_t exit_ns,
                       uint64_t code, uint64_t signal) HM_CHECK;
int hm_alert_node_hash(struct hm_control *c, struct hm_alert_ref a, uint64_t key,
                       const uint8_t sha256[32]) HM_CHECK;
struct hm_tree_event {
    uint64_t epoch, boot, seq, key, class, action, time_ns;
    struct hm_slice json;
};
/* 1 stored, 0 was there already. */
int hm_alert_event_put(struct hm_control *c, struct hm_alert_ref a,
                       const struct hm_tree_event *e) HM_CHECK;
int hm_alert_dropped(struct hm_control *c, struct hm_alert_ref a, uint64_t nodes,
                     uint64_t events) HM_CHECK;
struct hm_alert_young {
    const char *tenant;
    uint8_t id[HM_ID_BYTES], endpoint[HM_ID_BYTES];
    uint64_t created_ms, tree_key, process_key, epoch, boot;
};
/* Alerts made after a moment, newest first, at most limit, and each_max of one endpoint. */
int hm_alert_young_list(struct hm_control *c, uint64_t after_ms, uint32_t limit, uint32_t each_max,
                        int (*each)(void *ctx, const struct hm_alert_young *a), void *ctx) HM_CHECK;
int hm_alert_node_keys(struct hm_control *c, struct hm_alert_ref a,
                       int (*each)(void *ctx, uint64_t key), void *ctx) HM_CHECK;
int hm_alert_event_count(struct hm_control *c, struct hm_alert_ref a, uint64_t *ret) HM_CHECK;

/* ---- exceptions (control_exception.c) ---- */
struct hm_exception_found;
/* Dismiss the alert by it: state, history, audit, counters; nothing is deleted. */
int hm_exception_apply(struct hm_control *c, struct hm_alert_ref a,
                       const struct hm_exception_found *x) HM_CHECK;

/* ---- stories (control_story.c) ---- */
struct hm_story_join {
    const char *tenant;
    const uint8_t *endpoint, *alert;
    uint64_t event_ns;
    const uint64_t *keys; /* of the alert's tree, the process first; none: a story of its own */
    size_t key_count;
};
/* Put the alert into the story of any of the keys, or begin one. Stories that meet become one. */
int hm_story_add(struct hm_control *c, const struct hm_story_join *j,
                 uint8_t ret_story[HM_ID_BYTES]) HM_CHECK;
/* Weigh anew: an alert was dismissed, reopened or joined. 0 also for an alert without a story. */
int hm_story_refresh(struct hm_control *c, const char *tenant,
                     const uint8_t story[HM_ID_BYTES]) HM_CHECK;
int hm_story_refresh_of(struct hm_control *c, const char *tenant,
                        const uint8_t alert[HM_ID_BYTES]) HM_CHECK;

/* ---- orders (control_order.c) ---- */
struct hm_order_work { /* one requested order, copied out */
    char tenant[HM_TENANT_MAX];
    char kind[16], drill[64], reason[HM_TEXT_MAX], actor[128];
    uint8_t id[HM_ID_BYTES], endpoint[HM_ID_BYTES], alert[HM_ID_BYTES];
    bool tree, has_alert;
    uint64_t counter, process_key, created_ms, not_after_ms, release_ms;
};
/* The oldest requested orders, at most max; returns how many. */
int hm_order_requested(struct hm_control *c, struct hm_order_work *ret, size_t max) HM_CHECK;
/* Give the order its endpoint's next counter: never given twice, whatever happens after. */
int hm_order_count(struct hm_control *c, const struct hm_order_work *o,
                   uint64_t *ret_counter) HM_CHECK;
int hm_order_signed(struct hm_control *c, const struct hm_order_work *o,
                    struct hm_slice stmt) HM_CHECK;
/* Signed orders of connected endpoints that were not sent; or, with endpoint, all that it has not
 * begun yet. each() gets slices that live during the call. */
int hm_order_unsent(struct hm_control *c, const uint8_t *endpoint,
                    int (*each)(void *ctx, const char *tenant, const uint8_t id[HM_ID_BYTES],
                                const uint8_t endpoint[HM_ID_BYTES], struct hm_slice stmt),
                    void *ctx) HM_CHECK;
/* Move an order on; never back: 0 moved, -EALREADY it is past that, -ENOENT. */
int hm_order_set_state(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                       const char *state, struct hm_slice detail) HM_CHECK;
/* Requested, signed or sent and past their not_after. */
int hm_order_overdue(struct hm_control *c, uint64_t now_ms, struct hm_order_work *ret,
                     size_t max) HM_CHECK;

/* ---- journal: cursors, set-aside records, segments, counters (control_journal.c) ---- */
/* What a consumer keeps beside its cursor; get appends, nothing when there is none. */
struct hm_buf;
int hm_state_get(struct hm_control *c, const char *consumer, struct hm_buf *out) HM_CHECK;
int hm_state_put(struct hm_control *c, const char *consumer, struct hm_slice state) HM_CHECK;
int hm_cursor_get(struct hm_control *c, const char *consumer,
                  uint64_t *ret_next) HM_CHECK; /* 0 at first */
int hm_cursor_put(struct hm_control *c, const char *consumer, uint64_t next) HM_CHECK;
int hm_crash_add(struct hm_control *c, const char *consumer, uint64_t record,
                 uint64_t *ret_count) HM_CHECK;
int hm_set_aside(struct hm_control *c, const char *consumer, uint64_t record,
                 const char *reason) HM_CHECK;
int hm_set_aside_has(struct hm_control *c, const char *consumer,
                     uint64_t record) HM_CHECK; /* 1, 0 */
int hm_minute_add(struct hm_control *c, const char *tenant, uint64_t minute,
                  uint64_t events) HM_CHECK;

struct hm_segment {
    char tenant[HM_TENANT_MAX];
    char file[64]; /* below store/<tenant>/ */
    uint64_t first_record, next_record, rows, bytes, from_ns, to_ns;
    uint8_t sha256[32];
};
int hm_segment_put(struct hm_control *c, const struct hm_segment *s) HM_CHECK;
int hm_segment_has(struct hm_control *c, const char *tenant, const char *file) HM_CHECK; /* 1, 0 */
int hm_segment_delete(struct hm_control *c, const char *tenant, const char *file) HM_CHECK;
int hm_segment_set_state(struct hm_control *c, const char *tenant, const char *file,
                         const char *state) HM_CHECK;
/* live → suspect: a reader failed on it. -ENOENT: not live. */
int hm_segment_suspect(struct hm_control *c, const char *tenant, const char *file) HM_CHECK;
/* Segments of one state, at most 16; returns how many. */
int hm_segment_by_state(struct hm_control *c, const char *state, struct hm_segment *ret,
                        size_t max) HM_CHECK;
/* All that should be on disk. */
int hm_segment_all(struct hm_control *c,
                   int (*each)(void *ctx, const char *tenant, const char *file, uint64_t bytes),
                   void *ctx) HM_CHECK;
/* A tenant and day with at least `least` live segments below `rows`: 1 found, 0 none. */
int hm_segment_crowded(struct hm_control *c, uint64_t rows, uint64_t least,
                       char ret_tenant[HM_TENANT_MAX], char ret_day[16]) HM_CHECK;
/* All segments of that day, in the order of the journal. */
int hm_segment_of_day(struct hm_control *c, const char *tenant, const char *day,
                      int (*each)(void *ctx, const struct hm_segment *s, bool live),
                      void *ctx) HM_CHECK;
/* Files that may hold rows of from <= time < to, newest first. */
int hm_segment_snapshot(struct hm_control *c, const char *tenant, uint64_t from_ns, uint64_t to_ns,
                        int (*each)(void *ctx, const char *file, uint64_t rows),
                        void *ctx) HM_CHECK;
