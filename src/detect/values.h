/* How a field of our event reads as text outside of the views: in reasons, and in examples. */
#pragma once
#include "event/event.h"

/* Text of a field; small forms are written to buf (at least 64 bytes). */
struct hm_slice hm_value_text(const struct hm_event *e, enum hm_field f, char *buf);
/* Fields that hold an enumeration: number of a word such as "socket", or -1. For bit sets
 * (*ret_bits) the number is the bit's mask. */
int64_t hm_value_word(enum hm_field f, struct hm_slice word, bool *ret_bits);
