/* See show.h. */
#include "cli/show.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <wchar.h>

/* Decode one code point; 0 bytes: malformed. */
static size_t decode(const uint8_t *p, size_t left, uint32_t *ret)
{
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    uint32_t v = n == 1 ? p[0] : p[0] & (0x7fu >> n);

    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3fu);
    }
    if ((n == 3 && v < 0x800) || (n == 4 && v < 0x10000) || v > 0x10ffff ||
        (v >= 0xd800 && v < 0xe000))
        return 0;
    *ret = v;
    return n;
}

/* What moves the cursor, turns the writing direction or cannot be seen. */
static bool hidden(uint32_t v)
{
    static const struct {
        uint32_t from, to;
    } ranges[] = {{0, 0x1f},          {0x7f, 0x9f},      {0xad, 0xad},     {0x34f, 0x34f},
                  {0x61c, 0x61c},     {0x115f, 0x1160},  {0x17b4, 0x17b5}, {0x180b, 0x180f},
                  {0x200b, 0x200f},   {0x2028, 0x202e},  {0x2060, 0x206f}, {0x3164, 0x3164},
                  {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},  {0xffa0, 0xffa0}, {0xfff0, 0xfffb},
                  {0x1bca0, 0x1bca3}, {0xe0000, 0xe0fff}};

    for (size_t i = 0; i < HM_ARRAY_LEN(ranges); i++)
        if (v >= ranges[i].from && v <= ranges[i].to)
            return true;
    return false;
}

void hm_show_text(const char *s, struct hm_buf *out)
{
    const uint8_t *p = (const uint8_t *)s;
    size_t left = strlen(s), n;
    uint32_t v;

    for (; left; p += n, left -= n) {
        n = decode(p, left, &v);
        if (n == 0) {
            n = 1;
            hm_buf_printf(out, "\\x%02x", p[0]);
        } else if (v == '\n') {
            hm_buf_puts(out, "\\n");
        } else if (v == '\t') {
            hm_buf_puts(out, "\\t");
        } else if (hidden(v)) {
            hm_buf_printf(out, "\\u{%04" PRIx32 "}", v);
        } else {
            hm_buf_put(out, p, n);
        }
    }
}

void hm_show_json_string(struct hm_slice s, struct hm_buf *out)
{
    size_t n;
    uint32_t v;

    for (size_t i = 0; i < s.len; i += n) {
        n = decode(s.p + i, s.len - i, &v);
        if (n == 0) {
            n = 1;
            hm_buf_puts(out, "\\ufffd");
        } else if (hidden(v) && v > 0xffff) {
            hm_buf_printf(out, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + ((v - 0x10000) >> 10),
                          0xdc00 + ((v - 0x10000) & 0x3ff));
        } else if (hidden(v)) {
            hm_buf_printf(out, "\\u%04" PRIx32, v);
        } else {
            hm_buf_put(out, s.p + i, n);
        }
    }
}

static size_t char_width(uint32_t v)
{
    int w = wcwidth((wchar_t)v);

    return w > 0 ? (size_t)w : w == 0 ? 0 : 1;
}

size_t hm_show_width(const char *s, size_t len)
{
    size_t width = 0, n;
    uint32_t v;

    for (size_t i = 0; i < len; i += n) {
        n = decode((const uint8_t *)s + i, len - i, &v);
        width += n ? char_width(v) : 1;
        n += n == 0;
    }
    return width;
}

void hm_show_time(const char *s, char *ret, size_t len)
{
    struct tm tm = {0}, local;
    time_t t;

    snprintf(ret, len, "-");
    if (!s || !*s || !strptime(s, "%Y-%m-%dT%H:%M:%S", &tm))
        return;
    t = timegm(&tm);
    if (localtime_r(&t, &local))
        strftime(ret, len, "%Y-%m-%d %H:%M:%S", &local);
}

size_t hm_terminal_width(void)
{
    struct winsize w;

    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col < 20)
        return 0;
    return w.ws_col;
}

/* ---- tables
 * ---------------------------------------------------------------------------------------*/

struct hm_table {
    size_t columns, cells, cap;
    char **text;
};

struct hm_table *hm_table_new(const struct hm_text *headers, size_t n, enum hm_lang lang)
{
    struct hm_table *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->columns = n < HM_COLUMNS_MAX ? n : HM_COLUMNS_MAX;
    for (size_t i = 0; i < t->columns; i++)
        hm_table_cell(t, hm_text(&headers[i], lang));
    return t;
}

void hm_table_cell(struct hm_table *t, const char *text)
{
    struct hm_buf b = HM_BUF(1024 * 1024);

    if (t->cells == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        char **more = realloc(t->text, cap * sizeof *more);
        if (!more)
            return;
        t->text = more;
        t->cap = cap;
    }
    hm_show_text(text && *text ? text : "-", &b);
    hm_buf_put_u8(&b, 0);
    if (b.error)
        hm_buf_done(&b);
    t->text[t->cells++] = (char *)b.data;
}

void hm_table_cellf(struct hm_table *t, const char *format, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyzer does not follow va_list */
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    hm_table_cell(t, text);
}

static const char *cell(const struct hm_table *t, size_t i)
{
    return t->text[i] ? t->text[i] : "";
}

/* As much of s as fits, with an ellipsis when something is missing. */
static void put_cut(const char *s, size_t room, struct hm_buf *out)
{
    size_t len = strlen(s), used = 0, n;
    uint32_t v;

    if (hm_show_width(s, len) <= room)
        return hm_buf_puts(out, s);
    for (size_t i = 0; i < len; i += n) {
        n = decode((const uint8_t *)s + i, len - i, &v);
        if (!n || used + char_width(v) + 1 > room)
            break;
        used += char_width(v);
        hm_buf_put(out, s + i, n);
    }
    hm_buf_puts(out, "…");
}

void hm_table_print(struct hm_table *t, size_t width, struct hm_buf *out)
{
    size_t widths[HM_COLUMNS_MAX] = {0}, before = 0;

    for (size_t i = 0; i < t->cells; i++) {
        size_t w = hm_show_width(cell(t, i), strlen(cell(t, i)));
        if (w > widths[i % t->columns])
            widths[i % t->columns] = w;
    }
    for (size_t i = 0; i + 1 < t->columns; i++)
        before += widths[i] + 2;
    for (size_t i = 0; i < t->cells; i++) {
        size_t col = i % t->columns, w = hm_show_width(cell(t, i), strlen(cell(t, i)));
        if (col + 1 < t->columns) {
            hm_buf_puts(out, cell(t, i));
            hm_buf_printf(out, "%*s", (int)(widths[col] - w + 2), "");
            continue;
        }
        if (width > before + 10)
            put_cut(cell(t, i), width - before, out);
        else
            hm_buf_puts(out, cell(t, i));
        hm_buf_put_u8(out, '\n');
    }
    for (size_t i = 0; i < t->cells; i++)
        free(t->text[i]);
    free(t->text);
    free(t);
}
