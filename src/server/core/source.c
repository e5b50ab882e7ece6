/* When a source is pulled: by its schedule, with back-off after failures. Owns the rows' clocks;
 * the role `content` does the pulling. */
#include "server/core/delivery.h"
#include "base/crypto.h"
#include "base/log.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>

#define BACK_OFF_MAX_MS (24 * 3600 * 1000ull)

struct due {
    char tenant[HM_TENANT_MAX], name[HM_CONTENT_NAME_MAX + 1], actor[128];
    char then[16];
    char *spec;
    uint64_t every_s;
};

/* What the role is told: the source as the administrator described it, and what the last pull left
 * behind. */
static char *spec_of(const struct hm_content_source *s, char then[16])
{
    cJSON *o = cJSON_CreateObject();
    cJSON *spec = cJSON_Parse(s->spec), *memory = cJSON_Parse(s->memory);
    const cJSON *publish = cJSON_GetObjectItemCaseSensitive(spec, "publish");
    snprintf(then, 16, "%s", cJSON_IsString(publish) ? publish->valuestring : "");
    cJSON_AddStringToObject(o, "name", s->name);
    cJSON_AddStringToObject(o, "kind", s->kind);
    cJSON_AddNumberToObject(o, "items", (double)s->items);
    cJSON_AddItemToObject(o, "spec", spec ? spec : cJSON_CreateObject());
    cJSON_AddItemToObject(o, "memory", memory ? memory : cJSON_CreateObject());
    char *text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    return text;
}

static int copy_due(void *ctx, const struct hm_content_source *s)
{
    struct due *d = ctx;
    snprintf(d->tenant, sizeof d->tenant, "%s", s->tenant);
    snprintf(d->name, sizeof d->name, "%s", s->name);
    snprintf(d->actor, sizeof d->actor, "%s", s->actor);
    d->spec = spec_of(s, d->then);
    d->every_s = s->every_s;
    return d->spec ? 0 : -ENOMEM;
}

void hm_source_plan(struct hm_core *k)
{
    struct due d = {0};
    uint8_t id[HM_ID_BYTES];
    uint64_t now = hm_control_now_ms();
    if (hm_content_source_due(k->c, now, copy_due, &d)) {
        free(d.spec);
        return;
    }
    struct hm_content_job_new j = {.kind = "fetch",
                                   .layer = d.name,
                                   .spec = d.spec,
                                   .note = "",
                                   .actor = d.actor,
                                   .then = d.then};
    /* The clock first: whatever becomes of the job, it is not begun again at once. */
    int r = hm_content_source_planned(k->c, d.tenant, d.name, now + d.every_s * 1000);
    if (!r)
        r = hm_content_job_create(k->c, d.tenant, &j, id);
    if (r)
        hm_err("source %s cannot be pulled: %s", d.name, strerror(-r));
    free(d.spec);
}

struct found {
    const char *name;
    uint64_t every_s, failures;
    bool there;
};

static int find(void *ctx, const struct hm_content_source *s)
{
    struct found *f = ctx;
    if (strcmp(s->name, f->name) == 0) {
        f->every_s = s->every_s;
        f->failures = s->failures;
        f->there = true;
    }
    return 0;
}

/* A minute, two, four …, at most a day, and never sooner than the schedule when that is longer. */
static uint64_t wait_ms(uint64_t every_s, uint64_t failures)
{
    uint64_t ms = 60 * 1000ull << (failures > 12 ? 12 : failures - 1);
    ms = ms > BACK_OFF_MAX_MS ? BACK_OFF_MAX_MS : ms;
    return ms < every_s * 1000 ? ms : every_s * 1000;
}

static int keep_memory(struct hm_core *k, const struct hm_delivery_job *j)
{
    cJSON *o = cJSON_Parse(j->report);
    cJSON *memory = cJSON_GetObjectItemCaseSensitive(o, "memory");
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(o, "items");
    char *text = memory ? cJSON_PrintUnformatted(memory) : NULL;
    int r = 0;
    if (text)
        r = hm_content_source_kept(k->c, j->tenant, j->layer, text,
                                   cJSON_IsNumber(items) ? (uint64_t)items->valuedouble : 0);
    free(text);
    cJSON_Delete(o);
    return r;
}

void hm_source_ended(struct hm_core *k, const struct hm_delivery_job *j, const char *state,
                     const char *text)
{
    struct found f = {.name = j->layer};
    bool failed = strcmp(state, "failed") == 0;
    int r = hm_content_source_list(k->c, j->tenant, find, &f);
    if (r || !f.there)
        return;
    uint64_t failures = failed ? f.failures + 1 : 0;
    uint64_t in = failed ? wait_ms(f.every_s, failures) : f.every_s * 1000;
    r = hm_content_source_tried(k->c, j->tenant, j->layer, hm_control_now_ms() + in, failures,
                                failed ? text : "");
    if (!r && !failed)
        r = keep_memory(k, j);
    if (!r && failed)
        r = hm_content_log_add(k->c, j->tenant, "automatic", "source", 0, "", text);
    if (r)
        hm_err("source %s: %s", j->layer, strerror(-r));
}
