/* Frames on a TLS stream: le32 length of the rest · le16 message number · canonical message.
 * A frame over HM_FRAME_MAX, an unknown number or a malformed message closes that peer. */
#pragma once
#include "base/buf.h"
#include "base/cursor.h"
#include "wire/message.h"

#define HM_WIRE_VERSION 1
#define HM_FRAME_MAX    (2 * 1024 * 1024)
#define HM_ALPN_AGENT   "hinomi/1"
#define HM_ALPN_ENROLL  "hinomi-enroll/1"

enum {
    HM_REFUSED_VERSION = 1,
    HM_REFUSED_REVOKED,
    HM_REFUSED_UNKNOWN,
    HM_REFUSED_IDENTITY,
    HM_REFUSED_TOKEN,
    HM_REFUSED_BUSY,
    HM_REFUSED_MALFORMED
};

void hm_frame_encode(const struct hm_msg_desc *d, const void *msg, struct hm_buf *out);
/* 1: a whole frame is at the start of in (ret_len bytes are used); 0: more bytes needed;
 * -EMSGSIZE: over the maximum; -EBADMSG: malformed header. */
int hm_frame_peek(struct hm_slice in, uint16_t *ret_number, struct hm_slice *ret_payload,
                  size_t *ret_len) HM_CHECK;
