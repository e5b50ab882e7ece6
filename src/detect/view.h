/* How the matcher reads one event, whatever its form: our own (struct hm_event), the auditd view
 * derived from it, or a JSON record. Values are borrowed and live as long as the event. */
#pragma once
#include "base/slice.h"
#include <stdint.h>

enum hm_datum_kind {
    HM_DATUM_ABSENT,
    HM_DATUM_NULL, /* there, and null */
    HM_DATUM_TEXT,
    HM_DATUM_NUMBER, /* text is there too: as the source wrote it, or in decimal */
    HM_DATUM_IP,     /* text, and the 4 or 16 bytes in ip */
    HM_DATUM_LIST,   /* a rule matches a list when it matches any item */
};
struct hm_datum {
    enum hm_datum_kind kind;
    struct hm_slice text;
    int64_t number; /* NUMBER; a real has real = true and its value in text only */
    bool real;
    struct hm_slice ip; /* IP */
    size_t count;       /* LIST */
    const struct hm_datum *items;
};

#define HM_DATUM_BUF 768 /* room for values that have no text of their own, and for lists of 8 */
struct hm_view {
    /* The value of a field by its id in the rule set's names; small forms are written to buf. */
    void (*get)(const struct hm_view *v, uint32_t field, char buf[HM_DATUM_BUF],
                struct hm_datum *ret_d);
    /* Keywords: every text of the event; each() returns true to stop, which is then returned. */
    bool (*each_text)(const struct hm_view *v, bool (*each)(void *ctx, struct hm_slice text),
                      void *ctx);
    /* Bits over the field ids that may have a value (all that get() would not call absent), so that
     * a matcher need not ask for each field a rule names. NULL: not known, every field is asked. */
    const uint64_t *present;
    /* A run of bytes that holds every text of the event (and maybe more between them), in which
     * keywords are looked for at once before each text is. p == NULL: there is none. */
    struct hm_slice all_texts;
    bool all_is_text; /* all_texts is itself one of the texts: what is in another is in it, too */
};
