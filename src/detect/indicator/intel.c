/* Opening a blob: what is checked here is that sections lie within it; what is inside a section is
 * checked where it is used (lookup.c), so opening costs one pass for the checksum. */
#include "base/crc32c.h"
#include "detect/indicator/set.h"
#include "detect/indicator/stage.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const size_t element[HM_BLOB_SECTIONS] = {[HM_BLOB_FILTER] = HM_FILTER_BLOCK,
                                                 [HM_BLOB_INDEX] = sizeof(uint32_t),
                                                 [HM_BLOB_ENTRIES] = sizeof(struct hm_blob_entry),
                                                 [HM_BLOB_VALUES] = 1,
                                                 [HM_BLOB_DETAILS] = sizeof(struct hm_blob_detail),
                                                 [HM_BLOB_SOURCES] = sizeof(uint32_t),
                                                 [HM_BLOB_TEXTS] = 1,
                                                 [HM_BLOB_BLOCKS4] = sizeof(struct hm_blob_block),
                                                 [HM_BLOB_BLOCKS6] = sizeof(struct hm_blob_block),
                                                 [HM_BLOB_REGEXES] = 1,
                                                 [HM_BLOB_JOINS] = sizeof(struct hm_blob_join),
                                                 [HM_BLOB_TERMS] = 1};

static int place_sections(struct hm_intel *i, struct hm_slice blob, const struct hm_blob_header *h,
                          struct hm_error *err)
{
    for (int s = 0; s < HM_BLOB_SECTIONS; s++) {
        uint64_t at = h->section[s].offset, len = h->section[s].length;
        if (at > blob.len || len > blob.len - at || at % HM_BLOB_ALIGN || len % element[s])
            return hm_fail(err, -EBADMSG, "section %d of the indicator set lies outside it", s);
        i->s[s] = hm_slice(blob.p + at, (size_t)len);
    }
    i->count = i->s[HM_BLOB_ENTRIES].len / sizeof(struct hm_blob_entry);
    i->details = i->s[HM_BLOB_DETAILS].len / sizeof(struct hm_blob_detail);
    i->filter_blocks = i->s[HM_BLOB_FILTER].len / HM_FILTER_BLOCK;
    i->index_bits = h->index_bits;
    if (h->index_bits > 24 ||
        i->s[HM_BLOB_INDEX].len != ((UINT64_C(1) << h->index_bits) + 1) * sizeof(uint32_t) ||
        (i->count && !i->filter_blocks))
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
        if (!i->regexes)
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

int hm_intel_map(int fd, struct hm_intel **ret_i, struct hm_error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return hm_fail(err, -errno, "indicator set: %s", strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size > HM_INTEL_BLOB_MAX_BYTES)
        return hm_fail(err, -EBADMSG, "not the file of an indicator set");
    size_t bytes = (size_t)st.st_size;
    void *p = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return hm_fail(err, -errno, "indicator set: %s", strerror(errno));
    int r = hm_intel_open(hm_slice(p, bytes), ret_i, err);
    if (r < 0) {
        munmap(p, bytes);
        return r;
    }
    madvise(p, bytes, MADV_RANDOM); /* look-ups jump: reading ahead would fill memory for nothing */
    (*ret_i)->owned = p;
    (*ret_i)->owned_bytes = bytes;
    (*ret_i)->mapped = true;
    return 0;
}

void hm_intel_free(struct hm_intel *i)
{
    if (!i)
        return;
    hm_intel_regexes_free(i->regexes);
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
