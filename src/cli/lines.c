/* See lines.h. */
#include "cli/lines.h"
#include "base/buf.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#define CHUNK (256u << 10)

struct hm_lines {
    int fd;
    bool own_fd, regular, ended, begun, skipping;
    struct hm_buf text; /* lines from `at` on are still to be given */
    size_t at, looked;  /* no line end in [at, looked) */
    uint8_t *in;        /* what was read, when it is compressed */
    size_t in_len, in_at;
    ZSTD_DStream *zstd;
    bool frame_open;
};

int hm_lines_open(const char *path, struct hm_lines **ret_l)
{
    struct stat st;
    struct hm_lines *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->own_fd = strcmp(path, "-") != 0;
    l->fd = l->own_fd ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    l->text = HM_BUF(HM_LINE_MAX + 2 * CHUNK);
    int r = l->fd < 0 || fstat(l->fd, &st) < 0 ? -errno : 0;
    if (r == 0 && S_ISDIR(st.st_mode))
        r = -EISDIR;
    if (r < 0) {
        hm_lines_free(l);
        return r;
    }
    l->regular = S_ISREG(st.st_mode);
    *ret_l = l;
    return 0;
}

void hm_lines_free(struct hm_lines *l)
{
    if (!l)
        return;
    if (l->own_fd && l->fd >= 0)
        close(l->fd);
    hm_buf_done(&l->text);
    ZSTD_freeDStream(l->zstd);
    free(l->in);
    free(l);
}

static ssize_t read_some(int fd, void *p, size_t len)
{
    ssize_t n;
    do
        n = read(fd, p, len);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Lines that were given make room for what comes. */
static void shift(struct hm_lines *l)
{
    if (l->at < l->text.len)
        memmove(l->text.data, l->text.data + l->at, l->text.len - l->at);
    l->text.len -= l->at;
    l->looked -= l->at;
    l->at = 0;
}

/* A line over the limit is thrown away as it comes. */
static void skip(struct hm_lines *l)
{
    l->skipping = true;
    l->at = l->looked = 0;
    l->text.len = 0;
}

static int inflate(struct hm_lines *l)
{
    ZSTD_inBuffer in = {l->in, l->in_len, l->in_at};
    uint8_t *to = hm_buf_extend(&l->text, CHUNK);
    if (!to)
        return l->text.error;
    ZSTD_outBuffer out = {to, CHUNK, 0};
    size_t r = ZSTD_decompressStream(l->zstd, &out, &in);
    l->text.len -= CHUNK - out.pos;
    l->in_at = in.pos;
    if (ZSTD_isError(r))
        return -EBADMSG;
    l->frame_open = r != 0;
    return (int)out.pos;
}

static int fill_compressed(struct hm_lines *l)
{
    int r = 0;
    while (r == 0) {
        bool full = l->in_at < l->in_len || l->frame_open;
        if (full && (r = inflate(l)) != 0)
            break;
        if (l->in_at < l->in_len)
            continue;
        ssize_t n = read_some(l->fd, l->in, CHUNK);
        if (n <= 0)
            return n < 0 ? (int)n : l->frame_open ? -EBADMSG : 0;
        l->in_len = (size_t)n;
        l->in_at = 0;
    }
    return r;
}

/* The first bytes decide: a zstd frame begins with 28 B5 2F FD. Read until they can. */
static int begin(struct hm_lines *l)
{
    static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    uint8_t *to = hm_buf_extend(&l->text, CHUNK);
    size_t len = 0;
    if (!to)
        return l->text.error;
    while (len < sizeof magic && (len == 0 || memcmp(to, magic, len) == 0)) {
        ssize_t n = read_some(l->fd, to + len, CHUNK - len);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    l->begun = true;
    l->text.len = len;
    if (len < sizeof magic || memcmp(to, magic, sizeof magic) != 0) {
        static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
        if (len >= sizeof mark && memcmp(to, mark, sizeof mark) == 0)
            l->at = l->looked = sizeof mark;
        return (int)len;
    }
    l->in = malloc(CHUNK);
    l->zstd = ZSTD_createDStream();
    if (!l->in || !l->zstd)
        return -ENOMEM;
    memcpy(l->in, to, len);
    l->in_len = len;
    l->text.len = 0;
    return fill_compressed(l);
}

/* More text. 0: the end. */
static int fill(struct hm_lines *l)
{
    if (!l->begun)
        return begin(l);
    shift(l);
    if (l->text.len > HM_LINE_MAX)
        skip(l);
    if (l->zstd)
        return fill_compressed(l);
    uint8_t *to = hm_buf_extend(&l->text, CHUNK);
    if (!to)
        return l->text.error;
    ssize_t n = read_some(l->fd, to, CHUNK);
    l->text.len -= CHUNK - (size_t)(n > 0 ? n : 0);
    return (int)n;
}

static int give(struct hm_lines *l, size_t len, size_t next, struct hm_slice *ret_line)
{
    const uint8_t *p = l->text.data + l->at;
    l->at = l->looked = next;
    if (l->skipping || len > HM_LINE_MAX) {
        l->skipping = false;
        return -EMSGSIZE;
    }
    *ret_line = hm_slice(p, len && p[len - 1] == '\r' ? len - 1 : len);
    return 1;
}

int hm_lines_next(struct hm_lines *l, struct hm_slice *ret_line)
{
    for (;;) {
        const uint8_t *from = l->text.data + l->looked;
        const uint8_t *end =
            l->looked < l->text.len ? memchr(from, '\n', l->text.len - l->looked) : NULL;
        if (end) {
            size_t stop = (size_t)(end - l->text.data);
            return give(l, stop - l->at, stop + 1, ret_line);
        }
        l->looked = l->text.len;
        int r = l->ended ? 0 : fill(l);
        if (r < 0)
            return r;
        if (r > 0)
            continue;
        l->ended = true;
        if (l->at == l->text.len && !l->skipping)
            return 0;
        return give(l, l->text.len - l->at, l->text.len, ret_line);
    }
}

bool hm_lines_waits(const struct hm_lines *l)
{
    return !l->regular && !memchr(l->text.data ? (const void *)(l->text.data + l->looked) : "",
                                  '\n', l->text.len - l->looked);
}
