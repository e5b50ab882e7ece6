/* A gateway journal record (server/record.h) as core and hunt accept it: its tenant names a folder.
 */
#pragma once
#include "server/record.h"

/* Slices point into data. -EBADMSG: malformed, or a tenant that is not 1..63 of a-z 0-9 - _. */
int hm_gateway_record_parse(struct hm_slice data, struct hm_gateway_record *ret) HM_CHECK;
bool hm_tenant_valid(struct hm_slice tenant);
