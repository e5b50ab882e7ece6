/* Owns the exceptions that core judges new alerts by: loaded at start and whenever somebody changed
 * them. When they cannot be loaded nothing is excepted: an alert too many is better than one less.
 */
#include "server/core/core.h"
#include "server/core/exception.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>

static void problem(void *ctx, const char *title, const struct hm_error *why)
{
    (void)ctx;
    hm_warn("exception \"%s\" counts no more: line %u: %s", title, why->line, why->text);
}

void hm_except_load(struct hm_core *k)
{
    struct hm_exception_set *s = NULL;
    int r = hm_exception_set_load(k->c, hm_control_now_ms(), problem, NULL, &s);
    if (r)
        hm_err("exceptions: %s; none counts until they can be read", strerror(-r));
    hm_exception_set_free(k->exceptions);
    k->exceptions = s;
}

static int copy_group(void *ctx, const struct hm_endpoint_row *r)
{
    snprintf(ctx, HM_TENANT_MAX, "%s", r->group);
    return 0;
}

int hm_except_judge(struct hm_core *k, const char *tenant, const struct hm_alert_new *a)
{
    char group[HM_TENANT_MAX] = "", rule[256];
    struct hm_exception_found found;
    if (!k->exceptions || a->rule_id.len >= sizeof rule)
        return 0;
    snprintf(rule, sizeof rule, "%.*s", (int)a->rule_id.len, (const char *)a->rule_id.p);
    int r = hm_endpoint_get(k->c, tenant, a->endpoint, copy_group, group);
    if (r && r != -ENOENT)
        return r;
    hm_buf_clear(&k->scratch);
    hm_buf_put(&k->scratch, a->evidence.p, a->evidence.len);
    hm_buf_put_u8(&k->scratch, 0);
    if (k->scratch.error)
        return 0;
    struct hm_exception_case c = {.tenant = tenant,
                                  .group = group,
                                  .rule_id = rule,
                                  .endpoint = a->endpoint,
                                  .evidence = (char *)k->scratch.data,
                                  .now_ms = hm_control_now_ms()};
    r = hm_exception_find(k->exceptions, &c, &found);
    if (r != 1)
        return r;
    r = hm_exception_apply(k->c, (struct hm_alert_ref){tenant, a->id}, &found);
    return r < 0 ? r : 1;
}
