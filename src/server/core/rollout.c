/* See rollout.h. */
#include "server/core/rollout.h"
#include <inttypes.h>
#include <stdio.h>

static const enum hm_stage transitions[HM_STAGE_COUNT][HM_ROLLOUT_EVENTS] = {
    /*                    WAIT                SOAKED           BAD                 RETURNED */
    [HM_STAGE_IDLE] = {HM_STAGE_IDLE, HM_STAGE_IDLE, HM_STAGE_IDLE, HM_STAGE_IDLE},
    [HM_STAGE_CANARY] = {HM_STAGE_CANARY, HM_STAGE_EARLY, HM_STAGE_RETURNING, HM_STAGE_CANARY},
    [HM_STAGE_EARLY] = {HM_STAGE_EARLY, HM_STAGE_ALL, HM_STAGE_RETURNING, HM_STAGE_EARLY},
    [HM_STAGE_ALL] = {HM_STAGE_ALL, HM_STAGE_IDLE, HM_STAGE_RETURNING, HM_STAGE_ALL},
    [HM_STAGE_RETURNING] = {HM_STAGE_RETURNING, HM_STAGE_RETURNING, HM_STAGE_RETURNING,
                            HM_STAGE_IDLE},
};

enum hm_stage hm_rollout_next(enum hm_stage stage, enum hm_rollout_event event)
{
    return transitions[stage][event];
}

enum hm_ring hm_rollout_reach(enum hm_stage stage)
{
    return stage == HM_STAGE_CANARY  ? HM_RING_CANARY
           : stage == HM_STAGE_EARLY ? HM_RING_EARLY
           : stage == HM_STAGE_ALL   ? HM_RING_ALL
                                     : HM_RING_COUNT;
}

/* In the canary ring one is enough: that is what it is for. Further out a broken endpoint or two
 * are endpoints that are broken; one in twenty is the content. */
static bool too_many(const struct hm_rollout *r, const struct hm_ring_health *h, uint64_t n)
{
    return n && (r->stage == HM_STAGE_CANARY || n * 20 >= h->endpoints);
}

/* People switch machines off; that half of a ring does so under new content is no coincidence. */
static bool fell_silent(const struct hm_ring_health *h)
{
    return h->silent >= 2 && h->silent * 2 > h->have;
}

static bool jumped(const struct hm_rollout *r, const struct hm_ring_health *h)
{
    return h->alerts > h->usual * r->alert_factor && h->alerts >= h->usual + r->alert_least;
}

#define SAY(why, english, japanese, ...)                                                           \
    (snprintf((why)->en, sizeof(why)->en, english, __VA_ARGS__),                                   \
     snprintf((why)->ja, sizeof(why)->ja, japanese, __VA_ARGS__))

static bool is_bad(const struct hm_rollout *r, const struct hm_ring_health *h,
                   struct hm_rollout_why *w)
{
    if (too_many(r, h, h->refused))
        SAY(w, "%" PRIu64 " of %" PRIu64 " endpoints did not take it",
            "%" PRIu64 " 台（対象 %" PRIu64 " 台）の端末が受け付けませんでした", h->refused,
            h->endpoints);
    else if (too_many(r, h, h->worse))
        SAY(w, "%" PRIu64 " endpoints refuse more of its rules than the server did",
            "%" PRIu64 " 台の端末で、サーバーの検証より多くのルールが拒否されました", h->worse);
    else if (too_many(r, h, h->restarted))
        SAY(w, "the engine of %" PRIu64 " endpoints ended again and again under it",
            "%" PRIu64 " 台の端末で検知エンジンが繰り返し異常終了しました", h->restarted);
    else if (fell_silent(h))
        SAY(w, "%" PRIu64 " of %" PRIu64 " endpoints fell silent under it",
            "%" PRIu64 " 台（適用済み %" PRIu64 " 台）の端末から応答がなくなりました", h->silent,
            h->have);
    else if (jumped(r, h))
        SAY(w, "%" PRIu64 " alerts where %" PRIu64 " are usual in the same time",
            "アラートが %" PRIu64 " 件発生しました（同じ時間の通常は %" PRIu64 " 件）", h->alerts,
            h->usual);
    else
        return false;
    return true;
}

/* Everybody who is there has it. A ring without endpoints is passed at once; one whose endpoints
 * are all away waits for the first. */
static bool soaked(const struct hm_rollout *r, const struct hm_ring_health *h, uint64_t now_ms)
{
    if (h->endpoints == 0)
        return true;
    return h->have > 0 && h->have + h->refused >= h->connected &&
           now_ms >= r->since_ms + r->soak_s * 1000;
}

enum hm_rollout_event hm_rollout_judge(const struct hm_rollout *r, const struct hm_ring_health *h,
                                       uint64_t now_ms, struct hm_rollout_why *ret_why)
{
    if (hm_rollout_reach(r->stage) == HM_RING_COUNT)
        return HM_ROLLOUT_WAIT;
    if (is_bad(r, h, ret_why))
        return HM_ROLLOUT_BAD;
    return soaked(r, h, now_ms) ? HM_ROLLOUT_SOAKED : HM_ROLLOUT_WAIT;
}
