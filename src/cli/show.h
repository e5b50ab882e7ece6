/* How things look in a terminal: columns that fit Japanese, and text of any origin made harmless
 * and visible. Owns width and escaping; refuses to know what is shown. */
#pragma once
#include "base/buf.h"
#include "base/text.h"

/* Append s with control, bidi and invisible characters written as \u{XXXX}, bad UTF-8 as \xNN. */
void hm_show_text(const char *s, struct hm_buf *out);
/* Append a JSON string (quotes included) with characters that cannot be seen or turn the writing
 * direction as \uXXXX: the same value, harmless in a terminal. */
void hm_show_json_string(struct hm_slice s, struct hm_buf *out);
/* Columns it takes on a terminal (after hm_show_text()). */
size_t hm_show_width(const char *s, size_t len);
/* "2026-11-21T22:00:00.123Z" as local time "2026-11-21 22:00:00"; "" and null as "-". */
void hm_show_time(const char *rfc3339, char *ret, size_t len);

#define HM_COLUMNS_MAX 10
struct hm_table;
/* Headers: n of them. NULL: out of memory. */
struct hm_table *hm_table_new(const struct hm_text *headers, size_t n, enum hm_lang lang);
/* The next cell of the present row; rows fill themselves. */
void hm_table_cell(struct hm_table *t, const char *text);
void hm_table_cellf(struct hm_table *t, const char *format, ...) HM_PRINTF(2, 3);
/* Write and free; the last column is cut to width when width is not 0. */
void hm_table_print(struct hm_table *t, size_t width, struct hm_buf *out);
size_t hm_terminal_width(void); /* 0: stdout is no terminal */
