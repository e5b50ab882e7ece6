/* Orders: from a person's intent to a signed statement on its way. The endpoint's own event is the
 * only source of what came of it (soc.c). Owns counter, payload and delivery. */
#include "server/core/core.h"
#include "base/log.h"
#include "wire/limits.h"
#include "wire/order.h"
#include <errno.h>
#include <stdio.h>

#define AT_ONCE 32
#define LATE_MS (120 * 1000ull) /* an outcome may still be on its way when an order expires */

static void fail(struct hm_core *k, const struct hm_order_work *o, const char *state,
                 const char *why)
{
    char detail[256];
    snprintf(detail, sizeof detail, "{\"error\":\"%s\"}", why);
    int r = hm_order_set_state(k->c, o->tenant, o->id, state, hm_slice_str(detail));
    if (!r && strcmp(o->kind, "isolate") == 0)
        r = hm_endpoint_set_isolation(k->c, o->tenant, o->endpoint, "failed", 0, 0, NULL);
    if (r && r != -EALREADY)
        hm_err("the state of an order could not be written: %s", strerror(-r));
    hm_changed(k, "order", o->tenant, o->id);
    hm_changed(k, "endpoint", o->tenant, o->endpoint);
}

struct key {
    uint8_t sha256[32];
    bool revoked;
};

static int copy_key(void *ctx, const struct hm_endpoint_row *r)
{
    struct key *key = ctx;
    memcpy(key->sha256, r->key_sha256, sizeof key->sha256);
    key->revoked = r->revoked;
    return 0;
}

static struct hm_slice cut_text(const char *s)
{
    size_t n = strlen(s);
    return hm_slice(s, n > HM_ORDER_TEXT_MAX ? HM_ORDER_TEXT_MAX : n);
}

static void encode(const struct hm_order_work *o, const struct key *key, uint64_t counter,
                   struct hm_buf *out)
{
    const struct hm_order_info *info = hm_order_by_name(hm_slice_str(o->kind));
    struct hm_msg_order m = {.tenant = hm_slice_str(o->tenant),
                             .endpoint = hm_slice(o->endpoint, HM_ID_BYTES),
                             .endpoint_key = hm_slice(key->sha256, sizeof key->sha256),
                             .counter = counter,
                             .id = hm_slice(o->id, HM_ID_BYTES),
                             .kind = info ? info->kind : 0,
                             .issued_ms = hm_control_now_ms(),
                             .not_after_ms = o->not_after_ms,
                             .process_key = o->process_key,
                             .tree = o->tree,
                             .release_ms = o->release_ms,
                             .drill = hm_slice_str(o->drill),
                             .reason = cut_text(o->reason),
                             .actor = cut_text(o->actor)};
    if (o->has_alert)
        m.alert = hm_slice(o->alert, HM_ID_BYTES);
    hm_buf_clear(out);
    hm_msg_encode(&hm_desc_order, &m, out);
}

static int request(struct hm_core *k, const struct hm_order_work *o, const struct key *key)
{
    uint64_t counter;
    int r = hm_order_count(k->c, o, &counter);
    if (r)
        return r;
    struct hm_pending_item *i = hm_pending_add(k->pending, HM_PENDING_ORDER);
    struct hm_order_work *copy = malloc(sizeof *copy);
    if (!i || !copy) {
        free(copy);
        if (i)
            hm_pending_remove(k->pending, i);
        return -EBUSY; /* still "requested": the next tick tries again */
    }
    *copy = *o;
    i->more = copy;
    encode(o, key, counter, &k->scratch);
    struct hm_msg_sign_stmt m = {
        .id = i->id, .domain = hm_slice_str(HM_DOMAIN_ORDER), .payload = hm_buf_slice(&k->scratch)};
    hm_link_send(k, HM_PEER_SIGNER, &hm_desc_sign_stmt, &m);
    return 0;
}

/* The authority of the first step: a signed-in administrator may order everything that has an undo
 * or ends one tree; the row says who. What is checked again is what may have changed since. */
static void authorise(struct hm_core *k, const struct hm_order_work *o)
{
    struct key key = {0};
    if (hm_pending_has_order(k->pending, o->id))
        return;
    int r = hm_endpoint_get(k->c, o->tenant, o->endpoint, copy_key, &key);
    if (r || key.revoked)
        fail(k, o, "refused", key.revoked ? "the endpoint is revoked" : "the endpoint is unknown");
    else if (o->not_after_ms <= hm_control_now_ms())
        fail(k, o, "expired", "not signed in time");
    else if ((r = request(k, o, &key)) && r != -EBUSY)
        hm_err("an order could not be counted: %s", strerror(-r));
}

void hm_respond_work(struct hm_core *k)
{
    struct hm_order_work *w = calloc(AT_ONCE, sizeof *w);
    int n = w && k->peers[HM_PEER_SIGNER].fd >= 0 ? hm_order_requested(k->c, w, AT_ONCE) : 0;
    for (int i = 0; i < n; i++)
        authorise(k, &w[i]);
    free(w);
    hm_changes_send(k);
}

void hm_respond_signed(struct hm_core *k, struct hm_pending_item *i,
                       const struct hm_msg_signer_done *m)
{
    const struct hm_order_work *o = i->more;
    if (m->data.len == 0)
        fail(k, o, "failed", "the signer refused");
    else if (hm_order_signed(k->c, o, m->data))
        hm_err("a signed order could not be written");
    hm_changed(k, "order", o->tenant, o->id);
    hm_respond_deliver(k, NULL);
    hm_changes_send(k);
}

/* ---- delivery ---- */
struct delivery {
    struct hm_core *k;
    struct {
        char tenant[HM_TENANT_MAX];
        uint8_t id[HM_ID_BYTES];
    } sent[AT_ONCE];
    size_t n;
};

static int deliver(void *ctx, const char *tenant, const uint8_t id[HM_ID_BYTES],
                   const uint8_t endpoint[HM_ID_BYTES], struct hm_slice stmt)
{
    struct delivery *d = ctx;
    struct hm_msg_gw_order m = {.endpoint = hm_slice(endpoint, HM_ID_BYTES), .order = stmt};
    if (d->n == AT_ONCE)
        return 0;
    hm_link_send(d->k, HM_PEER_GATEWAY, &hm_desc_gw_order, &m);
    snprintf(d->sent[d->n].tenant, HM_TENANT_MAX, "%s", tenant);
    memcpy(d->sent[d->n++].id, id, HM_ID_BYTES);
    return 0;
}

/* endpoint NULL: what is signed and not sent. Else everything that endpoint has not begun: it has
 * just connected, and what was sent before may have been lost on the way; its counter makes a
 * second copy harmless. */
void hm_respond_deliver(struct hm_core *k, const uint8_t *endpoint)
{
    struct delivery d = {.k = k};
    if (k->peers[HM_PEER_GATEWAY].fd < 0)
        return;
    if (hm_order_unsent(k->c, endpoint, deliver, &d))
        hm_err("orders could not be listed");
    for (size_t i = 0; i < d.n; i++) {
        int r =
            hm_order_set_state(k->c, d.sent[i].tenant, d.sent[i].id, "sent", (struct hm_slice){0});
        if (r && r != -EALREADY)
            hm_err("the state of an order could not be written: %s", strerror(-r));
        hm_changed(k, "order", d.sent[i].tenant, d.sent[i].id);
    }
    hm_changes_send(k);
}

void hm_respond_expire(struct hm_core *k)
{
    struct hm_order_work *w = calloc(AT_ONCE, sizeof *w);
    uint64_t now = hm_control_now_ms();
    int n = w ? hm_order_overdue(k->c, now - LATE_MS, w, AT_ONCE) : 0;
    for (int i = 0; i < n; i++)
        fail(k, &w[i], "expired", "the endpoint did not begin it in time");
    free(w);
    hm_changes_send(k);
}
