/* The two forms of log records that are not lines: a netlink audit datagram, and the journal's
 * export stream. Parsers of foreign bytes; know nothing of where they come from. */
#pragma once
#include "base/buf.h"

/* One datagram of NETLINK_AUDIT → "type=NAME msg=audit(…): …" in buf; empty when it is malformed or
 * of a type that the agent knows better by itself (system calls, paths, arguments). */
struct hm_slice hm_audit_frame(struct hm_slice datagram, char *buf, size_t len);

/* https://systemd.io/JOURNAL_EXPORT_FORMATS: KEY=value lines, or KEY, a 64-bit length and bytes; an
 * empty line ends an entry. */
struct hm_journal_frame {
    struct hm_buf in; /* what is not whole yet */
    struct hm_buf program, message;
    bool has_message;
    uint64_t skip; /* bytes of a value that is not wanted, or too long */
};
void hm_journal_frame_done(struct hm_journal_frame *f);
/* Feed bytes in any pieces; each entry with a message is told as "program[…]: message" was. Returns
 * how many entries were cut because they were too long. */
size_t hm_journal_frame_add(struct hm_journal_frame *f, struct hm_slice bytes,
                            void (*line)(void *ctx, struct hm_slice program, struct hm_slice text),
                            void *ctx);
