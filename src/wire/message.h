/* The table codec of messages: C structs and descriptors from *.def, one encoder, one decoder.
 * src/wire/messages.def is the agent–server protocol; src/agent/messages.def and
 * src/server/messages.def are the tables of requests between the processes of one program. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <stdint.h>

enum hm_msg_type { HM_MSG_U64, HM_MSG_BYTES };
struct hm_msg_field {
    uint32_t number;
    enum hm_msg_type type;
    uint32_t offset;
};
struct hm_msg_desc {
    uint32_t number;
    const char *name;
    uint32_t size; /* sizeof the struct */
    uint32_t field_count;
    const struct hm_msg_field *fields;
};
/* Append canonical bytes of msg. */
void hm_msg_encode(const struct hm_msg_desc *d, const void *msg, struct hm_buf *out);
/* Slices in ret_msg point into data. -EBADMSG: not canonical, unknown field of a known version,
 * trailing bytes. Threads: reentrant. */
int hm_msg_decode(const struct hm_msg_desc *d, struct hm_slice data, void *ret_msg) HM_CHECK;

/* Define structs: #include this after setting HM_MSG_FILE is not needed; the two expansions are
 * message_structs.h and message_descs.h, which include the .def named by HM_MSG_DEF. */
#define HM_MSG_DEF "wire/messages.def"
#include "wire/message_structs.h"
#undef HM_MSG_DEF
