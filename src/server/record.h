/* A record of the gateway's journal: who sent a batch and when it came. Written by the gateway,
 * read by core, hunt and api. */
#pragma once
#include "base/buf.h"
#include "base/cursor.h"

struct hm_gateway_record {
    struct hm_slice tenant, host_name, batch;
    uint8_t endpoint[16];
    uint64_t received_ns; /* this server's clock */
};
void hm_gateway_record_encode(const struct hm_gateway_record *r, struct hm_buf *out);
/* Slices point into data. -EBADMSG: malformed. Threads: reentrant. */
int hm_gateway_record_decode(struct hm_slice data, struct hm_gateway_record *ret_r) HM_CHECK;
