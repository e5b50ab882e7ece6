/* Who may sign what: the pinned root key signs one statement for each domain's key. */
#pragma once
#include "base/crypto.h"
#include "wire/message.h"

struct hm_trust {
    uint8_t order_key[HM_PUBKEY_BYTES], time_key[HM_PUBKEY_BYTES], content_key[HM_PUBKEY_BYTES];
    /* Monotonic: the caller refuses a lower one. content_version 0: the set names no key for
     * content, none is accepted. */
    uint64_t order_version, time_version, content_version;
};

/* Append a KEY_SET naming pub for orders and for time, and content (NULL: nobody) for content
 * bundles, signed by root. Errors:  -ENOMEM, -EIO; out's own error. Threads: reentrant. */
int hm_trust_make(const struct hm_key *root, const uint8_t pub[HM_PUBKEY_BYTES],
                  const uint8_t *content, uint64_t version, struct hm_buf *out) HM_CHECK;
/* Check a KEY_SET against the pinned root key.
 * Errors:  -EBADMSG malformed; -EKEYREJECTED signature, domain or key. Threads: reentrant. */
int hm_trust_open(const uint8_t root[HM_PUBKEY_BYTES], struct hm_slice key_set,
                  struct hm_trust *ret_trust) HM_CHECK;
