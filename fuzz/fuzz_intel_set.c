/* Serialised sets: a hostile one is refused or misses, whatever it is asked. The checksum is made
 * right beforehand, so that the bytes behind it are reached. */
#include "base/crc32c.h"
#include "intel_feed.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hm_intel *i = NULL;
    uint8_t *copy = malloc(size ? size : 1);
    uint64_t bytes = size;
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    if (size >= 64) {
        memcpy(copy + 24, &bytes, sizeof bytes); /* struct hm_blob_header: bytes */
        uint32_t crc = hm_crc32c(0, hm_slice(copy, size - sizeof crc));
        memcpy(copy + size - sizeof crc, &crc, sizeof crc);
    }
    if (hm_intel_open(hm_slice(copy, size), &i, NULL) == 0)
        fuzz_ask(i);
    hm_intel_free(i);
    free(copy);
    return 0;
}
