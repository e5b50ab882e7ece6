/* From "appended" to "acknowledged": which sessions wait for which sync. Owns the two lists; an
 * ack is said only after the disk has said it. */
#include "server/gateway/gateway.h"

#include "base/log.h"

#include <sys/time.h>

void hm_ack_later(struct hm_session *s)
{
    struct hm_gateway *g = s->g;
    struct timeval soon = {0, HM_GATEWAY_SYNC_MS * 1000};

    if (!s->in_dirty) {
        s->in_dirty = true;
        s->dirty_next = g->dirty;
        g->dirty = s;
    }
    if (!evtimer_pending(g->sync_ev, NULL))
        evtimer_add(g->sync_ev, &soon);
}

void hm_ack_forget(struct hm_session *s)
{
    struct hm_gateway *g = s->g;

    for (struct hm_session **p = &g->dirty; s->in_dirty && *p; p = &(*p)->dirty_next)
        if (*p == s) {
            *p = s->dirty_next;
            break;
        }
    for (struct hm_session **p = &g->in_sync; s->in_sync && *p; p = &(*p)->sync_next)
        if (*p == s) {
            *p = s->sync_next;
            break;
        }
    s->in_dirty = s->in_sync = false;
}

static void move_to_sync(struct hm_gateway *g, struct hm_session *s)
{
    for (int lane = 0; lane < HM_LANE_COUNT; lane++) {
        struct hm_lane_mark *m = &s->lanes[lane];
        m->in_sync = m->dirty;
        m->syncing = m->appended;
        m->dirty = false;
    }
    s->welcome_in_sync = s->state == HM_SESSION_SYNC;
    s->in_dirty = false;
    s->in_sync = true;
    s->sync_next = g->in_sync;
    g->in_sync = s;
}

/* Begin a sync for everything appended up to now. While one runs the rest gathers for the next. */
void hm_ack_begin(struct hm_gateway *g)
{
    if (!g->dirty || !hm_store_sync_begin(g->store))
        return;
    while (g->dirty) {
        struct hm_session *s = g->dirty;
        g->dirty = s->dirty_next;
        move_to_sync(g, s);
    }
}

void hm_ack_welcome(struct hm_session *s)
{
    uint64_t next[HM_LANE_COUNT];

    for (uint64_t lane = 0; lane < HM_LANE_COUNT; lane++) {
        const struct hm_chain_tip *t = hm_chain_find(s->g->chain, s->endpoint, s->epoch, lane);
        next[lane] = t ? t->next : 0;
    }
    struct hm_msg_welcome m = {.time = hm_buf_slice(&s->time),
                               .next_bulk = next[HM_LANE_BULK],
                               .next_alert = next[HM_LANE_ALERT]};
    hm_session_set_state(s, HM_SESSION_OPEN);
    hm_session_send(s, &hm_desc_welcome, &m);
}

static void send_acks(struct hm_session *s)
{
    if (s->welcome_in_sync && s->state == HM_SESSION_SYNC)
        hm_ack_welcome(s);
    s->welcome_in_sync = false;
    for (uint64_t lane = 0; lane < HM_LANE_COUNT; lane++) {
        struct hm_msg_ack m = {.epoch = s->epoch, .lane = lane, .next = s->lanes[lane].syncing};
        if (s->lanes[lane].in_sync)
            hm_session_send(s, &hm_desc_ack, &m);
        s->lanes[lane].in_sync = false;
    }
}

/* Records below next are on disk. */
void hm_ack_end(struct hm_gateway *g, uint64_t next)
{
    (void)next;
    while (g->in_sync) {
        struct hm_session *s = g->in_sync;
        g->in_sync = s->sync_next;
        s->in_sync = false;
        send_acks(s);
    }
    if (g->dirty)
        hm_ack_begin(g);
}
