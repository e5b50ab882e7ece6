/* Bundles from other servers, carried in as a file: checked against the root keys that an
 * administrator pinned, before anybody takes them apart. Owns these refusals and their words. */
#include "server/core/delivery.h"
#include "base/log.h"
#include "wire/trust.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct search {
    struct hm_slice key_set;
    struct hm_trust trust;
    char name[HM_CONTENT_NAME_MAX + 1];
    uint64_t version;
    bool found;
};

static int try_root(void *ctx, const struct hm_content_trust *t)
{
    struct search *s = ctx;
    if (s->found || hm_trust_open(t->key, s->key_set, &s->trust) || !s->trust.content_version)
        return 0;
    s->found = true;
    s->version = t->version;
    snprintf(s->name, sizeof s->name, "%s", t->name);
    return 0;
}

static int find_signer(struct hm_core *k, const char *tenant, struct search *s)
{
    if (k->root_key_len == HM_PUBKEY_BYTES &&
        hm_trust_open(k->root_key, s->key_set, &s->trust) == 0 && s->trust.content_version) {
        s->found = true; /* our own, come home */
        return 0;
    }
    return hm_content_trust_list(k->c, tenant, try_root, s);
}

static int check_body(int fd, size_t at, const struct hm_msg_content *c, struct hm_error *err)
{
    struct stat st;
    uint8_t chunk[65536], hash[HM_SHA256_BYTES];
    ssize_t n;
    if (fstat(fd, &st) < 0)
        return hm_fail(err, -errno, "the file cannot be read");
    uint64_t have = (uint64_t)st.st_size - at;
    if (have != c->size)
        return hm_fail(err, -EBADMSG,
                       have < c->size ? "the file is cut off: %" PRIu64 " of %" PRIu64 " bytes"
                                      : "the file is too long: %" PRIu64 " bytes for %" PRIu64,
                       have, c->size);
    struct hm_sha256 *h = hm_sha256_new();
    if (!h)
        return hm_fail(err, -ENOMEM, "out of memory");
    while ((n = pread(fd, chunk, sizeof chunk, (off_t)at)) > 0) {
        hm_sha256_add(h, hm_slice(chunk, (size_t)n));
        at += (size_t)n;
    }
    hm_sha256_final(h, hash);
    hm_sha256_free(h);
    if (n < 0)
        return hm_fail(err, -EIO, "the file cannot be read");
    return hm_slice_eq(c->sha256, hm_slice(hash, sizeof hash))
               ? 0
               : hm_fail(err, -EBADMSG, "the file was altered: its SHA-256 is not the signed one");
}

static int check_head(struct hm_core *k, struct hm_delivery_job *j, struct hm_slice head, int fd,
                      size_t at, struct hm_error *err)
{
    struct hm_msg_bundle_head b;
    struct hm_slice payload;
    struct hm_msg_content c;
    struct search s = {0};
    if (hm_msg_decode(&hm_desc_bundle_head, head, &b))
        return hm_fail(err, -EBADMSG, "the head of the file is damaged");
    s.key_set = b.key_set;
    int r = find_signer(k, j->tenant, &s);
    if (r || !s.found)
        return hm_fail(err, r ? r : -EKEYREJECTED,
                       "it is from a server that is not trusted here, or its head is damaged "
                       "(hinomi content trust add)");
    r = hm_stmt_verify(s.trust.content_key, HM_DOMAIN_CONTENT, b.statement, &payload);
    if (r)
        return hm_fail(err, -EKEYREJECTED, "its signature is not good: altered or forged");
    if (hm_content_check(payload, &c))
        return hm_fail(err, -EPROTONOSUPPORT, "its format is newer than this server");
    if (c.not_after_ms <= hm_control_now_ms())
        return hm_fail(err, -ESTALE, "it is too old: not to be used any more");
    if ((r = check_body(fd, at, &c, err)))
        return r;
    if (s.name[0] && c.version <= s.version)
        return hm_fail(err, -EALREADY,
                       "it is version %" PRIu64 " of %s; version %" PRIu64 " was imported before",
                       c.version, s.name, s.version);
    snprintf(j->trusted, sizeof j->trusted, "%s", s.name);
    j->trusted_version = c.version;
    return 0;
}

int hm_carry_check(struct hm_core *k, struct hm_delivery_job *j, int upload, struct hm_error *err)
{
    uint8_t start[HM_BUNDLE_HEAD_MAX];
    struct hm_slice head;
    size_t at;
    ssize_t n = pread(upload, start, sizeof start, 0);
    int r = n < 0 ? -errno : hm_bundle_head(hm_slice(start, (size_t)n), &head, &at);
    if (r == -EAGAIN)
        return hm_fail(err, -EBADMSG, "the file is cut off");
    if (r)
        return hm_fail(err, r, "this is no content bundle");
    return head.len ? check_head(k, j, head, upload, at, err) : 0;
}
