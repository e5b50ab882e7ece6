/* Bodies of content, handed over by core as open files, and the chunks that endpoints ask for. Owns
 * who may have which: an endpoint gets its own tenant's. Refuses to know what is in them. */
#include "server/gateway/gateway.h"

#include "server/messages.h"

#include "base/log.h"
#include "wire/limits.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static struct hm_gateway_body *find(struct hm_gateway *g, struct hm_slice tenant, uint64_t version)
{
    for (size_t i = 0; i < HM_GATEWAY_BODIES_MAX; i++) {
        struct hm_gateway_body *b = &g->bodies[i];
        if (b->version == version && hm_slice_eq(tenant, hm_slice_str(b->tenant)))
            return b;
    }
    return NULL;
}

/* The one that was handed over longest ago makes room: core hands it over again when needed. */
static struct hm_gateway_body *place_for(struct hm_gateway *g, struct hm_slice tenant,
                                         uint64_t version)
{
    struct hm_gateway_body *b = find(g, tenant, version);
    if (!b)
        b = &g->bodies[g->bodies_next++ % HM_GATEWAY_BODIES_MAX];
    if (b->version)
        close(b->fd);
    *b = (struct hm_gateway_body){0};
    return b;
}

int hm_content_file(struct hm_gateway *g, struct hm_slice payload, int fd)
{
    struct hm_msg_gw_content_file m;
    struct stat st;
    int r = hm_msg_decode(&hm_desc_gw_content_file, payload, &m);

    if (r || m.version == 0 || m.tenant.len == 0 || m.tenant.len >= HM_GATEWAY_TENANT_MAX ||
        fstat(fd, &st) < 0 || (uint64_t)st.st_size != m.size) {
        close(fd);
        return -EBADMSG;
    }
    struct hm_gateway_body *b = place_for(g, m.tenant, m.version);
    b->fd = fd;
    b->version = m.version;
    b->size = m.size;
    snprintf(b->tenant, sizeof b->tenant, "%.*s", (int)m.tenant.len, (const char *)m.tenant.p);
    return 0;
}

int hm_content_offer(struct hm_gateway *g, struct hm_slice payload)
{
    struct hm_msg_gw_content m;
    struct hm_session *s = NULL;

    if (hm_msg_decode(&hm_desc_gw_content, payload, &m) || m.endpoint.len != 16)
        return -EBADMSG;
    struct hm_msg_content_offer offer = {.statement = m.statement, .key_set = m.key_set};
    while ((s = hm_session_of(g, m.endpoint.p, s)))
        if (s->state == HM_SESSION_OPEN || s->state == HM_SESSION_SYNC)
            hm_session_send(s, &hm_desc_content_offer, &offer);
    return 0;
}

/* One chunk a question: an endpoint that does not read has at most one waiting. */
int hm_content_get(struct hm_session *s, struct hm_slice payload)
{
    struct hm_msg_content_get m;
    struct hm_gateway *g = s->g;
    ssize_t n = 0;

    if (hm_msg_decode(&hm_desc_content_get, payload, &m))
        return -EBADMSG;
    struct hm_gateway_body *b = m.version ? find(g, hm_slice_str(s->tenant), m.version) : NULL;
    if (b && m.offset < b->size)
        n = pread(b->fd, g->chunk, sizeof g->chunk, (off_t)m.offset);
    struct hm_msg_content_chunk c = {.version = m.version,
                                     .offset = m.offset,
                                     .data = hm_slice(g->chunk, n > 0 ? (size_t)n : 0)};
    hm_session_send(s, &hm_desc_content_chunk, &c);
    return 0;
}

void hm_content_close(struct hm_gateway *g)
{
    for (size_t i = 0; i < HM_GATEWAY_BODIES_MAX; i++)
        if (g->bodies[i].version)
            close(g->bodies[i].fd);
}
