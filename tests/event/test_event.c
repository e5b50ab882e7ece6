/* event: runs the groups of the files beside this one. */
#include "test_event.h"

static size_t length_for(enum hm_type type, uint64_t x)
{
    return type == HM_TYPE_IP ? (x & 1 ? 16 : 4) : x % 64;
}

void fill_all(struct hm_event *e, uint64_t seed, uint8_t store[HM_FIELD_COUNT][64])
{
    uint64_t x = seed * 2 + 1;

    hm_event_clear(e);
    for (int f = 0; f < HM_FIELD_COUNT; f++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        enum hm_type t = hm_fields[f].type;
        if (t == HM_TYPE_U64 || t == HM_TYPE_X64) {
            hm_event_set_u64(e, (enum hm_field)f, x >> (x >> 58));
            continue;
        }
        for (int i = 0; i < 64; i++)
            store[f][i] = (uint8_t)(x >> (i % 8 * 8)) ^ (uint8_t)i;
        hm_event_set(e, (enum hm_field)f, hm_slice(store[f], length_for(t, x >> 32)));
    }
}

int main(int argc, char **argv)
{
    int failed = 0;

    failed += test_codec();
    failed += test_json();
    failed += test_names();
    failed += test_schema();
    return failed != 0;
}
