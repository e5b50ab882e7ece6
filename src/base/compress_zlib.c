/* zlib behind compress.c: what Windows agents send. */
#include "base/compress_impl.h"
#include <errno.h>
#include <zlib.h>

size_t hm_zlib_bound(size_t len)
{
    return compressBound((uLong)len);
}

int hm_zlib_compress(struct hm_slice in, uint8_t *out, size_t *len)
{
    uLongf n = (uLongf)*len;

    if (compress2(out, &n, in.p, (uLong)in.len, 6) != Z_OK)
        return -ENOMEM;
    *len = n;
    return 0;
}

int hm_zlib_decompress(struct hm_slice in, uint8_t *out, size_t *len)
{
    uLongf n = (uLongf)*len;
    uLong read = (uLong)in.len;

    if (uncompress2(out, &n, in.p, &read) != Z_OK || read != in.len)
        return -EBADMSG;
    *len = n;
    return 0;
}
