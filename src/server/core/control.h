/* The control database as a library: tenants, endpoints, alerts, orders, users, sessions, tokens,
 * audit. Used by core and by api, each with a connection of its own (WAL; docs/adr/0005).
 * Owns the schema, the statements and what is a legal change; refuses to know HTTP, JSON and
 * sockets. What only core needs is in control_core.h.
 *
 * Everywhere: the tenant is a parameter and part of every WHERE. Rows are handed to each() and are
 * valid during that call only; each() returns non-zero to stop, which is then returned.
 * Errors everywhere: -ENOENT no such row; -EBUSY the other process held the lock for 5 s;
 * -EIO the database failed (logged at debug). Threads: one connection a thread. */
#pragma once
#include "base/error.h"
#include "base/slice.h"

#define HM_ID_BYTES   16
#define HM_TENANT_MAX 64
#define HM_TEXT_MAX   1024 /* bytes of a name, reason or other short text that people type */

struct hm_control;

/* ---- control.c ---- */
/* Open and migrate. path is <state>/core/control.db. -ENOENT: `hinomi-server init` was not run. */
int hm_control_open(const char *path, struct hm_control **ret_c, struct hm_error *err) HM_CHECK;
void hm_control_close(struct hm_control *c);

struct hm_control_first {       /* shown once by `hinomi-server init` */
    char tenant[HM_TENANT_MAX]; /* "default" */
    char user[32];              /* "admin" */
    char password[32];          /* one-time: must be changed at the first sign-in */
    char api_token[64];         /* goes to admin.token for the local CLI */
};
/* Make the database (mode 0660), its tenant, admin and API token in one transaction.
 * -EEXIST: already there and untouched. */
int hm_control_init(const char *path, struct hm_control_first *ret_first,
                    struct hm_error *err) HM_CHECK;

/* Several calls in one transaction; they nest (only the outermost counts). A rolled-back inner
 * one makes the outer commit fail with -ECANCELED. */
int hm_control_begin(struct hm_control *c) HM_CHECK;
int hm_control_commit(struct hm_control *c) HM_CHECK;
void hm_control_rollback(struct hm_control *c);

uint64_t hm_control_now_ms(void);

/* ---- settings ---- */
int hm_setting_get(struct hm_control *c, const char *key, char *buf, size_t len) HM_CHECK;
int hm_setting_put(struct hm_control *c, const char *key, const char *value) HM_CHECK;

/* ---- endpoints (control_endpoint.c) ---- */
struct hm_endpoint_row {
    const char *tenant, *name, *group, *os, *kernel, *agent_version;
    const char *owner, *department, *asset_no;
    uint8_t id[HM_ID_BYTES];
    uint8_t key_sha256[32];
    bool practice, connected, revoked;
    uint64_t enrolled_ms, last_seen_ms;
    const char *sensors;   /* JSON of agent/sensors, NULL before the first */
    const char *isolation; /* none pending isolated failed */
    uint64_t isolation_since_ms, isolation_until_ms; /* 0: does not apply */
    const char *isolation_probes;                    /* JSON array or NULL */
    uint64_t losses, last_loss_ms, events;
    uint64_t epoch, boot;
    const char *content_state; /* what it said of detection content last; "": nothing yet */
    uint64_t content_version, content_rules, content_refused;
};
/* "healthy", "stale", "silent" or "revoked". */
const char *hm_endpoint_state(const struct hm_endpoint_row *r, uint64_t now_ms);
/* In order of name. */
int hm_endpoint_list(struct hm_control *c, const char *tenant,
                     int (*each)(void *ctx, const struct hm_endpoint_row *r), void *ctx) HM_CHECK;
int hm_endpoint_get(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                    int (*each)(void *ctx, const struct hm_endpoint_row *r), void *ctx) HM_CHECK;
struct hm_endpoint_edit { /* NULL: unchanged */
    const char *owner, *department, *asset_no, *group;
};
int hm_endpoint_update(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                       const struct hm_endpoint_edit *e, const char *actor) HM_CHECK; /* audited */
/* POKE "endpoints" afterwards: core has the gateway cut it off. */
int hm_endpoint_revoke(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                       const char *reason, const char *actor) HM_CHECK; /* audited */

/* ---- overview (control_overview.c) ---- */
#define HM_OVERVIEW_SILENT 100
struct hm_overview {
    uint64_t endpoints, healthy, stale, silent, isolated;
    uint64_t alerts_open, alerts_by_severity[6]; /* open ones; index = OCSF severity id 1..5 */
    uint64_t events_total, events_last_hour, events_per_minute[60]; /* oldest first */
    uint64_t losses;
    uint8_t silent_ids[HM_OVERVIEW_SILENT][HM_ID_BYTES];
    size_t silent_count; /* ids in silent_ids */
};
int hm_control_overview(struct hm_control *c, const char *tenant, uint64_t now_ms,
                        struct hm_overview *ret) HM_CHECK;
/* Tactics of open alerts, most frequent first. */
int hm_control_tactics(struct hm_control *c, const char *tenant,
                       int (*each)(void *ctx, const char *tactic, uint64_t count),
                       void *ctx) HM_CHECK;

struct hm_completeness {
    uint64_t store_next; /* first journal record that is not in Parquet yet (lag = journal's next -
                            this) */
    uint64_t set_aside;  /* records no consumer could read */
    uint64_t
        lost_segments; /* Parquet files that are damaged and could not be rebuilt, of this tenant */
};
int hm_control_completeness(struct hm_control *c, const char *tenant,
                            struct hm_completeness *ret) HM_CHECK;

/* ---- alerts (control_alert.c) ---- */
struct hm_alert_row {
    uint8_t id[HM_ID_BYTES], endpoint[HM_ID_BYTES];
    const char *endpoint_name;
    bool practice;
    const char *state, *rule_id, *title, *title_ja, *reason, *reason_ja;
    const char *advice, *advice_ja;   /* what to do now; empty when nobody knows */
    const char *techniques, *tactics; /* comma between */
    uint64_t severity;                /* OCSF 1..5 */
    uint64_t event_ns, received_ns, created_ms;
    uint64_t tree_key, process_key, pid;
    const char *image, *command_line, *user;
    uint64_t epoch, boot, event_seq, count;
    const char *evidence; /* JSON array; only from hm_alert_get */
    uint64_t nodes_dropped, events_dropped;
    const uint8_t *story;     /* 16 bytes or NULL */
    const uint8_t *exception; /* 16 bytes of the exception that dismissed it, or NULL */
};
struct hm_alert_filter { /* zero: any */
    const char *state;   /* exact name, "open" (not dismissed, not CLOSED) or NULL */
    uint64_t severity;   /* at least */
    const uint8_t *endpoint;
    const uint8_t *story;
    uint64_t before_ns; /* received before: the next page */
    uint32_t limit;     /* 0 = 100, at most 1000 */
};
/* Newest received first. */
int hm_alert_list(struct hm_control *c, const char *tenant, const struct hm_alert_filter *f,
                  int (*each)(void *ctx, const struct hm_alert_row *r), void *ctx) HM_CHECK;
int hm_alert_get(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                 int (*each)(void *ctx, const struct hm_alert_row *r), void *ctx) HM_CHECK;
struct hm_alert_node { /* one process of the tree */
    uint64_t key, parent, pid, start_ns, exit_ns, exit_code, exit_signal;
    uint32_t ancestor; /* 0: in the tree; 1, 2 …: above its root, nearest first */
    bool marked;       /* raised the alert */
    bool alive;
    const char *image, *command_line, *user,
        *stdio;            /* stdio: "" or "socket,socket,socket IP:PORT" */
    const uint8_t *sha256; /* 32 bytes or NULL */
};
/* Ancestors (farthest first), then by start time. */
int hm_alert_nodes(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                   int (*each)(void *ctx, const struct hm_alert_node *n), void *ctx) HM_CHECK;
struct hm_alert_event {
    uint64_t key, class, action, time_ns, seq;
    const char *json; /* hm_event_to_json */
};
/* Events of the tree's processes, oldest first. class 0: all. */
int hm_alert_events(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                    uint64_t class, int (*each)(void *ctx, const struct hm_alert_event *e),
                    void *ctx) HM_CHECK;
struct hm_alert_change {
    uint64_t time_ms;
    const char *actor, *from, *to, *reason;
};
int hm_alert_history(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                     int (*each)(void *ctx, const struct hm_alert_change *h), void *ctx) HM_CHECK;
/* States that can follow, NULL-terminated; empty for an unknown state. */
void hm_alert_next_states(const char *state, const char *ret_states[16]);
/* Audited. -EINVAL: no such state, or a dismissal or reopening without a reason; -EPROTO: not
 * reachable from the present state (alert_states.def). */
int hm_alert_set_state(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                       const char *to, const char *reason, const char *actor) HM_CHECK;

/* ---- stories (control_story.c): the alerts of one attack as one item ---- */
struct hm_story_row {
    uint8_t id[HM_ID_BYTES], endpoint[HM_ID_BYTES],
        lead[HM_ID_BYTES]; /* lead: the alert that speaks for it */
    const char *endpoint_name, *title, *title_ja, *image, *user; /* of the lead */
    const char *techniques, *tactics;                            /* of all, comma between */
    bool practice;
    uint64_t created_ms, first_ns, last_ns;
    uint64_t severity; /* of the worst alert that was not dismissed; 0: all were */
    uint64_t risk;     /* 0..100, docs/modules/stories.md */
    uint64_t alerts, open_alerts, rules;
    const uint8_t *merged_into; /* or NULL */
};
struct hm_story_filter { /* zero: any */
    bool open_only;      /* with an alert that somebody still has to look at */
    uint64_t risk;       /* at least */
    const uint8_t *endpoint;
    uint64_t before_ns; /* last event before: the next page */
    uint32_t limit;     /* 0 = 100, at most 1000 */
};
/* Last event first; merged ones are left out. */
int hm_story_list(struct hm_control *c, const char *tenant, const struct hm_story_filter *f,
                  int (*each)(void *ctx, const struct hm_story_row *s), void *ctx) HM_CHECK;
/* A merged story is found too and says into which. */
int hm_story_get(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                 int (*each)(void *ctx, const struct hm_story_row *s), void *ctx) HM_CHECK;

/* ---- exceptions (control_exception.c): known and accepted, so nobody need look ---- */
struct hm_exception_new {
    const char *title, *owner, *reason; /* owner: who answers for it */
    const char *rule_id, *group;        /* "": any */
    const uint8_t *endpoint;            /* NULL: any */
    const char *where;                  /* items of a Sigma search, a line each; "": none */
    uint64_t ttl_s;
};
struct hm_exception_row {
    uint8_t id[HM_ID_BYTES];
    const char *tenant, *title, *owner, *reason, *rule_id, *group, *where, *ended_by;
    const uint8_t *endpoint;
    uint64_t created_ms, expires_ms, ended_ms; /* ended_ms: by hand, 0 not */
    uint64_t hits, last_hit_ms;
};
/* Newest first, ended and expired ones too. */
int hm_exception_list(struct hm_control *c, const char *tenant,
                      int (*each)(void *ctx, const struct hm_exception_row *x), void *ctx) HM_CHECK;
/* Of every tenant, oldest first. */
int hm_exception_active(struct hm_control *c, uint64_t now_ms,
                        int (*each)(void *ctx, const struct hm_exception_row *x),
                        void *ctx) HM_CHECK;
/* POKE "exceptions" afterwards. -EINVAL with what is wrong, and where in the conditions. */
int hm_exception_add(struct hm_control *c, const char *tenant, const struct hm_exception_new *x,
                     const char *actor, uint8_t ret_id[HM_ID_BYTES],
                     struct hm_error *err) HM_CHECK; /* audited */
int hm_exception_end(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                     const char *actor) HM_CHECK; /* audited */

/* ---- orders (control_order.c) ---- */
struct hm_order_row {
    uint8_t id[HM_ID_BYTES], endpoint[HM_ID_BYTES];
    const char *kind, *state, *reason, *actor, *detail, *drill;
    uint64_t counter, process_key, created_ms, updated_ms, not_after_ms, release_ms;
    bool tree, has_alert;
    uint8_t alert[HM_ID_BYTES];
};
struct hm_order_new {
    const char *kind;        /* "kill", "isolate", "release", "drill" */
    const uint8_t *endpoint; /* NULL for a drill: the connected practice endpoint */
    uint64_t process_key;    /* kill */
    bool tree;
    const uint8_t *alert; /* or NULL */
    const char *drill;    /* name of the drill */
    const char *reason, *actor;
    /* kill, release: may be carried out for so long (0 = 1 h). isolate: lasts so long (0 = 24 h) */
    uint64_t expires_s;
};
/* Write the intent, state "requested", audited; POKE "orders" afterwards. -EINVAL: kind or its
 * parameters; -ENOENT: endpoint (drill: no practice endpoint is connected); -EKEYREVOKED: revoked.
 */
int hm_order_create(struct hm_control *c, const char *tenant, const struct hm_order_new *o,
                    uint8_t ret_id[HM_ID_BYTES]) HM_CHECK;
struct hm_order_filter {
    const uint8_t *id, *endpoint, *alert; /* NULL: any */
    uint32_t limit;                       /* 0 = 100, at most 1000 */
};
/* Newest first. */
int hm_order_list(struct hm_control *c, const char *tenant, const struct hm_order_filter *f,
                  int (*each)(void *ctx, const struct hm_order_row *r), void *ctx) HM_CHECK;

/* ---- access (control_access.c): users, sessions, tokens ---- */
/* argon2id: half a second and 64 MiB on purpose; call it on a worker. */
int hm_password_hash(const char *password, char ret_hash[128]) HM_CHECK;
bool hm_password_verify(const char *hash,
                        const char *password); /* hash NULL: takes as long, false */
struct hm_user_row {
    const char *tenant, *name, *hash, *role, *language;
    bool must_change;
};
int hm_user_get(struct hm_control *c, const char *name,
                int (*each)(void *ctx, const struct hm_user_row *r), void *ctx) HM_CHECK;
/* Clears must_change and ends every session of that user; audited. */
int hm_user_set_password(struct hm_control *c, const char *tenant, const char *name,
                         const char *hash, const char *actor) HM_CHECK;
/* New session: cookie and csrf are hex texts; only the cookie's hash is stored. */
int hm_session_create(struct hm_control *c, const char *tenant, const char *user, uint64_t ttl_s,
                      char ret_cookie[65], char ret_csrf[65]) HM_CHECK;
struct hm_session_row {
    const char *tenant, *user, *csrf, *role, *language;
    bool must_change;
    uint64_t expires_ms;
};
/* -ENOENT: unknown, expired (12 h after sign-in by default, or 60 min unused) or the user is gone.
 */
int hm_session_get(struct hm_control *c, const char *cookie,
                   int (*each)(void *ctx, const struct hm_session_row *r), void *ctx) HM_CHECK;
int hm_session_delete(struct hm_control *c, const char *cookie) HM_CHECK;
/* A bearer token; *ret_* buffers take the names. */
int hm_api_token_create(struct hm_control *c, const char *tenant, const char *name,
                        char ret_token[64]) HM_CHECK;
int hm_api_token_check(struct hm_control *c, const char *token, char ret_tenant[HM_TENANT_MAX],
                       char ret_name[64]) HM_CHECK;

struct hm_enroll_token_row {
    uint8_t id[HM_ID_BYTES];
    const char *group, *actor;
    uint64_t uses, used, created_ms, expires_ms;
    bool revoked;
};
/* The token's text is returned once. uses 1..100000, ttl 60 s..30 d, else -EINVAL. Audited. */
int hm_enroll_token_create(struct hm_control *c, const char *tenant, const char *group,
                           uint64_t uses, uint64_t ttl_s, const char *actor,
                           uint8_t ret_id[HM_ID_BYTES], char ret_token[64]) HM_CHECK;
int hm_enroll_token_list(struct hm_control *c, const char *tenant,
                         int (*each)(void *ctx, const struct hm_enroll_token_row *r),
                         void *ctx) HM_CHECK;
int hm_enroll_token_revoke(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                           const char *actor) HM_CHECK;

/* ---- audit (audit.c) ---- */
int hm_audit_add(struct hm_control *c, const char *tenant, const char *actor, const char *action,
                 const char *target, const char *detail) HM_CHECK;
struct hm_audit_row {
    uint64_t seq, time_ms;
    const char *actor, *action, *target, *detail;
};
/* Newest first; before: seq, 0 = newest; limit 0 = 200, at most 1000. */
int hm_audit_list(struct hm_control *c, const char *tenant, uint64_t before, uint32_t limit,
                  int (*each)(void *ctx, const struct hm_audit_row *r), void *ctx) HM_CHECK;
/* Recompute the chain. -EBADMSG: *ret_seq is the first row that was altered, or removed before. */
int hm_audit_verify(struct hm_control *c, uint64_t *ret_seq) HM_CHECK;
