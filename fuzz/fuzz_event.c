/* An endpoint's event: refused, or it re-encodes to itself and its JSON ends where it should. */
#include "event/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hm_event e;
    struct hm_buf again = HM_BUF(HM_EVENT_MAX_BYTES * 2), json = HM_BUF(16 << 20);

    if (hm_event_decode(hm_slice(data, size), &e) < 0)
        return 0;
    hm_event_encode(&e, &again);
    if (!hm_slice_eq(hm_buf_slice(&again), hm_slice(data, size)))
        __builtin_trap();
    hm_event_to_json(&e, &json);
    if (json.error || json.len < 2 || json.data[json.len - 1] != '}')
        __builtin_trap();
    for (size_t i = 0; i < json.len; i++)
        if (json.data[i] < 0x20)
            __builtin_trap();
    hm_buf_done(&again);
    hm_buf_done(&json);
    return 0;
}
