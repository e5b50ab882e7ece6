/* The inside of the STIX reader, shared by stix.c (bundles) and stix_ways.c (patterns). */
#pragma once
#include "detect/indicator/feed.h"
#include "detect/indicator/stix_pattern.h"

struct hm_stix_named { /* an object that others refer to; slices of the feed */
    struct hm_slice id, name;
    enum hm_tlp tlp;
};
struct hm_stix {
    struct hm_feed *f;
    struct hm_stix_pattern pattern;
    struct hm_buf text, value, label;
    struct hm_list named;
    uint64_t index; /* of the object in hand */
};

/* One way to fulfil the pattern in hand: an indicator, or several values joined by AND, or a note
 * why not. common: everything but kind and value. */
void hm_stix_add_way(struct hm_stix *s, const struct hm_stix_way *w,
                     const struct hm_indicator *common);
