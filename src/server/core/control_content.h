/* The part of the control database about detection content: versions, jobs, sources, roll-out. Used
 * by core and by api. Same rules as control.h; everything a person does is audited. */
#pragma once
#include "server/core/control.h"

#define HM_CONTENT_NAME_MAX   32             /* of a layer, source or trusted server */
#define HM_CONTENT_UPLOAD_MAX (100ull << 20) /* HM_BUNDLE_BODY_MAX and its head */

/* ---- jobs: a version on its way ---- */
struct hm_content_job_row {
    const char *tenant, *kind, *layer, *spec, *note, *actor, *then, *state, *text, *report;
    uint8_t id[HM_ID_BYTES];
    uint64_t attempts, size, version, created_ms, updated_ms;
};
struct hm_content_job_new {
    const char *kind;  /* import, fetch, packaged, rollback */
    const char *layer; /* letters, digits, - and _; not "hinomi", which is the package's */
    const char *spec, *note, *actor;
    const char *then; /* "": wait for a person; "canary", "all"; "stable": ends a roll-back */
};
bool hm_content_name_ok(const char *name);
/* An import waits for its upload; everything else is ready at once: POKE "content" afterwards. */
int hm_content_job_create(struct hm_control *c, const char *tenant,
                          const struct hm_content_job_new *j, uint8_t ret_id[HM_ID_BYTES]) HM_CHECK;
/* The next piece. -EINVAL: offset is not where the upload stands; -E2BIG. */
int hm_content_job_append(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                          uint64_t offset, struct hm_slice data) HM_CHECK;
int hm_content_job_ready(struct hm_control *c, const char *tenant,
                         const uint8_t id[HM_ID_BYTES]) HM_CHECK; /* POKE "content" afterwards */
int hm_content_job_get(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                       int (*each)(void *ctx, const struct hm_content_job_row *r),
                       void *ctx) HM_CHECK;

/* ---- versions ---- */
struct hm_content_version_row {
    const char *tenant, *actor, *origin, *note, *report;
    uint64_t version, created_ms, size, rules, refused;
    uint8_t sha256[32];
    struct hm_slice stmt;
};
int hm_content_version_list(struct hm_control *c, const char *tenant, uint32_t limit,
                            int (*each)(void *ctx, const struct hm_content_version_row *r),
                            void *ctx) HM_CHECK; /* newest first */
int hm_content_version_get(struct hm_control *c, const char *tenant, uint64_t version,
                           int (*each)(void *ctx, const struct hm_content_version_row *r),
                           void *ctx) HM_CHECK;
int hm_content_log_add(struct hm_control *c, const char *tenant, const char *actor,
                       const char *event, uint64_t version, const char *ring,
                       const char *text) HM_CHECK;
struct hm_content_log_row {
    uint64_t time_ms, version;
    const char *actor, *event, *ring, *text;
};
int hm_content_log_list(struct hm_control *c, const char *tenant, uint32_t limit,
                        int (*each)(void *ctx, const struct hm_content_log_row *r),
                        void *ctx) HM_CHECK;

/* ---- roll-out (control_rollout.c) ---- */
enum hm_ring { HM_RING_CANARY, HM_RING_EARLY, HM_RING_ALL, HM_RING_COUNT };
extern const char *const hm_ring_names[HM_RING_COUNT];
enum hm_stage { /* whom the candidate is meant for; the transition table is in rollout.c */
                HM_STAGE_IDLE,
                HM_STAGE_CANARY,
                HM_STAGE_EARLY,
                HM_STAGE_ALL,
                HM_STAGE_RETURNING, /* nobody any more: the old content comes as a new version */
                HM_STAGE_COUNT
};
extern const char *const hm_stage_names[HM_STAGE_COUNT];
struct hm_rollout {
    char tenant[HM_TENANT_MAX];
    uint64_t stable, candidate, since_ms, soak_s;
    enum hm_stage stage;
    char actor[128], reason[HM_TEXT_MAX];
    uint64_t canary_percent, early_percent, alert_factor, alert_least;
    char canary_group[HM_TENANT_MAX], early_group[HM_TENANT_MAX];
};
/* A tenant without a row has the defaults. */
int hm_rollout_get(struct hm_control *c, const char *tenant, struct hm_rollout *ret) HM_CHECK;
int hm_rollout_put(struct hm_control *c, const struct hm_rollout *r) HM_CHECK;
int hm_rollout_each(struct hm_control *c, int (*each)(void *ctx, const struct hm_rollout *r),
                    void *ctx) HM_CHECK;
/* By group, else by a hash of the endpoint's id: the same endpoint stays in its ring. */
enum hm_ring hm_ring_of(const struct hm_rollout *r, const uint8_t endpoint[HM_ID_BYTES],
                        const char *group);
uint64_t hm_rollout_target(const struct hm_rollout *r, enum hm_ring ring);
struct hm_content_endpoint {
    uint8_t id[HM_ID_BYTES];
    const char *name, *group, *state, *error, *problems;
    bool connected;
    uint64_t last_seen_ms, active, tried, rules, refused, load_ms, restarts, updated_ms;
};
/* In order of name, revoked ones left out. */
int hm_content_endpoints(struct hm_control *c, const char *tenant,
                         int (*each)(void *ctx, const struct hm_content_endpoint *e),
                         void *ctx) HM_CHECK;
/* Begin: to the canary ring, or at once to all. Replaces a candidate under way. POKE "content".
 * -ENOENT no such version; -EALREADY it is what everybody has; -EBUSY a roll-back is under way. */
int hm_content_publish(struct hm_control *c, const char *tenant, uint64_t version, bool at_once,
                       uint64_t soak_s, const char *actor) HM_CHECK;
/* Take the candidate back, or return to an earlier version (0: to the stable one, or, when nothing
 * is being rolled out, to the one before it). POKE "content". -ENOENT nothing to go back to. */
int hm_content_rollback(struct hm_control *c, const char *tenant, uint64_t to, const char *reason,
                        const char *actor) HM_CHECK;
struct hm_content_rings {
    uint64_t canary_percent, early_percent, alert_factor, alert_least;
    const char *canary_group, *early_group; /* NULL: unchanged */
};
int hm_content_set_rings(struct hm_control *c, const char *tenant, const struct hm_content_rings *r,
                         const char *actor) HM_CHECK;

/* ---- sources ---- */
struct hm_content_source {
    const char *tenant, *name, *kind, *spec, *memory, *actor, *error;
    uint64_t every_s, next_ms, tried_ms, good_ms, failures, items;
    bool enabled;
};
int hm_content_source_put(struct hm_control *c, const char *tenant, const char *name,
                          const char *kind, const char *spec, uint64_t every_s,
                          const char *actor) HM_CHECK; /* POKE "content" */
int hm_content_source_delete(struct hm_control *c, const char *tenant, const char *name,
                             const char *actor) HM_CHECK;
int hm_content_source_now(struct hm_control *c, const char *tenant, const char *name,
                          const char *actor) HM_CHECK; /* POKE "content" */
int hm_content_source_list(struct hm_control *c, const char *tenant,
                           int (*each)(void *ctx, const struct hm_content_source *s),
                           void *ctx) HM_CHECK;

/* ---- whose bundles may be carried in ---- */
struct hm_content_trust {
    const char *name, *actor;
    uint8_t key[65];
    uint64_t version, added_ms;
};
int hm_content_trust_add(struct hm_control *c, const char *tenant, const char *name,
                         const uint8_t key[65], const char *actor) HM_CHECK;
int hm_content_trust_remove(struct hm_control *c, const char *tenant, const char *name,
                            const char *actor) HM_CHECK;
int hm_content_trust_list(struct hm_control *c, const char *tenant,
                          int (*each)(void *ctx, const struct hm_content_trust *t),
                          void *ctx) HM_CHECK;

/* ---- core only ---- */
/* The oldest job that is ready; -ENOENT none. */
int hm_content_job_next(struct hm_control *c,
                        int (*each)(void *ctx, const struct hm_content_job_row *r),
                        void *ctx) HM_CHECK;
int hm_content_job_run(struct hm_control *c, const char *tenant,
                       const uint8_t id[HM_ID_BYTES]) HM_CHECK;
int hm_content_job_state(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                         const char *state, uint64_t version, struct hm_slice text,
                         struct hm_slice report) HM_CHECK;
int hm_content_job_again(struct hm_control *c) HM_CHECK; /* who carried them out is gone */
int hm_content_clean(struct hm_control *c) HM_CHECK;     /* old jobs and their uploads */
int hm_content_upload(struct hm_control *c, const char *tenant, const uint8_t id[HM_ID_BYTES],
                      int (*each)(void *ctx, struct hm_slice data), void *ctx) HM_CHECK;
int hm_content_version_next(struct hm_control *c, const char *tenant,
                            uint64_t *ret_version) HM_CHECK;
int hm_content_version_last(struct hm_control *c, const char *tenant,
                            uint64_t *ret_version) HM_CHECK; /* 0: none */
int hm_content_version_add(struct hm_control *c, const struct hm_content_version_row *r) HM_CHECK;
struct hm_content_word { /* what an endpoint said */
    const char *state;
    uint64_t active, tried, rules, refused, load_ms, restarts, at_ms;
    struct hm_slice error, problems;
};
int hm_content_endpoint_put(struct hm_control *c, const char *tenant,
                            const uint8_t endpoint[HM_ID_BYTES],
                            const struct hm_content_word *w) HM_CHECK;
/* Alerts of an endpoint's rules that arrived in [from, to). */
int hm_content_alerts(struct hm_control *c, const char *tenant, const uint8_t endpoint[HM_ID_BYTES],
                      uint64_t from_ms, uint64_t to_ms, uint64_t *ret) HM_CHECK;
/* The source that is due; -ENOENT none. */
int hm_content_source_due(struct hm_control *c, uint64_t now_ms,
                          int (*each)(void *ctx, const struct hm_content_source *s),
                          void *ctx) HM_CHECK;
int hm_content_source_planned(struct hm_control *c, const char *tenant, const char *name,
                              uint64_t next_ms) HM_CHECK;
int hm_content_source_tried(struct hm_control *c, const char *tenant, const char *name,
                            uint64_t next_ms, uint64_t failures, const char *error) HM_CHECK;
int hm_content_source_kept(struct hm_control *c, const char *tenant, const char *name,
                           const char *memory, uint64_t items) HM_CHECK;
int hm_content_trust_seen(struct hm_control *c, const char *tenant, const char *name,
                          uint64_t version) HM_CHECK;
