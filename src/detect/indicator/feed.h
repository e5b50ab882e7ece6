/* What every reader of feeds shares: the operator's defaults, places of entries, notes and counts.
 * Owns the way from "the feed says" to the builder; knows no format. */
#pragma once
#include "detect/indicator/json.h"
#include "detect/indicator/stage.h"

struct hm_feed {
    struct hm_intel_builder *b;
    const struct hm_intel_feed *how;
    struct hm_slice text; /* the whole feed */
    uint64_t now_s;
    hm_intel_note_fn *note;
    void *ctx;
    struct hm_intel_report *report;
    const uint8_t *at, *counted; /* the entry in hand; up to where lines were counted */
    uint32_t line;               /* of counted */
    char place[128];             /* JSON pointer of the entry in hand */
    struct hm_slice own_source; /* the feed's name for itself; used where the operator gives none */
    int error;                  /* sticky: memory ended */
};

void hm_feed_note(struct hm_feed *f, enum hm_intel_outcome o, enum hm_intel_reason why,
                  struct hm_slice value, struct hm_slice detail, uint32_t column);
/* What the feed and the operator leave open is filled in: source, label, confidence (0xff: not
 * given), TLP, end of validity. False: expired, noted already. */
bool hm_feed_complete(struct hm_feed *f, struct hm_indicator *in);
/* complete, add, count, note. */
void hm_feed_add(struct hm_feed *f, struct hm_indicator *in);
void hm_feed_join(struct hm_feed *f, struct hm_indicator *key, const struct hm_intel_term *terms,
                  size_t count);
/* A bare word whose kind shows. in: everything but kind and value. */
void hm_feed_guess(struct hm_feed *f, struct hm_slice word, struct hm_indicator *in);
#define HM_CONFIDENCE_OPEN 0xff

/* Readers. Negative: not this format at all, told in err. */
int hm_read_list(struct hm_feed *f, struct hm_error *err) HM_CHECK;
int hm_read_hashes(struct hm_feed *f, struct hm_error *err) HM_CHECK;
int hm_read_hosts(struct hm_feed *f, struct hm_error *err) HM_CHECK;
int hm_read_filenames(struct hm_feed *f, struct hm_error *err) HM_CHECK;
int hm_read_csv(struct hm_feed *f, struct hm_error *err) HM_CHECK;
int hm_read_stix(struct hm_feed *f, struct hm_error *err) HM_CHECK;
int hm_read_misp(struct hm_feed *f, struct hm_error *err) HM_CHECK;
