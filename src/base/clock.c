/* The three clocks, and a wall clock time as text. */
#include "base/clock.h"
#include <stdio.h>
#ifdef _WIN32
#include <windows.h>
#include <realtimeapiset.h>

uint64_t hm_clock_wall_ns(void)
{
    FILETIME t;

    GetSystemTimePreciseAsFileTime(&t);
    /* 100 ns units since 1601 */
    return (((uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime) - 116444736000000000u) * 100;
}

uint64_t hm_clock_mono_ns(void)
{
    ULONGLONG t = 0;

    QueryUnbiasedInterruptTime(&t);
    return t * 100;
}

uint64_t hm_clock_boot_ns(void)
{
    return GetTickCount64() * 1000000u; /* counts sleep, as CLOCK_BOOTTIME does */
}
#else
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec t = {0};

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t hm_clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

uint64_t hm_clock_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t hm_clock_boot_ns(void)
{
    return read_clock(CLOCK_BOOTTIME);
}
#endif

/* Days since 1970 to a Gregorian date, by 400-year eras that begin on 1 March. */
static void civil(uint64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    uint64_t z = days + 719468, era = z / 146097, doe = z % 146097;
    uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    uint64_t mp = (5 * doy + 2) / 153;

    *ret_day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *ret_month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *ret_year = (unsigned)(yoe + era * 400 + (*ret_month <= 2));
}

char *hm_clock_format(uint64_t wall_ns, char *buf, unsigned long len)
{
    uint64_t ms = wall_ns / 1000000, s = ms / 1000;
    unsigned y, m, d;

    civil(s / 86400, &y, &m, &d);
    snprintf(buf, len, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", y, m, d, (unsigned)(s / 3600 % 24),
             (unsigned)(s / 60 % 60), (unsigned)(s % 60), (unsigned)(ms % 1000));
    return buf;
}
