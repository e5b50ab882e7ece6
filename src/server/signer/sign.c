/* Owns the signer's judgement: which certificate, which statement. See sign.h. */
#include "server/signer/sign.h"

#include "server/signer/limits.h"
#include "wire/bundle.h"
#include "wire/order.h"

#include <errno.h>
#include <stdio.h>

void hm_signer_done(struct hm_signer *s)
{
    EVP_PKEY_free(s->ca_key);
    X509_free(s->ca);
    hm_key_free(s->order_key);
    hm_key_free(s->content_key);
    memset(s, 0, sizeof *s);
}

int hm_signer_csr(const struct hm_signer *s, struct hm_slice csr, struct hm_slice endpoint,
                  struct hm_buf *ret_der, struct hm_buf *ret_serial)
{
    char id[33], uri[sizeof HM_PKI_ENDPOINT_URI + 32];
    struct hm_pki_leaf leaf = {id, uri, NULL, HM_SIGNER_ENDPOINT_DAYS};
    EVP_PKEY *key;
    X509 *cert;

    if (endpoint.len != 16)
        return -EINVAL;
    int r = hm_pki_csr_key(csr, &key);
    if (r)
        return r;
    for (size_t i = 0; i < 16; i++)
        snprintf(id + 2 * i, 3, "%02x", endpoint.p[i]);
    snprintf(uri, sizeof uri, "%s%s", HM_PKI_ENDPOINT_URI, id);
    /* Nothing of the request but its key goes into the certificate. */
    r = hm_pki_issue(s->ca_key, s->ca, key, &leaf, &cert);
    EVP_PKEY_free(key);
    if (r)
        return r;
    r = hm_pki_cert_der(cert, ret_der);
    if (!r)
        r = hm_pki_cert_serial(cert, ret_serial);
    X509_free(cert);
    return r;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static int check_order(struct hm_slice payload, uint64_t now_ms)
{
    struct hm_msg_order o;

    if (hm_order_check(payload, &o))
        return -EBADMSG;
    return distance(o.issued_ms, now_ms) > HM_SIGNER_ISSUE_SLACK_MS ? -ERANGE : 0;
}

static int check_time(struct hm_slice payload, uint64_t now_ms)
{
    struct hm_msg_time_stmt t;

    if (hm_msg_decode(&hm_desc_time_stmt, payload, &t) || t.endpoint.len != 16 ||
        t.nonce.len == 0 || t.nonce.len > 64)
        return -EBADMSG;
    return distance(t.server_ms, now_ms) > HM_SIGNER_TIME_SLACK_MS ? -ERANGE : 0;
}

static int check_content(struct hm_slice payload, uint64_t now_ms)
{
    struct hm_msg_content c;

    if (hm_content_check(payload, &c))
        return -EBADMSG;
    return distance(c.created_ms, now_ms) > HM_SIGNER_ISSUE_SLACK_MS ? -ERANGE : 0;
}

int hm_signer_statement(const struct hm_signer *s, struct hm_slice domain, struct hm_slice payload,
                        uint64_t now_ms, struct hm_buf *out)
{
    const struct {
        const char *domain;
        const struct hm_key *key;
        int (*check)(struct hm_slice payload, uint64_t now_ms);
    } domains[] = {{HM_DOMAIN_ORDER, s->order_key, check_order},
                   {HM_DOMAIN_TIME, s->order_key, check_time},
                   {HM_DOMAIN_CONTENT, s->content_key, check_content}};

    for (size_t i = 0; i < HM_ARRAY_LEN(domains); i++) {
        if (!hm_slice_eq(domain, hm_slice_str(domains[i].domain)))
            continue;
        if (!domains[i].key)
            return -EPERM;
        int r = domains[i].check(payload, now_ms);
        return r ? r : hm_stmt_sign(domains[i].key, domains[i].domain, payload, out);
    }
    return -EPERM;
}
