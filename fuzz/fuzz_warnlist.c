/* MISP warning lists: they load or are refused; what loaded can be asked. */
#include "detect/indicator/indicator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const values[] = {"10.1.2.3", "2001:db8::1/64", "a.b.example.com",
                                         "http://example.com/x", "/tmp/x"};
    struct hm_warnlist *w = hm_warnlist_new();
    uint64_t skipped = 0;
    struct hm_error err;
    if (!w)
        return 0;
    if (hm_warnlist_add(w, hm_slice(data, size), &skipped, &err) == 0 && hm_warnlist_seal(w) == 0)
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
            for (int k = 0; k < HM_INTEL_KINDS; k++)
                hm_warnlist_find(w, (enum hm_intel_kind)k, hm_slice_str(values[i]));
    hm_warnlist_free(w);
    return 0;
}
