/* Owns the form of a gateway journal record (docs/internals.md). */
#include "server/record.h"

#include <errno.h>

void hm_gateway_record_encode(const struct hm_gateway_record *r, struct hm_buf *out)
{
    hm_buf_put_le16(out, (uint16_t)r->tenant.len);
    hm_buf_put(out, r->tenant.p, r->tenant.len);
    hm_buf_put(out, r->endpoint, sizeof r->endpoint);
    hm_buf_put_le64(out, r->received_ns);
    hm_buf_put_le16(out, (uint16_t)r->host_name.len);
    hm_buf_put(out, r->host_name.p, r->host_name.len);
    hm_buf_put(out, r->batch.p, r->batch.len);
}

int hm_gateway_record_decode(struct hm_slice data, struct hm_gateway_record *ret_r)
{
    struct hm_cursor c = hm_cursor(data);
    struct hm_gateway_record r = {0};

    r.tenant = hm_cursor_take(&c, hm_cursor_le16(&c));
    struct hm_slice endpoint = hm_cursor_take(&c, sizeof r.endpoint);
    r.received_ns = hm_cursor_le64(&c);
    r.host_name = hm_cursor_take(&c, hm_cursor_le16(&c));
    r.batch = hm_cursor_take(&c, hm_cursor_left(&c));
    if (hm_cursor_end(&c) || r.batch.len == 0)
        return -EBADMSG;
    memcpy(r.endpoint, endpoint.p, sizeof r.endpoint);
    *ret_r = r;
    return 0;
}
