/* Segment files and frames: what the log's writer, recovery and reader share. Private to journal.
 */
#pragma once
#include "base/buf.h"
#include "base/os.h"
#include "journal/limits.h"

#define HM_FRAME_HEAD_BYTES   8
#define HM_SEGMENT_NAME_BYTES 40

struct hm_segment {
    uint64_t first; /* number of its first record, also its name */
    uint64_t bytes; /* kept by the writer only */
};
struct hm_segments {
    struct hm_segment *v; /* ascending */
    size_t n;
};
/* suffix: "seg" or "damaged" ("%016llx.seg.damaged" is written by recovery). */
void hm_segment_name(uint64_t first, bool damaged, char buf[HM_SEGMENT_NAME_BYTES]);
int hm_segments_list(const struct hm_dir *d, bool damaged, struct hm_segments *ret_s) HM_CHECK;
void hm_segments_done(struct hm_segments *s);
int hm_segments_append(struct hm_segments *s, struct hm_segment add) HM_CHECK;

enum hm_frame {
    HM_FRAME_OK,
    HM_FRAME_END,      /* not a byte more */
    HM_FRAME_SHORT,    /* the file ends inside the frame */
    HM_FRAME_ZERO,     /* length 0 */
    HM_FRAME_LENGTH,   /* length over the ceiling */
    HM_FRAME_CHECKSUM, /* *ret_bytes is what the length says */
};
/* Read the frame at offset; payload in buf. Returns an enum hm_frame or a negative errno.
 * ret_bytes: the whole frame's size where the length can be read. */
int hm_frame_read(int fd, uint64_t offset, struct hm_buf *buf, uint64_t *ret_bytes) HM_CHECK;
/* The frame's size alone, from its length; the payload stays unread. */
int hm_frame_skip(int fd, uint64_t offset, uint64_t *ret_bytes) HM_CHECK;
/* Append the frame of payload to buf. */
void hm_frame_put(struct hm_buf *buf, struct hm_slice payload);
