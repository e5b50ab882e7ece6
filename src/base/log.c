/* The log sink: one line a message, one write() a line. Knows nothing of rotation or of journald:
 * whoever starts the process owns the descriptor. */
#include "base/log.h"
#include "base/clock.h"
#include "base/limits.h"
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static struct {
    char ident[HM_LOG_IDENT_BYTES];
    int fd;
    enum hm_log_level level;
} sink = {"hinomi", 2, HM_LOG_INFO};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void hm_log_init(const char *ident, int fd)
{
    const char *want = getenv("HINOMI_LOG");

    snprintf(sink.ident, sizeof sink.ident, "%s", ident);
    sink.fd = fd;
    sink.level = HM_LOG_INFO;
    for (size_t i = 0; want && i < HM_ARRAY_LEN(level_names); i++)
        if (strcmp(want, level_names[i]) == 0)
            sink.level = (enum hm_log_level)i;
}

/* C0, DEL, and C1 in its UTF-8 form (C2 80..9F): terminals obey all of them. */
static int is_control(const uint8_t *p)
{
    return *p < 0x20 || *p == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0);
}

static size_t escape(const char *text, char *out, size_t cap)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;

    for (const uint8_t *p = (const uint8_t *)text; *p && n + 4 < cap; p++) {
        if (!is_control(p)) {
            out[n++] = (char)*p;
            continue;
        }
        out[n++] = '\\';
        out[n++] = 'x';
        out[n++] = hex[*p >> 4];
        out[n++] = hex[*p & 15];
    }
    return n;
}

/* time level ident: escaped text, newline; returns the length */
static size_t compose(enum hm_log_level level, const char *text, char *line, size_t cap)
{
    char when[32];
    int n =
        snprintf(line, cap, "%s %s %s: ", hm_clock_format(hm_clock_wall_ns(), when, sizeof when),
                 level_names[level], sink.ident);
    size_t len = (size_t)n + escape(text, line + n, cap - (size_t)n - 1);

    line[len++] = '\n';
    return len;
}

void hm_log(enum hm_log_level level, const char *fmt, ...)
{
    char text[HM_LOG_TEXT_BYTES], line[HM_LOG_TEXT_BYTES + 128];
    int saved = errno; /* callers log first and return errno after */
    va_list ap;

    va_start(ap, fmt);
    int want = level < sink.level ? -1 : vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (want < 0)
        return;
    if ((size_t)want >= sizeof text)
        memcpy(text + sizeof text - 4, "...", 4);
    if (write(sink.fd, line, compose(level, text, line, sizeof line)) < 0)
        saved = saved ? saved : EIO; /* nowhere left to say it */
    errno = saved;
}
