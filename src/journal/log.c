/* The log's writer: appends frames, rolls segments, syncs, gives released segments up. Reading is
 * log_reader.c's, repairing recover.c's. One writer: whoever holds the lock. */
#include "journal/journal.h"
#include "journal/recover.h"
#include <errno.h>
#include <stdio.h>

struct hm_log {
    struct hm_dir *dir;
    int lock_fd, fd; /* fd: the last segment */
    struct hm_log_options o;
    struct hm_segments segments; /* never empty once open; the last one is written to */
    uint64_t next, released, total_bytes;
    struct hm_buf frame;
    int broken; /* sticky: after a failed sync nobody knows what is on the disk */
    bool dirty;
};

static struct hm_segment *last_segment(struct hm_log *l)
{
    return &l->segments.v[l->segments.n - 1];
}

/* --- segments -------------------------------------------------------------------------------- */

static int start_segment(struct hm_log *l, uint64_t first)
{
    char name[HM_SEGMENT_NAME_BYTES];

    hm_segment_name(first, false, name);
    int fd = hm_dir_file(l->dir, name, HM_OPEN_NEW);
    if (fd < 0)
        return fd;
    int r = hm_dir_sync(l->dir);
    if (r == 0)
        r = hm_segments_append(&l->segments, (struct hm_segment){.first = first});
    if (r < 0) {
        close(fd);
        return hm_dir_remove(l->dir, name) < 0 ? -EIO : r;
    }
    if (l->fd >= 0)
        close(l->fd);
    l->fd = fd;
    return 0;
}

/* The old segment is durable before a new one exists: only the last can ever be torn. */
static int roll(struct hm_log *l)
{
    int r = hm_log_sync(l);

    return r < 0 ? r : start_segment(l, l->next);
}

static int drop_oldest(struct hm_log *l)
{
    char name[HM_SEGMENT_NAME_BYTES];
    struct hm_segments *s = &l->segments;

    hm_segment_name(s->v[0].first, false, name);
    int r = hm_dir_remove(l->dir, name);
    if (r < 0 && r != -ENOENT)
        return r;
    l->total_bytes -= s->v[0].bytes;
    s->n--;
    memmove(s->v, s->v + 1, s->n * sizeof *s->v);
    return 0;
}

/* The newest segment that holds a record, or NULL. The chain begins at its last record again after
 * a restart: it never goes. */
static const struct hm_segment *newest_used(const struct hm_log *l)
{
    for (size_t i = l->segments.n; i > 0; i--)
        if (l->segments.v[i - 1].bytes)
            return &l->segments.v[i - 1];
    return NULL;
}

/* Give up the oldest segment if every record of it is released; -ENOSPC when it is not. */
static int reclaim(struct hm_log *l)
{
    const struct hm_segments *s = &l->segments;

    if (s->n < 2 || s->v[1].first > l->released || newest_used(l) == &s->v[0])
        return -ENOSPC;
    return drop_oldest(l);
}

/* --- append and sync ------------------------------------------------------------------------- */

static int make_room(struct hm_log *l, size_t len)
{
    int r = 0;

    while (r == 0 && l->o.quota_bytes && l->total_bytes + len > l->o.quota_bytes)
        r = reclaim(l);
    if (r == 0 && last_segment(l)->bytes && last_segment(l)->bytes + len > l->o.segment_bytes)
        r = roll(l);
    return r;
}

/* All or nothing: a part of a frame is cut off again. */
static int write_frame(struct hm_log *l, struct hm_slice frame)
{
    struct hm_segment *s = last_segment(l);
    int r = hm_file_write_at(l->fd, frame, s->bytes);

    if (r < 0 && hm_file_truncate(l->fd, s->bytes) < 0)
        l->broken = -EIO;
    return r;
}

int hm_log_append(struct hm_log *l, struct hm_slice record, uint64_t *ret_number)
{
    if (l->broken)
        return l->broken;
    if (record.len == 0)
        return -EINVAL;
    if (record.len > HM_LOG_RECORD_MAX_BYTES)
        return -E2BIG;
    hm_buf_clear(&l->frame);
    hm_frame_put(&l->frame, record);
    if (l->frame.error)
        return l->frame.error;
    int r = make_room(l, l->frame.len);
    if (r < 0)
        return r;
    while ((r = write_frame(l, hm_buf_slice(&l->frame))) == -ENOSPC && !l->broken)
        if (reclaim(l) < 0)
            break;
    if (r < 0)
        return r;
    last_segment(l)->bytes += l->frame.len;
    l->total_bytes += l->frame.len;
    l->dirty = true;
    if (ret_number)
        *ret_number = l->next;
    l->next++;
    return 0;
}

int hm_log_sync(struct hm_log *l)
{
    if (l->broken)
        return l->broken;
    if (!l->dirty)
        return 0;
    int r = hm_file_sync(l->fd);
    if (r < 0)
        return l->broken = r;
    l->dirty = false;
    return 0;
}

int hm_log_last(struct hm_log *l, uint64_t *ret_number, struct hm_buf *ret_record)
{
    const struct hm_segment *s = newest_used(l);
    char name[HM_SEGMENT_NAME_BYTES];
    uint64_t at = 0, last = 0, number = s ? s->first : 0, bytes = 0;
    int r = HM_FRAME_OK;

    if (!s)
        return -ENOENT;
    hm_segment_name(s->first, false, name);
    hm_autoclose int fd = hm_dir_file(l->dir, name, HM_OPEN_READ);
    if (fd < 0)
        return fd;
    while (at < s->bytes && (r = hm_frame_skip(fd, at, &bytes)) == HM_FRAME_OK) {
        last = at;
        at += bytes;
        number++;
    }
    if (r == HM_FRAME_OK)
        r = hm_frame_read(fd, last, ret_record, &bytes);
    if (r != HM_FRAME_OK)
        return r < 0 ? r : -EBADMSG;
    *ret_number = number - 1;
    return 0;
}

int hm_log_sync_fd(struct hm_log *l, int *ret_fd, uint64_t *ret_next)
{
    if (l->broken)
        return l->broken;
    int fd = hm_file_dup(l->fd);
    if (fd < 0)
        return fd;
    *ret_fd = fd;
    *ret_next = l->next; /* dirty stays: a roll before that sync ends must sync by itself */
    return 0;
}

bool hm_log_broken(const struct hm_log *l)
{
    return l->broken != 0;
}

uint64_t hm_log_first(const struct hm_log *l)
{
    return l->segments.v[0].first;
}

uint64_t hm_log_next(const struct hm_log *l)
{
    return l->next;
}

void hm_log_release(struct hm_log *l, uint64_t number)
{
    if (number > l->released)
        l->released = number;
}

/* --- open and close -------------------------------------------------------------------------- */

static int measure(struct hm_log *l, struct hm_error *err)
{
    char name[HM_SEGMENT_NAME_BYTES];

    for (size_t i = 0; i < l->segments.n; i++) {
        hm_segment_name(l->segments.v[i].first, false, name);
        hm_autoclose int fd = hm_dir_file(l->dir, name, HM_OPEN_READ);
        int64_t size = fd < 0 ? fd : hm_file_size(fd);
        if (size < 0)
            return hm_fail(err, (int)size, "cannot read segment %s", name);
        l->segments.v[i].bytes = (uint64_t)size;
        l->total_bytes += (uint64_t)size;
    }
    return 0;
}

static int recover_last(struct hm_log *l, struct hm_log_damage *damage, struct hm_error *err)
{
    struct hm_segment *s = last_segment(l);
    char name[HM_SEGMENT_NAME_BYTES];
    struct hm_recovered rec;

    hm_segment_name(s->first, false, name);
    l->fd = hm_dir_file(l->dir, name, HM_OPEN_WRITE);
    if (l->fd < 0)
        return hm_fail(err, l->fd, "cannot open segment %s", name);
    int r = hm_log_recover(l->dir, l->fd, s->first, &rec, damage, err);
    if (r < 0)
        return r;
    l->total_bytes -= s->bytes - rec.offset;
    s->bytes = rec.offset;
    l->next = rec.next;
    l->dirty = s->bytes > 0; /* a killed writer's last records may be in the page cache only */
    return rec.new_segment ? start_segment(l, rec.next) : 0;
}

static int open_locked(struct hm_log *l, struct hm_log_damage *damage, struct hm_error *err)
{
    int r = hm_segments_list(l->dir, false, &l->segments);

    if (r < 0)
        return hm_fail(err, r, "cannot list the log's directory");
    if (l->segments.n == 0) {
        r = start_segment(l, 0);
        return r < 0 ? hm_fail(err, r, "cannot make the first segment") : 0;
    }
    r = measure(l, err);
    return r < 0 ? r : recover_last(l, damage, err);
}

int hm_log_open(const char *dir, const struct hm_log_options *o, struct hm_log **ret_log,
                struct hm_log_damage *ret_damage, struct hm_error *err)
{
    struct hm_log_damage damage = {0};
    struct hm_log *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    l->lock_fd = l->fd = -1;
    l->frame = HM_BUF(HM_FRAME_HEAD_BYTES + HM_LOG_RECORD_MAX_BYTES);
    l->o = o ? *o : (struct hm_log_options){0};
    if (!l->o.segment_bytes)
        l->o.segment_bytes = HM_LOG_SEGMENT_BYTES;
    int r = hm_dir_open(dir, true, &l->dir);
    if (r == 0)
        r = l->lock_fd = hm_dir_lock(l->dir, "lock");
    if (r < 0)
        hm_fail(err, r, r == -EBUSY ? "log %s has a writer already" : "cannot open log %s", dir);
    else
        r = open_locked(l, &damage, err);
    if (r < 0) {
        hm_log_close(l);
        return r;
    }
    if (ret_damage)
        *ret_damage = damage;
    *ret_log = l;
    return 0;
}

void hm_log_close(struct hm_log *l)
{
    if (!l)
        return;
    if (l->fd >= 0 && l->segments.n)
        (void)!hm_log_sync(l); /* nobody is left to be told */
    if (l->fd >= 0)
        close(l->fd);
    if (l->lock_fd >= 0)
        close(l->lock_fd);
    hm_dir_close(l->dir);
    hm_segments_done(&l->segments);
    hm_buf_done(&l->frame);
    free(l);
}
