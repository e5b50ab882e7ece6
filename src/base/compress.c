/* Picks the codec and holds the stated size; knows nothing of batches. */
#include "base/compress.h"
#include "base/compress_impl.h"
#include <errno.h>

struct codec {
    size_t (*bound)(size_t len);
    int (*compress)(struct hm_slice in, uint8_t *out, size_t *len);
    int (*decompress)(struct hm_slice in, uint8_t *out, size_t *len);
};

static const struct codec codecs[] = {
#ifndef _WIN32
    [HM_CODEC_ZSTD] = {hm_zstd_bound, hm_zstd_compress, hm_zstd_decompress},
#endif
    [HM_CODEC_ZLIB] = {hm_zlib_bound, hm_zlib_compress, hm_zlib_decompress},
};

enum hm_codec hm_compress_default(void)
{
#ifdef _WIN32
    return HM_CODEC_ZLIB;
#else
    return HM_CODEC_ZSTD;
#endif
}

static const struct codec *codec_of(enum hm_codec c)
{
    return (size_t)c < HM_ARRAY_LEN(codecs) && codecs[c].bound ? &codecs[c] : NULL;
}

int hm_compress(enum hm_codec codec, struct hm_slice in, struct hm_buf *out)
{
    const struct codec *c = codec_of(codec);

    if (codec == HM_CODEC_NONE) {
        hm_buf_put(out, in.p, in.len);
        return out->error;
    }
    if (!c)
        return -EPROTONOSUPPORT;
    hm_autofree uint8_t *tmp = malloc(c->bound(in.len));
    size_t n = c->bound(in.len);
    int r = tmp ? c->compress(in, tmp, &n) : -ENOMEM;
    if (r < 0)
        return r;
    hm_buf_put(out, tmp, n);
    return out->error;
}

int hm_decompress(enum hm_codec codec, struct hm_slice in, size_t raw_len, struct hm_buf *out)
{
    const struct codec *c = codec_of(codec);

    if (codec == HM_CODEC_NONE) {
        if (in.len != raw_len)
            return -EBADMSG;
        hm_buf_put(out, in.p, in.len);
        return out->error;
    }
    if (!c)
        return -EPROTONOSUPPORT;
    size_t before = out->len, n = raw_len;
    uint8_t *to = hm_buf_extend(out, raw_len);
    if (!to)
        return out->error;
    int r = c->decompress(in, to, &n);
    if (r == 0 && n != raw_len)
        r = -EBADMSG;
    if (r < 0)
        out->len = before;
    return r;
}
