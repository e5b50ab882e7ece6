/* Loss is data: running totals become loss events, each with its class and the interval in which it
 * happened. Owns what was already reported; refuses to know why something was lost. */
#pragma once
#include "agent/engine/ledger.h"
#include "agent/engine/sink.h"

struct hm_loss {
    struct hm_ledger *ledger;
    uint64_t checked_ns; /* everything up to here is in a report */
    uint64_t overflows, files, processes, malformed, scans,
        logs; /* totals of our own that were reported */
};
struct hm_loss_own {    /* our own running totals since the start */
    uint64_t overflows; /* fanotify queue overran: at least one event each */
    uint64_t files;     /* file events without room or without a path */
    uint64_t processes; /* living processes evicted from the table */
    uint64_t logs;      /* lines of other programs' logs over the rate */
    uint64_t malformed; /* records and events that could not be read */
    uint64_t scans;     /* files and processes that were not scanned for want of room */
};
struct hm_sensor_counter;

void hm_loss_init(struct hm_loss *l, struct hm_ledger *ledger, uint64_t now_ns);
/* Put one loss event for each class that lost something since the last call. What had no room in
 * the journal is reported by a later call. counters: HM_PROG_COUNT entries, NULL none. */
void hm_loss_report(struct hm_loss *l, struct hm_sink *sink,
                    const volatile struct hm_sensor_counter *counters,
                    const struct hm_loss_own *own, uint64_t now_ns);
/* Put the loss event of what an engine before this one took from the kernel and did not keep. */
void hm_loss_past(struct hm_sink *sink, uint64_t missing, const struct hm_ledger_past *past,
                  uint64_t now_ns);
