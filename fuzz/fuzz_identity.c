/* trust.json: written by us, but on a disk others may have touched. */
#include "agent/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hm_identity id;
    if (hm_identity_parse(hm_slice(data, size), &id, NULL) == 0 &&
        id.key_set_len > HM_IDENTITY_KEYSET_MAX)
        __builtin_trap();
    return 0;
}
