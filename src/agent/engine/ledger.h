/* What must outlive the engine's death, in one small mapped file beside the journal: how many
 * records were taken from the kernel, how many are safe on disk, which losses were reported. With
 * it a kill -9 leaves a loss event that says how much is missing, instead of a silent gap.
 * A crash of the machine may lose its last writes; then the journal's own recovery speaks. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

#define HM_LEDGER_SOURCES 16 /* HM_PROG_COUNT of the sensor */
struct hm_ledger_page {
    uint64_t magic;
    uint64_t boot;
    uint64_t instance;    /* of the sensor whose counters `reported` speaks of */
    uint64_t taken, kept; /* records taken from the kernel; of those, in the journal */
    uint64_t kept_ns;     /* boot clock of the latest moment when both were equal */
    uint64_t
        reported[HM_LEDGER_SOURCES]; /* lost records of each program that are in a loss event */
};
struct hm_ledger_gap { /* what the engine before this one took and did not keep */
    uint64_t records, since_ns;
    bool other_boot; /* since_ns is of a boot that is over */
};
struct hm_ledger {
    struct hm_ledger_page *page;
    struct hm_ledger_page own; /* in memory, when there is no file (tests, a full disk) */
};
/* Map dir/ledger, made when it is not there or not ours. instance changes when the sensor was
 * loaded anew: its counters began at zero again. Errors: negative errno; *ret_l then works in
 * memory only. */
int hm_ledger_open(int dir_fd, uint64_t boot, uint64_t instance, struct hm_ledger *ret_l,
                   struct hm_ledger_gap *ret_gap) HM_CHECK;
void hm_ledger_close(struct hm_ledger *l);
