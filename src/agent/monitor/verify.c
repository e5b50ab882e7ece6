/* See verify.h. */
#include "agent/monitor/verify.h"
#include <errno.h>

int hm_signed_time_nonce(struct hm_signed_time *t, uint64_t boot_ns, uint8_t ret[16])
{
    unsigned i = t->next % HM_NONCES;
    int r = hm_random(t->nonce[i].bytes, 16);
    if (r < 0)
        return r;
    t->nonce[i].boot_ns = boot_ns ? boot_ns : 1;
    t->next++;
    memcpy(ret, t->nonce[i].bytes, 16);
    return 0;
}

/* A nonce answers once, and not for long: an old statement must not turn back our clock. */
static bool use_nonce(struct hm_signed_time *t, struct hm_slice nonce, uint64_t boot_ns)
{
    for (int i = 0; i < HM_NONCES; i++) {
        if (!t->nonce[i].boot_ns || !hm_slice_eq(nonce, hm_slice(t->nonce[i].bytes, 16)))
            continue;
        bool young = boot_ns - t->nonce[i].boot_ns <= HM_MON_NONCE_NS;
        t->nonce[i].boot_ns = 0;
        return young;
    }
    return false;
}

int hm_signed_time_accept(struct hm_signed_time *t, const uint8_t key[HM_PUBKEY_BYTES],
                          const uint8_t endpoint[16], struct hm_slice stmt, uint64_t boot_ns)
{
    struct hm_slice payload;
    struct hm_msg_time_stmt m;
    int r = hm_stmt_verify(key, HM_DOMAIN_TIME, stmt, &payload);
    if (r < 0)
        return r;
    if (hm_msg_decode(&hm_desc_time_stmt, payload, &m) < 0 ||
        !hm_slice_eq(m.endpoint, hm_slice(endpoint, 16)) || m.server_ms == 0)
        return -EBADMSG;
    if (!use_nonce(t, m.nonce, boot_ns))
        return -ESTALE;
    t->server_ms = m.server_ms;
    t->boot_ns = boot_ns;
    return 0;
}

uint64_t hm_signed_time_ms(const struct hm_signed_time *t, uint64_t boot_ns)
{
    return t->server_ms ? t->server_ms + (boot_ns - t->boot_ns) / 1000000 : 0;
}

static struct hm_order_verdict refuse(uint64_t state, const char *reason, bool genuine)
{
    return (struct hm_order_verdict){state, reason, genuine};
}

static struct hm_order_verdict judge(const struct hm_order_judge *j, const struct hm_msg_order *o)
{
    if (j->blocked)
        return refuse(HM_ORDER_REFUSED, j->blocked, true);
    if (o->counter <= j->begun)
        return refuse(HM_ORDER_REFUSED, "its counter was used before: a replay", false);
    if (!j->server_ms)
        return refuse(HM_ORDER_REFUSED, "no signed time from the server yet", true);
    if (o->not_after_ms <= j->server_ms)
        return refuse(HM_ORDER_EXPIRED, "it had expired by the server's signed time", true);
    if (o->kind == HM_ORDER_DRILL && !j->practice)
        return refuse(HM_ORDER_REFUSED, "drills run on practice endpoints only", true);
    return (struct hm_order_verdict){.genuine = true};
}

struct hm_order_verdict hm_order_verify(const struct hm_order_judge *j, struct hm_slice stmt,
                                        struct hm_msg_order *ret_order)
{
    struct hm_slice payload;
    struct hm_msg_order o;
    int r = hm_stmt_verify(j->order_key, HM_DOMAIN_ORDER, stmt, &payload);
    if (r == -EKEYREJECTED)
        return refuse(HM_ORDER_REFUSED, "it is not signed by the order key: forged", false);
    if (r < 0 || hm_order_check(payload, &o) < 0)
        return refuse(HM_ORDER_REFUSED, "it is malformed", false);
    if (!hm_slice_eq(o.endpoint, hm_slice(j->endpoint, 16)) || !hm_slice_eq(o.tenant, j->tenant) ||
        !hm_slice_eq(o.endpoint_key, hm_slice(j->key_sha256, HM_SHA256_BYTES)))
        return refuse(HM_ORDER_REFUSED, "it is meant for another endpoint", false);
    *ret_order = o;
    return judge(j, &o);
}
