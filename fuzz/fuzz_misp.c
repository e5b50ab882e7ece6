/* MISP events: whatever the bytes, they load in part or are refused, and what was loaded opens. */
#include "intel_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_feed(hm_slice(data, size), HM_INTEL_FORMAT_MISP);
    return 0;
}
