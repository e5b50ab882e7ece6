/* zstd behind compress.c. Level 3: measured best for 64 KiB batches of events. */
#include "base/compress_impl.h"
#include <errno.h>
#include <zstd.h>

size_t hm_zstd_bound(size_t len)
{
    return ZSTD_compressBound(len);
}

int hm_zstd_compress(struct hm_slice in, uint8_t *out, size_t *len)
{
    size_t n = ZSTD_compress(out, *len, in.p, in.len, 3);

    if (ZSTD_isError(n))
        return -ENOMEM;
    *len = n;
    return 0;
}

int hm_zstd_decompress(struct hm_slice in, uint8_t *out, size_t *len)
{
    size_t n = ZSTD_decompress(out, *len, in.p, in.len);

    if (ZSTD_isError(n))
        return -EBADMSG;
    *len = n;
    return 0;
}
