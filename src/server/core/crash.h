/* An item that crashes a consumer twice is set aside. While a consumer works on a journal record
 * it says so; a fatal signal of our own making (not a kill from outside) writes that down before
 * the process dies, and the next start counts it. */
#pragma once
#include "server/core/control_core.h"

/* Open <folder>/crash.log and catch SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT. Once a process. */
int hm_crash_watch(const char *folder, struct hm_error *err) HM_CHECK;
/* This thread works on that record from now on; consumer NULL: on none. consumer is a literal. */
void hm_crash_working(const char *consumer, uint64_t record);
/* Count what the last life wrote down, set aside what crashed twice; each() is told of those. */
int hm_crash_recover(const char *folder, struct hm_control *c,
                     void (*each)(void *ctx, const char *consumer, uint64_t record),
                     void *ctx) HM_CHECK;
