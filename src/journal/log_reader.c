/* The log's reader: any number, any process, no lock. What stops it from seeing a torn record is
 * the frame's checksum and one rule: a bad frame is damage only when bytes or segments follow it,
 * and still bad when read again after that was seen. */
#include "journal/journal.h"
#include "journal/segment.h"
#include <errno.h>

struct hm_log_reader {
    struct hm_dir *dir;
    int fd; /* the segment, -1: none open */
    uint64_t segment, offset, number;
    bool lost; /* the rest of this segment cannot be read: wait for the next one */
    struct hm_buf record;
};

/* Takes d over, also on failure. */
static int reader_new(struct hm_dir *d, struct hm_log_reader **ret_r)
{
    struct hm_log_reader *r = calloc(1, sizeof *r);

    if (!r) {
        hm_dir_close(d);
        return -ENOMEM;
    }
    *r = (struct hm_log_reader){.dir = d, .fd = -1, .record = HM_BUF(HM_LOG_RECORD_MAX_BYTES)};
    *ret_r = r;
    return 0;
}

int hm_log_reader_open(const char *dir, struct hm_log_reader **ret_r, struct hm_error *err)
{
    struct hm_dir *d = NULL;
    int e = hm_dir_open(dir, false, &d);

    if (e == 0)
        e = reader_new(d, ret_r);
    return e < 0 ? hm_fail(err, e, "cannot open log %s", dir) : 0;
}

int hm_log_reader_open_at(int dir_fd, struct hm_log_reader **ret_r)
{
    struct hm_dir *d = NULL;
    int e = hm_dir_from_fd(dir_fd, &d);

    return e < 0 ? e : reader_new(d, ret_r);
}

void hm_log_reader_close(struct hm_log_reader *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    hm_dir_close(r->dir);
    hm_buf_done(&r->record);
    free(r);
}

static int enter(struct hm_log_reader *r, uint64_t segment)
{
    char name[HM_SEGMENT_NAME_BYTES];

    hm_segment_name(segment, false, name);
    int fd = hm_dir_file(r->dir, name, HM_OPEN_READ);
    if (fd < 0)
        return fd;
    if (r->fd >= 0)
        close(r->fd);
    r->fd = fd;
    r->segment = r->number = segment;
    r->offset = 0;
    r->lost = false;
    return 0;
}

/* --- seek ------------------------------------------------------------------------------------ */

/* Walk the frames of the open segment to `number` by their lengths. */
static int walk(struct hm_log_reader *r, uint64_t number, bool more_segments)
{
    uint64_t bytes = 0;
    int f = HM_FRAME_OK;

    while (r->number < number && (f = hm_frame_skip(r->fd, r->offset, &bytes)) == HM_FRAME_OK) {
        int64_t size = hm_file_size(r->fd);
        if (size < 0)
            return (int)size;
        if (r->offset + bytes > (uint64_t)size)
            break;
        r->offset += bytes;
        r->number++;
    }
    if (f < 0)
        return f;
    if (r->number < number && more_segments)
        r->number = number; /* it was here and is lost: the next call says so */
    return 0;
}

/* 1: stands at number or where it was; 0: stands at the first; -EAGAIN: deleted meanwhile. */
static int seek_once(struct hm_log_reader *r, uint64_t number)
{
    struct hm_segments s = {0};
    int e = hm_segments_list(r->dir, false, &s);
    size_t i = s.n;

    if (e < 0)
        return e;
    while (i > 0 && s.v[i - 1].first > number)
        i--;
    if (s.n == 0) {
        e = number == 0;
    } else {
        e = enter(r, s.v[i ? i - 1 : 0].first);
        e = e == -ENOENT ? -EAGAIN : e;
    }
    if (e == 0 && i > 0) {
        e = walk(r, number, i < s.n);
        e = e < 0 ? e : 1;
    }
    hm_segments_done(&s);
    return e;
}

int hm_log_reader_seek(struct hm_log_reader *r, uint64_t number)
{
    int e = -EAGAIN;

    for (int tries = 0; e == -EAGAIN && tries < 8; tries++)
        e = seek_once(r, number);
    return e < 0 ? e : e == 0 ? -ENOENT : 0;
}

/* --- next ------------------------------------------------------------------------------------ */

static int deliver(struct hm_log_reader *r, uint64_t bytes, uint64_t *ret_number,
                   struct hm_slice *ret_record)
{
    *ret_number = r->number++;
    *ret_record = hm_buf_slice(&r->record);
    r->offset += bytes;
    return 1;
}

/* The segment after this one, if there is any. `here` is false when our own file was deleted. */
static int successor(struct hm_log_reader *r, uint64_t *ret_first, bool *ret_here)
{
    struct hm_segments s = {0};
    int found = 0, e = hm_segments_list(r->dir, false, &s);

    *ret_here = false;
    for (size_t i = 0; e == 0 && i < s.n; i++) {
        *ret_here |= r->fd >= 0 && s.v[i].first == r->segment;
        if (!found && (r->fd < 0 || s.v[i].first > r->segment)) {
            *ret_first = s.v[i].first;
            found = 1;
        }
    }
    hm_segments_done(&s);
    return e < 0 ? e : found;
}

/* Nothing more here. Go to the next segment: 1 entered, 0 there is none, -EBADMSG a gap (entered),
 * -ENOENT records were deleted before they were read (entered). */
static int advance(struct hm_log_reader *r)
{
    uint64_t first = 0, expected = r->number;
    bool here, had = r->fd >= 0, lost = r->lost;
    int e = successor(r, &first, &here);

    if (e <= 0)
        return e;
    e = enter(r, first);
    if (e == -ENOENT)
        return 0; /* deleted between the listing and now: the next call sees what is left */
    if (e < 0)
        return e;
    if (!had || first == expected || lost) /* fresh: from the oldest on; lost: told already */
        return 1;
    return here ? -EBADMSG : -ENOENT;
}

/* A bad frame with bytes behind it. Skip it alone when a good frame follows where its length says,
 * else the rest of the segment. */
static int damaged(struct hm_log_reader *r, int frame, uint64_t bytes)
{
    uint64_t after = 0;

    if (frame == HM_FRAME_CHECKSUM &&
        hm_frame_read(r->fd, r->offset + bytes, &r->record, &after) == HM_FRAME_OK) {
        r->offset += bytes;
        r->number++;
    } else {
        r->lost = true;
    }
    return -EBADMSG;
}

/* Is there anything behind the frame we could not read? */
static int is_followed(struct hm_log_reader *r, int frame, uint64_t bytes)
{
    uint64_t first;
    bool here;
    int64_t size = hm_file_size(r->fd);

    if (size < 0)
        return (int)size;
    if (frame == HM_FRAME_CHECKSUM && (uint64_t)size > r->offset + bytes)
        return 1;
    /* our writer never makes such a head, not even half way */
    if ((frame == HM_FRAME_ZERO || frame == HM_FRAME_LENGTH) &&
        (uint64_t)size > r->offset + HM_FRAME_HEAD_BYTES)
        return 1;
    return successor(r, &first, &here);
}

/* 1 delivered, 0 nothing there (go on to the next segment), -EAGAIN unfinished: the present end. */
static int next_here(struct hm_log_reader *r, uint64_t *ret_number, struct hm_slice *ret_record)
{
    uint64_t bytes = 0;
    int f = hm_frame_read(r->fd, r->offset, &r->record, &bytes);

    if (f < 0)
        return f;
    if (f == HM_FRAME_OK)
        return deliver(r, bytes, ret_number, ret_record);
    int followed = is_followed(r, f, bytes);
    if (followed < 0)
        return followed;
    if (!followed)
        return -EAGAIN;
    /* what follows was written after this frame was finished: now it must be whole */
    f = hm_frame_read(r->fd, r->offset, &r->record, &bytes);
    if (f < 0)
        return f;
    if (f == HM_FRAME_OK)
        return deliver(r, bytes, ret_number, ret_record);
    return f == HM_FRAME_END ? 0 : damaged(r, f, bytes);
}

int hm_log_reader_next(struct hm_log_reader *r, uint64_t *ret_number, struct hm_slice *ret_record)
{
    for (;;) {
        if (r->fd >= 0 && !r->lost) {
            int e = next_here(r, ret_number, ret_record);
            if (e == -EAGAIN)
                return 0;
            if (e != 0)
                return e;
        }
        int e = advance(r);
        if (e != 1)
            return e;
    }
}
