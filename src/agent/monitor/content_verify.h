/* Is this content meant for us, genuine, newer and still good? Pure: state in, words out, so that
 * every refusal is a row of a test. */
#pragma once
#include "wire/bundle.h"
#include "wire/order.h"
#include "wire/trust.h"

struct hm_content_judge {
    const uint8_t *root_key;      /* pinned: HM_PUBKEY_BYTES */
    const struct hm_trust *trust; /* of enrolment */
    struct hm_slice key_set;      /* that came with the offer; empty: none */
    struct hm_slice tenant;
    uint64_t floor;       /* versions up to this one were active or reverted from */
    uint64_t key_version; /* highest version of the content key seen so far */
    uint64_t server_ms;   /* now, by signed time; 0 unknown */
};
/* NULL: install it. Else why not; *ret_old says that it is merely nothing new.
 * ret_content's slices point into stmt. ret_key_version: of the key that signed it. */
const char *hm_content_verify(const struct hm_content_judge *j, struct hm_slice stmt,
                              struct hm_msg_content *ret_content, uint64_t *ret_key_version,
                              bool *ret_old);
