/* See text_store.h. Owns one mapping; knows no columns. */
#include "server/core/text_store.h"

/* U+10FF80..U+10FFFF in UTF-8: f4 8f be 80 .. f4 8f bf bf. */
static bool is_escape(const uint8_t *p, size_t left)
{
    return left >= 4 && p[0] == 0xf4 && p[1] == 0x8f && (p[2] == 0xbe || p[2] == 0xbf) &&
           (p[3] & 0xc0) == 0x80;
}

/* Length of the well-formed sequence at p (Unicode 15, table 3-7), 0: none, or one of ours. */
static size_t plain_len(const uint8_t *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4 || is_escape(p, left))
        return 0;
    size_t n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (left < n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

static size_t plain_run(struct hm_slice s, size_t at)
{
    size_t i = at;
    while (i < s.len) {
        uint64_t w; /* eight ASCII bytes at a time: nearly everything is */
        if (s.len - i >= 8 && (memcpy(&w, s.p + i, 8), (w & 0x8080808080808080ull) == 0)) {
            i += 8;
            continue;
        }
        size_t n = plain_len(s.p + i, s.len - i);
        if (!n)
            break;
        i += n;
    }
    return i - at;
}

bool hm_text_storable(struct hm_slice s)
{
    return plain_run(s, 0) == s.len;
}

void hm_text_store(struct hm_slice s, struct hm_buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        size_t n = plain_run(s, i);
        hm_buf_put(out, s.p + i, n);
        i += n;
        if (i == s.len)
            break;
        uint8_t b = s.p[i]; /* always 0x80 or more */
        uint8_t utf8[4] = {0xf4, 0x8f, (uint8_t)(b < 0xc0 ? 0xbe : 0xbf),
                           (uint8_t)(0x80 | (b & 0x3f))};
        hm_buf_put(out, utf8, sizeof utf8);
    }
}

void hm_text_restore(struct hm_slice stored, struct hm_buf *out)
{
    size_t from = 0;
    for (size_t i = 0; i < stored.len; i++) {
        if (!is_escape(stored.p + i, stored.len - i))
            continue;
        if (i > from)
            hm_buf_put(out, stored.p + from, i - from);
        hm_buf_put_u8(
            out, (uint8_t)((stored.p[i + 2] == 0xbe ? 0x80 : 0xc0) | (stored.p[i + 3] & 0x3f)));
        i += 3;
        from = i + 1;
    }
    if (from < stored.len)
        hm_buf_put(out, stored.p + from, stored.len - from);
}
