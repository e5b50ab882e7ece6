/* See loss.h. */
#include "agent/engine/loss.h"
#include "agent/sensor/record.h"

_Static_assert(HM_LEDGER_SOURCES == HM_PROG_COUNT, "the ledger has a place for each program");
#define CLASSES 32

void hm_loss_init(struct hm_loss *l, struct hm_ledger *ledger, uint64_t now_ns)
{
    *l = (struct hm_loss){.ledger = ledger, .checked_ns = now_ns};
}

static bool put(struct hm_sink *sink, uint64_t action, uint64_t class, uint64_t count,
                uint64_t from_ns, uint64_t to_ns)
{
    struct hm_event e;
    hm_event_clear(&e);
    hm_event_set_u64(&e, HM_F_CLASS, HM_CLASS_LOSS);
    hm_event_set_u64(&e, HM_F_ACTION, action);
    hm_event_set_u64(&e, HM_F_LOSS_CLASS, class);
    hm_event_set_u64(&e, HM_F_LOSS_COUNT, count);
    hm_event_set_u64(&e, HM_F_LOSS_FROM_NS, from_ns);
    hm_event_set_u64(&e, HM_F_LOSS_TO_NS, to_ns);
    return hm_sink_put_loss(sink, &e);
}

/* Totals of one class over all programs that make it; marked as reported only once they are. */
static bool report_class(struct hm_loss *l, struct hm_sink *sink, uint64_t class,
                         const uint64_t *totals, uint64_t now_ns)
{
    struct hm_ledger_page *page = hm_ledger_page(l->ledger);
    uint64_t lost = 0;
    for (int p = 0; p < HM_PROG_COUNT; p++)
        if (hm_sensor_prog_class(p) == class && totals[p] > page->reported[p])
            lost += totals[p] - page->reported[p];
    if (!lost)
        return true;
    if (!put(sink, HM_ACTION_LOSS_SENSOR, class, lost, l->checked_ns, now_ns))
        return false;
    for (int p = 0; p < HM_PROG_COUNT; p++)
        if (hm_sensor_prog_class(p) == class && totals[p] > page->reported[p])
            page->reported[p] = totals[p];
    return true;
}

static bool report_sensor(struct hm_loss *l, struct hm_sink *sink,
                          const volatile struct hm_sensor_counter *counters, uint64_t now_ns)
{
    uint64_t totals[HM_PROG_COUNT];
    bool all = true;
    for (int p = 0; p < HM_PROG_COUNT; p++)
        totals[p] = __atomic_load_n(&counters[p].lost, __ATOMIC_RELAXED);
    for (uint64_t c = 0; c < CLASSES; c++)
        all &= report_class(l, sink, c, totals, now_ns);
    return all;
}

static bool report_own(struct hm_loss *l, struct hm_sink *sink, uint64_t *reported, uint64_t total,
                       uint64_t action, uint64_t class, uint64_t now_ns)
{
    if (total <= *reported)
        return true;
    if (!put(sink, action, class, total - *reported, l->checked_ns, now_ns))
        return false;
    *reported = total;
    return true;
}

void hm_loss_report(struct hm_loss *l, struct hm_sink *sink,
                    const volatile struct hm_sensor_counter *counters,
                    const struct hm_loss_own *own, uint64_t now_ns)
{
    bool all = !counters || report_sensor(l, sink, counters, now_ns);
    all &= report_own(l, sink, &l->overflows, own->overflows, HM_ACTION_LOSS_SENSOR, HM_CLASS_FILE,
                      now_ns);
    all &= report_own(l, sink, &l->files, own->files, HM_ACTION_LOSS_QUEUE, HM_CLASS_FILE, now_ns);
    all &= report_own(l, sink, &l->processes, own->processes, HM_ACTION_LOSS_QUEUE,
                      HM_CLASS_PROCESS, now_ns);
    all &=
        report_own(l, sink, &l->scans, own->scans, HM_ACTION_LOSS_QUEUE, HM_CLASS_FINDING, now_ns);
    all &= report_own(l, sink, &l->logs, own->logs, HM_ACTION_LOSS_QUEUE, HM_CLASS_FOREIGN, now_ns);
    all &= report_own(l, sink, &l->malformed, own->malformed, HM_ACTION_LOSS_QUEUE, 0, now_ns);
    if (all)
        l->checked_ns = now_ns;
}

void hm_loss_past(struct hm_sink *sink, uint64_t missing, const struct hm_ledger_past *past,
                  uint64_t now_ns)
{
    if (missing)
        put(sink, HM_ACTION_LOSS_QUEUE, 0, missing, past->other_boot ? 0 : past->since_ns, now_ns);
}
