/* Records of rare system calls → events. Records were checked before they come here. */
#include "agent/engine/parts.h"
#include "agent/sensor/calls.h"

void hm_decode_call(struct hm_core *c, const struct hm_rec_call *r)
{
    struct hm_process *p = hm_decode_actor(c, &r->h);
    struct hm_event *e = hm_core_begin(c, HM_CLASS_SYSCALL, HM_ACTION_SYSCALL_CALL, r->h.boot_ns);
    if (p)
        hm_enrich_actor(e, p, hm_table_get(c->table, p->parent_key), c->users);
    if (p && !p->image)
        hm_event_set(e, HM_F_PROCESS_NAME,
                     hm_slice(r->h.comm, strnlen(r->h.comm, sizeof r->h.comm)));
    hm_event_set_u64(e, HM_F_USER_EUID, r->h.euid);
    if (r->h.loginuid != UINT32_MAX)
        hm_event_set_u64(e, HM_F_USER_AUDIT_ID, r->h.loginuid);
    hm_event_set(e, HM_F_SYSCALL_NAME, hm_slice_str(hm_rare_name(r->call)));
    hm_event_set_u64(e, HM_F_SYSCALL_NUMBER, r->number);
    for (uint32_t i = 0; i < r->arg_count; i++)
        hm_event_set_u64(e, (enum hm_field)(HM_F_SYSCALL_A0 + i), r->args[i]);
    hm_core_emit(c, e, p ? p->key : 0);
}
