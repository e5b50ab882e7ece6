/* Fills struct hm_error. Owns nothing; knows no caller. */
#include "base/error.h"
#include <stdarg.h>
#include <stdio.h>

static void place(struct hm_error *err, int code, uint32_t line, uint32_t column)
{
    err->code = code;
    err->line = line;
    err->column = column;
}

int hm_fail(struct hm_error *err, int code, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return code;
    place(err, code, 0, 0);
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    return code;
}

int hm_fail_at(struct hm_error *err, int code, uint32_t line, uint32_t column, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return code;
    place(err, code, line, column);
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    return code;
}
