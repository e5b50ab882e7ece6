/* Which endpoint is offered which version, and what endpoints say of it. An offer that nothing came
 * of is made again. */
#include "server/core/delivery.h"
#include "server/core/rollout.h"
#include "base/log.h"
#include "base/map.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define OFFERED_MAX 65536
#define AGAIN_MS    (60 * 1000ull)

struct offered {
    uint64_t version, at_ms;
    bool takes;
};

struct hm_map *hm_offers_new(void)
{
    return hm_map_new(sizeof(struct offered), OFFERED_MAX);
}

static struct offered *offered(struct hm_delivery *d, const uint8_t endpoint[HM_ID_BYTES])
{
    return hm_map_put(d->offered, hm_hash64(endpoint, HM_ID_BYTES, 0), NULL);
}

static void give_file(struct hm_core *k, const struct hm_content_version_row *v)
{
    struct hm_delivery *d = k->delivery;
    for (size_t i = 0; i < HM_DELIVERY_GIVEN; i++)
        if (d->given[i].version == v->version && strcmp(d->given[i].tenant, v->tenant) == 0)
            return;
    int fd = hm_body_open(d, v->tenant, v->version);
    if (fd < 0) {
        hm_err("content version %" PRIu64 " is not on the disk: %s", v->version, strerror(-fd));
        return;
    }
    struct hm_msg_gw_content_file m = {
        .tenant = hm_slice_str(v->tenant), .version = v->version, .size = v->size};
    hm_link_send_fd(k, HM_PEER_GATEWAY, &hm_desc_gw_content_file, &m, &fd, 1);
    close(fd);
    struct hm_delivery_given *g = &d->given[d->given_next++ % HM_DELIVERY_GIVEN];
    g->version = v->version;
    snprintf(g->tenant, sizeof g->tenant, "%s", v->tenant);
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

/* ---- what endpoints say ---- */

static uint64_t number_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsNumber(v) && v->valuedouble >= 0 ? (uint64_t)v->valuedouble : 0;
}

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
