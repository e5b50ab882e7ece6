/* See instant.h. Calendar arithmetic of its own: no zone tables, no locale, no 2038. */
#include "detect/instant.h"

#define DAY_MS 86400000ll

struct reader {
    const uint8_t *p, *end;
    bool bad;
};

static int64_t digits(struct reader *r, int n)
{
    int64_t v = 0;
    for (int i = 0; i < n; i++) {
        if (r->p == r->end || *r->p < '0' || *r->p > '9') {
            r->bad = true;
            return 0;
        }
        v = v * 10 + (*r->p++ - '0');
    }
    return v;
}

static bool take(struct reader *r, char c)
{
    if (r->p == r->end || *r->p != (uint8_t)c)
        return false;
    r->p++;
    return true;
}

static void want(struct reader *r, char c)
{
    r->bad |= !take(r, c);
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar, years from March. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t days, int64_t *ret_y, int64_t *ret_m, int64_t *ret_d)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *ret_d = doy - (153 * mp + 2) / 5 + 1;
    *ret_m = mp < 10 ? mp + 3 : mp - 9;
    *ret_y = yoe + era * 400 + (*ret_m <= 2);
}

static int64_t fraction_ms(struct reader *r)
{
    int64_t ms = 0, unit = 100;
    if (!take(r, '.') && !take(r, ','))
        return 0;
    r->bad |= r->p == r->end || *r->p < '0' || *r->p > '9';
    for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++, unit /= 10)
        ms += (*r->p - '0') * unit;
    return ms;
}

/* Minutes east of UTC. */
static int64_t zone(struct reader *r)
{
    if (r->p == r->end || take(r, 'Z') || take(r, 'z'))
        return 0;
    bool west = take(r, '-');
    if (!west)
        want(r, '+');
    int64_t h = digits(r, 2), m = 0;
    if (take(r, ':') || r->p < r->end)
        m = digits(r, 2);
    r->bad |= h > 23 || m > 59;
    return (west ? -1 : 1) * (h * 60 + m);
}

static int64_t clock_ms(struct reader *r)
{
    int64_t h = digits(r, 2), s = 0;
    want(r, ':');
    int64_t m = digits(r, 2), ms = 0;
    if (take(r, ':')) {
        s = digits(r, 2);
        ms = fraction_ms(r);
    }
    take(r, ' ');
    int64_t east = zone(r);
    r->bad |= h > 24 || m > 59 || s > 60;
    return ((h * 60 + m - east) * 60 + s) * 1000 + ms;
}

static bool read_iso(struct hm_slice text, int64_t *ret_ms)
{
    struct reader r = {text.p, text.p + text.len, false};
    int64_t y = digits(&r, 4), clock = 0;
    char between = text.p[4] == '/' ? '/' : '-';
    want(&r, between);
    int64_t m = digits(&r, 2);
    want(&r, between);
    int64_t d = digits(&r, 2);
    if (!r.bad && r.p < r.end) {
        if (!take(&r, 'T') && !take(&r, ' '))
            want(&r, 't');
        clock = clock_ms(&r);
    }
    if (r.bad || r.p != r.end || m < 1 || m > 12 || d < 1 || d > 31)
        return false;
    *ret_ms = days_of(y, m, d) * DAY_MS + clock;
    return true;
}

/* Seconds up to 11 digits (the year 5138), then milli-, micro-, nanoseconds. */
static bool read_epoch(struct hm_slice text, int64_t *ret_ms)
{
    struct reader r = {text.p, text.p + text.len, false};
    bool negative = take(&r, '-');
    size_t n = 0;
    while (r.p + n < r.end && r.p[n] >= '0' && r.p[n] <= '9')
        n++;
    if (n == 0 || n > 19 || (n == 19 && *r.p > '8'))
        return false;
    int64_t v = digits(&r, (int)n), ms;
    if (n <= 11)
        ms = v * 1000 + (r.p < r.end ? fraction_ms(&r) : 0);
    else
        ms = n <= 14 ? v : n <= 17 ? v / 1000 : v / 1000000;
    if (n > 11 && r.p < r.end)
        fraction_ms(&r);
    if (r.bad || r.p != r.end)
        return false;
    *ret_ms = negative ? -ms : ms;
    return true;
}

bool hm_instant_read(struct hm_slice text, int64_t *ret_ms)
{
    bool iso = text.len >= 10 && (text.p[4] == '-' || text.p[4] == '/');
    return text.len && (iso ? read_iso(text, ret_ms) : read_epoch(text, ret_ms));
}

/* The week belongs to the year its Thursday lies in. */
static int64_t iso_week(int64_t days)
{
    int64_t weekday = ((days + 3) % 7 + 7) % 7, thursday = days - weekday + 3, y, m, d;
    date_of(thursday, &y, &m, &d);
    return (thursday - days_of(y, 1, 1)) / 7 + 1;
}

int64_t hm_instant_part(int64_t ms, enum hm_ast_part part)
{
    int64_t days = (ms >= 0 ? ms : ms - DAY_MS + 1) / DAY_MS, rest = ms - days * DAY_MS, y, m, d;
    date_of(days, &y, &m, &d);
    switch (part) {
    case HM_PART_MINUTE:
        return rest / 60000 % 60;
    case HM_PART_HOUR:
        return rest / 3600000;
    case HM_PART_DAY:
        return d;
    case HM_PART_WEEK:
        return iso_week(days);
    case HM_PART_MONTH:
        return m;
    case HM_PART_YEAR:
        return y;
    case HM_PART_NONE:
        break;
    }
    return ms;
}
