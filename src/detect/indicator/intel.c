/* Opening a blob: what is checked here is that sections lie within it; what is inside a section is
 * checked where it is used (lookup.c), so opening costs one pass for the checksum. */
#include "base/crc32c.h"
#include "base/os.h"
#include "detect/indicator/set.h"
#include "detect/indicator/stage.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Bytes of an element of each section: its length must be a multiple. */
static const size_t element[HM_BLOB_SECTIONS] = {
    [HM_BLOB_FILTER] = HM_FILTER_BLOCK,
    [HM_BLOB_INDEX] = sizeof(uint32_t),
    [HM_BLOB_ENTRIES] = 1,
    [HM_BLOB_DETAILS] = sizeof(struct hm_blob_detail),
    [HM_BLOB_SOURCES] = sizeof(uint32_t),
    [HM_BLOB_TEXTS] = 1,
    [HM_BLOB_BLOCKS4] = sizeof(struct hm_blob_block),
    [HM_BLOB_BLOCKS6] = sizeof(struct hm_blob_block),
    [HM_BLOB_REGEXES] = 1,
    [HM_BLOB_JOINS] = sizeof(struct hm_blob_join),
    [HM_BLOB_TERMS] = 1,
};

static int place_sections(struct hm_intel *i, struct hm_slice blob, const struct hm_blob_header *h,
                          struct hm_error *err)
{
    for (int s = 0; s < HM_BLOB_SECTIONS; s++) {
        uint64_t at = h->section[s].offset, len = h->section[s].length;
        if (at > blob.len || len > blob.len - at || at % HM_BLOB_ALIGN || len % element[s])
            return hm_fail(err, -EBADMSG, "section %d of the indicator set lies outside it", s);
        i->s[s] = hm_slice(blob.p + at, (size_t)len);
    }
    i->details = i->s[HM_BLOB_DETAILS].len / sizeof(struct hm_blob_detail);
    i->filter_blocks = i->s[HM_BLOB_FILTER].len / HM_FILTER_BLOCK;
    i->index_bits = h->index_bits;
    if (h->index_bits > 24 ||
        i->s[HM_BLOB_INDEX].len != ((UINT64_C(1) << h->index_bits) + 1) * sizeof(uint32_t) ||
        (i->s[HM_BLOB_ENTRIES].len && !i->filter_blocks))
        return hm_fail(err, -EBADMSG, "the index of the indicator set has a wrong size");
    return 0;
}

static int check_header(struct hm_slice blob, struct hm_blob_header *h, struct hm_error *err)
{
    uint32_t crc;
    if (blob.len < sizeof *h + sizeof crc)
        return hm_fail(err, -EBADMSG, "too short for an indicator set");
    memcpy(h, blob.p, sizeof *h);
    memcpy(&crc, blob.p + blob.len - sizeof crc, sizeof crc);
    if (memcmp(h->magic, HM_BLOB_MAGIC, sizeof h->magic) != 0)
        return hm_fail(err, -EBADMSG, "not an indicator set");
    if (h->version != HM_BLOB_VERSION)
        return hm_fail(err, -EPROTONOSUPPORT, "indicator set of version %u", h->version);
    if (h->bytes != blob.len || h->form > HM_INTEL_COMPACT)
        return hm_fail(err, -EBADMSG, "indicator set of %zu bytes, should have %llu", blob.len,
                       (unsigned long long)h->bytes);
    if (hm_crc32c(0, hm_slice(blob.p, blob.len - sizeof crc)) != crc)
        return hm_fail(err, -EBADMSG, "the indicator set is damaged");
    return 0;
}

#define NEAR 65536
/* So that a search among the blocks of IPv4 begins where it nearly ends. */
static int index_blocks(struct hm_intel *i)
{
    struct hm_slice blocks = i->s[HM_BLOB_BLOCKS4];
    uint32_t count = (uint32_t)(blocks.len / sizeof(struct hm_blob_block)), n = 0;
    if (count < 64)
        return 0;
    if (!(i->near = calloc(NEAR + 1, sizeof *i->near)))
        return -ENOMEM;
    for (uint32_t half = 0; half <= NEAR; half++) {
        for (; n < count; n++) {
            const uint8_t *start = blocks.p + n * sizeof(struct hm_blob_block);
            if (((uint32_t)start[0] << 8 | start[1]) >= half)
                break;
        }
        i->near[half] = n;
    }
    return 0;
}

static void fill_stats(struct hm_intel *i, const struct hm_blob_header *h)
{
    i->stats.form = (enum hm_intel_form)h->form;
    i->stats.bytes = h->bytes;
    i->stats.joins = h->joins;
    i->stats.filter_bytes = i->s[HM_BLOB_FILTER].len;
    for (int k = 0; k < HM_INTEL_KINDS; k++) {
        i->stats.kinds[k] = h->kinds[k];
        i->stats.count += h->kinds[k];
    }
}

int hm_intel_open(struct hm_slice blob, struct hm_intel **ret_i, struct hm_error *err)
{
    struct hm_blob_header h;
    int r = check_header(blob, &h, err);
    if (r < 0)
        return r;
    struct hm_intel *i = calloc(1, sizeof *i);
    if (!i)
        return hm_fail(err, -ENOMEM, "out of memory");
    i->seed = h.seed;
    r = place_sections(i, blob, &h, err);
    if (r == 0) {
        fill_stats(i, &h);
        i->regexes = hm_intel_regexes_new(i->s[HM_BLOB_REGEXES], &i->stats.regex_failed);
        if (!i->regexes || index_blocks(i) < 0)
            r = hm_fail(err, -ENOMEM, "out of memory");
    }
    if (r < 0) {
        hm_intel_free(i);
        return r;
    }
    i->stats.regex_bytes = hm_intel_regexes_stats(i->regexes).bytes;
    *ret_i = i;
    return 0;
}

static int file_size(int fd, size_t *ret_bytes, struct hm_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return hm_fail(err, -errno, "indicator set: %s", strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size > HM_INTEL_BLOB_MAX_BYTES)
        return hm_fail(err, -EBADMSG, "not the file of an indicator set");
    *ret_bytes = (size_t)st.st_size;
    return 0;
}

/* Takes the mapping over. */
static int open_mapping(void *p, size_t used, size_t mapped, struct hm_intel **ret_i,
                        struct hm_error *err)
{
    int r = hm_intel_open(hm_slice(p, used), ret_i, err);
    if (r < 0) {
        munmap(p, mapped);
        return r;
    }
    (*ret_i)->owned = p;
    (*ret_i)->owned_bytes = mapped;
    (*ret_i)->mapped = true;
    return 0;
}

int hm_intel_map(int fd, struct hm_intel **ret_i, struct hm_error *err)
{
    size_t bytes;
    int r = file_size(fd, &bytes, err);
    if (r < 0)
        return r;
    void *p = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return hm_fail(err, -errno, "indicator set: %s", strerror(errno));
    r = open_mapping(p, bytes, bytes, ret_i, err);
    if (r == 0) /* look-ups jump: reading ahead would fill memory for nothing */
        madvise(p, bytes, MADV_RANDOM);
    return r;
}

#define HUGE_PAGE ((size_t)2 << 20)
int hm_intel_load(int fd, struct hm_intel **ret_i, struct hm_error *err)
{
    size_t bytes;
    int r = file_size(fd, &bytes, err);
    if (r < 0)
        return r;
    size_t mapped = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *p = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return hm_fail(err, -errno, "indicator set: %s", strerror(errno));
    madvise(p, mapped, MADV_HUGEPAGE); /* a wish: without it look-ups are slower, not wrong */
    ssize_t n = hm_file_read_at(fd, p, bytes, 0);
    if (n < 0 || (size_t)n != bytes || mprotect(p, mapped, PROT_READ) < 0) {
        munmap(p, mapped);
        return hm_fail(err, n < 0 ? (int)n : -EBADMSG, "indicator set: cannot be read whole");
    }
    return open_mapping(p, bytes, mapped, ret_i, err);
}

void hm_intel_free(struct hm_intel *i)
{
    if (!i)
        return;
    hm_intel_regexes_free(i->regexes);
    free(i->near);
    if (i->mapped)
        munmap(i->owned, i->owned_bytes);
    else
        free(i->owned);
    free(i);
}

struct hm_intel_stats hm_intel_stats(const struct hm_intel *i)
{
    return i->stats;
}

static int into_buf(void *ctx, struct hm_slice piece)
{
    struct hm_buf *b = ctx;
    hm_buf_put(b, piece.p, piece.len);
    return b->error;
}

int hm_intel_build_memory(struct hm_intel_builder *b, enum hm_intel_form form,
                          uint64_t *ret_duplicates, struct hm_intel **ret_i)
{
    struct hm_buf blob = HM_BUF(HM_INTEL_BLOB_MAX_BYTES);
    int r = hm_intel_build(b, form, into_buf, &blob, ret_duplicates);
    if (r == 0)
        r = hm_intel_open(hm_buf_slice(&blob), ret_i, NULL);
    if (r < 0) {
        hm_buf_done(&blob);
        return r;
    }
    (*ret_i)->owned = blob.data;
    (*ret_i)->owned_bytes = blob.len;
    return 0;
}
