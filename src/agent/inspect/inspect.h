/* What inspect's files share. Private to this folder. */
#pragma once
#include "agent/messages.h"
#include "base/crypto.h"
#include "base/error.h"
#include "proc/proc.h"

struct hm_inspect;
/* -EINVAL: not a regular file or too large to be worth it. */
int hm_inspect_hash(struct hm_inspect *s, int fd, uint8_t ret[HM_SHA256_BYTES],
                    uint64_t *ret_size) HM_CHECK;
/* To monitor; waits while it is busy. */
int hm_inspect_send(const struct hm_msg_desc *d, const void *msg) HM_CHECK;

/* yara.c: rule sets and scans. NULL: out of memory, with words. */
struct hm_inspect_yara;
struct hm_inspect_yara *hm_inspect_yara_new(struct hm_error *err);
void hm_inspect_yara_free(struct hm_inspect_yara *y);
/* -EBADMSG: none of its messages, or malformed. */
int hm_inspect_yara_serve(struct hm_inspect_yara *y, struct hm_inspect *s,
                          const struct hm_ipc_msg *m) HM_CHECK;
