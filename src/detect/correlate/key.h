/* Group keys: the group-by values of one event as bytes that are equal exactly when the values are,
 * and a keyed hash an attacker cannot steer. */
#pragma once
#include "detect/correlate/limits.h"
#include "detect/view.h"

struct hm_key {
    size_t len;
    uint8_t bytes[HM_CORRELATE_KEY_BYTES];
};
/* SipHash-2-4 (Aumasson, Bernstein 2012). */
uint64_t hm_siphash(const uint64_t secret[2], const void *p, size_t len);
/* Append one value; p == NULL: the event has none, which is a value of its own. */
void hm_key_add(struct hm_key *k, const uint64_t secret[2], struct hm_slice value);
/* The i-th value; p == NULL: absent. */
struct hm_slice hm_key_value(const uint8_t *bytes, size_t len, size_t i);
/* One field as group value: lists are the items with 0x1f between. Borrows from d or scratch. */
struct hm_slice hm_key_text(const struct hm_datum *d, char *scratch, size_t cap);
