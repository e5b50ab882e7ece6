/* What a hunt worker reads before it is locked in (its spec, file names that go into SQL), the
 * gateway's record as core accepts it, and text columns, which must give back every byte. */
#include "server/core/record.h"
#include "server/core/text_store.h"
#include "server/hunt/query.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void files(struct hm_slice in)
{
    struct hm_hunt_files f;
    if (hm_hunt_files_parse(in, &f))
        return;
    for (size_t i = 0; i < f.count; i++)
        for (size_t j = 0; j < f.names[i].len; j++)
            if (f.names[i].p[j] == '\'' || f.names[i].p[j] == '\\' || f.names[i].p[j] < 0x20)
                abort(); /* it would end up inside a text of SQL */
    free(f.names);
}

static void text(struct hm_slice in)
{
    struct hm_buf stored = HM_BUF(1 << 24), back = HM_BUF(1 << 24);
    hm_text_store(in, &stored);
    hm_text_restore(hm_buf_slice(&stored), &back);
    if (!stored.error && !back.error && !hm_slice_eq(in, hm_buf_slice(&back)))
        abort();
    if (hm_text_storable(in) && !hm_slice_eq(in, hm_buf_slice(&stored)))
        abort();
    hm_buf_done(&stored);
    hm_buf_done(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hm_slice in = hm_slice(data, size);
    struct hm_gateway_record rec;
    struct hm_msg_hunt_spec m;
    files(in);
    text(in);
    if (hm_gateway_record_parse(in, &rec) == 0 && memchr(rec.tenant.p, '/', rec.tenant.len))
        abort(); /* it names a folder */
    if (hm_msg_decode(&hm_desc_hunt_spec, in, &m) == 0)
        files(m.files);
    return 0;
}
