/* Signed statements and the table of orders. Owns what is signed (domain, a zero byte, payload)
 * and which orders exist; refuses to know who may sign and what an order does. */
#include "wire/order.h"

#include "wire/limits.h"

#include <errno.h>

static const struct hm_order_info orders[] = {
    {HM_ORDER_KILL, 0, "kill", "D3-PT"},
    {HM_ORDER_ISOLATE, HM_ORDER_RELEASE, "isolate", "D3-NI"},
    {HM_ORDER_RELEASE, 0, "release", ""},
    {HM_ORDER_DRILL, 0, "drill", ""},
};
static const char *const state_names[] = {
    [HM_ORDER_BEGUN] = "begun",   [HM_ORDER_DONE] = "done",       [HM_ORDER_REFUSED] = "refused",
    [HM_ORDER_FAILED] = "failed", [HM_ORDER_EXPIRED] = "expired",
};

const struct hm_order_info *hm_order_by_kind(uint64_t kind)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(orders); i++)
        if (orders[i].kind == kind)
            return &orders[i];
    return NULL;
}

const struct hm_order_info *hm_order_by_name(struct hm_slice name)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(orders); i++)
        if (hm_slice_eq(name, hm_slice_str(orders[i].name)))
            return &orders[i];
    return NULL;
}

const char *hm_order_state_name(uint64_t state)
{
    if (state >= HM_ARRAY_LEN(state_names) || !state_names[state])
        return "unknown";
    return state_names[state];
}

uint64_t hm_stmt_key_id(const uint8_t pub[HM_PUBKEY_BYTES])
{
    uint8_t hash[HM_SHA256_BYTES];
    uint64_t id = 0;

    hm_sha256(hm_slice(pub, HM_PUBKEY_BYTES), hash);
    for (int i = 7; i >= 0; i--)
        id = id << 8 | hash[i];
    return id;
}

/* The domain keeps a signature made for one purpose from being shown for another. */
static void signed_bytes(struct hm_slice domain, struct hm_slice payload, struct hm_buf *out)
{
    hm_buf_put(out, domain.p, domain.len);
    hm_buf_put_u8(out, 0);
    hm_buf_put(out, payload.p, payload.len);
}

int hm_stmt_sign(const struct hm_key *k, const char *domain, struct hm_slice payload,
                 struct hm_buf *out)
{
    hm_auto(hm_buf_done) struct hm_buf bytes = HM_BUF(HM_STMT_MAX_BYTES);
    uint8_t sig[HM_SIG_MAX_BYTES], pub[HM_PUBKEY_BYTES];
    size_t sig_len;

    signed_bytes(hm_slice_str(domain), payload, &bytes);
    if (bytes.error)
        return bytes.error;
    int r = hm_sign(k, hm_buf_slice(&bytes), sig, &sig_len);
    if (r)
        return r;
    hm_key_public(k, pub);
    struct hm_msg_signed_stmt m = {.key_id = hm_stmt_key_id(pub),
                                   .domain = hm_slice_str(domain),
                                   .payload = payload,
                                   .signature = hm_slice(sig, sig_len)};
    hm_msg_encode(&hm_desc_signed_stmt, &m, out);
    return out->error;
}

int hm_stmt_verify(const uint8_t pub[HM_PUBKEY_BYTES], const char *domain, struct hm_slice stmt,
                   struct hm_slice *ret_payload)
{
    hm_auto(hm_buf_done) struct hm_buf bytes = HM_BUF(HM_STMT_MAX_BYTES);
    struct hm_msg_signed_stmt m;

    if (stmt.len > HM_STMT_MAX_BYTES || hm_msg_decode(&hm_desc_signed_stmt, stmt, &m))
        return -EBADMSG;
    if (m.key_id != hm_stmt_key_id(pub) || !hm_slice_eq(m.domain, hm_slice_str(domain)))
        return -EKEYREJECTED;
    signed_bytes(m.domain, m.payload, &bytes);
    if (bytes.error)
        return bytes.error;
    if (hm_verify(pub, hm_buf_slice(&bytes), m.signature))
        return -EKEYREJECTED;
    *ret_payload = m.payload;
    return 0;
}

int hm_order_check(struct hm_slice payload, struct hm_msg_order *ret_order)
{
    struct hm_msg_order o;

    if (hm_msg_decode(&hm_desc_order, payload, &o) || !hm_order_by_kind(o.kind))
        return -EBADMSG;
    if (o.endpoint.len != 16 || o.endpoint_key.len != HM_SHA256_BYTES || o.id.len != 16 ||
        (o.alert.len != 0 && o.alert.len != 16) || o.counter == 0 || o.tenant.len == 0 ||
        o.tenant.len > HM_ORDER_NAME_MAX || o.drill.len > HM_ORDER_NAME_MAX ||
        o.actor.len > HM_ORDER_TEXT_MAX || o.reason.len > HM_ORDER_TEXT_MAX || o.tree > 1)
        return -EBADMSG;
    if (o.not_after_ms <= o.issued_ms || o.not_after_ms - o.issued_ms > HM_ORDER_LIFE_MAX_MS)
        return -EBADMSG;
    if ((o.kind == HM_ORDER_KILL && o.process_key == 0) ||
        (o.kind == HM_ORDER_DRILL) != (o.drill.len > 0))
        return -EBADMSG;
    *ret_order = o;
    return 0;
}
