/* Lines of a file, standard input or a .zst of either, one after the other in bounded memory.
 * Knows nothing of what stands in them. */
#pragma once
#include "base/error.h"
#include "base/slice.h"

#define HM_LINE_MAX (16u << 20) /* an event of a forwarder with a script inside is 64 KiB */

struct hm_lines;
/* path "-": standard input. Compressed input is known by its first bytes, not by its name.
 * Errors: negative errno of open; -ENOMEM. */
int hm_lines_open(const char *path, struct hm_lines **ret_l) HM_CHECK;
void hm_lines_free(struct hm_lines *l);
/* The next line without its end (LF or CRLF; the last may have none) and without a byte order mark
 * at the beginning; valid until the next call. 1; 0 at the end; -EMSGSIZE: this line is over the
 * limit and was skipped, go on; -EBADMSG: the compressed stream is cut or damaged; other negative
 * errno of read. */
int hm_lines_next(struct hm_lines *l, struct hm_slice *ret_line) HM_CHECK;
/* True when the next line may have to be waited for: write out what you have. */
bool hm_lines_waits(const struct hm_lines *l);
