/* JSON made readable without parsing it into numbers: 64-bit values stay what they are. */
#include "cli/cli.h"
#include "cli/show.h"
#include <string.h>

static void new_line(struct hm_buf *out, int depth)
{
    hm_buf_put_u8(out, '\n');
    for (int i = 0; i < depth; i++)
        hm_buf_puts(out, "  ");
}

/* The string that begins at p, quotes and all. */
static size_t string_length(const uint8_t *p, size_t left)
{
    size_t i = 1;

    while (i < left && p[i] != '"')
        i += p[i] == '\\' ? 2 : 1;
    return i < left ? i + 1 : left;
}

void hm_json_pretty(struct hm_slice in, struct hm_buf *out)
{
    int depth = 0;
    size_t n;

    for (size_t i = 0; i < in.len; i += n) {
        uint8_t c = in.p[i];
        n = 1;
        if (c == '"') {
            n = string_length(in.p + i, in.len - i);
            hm_show_json_string(hm_slice(in.p + i, n), out);
        } else if (c == '{' || c == '[') {
            hm_buf_put_u8(out, c);
            if (i + 1 < in.len && in.p[i + 1] == c + 2) { /* {} and [] stay together */
                hm_buf_put_u8(out, in.p[i + 1]);
                n = 2;
            } else {
                new_line(out, ++depth);
            }
        } else if (c == '}' || c == ']') {
            new_line(out, depth > 0 ? --depth : 0);
            hm_buf_put_u8(out, c);
        } else if (c == ',') {
            hm_buf_put_u8(out, c);
            new_line(out, depth);
        } else if (c == ':') {
            hm_buf_puts(out, ": ");
        } else if (c > ' ') {
            hm_buf_put_u8(out, c);
        }
    }
    hm_buf_put_u8(out, '\n');
}

/* The value that begins at i: up to the comma or bracket that ends it. */
static size_t value_length(struct hm_slice in, size_t i)
{
    int depth = 0;
    size_t n, at = i;

    for (; at < in.len; at += n) {
        uint8_t c = in.p[at];
        n = c == '"' ? string_length(in.p + at, in.len - at) : 1;
        if (depth == 0 && (c == ',' || c == ']' || c == '}'))
            break;
        depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
    }
    return at - i;
}

void hm_json_items(struct hm_slice in, struct hm_buf *out)
{
    static const char key[] = "\"items\":[";
    const uint8_t *begin = in.len ? memmem(in.p, in.len, key, sizeof key - 1) : NULL;
    size_t i = begin ? (size_t)(begin - in.p) + sizeof key - 1 : in.len, n;

    for (; i < in.len && in.p[i] != ']'; i += n + (i + n < in.len && in.p[i + n] == ',')) {
        n = value_length(in, i);
        hm_show_json_string(hm_slice(in.p + i, n), out);
        hm_buf_put_u8(out, '\n');
    }
}

const cJSON *hm_jo(const cJSON *o, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(o, name);
}

const char *hm_js(const cJSON *o, const char *name)
{
    const char *s = cJSON_GetStringValue(hm_jo(o, name));

    return s ? s : "";
}

double hm_jn(const cJSON *o, const char *name)
{
    const cJSON *v = hm_jo(o, name);

    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

bool hm_jb(const cJSON *o, const char *name)
{
    return cJSON_IsTrue(hm_jo(o, name));
}
