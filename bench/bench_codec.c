/* How many 22-field events a second one core encodes and decodes. Prints "encode decode bytes". */
#include "codec_event.h"
#include "codec_time.h"
#include "event/event.h"
#include <stdlib.h>

struct job {
    struct hm_event e, back;
    struct hm_buf out;
};

/* As the engine does it: clear, set, encode. */
static void encode(void *ctx)
{
    struct job *j = ctx;

    hm_event_clear(&j->e);
#define N(field, name, value) hm_event_set_u64(&j->e, HM_F_##field, value);
#define S(field, name, text)  hm_event_set(&j->e, HM_F_##field, hm_slice(text, sizeof(text) - 1));
    BENCH_FIELDS(N, S)
#undef N
#undef S
    hm_buf_clear(&j->out);
    hm_event_encode(&j->e, &j->out);
}

static void decode(void *ctx)
{
    struct job *j = ctx;

    if (hm_event_decode(hm_buf_slice(&j->out), &j->back) != 0)
        abort();
}

int main(void)
{
    static struct job j;

    j.out = HM_BUF(HM_EVENT_MAX_BYTES);
    double e = bench_rate(encode, &j);
    double d = bench_rate(decode, &j);
    int fields = 0;
    for (int f = 0; f < HM_FIELD_COUNT; f++)
        fields += hm_event_has(&j.back, (enum hm_field)f);
    if (fields != 22)
        return 1;
    printf("%.0f %.0f %zu\n", e, d, j.out.len);
    hm_buf_done(&j.out);
    return 0;
}
