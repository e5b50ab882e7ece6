/* Lines of other programs' logs: files that monitor opened, the kernel's audit multicast, the
 * journal in its export form. Owns tailing, framing and ceilings; knows no event. What it reads was
 * written by anybody: everything is bounded, and what does not fit is counted. */
#pragma once
#include "base/error.h"
#include "base/slice.h"

enum hm_log_kind {
    HM_LOG_KIND_FILE,    /* a regular file, read at an offset of our own */
    HM_LOG_KIND_AUDIT,   /* a NETLINK_AUDIT socket, one record a datagram */
    HM_LOG_KIND_JOURNAL, /* a pipe with `journalctl -o export` */
    HM_LOG_KINDS
};
struct hm_log_line {        /* borrowed for the call */
    struct hm_slice source; /* path, "audit", "journal" */
    struct hm_slice program, text;
};
struct hm_logs_counts {
    uint64_t lines, lost, cut; /* lost: over the rate, or never given to us; cut: too long */
    size_t sources;
};
struct hm_logs;
/* NULL: out of memory. */
struct hm_logs *hm_logs_new(void (*line)(void *ctx, const struct hm_log_line *l), void *ctx);
void hm_logs_free(struct hm_logs *l);
/* Takes fd. A file with the path of one that is read already replaces it, after its rest was read:
 * that is a rotation. from_start: else only what comes from now on.
 * Errors: -ENOSPC too many, -ENOMEM, -EINVAL; fd is closed then as well. */
int hm_logs_add(struct hm_logs *l, enum hm_log_kind kind, int fd, struct hm_slice path,
                bool from_start) HM_CHECK;
/* Read what is there, at most the ceilings of limits.h. Call it a few times a second. */
void hm_logs_read(struct hm_logs *l);
struct hm_logs_counts hm_logs_counts(const struct hm_logs *l);
