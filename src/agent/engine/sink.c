/* See sink.h. */
#include "agent/engine/sink.h"
#include "agent/engine/limits.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>

#define CLASSES 32 /* classes.def ends far below; 0 collects whatever is above */

struct missing {
    uint64_t count, from_ns;
};
struct held {
    uint8_t *bytes;
    size_t len;
};
struct hm_sink {
    struct hm_journal *journal;
    struct hm_ledger *ledger;
    uint64_t wall_offset; /* wall clock - boot clock; refreshed by the tick */
    uint64_t good_ns;     /* boot clock of the last put that worked */
    bool alerted, full;   /* full: said once in the log */
    struct hm_sink_counts counts;
    struct missing missing[CLASSES];
    struct held held[HM_ALERT_HELD_MAX];
};

static void set_clock(struct hm_sink *s)
{
    s->wall_offset = hm_clock_wall_ns() - hm_clock_boot_ns();
}

struct hm_sink *hm_sink_new(struct hm_journal *journal, struct hm_ledger *ledger)
{
    struct hm_sink *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->journal = journal;
    s->ledger = ledger;
    s->good_ns = hm_clock_boot_ns();
    set_clock(s);
    return s;
}

void hm_sink_free(struct hm_sink *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->counts.held; i++)
        free(s->held[i].bytes);
    free(s);
}

static void stamp(struct hm_sink *s, struct hm_event *e)
{
    if (!hm_event_has(e, HM_F_BOOT_NS))
        hm_event_set_u64(e, HM_F_BOOT_NS, hm_clock_boot_ns());
    if (!hm_event_has(e, HM_F_WALL_NS))
        hm_event_set_u64(e, HM_F_WALL_NS, hm_event_u64(e, HM_F_BOOT_NS) + s->wall_offset);
}

static void count_missing(struct hm_sink *s, const struct hm_event *e)
{
    uint64_t class = hm_event_u64(e, HM_F_CLASS);
    struct missing *m = &s->missing[class < CLASSES ? class : 0];
    if (!m->count++)
        m->from_ns = s->good_ns;
    s->counts.lost++;
}

static bool hold(struct hm_sink *s, struct hm_event *e)
{
    if (s->counts.held == HM_ALERT_HELD_MAX)
        return false;
    hm_event_unset(e, HM_F_SEQ);
    struct hm_buf b = HM_BUF(HM_EVENT_MAX_BYTES);
    hm_event_encode(e, &b);
    if (b.error) {
        hm_buf_done(&b);
        return false;
    }
    s->held[s->counts.held++] = (struct held){b.data, b.len};
    return true;
}

static void refused(struct hm_sink *s, int r)
{
    if (!s->full)
        hm_warn("journal takes no events now: %s; detection goes on, what is lost is counted",
                strerror(-r));
    s->full = true;
}

static void remember(struct hm_sink *s, const struct hm_event *e)
{
    struct hm_ledger_page *page = hm_ledger_page(s->ledger);
    page->epoch = hm_journal_epoch(s->journal);
    page->next_seq = hm_event_u64(e, HM_F_SEQ) + 2;
}

static int put(struct hm_sink *s, enum hm_lane lane, struct hm_event *e)
{
    int r = hm_journal_put(s->journal, lane, e);
    if (r < 0) {
        refused(s, r);
        return r;
    }
    s->counts.put++;
    s->good_ns = hm_event_u64(e, HM_F_BOOT_NS);
    s->alerted |= lane == HM_LANE_ALERT;
    if (lane == HM_LANE_BULK)
        remember(s, e);
    return 0;
}

bool hm_sink_put(struct hm_sink *s, enum hm_lane lane, struct hm_event *e)
{
    stamp(s, e);
    /* Alerts keep their order: none overtakes one that waits. */
    if (lane == HM_LANE_ALERT && s->counts.held && hold(s, e))
        return false;
    if (put(s, lane, e) == 0)
        return true;
    if (lane != HM_LANE_ALERT || !hold(s, e))
        count_missing(s, e);
    return false;
}

bool hm_sink_put_loss(struct hm_sink *s, struct hm_event *e)
{
    stamp(s, e);
    return put(s, HM_LANE_BULK, e) == 0;
}

static void retry_held(struct hm_sink *s)
{
    size_t done = 0;
    for (; done < s->counts.held; done++) {
        struct held *h = &s->held[done];
        struct hm_event e;
        if (hm_event_decode(hm_slice(h->bytes, h->len), &e) == 0 && put(s, HM_LANE_ALERT, &e) < 0)
            break;
        free(h->bytes);
    }
    s->counts.held -= done;
    memmove(s->held, s->held + done, s->counts.held * sizeof *s->held);
}

static bool report(struct hm_sink *s, uint64_t class, struct missing *m)
{
    struct hm_event e;
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_LOSS);
    hm_event_set_u64(&e, HM_F_ACTION, HM_ACTION_LOSS_JOURNAL);
    hm_event_set_u64(&e, HM_F_LOSS_CLASS, class);
    hm_event_set_u64(&e, HM_F_LOSS_COUNT, m->count);
    hm_event_set_u64(&e, HM_F_LOSS_FROM_NS, m->from_ns);
    hm_event_set_u64(&e, HM_F_LOSS_TO_NS, hm_clock_boot_ns());
    stamp(s, &e);
    if (put(s, HM_LANE_BULK, &e) < 0)
        return false;
    *m = (struct missing){0};
    return true;
}

static void catch_up(struct hm_sink *s)
{
    if (s->counts.held)
        retry_held(s);
    for (uint64_t c = 0; c < CLASSES; c++)
        if (s->missing[c].count && !report(s, c, &s->missing[c]))
            return;
    if (s->full && !s->counts.held) {
        s->full = false;
        hm_info("journal takes events again");
    }
}

int hm_sink_tick(struct hm_sink *s, uint32_t max_age_ms, bool *ret_all)
{
    set_clock(s);
    /* Batches first: what they free is room for the rest. */
    int before = hm_journal_tick(s->journal, hm_clock_mono_ns(), max_age_ms);
    catch_up(s);
    /* Again for what caught up; this one also tells of a batch that found no room in the first. */
    int after = hm_journal_tick(s->journal, hm_clock_mono_ns(), max_age_ms);
    *ret_all = before >= 0 && after >= 0 && !s->full;
    return (before > 0 ? before : 0) + (after > 0 ? after : 0);
}

bool hm_sink_alerted(struct hm_sink *s)
{
    bool a = s->alerted;
    s->alerted = false;
    return a;
}

struct hm_sink_counts hm_sink_counts(const struct hm_sink *s)
{
    return s->counts;
}
