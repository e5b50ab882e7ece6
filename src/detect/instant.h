/* Times as events write them: ISO 8601 (a blank for the T, fractions, zone; none means UTC), or the
 * epoch in seconds, milli-, micro- or nanoseconds, told apart by the number of digits. */
#pragma once
#include "detect/ast.h"

/* Milliseconds since 1970 in UTC. false: not a time. Threads: reentrant. */
bool hm_instant_read(struct hm_slice text, int64_t *ret_ms);
/* A part of it in UTC: minute, hour, day of the month, ISO 8601 week, month, year. */
int64_t hm_instant_part(int64_t ms, enum hm_ast_part part);
