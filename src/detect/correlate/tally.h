/* What is known of a run of entries without walking it: how many, how many different, their exact
 * sum, or their order. Entries come and go one by one. Knows nothing of windows or time. */
#pragma once
#include "detect/correlate/window.h"

enum hm_tally_kind { HM_TALLY_COUNT, HM_TALLY_DISTINCT, HM_TALLY_SUM, HM_TALLY_ORDER };
struct hm_tally_slot {
    uint64_t hash, count; /* count 0: free */
};
struct hm_tally {
    enum hm_tally_kind kind;
    uint64_t n;                  /* events */
    struct hm_tally_slot *slots; /* DISTINCT: open addressing, no tombstones */
    size_t slot_cap, distinct;
    __int128 whole;   /* SUM: integers, exactly */
    long double part; /* SUM: the others; begun anew at 0 whenever none is left */
    uint64_t part_count;
    double *order; /* ORDER: ascending */
    size_t order_cap;
};

void hm_tally_done(struct hm_tally *t);
void hm_tally_clear(struct hm_tally *t); /* keeps the memory */
/* Bytes that `more` entries may add to the heap; 0: they fit. */
size_t hm_tally_growth(const struct hm_tally *t, size_t more);
size_t hm_tally_bytes(const struct hm_tally *t);
int hm_tally_reserve(struct hm_tally *t, size_t more) __attribute__((warn_unused_result));
void hm_tally_add(struct hm_tally *t, const struct hm_entry *e); /* room was made */
void hm_tally_remove(struct hm_tally *t, const struct hm_entry *e);
double hm_tally_sum(const struct hm_tally *t);
double hm_tally_percentile(const struct hm_tally *t, double p); /* linear between ranks */
uint64_t hm_tally_of(const struct hm_tally *t, uint64_t hash);  /* DISTINCT: entries of a value */
