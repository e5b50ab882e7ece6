/* Records of connections → events. Records were checked before they come here. */
#include "agent/engine/dns.h"
#include "agent/engine/parts.h"

static uint64_t action_of(uint16_t type)
{
    switch (type) {
    case HM_REC_CONNECT:
        return HM_ACTION_NETWORK_CONNECT;
    case HM_REC_ACCEPT:
        return HM_ACTION_NETWORK_ACCEPT;
    case HM_REC_LISTEN:
        return HM_ACTION_NETWORK_LISTEN;
    default:
        return HM_ACTION_NETWORK_CLOSE;
    }
}

/* Source is where the connection comes from: us when outbound, the peer when inbound. What listens
 * is a destination without a source. */
static void ends(struct hm_event *e, const struct hm_rec_net *r)
{
    size_t n = r->family == 4 ? 4 : 16;
    struct hm_slice local = hm_slice(r->local_ip, n), remote = hm_slice(r->remote_ip, n);
    bool out = r->direction == HM_NET_OUTBOUND;
    hm_event_set(e, HM_F_DST_IP, out ? remote : local);
    hm_event_set_u64(e, HM_F_DST_PORT, out ? r->remote_port : r->local_port);
    if (r->direction == HM_NET_LISTENING)
        return;
    hm_event_set(e, HM_F_SRC_IP, out ? local : remote);
    hm_event_set_u64(e, HM_F_SRC_PORT, out ? r->local_port : r->remote_port);
}

void hm_decode_net(struct hm_core *c, const struct hm_rec_net *r)
{
    struct hm_process *p = hm_decode_actor(c, &r->h);
    struct hm_event *e = hm_core_begin(c, HM_CLASS_NETWORK, action_of(r->h.type), r->h.boot_ns);
    if (p)
        hm_enrich_actor(e, p, hm_table_get(c->table, p->parent_key), c->users);
    if (p && !p->image)
        hm_event_set(e, HM_F_PROCESS_NAME,
                     hm_slice(r->h.comm, strnlen(r->h.comm, sizeof r->h.comm)));
    ends(e, r);
    struct hm_slice name = hm_dns_names_get(c->names, hm_event_str(e, HM_F_DST_IP), r->h.boot_ns);
    if (name.len && r->direction == HM_NET_OUTBOUND)
        hm_event_set(e, HM_F_DST_DOMAIN, name);
    hm_event_set_u64(e, HM_F_NET_PROTOCOL, r->protocol);
    hm_event_set_u64(e, HM_F_NET_DIRECTION, r->direction);
    if (r->h.type == HM_REC_CONNECT)
        hm_event_set_u64(e, HM_F_NET_RESULT, (uint64_t)(r->result < 0 ? -(int64_t)r->result : 0));
    if (r->h.type == HM_REC_CLOSE) {
        hm_event_set_u64(e, HM_F_NET_BYTES_IN, r->bytes_in);
        hm_event_set_u64(e, HM_F_NET_BYTES_OUT, r->bytes_out);
    }
    hm_core_emit(c, e, p ? p->key : 0);
}
