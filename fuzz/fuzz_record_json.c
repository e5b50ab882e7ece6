/* One line of JSON → record: whatever it is, it is read in full or refused, and what was read can
 * be asked for. */
#include "detect/record/record.h"
#include <stdlib.h>

static bool touch(void *ctx, struct hm_slice text)
{
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < text.len; i++)
        sum = (uint8_t)(sum + text.p[i]);
    return false;
}

static void ask(const struct hm_view *v, size_t names)
{
    char buf[HM_DATUM_BUF];
    struct hm_datum d;
    for (uint32_t i = 0; i < names + 1; i++) {
        v->get(v, i, buf, &d);
        bool there = i < names && v->present[i / 64] >> (i % 64) & 1;
        if (there != (d.kind != HM_DATUM_ABSENT))
            abort();
        touch(NULL, d.text);
        for (size_t k = 0; d.kind == HM_DATUM_LIST && k < d.count; k++)
            touch(NULL, d.items[k].text);
    }
    v->each_text(v, touch, NULL);
    touch(NULL, v->all_texts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a", "a.b", "a.b.c", "EventID", "Image", "l", "\xc3\xa9"};
    static struct hm_names *n;
    static struct hm_record *r;
    struct hm_error err = {0};
    if (!r) {
        n = hm_names_new();
        for (size_t i = 0; n && i < HM_ARRAY_LEN(names); i++)
            if (hm_names_intern(n, hm_slice_str(names[i])) != i)
                abort();
        r = n ? hm_record_new(n) : NULL;
        if (!r)
            abort();
    }
    int e = hm_record_parse(r, hm_slice(data, size), &err);
    if (e && (!err.text[0] || err.column == 0 || err.column > size + 1))
        abort();
    ask(hm_record_view(r), HM_ARRAY_LEN(names));
    return 0;
}
