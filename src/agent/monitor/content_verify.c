/* See content_verify.h. */
#include "agent/monitor/content_verify.h"
#include <errno.h>

/* The key may be younger than our enrolment, but never older than one we have seen. */
static const char *pick_key(const struct hm_content_judge *j, struct hm_trust *t)
{
    *t = *j->trust;
    if (j->key_set.len && hm_trust_open(j->root_key, j->key_set, t) < 0)
        return "its key set is not signed by the pinned root key";
    if (!t->content_version)
        return "the root key has named no key for content";
    if (t->content_version < j->key_version)
        return "its key was replaced by a newer one";
    return NULL;
}

static const char *judge(const struct hm_content_judge *j, const struct hm_msg_content *c,
                         bool *ret_old)
{
    if (!hm_slice_eq(c->tenant, j->tenant))
        return "it is meant for another tenant";
    if (c->version <= j->floor) {
        *ret_old = true;
        return "its version is not newer than what was here";
    }
    if (!j->server_ms)
        return "no signed time from the server yet";
    if (c->not_after_ms <= j->server_ms)
        return "it had expired by the server's signed time";
    return NULL;
}

const char *hm_content_verify(const struct hm_content_judge *j, struct hm_slice stmt,
                              struct hm_msg_content *ret_content, uint64_t *ret_key_version,
                              bool *ret_old)
{
    struct hm_trust t;
    struct hm_slice payload;
    *ret_old = false;
    const char *no = pick_key(j, &t);
    if (no)
        return no;
    int r = hm_stmt_verify(t.content_key, HM_DOMAIN_CONTENT, stmt, &payload);
    if (r == -EKEYREJECTED)
        return "it is not signed by the content key: forged";
    if (r == 0)
        r = hm_content_check(payload, ret_content);
    if (r == -EPROTONOSUPPORT)
        return "its format is newer than this agent";
    if (r < 0)
        return "it is malformed";
    *ret_key_version = t.content_version;
    return judge(j, ret_content, ret_old);
}
