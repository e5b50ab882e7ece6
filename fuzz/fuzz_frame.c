/* Frames of a stream: whatever comes, what is accepted fits and is inside the input. */
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hm_slice in = hm_slice(data, size), payload;
    uint16_t number;
    size_t used;

    while (hm_frame_peek(in, &number, &payload, &used) == 1) {
        if (used < 6 || used > in.len || payload.p < in.p || payload.p + payload.len > in.p + used)
            __builtin_trap();
        in = hm_slice(in.p + used, in.len - used);
    }
    return 0;
}
