/* One read() of a fanotify descriptor: lengths that lie must neither read outside nor loop. */
#include "agent/engine/fanotify.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hm_cursor c = hm_cursor(hm_slice(data, size));
    struct hm_fan_event e;
    while (hm_fan_next(&c, &e) == 1) {
        const struct hm_slice parts[] = {e.dir.fsid,       e.dir.handle,  e.new_dir.fsid,
                                         e.new_dir.handle, e.target.fsid, e.target.handle,
                                         e.name,           e.new_name};
        for (size_t i = 0; i < HM_ARRAY_LEN(parts); i++)
            if (parts[i].len && (parts[i].p < data || parts[i].p + parts[i].len > data + size))
                abort();
    }
    return 0;
}
