/* From a body to its parts, one block at a time. Whatever is wrong ends the reading before the part
 * it is wrong in was said to be complete. */
#include "wire/bundle.h"
#include "base/compress.h"
#include "base/cursor.h"
#include <errno.h>
#include <stdlib.h>

struct entry { /* points into the manifest */
    struct hm_slice path;
    uint64_t size;
    const uint8_t *sha256;
};
struct reader {
    const struct hm_bundle_ops *ops;
    uint64_t left; /* bytes of the body */
    struct hm_buf manifest, raw, packed;
    struct entry *entries;
    size_t count, at;
    uint64_t got; /* of the part at hand */
    bool begun;
    struct hm_sha256 *hash;
    struct hm_error *err;
};

static int bad(struct reader *r, const char *what)
{
    return hm_fail(r->err, -EBADMSG, "%s", what);
}

static int take(struct reader *r, void *p, size_t len)
{
    if (len > r->left)
        return bad(r, "the bundle is cut off");
    int e = r->ops->read(r->ops->ctx, p, len);
    if (e == -ENODATA)
        return bad(r, "the bundle is cut off");
    r->left -= len;
    return e ? hm_fail(r->err, e, "the bundle cannot be read: %s", strerror(-e)) : 0;
}

/* The stated size bounds what is allocated and what a block may unpack to. */
static int read_block(struct reader *r, size_t max, struct hm_buf *out)
{
    uint8_t head[8];
    int e = take(r, head, sizeof head);
    if (e)
        return e;
    struct hm_cursor c = hm_cursor(hm_slice(head, sizeof head));
    uint32_t raw = hm_cursor_le32(&c), packed = hm_cursor_le32(&c);
    if (raw == 0 || raw > max || packed == 0 || packed > max + max / 64 + 1024)
        return bad(r, "a block has an impossible size");
    hm_buf_clear(&r->packed);
    uint8_t *p = packed <= r->left ? hm_buf_extend(&r->packed, packed) : NULL;
    if (!p)
        return packed <= r->left ? -ENOMEM : bad(r, "the bundle is cut off");
    if ((e = take(r, p, packed)))
        return e;
    hm_buf_clear(out);
    if (hm_decompress(HM_CODEC_ZSTD, hm_buf_slice(&r->packed), raw, out))
        return bad(r, "a block does not unpack to what it says");
    return 0;
}

/* ---- manifest ---- */

static int compare(struct hm_slice a, struct hm_slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = memcmp(a.p, b.p, n);
    return c ? c : a.len < b.len ? -1 : a.len > b.len;
}

static bool has(const struct reader *r, struct hm_slice path, size_t n)
{
    size_t low = 0;
    while (low < n) {
        size_t mid = low + (n - low) / 2;
        int c = compare(r->entries[mid].path, path);
        if (c == 0)
            return true;
        if (c < 0)
            low = mid + 1;
        else
            n = mid;
    }
    return false;
}

/* A part may not be a folder of another. */
static bool parent_is_part(const struct reader *r, size_t i)
{
    struct hm_slice path = r->entries[i].path;
    for (size_t k = 1; k < path.len; k++)
        if (path.p[k] == '/' && has(r, hm_slice(path.p, k), i))
            return true;
    return false;
}

static int check_entry(struct reader *r, size_t i, uint64_t *total)
{
    const struct entry *e = &r->entries[i];
    if (!hm_bundle_path_ok(e->path))
        return bad(r, "a path leads out of the bundle or is malformed");
    if (i && compare(r->entries[i - 1].path, e->path) >= 0)
        return bad(r, "a path is there twice, or the manifest is not in order");
    if (parent_is_part(r, i))
        return bad(r, "a path is a file and a folder");
    if (e->size > HM_BUNDLE_RAW_MAX || (*total += e->size) > HM_BUNDLE_RAW_MAX)
        return bad(r, "the parts are larger than a bundle may be");
    return 0;
}

static int read_manifest(struct reader *r)
{
    int e = read_block(r, HM_BUNDLE_MANIFEST_MAX, &r->manifest);
    if (e)
        return e;
    struct hm_cursor c = hm_cursor(hm_buf_slice(&r->manifest));
    uint64_t total = 0;
    r->count = hm_cursor_le32(&c);
    if (r->count == 0 || r->count > HM_BUNDLE_PARTS_MAX || r->count > hm_cursor_left(&c) / 43)
        return bad(r, "the manifest has an impossible number of parts");
    r->entries = calloc(r->count, sizeof *r->entries);
    if (!r->entries)
        return -ENOMEM;
    for (size_t i = 0; !e && i < r->count; i++) {
        r->entries[i].path = hm_cursor_take(&c, hm_cursor_le16(&c));
        r->entries[i].size = hm_cursor_le64(&c);
        r->entries[i].sha256 = hm_cursor_take(&c, HM_SHA256_BYTES).p;
        e = c.error ? bad(r, "the manifest is malformed") : check_entry(r, i, &total);
    }
    return !e && hm_cursor_end(&c) ? bad(r, "the manifest is malformed") : e;
}

/* ---- parts ---- */

static int begin_part(struct reader *r)
{
    const struct entry *e = &r->entries[r->at];
    char path[HM_BUNDLE_PATH_MAX + 1];
    memcpy(path, e->path.p, e->path.len);
    path[e->path.len] = 0;
    struct hm_bundle_part p = {.path = path, .size = e->size};
    memcpy(p.sha256, e->sha256, sizeof p.sha256);
    r->begun = true;
    r->got = 0;
    return r->ops->begin(r->ops->ctx, &p);
}

static int end_part(struct reader *r)
{
    uint8_t hash[HM_SHA256_BYTES];
    hm_sha256_final(r->hash, hash);
    if (memcmp(hash, r->entries[r->at].sha256, sizeof hash) != 0)
        return bad(r, "a part is not what the manifest says (SHA-256)");
    r->begun = false;
    r->at++;
    return r->ops->end(r->ops->ctx);
}

/* Hand out what a block holds: the rest of one part, whole parts, the start of another. Empty parts
 * end as soon as it is their turn. */
static int feed(struct reader *r, struct hm_slice block)
{
    int e = 0;
    while (!e && r->at < r->count) {
        if (!r->begun && (e = begin_part(r)))
            return e;
        uint64_t want = r->entries[r->at].size - r->got;
        size_t n = want < block.len ? (size_t)want : block.len;
        if (n) {
            hm_sha256_add(r->hash, hm_slice(block.p, n));
            e = r->ops->data(r->ops->ctx, hm_slice(block.p, n));
        }
        r->got += n;
        block = hm_slice(block.p + n, block.len - n);
        if (e || n < want)
            return e;
        e = end_part(r);
    }
    return !e && block.len ? bad(r, "there is more than the manifest says") : e;
}

static int read_body(struct reader *r)
{
    int e = read_manifest(r);
    if (!e)
        e = feed(r, hm_slice((const uint8_t *)"", 0));
    while (!e && r->at < r->count) {
        e = read_block(r, HM_BUNDLE_BLOCK_MAX, &r->raw);
        if (!e)
            e = feed(r, hm_buf_slice(&r->raw));
    }
    return !e && r->left ? bad(r, "there is more than the manifest says") : e;
}

int hm_bundle_read(uint64_t size, const struct hm_bundle_ops *ops, struct hm_error *err)
{
    struct reader r = {.ops = ops,
                       .left = size,
                       .manifest = HM_BUF(HM_BUNDLE_MANIFEST_MAX),
                       .raw = HM_BUF(HM_BUNDLE_BLOCK_MAX),
                       .packed = HM_BUF(HM_BUNDLE_MANIFEST_MAX * 2),
                       .hash = hm_sha256_new(),
                       .err = err};
    int e = r.hash ? read_body(&r) : -ENOMEM;
    hm_sha256_free(r.hash);
    hm_buf_done(&r.manifest);
    hm_buf_done(&r.raw);
    hm_buf_done(&r.packed);
    free(r.entries);
    return e;
}
