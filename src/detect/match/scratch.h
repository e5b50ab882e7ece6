/* What one thread needs to match: the bits of the event at hand, the results of values seen before,
 * and what rules cost. Private to this folder. */
#pragma once
#include "detect/match/match.h"
#include "detect/match/program.h"

struct hm_cost {
    uint64_t evaluations, matches, ticks;
};
struct hm_cache_slot {
    uint64_t hash, at; /* at: position since the beginning of time, in the ring; 0: free */
};
struct hm_cache { /* values → tests; a ring that forgets the oldest */
    struct hm_cache_slot *slots;
    uint8_t *ring;
    uint64_t head, seed[2];
    size_t slot_mask, ring_bytes;
};
struct hm_scratch {
    const struct hm_program *p;
    const struct hm_view *view; /* of the event at hand */
    uint64_t *tests, *rules;    /* bits */
    uint64_t *allowed, *wanted; /* rules and fields of several sources together */
    uint64_t *known, *value;    /* bits of lazy tests worked out, and what they are */
    uint32_t *entry_seen, *test_seen, stamp;
    uint32_t *found; /* tests of the value at hand */
    size_t found_count, test_words, rule_words, lazy_words;
    uint8_t *folded; /* of the value at hand; eight bytes before and 64 after are readable */
    size_t folded_room;
    uint32_t *hits;
    size_t hit_count;
    struct hm_cache cache;
    struct hm_cost *costs;
    struct hm_regex_room *regex;
    struct hm_scratch_stats stats;
    bool failed; /* memory ended while growing: counted as no match, said in stats */
};

/* --- scan.c: s->found = the tests that the value sets. -------------------------------------- */
void hm_scan_value(struct hm_scratch *s, const struct hm_prog_field *f, struct hm_slice text,
                   bool number);
/* Can a value within the text set a test of the field? true: perhaps. Changes s->found. */
bool hm_scan_may(struct hm_scratch *s, const struct hm_prog_field *f, struct hm_slice text);
void hm_scan_ip(struct hm_scratch *s, const struct hm_prog_field *f, struct hm_slice ip);
bool hm_scan_room(struct hm_scratch *s, size_t len);

/* --- cache.c --------------------------------------------------------------------------------- */
int hm_cache_init(struct hm_cache *c, size_t bytes) HM_CHECK;
void hm_cache_done(struct hm_cache *c);
uint64_t hm_cache_hash(const struct hm_cache *c, uint32_t field, struct hm_slice text);
/* The tests that were found for this value, or NULL. */
const uint32_t *hm_cache_get(const struct hm_cache *c, uint64_t hash, uint32_t field,
                             struct hm_slice text, size_t *ret_count);
void hm_cache_put(struct hm_cache *c, uint64_t hash, uint32_t field, struct hm_slice text,
                  const uint32_t *tests, size_t count);

/* --- lazy.c ---------------------------------------------------------------------------------- */
bool hm_lazy_test(struct hm_scratch *s, uint32_t lazy);

/* --- regex_room.c ---------------------------------------------------------------------------- */
struct hm_regex_room *hm_regex_room_new(void);
void hm_regex_room_free(struct hm_regex_room *m);
bool hm_regex_match(struct hm_scratch *s, uint32_t lazy, struct hm_slice text);

/* --- number.c: a text as a number, or as a part of a time ------------------------------------ */
struct hm_number {
    bool real;
    int64_t i;
    double d;
};
bool hm_number_of(const struct hm_datum *d, struct hm_number *ret_n);
/* 1601..9999, UTC. false: no time. */
bool hm_time_part(const struct hm_datum *d, unsigned part, int64_t *ret_v);
