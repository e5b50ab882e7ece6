/* Test support: texts that a pattern matches, and events of ours that a rule's condition asks for.
 * Owns the guessing; whether a guess was right is the matcher's to say. */
#pragma once
#include "detect/sigma/collection.h"
#include "detect/view/reading.h"

#define SAMPLE_BYTES 4096
struct sample { /* an event and the bytes that it borrows */
    struct hm_event e;
    char texts[64][SAMPLE_BYTES];
    size_t used;
    uint32_t seed;
    struct hm_buf lengths;
};
/* Fill an event of this action so that the condition may hold; another seed takes other branches
 * and other values. */
void sample_event(struct sample *s, const struct hm_sigma_entry *rule, const struct hm_names *names,
                  const struct hm_route *route, uint64_t action, uint32_t seed);
void sample_done(struct sample *s);
/* A text that the expression matches, for what rules use of PCRE. */
void sample_regex(const char *re, size_t len, char *out, size_t size);
