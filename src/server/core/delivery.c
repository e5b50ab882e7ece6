/* Detection content, from a job to the endpoints: jobs are given to the role `content`, what comes
 * back is kept, signed and becomes a version; versions are offered to whom they are meant for, and
 * what endpoints say decides whether they go on. Owns core/content/. Refuses to know what is in a
 * body. */
#include "server/core/delivery.h"
#include "server/core/rollout.h"
#include "base/log.h"
#include "base/map.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define OFFERED_MAX 65536
#define GIVEN_MAX   64
#define LIFE_MS     (380ull * 24 * 3600 * 1000)
#define AGAIN_MS    (60 * 1000ull)  /* an offer that nothing came of is made again */
#define SCAN_TICKS  15              /* everybody is looked at every 30 s */
#define JOB_MS      (300 * 1000ull) /* the role ends a job earlier and tells */
#define USUAL_MS    (24 * 3600 * 1000ull)
#define NEXT        "next.body"

struct offered {
    uint64_t version, at_ms;
    bool takes;
};
struct given {
    char tenant[HM_TENANT_MAX];
    uint64_t version;
};
struct hm_delivery {
    int dir_fd; /* core/content */
    struct hm_map *offered;
    struct given given[GIVEN_MAX]; /* files the present gateway has */
    size_t given_next;
    uint64_t asks, began_ms, ticks;
    bool running, signing;
    struct hm_delivery_job job;
};

/* ---- files ---- */

/* Tenants are names of folders (control.h says what they may be made of). */
static int tenant_folder(const struct hm_delivery *d, const char *tenant)
{
    if (strchr(tenant, '/') || tenant[0] == '.')
        return -EINVAL;
    if (mkdirat(d->dir_fd, tenant, 02750) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(d->dir_fd, tenant, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

static int open_body(const struct hm_delivery *d, const char *tenant, uint64_t version)
{
    char name[40];
    hm_autoclose int dir = tenant_folder(d, tenant);
    snprintf(name, sizeof name, "%" PRIu64 ".body", version);
    int fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

/* Copy what was built beside the versions, hashing what is written. */
static int keep_body(struct hm_delivery *d, struct hm_delivery_job *j, int from)
{
    uint8_t chunk[65536];
    ssize_t n;
    off_t at = 0;
    hm_autoclose int dir = tenant_folder(d, j->tenant);
    hm_autoclose int to =
        dir < 0 ? -1
                : openat(dir, NEXT, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    struct hm_sha256 *h = to < 0 ? NULL : hm_sha256_new();
    if (!h)
        return to < 0 ? -errno : -ENOMEM;
    int r = 0;
    while (!r && (n = pread(from, chunk, sizeof chunk, at)) > 0) {
        r = write(to, chunk, (size_t)n) == n ? 0 : -ENOSPC;
        hm_sha256_add(h, hm_slice(chunk, (size_t)n));
        at += n;
    }
    if (!r && (n < 0 || fsync(to) < 0))
        r = -EIO;
    hm_sha256_final(h, j->sha256);
    hm_sha256_free(h);
    j->size = (uint64_t)at;
    return r;
}

static int name_body(const struct hm_delivery *d, const char *tenant, uint64_t version)
{
    char name[40];
    hm_autoclose int dir = tenant_folder(d, tenant);
    snprintf(name, sizeof name, "%" PRIu64 ".body", version);
    if (dir < 0 || renameat(dir, NEXT, dir, name) < 0 || fsync(dir) < 0)
        return -errno;
    return 0;
}

/* ---- a job ---- */

static void copy_text(char *to, size_t len, const char *from)
{
    snprintf(to, len, "%s", from);
}

static int copy_job(void *ctx, const struct hm_content_job_row *r)
{
    struct hm_delivery_job *j = ctx;
    memset(j, 0, sizeof *j);
    copy_text(j->tenant, sizeof j->tenant, r->tenant);
    copy_text(j->kind, sizeof j->kind, r->kind);
    copy_text(j->layer, sizeof j->layer, r->layer);
    copy_text(j->then, sizeof j->then, r->then);
    copy_text(j->actor, sizeof j->actor, r->actor);
    copy_text(j->note, sizeof j->note, r->note);
    copy_text(j->spec, sizeof j->spec, r->spec);
    memcpy(j->id, r->id, sizeof j->id);
    return 0;
}

static void say_state(struct hm_core *k, const char *state, const char *text)
{
    struct hm_delivery_job *j = &k->delivery->job;
    int r = hm_content_job_state(k->c, j->tenant, j->id, state, j->version, hm_slice_str(text),
                                 hm_slice_str(j->report));
    if (r)
        hm_err("the state of a content job could not be written: %s", strerror(-r));
    hm_changed(k, "content", j->tenant, j->id);
    hm_changes_send(k);
}

static void end_job(struct hm_core *k, const char *state, const char *text)
{
    struct hm_delivery *d = k->delivery;
    if (strcmp(state, "failed") == 0)
        hm_warn("content job %s %s: %s", d->job.kind, d->job.layer, text);
    say_state(k, state, text);
    if (strcmp(d->job.kind, "fetch") == 0)
        hm_source_ended(k, &d->job, state, text);
    d->running = d->signing = false;
    hm_delivery_work(k);
}

static int put_upload(void *ctx, struct hm_slice data)
{
    const int *fd = ctx;
    return write(*fd, data.p, data.len) == (ssize_t)data.len ? 0 : -ENOSPC;
}

static int gather_upload(struct hm_core *k, struct hm_delivery_job *j, int *ret_fd,
                         struct hm_error *err)
{
    hm_autoclose int fd = memfd_create("upload", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : hm_content_upload(k->c, j->tenant, j->id, put_upload, &fd);
    if (r)
        return hm_fail(err, r, "the upload cannot be read: %s", strerror(-r));
    if ((r = hm_carry_check(k, j, fd, err)))
        return r;
    *ret_fd = hm_steal_fd(&fd);
    return 0;
}

static int begin_build(struct hm_core *k, struct hm_delivery_job *j, struct hm_error *err)
{
    int fds[2], n = 0, r;
    uint64_t last = 0;
    struct hm_msg_content_job m = {.id = j->ask = ++k->delivery->asks,
                                   .kind = hm_slice_str(j->kind),
                                   .layer = hm_slice_str(j->layer),
                                   .spec = hm_slice_str(j->spec),
                                   .tenant = hm_slice_str(j->tenant)};
    if (k->peers[HM_PEER_CONTENT].fd < 0)
        return hm_fail(err, -EAGAIN, "the role content is not there");
    if (strcmp(j->kind, "import") == 0) {
        if ((r = gather_upload(k, j, &fds[0], err)))
            return r;
        m.fds |= 1;
        n = 1;
    }
    r = strcmp(j->kind, "packaged") == 0 ? 0 : hm_content_version_last(k->c, j->tenant, &last);
    int before = !r && last ? open_body(k->delivery, j->tenant, last) : -1;
    if (before >= 0) {
        m.fds |= 2;
        fds[n++] = before;
    }
    hm_link_send_fd(k, HM_PEER_CONTENT, &hm_desc_content_job, &m, fds, n);
    for (int i = 0; i < n; i++)
        close(fds[i]);
    return 0;
}

static void ask_signature(struct hm_core *k);

static int copy_counts(void *ctx, const struct hm_content_version_row *r)
{
    struct hm_delivery_job *j = ctx;
    j->rules = r->rules;
    j->refused = r->refused;
    copy_text(j->report, sizeof j->report, r->report);
    return 0;
}

/* The old body, signed anew under the next version. */
static int begin_return(struct hm_core *k, struct hm_delivery_job *j, struct hm_error *err)
{
    uint64_t to = strtoull(j->spec, NULL, 10);
    hm_autoclose int fd = open_body(k->delivery, j->tenant, to);
    int r = fd < 0 ? fd : hm_content_version_get(k->c, j->tenant, to, copy_counts, j);
    if (!r)
        r = keep_body(k->delivery, j, fd);
    if (r)
        return hm_fail(err, r, "version %" PRIu64 " cannot be read: %s", to, strerror(-r));
    ask_signature(k);
    return 0;
}

void hm_delivery_work(struct hm_core *k)
{
    struct hm_delivery *d = k->delivery;
    struct hm_error err = {0};
    if (d->running || k->peers[HM_PEER_CONTENT].fd < 0 || k->peers[HM_PEER_SIGNER].fd < 0)
        return;
    hm_source_plan(k);
    if (hm_content_job_next(k->c, copy_job, &d->job) ||
        hm_content_job_run(k->c, d->job.tenant, d->job.id))
        return hm_delivery_offer(k, NULL, NULL);
    d->running = true;
    d->began_ms = hm_control_now_ms();
    int r = strcmp(d->job.kind, "rollback") == 0 ? begin_return(k, &d->job, &err)
                                                 : begin_build(k, &d->job, &err);
    if (r)
        end_job(k, "failed", err.text);
}

/* ---- built ---- */

static uint64_t number_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsNumber(v) && v->valuedouble >= 0 ? (uint64_t)v->valuedouble : 0;
}

/* The report is the role's own JSON; it is written anew before anybody sees it. */
static void take_report(struct hm_delivery_job *j, struct hm_slice report)
{
    cJSON *o = report.len ? cJSON_ParseWithLength((const char *)report.p, report.len) : NULL;
    if (!cJSON_IsObject(o)) {
        cJSON_Delete(o);
        return;
    }
    j->rules = number_of(o, "rules");
    j->refused = number_of(o, "refused");
    if (!cJSON_PrintPreallocated(o, j->report, sizeof j->report, false))
        j->report[0] = 0;
    cJSON_Delete(o);
}

static int same_body(void *ctx, const struct hm_content_version_row *r)
{
    struct hm_delivery_job *j = ctx;
    j->version = memcmp(r->sha256, j->sha256, sizeof j->sha256) == 0 ? r->version : 0;
    return 0;
}

static bool unchanged(struct hm_core *k, struct hm_delivery_job *j)
{
    uint64_t last = 0;
    if (*j->then == 's' || hm_content_version_last(k->c, j->tenant, &last) || !last)
        return false;
    return hm_content_version_get(k->c, j->tenant, last, same_body, j) == 0 && j->version;
}

int hm_delivery_done(struct hm_core *k, struct hm_slice payload, int fd)
{
    struct hm_delivery *d = k->delivery;
    struct hm_msg_content_done m;
    char text[512];
    hm_autoclose int body = fd;
    if (hm_msg_decode(&hm_desc_content_done, payload, &m))
        return -EBADMSG;
    if (!d->running || d->signing || m.id != d->job.ask)
        return 0; /* an answer to a question of before */
    snprintf(text, sizeof text, "%.*s", (int)m.text.len, m.text.len ? (const char *)m.text.p : "");
    take_report(&d->job, m.report);
    if (m.code || body < 0) {
        end_job(k, m.code == 1 ? "unchanged" : "failed", text);
        return 0;
    }
    int r = keep_body(d, &d->job, body);
    if (r)
        end_job(k, "failed", strerror(-r));
    else if (unchanged(k, &d->job))
        end_job(k, "unchanged", "it is what the newest version holds already");
    else
        ask_signature(k);
    return 0;
}

/* ---- signed ---- */

static void ask_signature(struct hm_core *k)
{
    struct hm_delivery *d = k->delivery;
    struct hm_delivery_job *j = &d->job;
    struct hm_pending_item *i = hm_pending_add(k->pending, HM_PENDING_CONTENT);
    if (!i || hm_content_version_next(k->c, j->tenant, &j->version)) {
        if (i)
            hm_pending_remove(k->pending, i);
        end_job(k, "failed", "the server is busy");
        return;
    }
    j->created_ms = hm_control_now_ms();
    struct hm_msg_content c = {.format = HM_CONTENT_FORMAT,
                               .tenant = hm_slice_str(j->tenant),
                               .kind = hm_slice_str(HM_CONTENT_KIND),
                               .version = j->version,
                               .created_ms = j->created_ms,
                               .not_after_ms = j->created_ms + LIFE_MS,
                               .sha256 = hm_slice(j->sha256, sizeof j->sha256),
                               .size = j->size};
    hm_buf_clear(&k->scratch);
    hm_msg_encode(&hm_desc_content, &c, &k->scratch);
    struct hm_msg_sign_stmt m = {.id = i->id,
                                 .domain = hm_slice_str(HM_DOMAIN_CONTENT),
                                 .payload = hm_buf_slice(&k->scratch)};
    d->signing = true;
    hm_link_send(k, HM_PEER_SIGNER, &hm_desc_sign_stmt, &m);
}

static void origin_of(const struct hm_delivery_job *j, char *ret, size_t len)
{
    if (strcmp(j->kind, "packaged") == 0)
        snprintf(ret, len, "packaged");
    else
        snprintf(ret, len, "%s:%.40s", j->kind,
                 strcmp(j->kind, "rollback") == 0 ? j->spec : j->layer);
}

/* The roll-back's version is there: it is what everybody has from now on. */
static int make_stable(struct hm_core *k, const struct hm_delivery_job *j)
{
    struct hm_rollout r;
    int e = hm_rollout_get(k->c, j->tenant, &r);
    if (e)
        return e;
    r.stable = j->version;
    r.candidate = 0;
    r.stage = hm_rollout_next(r.stage, HM_ROLLOUT_RETURNED);
    r.since_ms = hm_control_now_ms();
    return hm_rollout_put(k->c, &r);
}

static int after(struct hm_core *k, const struct hm_delivery_job *j)
{
    if (strcmp(j->then, "stable") == 0)
        return make_stable(k, j);
    if (strcmp(j->then, "canary") == 0 || strcmp(j->then, "all") == 0)
        return hm_content_publish(k->c, j->tenant, j->version, *j->then == 'a', 0, j->actor);
    return 0;
}

static int record(struct hm_core *k, struct hm_slice stmt)
{
    const struct hm_delivery_job *j = &k->delivery->job;
    char origin[64];
    origin_of(j, origin, sizeof origin);
    struct hm_content_version_row v = {.tenant = j->tenant,
                                       .version = j->version,
                                       .created_ms = j->created_ms,
                                       .actor = j->actor,
                                       .origin = origin,
                                       .note = j->note,
                                       .size = j->size,
                                       .stmt = stmt,
                                       .rules = j->rules,
                                       .refused = j->refused,
                                       .report = j->report};
    memcpy(v.sha256, j->sha256, sizeof v.sha256);
    int r = hm_content_version_add(k->c, &v);
    if (!r)
        r = hm_content_log_add(k->c, j->tenant, j->actor, "built", j->version, "", origin);
    if (!r)
        r = hm_audit_add(k->c, j->tenant, j->actor, "content.built", origin, j->note);
    if (!r && j->trusted[0])
        r = hm_content_trust_seen(k->c, j->tenant, j->trusted, j->trusted_version);
    return r ? r : after(k, j);
}

void hm_delivery_signed(struct hm_core *k, struct hm_pending_item *i,
                        const struct hm_msg_signer_done *m)
{
    struct hm_delivery *d = k->delivery;
    (void)i;
    if (!d->running || !d->signing)
        return;
    if (m->data.len == 0) {
        end_job(k, "failed", "the signer refused");
        return;
    }
    int r = name_body(d, d->job.tenant, d->job.version); /* first the file, then its row */
    if (!r)
        r = hm_control_begin(k->c);
    if (!r)
        r = hm_control_end(k->c, record(k, m->data));
    if (r) {
        end_job(k, "failed", strerror(-r));
        return;
    }
    hm_info("content version %" PRIu64 " of %s: %" PRIu64 " rules, %" PRIu64 " refused",
            d->job.version, d->job.tenant, d->job.rules, d->job.refused);
    end_job(k, "done", "");
}

/* ---- offers ---- */

static struct offered *offered(struct hm_delivery *d, const uint8_t endpoint[HM_ID_BYTES])
{
    return hm_map_put(d->offered, hm_hash64(endpoint, HM_ID_BYTES, 0), NULL);
}

static void give_file(struct hm_core *k, const struct hm_content_version_row *v)
{
    struct hm_delivery *d = k->delivery;
    for (size_t i = 0; i < GIVEN_MAX; i++)
        if (d->given[i].version == v->version && strcmp(d->given[i].tenant, v->tenant) == 0)
            return;
    int fd = open_body(d, v->tenant, v->version);
    if (fd < 0) {
        hm_err("content version %" PRIu64 " is not on the disk: %s", v->version, strerror(-fd));
        return;
    }
    struct hm_msg_gw_content_file m = {
        .tenant = hm_slice_str(v->tenant), .version = v->version, .size = v->size};
    hm_link_send_fd(k, HM_PEER_GATEWAY, &hm_desc_gw_content_file, &m, &fd, 1);
    close(fd);
    struct given *g = &d->given[d->given_next++ % GIVEN_MAX];
    g->version = v->version;
    copy_text(g->tenant, sizeof g->tenant, v->tenant);
}

struct offer {
    struct hm_core *k;
    const struct hm_rollout *r;
    const uint8_t *only;
    const uint8_t *to; /* the endpoint at hand */
};

static int send_offer(void *ctx, const struct hm_content_version_row *v)
{
    struct offer *o = ctx;
    give_file(o->k, v);
    struct hm_msg_gw_content m = {.endpoint = hm_slice(o->to, HM_ID_BYTES),
                                  .statement = v->stmt,
                                  .key_set = hm_slice(o->k->key_set, o->k->key_set_len)};
    hm_link_send(o->k, HM_PEER_GATEWAY, &hm_desc_gw_content, &m);
    return 0;
}

static int offer_one(void *ctx, const struct hm_content_endpoint *e)
{
    struct offer *o = ctx;
    uint64_t target = hm_rollout_target(o->r, hm_ring_of(o->r, e->id, e->group)),
             now = hm_control_now_ms();
    if ((o->only && memcmp(o->only, e->id, HM_ID_BYTES) != 0) || !e->connected)
        return 0;
    struct offered *f = offered(o->k->delivery, e->id);
    bool refused = e->tried == target && e->active != target && strcmp(e->state, "failed") != 0;
    if (!f || !f->takes || target <= e->active || refused ||
        (f->version == target && now - f->at_ms < AGAIN_MS))
        return 0;
    f->version = target;
    f->at_ms = now;
    o->to = e->id;
    int r = hm_content_version_get(o->k->c, o->r->tenant, target, send_offer, o);
    return r == -ENOENT ? 0 : r;
}

struct offer_all {
    struct hm_core *k;
    const char *tenant;
    const uint8_t *only;
};

static int offer_tenant(void *ctx, const struct hm_rollout *r)
{
    struct offer_all *a = ctx;
    struct offer o = {.k = a->k, .r = r, .only = a->only};
    if ((a->tenant && strcmp(a->tenant, r->tenant) != 0) || (!r->stable && !r->candidate))
        return 0;
    return hm_content_endpoints(a->k->c, r->tenant, offer_one, &o);
}

void hm_delivery_offer(struct hm_core *k, const char *tenant, const uint8_t *endpoint)
{
    struct offer_all a = {k, tenant, endpoint};
    int r = hm_rollout_each(k->c, offer_tenant, &a);
    if (r)
        hm_err("content could not be offered: %s", strerror(-r));
}

void hm_delivery_met(struct hm_core *k, const char *tenant, const uint8_t endpoint[HM_ID_BYTES],
                     bool takes)
{
    struct offered *f = offered(k->delivery, endpoint);
    if (!f) {
        hm_warn("more endpoints than content can be offered to");
        return;
    }
    *f = (struct offered){.takes = takes};
    hm_delivery_offer(k, tenant, endpoint);
}

void hm_delivery_peer(struct hm_core *k, enum hm_peer_id id)
{
    struct hm_delivery *d = k->delivery;
    if (!d)
        return;
    if (id == HM_PEER_GATEWAY)
        memset(d->given, 0, sizeof d->given);
    if (id == HM_PEER_CONTENT && d->running && !d->signing) {
        d->running = false; /* that process is gone, and the job with it */
        if (hm_content_job_again(k->c))
            hm_err("a content job could not be taken up again");
    }
    if (id == HM_PEER_CONTENT || id == HM_PEER_SIGNER)
        hm_delivery_work(k);
}

/* ---- what endpoints say ---- */

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsString(v) ? v->valuestring : "";
}

static bool known_state(const char *s)
{
    return strcmp(s, "active") == 0 || strcmp(s, "refused") == 0 || strcmp(s, "reverted") == 0 ||
           strcmp(s, "failed") == 0;
}

static int take_word(struct hm_core *k, const char *tenant, const uint8_t endpoint[HM_ID_BYTES],
                     uint64_t at_ms, const cJSON *o)
{
    char *problems = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(o, "problems"));
    const char *state = text_of(o, "state"), *error = text_of(o, "error");
    struct hm_content_word w = {.state = state,
                                .active = number_of(o, "active"),
                                .tried = number_of(o, "version"),
                                .rules = number_of(o, "rules"),
                                .refused = number_of(o, "refused"),
                                .load_ms = number_of(o, "load_ms"),
                                .restarts = number_of(o, "engine_restarts"),
                                .at_ms = at_ms,
                                .error = hm_slice_str(error),
                                .problems = hm_slice_str(problems ? problems : "[]")};
    int r = hm_content_endpoint_put(k->c, tenant, endpoint, &w);
    if (!r && strcmp(state, "active") != 0)
        r = hm_content_log_add(k->c, tenant, "endpoint", state, w.tried, "", error);
    free(problems);
    return r;
}

int hm_delivery_said(struct hm_core *k, const char *tenant, const uint8_t endpoint[HM_ID_BYTES],
                     uint64_t at_ms, struct hm_slice json)
{
    cJSON *o = json.len ? cJSON_ParseWithLength((const char *)json.p, json.len) : NULL;
    int r = 0;
    if (cJSON_IsObject(o) && known_state(text_of(o, "state")))
        r = take_word(k, tenant, endpoint, at_ms, o);
    cJSON_Delete(o);
    hm_changed(k, "content", tenant, endpoint);
    return r;
}

/* ---- the roll-out ---- */

struct look {
    struct hm_core *k;
    const struct hm_rollout *r;
    struct hm_ring_health h;
    uint64_t refused_here, now_ms; /* rules the server refused when it was built */
    uint8_t last[HM_ID_BYTES];     /* an endpoint to hang the notice on */
};

static int copy_refused(void *ctx, const struct hm_content_version_row *v)
{
    struct look *l = ctx;
    l->refused_here = v->refused;
    return 0;
}

/* Alerts since the stage began against the same span of the day before. */
static int count_alerts(struct look *l, const uint8_t endpoint[HM_ID_BYTES])
{
    uint64_t alerts = 0, usual = 0, from = l->r->since_ms, span = l->now_ms - from;
    int r = hm_content_alerts(l->k->c, l->r->tenant, endpoint, from, l->now_ms, &alerts);
    if (!r)
        r = hm_content_alerts(l->k->c, l->r->tenant, endpoint, from - USUAL_MS, from, &usual);
    l->h.alerts += alerts;
    l->h.usual += (usual * span + USUAL_MS - 1) / USUAL_MS;
    return r;
}

static int look_at(void *ctx, const struct hm_content_endpoint *e)
{
    struct look *l = ctx;
    uint64_t c = l->r->candidate;
    if (hm_ring_of(l->r, e->id, e->group) > hm_rollout_reach(l->r->stage))
        return 0;
    bool has = e->active == c, tried = e->tried == c;
    l->h.endpoints++;
    l->h.connected += e->connected;
    l->h.have += has;
    l->h.refused +=
        tried && (strcmp(e->state, "refused") == 0 || strcmp(e->state, "reverted") == 0);
    l->h.worse += has && e->refused > l->refused_here;
    l->h.restarted += has && e->restarts >= HM_ROLLOUT_RESTARTS;
    l->h.silent += has && !e->connected && l->now_ms > e->last_seen_ms + HM_ROLLOUT_SILENT_MS;
    if (has || tried)
        memcpy(l->last, e->id, sizeof l->last);
    return has ? count_alerts(l, e->id) : 0;
}

static int tell_rolled_back(struct hm_core *k, const struct hm_rollout *r,
                            const struct hm_rollout_why *why, const uint8_t endpoint[HM_ID_BYTES])
{
    char reason[400], reason_ja[700], key[32];
    snprintf(reason, sizeof reason,
             "Content version %" PRIu64 " was taken back in ring %s: %s. The content before comes "
             "back as a new version.",
             r->candidate, hm_stage_names[r->stage], why->en);
    snprintf(reason_ja, sizeof reason_ja,
             "検知コンテンツのバージョン %" PRIu64
             " を段階 %s で取り消しました（%s）。以前の内容を新しいバージョンとして配布します。",
             r->candidate, hm_stage_names[r->stage], why->ja);
    snprintf(key, sizeof key, "%" PRIu64, r->candidate);
    struct hm_notice n = {.rule = "hinomi.content-rolled-back",
                          .title = "New detection content was taken back automatically",
                          .title_ja = "新しい検知コンテンツを自動的に取り消しました",
                          .reason = reason,
                          .reason_ja = reason_ja,
                          .severity = 4,
                          .key = hm_slice_str(key)};
    return hm_soc_notice(k, r->tenant, endpoint, &n);
}

static int go_back(struct hm_core *k, const struct hm_rollout *r, const struct look *l,
                   const struct hm_rollout_why *why)
{
    hm_warn("content version %" PRIu64 " of %s is rolled back: %s", r->candidate, r->tenant,
            why->en);
    int e = hm_control_begin(k->c);
    if (e)
        return e;
    e = hm_content_rollback(k->c, r->tenant, 0, why->en, "automatic");
    if (!e)
        e = hm_audit_add(k->c, r->tenant, "automatic", "content.rolled-back", r->tenant, why->en);
    if (!e)
        e = tell_rolled_back(k, r, why, l->last);
    e = hm_control_end(k->c, e);
    hm_changes_send(k);
    return e;
}

static int go_on(struct hm_core *k, const struct hm_rollout *old)
{
    struct hm_rollout r = *old;
    r.stage = hm_rollout_next(r.stage, HM_ROLLOUT_SOAKED);
    r.since_ms = hm_control_now_ms();
    bool complete = r.stage == HM_STAGE_IDLE;
    if (complete) {
        r.stable = r.candidate;
        r.candidate = 0;
    }
    hm_info("content version %" PRIu64 " of %s: %s", old->candidate, r.tenant,
            complete ? "everybody has it" : hm_stage_names[r.stage]);
    int e = hm_rollout_put(k->c, &r);
    if (!e)
        e = hm_content_log_add(k->c, r.tenant, "automatic", complete ? "completed" : "advanced",
                               old->candidate, complete ? "all" : hm_stage_names[r.stage], "");
    hm_changed(k, "content", r.tenant, (const uint8_t[HM_ID_BYTES]){0});
    hm_changes_send(k);
    return e;
}

static int judge(void *ctx, const struct hm_rollout *r)
{
    struct hm_core *k = ctx;
    struct look l = {.k = k, .r = r, .now_ms = hm_control_now_ms()};
    struct hm_rollout_why why = {0};
    if (!r->candidate || hm_rollout_reach(r->stage) == HM_RING_COUNT)
        return 0;
    int e = hm_content_version_get(k->c, r->tenant, r->candidate, copy_refused, &l);
    if (!e)
        e = hm_content_endpoints(k->c, r->tenant, look_at, &l);
    if (e)
        return e;
    enum hm_rollout_event v = hm_rollout_judge(r, &l.h, l.now_ms, &why);
    return v == HM_ROLLOUT_BAD ? go_back(k, r, &l, &why) : v == HM_ROLLOUT_SOAKED ? go_on(k, r) : 0;
}

void hm_delivery_tick(struct hm_core *k)
{
    struct hm_delivery *d = k->delivery;
    int r = hm_rollout_each(k->c, judge, k);
    if (r)
        hm_err("the roll-out of content could not be judged: %s", strerror(-r));
    if (d->running && hm_control_now_ms() - d->began_ms > JOB_MS)
        end_job(k, "failed", "nothing came of it in time");
    hm_delivery_work(k);
    if (++d->ticks % SCAN_TICKS == 0)
        hm_delivery_offer(k, NULL, NULL);
    if (d->ticks % 1800 == 1 && hm_content_clean(k->c))
        hm_warn("old content jobs could not be removed");
}

/* ---- start and end ---- */

int hm_delivery_open(struct hm_core *k, const char *state, struct hm_error *err)
{
    char path[4096];
    struct hm_delivery *d = k->delivery = calloc(1, sizeof *d);
    snprintf(path, sizeof path, "%s/core/content", state);
    if (!d || !(d->offered = hm_map_new(sizeof(struct offered), OFFERED_MAX)))
        return hm_fail(err, -ENOMEM, "out of memory");
    d->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->dir_fd < 0)
        return hm_fail(err, -errno, "%s: %s", path, strerror(errno));
    return hm_content_job_again(k->c);
}

void hm_delivery_close(struct hm_core *k)
{
    struct hm_delivery *d = k->delivery;
    if (!d)
        return;
    if (d->dir_fd >= 0)
        close(d->dir_fd);
    hm_map_free(d->offered);
    free(d);
    k->delivery = NULL;
}
