/* A JSON object on one line as an event that rules can read: values by field id, nested objects as
 * dotted names, arrays as lists. Foreign input: checked in full (RFC 8259, UTF-8), bounded, and
 * read in one pass. Knows no rules, only the names that they use.
 *
 * A name that comes twice: the last one counts, as most peers do it. Objects within arrays: their
 * values are gathered in one list ({"a":[{"b":1},{"b":2}]} is a.b = [1, 2]). An object itself has
 * no value. true and false are text. A real number keeps its text and is compared as a number. */
#pragma once
#include "base/error.h"
#include "detect/ast.h"
#include "detect/view.h"

struct hm_record;
/* Names that come to the table later are not seen. NULL: out of memory. */
struct hm_record *hm_record_new(const struct hm_names *names);
void hm_record_free(struct hm_record *r);
/* Read one line. The record borrows from it until the next call; on failure the record is empty.
 * Errors: -EBADMSG with the column (in bytes) and why; -E2BIG past a ceiling; -ENOMEM.
 * Allocates nothing once it has seen its largest line. */
int hm_record_parse(struct hm_record *r, struct hm_slice line, struct hm_error *err) HM_CHECK;
/* Let field `name` have the value of `real` too, until the next line. */
void hm_record_alias(struct hm_record *r, uint32_t name, uint32_t real);
const struct hm_view *hm_record_view(const struct hm_record *r);
