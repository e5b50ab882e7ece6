/* A saved state of the correlation runtime: whatever its bytes, loading refuses or holds together,
 * and events can go on from it. The first byte picks the kind of correlation. */
#include "detect/correlate/correlate.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void get(const struct hm_view *v, uint32_t field, char buf[HM_DATUM_BUF],
                struct hm_datum *ret_d)
{
    static const char *const texts[] = {"eva", "7"};
    (void)v;
    (void)buf;
    *ret_d = (struct hm_datum){.kind = HM_DATUM_TEXT, .text = hm_slice_str(texts[field & 1])};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t group[] = {0}, value[] = {1}, rules[] = {0, 1};
    static const char *names[] = {"User"};
    struct hm_correlation_ref refs[] = {{.rule = 0, .group = group, .value_fields = value},
                                        {.rule = 1, .group = group, .value_fields = value}};
    if (size == 0)
        return 0;
    enum hm_correlation_kind kind =
        (enum hm_correlation_kind)(data[0] % (HM_CORRELATION_VALUE_PERCENTILE + 1));
    bool temporal = kind == HM_CORRELATION_TEMPORAL || kind == HM_CORRELATION_TEMPORAL_ORDERED;
    struct hm_correlation c = {.kind = kind,
                               .timespan_ms = 60000,
                               .group_count = 1,
                               .group_names = names,
                               .ref_count = 2,
                               .refs = refs,
                               .value_field_count = 1,
                               .bound_count = 1,
                               .bounds = {{HM_BOUND_GTE, 2}},
                               .percentile = 50};
    struct hm_correlate_item item = {temporal ? "t" : "c", 1, &c};
    struct hm_correlate_set set = {.rules = 2, .count = 1, .items = &item};
    struct hm_correlate_options o = {.bytes_max = 1 << 20};
    struct hm_correlator *x = NULL;
    struct hm_view v = {.get = get};
    if (hm_correlator_new(&set, &o, NULL, NULL, &x) < 0)
        return 0;
    int r = hm_correlator_load(x, hm_slice(data + 1, size - 1));
    if (r != 0 && r != -EBADMSG && r != -ENOMEM)
        abort();
    for (uint64_t t = 0; t < 200000; t += 20000)
        hm_correlator_event(x, &v, rules, 2, t, t, NULL, NULL);
    struct hm_correlate_counts n;
    hm_correlator_counts(x, 0, &n);
    if (n.bytes > 1 << 20)
        abort();
    hm_correlator_free(x);
    return 0;
}
