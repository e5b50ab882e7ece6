/* See calls.h. The numbers are this machine's. */
#include "agent/sensor/record.h"
#include "agent/sensor/calls.h"
#include <sys/syscall.h>

static const char *const names[] = {
#define RARE(name, args, mode, ...) #name,
#include "agent/sensor/calls.def"
};

const struct hm_rare_call hm_rare_calls[] = {
#define ONLY(count, ...)                                                                           \
    count,                                                                                         \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define RARE(name, args, mode, ...) {SYS_##name, HM_RARE_##mode, args, ONLY(__VA_ARGS__)},
#include "agent/sensor/calls.def"
};
const uint32_t hm_rare_count = HM_ARRAY_LEN(hm_rare_calls);
_Static_assert(HM_ARRAY_LEN(hm_rare_calls) <= HM_RARE_MAX, "one bit each");

const char *hm_rare_name(uint32_t i)
{
    return i < hm_rare_count ? names[i] : "";
}
