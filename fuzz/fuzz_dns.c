/* A DNS answer, as it comes from anybody's port 53. */
#include "agent/engine/dns.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct hm_dns_answer a = {.answers = HM_BUF(4096)};
    if (hm_dns_read(hm_slice(data, len), &a) == 0 && strlen(a.name) >= HM_DNS_NAME_BYTES)
        abort();
    hm_buf_done(&a.answers);
    return 0;
}
