/* Threads that carry out calls, so that the loop never waits for a disk, a hash or a worker
 * process. Each kind of work has a queue and threads of its own: slow password hashing or hunting
 * cannot hold up the rest. Owns threads and queues; refuses to know what a call is about beyond its
 * route. */
#pragma once
#include "server/api/route.h"

struct event_base;
struct hm_pools;
/* done() runs on the loop of base, once a call. */
int hm_pools_new(struct event_base *base, struct hm_shared *shared,
                 void (*done)(void *ctx, struct hm_call *c, void *tag), void *ctx,
                 struct hm_pools **ret_p, struct hm_error *err) HM_CHECK;
/* Waits for what is being carried out; what still waits in a queue is dropped. */
void hm_pools_free(struct hm_pools *p);
/* -EAGAIN: that queue is full. */
int hm_pools_put(struct hm_pools *p, struct hm_call *c, void *tag) HM_CHECK;
