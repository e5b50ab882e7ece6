/* One read() of a fanotify descriptor (FAN_REPORT_DFID_NAME, optionally TARGET_FID and PIDFD) →
 * events. Owns the record layout and its lengths; refuses to know paths and processes. */
#pragma once
#include "base/cursor.h"

struct hm_fan_handle { /* what the kernel calls a directory or file; two equal ones are the same */
    struct hm_slice fsid;   /* 8 bytes */
    struct hm_slice handle; /* struct file_handle: length, type, bytes */
};
struct hm_fan_event {
    uint64_t mask; /* FAN_* */
    uint32_t pid;
    bool overflow; /* the queue was full: events before this one are missing */
    struct hm_fan_handle dir, new_dir, target; /* empty slices: not there */
    struct hm_slice name, new_name;            /* without the NUL */
    int fds[2];                                /* the caller's to close; -1 none */
};
/* 1 an event (slices point into the buffer), 0 the end, -EBADMSG lengths that do not fit. */
int hm_fan_next(struct hm_cursor *c, struct hm_fan_event *ret_e) HM_CHECK;
