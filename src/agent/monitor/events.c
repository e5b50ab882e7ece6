/* Owns the events monitor makes itself, and their way to the engine. What the engine may not have
 * stored when it crashed is sent again: an order's outcome has no other source. */
#include "agent/monitor/state.h"
#include <stdio.h>

static void keep(struct hm_monitor *m, struct hm_slice bytes, enum hm_lane lane)
{
    struct hm_kept_event *k = &m->kept[m->kept_next++ % HM_MON_EVENTS_KEPT];
    free(k->bytes);
    *k = (struct hm_kept_event){.mono_ns = hm_clock_mono_ns(), .lane = lane};
    k->bytes = malloc(bytes.len);
    if (!k->bytes)
        return;
    memcpy(k->bytes, bytes.p, bytes.len);
    k->len = bytes.len;
}

static void send_event(struct hm_monitor *m, struct hm_slice bytes, uint64_t lane)
{
    struct hm_msg_journal_event j = {.event = bytes, .lane = lane};
    hm_mon_send(m, HM_AGENT_ENGINE, &hm_desc_journal_event, &j, NULL, 0);
}

/* Journal an event of class agent. While the engine is away it waits here. */
void hm_mon_journal(struct hm_monitor *m, struct hm_event *e, enum hm_lane lane)
{
    struct hm_buf b hm_auto(hm_buf_done) = HM_BUF(HM_EVENT_MAX_BYTES);
    if (!hm_event_has(e, HM_F_CLASS))
        hm_event_set_u64(e, HM_F_CLASS, HM_CLASS_AGENT);
    hm_event_set_u64(e, HM_F_BOOT_NS, hm_clock_boot_ns());
    hm_event_set_u64(e, HM_F_WALL_NS, hm_clock_wall_ns());
    hm_event_encode(e, &b);
    if (b.error) {
        hm_warn("an event of monitor could not be encoded: %s", strerror(-b.error));
        return;
    }
    keep(m, hm_buf_slice(&b), lane);
    if (m->child[HM_AGENT_ENGINE].pid)
        send_event(m, hm_buf_slice(&b), lane);
}

void hm_mon_journal_text(struct hm_monitor *m, enum hm_action action, const char *process,
                         const char *detail)
{
    struct hm_event e;
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_ACTION, action);
    hm_event_set(&e, HM_F_AGENT_PROCESS, hm_slice_str(process));
    hm_event_set(&e, HM_F_AGENT_DETAIL, hm_slice_str(detail));
    hm_event_set(&e, HM_F_AGENT_VERSION, hm_slice_str(HM_VERSION));
    hm_mon_journal(m, &e, HM_LANE_BULK);
}

void hm_mon_journal_sensors(struct hm_monitor *m)
{
    struct hm_event e;
    hm_mon_report_sensors(m);
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_AGENT_SENSORS);
    hm_event_set(&e, HM_F_AGENT_PROCESS, hm_slice_str("monitor"));
    hm_event_set(&e, HM_F_AGENT_DETAIL, hm_buf_slice(&m->sensors_json));
    hm_mon_journal(m, &e, HM_LANE_BULK);
}

/* The sensor lives as long as monitor: what happened since the one before wrote its last status was
 * not seen, and how much it was nobody knows. */
void hm_mon_journal_gap(struct hm_monitor *m)
{
    char why[96];
    struct hm_event e;
    uint64_t away_ns;
    int was_running = hm_mon_status_before(m, &away_ns);
    if (was_running < 0)
        return; /* there was none before */
    uint64_t now = hm_clock_boot_ns();
    snprintf(why, sizeof why, "the agent %s; nothing was seen meanwhile",
             was_running ? "ended without notice" : "was stopped");
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_LOSS);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_LOSS_SENSOR);
    hm_event_set_u64(&e, HM_F_LOSS_FROM_NS, away_ns < now ? now - away_ns : 0);
    hm_event_set_u64(&e, HM_F_LOSS_TO_NS, now);
    hm_event_set(&e, HM_F_AGENT_DETAIL, hm_slice_str(why));
    hm_mon_journal(m, &e, HM_LANE_BULK);
}

/* The engine was started: what was made while there was none goes to it, and what the one before
 * cannot have stored once more. */
void hm_mon_journal_again(struct hm_monitor *m)
{
    uint64_t since = m->engine_lost_ns ? m->engine_lost_ns - HM_MON_EVENTS_AGAIN_NS : 0;
    for (uint64_t i = 0; i < HM_MON_EVENTS_KEPT; i++) { /* oldest first */
        struct hm_kept_event *k = &m->kept[(m->kept_next + i) % HM_MON_EVENTS_KEPT];
        if (k->bytes && k->mono_ns >= since)
            send_event(m, hm_slice(k->bytes, k->len), k->lane);
    }
}
