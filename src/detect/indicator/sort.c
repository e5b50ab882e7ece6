/* Sorting in place: millions of staged values by their hashes, without a second copy of them. */
#include "detect/indicator/sort.h"

#define SMALL 24

static void insertion(struct hm_staged *s, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct hm_staged one = s[i];
        size_t j = i;
        for (; j > 0 && s[j - 1].h > one.h; j--)
            s[j] = s[j - 1];
        s[j] = one;
    }
}

/* American flag sort on the byte at shift; depth is at most eight. Where every hash is the same
 * (a crafted feed) a level finds one bucket and ends with the last byte. */
static void flag(struct hm_staged *s, size_t n, int shift)
{
    size_t begin[257] = {0}, at[256];
    for (size_t i = 0; i < n; i++)
        begin[(s[i].h >> shift & 0xff) + 1]++;
    for (int i = 0; i < 256; i++)
        begin[i + 1] += begin[i];
    memcpy(at, begin, sizeof at);
    for (size_t d = 0; d < 256; d++)
        while (at[d] < begin[d + 1]) {
            size_t to = s[at[d]].h >> shift & 0xff;
            struct hm_staged one = s[at[d]];
            s[at[d]] = s[at[to]];
            s[at[to]++] = one;
        }
    for (int d = 0; shift && d < 256; d++)
        hm_staged_sort(s + begin[d], begin[d + 1] - begin[d], shift - 8);
}

void hm_staged_sort(struct hm_staged *s, size_t n, int shift)
{
    if (n <= SMALL)
        insertion(s, n);
    else
        flag(s, n, shift);
}
