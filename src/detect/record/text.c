/* Owns the inside of JSON strings: where one ends, whether it is UTF-8, what its escapes mean. */
#include "detect/record/reader.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

const uint8_t *hm_text_plain(const uint8_t *p, const uint8_t *end, bool *ret_high)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), back = _mm_set1_epi8('\\'), low = _mm_set1_epi8(0x1f);
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)p);
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, low), v);
        __m128i stop =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, back)), control);
        unsigned stops = (unsigned)_mm_movemask_epi8(stop), high = (unsigned)_mm_movemask_epi8(v);
        if (stops) {
            unsigned at = (unsigned)__builtin_ctz(stops);
            *ret_high |= (high & ((1u << at) - 1)) != 0;
            return p + at;
        }
        *ret_high |= high != 0;
    }
#endif
    for (; p < end && *p != '"' && *p != '\\' && *p >= 0x20; p++)
        *ret_high |= *p >= 0x80;
    return p;
}

/* Table 3-7 of the Unicode standard: no surrogates, no overlong forms, nothing past U+10FFFF. */
bool hm_text_utf8(const uint8_t *p, size_t len)
{
    const uint8_t *end = p + len;
    while (p < end) {
        uint8_t c = *p++;
        if (c < 0x80)
            continue;
        unsigned more = c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : 3;
        uint8_t least = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        uint8_t most = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (c < 0xc2 || c > 0xf4 || (size_t)(end - p) < more || *p < least || *p > most)
            return false;
        for (p++; --more; p++)
            if ((*p & 0xc0) != 0x80)
                return false;
    }
    return true;
}

static int hex4(const uint8_t *p)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];
        int d = c >= '0' && c <= '9'                     ? c - '0'
                : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                         : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

static size_t put_utf8(uint32_t c, uint8_t *out)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

/* p is after "\u". Half a pair is read as U+FFFD: what a rule cannot name need not stop a feed. */
static size_t code_point(const uint8_t *p, size_t left, uint32_t *ret_c)
{
    int a = left >= 4 ? hex4(p) : -1, b = -1;
    if (a < 0)
        return 0;
    *ret_c = (uint32_t)a;
    if (a < 0xd800 || a > 0xdfff)
        return 4;
    if (a < 0xdc00 && left >= 10 && p[4] == '\\' && p[5] == 'u')
        b = hex4(p + 6);
    if (b >= 0xdc00 && b <= 0xdfff) {
        *ret_c = 0x10000 + ((uint32_t)(a - 0xd800) << 10) + (uint32_t)(b - 0xdc00);
        return 10;
    }
    *ret_c = 0xfffd;
    return 4;
}

size_t hm_text_unescape(const uint8_t *p, size_t len, uint8_t *out)
{
    static const char plain[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        const uint8_t *back = memchr(p + i, '\\', len - i);
        size_t run = back ? (size_t)(back - (p + i)) : len - i;
        memcpy(out + n, p + i, run);
        n += run;
        i += run;
        if (i >= len)
            break;
        if (i + 1 >= len)
            return SIZE_MAX;
        uint8_t c = p[i + 1];
        const char *at = c ? strchr(plain, c) : NULL;
        i += 2;
        if (at) {
            out[n++] = (uint8_t)means[at - plain];
            continue;
        }
        uint32_t code;
        size_t used = c == 'u' ? code_point(p + i, len - i, &code) : 0;
        if (!used)
            return SIZE_MAX;
        i += used;
        n += put_utf8(code, out + n);
    }
    return n;
}
