/* How often someone may be wrong. Owns counts of failures by user, by address and by both; refuses
 * to know passwords. A lock-out doubles while the failures go on and is forgotten after a quiet
 * while. The name alone is slower to lock than name and address together, so that a stranger cannot
 * easily lock the administrator out. Threads: has its own lock. */
#pragma once
#include "base/error.h"
#include <stdint.h>

struct hm_limiter;
struct hm_limiter *hm_limiter_new(void); /* NULL: no memory or no entropy */
void hm_limiter_free(struct hm_limiter *l);
/* An attempt begins and counts as a failure until hm_limiter_good() takes it back: a hundred at
 * once gain nothing. 0: go on; else seconds to wait. */
unsigned hm_limiter_try(struct hm_limiter *l, const char *user, const char *address,
                        uint64_t now_ms);
void hm_limiter_good(struct hm_limiter *l, const char *user, const char *address);
