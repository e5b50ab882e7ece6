/* See container.h. */
#include "agent/engine/container.h"

static bool hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

struct hm_slice hm_container_id(struct hm_slice name)
{
    size_t run = 0;
    for (size_t i = 0; i <= name.len; i++) {
        if (i < name.len && hex(name.p[i])) {
            run++;
            continue;
        }
        /* exactly 64: shorter runs are unit names, longer ones are nobody's */
        if (run == HM_CONTAINER_ID_MAX)
            return hm_slice(name.p + i - run, run);
        run = 0;
    }
    return hm_slice(NULL, 0);
}
