/* Who did what: the audit trail, newest first. */
#include "server/api/route.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct list {
    struct hm_jw *j;
    uint64_t count, limit, last;
    bool more;
};

static int list_row(void *ctx, const struct hm_audit_row *r)
{
    struct list *l = ctx;
    struct hm_jw *j = l->j;

    if (l->count == l->limit) {
        l->more = true;
        return 0;
    }
    l->count++;
    l->last = r->seq;
    hm_jw_obj(j, NULL);
    hm_jw_u64(j, "seq", r->seq);
    hm_jw_time_ms(j, "time", r->time_ms);
    hm_jw_str(j, "actor", r->actor);
    hm_jw_str(j, "action", r->action);
    hm_jw_str(j, "target", r->target);
    hm_jw_str(j, "detail", r->detail);
    hm_jw_end_obj(j);
    return 0;
}

void hm_handle_audit(struct hm_worker *w, struct hm_call *c)
{
    static const struct hm_param params[] = {{"limit", HM_ARG_UINT, false, 1, 500},
                                             {"before", HM_ARG_UINT, false, 1, 1ull << 48}};
    struct hm_arg a[HM_ARRAY_LEN(params)];
    struct hm_jw j;
    char next[24];
    int r;

    if (!hm_call_query(c, params, HM_ARRAY_LEN(params), a))
        return;
    j = hm_call_json(c, 200);
    struct list l = {.j = &j, .limit = a[0].present ? a[0].u64 : 100};
    hm_jw_obj(&j, NULL);
    hm_jw_arr(&j, "items");
    r = hm_audit_list(w->control, c->who.tenant, a[1].u64, (uint32_t)l.limit + 1, list_row, &l);
    hm_jw_end_arr(&j);
    snprintf(next, sizeof next, "%" PRIu64, l.last);
    l.more ? hm_jw_str(&j, "next", next) : hm_jw_null(&j, "next");
    hm_jw_end_obj(&j);
    if (r && r != -ENOENT)
        hm_call_error(c, r);
}
