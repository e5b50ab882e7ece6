/* Text columns hold valid UTF-8, events hold what the kernel saw. Bytes that are no UTF-8 become
 * code points U+10FF00 + byte (plane 16, private use) and come back exactly: a row of the store can
 * be re-encoded and its proof checked. A file name that really holds such a code point is escaped
 * byte by byte, so that nothing is ambiguous. */
#pragma once
#include "base/buf.h"

bool hm_text_storable(struct hm_slice s); /* may be stored as it is */
void hm_text_store(struct hm_slice s, struct hm_buf *out);
void hm_text_restore(struct hm_slice stored, struct hm_buf *out);
