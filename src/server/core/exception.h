/* Exceptions: what somebody knows and accepts. They are compiled from the control database to one
 * program and tried on the deciding event of an alert, as it stands in the alert's evidence, so
 * that a preview over old alerts and the judgement of a new one are the same code. */
#pragma once
#include "base/error.h"
#include "server/core/control.h"

#define HM_EXCEPTIONS_MAX      10000 /* active ones of all tenants */
#define HM_EXCEPTION_WHERE_MAX 8192  /* bytes of one's conditions */
#define HM_EXCEPTION_TTL_MAX_S (366u * 86400)

struct hm_exception_set;
/* The active exceptions (neither ended nor expired at now_ms) of every tenant; more: an alert is
 * never dismissed by one that does not compile any more: problem() is told of each.
 * Owns:    *ret_s is the caller's. Errors: -ENOMEM, control.h's. Threads: one at a time. */
int hm_exception_set_load(struct hm_control *c, uint64_t now_ms,
                          void (*problem)(void *ctx, const char *title, const struct hm_error *why),
                          void *ctx, struct hm_exception_set **ret_s) HM_CHECK;
/* A set of one that is not stored, for a preview. Errors: -EINVAL with the place in its conditions.
 */
int hm_exception_set_one(const struct hm_exception_new *x, const char *tenant,
                         struct hm_exception_set **ret_s, struct hm_error *err) HM_CHECK;
void hm_exception_set_free(struct hm_exception_set *s);

struct hm_exception_case { /* an alert as far as exceptions look at it */
    const char *tenant, *group, *rule_id;
    const uint8_t *endpoint;
    const char *evidence; /* JSON array of events, the deciding one first */
    uint64_t now_ms;
};
struct hm_exception_found {
    uint8_t id[HM_ID_BYTES];
    const char *title, *owner; /* the set's */
};
/* The oldest exception that covers the alert: 1, or 0 none. Errors: -ENOMEM. */
int hm_exception_find(struct hm_exception_set *s, const struct hm_exception_case *a,
                      struct hm_exception_found *ret) HM_CHECK;
