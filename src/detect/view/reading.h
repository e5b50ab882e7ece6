/* Our own events as rules read them. One event gives one reading as itself, none to several as
 * audit records, one as a log line. Bindings (field id → where its value is) are made once a rule
 * set; reading compares no names and allocates nothing.
 *
 *   struct hm_reading r[HM_READINGS_MAX];
 *   size_t n = hm_readings(b, HM_VIEW_AUDITD, event, r);
 *   for (i < n) match the rules routed to (view, action) on &r[i].view;
 *   a rule fires once an event, however many of its readings match. */
#pragma once
#include "base/error.h"
#include "detect/ast.h"
#include "detect/logsource.h"
#include "detect/view.h"
#include "detect/view/args.h"
#include "event/event.h"

struct hm_bindings;
/* Owns:    *ret_b is the caller's, hm_bindings_free(); it keeps nothing of names, which may grow
 *          afterwards (ids that came later read as absent).
 * Errors:  -ENOMEM. Threads: read-only once made. */
int hm_bindings_new(const struct hm_names *names, struct hm_bindings **ret_b) HM_CHECK;
void hm_bindings_free(struct hm_bindings *b);
/* The ids that a view of this kind can have a value for, ascending: what is worth scanning. */
const uint32_t *hm_bindings_bound(const struct hm_bindings *b, enum hm_view_kind kind,
                                  size_t *ret_count);

#define HM_READINGS_MAX 8
struct hm_reading {
    struct hm_view view; /* first: get() and each_text() find the rest by it */
    const struct hm_bindings *bindings;
    const struct hm_event *event;
    uint32_t record;      /* AUDITD: which record of auditd.def */
    uint32_t logs;        /* LOG: whose line it is, HM_LOG_* */
    struct hm_slice text; /* LOG, and audit records that came as text; AUDITD: an alias's prefix */
    struct hm_args args;  /* AUDITD: how far the arguments were split; get() goes on from there */
};
/* Every reading of the event by this kind of view; they borrow from b and e.
 * Returns how many. Threads: reentrant; a reading belongs to one thread. */
size_t hm_readings(const struct hm_bindings *b, enum hm_view_kind kind, const struct hm_event *e,
                   struct hm_reading ret_r[HM_READINGS_MAX]);

/* The number behind a word that rules may write for it ("socket", "tcp"); flags: words with blanks
 * between. false: no word of this field. */
bool hm_words_number(enum hm_field f, struct hm_slice word, uint64_t *ret_value);
