/* When does new content go on to more endpoints, and when back? Pure: what a ring shows and the
 * time in, an event out, so that every case is a row of a test with a clock of its own. */
#pragma once
#include "server/core/control_content.h"

enum hm_rollout_event {
    HM_ROLLOUT_WAIT,     /* nothing yet */
    HM_ROLLOUT_SOAKED,   /* healthy for long enough: on */
    HM_ROLLOUT_BAD,      /* back */
    HM_ROLLOUT_RETURNED, /* the old content is there as a new version */
    HM_ROLLOUT_EVENTS
};
/* The stage that follows; the same one when the event means nothing in it. */
enum hm_stage hm_rollout_next(enum hm_stage stage, enum hm_rollout_event event);
/* The widest ring that has the candidate; HM_RING_COUNT: none. */
enum hm_ring hm_rollout_reach(enum hm_stage stage);

struct hm_ring_health { /* of all endpoints that are meant to have the candidate */
    uint64_t endpoints, connected;
    uint64_t have;      /* match by the candidate */
    uint64_t refused;   /* did not take it, or took it back themselves */
    uint64_t worse;     /* refuse more rules of it than the server did when it was built */
    uint64_t restarted; /* their engine ended at least twice under it */
    uint64_t silent;    /* had it, and are gone since */
    uint64_t alerts;    /* of those that have it, since the stage began */
    uint64_t usual;     /* of the same endpoints, in an equal time before (rounded up) */
};
#define HM_ROLLOUT_RESTARTS  2
#define HM_ROLLOUT_SILENT_MS (5 * 60 * 1000ull)
struct hm_rollout_why { /* words for the record and for people, when the event is BAD */
    char en[200], ja[300];
};
enum hm_rollout_event hm_rollout_judge(const struct hm_rollout *r, const struct hm_ring_health *h,
                                       uint64_t now_ms, struct hm_rollout_why *ret_why);
