/* Segment names and frames. Knows no policy: what a bad frame means is its callers' business. */
#include "journal/segment.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

void hm_segment_name(uint64_t first, bool damaged, char buf[HM_SEGMENT_NAME_BYTES])
{
    snprintf(buf, HM_SEGMENT_NAME_BYTES, "%016" PRIx64 ".seg%s", first, damaged ? ".damaged" : "");
}

/* Exactly what hm_segment_name() writes; anything else in the directory is not ours. */
static bool parse_name(const char *name, bool damaged, uint64_t *ret_first)
{
    char again[HM_SEGMENT_NAME_BYTES];
    uint64_t v = 0;

    for (int i = 0; i < 16; i++) {
        char c = name[i];
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    hm_segment_name(v, damaged, again);
    *ret_first = v;
    return strcmp(name, again) == 0;
}

int hm_segments_append(struct hm_segments *s, struct hm_segment add)
{
    if (s->n == HM_LOG_SEGMENTS_MAX)
        return -E2BIG;
    struct hm_segment *v = realloc(s->v, (s->n + 1) * sizeof *v);
    if (!v)
        return -ENOMEM;
    s->v = v;
    v[s->n++] = add;
    return 0;
}

struct listing {
    struct hm_segments s;
    bool damaged;
};

static int list_one(void *ctx, const char *name)
{
    struct listing *l = ctx;
    struct hm_segment seg = {0};

    if (!parse_name(name, l->damaged, &seg.first))
        return 0;
    return hm_segments_append(&l->s, seg);
}

static int by_first(const void *a, const void *b)
{
    uint64_t x = ((const struct hm_segment *)a)->first, y = ((const struct hm_segment *)b)->first;

    return (x > y) - (x < y);
}

int hm_segments_list(const struct hm_dir *d, bool damaged, struct hm_segments *ret_s)
{
    struct listing l = {.damaged = damaged};
    int r = hm_dir_list(d, list_one, &l);

    if (r < 0) {
        hm_segments_done(&l.s);
        return r;
    }
    if (l.s.n)
        qsort(l.s.v, l.s.n, sizeof *l.s.v, by_first);
    *ret_s = l.s;
    return 0;
}

void hm_segments_done(struct hm_segments *s)
{
    free(s->v);
    *s = (struct hm_segments){0};
}

static int read_head(int fd, uint64_t offset, uint32_t *ret_len, uint32_t *ret_crc)
{
    uint8_t head[HM_FRAME_HEAD_BYTES];
    ssize_t n = hm_file_read_at(fd, head, sizeof head, offset);

    if (n < 0)
        return (int)n;
    if (n < HM_FRAME_HEAD_BYTES)
        return n ? HM_FRAME_SHORT : HM_FRAME_END;
    struct hm_cursor c = hm_cursor(hm_slice(head, sizeof head));
    *ret_len = hm_cursor_le32(&c);
    *ret_crc = hm_cursor_le32(&c);
    if (*ret_len == 0)
        return HM_FRAME_ZERO;
    return *ret_len > HM_LOG_RECORD_MAX_BYTES ? HM_FRAME_LENGTH : HM_FRAME_OK;
}

int hm_frame_skip(int fd, uint64_t offset, uint64_t *ret_bytes)
{
    uint32_t len = 0, crc = 0;
    int r = read_head(fd, offset, &len, &crc);

    if (r == HM_FRAME_OK)
        *ret_bytes = HM_FRAME_HEAD_BYTES + (uint64_t)len;
    return r;
}

int hm_frame_read(int fd, uint64_t offset, struct hm_buf *buf, uint64_t *ret_bytes)
{
    uint32_t len = 0, crc = 0;
    int r = read_head(fd, offset, &len, &crc);

    if (r != HM_FRAME_OK)
        return r;
    *ret_bytes = HM_FRAME_HEAD_BYTES + (uint64_t)len;
    hm_buf_clear(buf);
    uint8_t *to = hm_buf_extend(buf, len);
    if (!to)
        return buf->error;
    ssize_t n = hm_file_read_at(fd, to, len, offset + HM_FRAME_HEAD_BYTES);
    if (n < 0)
        return (int)n;
    if ((size_t)n < len)
        return HM_FRAME_SHORT;
    return hm_crc32c(0, hm_buf_slice(buf)) == crc ? HM_FRAME_OK : HM_FRAME_CHECKSUM;
}

void hm_frame_put(struct hm_buf *buf, struct hm_slice payload)
{
    hm_buf_put_le32(buf, (uint32_t)payload.len);
    hm_buf_put_le32(buf, hm_crc32c(0, payload));
    hm_buf_put(buf, payload.p, payload.len);
}
