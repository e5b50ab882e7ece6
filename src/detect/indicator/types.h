/* Words by which feeds call kinds of values: MISP's attribute types and what CSV columns are named.
 * Composite types hold several values with "|" between. */
#pragma once
#include "detect/indicator/feed.h"

enum hm_intel_part {                      /* a kind of indicator, or: */
                     HM_PART_NONE = 0xff, /* no such part; first: known, but not looked up */
                     HM_PART_SKIP = 0xfe, /* a port, a key: says nothing alone */
};
struct hm_intel_type {
    const char *name;
    uint8_t parts[2];
    bool all; /* the value alone is not meant: both parts on one event (ip|port) */
};
const struct hm_intel_type *hm_intel_type_find(struct hm_slice name); /* NULL: unknown */
/* Adds what the type says the value holds; in: everything but kind and value. */
void hm_intel_type_add(struct hm_feed *f, const struct hm_intel_type *t, struct hm_slice value,
                       struct hm_indicator *in);
/* The same by name; unknown names are noted. */
void hm_intel_type_name_add(struct hm_feed *f, struct hm_slice name, struct hm_slice value,
                            struct hm_indicator *in);
