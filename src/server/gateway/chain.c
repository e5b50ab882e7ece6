/* Owns the high-water marks and their checkpoint; refuses to know sessions and the journal. */
#include "server/gateway/chain.h"

#include "base/cursor.h"
#include "base/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define MAGIC      "hinomi-tips-1\n\0\0"
#define MAGIC_LEN  16
#define TIP_BYTES  (16 + 8 * 4 + HM_SHA256_BYTES)
#define PROBES_MAX 16 /* two keys that collide are chance; sixteen are not possible */

struct hm_chain {
    struct hm_map *tips, *counts; /* counts: uint64_t, tips of each endpoint */
    uint64_t seed;                /* epochs are chosen by agents: they must not choose the slot */
    size_t max, each_max;
};

static int make_tables(struct hm_chain *c)
{
    hm_map_free(c->tips);
    hm_map_free(c->counts);
    c->tips = hm_map_new(sizeof(struct hm_chain_tip), c->max);
    c->counts = hm_map_new(sizeof(uint64_t), c->max);
    return c->tips && c->counts ? 0 : -ENOMEM;
}

struct hm_chain *hm_chain_new(size_t max_tips, size_t max_each)
{
    struct hm_chain *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->max = max_tips;
    c->each_max = max_each;
    if (make_tables(c) || hm_random(&c->seed, sizeof c->seed)) {
        hm_chain_free(c);
        return NULL;
    }
    return c;
}

void hm_chain_free(struct hm_chain *c)
{
    if (!c)
        return;
    hm_map_free(c->tips);
    hm_map_free(c->counts);
    free(c);
}

static uint64_t key_of(const struct hm_chain *c, const uint8_t endpoint[16], uint64_t epoch,
                       uint64_t lane)
{
    uint8_t k[32];
    memcpy(k, endpoint, 16);
    memcpy(k + 16, &epoch, 8);
    memcpy(k + 24, &lane, 8);
    return hm_hash64(k, sizeof k, c->seed);
}

static bool is_tip(const struct hm_chain_tip *t, const uint8_t endpoint[16], uint64_t epoch,
                   uint64_t lane)
{
    return t->epoch == epoch && t->lane == lane && memcmp(t->endpoint, endpoint, 16) == 0;
}

const struct hm_chain_tip *hm_chain_find(const struct hm_chain *c, const uint8_t endpoint[16],
                                         uint64_t epoch, uint64_t lane)
{
    uint64_t key = key_of(c, endpoint, epoch, lane);

    for (int i = 0; i < PROBES_MAX; i++) {
        const struct hm_chain_tip *t = hm_map_get(c->tips, key + (uint64_t)i);
        if (!t || is_tip(t, endpoint, epoch, lane))
            return t;
    }
    return NULL;
}

static uint64_t count_key(const struct hm_chain *c, const uint8_t endpoint[16])
{
    return hm_hash64(endpoint, 16, c->seed);
}

bool hm_chain_room(const struct hm_chain *c, const uint8_t endpoint[16], uint64_t epoch,
                   uint64_t lane)
{
    const uint64_t *n = hm_map_get(c->counts, count_key(c, endpoint));

    return hm_chain_find(c, endpoint, epoch, lane) ||
           (hm_map_count(c->tips) < c->max && (!n || *n < c->each_max));
}

static void count_one(struct hm_chain *c, const uint8_t endpoint[16])
{
    uint64_t *n = hm_map_put(c->counts, count_key(c, endpoint), NULL);
    if (n)
        ++*n;
}

int hm_chain_put(struct hm_chain *c, const struct hm_chain_tip *tip)
{
    uint64_t key = key_of(c, tip->endpoint, tip->epoch, tip->lane);

    for (int i = 0; i < PROBES_MAX; i++) {
        int inserted;
        struct hm_chain_tip *t = hm_map_put(c->tips, key + (uint64_t)i, &inserted);
        if (!t)
            return -ENOSPC;
        if (inserted || is_tip(t, tip->endpoint, tip->epoch, tip->lane)) {
            *t = *tip;
            if (inserted)
                count_one(c, tip->endpoint);
            return 0;
        }
    }
    return -ENOSPC;
}

enum hm_chain_verdict hm_chain_check(const struct hm_chain *c, const struct hm_batch_head *h,
                                     const uint8_t hash[HM_SHA256_BYTES])
{
    static const uint8_t zero[HM_SHA256_BYTES];
    const struct hm_chain_tip *t = hm_chain_find(c, h->endpoint, h->epoch, h->lane);
    uint64_t next = t ? t->next : 0;

    if (h->number > next)
        return HM_CHAIN_GAP;
    if (h->number == next)
        return memcmp(h->prev, t ? t->hash : zero, sizeof zero) ? HM_CHAIN_FORK : HM_CHAIN_NEXT;
    return h->number + 1 == next && memcmp(hash, t->hash, sizeof zero) == 0 ? HM_CHAIN_SAME
                                                                            : HM_CHAIN_FORK;
}

/* ---- checkpoint ---- */

static void put_tip(struct hm_buf *b, const struct hm_chain_tip *t)
{
    hm_buf_put(b, t->endpoint, 16);
    hm_buf_put_le64(b, t->epoch);
    hm_buf_put_le64(b, t->lane);
    hm_buf_put_le64(b, t->next);
    hm_buf_put_le64(b, t->record);
    hm_buf_put(b, t->hash, sizeof t->hash);
}

void hm_chain_encode(const struct hm_chain *c, uint64_t next, struct hm_buf *out)
{
    uint8_t sum[HM_SHA256_BYTES];
    size_t pos = 0;
    uint64_t key;
    const struct hm_chain_tip *t;

    hm_buf_put(out, MAGIC, MAGIC_LEN);
    hm_buf_put_le64(out, next);
    hm_buf_put_le64(out, hm_map_count(c->tips));
    while ((t = hm_map_next(c->tips, &pos, &key)))
        put_tip(out, t);
    if (out->error)
        return;
    hm_sha256(hm_buf_slice(out), sum);
    hm_buf_put(out, sum, sizeof sum);
}

int hm_chain_write(const char *path, struct hm_slice s)
{
    char tmp[4096];

    snprintf(tmp, sizeof tmp, "%s.new", path);
    hm_autoclose int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    while (s.len > 0) {
        ssize_t n = write(fd, s.p, s.len);
        if (n < 0 && errno != EINTR)
            return -errno;
        s = n > 0 ? hm_slice(s.p + n, s.len - (size_t)n) : s;
    }
    if (fsync(fd) < 0 || rename(tmp, path) < 0)
        return -errno;
    return 0;
}

static int take_tips(struct hm_chain *c, struct hm_cursor *cur, uint64_t *ret_next)
{
    struct hm_slice magic = hm_cursor_take(cur, MAGIC_LEN);
    uint64_t next = hm_cursor_le64(cur), n = hm_cursor_le64(cur);

    if (!hm_slice_eq(magic, hm_slice(MAGIC, MAGIC_LEN)))
        return -EBADMSG;
    for (uint64_t i = 0; i < n && !cur->error; i++) {
        struct hm_chain_tip t = {0};
        struct hm_slice endpoint = hm_cursor_take(cur, 16);
        t.epoch = hm_cursor_le64(cur);
        t.lane = hm_cursor_le64(cur);
        t.next = hm_cursor_le64(cur);
        t.record = hm_cursor_le64(cur);
        struct hm_slice hash = hm_cursor_take(cur, sizeof t.hash);
        if (cur->error)
            break;
        memcpy(t.endpoint, endpoint.p, 16);
        memcpy(t.hash, hash.p, sizeof t.hash);
        if (hm_chain_put(c, &t))
            return -ENOSPC;
    }
    if (hm_cursor_end(cur))
        return -EBADMSG;
    *ret_next = next;
    return 0;
}

static int read_file(const char *path, struct hm_buf *out)
{
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size < (off_t)HM_SHA256_BYTES || st.st_size > (off_t)HM_CHAIN_FILE_MAX)
        return -EBADMSG;
    uint8_t *p = hm_buf_extend(out, (size_t)st.st_size);
    if (!p)
        return -ENOMEM;
    for (size_t at = 0; at < (size_t)st.st_size;) {
        ssize_t n = read(fd, p + at, (size_t)st.st_size - at);
        if (n <= 0)
            return n < 0 ? -errno : -EBADMSG;
        at += (size_t)n;
    }
    return 0;
}

int hm_chain_load(struct hm_chain *c, const char *path, uint64_t *ret_next)
{
    hm_auto(hm_buf_done) struct hm_buf b = HM_BUF(HM_CHAIN_FILE_MAX);
    uint8_t sum[HM_SHA256_BYTES];

    int r = read_file(path, &b);
    if (r)
        return r;
    struct hm_slice body = hm_slice(b.data, b.len - sizeof sum);
    hm_sha256(body, sum);
    if (memcmp(sum, b.data + body.len, sizeof sum) != 0)
        return -EBADMSG;
    struct hm_cursor cur = hm_cursor(body);
    r = take_tips(c, &cur, ret_next);
    if (r) /* half a table is worse than none */
        return make_tables(c) ? -ENOMEM : r;
    return 0;
}
