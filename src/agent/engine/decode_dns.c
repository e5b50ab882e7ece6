/* Records of DNS answers → events, and the names of addresses for the connections that follow.
 * Records were checked before they come here; the message inside was not. */
#include "agent/engine/dns.h"
#include "agent/engine/parts.h"

#define ANSWERS_BYTES 4096

void hm_decode_dns(struct hm_core *c, const struct hm_rec_dns *r)
{
    struct hm_dns_answer a = {.answers = HM_BUF(ANSWERS_BYTES)};
    if (hm_dns_read(hm_record_str(&r->h, r->payload), &a) < 0) {
        c->malformed_dns++; /* whatever else comes from that port */
        hm_buf_done(&a.answers);
        return;
    }
    hm_dns_names_put(c->names, &a, r->h.boot_ns);
    struct hm_process *p = r->h.tgid ? hm_decode_actor(c, &r->h) : NULL;
    struct hm_event *e = hm_core_begin(c, HM_CLASS_DNS, HM_ACTION_DNS_QUERY, r->h.boot_ns);
    if (p)
        hm_enrich_actor(e, p, hm_table_get(c->table, p->parent_key), c->users);
    hm_event_set(e, HM_F_DNS_QUERY_NAME, hm_slice_str(a.name));
    hm_event_set_u64(e, HM_F_DNS_TYPE, a.type);
    hm_event_set_u64(e, HM_F_DNS_RCODE, a.rcode);
    if (a.answers.len)
        hm_event_set(e, HM_F_DNS_ANSWERS, hm_buf_slice(&a.answers));
    hm_core_emit(c, e, p ? p->key : 0);
    hm_buf_done(&a.answers);
}
