/* Key statements: which key signs orders, time, content, said by the root key. Owns the check
 * from the pinned root down; refuses to know where keys are kept. */
#include "wire/trust.h"

#include "wire/bundle.h"
#include "wire/limits.h"
#include "wire/order.h"

#include <errno.h>

static int make_one(const struct hm_key *root, const char *domain,
                    const uint8_t pub[HM_PUBKEY_BYTES], uint64_t version, struct hm_buf *out)
{
    hm_auto(hm_buf_done) struct hm_buf payload = HM_BUF(HM_STMT_MAX_BYTES);
    struct hm_msg_key_statement m = {.domain = hm_slice_str(domain),
                                     .public_key = hm_slice(pub, HM_PUBKEY_BYTES),
                                     .version = version};

    hm_msg_encode(&hm_desc_key_statement, &m, &payload);
    if (payload.error)
        return payload.error;
    return hm_stmt_sign(root, HM_DOMAIN_KEY, hm_buf_slice(&payload), out);
}

int hm_trust_make(const struct hm_key *root, const uint8_t pub[HM_PUBKEY_BYTES],
                  const uint8_t *content, uint64_t version, struct hm_buf *out)
{
    hm_auto(hm_buf_done) struct hm_buf rules = HM_BUF(HM_STMT_MAX_BYTES);
    hm_auto(hm_buf_done) struct hm_buf order = HM_BUF(HM_STMT_MAX_BYTES);
    hm_auto(hm_buf_done) struct hm_buf time = HM_BUF(HM_STMT_MAX_BYTES);

    int r = make_one(root, HM_DOMAIN_ORDER, pub, version, &order);
    if (!r)
        r = make_one(root, HM_DOMAIN_TIME, pub, version, &time);
    if (!r && content)
        r = make_one(root, HM_DOMAIN_CONTENT, content, version, &rules);
    if (r)
        return r;
    struct hm_msg_key_set m = {.order = hm_buf_slice(&order),
                               .time = hm_buf_slice(&time),
                               .content = hm_buf_slice(&rules)};
    hm_msg_encode(&hm_desc_key_set, &m, out);
    return out->error;
}

static int open_one(const uint8_t root[HM_PUBKEY_BYTES], const char *domain, struct hm_slice stmt,
                    uint8_t ret_pub[HM_PUBKEY_BYTES], uint64_t *ret_version)
{
    struct hm_slice payload;
    struct hm_msg_key_statement m;

    int r = hm_stmt_verify(root, HM_DOMAIN_KEY, stmt, &payload);
    if (r)
        return r;
    if (hm_msg_decode(&hm_desc_key_statement, payload, &m))
        return -EBADMSG;
    if (!hm_slice_eq(m.domain, hm_slice_str(domain)) || m.public_key.len != HM_PUBKEY_BYTES)
        return -EKEYREJECTED;
    memcpy(ret_pub, m.public_key.p, HM_PUBKEY_BYTES);
    *ret_version = m.version;
    return 0;
}

int hm_trust_open(const uint8_t root[HM_PUBKEY_BYTES], struct hm_slice key_set,
                  struct hm_trust *ret_trust)
{
    struct hm_msg_key_set m;
    struct hm_trust t = {0};

    if (hm_msg_decode(&hm_desc_key_set, key_set, &m))
        return -EBADMSG;
    int r = open_one(root, HM_DOMAIN_ORDER, m.order, t.order_key, &t.order_version);
    if (!r)
        r = open_one(root, HM_DOMAIN_TIME, m.time, t.time_key, &t.time_version);
    if (!r && m.content.len)
        r = open_one(root, HM_DOMAIN_CONTENT, m.content, t.content_key, &t.content_version);
    if (r)
        return r;
    *ret_trust = t;
    return 0;
}
