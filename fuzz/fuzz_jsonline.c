/* One line of `hinomi sigma eval`: where its event is, the event as a record, its time. What is
 * unwrapped lies inside the line. */
#include "cli/unwrap.h"
#include "detect/instant.h"
#include "detect/record/record.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const fields[] = {NULL, ".", "event", "winlog"};
    static struct hm_names *names;
    static struct hm_record *record;
    struct hm_error err = {0};
    struct hm_slice event, line = hm_slice(data, size);
    int64_t ms;
    if (!names && (names = hm_names_new())) {
        (void)hm_names_intern(names, hm_slice_str("UtcTime"));
        (void)hm_names_intern(names, hm_slice_str("a.b"));
        record = hm_record_new(names);
    }
    if (!record)
        return 0;
    for (size_t i = 0; i < HM_ARRAY_LEN(fields); i++) {
        if (!hm_unwrap(line, fields[i], &event))
            continue;
        if (event.p < line.p || event.p + event.len > line.p + line.len)
            abort();
        if (hm_record_parse(record, event, &err) == 0) {
            char buf[HM_DATUM_BUF];
            struct hm_datum d;
            const struct hm_view *v = hm_record_view(record);
            v->get(v, 0, buf, &d);
            (void)hm_instant_read(d.text, &ms);
        }
    }
    (void)hm_instant_read(line, &ms);
    return 0;
}
