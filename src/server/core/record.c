/* The gateway faces the network, so what it wrote is read like foreign bytes; see record.h. */
#include "server/core/record.h"
#include "server/core/control.h"
#include <errno.h>

bool hm_tenant_valid(struct hm_slice tenant)
{
    if (tenant.len == 0 || tenant.len >= HM_TENANT_MAX)
        return false;
    for (size_t i = 0; i < tenant.len; i++) {
        uint8_t c = tenant.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return true;
}

int hm_gateway_record_parse(struct hm_slice data, struct hm_gateway_record *ret)
{
    struct hm_gateway_record r;
    int e = hm_gateway_record_decode(data, &r);
    if (e)
        return e;
    if (!hm_tenant_valid(r.tenant))
        return -EBADMSG;
    *ret = r;
    return 0;
}
