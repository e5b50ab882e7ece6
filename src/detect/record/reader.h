/* Private to this folder: a record and its reader. */
#pragma once
#include "detect/record/record.h"

struct hm_value_node { /* a value, and the next one of the same field (lists) */
    struct hm_datum datum;
    uint32_t next;
};
struct hm_field_slot {
    uint32_t stamp;       /* of the line that set it */
    uint32_t array;       /* the outermost array that it was set in; 0: in none */
    uint32_t first, last; /* nodes; HM_NAME_NONE: an empty list */
    uint32_t count;
    struct hm_datum list; /* LIST: made at the end of the line */
};
struct hm_key_slot {
    uint64_t hash;
    uint32_t id, len; /* len 0: free */
    const char *text;
};

struct hm_record {
    struct hm_view view;
    uint64_t *present;
    struct hm_field_slot *fields;
    struct hm_key_slot *keys;
    char *key_texts;
    size_t name_count, key_mask;
    struct hm_value_node *nodes;
    struct hm_datum *items; /* of lists, contiguous */
    struct hm_slice *texts; /* for keywords */
    uint32_t *lists;        /* fields that are lists */
    size_t node_count, node_cap, item_count, item_cap, text_count, text_cap, list_count, list_cap;
    uint8_t *decoded; /* strings that had escapes, and dotted names */
    size_t decoded_len, decoded_cap;
    char *path;
    uint32_t stamp, arrays;
};

/* --- text.c ---------------------------------------------------------------------------------- */
/* From p (after the quote) to the next byte that is a quote, a backslash or below 0x20, or end.
 * *ret_high: a byte above 0x7f was on the way. */
const uint8_t *hm_text_plain(const uint8_t *p, const uint8_t *end, bool *ret_high);
bool hm_text_utf8(const uint8_t *p, size_t len);
/* Decode the inside of a string; out has room for len bytes. SIZE_MAX: malformed. */
size_t hm_text_unescape(const uint8_t *p, size_t len, uint8_t *out);

/* --- record.c -------------------------------------------------------------------------------- */
/* The field of a name, or HM_NAME_NONE. */
uint32_t hm_record_field(const struct hm_record *r, struct hm_slice name);
/* d may be NULL: an empty array. array: 0 outside of arrays. */
int hm_record_put(struct hm_record *r, uint32_t field, const struct hm_datum *d,
                  uint32_t array) HM_CHECK;
int hm_record_text(struct hm_record *r, struct hm_slice text) HM_CHECK;
