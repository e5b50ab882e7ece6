/* Detection content, from a job to a version: jobs are given to the role `content`, what comes back
 * is kept and signed. Owns the job under way; offers and roll-outs are offer.c's and watch.c's. */
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

#define LIFE_MS    (380ull * 24 * 3600 * 1000)
#define SCAN_TICKS 15              /* everybody is looked at every 30 s */
#define JOB_MS     (300 * 1000ull) /* the role ends a job earlier and tells */

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
    int before = !r && last ? hm_body_open(k->delivery, j->tenant, last) : -1;
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
    hm_autoclose int fd = hm_body_open(k->delivery, j->tenant, to);
    int r = fd < 0 ? fd : hm_content_version_get(k->c, j->tenant, to, copy_counts, j);
    if (!r)
        r = hm_body_keep(k->delivery, j, fd);
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
    int r = hm_body_keep(d, &d->job, body);
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
    int r = hm_body_name(d, d->job.tenant, d->job.version); /* first the file, then its row */
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

/* ---- clock and peers ---- */

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

void hm_delivery_tick(struct hm_core *k)
{
    struct hm_delivery *d = k->delivery;
    hm_delivery_watch(k);
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
    if (!d || !(d->offered = hm_offers_new()))
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
