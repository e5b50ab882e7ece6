/* Owns how a value reads as a number, and as a time of which one part is asked for. */
#include "detect/ast.h"
#include "detect/match/scratch.h"
#include <time.h>

static bool digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* -?digits(.digits)?([eE][+-]?digits)?, and nothing else. */
static bool number_form(struct hm_slice s, bool *ret_real)
{
    size_t i = s.len && s.p[0] == '-', from = i;
    *ret_real = false;
    while (i < s.len && digit(s.p[i]))
        i++;
    if (i == from)
        return false;
    if (i < s.len && s.p[i] == '.') {
        *ret_real = true;
        for (from = ++i; i < s.len && digit(s.p[i]); i++)
            ;
        if (i == from)
            return false;
    }
    if (i < s.len && (s.p[i] | 0x20) == 'e') {
        *ret_real = true;
        i++;
        if (i < s.len && (s.p[i] == '+' || s.p[i] == '-'))
            i++;
        for (from = i; i < s.len && digit(s.p[i]); i++)
            ;
        if (i == from)
            return false;
    }
    return i == s.len;
}

static bool integer(struct hm_slice s, int64_t *ret)
{
    bool minus = s.p[0] == '-';
    uint64_t v = 0, limit = (uint64_t)INT64_MAX + minus;
    for (size_t i = minus; i < s.len; i++) {
        unsigned d = s.p[i] - '0';
        if (v > (limit - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *ret = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

static bool text_number(struct hm_slice s, struct hm_number *ret_n)
{
    char text[64];
    bool real;
    if (s.len == 0 || s.len >= sizeof text || !number_form(s, &real))
        return false;
    if (!real && integer(s, &ret_n->i)) {
        ret_n->real = false;
        return true;
    }
    memcpy(text, s.p, s.len);
    text[s.len] = 0;
    ret_n->real = true;
    ret_n->d = strtod(text, NULL);
    return true;
}

bool hm_number_of(const struct hm_datum *d, struct hm_number *ret_n)
{
    if (d->kind == HM_DATUM_NUMBER && !d->real) {
        *ret_n = (struct hm_number){.i = d->number};
        return true;
    }
    return (d->kind == HM_DATUM_TEXT || d->kind == HM_DATUM_NUMBER) && text_number(d->text, ret_n);
}

/* --- times ----------------------------------------------------------------------------------- */

static bool two(const uint8_t *p, int least, int most, int *ret)
{
    if (!digit(p[0]) || !digit(p[1]))
        return false;
    *ret = (p[0] - '0') * 10 + p[1] - '0';
    return *ret >= least && *ret <= most;
}

/* "Z", "+09:00", "+0900", "-05"; nothing means UTC. Minutes east. */
static bool zone(struct hm_slice s, int *ret_minutes)
{
    int h = 0, m = 0;
    *ret_minutes = 0;
    if (s.len == 0 || (s.len == 1 && (s.p[0] | 0x20) == 'z'))
        return true;
    if ((s.p[0] != '+' && s.p[0] != '-') || s.len < 3 || !two(s.p + 1, 0, 23, &h))
        return false;
    size_t at = s.len > 3 && s.p[3] == ':' ? 4 : 3;
    if (s.len > 3 && (s.len != at + 2 || !two(s.p + at, 0, 59, &m)))
        return false;
    *ret_minutes = (h * 60 + m) * (s.p[0] == '-' ? -1 : 1);
    return true;
}

/* 2026-11-21[T ]22:00[:00[.123]][zone], or the date alone. */
static bool iso_time(struct hm_slice s, int64_t *ret_seconds)
{
    struct tm t = {0};
    int century, year, offset = 0;
    if (s.len < 10 || !two(s.p, 0, 99, &century) || !two(s.p + 2, 0, 99, &year) ||
        (s.p[4] != '-' && s.p[4] != '/') || s.p[7] != s.p[4] || !two(s.p + 5, 1, 12, &t.tm_mon) ||
        !two(s.p + 8, 1, 31, &t.tm_mday))
        return false;
    size_t i = 10;
    if (s.len > 10) {
        if (s.len < 16 || (s.p[10] != ' ' && (s.p[10] | 0x20) != 't') || s.p[13] != ':' ||
            !two(s.p + 11, 0, 23, &t.tm_hour) || !two(s.p + 14, 0, 59, &t.tm_min))
            return false;
        i = 16;
        if (s.len >= 19 && s.p[16] == ':') {
            if (!two(s.p + 17, 0, 60, &t.tm_sec))
                return false;
            i = 19;
        }
        if (i < s.len && (s.p[i] == '.' || s.p[i] == ','))
            for (i++; i < s.len && digit(s.p[i]); i++)
                ;
        if (i < s.len && s.p[i] == ' ')
            i++;
        if (!zone(hm_slice(s.p + i, s.len - i), &offset))
            return false;
    }
    t.tm_year = century * 100 + year - 1900;
    t.tm_mon--;
    *ret_seconds = (int64_t)timegm(&t) - offset * 60;
    return true;
}

/* Seconds, or by their size milli-, micro- or nanoseconds since 1970. */
static int64_t epoch_seconds(int64_t v)
{
    int64_t size = v < 0 ? -(v + 1) : v;
    if (size < INT64_C(100000000000))
        return v;
    if (size < INT64_C(100000000000000))
        return v / 1000;
    if (size < INT64_C(100000000000000000))
        return v / 1000000;
    return v / 1000000000;
}

static int iso_week(const struct tm *t)
{
    char text[8];
    strftime(text, sizeof text, "%V", t);
    return (text[0] - '0') * 10 + text[1] - '0';
}

bool hm_time_part(const struct hm_datum *d, unsigned part, int64_t *ret_v)
{
    int64_t seconds;
    struct hm_number n;
    if (d->kind == HM_DATUM_TEXT && iso_time(d->text, &seconds))
        ;
    else if (hm_number_of(d, &n))
        seconds = n.real ? (n.d > -1e11 && n.d < 1e11 ? (int64_t)n.d : 0) : epoch_seconds(n.i);
    else
        return false;
    time_t when = (time_t)seconds;
    struct tm t;
    if (!gmtime_r(&when, &t))
        return false;
    const int64_t parts[] = {
        [HM_PART_MINUTE] = t.tm_min,    [HM_PART_HOUR] = t.tm_hour,
        [HM_PART_DAY] = t.tm_mday,      [HM_PART_WEEK] = iso_week(&t),
        [HM_PART_MONTH] = t.tm_mon + 1, [HM_PART_YEAR] = t.tm_year + 1900,
    };
    if (part == HM_PART_NONE || part > HM_PART_YEAR)
        return false;
    *ret_v = parts[part];
    return true;
}
