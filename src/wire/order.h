/* What an order may be, and how statements are signed and checked. Used by the server's signer and
 * by the agent's monitor; both sides share these tables and nothing else. */
#pragma once
#include "base/crypto.h"
#include "wire/message.h"

enum hm_order_kind {                       /* the D3FEND technique is in the table of order.c */
                     HM_ORDER_KILL = 1,    /* D3-PT Process Termination */
                     HM_ORDER_ISOLATE = 4, /* D3-NI Network Isolation */
                     HM_ORDER_RELEASE = 5, /* undo of ISOLATE */
                     HM_ORDER_DRILL = 20,  /* practice endpoints only */
};
enum hm_order_state {
    HM_ORDER_BEGUN = 1,
    HM_ORDER_DONE,
    HM_ORDER_REFUSED,
    HM_ORDER_FAILED,
    HM_ORDER_EXPIRED
};

struct hm_order_info {
    uint32_t kind, undo; /* undo: kind that takes it back, 0 none */
    const char *name, *d3fend;
};
const struct hm_order_info *hm_order_by_kind(uint64_t kind); /* NULL unknown */
const struct hm_order_info *hm_order_by_name(struct hm_slice name);
const char *hm_order_state_name(uint64_t state);

#define HM_DOMAIN_ORDER "hinomi-order-v1"
#define HM_DOMAIN_TIME  "hinomi-time-v1"
#define HM_DOMAIN_KEY   "hinomi-key-v1"

/* Append a SIGNED message over payload. */
int hm_stmt_sign(const struct hm_key *k, const char *domain, struct hm_slice payload,
                 struct hm_buf *out) HM_CHECK;
/* 0: signed by pub for this domain, *ret_payload points into stmt. -EKEYREJECTED, -EBADMSG. */
int hm_stmt_verify(const uint8_t pub[HM_PUBKEY_BYTES], const char *domain, struct hm_slice stmt,
                   struct hm_slice *ret_payload) HM_CHECK;
/* First 8 bytes, little endian, of SHA-256 of the public key. */
uint64_t hm_stmt_key_id(const uint8_t pub[HM_PUBKEY_BYTES]);
/* Decode an ORDER payload and check everything that needs no state: kind, lengths, life span.
 * Owns:    slices point into payload.
 * Errors:  -EBADMSG whatever is wrong. Threads: reentrant. Used by the signer and by monitor. */
int hm_order_check(struct hm_slice payload, struct hm_msg_order *ret_order) HM_CHECK;
