/* The groups of one correlation: a hash table with an order of use and a budget in bytes. Full
 * means the group that was silent longest goes, counted. Knows nothing of conditions. */
#pragma once
#include "detect/correlate/key.h"
#include "detect/correlate/tally.h"

struct hm_cgroup {
    struct hm_cgroup *next;          /* same bucket, or the next spare */
    struct hm_cgroup *older, *newer; /* order of use */
    uint64_t hash;
    uint8_t *key;
    size_t key_len, key_cap;
    struct hm_window w;
    struct hm_tally t;      /* of the entries from w.live on */
    uint64_t *last;         /* temporal: per rule, latest time + 1; ordered: latest start + 1 */
    uint64_t newest;        /* time of the newest entry */
    uint64_t stamp;         /* event that touched it last: not evicted within that event */
    uint64_t told_ms;       /* when the last hit that was no repetition came */
    uint64_t partial_until; /* until then the window lacks entries that were dropped */
    unsigned late_run;      /* too-late events in a row */
    bool begun, told;
};
struct hm_cgroups {
    struct hm_cgroup **buckets, *oldest, *newest, *spare;
    size_t bucket_count, count, max, bytes, bytes_max, ref_count;
    enum hm_tally_kind kind;
    uint64_t span;
    uint64_t evicted; /* with an open window */
};

void hm_cgroups_done(struct hm_cgroups *g);
/* The group of a key, made when new and then empty. NULL: no memory, or all are in use by this
 * very event. now: the event's time, to tell an idle group's end from a loss. */
struct hm_cgroup *hm_cgroups_get(struct hm_cgroups *g, const uint64_t secret[2],
                                 const struct hm_key *key, uint64_t stamp, uint64_t now);
/* Make the heap may grow by `bytes` for the group: others are evicted for it. false: impossible. */
bool hm_cgroups_afford(struct hm_cgroups *g, size_t bytes, uint64_t stamp, uint64_t now);
void hm_cgroup_clear(struct hm_cgroup *p, size_t ref_count); /* keeps memory and key */
