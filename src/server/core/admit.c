/* Who may connect: an endpoint we know, that is not revoked, with the key it enrolled with. It gets
 * a fresh signed time and then every order that waits for it. */
#include "server/core/core.h"
#include "base/log.h"
#include "wire/frame.h"
#include "wire/order.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct known {
    char tenant[HM_TENANT_MAX], name[64];
    uint8_t key[32];
    bool revoked;
};

static int copy_known(void *ctx, const struct hm_endpoint_row *r)
{
    struct known *n = ctx;
    snprintf(n->tenant, sizeof n->tenant, "%s", r->tenant);
    snprintf(n->name, sizeof n->name, "%.63s", r->name);
    memcpy(n->key, r->key_sha256, sizeof n->key);
    n->revoked = r->revoked;
    return 0;
}

/* 0 admitted, or HM_REFUSED_*; negative errno. */
static int judge(struct hm_core *k, const struct hm_msg_gw_connect *q, struct known *n)
{
    int r = hm_endpoint_find(k->c, q->endpoint.p, copy_known, n);
    if (r == -ENOENT)
        return HM_REFUSED_UNKNOWN;
    if (r)
        return r;
    if (n->revoked)
        return HM_REFUSED_REVOKED;
    return hm_slice_eq(q->key_sha256, hm_slice(n->key, sizeof n->key)) ? 0 : HM_REFUSED_IDENTITY;
}

static void ask_time(struct hm_core *k, const struct hm_pending_item *i, struct hm_slice nonce)
{
    struct hm_msg_time_stmt t = {.endpoint = hm_slice(i->endpoint, HM_ID_BYTES),
                                 .nonce = nonce,
                                 .server_ms = hm_control_now_ms()};
    hm_buf_clear(&k->scratch);
    hm_msg_encode(&hm_desc_time_stmt, &t, &k->scratch);
    struct hm_msg_sign_stmt m = {
        .id = i->id, .domain = hm_slice_str(HM_DOMAIN_TIME), .payload = hm_buf_slice(&k->scratch)};
    hm_link_send(k, HM_PEER_SIGNER, &hm_desc_sign_stmt, &m);
}

/* What HELLO said, kept until the signer has answered: only then it is connected. */
struct hello {
    char name[256], os[256], kernel[256], version[64];
    uint64_t epoch, boot;
    bool content;
};

static void copy(char *to, size_t len, struct hm_slice from)
{
    snprintf(to, len, "%.*s", (int)(from.len > len ? len : from.len),
             from.len ? (const char *)from.p : "");
}

static int admit(struct hm_core *k, const struct hm_msg_gw_connect *q, const struct hm_msg_hello *h,
                 const struct known *n)
{
    struct hm_pending_item *i = hm_pending_add(k->pending, HM_PENDING_CONNECT);
    struct hello *keep = calloc(1, sizeof *keep);
    if (!i || !keep) {
        free(keep);
        if (i)
            hm_pending_remove(k->pending, i);
        return -EBUSY;
    }
    copy(keep->name, sizeof keep->name, h->host_name);
    copy(keep->os, sizeof keep->os, h->os);
    copy(keep->kernel, sizeof keep->kernel, h->kernel);
    copy(keep->version, sizeof keep->version, h->agent_version);
    keep->epoch = h->epoch;
    keep->boot = h->boot;
    keep->content = h->content == 1;
    i->more = keep;
    i->gateway_id = q->id;
    memcpy(i->endpoint, q->endpoint.p, HM_ID_BYTES);
    snprintf(i->tenant, sizeof i->tenant, "%s", n->tenant);
    ask_time(k, i, h->nonce);
    return 0;
}

static int connected(struct hm_core *k, const struct hm_pending_item *i)
{
    const struct hello *h = i->more;
    struct hm_endpoint_hello hello = {.name = hm_slice_str(h->name),
                                      .os = hm_slice_str(h->os),
                                      .kernel = hm_slice_str(h->kernel),
                                      .agent_version = hm_slice_str(h->version),
                                      .epoch = h->epoch,
                                      .boot = h->boot};
    return hm_endpoint_connected(k->c, i->tenant, i->endpoint, &hello);
}

int hm_admit_ask(struct hm_core *k, struct hm_slice payload)
{
    struct hm_msg_gw_connect q;
    struct hm_msg_hello h;
    struct known n = {0};
    if (hm_msg_decode(&hm_desc_gw_connect, payload, &q) || q.endpoint.len != HM_ID_BYTES)
        return -EBADMSG;
    if (hm_msg_decode(&hm_desc_hello, q.hello, &h) || h.nonce.len == 0 || h.nonce.len > 64) {
        hm_refuse(k, q.id, HM_REFUSED_MALFORMED, "malformed");
        return 0;
    }
    int r = judge(k, &q, &n);
    if (r == 0)
        r = admit(k, &q, &h, &n);
    if (r > 0)
        hm_refuse(k, q.id, (uint64_t)r,
                  r == HM_REFUSED_REVOKED    ? "revoked"
                  : r == HM_REFUSED_IDENTITY ? "the key is not the one that enrolled"
                                             : "unknown endpoint");
    else if (r < 0)
        hm_refuse(k, q.id, HM_REFUSED_BUSY, "try again");
    return 0;
}

void hm_admit_signed(struct hm_core *k, struct hm_pending_item *i,
                     const struct hm_msg_signer_done *m)
{
    /* Revoked while the signer was at work: connected() finds no row, the next try hears why. */
    if (m->data.len == 0 || connected(k, i)) {
        hm_refuse(k, i->gateway_id, HM_REFUSED_BUSY, "try again");
        return;
    }
    struct hm_msg_gw_welcome w = {.id = i->gateway_id,
                                  .tenant = hm_slice_str(i->tenant),
                                  .time = m->data,
                                  .endpoint = hm_slice(i->endpoint, HM_ID_BYTES)};
    hm_link_send(k, HM_PEER_GATEWAY, &hm_desc_gw_welcome, &w);
    hm_changed(k, "endpoint", i->tenant, i->endpoint);
    hm_changes_send(k);
    hm_respond_deliver(k, i->endpoint);
    hm_delivery_met(k, i->tenant, i->endpoint, ((const struct hello *)i->more)->content);
}

int hm_admit_gone(struct hm_core *k, struct hm_slice payload)
{
    struct hm_msg_gw_disconnect m;
    struct known n = {0};
    if (hm_msg_decode(&hm_desc_gw_disconnect, payload, &m) || m.endpoint.len != HM_ID_BYTES)
        return -EBADMSG;
    if (hm_endpoint_disconnected(k->c, m.endpoint.p) == 0 &&
        hm_endpoint_find(k->c, m.endpoint.p, copy_known, &n) == 0) {
        hm_changed(k, "endpoint", n.tenant, m.endpoint.p);
        hm_changes_send(k);
    }
    return 0;
}

static void fork_words(const struct hm_msg_gw_fork *m, const char *name, char *en, char *ja,
                       size_t len)
{
    if (m->missing) {
        snprintf(en, len, "%s: %" PRIu64 " batches before batch %" PRIu64 " never arrived.", name,
                 m->missing, m->number);
        snprintf(ja, len, "%s：バッチ %" PRIu64 " の前の %" PRIu64 " 個が届いていません。", name,
                 m->number, m->missing);
    } else {
        snprintf(en, len, "%s: batch %" PRIu64 " differs from the stored one; a new epoch begins.",
                 name, m->number);
        snprintf(ja, len,
                 "%s：バッチ %" PRIu64 " が保存済みのものと異なります。新しいエポックを始めます。",
                 name, m->number);
    }
}

/* A clone, a reverted snapshot, or history that never came: an alert of its own, never silence. */
int hm_admit_fork(struct hm_core *k, struct hm_slice payload)
{
    struct hm_msg_gw_fork m;
    struct known n = {0};
    char reason[256], reason_ja[256];
    if (hm_msg_decode(&hm_desc_gw_fork, payload, &m) || m.endpoint.len != HM_ID_BYTES)
        return -EBADMSG;
    if (hm_endpoint_find(k->c, m.endpoint.p, copy_known, &n))
        return 0;
    struct hm_notice notice = {
        .rule = m.missing ? "hinomi.journal-gap" : "hinomi.journal-fork",
        .title = m.missing ? "Part of an endpoint's journal never arrived"
                           : "An endpoint's journal contradicts itself: clone or reverted snapshot",
        .title_ja = m.missing
                        ? "端末のジャーナルの一部が届いていません"
                        : "端末のジャーナルが矛盾しています（複製またはスナップショットの復元）",
        .reason = reason,
        .reason_ja = reason_ja,
        .severity = 3,
        .key = payload};
    fork_words(&m, n.name, reason, reason_ja, sizeof reason);
    if (hm_soc_notice(k, n.tenant, m.endpoint.p, &notice))
        hm_err("an alert about a fork could not be written");
    hm_changes_send(k);
    return 0;
}

static int cut_one(void *ctx, const struct hm_endpoint_row *r)
{
    struct hm_core *k = ctx;
    struct hm_msg_gw_revoke m = {.endpoint = hm_slice(r->id, HM_ID_BYTES)};
    hm_link_send(k, HM_PEER_GATEWAY, &hm_desc_gw_revoke, &m);
    hm_changed(k, "endpoint", r->tenant, r->id);
    return 0;
}

void hm_admit_revoke(struct hm_core *k)
{
    if (hm_endpoint_revoked(k->c, cut_one, k))
        hm_err("revoked endpoints could not be listed");
    hm_changes_send(k);
}
