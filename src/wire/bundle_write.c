/* From parts in memory to a body. Owns the order of parts and the size of blocks. */
#include "wire/bundle.h"
#include "base/compress.h"
#include <errno.h>
#include <stdlib.h>

struct writer {
    int (*write)(void *ctx, struct hm_slice bytes);
    void *ctx;
    struct hm_buf raw, packed; /* the block being filled; its compressed form */
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct hm_bundle_input *)a)->path,
                  ((const struct hm_bundle_input *)b)->path);
}

/* Is path also a folder of the next one? Between them only names that sort before '/' may stand. */
static bool is_folder(const struct hm_bundle_input *parts, size_t n, size_t i)
{
    size_t len = strlen(parts[i].path);
    for (size_t k = i + 1; k < n && strncmp(parts[k].path, parts[i].path, len) == 0; k++)
        if (parts[k].path[len] == '/')
            return true;
    return false;
}

static int check(struct hm_bundle_input *parts, size_t n, struct hm_error *err)
{
    uint64_t total = 0;
    if (n == 0 || n > HM_BUNDLE_PARTS_MAX)
        return hm_fail(err, n ? -E2BIG : -EINVAL, "%zu parts; allowed are 1 to %d", n,
                       HM_BUNDLE_PARTS_MAX);
    qsort(parts, n, sizeof *parts, by_path);
    for (size_t i = 0; i < n; i++) {
        total += parts[i].data.len;
        if (!hm_bundle_path_ok(hm_slice_str(parts[i].path)))
            return hm_fail(err, -EINVAL, "%.200s: not a path for a bundle", parts[i].path);
        if ((i && strcmp(parts[i].path, parts[i - 1].path) == 0) || is_folder(parts, n, i))
            return hm_fail(err, -EINVAL, "%.200s is there twice", parts[i].path);
    }
    if (total > HM_BUNDLE_RAW_MAX)
        return hm_fail(err, -E2BIG, "%llu MiB of content; at most %llu MiB",
                       (unsigned long long)total >> 20, HM_BUNDLE_RAW_MAX >> 20);
    return 0;
}

static int flush(struct writer *w)
{
    if (w->raw.error || w->raw.len == 0)
        return w->raw.error;
    hm_buf_clear(&w->packed);
    hm_buf_put_le32(&w->packed, (uint32_t)w->raw.len);
    hm_buf_put_le32(&w->packed, 0);
    int r = hm_compress(HM_CODEC_ZSTD, hm_buf_slice(&w->raw), &w->packed);
    if (r)
        return r;
    uint32_t packed = (uint32_t)w->packed.len - 8;
    for (int i = 0; i < 4; i++)
        w->packed.data[4 + i] = (uint8_t)(packed >> 8 * i);
    hm_buf_clear(&w->raw);
    return w->write(w->ctx, hm_buf_slice(&w->packed));
}

static int write_manifest(struct writer *w, const struct hm_bundle_input *parts, size_t n)
{
    uint8_t hash[HM_SHA256_BYTES];
    hm_buf_put_le32(&w->raw, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        struct hm_slice path = hm_slice_str(parts[i].path);
        hm_sha256(parts[i].data, hash);
        hm_buf_put_le16(&w->raw, (uint16_t)path.len);
        hm_buf_put(&w->raw, path.p, path.len);
        hm_buf_put_le64(&w->raw, parts[i].data.len);
        hm_buf_put(&w->raw, hash, sizeof hash);
    }
    return flush(w);
}

static int write_part(struct writer *w, struct hm_slice data)
{
    int r = 0;
    while (!r && data.len) {
        size_t room = HM_BUNDLE_BLOCK_MAX - w->raw.len, n = data.len < room ? data.len : room;
        hm_buf_put(&w->raw, data.p, n);
        data = hm_slice(data.p + n, data.len - n);
        if (w->raw.len == HM_BUNDLE_BLOCK_MAX)
            r = flush(w);
    }
    return r ? r : w->raw.error;
}

int hm_bundle_write(struct hm_bundle_input *parts, size_t n,
                    int (*write)(void *ctx, struct hm_slice bytes), void *ctx, struct hm_error *err)
{
    struct writer w = {.write = write,
                       .ctx = ctx,
                       .raw = HM_BUF(HM_BUNDLE_MANIFEST_MAX),
                       .packed = HM_BUF(HM_BUNDLE_MANIFEST_MAX * 2)};
    int r = check(parts, n, err);
    if (r)
        return r;
    r = write_manifest(&w, parts, n);
    for (size_t i = 0; !r && i < n; i++)
        r = write_part(&w, parts[i].data);
    if (!r)
        r = flush(&w);
    hm_buf_done(&w.raw);
    hm_buf_done(&w.packed);
    return r ? hm_fail(err, r, "cannot write the bundle: %s", strerror(-r)) : 0;
}
