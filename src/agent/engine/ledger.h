/* What must outlive the engine's death, in one small mapped file beside the journal: the seq the
 * next event would have got, and which losses were reported. Seqs that were given but are not in
 * the journal are exactly the events a kill -9 took: the next engine says how many, instead of
 * leaving a silent gap. A crash of the machine may lose the file's last writes; then the journal's
 * own recovery speaks. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

#define HM_LEDGER_SOURCES 16 /* HM_PROG_COUNT of the sensor */
struct hm_ledger_page {
    uint64_t magic;
    uint64_t boot;
    uint64_t instance;        /* of the sensor whose counters `reported` speaks of */
    uint64_t epoch, next_seq; /* bulk lane: after the latest event that was put */
    uint64_t busy;            /* next_seq + 1 while a record is between ring and journal; 0 */
    uint64_t kept_ns;         /* boot clock of the latest moment when all was in the log */
    uint64_t
        reported[HM_LEDGER_SOURCES]; /* lost records of each program that are in a loss event */
};
struct hm_ledger {
    struct hm_ledger_page *page; /* NULL: own */
    struct hm_ledger_page own;   /* in memory, when there is no file (tests, a full disk) */
};
struct hm_ledger_past { /* what the engine before this one left */
    uint64_t epoch, next_seq, since_ns;
    bool busy, other_boot; /* other_boot: since_ns is of a boot that is over */
};
/* Map dir/ledger, made when it is not there or not ours. instance changes when the sensor was
 * loaded anew: its counters began at zero again. Errors: negative errno; *ret_l then works in
 * memory only. */
int hm_ledger_open(int dir_fd, uint64_t boot, uint64_t instance, struct hm_ledger *ret_l,
                   struct hm_ledger_past *ret_past) HM_CHECK;
void hm_ledger_close(struct hm_ledger *l);
struct hm_ledger_page *hm_ledger_page(struct hm_ledger *l);
/* Events that were made and are not in the journal, when its first new bulk event has this epoch
 * and seq. */
uint64_t hm_ledger_missing(const struct hm_ledger_past *p, uint64_t epoch, uint64_t first_seq);
