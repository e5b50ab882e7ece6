/* One sensor record: whatever hm_record_check takes must be readable to its last byte. */
#include "agent/sensor/limits.h"
#include "agent/sensor/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t read_all(const struct hm_rec_header *h, struct hm_rec_str s)
{
    struct hm_slice v = hm_record_str(h, s);
    uint64_t sum = 0;
    for (size_t i = 0; i < v.len; i++)
        sum += v.p[i];
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static volatile uint64_t sink; /* read below, or clang calls it unused */
    if (size > HM_SENSOR_RECORD_MAX + 1)
        return 0;
    void *at = malloc(size ? size : 1); /* exactly as long: a step past the record is seen */
    memcpy(at, data, size);
    const struct hm_rec_exec *e = (const void *)at;
    if (hm_record_check(hm_slice(at, size)) == 0 &&
        (e->h.type == HM_REC_EXEC || e->h.type == HM_REC_SNAPSHOT))
        sink += read_all(&e->h, e->path) + read_all(&e->h, e->args) + read_all(&e->h, e->cwd) +
                read_all(&e->h, e->interp) + read_all(&e->h, e->env) +
                read_all(&e->h, e->filename) + read_all(&e->h, e->cgroup);
    (void)sink;
    free(at);
    return 0;
}
