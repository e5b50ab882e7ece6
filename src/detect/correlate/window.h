/* The entries of one group, sorted by (time, arrival): a growing array with a gap at its head, so
 * that the usual case (append, drop the oldest) moves nothing. Knows nothing of what is counted. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hm_entry {
    uint64_t time, token;
    union {
        uint64_t mask; /* temporal: refs that the event hit */
        uint64_t hash; /* value_count, share: of the value */
        double number; /* sum, average, percentile */
    };
    uint64_t weight; /* events in this entry (sums coalesce when full) */
};
struct hm_window {
    struct hm_entry *all; /* [head, head + count) is in use */
    size_t head, count, cap;
    size_t live; /* entries before it (relative to head) are older than the newest - timespan */
};

static inline struct hm_entry *hm_window_at(const struct hm_window *w, size_t i)
{
    return w->all + w->head + i;
}
void hm_window_done(struct hm_window *w);
/* Bytes that holding `more` entries would add to the heap; 0: they fit. */
size_t hm_window_growth(const struct hm_window *w, size_t more);
/* Make room for them. Errors: -ENOMEM. */
int hm_window_reserve(struct hm_window *w, size_t more) __attribute__((warn_unused_result));
/* Behind all entries of the same or an earlier time; room was made. Returns its index; does not
 * touch live. */
size_t hm_window_insert(struct hm_window *w, const struct hm_entry *e);
void hm_window_drop(struct hm_window *w, size_t n); /* the n oldest; live follows */
/* Index of the first entry with time >= t. */
size_t hm_window_lower(const struct hm_window *w, uint64_t t);
