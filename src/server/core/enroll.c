/* A new endpoint: its token is counted, its key certified, its row made, and only then it hears of
 * it. Owns the order of these; the signer makes the certificate. */
#include "server/core/core.h"
#include "server/pki.h"
#include "base/crypto.h"
#include "base/log.h"
#include "wire/frame.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>

#define TEXT_BYTES 256 /* of what an endpoint says about itself */

struct enrolment {
    struct hm_enroll_grant grant;
    char name[TEXT_BYTES], os[TEXT_BYTES], kernel[TEXT_BYTES], version[64], peer[80];
    bool practice;
};

static void copy(char *to, size_t len, struct hm_slice from)
{
    snprintf(to, len, "%.*s", (int)(from.len > len ? len : from.len),
             from.len ? (const char *)from.p : "");
}

void hm_refuse(struct hm_core *k, uint64_t gateway_id, uint64_t code, const char *text)
{
    struct hm_msg_gw_refuse m = {.id = gateway_id, .code = code, .text = hm_slice_str(text)};
    hm_link_send(k, HM_PEER_GATEWAY, &hm_desc_gw_refuse, &m);
}

static void give_back(struct hm_core *k, const struct enrolment *n, uint64_t gateway_id)
{
    if (hm_enroll_token_give_back(k->c, &n->grant))
        hm_debug("a use of an enrolment token could not be given back");
    hm_refuse(k, gateway_id, HM_REFUSED_BUSY, "try again");
}

static int begin(struct hm_core *k, const struct hm_msg_gw_enroll *q, const struct hm_msg_enroll *m,
                 const struct hm_enroll_grant *g)
{
    struct hm_pending_item *i = hm_pending_add(k->pending, HM_PENDING_ENROLL);
    struct enrolment *n = calloc(1, sizeof *n);
    if (!i || !n || hm_random(i->endpoint, sizeof i->endpoint)) {
        free(n);
        if (i)
            hm_pending_remove(k->pending, i);
        return -EBUSY;
    }
    n->grant = *g;
    n->practice = m->practice == 1;
    copy(n->name, sizeof n->name, m->host_name);
    copy(n->os, sizeof n->os, m->os);
    copy(n->kernel, sizeof n->kernel, m->kernel);
    copy(n->version, sizeof n->version, m->agent_version);
    copy(n->peer, sizeof n->peer, q->peer);
    i->more = n;
    i->gateway_id = q->id;
    snprintf(i->tenant, sizeof i->tenant, "%s", g->tenant);
    struct hm_msg_sign_csr csr = {.id = i->id,
                                  .csr = m->csr,
                                  .endpoint = hm_slice(i->endpoint, HM_ID_BYTES),
                                  .tenant = hm_slice_str(i->tenant)};
    hm_link_send(k, HM_PEER_SIGNER, &hm_desc_sign_csr, &csr);
    return 0;
}

int hm_enroll_ask(struct hm_core *k, struct hm_slice payload)
{
    struct hm_msg_gw_enroll q;
    struct hm_msg_enroll m;
    struct hm_enroll_grant g;
    if (hm_msg_decode(&hm_desc_gw_enroll, payload, &q))
        return -EBADMSG;
    if (hm_msg_decode(&hm_desc_enroll, q.enroll, &m)) {
        hm_refuse(k, q.id, HM_REFUSED_MALFORMED, "malformed");
        return 0;
    }
    int r = hm_enroll_token_take(k->c, m.token, hm_control_now_ms(), &g);
    if (r == -EACCES) {
        hm_warn("enrolment from %.*s: the token is unknown, used up, expired or revoked",
                (int)q.peer.len, (const char *)q.peer.p);
        hm_refuse(k, q.id, HM_REFUSED_TOKEN, "the token is unknown, used up, expired or revoked");
        return 0;
    }
    if (!r && (r = begin(k, &q, &m, &g)) && hm_enroll_token_give_back(k->c, &g))
        hm_debug("a use of an enrolment token could not be given back");
    if (r)
        hm_refuse(k, q.id, HM_REFUSED_BUSY, "try again");
    return 0;
}

/* SHA-256 of the certified key: what every later connection must show. */
static int key_of(struct hm_slice der, uint8_t ret[32])
{
    const unsigned char *p = der.p;
    X509 *cert = d2i_X509(NULL, &p, (long)der.len);
    if (!cert)
        return -EBADMSG;
    int r = hm_pki_key_sha256(X509_get0_pubkey(cert), ret);
    X509_free(cert);
    return r;
}

static int add(struct hm_core *k, const struct hm_pending_item *i,
               const struct hm_msg_signer_done *m)
{
    const struct enrolment *n = i->more;
    struct hm_endpoint_new e = {.serial = m->serial,
                                .name = hm_slice_str(n->name),
                                .os = hm_slice_str(n->os),
                                .kernel = hm_slice_str(n->kernel),
                                .agent_version = hm_slice_str(n->version),
                                .practice = n->practice};
    memcpy(e.id, i->endpoint, sizeof e.id);
    int r = key_of(m->data, e.key_sha256);
    return r ? r : hm_endpoint_add(k->c, &n->grant, &e);
}

void hm_enroll_signed(struct hm_core *k, struct hm_pending_item *i,
                      const struct hm_msg_signer_done *m)
{
    const struct enrolment *n = i->more;
    if (m->data.len == 0 || add(k, i, m)) {
        hm_warn("enrolment of %s from %s failed", n->name, n->peer);
        give_back(k, n, i->gateway_id);
        return;
    }
    struct hm_msg_enrolled out = {.endpoint = hm_slice(i->endpoint, HM_ID_BYTES),
                                  .certificate = m->data,
                                  .ca = hm_slice(k->ca, k->ca_len),
                                  .root_key = hm_slice(k->root_key, k->root_key_len),
                                  .order_key = hm_slice(k->key_set, k->key_set_len),
                                  .tenant = hm_slice_str(n->grant.tenant),
                                  .group = hm_slice_str(n->grant.group)};
    hm_buf_clear(&k->scratch);
    hm_msg_encode(&hm_desc_enrolled, &out, &k->scratch);
    struct hm_msg_gw_enrolled g = {.id = i->gateway_id, .enrolled = hm_buf_slice(&k->scratch)};
    hm_link_send(k, HM_PEER_GATEWAY, &hm_desc_gw_enrolled, &g);
    hm_info("endpoint %s enrolled in group %s from %s", n->name, n->grant.group, n->peer);
    hm_changed(k, "endpoint", i->tenant, i->endpoint);
    hm_changes_send(k);
}

/* ---- what every enrolled endpoint gets ---- */
static int from_hex(const cJSON *o, const char *name, uint8_t **ret, size_t *ret_len)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    if (!cJSON_IsString(v))
        return -EBADMSG;
    size_t len = strlen(v->valuestring) / 2;
    uint8_t *p = malloc(len + 1);
    if (!p)
        return -ENOMEM;
    if (sodium_hex2bin(p, len + 1, v->valuestring, len * 2, NULL, ret_len, NULL) ||
        *ret_len != len || len == 0) {
        free(p);
        return -EBADMSG;
    }
    *ret = p;
    return 0;
}

static int load_trust(struct hm_core *k, const char *path)
{
    char text[64 * 1024];
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (n < 0)
        return -errno;
    cJSON *o = cJSON_ParseWithLength(text, (size_t)n);
    int r = o ? from_hex(o, "root_key", &k->root_key, &k->root_key_len) : -EBADMSG;
    if (!r)
        r = from_hex(o, "key_set", &k->key_set, &k->key_set_len);
    cJSON_Delete(o);
    return r;
}

int hm_enroll_load(struct hm_core *k, const char *state, struct hm_error *err)
{
    hm_auto(hm_buf_done) struct hm_buf der = HM_BUF(64 * 1024);
    char path[4096];
    snprintf(path, sizeof path, "%s/signer/trust.json", state);
    int r = load_trust(k, path);
    if (r)
        return hm_fail(err, r, "%s: %s", path, strerror(-r));
    snprintf(path, sizeof path, "%s/signer/ca.crt", state);
    X509 *ca = hm_pki_read_cert(path);
    r = ca ? hm_pki_cert_der(ca, &der) : -ENOENT;
    X509_free(ca);
    if (r)
        return hm_fail(err, r, "%s cannot be read", path);
    k->ca_len = der.len;
    k->ca = der.data;
    der.data = NULL;
    der.len = der.cap = 0;
    return 0;
}
