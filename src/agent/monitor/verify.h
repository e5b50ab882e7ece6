/* Is this order genuine, for us, new and still valid? Pure: state in, verdict out, so that every
 * refusal is a row of a test. Time is the server's, signed, carried on by the boot clock. */
#pragma once
#include "agent/monitor/limits.h"
#include "base/crypto.h"
#include "wire/order.h"

/* ---- signed time ------------------------------------------------------------------------------
 */
#define HM_NONCES 4
struct hm_signed_time {
    uint64_t server_ms, boot_ns; /* server_ms 0: not known yet */
    struct {
        uint8_t bytes[16];
        uint64_t boot_ns; /* when it was made; 0: unused */
    } nonce[HM_NONCES];
    unsigned next;
};
/* A fresh nonce for the next HELLO. */
int hm_signed_time_nonce(struct hm_signed_time *t, uint64_t boot_ns, uint8_t ret[16]) HM_CHECK;
/* Take a SIGNED TIME. Errors: -EKEYREJECTED forged, -EBADMSG malformed or for another endpoint,
 * -ESTALE not an answer to a young nonce of ours. */
int hm_signed_time_accept(struct hm_signed_time *t, const uint8_t key[HM_PUBKEY_BYTES],
                          const uint8_t endpoint[16], struct hm_slice stmt,
                          uint64_t boot_ns) HM_CHECK;
/* Server's clock now; 0 when it is not known. */
uint64_t hm_signed_time_ms(const struct hm_signed_time *t, uint64_t boot_ns);

/* ---- orders -----------------------------------------------------------------------------------
 */
struct hm_order_judge {
    const uint8_t *order_key, *endpoint,
        *key_sha256; /* pinned: HM_PUBKEY_BYTES, 16, HM_SHA256_BYTES */
    struct hm_slice tenant;
    uint64_t begun;      /* highest counter begun so far */
    uint64_t server_ms;  /* now, by signed time; 0 unknown */
    bool practice;       /* a practice endpoint: drills are allowed */
    const char *blocked; /* not NULL: no order is carried out, this is why */
};
struct hm_order_verdict {
    uint64_t state;     /* 0 good; HM_ORDER_REFUSED or HM_ORDER_EXPIRED */
    const char *reason; /* words for the refusal */
    bool genuine;       /* signed and for us: its id may be spoken of */
};
/* ret_order's slices point into stmt; filled when genuine or good. */
struct hm_order_verdict hm_order_verify(const struct hm_order_judge *j, struct hm_slice stmt,
                                        struct hm_msg_order *ret_order);
