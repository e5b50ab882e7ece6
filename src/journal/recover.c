/* Recovery: keep the valid prefix of the last segment, set what follows aside, never lose it and
 * never let it stop the log. Earlier segments were synced before their successor was made. */
#include "journal/recover.h"
#include <errno.h>
#include <stdio.h>

#define COPY_BYTES 16384u

struct tail {
    uint64_t offset, bytes, records;
    int frame; /* why the prefix ends: an enum hm_frame */
};

static int find_tail(int fd, struct hm_buf *buf, struct tail *t)
{
    uint64_t bytes = 0;
    int64_t size = hm_file_size(fd);

    if (size < 0)
        return (int)size;
    while ((t->frame = hm_frame_read(fd, t->offset, buf, &bytes)) == HM_FRAME_OK) {
        t->offset += bytes;
        t->records++;
    }
    if (t->frame < 0)
        return t->frame;
    t->bytes = (uint64_t)size - t->offset;
    return 0;
}

/* Copies [from, end) of fd to name; answers whether all of it is zero. */
static int copy_tail(int fd, uint64_t from, int to, bool *ret_zero)
{
    uint8_t chunk[COPY_BYTES];
    ssize_t n;
    int r = 0;

    *ret_zero = true;
    for (uint64_t at = 0;
         r == 0 && (n = hm_file_read_at(fd, chunk, sizeof chunk, from + at)) != 0;) {
        if (n < 0)
            return (int)n;
        for (ssize_t i = 0; i < n && *ret_zero; i++)
            *ret_zero = chunk[i] == 0;
        r = hm_file_write_at(to, hm_slice(chunk, (size_t)n), at);
        at += (uint64_t)n;
    }
    return r;
}

static int set_aside(const struct hm_dir *d, int fd, uint64_t from, const char *name,
                     bool *ret_zero)
{
    hm_autoclose int to = hm_dir_file(d, name, HM_OPEN_REPLACE);

    if (to < 0)
        return to;
    int r = copy_tail(fd, from, to, ret_zero);
    return r < 0 ? r : hm_file_sync(to);
}

/* Tails are kept for people; the oldest give way. */
static int prune_damaged(const struct hm_dir *d)
{
    struct hm_segments s = {0};
    char name[HM_SEGMENT_NAME_BYTES];
    int r = hm_segments_list(d, true, &s);

    for (size_t i = 0; r == 0 && i + HM_LOG_DAMAGED_MAX < s.n; i++) {
        hm_segment_name(s.v[i].first, true, name);
        r = hm_dir_remove(d, name);
    }
    hm_segments_done(&s);
    return r;
}

static const char *reason_of(const struct tail *t, bool all_zero)
{
    if (all_zero)
        return "zeroed tail";
    return t->frame == HM_FRAME_SHORT ? "torn tail" : "checksum";
}

/* A torn frame was one unfinished append that nobody ever read: its number is free. Behind any
 * other damage there may have been records that readers saw, so their numbers are never given
 * again: skip as many as could have fitted. */
static uint64_t lost_at_most(const struct tail *t, bool all_zero)
{
    if (t->frame == HM_FRAME_SHORT && !all_zero)
        return 0;
    return t->bytes / (HM_FRAME_HEAD_BYTES + 1) + 1;
}

static int repair(const struct hm_dir *d, int fd, uint64_t first, const struct tail *t,
                  bool *ret_zero)
{
    char name[HM_SEGMENT_NAME_BYTES];

    hm_segment_name(first, true, name);
    int r = set_aside(d, fd, t->offset, name, ret_zero);
    if (r == -ENOSPC) /* a full disk must not keep the log shut: the tail is given up */
        r = hm_dir_remove(d, name);
    if (r == 0)
        r = hm_file_truncate(fd, t->offset);
    if (r == 0)
        r = hm_file_sync(fd);
    if (r == 0)
        r = prune_damaged(d);
    return r < 0 ? r : hm_dir_sync(d);
}

int hm_log_recover(const struct hm_dir *d, int fd, uint64_t first, struct hm_recovered *ret_r,
                   struct hm_log_damage *ret_damage, struct hm_error *err)
{
    struct hm_buf buf = HM_BUF(HM_LOG_RECORD_MAX_BYTES);
    struct tail t = {0};
    bool zero = false;
    int r = find_tail(fd, &buf, &t);

    hm_buf_done(&buf);
    if (r == 0 && t.bytes)
        r = repair(d, fd, first, &t, &zero);
    if (r < 0)
        return hm_fail(err, r, "cannot recover segment %016llx", (unsigned long long)first);
    uint64_t lost = t.bytes ? lost_at_most(&t, zero) : 0;
    if (t.bytes) {
        *ret_damage = (struct hm_log_damage){.first_record = first + t.records, .bytes = t.bytes};
        snprintf(ret_damage->reason, sizeof ret_damage->reason, "%s", reason_of(&t, zero));
    }
    *ret_r = (struct hm_recovered){t.offset, first + t.records + lost, lost != 0};
    return 0;
}
