/* RFC 5952: lower case, the longest run of zero groups (two or more, the first of equals) as "::",
 * IPv4-mapped addresses with a dotted tail. */
#include "base/ip.h"
#include <stdio.h>

static void format4(const uint8_t *p, char *buf, size_t cap)
{
    snprintf(buf, cap, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
}

static unsigned group(const uint8_t *p, int i)
{
    return (unsigned)p[2 * i] << 8 | p[2 * i + 1];
}

static void longest_zeros(const uint8_t *p, int *ret_at, int *ret_len)
{
    *ret_at = -1;
    *ret_len = 1; /* one group alone is not shortened */
    for (int i = 0; i < 8; i++) {
        int n = 0;
        while (i + n < 8 && group(p, i + n) == 0)
            n++;
        if (n > *ret_len) {
            *ret_at = i;
            *ret_len = n;
        }
        i += n;
    }
}

static void format6(const uint8_t *p, char *buf, size_t cap)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    int at, len;
    size_t n = 0;

    if (memcmp(p, mapped, sizeof mapped) == 0) {
        n = (size_t)snprintf(buf, cap, "::ffff:");
        format4(p + 12, buf + n, cap - n);
        return;
    }
    longest_zeros(p, &at, &len);
    for (int i = 0; i < 8; i++) {
        if (i == at) {
            n += (size_t)snprintf(buf + n, cap - n, "::");
            i += len - 1;
            continue;
        }
        bool colon = i > 0 && i != at + len;
        n += (size_t)snprintf(buf + n, cap - n, colon || (at < 0 && i) ? ":%x" : "%x", group(p, i));
    }
}

char *hm_ip_format(struct hm_slice ip, char buf[HM_IP_TEXT_BYTES])
{
    buf[0] = 0;
    if (ip.len == 4)
        format4(ip.p, buf, HM_IP_TEXT_BYTES);
    else if (ip.len == 16)
        format6(ip.p, buf, HM_IP_TEXT_BYTES);
    return buf;
}
