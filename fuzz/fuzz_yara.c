/* What comes back from inspect, which parses malware, and /proc/PID/maps, whose paths a process
 * chooses. First byte: which of the two. */
#include "detect/yara/hits.h"
#include "detect/yara/maps.h"
#include <stdlib.h>

static void hits(struct hm_slice s)
{
    struct hm_cursor in = hm_cursor(s);
    struct hm_yara_hit h;
    struct hm_buf out = HM_BUF(1 << 20), again = HM_BUF(1 << 20);
    while (hm_yara_hit_next(&in, &h) == 1) {
        uint8_t severity = hm_yara_hit_severity(&h);
        if (severity < 1 || severity > 5 || !h.rule.len)
            abort();
        hm_yara_hit_places(&h, &out);
        hm_yara_hit_techniques(&h, &out);
        hm_yara_hit_put(&h, &again); /* what was read can be told again */
    }
    if (again.error)
        abort();
    hm_buf_done(&out);
    hm_buf_done(&again);
}

static void maps(struct hm_slice s)
{
    struct hm_yara_region r[64];
    size_t n = hm_yara_maps(s, r, HM_ARRAY_LEN(r));
    for (size_t i = 0; i < n; i++)
        if (r[i].size == 0 || r[i].base + r[i].size < r[i].base)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct hm_slice s = hm_slice(data + 1, size - 1);
    if (data[0] & 1)
        maps(s);
    else
        hits(s);
    return 0;
}
