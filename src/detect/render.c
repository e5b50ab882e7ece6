/* Owns the filling-in of a reason: "{process.image}" becomes the event's value, "{{" a brace. */
#include "detect/values.h"
#include "detect/ruleset.h"

#define VALUE_MAX 400 /* a reason is a sentence, not a dump: longer values end with … */

static void put_value(const struct hm_event *e, struct hm_slice name, struct hm_buf *out)
{
    int f = hm_field_by_name(name);
    char buf[64];
    struct hm_slice v = f < 0 ? (struct hm_slice){0} : hm_value_text(e, (enum hm_field)f, buf);
    if (v.len == 0) {
        hm_buf_puts(out, "-");
        return;
    }
    size_t n = v.len;
    if (n > VALUE_MAX) {
        n = VALUE_MAX;
        while (n > 0 && (v.p[n] & 0xC0) == 0x80) /* do not cut a character in two */
            n--;
    }
    hm_buf_put(out, v.p, n);
    if (n < v.len)
        hm_buf_puts(out, "…");
}

void hm_rule_render(const char *template, const struct hm_event *e, struct hm_buf *out)
{
    const char *p = template;
    while (*p) {
        const char *close = *p == '{' ? strchr(p, '}') : NULL;
        if (close && p[1] != '{') {
            put_value(e, hm_slice(p + 1, (size_t)(close - p - 1)), out);
            p = close + 1;
            continue;
        }
        if (p[0] == '{' && p[1] == '{')
            p++;
        hm_buf_put_u8(out, (uint8_t)*p++);
    }
}
