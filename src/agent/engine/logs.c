/* See logs.h. */
#include "agent/engine/logs.h"
#include "agent/engine/limits.h"
#include "agent/engine/log_frames.h"
#include "base/buf.h"
#include "detect/view/sentences.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct source {
    enum hm_log_kind kind;
    int fd;
    uint64_t offset; /* FILE */
    bool skipping;   /* in the rest of a line that was too long */
    struct hm_buf part, path;
    struct hm_journal_frame journal;
    unsigned told; /* lines of this round */
};
struct hm_logs {
    void (*line)(void *ctx, const struct hm_log_line *l);
    void *ctx;
    struct hm_logs_counts counts;
    uint8_t *piece;
    struct source sources[HM_LOG_SOURCES_MAX];
};

struct hm_logs *hm_logs_new(void (*line)(void *ctx, const struct hm_log_line *l), void *ctx)
{
    struct hm_logs *l = calloc(1, sizeof *l);
    if (!l || !(l->piece = malloc(HM_LOG_PIECE_BYTES))) {
        free(l);
        return NULL;
    }
    l->line = line;
    l->ctx = ctx;
    return l;
}

static void drop(struct source *s)
{
    close(s->fd);
    hm_buf_done(&s->part);
    hm_buf_done(&s->path);
    hm_journal_frame_done(&s->journal);
    *s = (struct source){0};
}

void hm_logs_free(struct hm_logs *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->counts.sources; i++)
        drop(&l->sources[i]);
    free(l->piece);
    free(l);
}

/* Over the rate a line is counted and not told: a program that logs in a loop must not fill the
 * journal of the endpoint. */
static void tell(struct hm_logs *l, struct source *s, struct hm_slice program, struct hm_slice text)
{
    if (!text.len)
        return;
    if (s->told >= HM_LOG_LINES_ROUND) {
        l->counts.lost++;
        return;
    }
    s->told++;
    l->counts.lines++;
    l->line(l->ctx, &(struct hm_log_line){hm_buf_slice(&s->path), program, text});
}

static void tell_plain(struct hm_logs *l, struct source *s, struct hm_slice text)
{
    struct hm_slice program;
    if (text.len && text.p[text.len - 1] == '\r')
        text.len--;
    (void)hm_sentence_message(text, &program);
    tell(l, s, program, text);
}

/* ---- files -----------------------------------------------------------------------------------*/

static void end_line(struct hm_logs *l, struct source *s)
{
    if (!s->skipping)
        tell_plain(l, s, hm_buf_slice(&s->part));
    s->skipping = false;
    hm_buf_clear(&s->part);
}

/* A line longer than the ceiling is told as far as it goes; its rest is passed over. */
static void add_part(struct hm_logs *l, struct source *s, struct hm_slice bytes)
{
    size_t room = HM_LOG_LINE_BYTES - s->part.len, n = bytes.len < room ? bytes.len : room;
    if (s->skipping)
        return;
    hm_buf_put(&s->part, bytes.p, n);
    if (n == bytes.len && !s->part.error)
        return;
    l->counts.cut++;
    tell_plain(l, s, hm_buf_slice(&s->part));
    s->skipping = true;
}

static void take_bytes(struct hm_logs *l, struct source *s, struct hm_slice in)
{
    while (in.len) {
        const uint8_t *end = memchr(in.p, '\n', in.len);
        size_t n = end ? (size_t)(end - in.p) : in.len;
        add_part(l, s, hm_slice(in.p, n));
        if (!end)
            return;
        end_line(l, s);
        in = hm_slice(in.p + n + 1, in.len - n - 1);
    }
}

/* A file that became shorter was emptied in place (copytruncate): it begins anew. */
static void read_file(struct hm_logs *l, struct source *s)
{
    struct stat st;
    if (fstat(s->fd, &st) == 0 && (uint64_t)st.st_size < s->offset)
        s->offset = 0;
    for (uint64_t read = 0; read < HM_LOG_ROUND_BYTES;) {
        ssize_t n = pread(s->fd, l->piece, HM_LOG_PIECE_BYTES, (off_t)s->offset);
        if (n <= 0)
            return;
        s->offset += (uint64_t)n;
        read += (uint64_t)n;
        take_bytes(l, s, hm_slice(l->piece, (size_t)n));
    }
}

/* ---- audit and journal -----------------------------------------------------------------------*/

static void read_audit(struct hm_logs *l, struct source *s)
{
    char line[HM_LOG_LINE_BYTES];
    for (unsigned i = 0; i < HM_LOG_LINES_ROUND; i++) {
        ssize_t n = recv(s->fd, l->piece, HM_LOG_PIECE_BYTES, MSG_DONTWAIT);
        if (n < 0 && errno == ENOBUFS) {
            l->counts.lost++; /* at least one; the kernel does not say how many */
            continue;
        }
        if (n <= 0)
            return;
        tell(l, s, (struct hm_slice){0},
             hm_audit_frame(hm_slice(l->piece, (size_t)n), line, sizeof line));
    }
}

struct journal_out {
    struct hm_logs *l;
    struct source *s;
};

static void journal_line(void *ctx, struct hm_slice program, struct hm_slice text)
{
    struct journal_out *o = ctx;
    tell(o->l, o->s, program, text);
}

static void read_journal(struct hm_logs *l, struct source *s)
{
    struct journal_out o = {l, s};
    for (uint64_t read_bytes = 0; read_bytes < HM_LOG_ROUND_BYTES;) {
        ssize_t n = read(s->fd, l->piece, HM_LOG_PIECE_BYTES);
        if (n <= 0)
            return;
        read_bytes += (uint64_t)n;
        l->counts.cut +=
            hm_journal_frame_add(&s->journal, hm_slice(l->piece, (size_t)n), journal_line, &o);
    }
}

static void read_source(struct hm_logs *l, struct source *s)
{
    s->told = 0;
    switch (s->kind) {
    case HM_LOG_KIND_FILE:
        read_file(l, s);
        break;
    case HM_LOG_KIND_AUDIT:
        read_audit(l, s);
        break;
    default:
        read_journal(l, s);
    }
}

void hm_logs_read(struct hm_logs *l)
{
    for (size_t i = 0; i < l->counts.sources; i++)
        read_source(l, &l->sources[i]);
}

/* ---- sources ---------------------------------------------------------------------------------*/

static struct source *place_for(struct hm_logs *l, struct hm_slice path)
{
    for (size_t i = 0; i < l->counts.sources; i++) {
        struct source *s = &l->sources[i];
        if (!hm_slice_eq(hm_buf_slice(&s->path), path))
            continue;
        read_source(l, s);
        end_line(l, s); /* the last line may lack its end */
        drop(s);
        return s;
    }
    return l->counts.sources < HM_LOG_SOURCES_MAX ? &l->sources[l->counts.sources++] : NULL;
}

int hm_logs_add(struct hm_logs *l, enum hm_log_kind kind, int fd, struct hm_slice path,
                bool from_start)
{
    struct stat st;
    if (kind >= HM_LOG_KINDS || !path.len || path.len > HM_LOG_PATH_BYTES || fstat(fd, &st) < 0 ||
        (kind == HM_LOG_KIND_FILE) != S_ISREG(st.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    struct source *s = place_for(l, path);
    if (!s) {
        close(fd);
        return -ENOSPC;
    }
    *s = (struct source){.kind = kind,
                         .fd = fd,
                         .offset = from_start ? 0 : (uint64_t)st.st_size,
                         .part = HM_BUF(HM_LOG_LINE_BYTES),
                         .path = HM_BUF(HM_LOG_PATH_BYTES)};
    hm_buf_put(&s->path, path.p, path.len);
    return s->path.error;
}

struct hm_logs_counts hm_logs_counts(const struct hm_logs *l)
{
    return l->counts;
}
