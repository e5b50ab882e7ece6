/* What changed in a slice, told to api once each after the commit. */
#include "server/core/core.h"
#include <stdio.h>

void hm_changed(struct hm_core *k, const char *kind, const char *tenant,
                const uint8_t id[HM_ID_BYTES])
{
    struct hm_changes *s = &k->changes;
    for (size_t i = 0; i < s->n; i++)
        if (s->c[i].kind == kind && memcmp(s->c[i].id, id, HM_ID_BYTES) == 0 &&
            strcmp(s->c[i].tenant, tenant) == 0)
            return;
    if (s->n == HM_CHANGES_MAX)
        return; /* a console that was told of 64 things asks again anyway */
    s->c[s->n].kind = kind;
    snprintf(s->c[s->n].tenant, HM_TENANT_MAX, "%s", tenant);
    memcpy(s->c[s->n++].id, id, HM_ID_BYTES);
}

void hm_changes_send(struct hm_core *k)
{
    for (size_t i = 0; i < k->changes.n; i++) {
        struct hm_msg_changed m = {.kind = hm_slice_str(k->changes.c[i].kind),
                                   .id = hm_slice(k->changes.c[i].id, HM_ID_BYTES),
                                   .tenant = hm_slice_str(k->changes.c[i].tenant)};
        hm_link_send(k, HM_PEER_API, &hm_desc_changed, &m);
    }
    k->changes.n = 0;
}
